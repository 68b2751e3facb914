"""What would explain a clip that does not fit the body: each known mistake is undone, and the fit decides.

A mistake is believed when undoing it makes the clip fit much better, and of all that do, the one that does so best. So
one mistake is one finding, and a sound clip, which no change makes much better, has none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.checks.body_fit import Body, Fit, Sample
from amp_helpers.formats.model_evidence import orders
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import ROBOTS, Robot

SAMPLE_FRAMES = 450
"""Frames on which explanations are tried, about 15 s."""
_GAIN, _SHARE = 1.0, 0.75
"""A mistake is believed when undoing it lowers the misfit by at least this much, and to at most this share."""
_CERTAIN_GAIN, _CERTAIN_SHARE = 3.0, 0.5
"""Beyond these it is certain."""
_ALIKE = 0.3
_GROWTH = 1.5

SUBTRACTED = "the default pose is already subtracted"
ADDED = "the default pose is added"


@dataclass(frozen=True)
class Explanation:
    """A mistake, and how to undo it."""

    check: str
    """Name of the check that reports it."""
    what: str
    """What was done wrong, as a phrase: ``left and right are exchanged``."""
    undo: Callable[[Motion], Motion]
    remedy: str


@dataclass(frozen=True, eq=False)
class Tried:
    """An explanation and how the clip fits once it is undone."""

    explanation: Explanation
    fit: Fit


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """All explanations tried on a clip."""

    stored: Fit
    """The clip as it is."""
    tried: tuple[Tried, ...]
    moves: bool
    """Whether the clip moves. One pose may be anything, so a still clip's cause has to be certain."""

    def best(self, check: str) -> Tried | None:
        """The best of a check's explanations; ``None`` when it has none for this robot and clip."""
        tried = [t for t in self.tried if t.explanation.check == check]
        # Bending the knees further steadies any clip, so the first offset that brings the joints back is the one.
        back = [t for t in tried if check == "default offset" and self._brings_joints_back(t)]
        return back[0] if back else min(tried, key=_misfit, default=None)

    @property
    def cause(self) -> Tried | None:
        """The explanation that is believed; ``None`` for a clip that fits as it is."""
        best = (self.best(check) for check in dict.fromkeys(t.explanation.check for t in self.tried))
        believed = [t for t in best if t and (self._speaks_for(t) if self.moves else self._proves(t))]
        believed = [t for t in believed if t.explanation.check != "default offset" or self._brings_joints_back(t)]
        return min(believed, key=_misfit, default=None)

    @property
    def certain(self) -> bool:
        """Whether the cause is beyond doubt."""
        return self.cause is not None and self._proves(self.cause)

    @property
    def added(self) -> Tried | None:
        """The default pose added, where that is likely: every joint stays within its limits without it, which no
        straight knee would, and the feet come nearer to the ground. ``None`` elsewhere."""
        tried = next((t for t in self.tried if t.explanation.what == ADDED), None)
        if tried is None or tried.fit.beyond_rad > 0.005 or tried.fit.misfit > self.stored.misfit + _GROWTH:
            return None
        return tried if abs(self.stored.height_m) - abs(tried.fit.height_m) > 0.01 else None

    @property
    def alike(self) -> list[Tried]:
        """Other explanations that fit nearly as well as the cause."""
        cause = self.cause
        if cause is None:
            return []
        others = [t for t in self.tried if t is not cause and t.explanation.check != "default offset"]
        return sorted((t for t in others if t.fit.misfit < cause.fit.misfit + _ALIKE), key=_misfit)

    def _speaks_for(self, tried: Tried) -> bool:
        before, after = self.stored.misfit, tried.fit.misfit
        return before - after >= _GAIN and after <= _SHARE * before

    def _proves(self, tried: Tried) -> bool:
        before, after = self.stored.impossible, tried.fit.impossible
        return before - after >= _CERTAIN_GAIN and after <= _CERTAIN_SHARE * before

    def _brings_joints_back(self, tried: Tried) -> bool:
        return self.stored.terms["beyond_rad"] > 1 and tried.fit.beyond_rad < 0.1 * self.stored.beyond_rad


def _misfit(tried: Tried) -> float:
    return tried.fit.misfit


