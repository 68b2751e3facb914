"""Joint names as people spell them: ``hip.pitch.l``, ``L_HipPitch`` and ``dof_left_hip_pitch_joint(rad)`` are one name.

Names match modulo case, separators, camel case, the notation and place of the side, words such as ``dof`` and
``joint``, units in brackets, a prefix that all names share, a number that counts them, and word order. A match has to
be unique; names are never passed over for a count.
"""

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from amp_helpers.errors import InputError

Unit = Literal["rad", "deg", "m", "cm", "mm", "s", "ms", "us", "ns", "rate"]
"""Unit that a name states; ``rate`` stands for those of velocities, accelerations, forces and torques."""

_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("rad", "rads", "radian", "radians"), "rad"),
    **dict.fromkeys(("deg", "degs", "degree", "degrees", "°"), "deg"),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), "cm"),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), "mm"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    "ms": "ms",
    "us": "us",
    "ns": "ns",
}
_RATE = re.compile(r"(rads?|deg|°|[cm]?m)\s*/\s*s.*|(rads?|deg|[cm]?m)[. ]?s(\^?-1|\^?-2)|k?n|n\s*[·*.]?\s*m|a|v|°?c")
"""Units of what is no position."""
_NOT_UNITS = re.compile(r"\d+|xyzw|wxyz|[xyzw]|roll|pitch|yaw|.*[a-z]{2}[_.:-].*")
"""What brackets may hold beside units and sides: a number, a component or an order of components, and names."""
_REGIONS = frozenset(["leg", "legs", "arm", "arms"])
"""Words that tell joints apart only where both sides use them: ``left_leg_knee`` is a left knee."""
_LEFT, _RIGHT, _FRONT, _REAR = ("left",), ("right",), ("front",), ("rear",)
_SIDES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("l", "lft", "left"), _LEFT),
    **dict.fromkeys(("r", "rgt", "right"), _RIGHT),
    **dict.fromkeys(("front", "fore"), _FRONT),
    **dict.fromkeys(("rear", "hind", "back"), _REAR),
    **{pair: place + side for place, letters in ((_FRONT, "f"), (_REAR, "rhb")) for letter in letters
       for side, hand in ((_LEFT, "l"), (_RIGHT, "r")) for pair in (letter + hand, hand + letter)},
}  # fmt: skip
"""Word -> the words that it stands for; ``rr`` is rear right."""
_FILLERS = frozenset(["dof", "dofs", "joint", "joints", "jnt", "j", "q", "qpos", "pos", "position", "angle", "link"])
"""Words that do not tell joints apart."""
MAX_NAMES = 1000
"""Largest number of names matched; more are damage, and matching them would take long."""
MAX_LETTERS = 60
"""Letters of a word that are split, and of a name that are compared for a suggestion."""
_BRACKETS = re.compile(r"[\(\[\{<]\s*([^\)\]\}>]*?)\s*[\)\]\}>]\s*$")
_NUMBER = re.compile(r"\d{1,4}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


def split_unit(name: str) -> tuple[str, Unit | None]:
    """Take the unit off a name: ``knee(rad)``, ``knee [deg]``, ``knee_deg`` and ``root_x_cm`` state one.

    Brackets may also hold a number, a side, an axis or a name, as in ``q[3]``.

    Raises:
        InputError: the brackets hold something else.
    """
    if found := _BRACKETS.search(name):
        held = found.group(1).lower()
        unit = _UNITS.get(held)
        if unit is None and _RATE.fullmatch(held):
            unit = "rate"
        elif held in _SIDES or (unit is None and _NOT_UNITS.fullmatch(held)):
            return name, None
        if unit is None:
            raise InputError(
                f"the unit of '{shown(name)}' is not known; known are {', '.join(dict.fromkeys(_UNITS.values()))}"
            )
        return name[: found.start()].strip(), unit
    *others, last = words(name) or [""]
    unit = _UNITS.get(last)
    told = unit in ("rad", "deg", "cm", "mm") or (unit == "m" and others[-1:] and others[-1][-1] in "xyz")
    timed = unit in ("s", "ms", "us", "ns") and any(word in ("t", "time", "timestamp") for word in others)
    if others and unit and (told or timed):
        return name[: name.lower().rindex(last)].rstrip(" ._-:/"), unit
    return name, None


def split_list(text: str) -> list[str]:
    """Names in a text that lists them, separated by commas, semicolons or spaces."""
    return [name for name in re.split(r"[,;\s]+", text.strip("[]() ")) if name]


def words(name: str) -> list[str]:
    """Words of a name in lower case, split at separators, at capitals, and between letters and digits."""
    found = (word.lower() for word in _WORDS.findall(name))
    return [str(int(word)) if word.isdecimal() and word.isascii() else word for word in found]


def shown(name: object) -> str:
    """A name from a file for a message: one line, printable and short."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(name))
    return " ".join(line.split())[:60]


def listed(names: Iterable[object]) -> str:
    """The first ten names of a file in alphabetical order, for a message; ``nothing`` without any."""
    ordered = sorted(map(str, names))
    return ", ".join(map(shown, ordered[:10])) + (", ..." if len(ordered) > 10 else "") or "nothing"


@dataclass(frozen=True)
class NameMatch:
    """Which of a robot's joints the names in a file are."""

    stored: tuple[str, ...]
    """Names in the file, (D)."""
    joints: tuple[str | None, ...]
    """Joint of each name, (D); None where the robot has none."""
    units: tuple[Unit | None, ...]
    """Unit that each name states, (D)."""
    missing: tuple[str, ...]
    """Joints of the robot that no name is."""

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Names that are no joint of the robot."""
        return tuple(name for name, joint in zip(self.stored, self.joints, strict=True) if joint is None)

    def nearest(self, most: int = 6) -> str:
        """Quote the names that did not match, each with the robot's nearest joints without a name."""
        pool = self.missing or tuple(joint for joint in self.joints if joint)
        quoted = [f"'{shown(name)}'{_nearest(name, pool)}" for name in self.unmatched[:most]]
        more = len(self.unmatched) - most
        return ", ".join(quoted) + (f" and {more} more" if more > 0 else "")


def match_names(stored: Sequence[str], joints: Sequence[str]) -> NameMatch:
    """Match names in a file with a robot's joints.

    Args:
        stored: names in the file, in any spelling, (D).
        joints: the robot's joints, (J).

    Raises:
        InputError: two names are the same joint, a unit is not known, or there are more names than any robot has.
    """
    if len(stored) > MAX_NAMES:
        raise InputError(f"names {len(stored)} joints, more than the {MAX_NAMES} read at most; export the motion again")
    bare, units = zip(*map(split_unit, stored), strict=True) if stored else ((), ())
    found = _find(stored, bare, joints)
    if None in found and any(map(_NUMBER.search, bare)):
        found = max([found, *_without_count(stored, bare, joints)], key=lambda match: len(match) - match.count(None))
    missing = tuple(joint for joint in joints if joint not in found)
    return NameMatch(tuple(stored), tuple(found), tuple(units), missing)


def _without_count(stored: Sequence[str], bare: Sequence[str], joints: Sequence[str]) -> Iterator[list[str | None]]:
    """Match names without one of their numbers, where it counts the joints: ``joint_0.left_hip``, ``knee[3]``."""
    for which in (0, -1):
        numbers = [next(iter([*_NUMBER.finditer(name)][which:][:1]), None) for name in bare]
        rest = [
            name if number is None else f"{name[: number.start()]}_{name[number.end() :]}"
            for name, number in zip(bare, numbers, strict=True)
        ]
        try:
            match = _find(stored, rest, joints)
        except InputError:  # the numbers tell joints apart
            continue
        counted = [int(number.group()) for joint, number in zip(match, numbers, strict=True) if joint and number]
        if len(set(counted)) == len(counted):
            yield match


def _find(stored: Sequence[str], bare: Sequence[str], joints: Sequence[str]) -> list[str | None]:
    """Find the joint of each name, None where there is none.

    Raises:
        InputError: two names are the same joint.
    """
    keys, table = _keys(bare, joints)
    found: list[str | None] = []
    for name, key in zip(bare, keys, strict=True):
        same = [name] if name in joints else table.get(key, [])
        if len(same) > 1:  # joints that differ in the order of their words only
            same = [joint for joint in same if words(joint) == words(name)]
        found.append(same[0] if len(same) == 1 else None)
    for joint, count in Counter(filter(None, found)).items():
        if count > 1:
            twice = [shown(name) for name, other in zip(stored, found, strict=True) if other == joint]
            if len(set(twice)) == 1:
                raise InputError(f"joint names repeat: {twice[0]}; name every column once")
            raise InputError(f"the names {' and '.join(twice)} are both {joint}; name every joint once")
    return found


def _keys(
    stored: Sequence[str], joints: Sequence[str]
) -> tuple[list[tuple[str, ...]], dict[tuple[str, ...], list[str]]]:
    """Bring names to a form that does not depend on their spelling, and list the robot's joints by it."""
    theirs, ours = [_canonical(words(name)) for name in stored], [_canonical(words(name)) for name in joints]
    vocabulary = {word for name in ours for word in name}
    known = vocabulary | set(_SIDES) | _FILLERS
    theirs = [_canonical([part for word in name for part in _split_glued(word, known)]) for name in theirs]
    theirs, ours = (
        _without_shared(theirs, vocabulary),
        _without_shared(ours, {word for name in theirs for word in name}),
    )
    spoken, vocabulary = ({word for name in names for word in name} for names in (theirs, ours))
    theirs = [[word for word in name if word not in _REGIONS - vocabulary] or name for name in theirs]
    ours = [[word for word in name if word not in _REGIONS - spoken] or name for name in ours]
    table: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for joint, name in zip(joints, ours, strict=True):
        table[tuple(sorted(name))].append(joint)
    return [tuple(sorted(name)) for name in theirs], table


def _canonical(name: Iterable[str]) -> list[str]:
    spelled = [part for word in name for part in _SIDES.get(word, (word,))]
    return [word for word in spelled if word not in _FILLERS] or spelled


def _without_shared(names: list[list[str]], vocabulary: Collection[str]) -> list[list[str]]:
    """Drop words that all names share and that the other side does not use, such as the name of the robot."""
    shared = set.intersection(*map(set, names)) - set(vocabulary) if len(names) > 1 else set()
    return [[word for word in name if word not in shared] for name in names]


def _split_glued(word: str, known: Collection[str]) -> list[str]:
    """Split ``lefthippitch`` into known words where there is exactly one way to do so."""
    if word in known or len(word) > MAX_LETTERS:
        return [word]
    ways: list[list[list[str]]] = [[[]]]  # ways to split the first letters; more than two are never needed
    for end in range(1, len(word) + 1):
        parts = ((start, word[start:end]) for start in range(end))
        ways.append([[*way, part] for start, part in parts if part in known for way in ways[start]][:2])
    return ways[-1][0] if len(ways[-1]) == 1 else [word]


def _nearest(name: str, joints: Sequence[str]) -> str:
    """Phrase that names up to two joints closest to a name."""
    name = name[:MAX_LETTERS]
    mine = Counter(_canonical(words(name)))

    def likeness(joint: str) -> float:
        other = Counter(_canonical(words(joint)))
        return (mine & other).total() / (mine | other).total() + difflib.SequenceMatcher(
            None, name.lower(), joint.lower()
        ).ratio()

    best = sorted(joints, key=likeness, reverse=True)[:2]
    return f" (nearest: {', '.join(best)})" if best else ""