def diagnose(
    motion: Motion, body: Body, env_joint_names: Sequence[str] | None = None, frames: int = SAMPLE_FRAMES
) -> Diagnosis:
    """Try every explanation on a sample of the clip.

    Args:
        motion: joints that the robot lacks are set aside.
        body: of the robot.
        env_joint_names: an order that the columns may be in although they are named otherwise.
        frames: size of the sample.
    """
    sample = Sample.of(motion, frames)
    tried = [
        Tried(explanation, body.fit(sample, explanation.undo(sample.motion)))
        for explanation in explanations(motion.joint_names, body, env_joint_names)
    ]
    moves = bool(sample.motion.joint_pos.std(axis=0).max() > 0.05)
    return Diagnosis(body.fit(sample), tuple(tried), moves)


def explanations(
    names: tuple[str, ...], body: Body, env_joint_names: Sequence[str] | None = None
) -> Iterator[Explanation]:
    """Every mistake that can be undone in a clip with these joints."""
    yield from _quaternions()
    yield from _orders(names, body.robot, env_joint_names)
    yield from _sides(names, body)
    yield from _offsets(names, body.robot)


def _quaternions() -> Iterator[Explanation]:
    for wrong, right, columns in (("xyzw", "wxyz", [1, 2, 3, 0]), ("wxyz", "xyzw", [3, 0, 1, 2])):
        yield Explanation(
            "quaternion order",
            f"the root's rotation was read as {wrong} but is {right}",
            lambda motion, columns=columns: replace(motion, root_quat=motion.root_quat[:, columns]),
            f"read the file with --quaternion {right}.",
        )


def _orders(names: tuple[str, ...], robot: Robot, env_joint_names: Sequence[str] | None) -> Iterator[Explanation]:
    widths = {len(names), robot.num_joints, *(known.num_joints for known in ROBOTS.values())}
    known = {order.label: order.names for width in sorted(widths) for order in orders(width, robot)}
    if env_joint_names is not None:
        known["the environment's"] = tuple(env_joint_names)
    seen = {names}
    for named, here in known.items():
        for stored, there in known.items():
            if len(here) != len(there) or not set(names) <= set(here):
                continue
            meant = tuple(there[here.index(name)] for name in names)
            if meant in seen or not set(meant) & set(robot.joint_names):
                continue
            seen.add(meant)
            yield Explanation(
                "column order",
                f"the columns are in the order {stored} but named in the order {named}",
                lambda motion, meant=meant: replace(motion, joint_names=meant),
                f"name the columns in the order {stored} ({', '.join(there[:3])}, ...): joint_names in the file, or "
                "--joint_order when converting.",
            )


def _sides(names: tuple[str, ...], body: Body) -> Iterator[Explanation]:
    known = [name for name in names if name in body.robot.joint_names]
    pairs = {name: other for name, other in body.pairs.items() if name in known and other in known}
    swap = [names.index(pairs.get(name, name)) for name in names]
    mirror = np.array([body.mirror_signs.get(name, 1.0) for name in names], np.float32)
    if pairs:
        yield Explanation(
            "left and right",
            "left and right joints are exchanged",
            lambda motion: replace(motion, joint_pos=motion.joint_pos[:, swap]),
            "exchange the names of left and right joints where the file is written.",
        )
        yield Explanation(
            "left and right",
            "the joints are mirrored but the root is not",
            lambda motion: replace(motion, joint_pos=motion.joint_pos[:, swap] * mirror),
            "mirror the root too: Kinematics.mirror does both.",
        )
    groups = [(name,) for name in known]
    groups += [(name, other) for name, other in pairs.items() if names.index(name) < names.index(other)]
    for group in groups:
        sign = np.array([-1.0 if name in group else 1.0 for name in names], np.float32)
        one = len(group) == 1
        yield Explanation(
            "mirrored axes",
            f"{' and '.join(group)} {'has' if one else 'have'} the opposite sign",
            lambda motion, sign=sign: replace(motion, joint_pos=motion.joint_pos * sign),
            f"negate {' and '.join(group)}: {'its' if one else 'their'} axis points the other way where the file was "
            "written.",
        )


def _offsets(names: tuple[str, ...], robot: Robot) -> Iterator[Explanation]:
    known = [name for name in names if name in robot.joint_names]
    default = np.zeros(len(names), np.float32)
    default[[names.index(name) for name in known]] = JointOrder(known).reorder(robot.default_pose(), robot.joint_names)
    if np.abs(default).max(initial=0) < 0.1:
        return
    for times, what, back in (
        (1, SUBTRACTED, "add the default pose back"),
        (2, "the default pose is subtracted twice", "add the default pose back twice"),
        (-1, ADDED, "subtract the default pose"),
    ):
        yield Explanation(
            "default offset",
            what,
            lambda motion, times=times: replace(motion, joint_pos=motion.joint_pos + times * default),
            f"store absolute angles: {back}, since training subtracts it.",
        )
