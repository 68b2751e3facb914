"""Findings: what reading a file measured, decided or assumed about a clip, as fields, and the phrases that show it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from amp_helpers.errors import one_line

QuaternionOrder = Literal["xyzw", "wxyz"]
"""Component order of a stored quaternion."""
OTHER_ORDER: dict[str, QuaternionOrder] = {"xyzw": "wxyz", "wxyz": "xyzw"}

# Fields that are left out of the JSON where they are empty, so that datasets of before are reproduced byte for byte.
_LATER_QUATERNION = ("attachment_error_m", "ground_error_m")
_LATER_JOINTS = ("only_within_limits",)

NORM_TOLERANCE = 1e-3
"""Deviation of a quaternion's norm from 1 that rounding explains."""


@dataclass(frozen=True)
class FrameRate:
    """Where a clip's frame rate comes from."""

    fps: float
    """Frames per second of the file."""
    basis: Literal["file", "user"]
    """Stated in the file, or given by the user."""
    ignored: float | None = None
    """Another rate that the user gave although the file states one."""

    def phrase(self) -> str:
        """Return the words for a report; empty where there is nothing to point out."""
        if self.basis == "user":
            return f"{self.fps:g} fps as given"
        return "" if self.ignored is None else f"{self.fps:.4g} fps as the file says, not {self.ignored:g} as given"

    def warnings(self) -> Iterator[str]:
        """Yield a sentence with a remedy where another rate was given than the file's; 30 stands for 29.97 too."""
        if self.ignored is not None and abs(self.ignored / self.fps - 1) > 0.02:
            yield f"the file states {self.fps:.4g} fps, so --fps {self.ignored:g} is not used; leave it out"


@dataclass(frozen=True)
class JointOrderFinding:
    """Which joints a file's columns were taken for, and on what evidence."""

    basis: Literal["names", "links", "user", "format", "width"]
    """Names in the file, link positions in it, the user, the order that the format specifies, or the number of columns
    alone (an assumption)."""
    order: str = ""
    """Name of the order, such as ``g1_29dof breadth-first``; empty where the file names its joints."""
    width: int = 0
    """Number of columns."""
    link_error_m: tuple[tuple[str, float], ...] = ()
    """The closest orders with the mean distance, m, between the model's links and the file's; the closest first."""
    limits_of: str = ""
    """Robot whose joint limits the columns keep; empty where that was not tested."""
    only_within_limits: bool = False
    """No other known order of as many columns keeps the joints within their limits."""

    @property
    def decided(self) -> bool:
        """Whether the order is known rather than assumed."""
        return self.basis != "width" or self.only_within_limits

    def warnings(self) -> Iterator[str]:
        """Yield a sentence with a remedy where the order is assumed."""
        if not self.decided:
            yield (
                f"its {self.width} columns are taken for {self.order}'s by their number alone; if joints move wrongly, "
                "give their order with --joint_order, or name them in the file"
            )

    def phrase(self) -> str:
        """Return the words for a report; empty where the file names its joints."""
        if self.basis == "names":
            return ""
        if self.basis == "links":
            errors = ", ".join(f"{meters * 100:.1f} cm off as {label}" for label, meters in self.link_error_m)
            return f"joints of {self.order} by its links, {errors}"
        words = f"joints taken for {self.order}'s, the one known order of {self.width}"
        words = {"width": words, "format": f"joints of {self.order} as the format has them"}.get(
            self.basis, "joints as given"
        )
        if self.limits_of:
            words += f", and within {self.limits_of}'s limits"
        return words + " in this order only" if self.only_within_limits else words


@dataclass(frozen=True)
class ByOrder:
    """One quantity under both quaternion orders."""

    xyzw: float
    wxyz: float

    def __getitem__(self, order: str) -> float:
        return {"xyzw": self.xyzw, "wxyz": self.wxyz}[order]


@dataclass(frozen=True)
class QuaternionOrderFinding:
    """Which component order the root quaternions were read in, and on what evidence."""

    order: QuaternionOrder
    basis: Literal["evidence", "file", "user", "convention"]
    """Decided by the evidence below, stated by the file, given by the user, or assumed from the format's convention."""
    pelvis_up: ByOrder
    """Mean vertical component of the pelvis' z axis: 1 upright, 0 lying, -1 upside down."""
    sole_error_m: ByOrder | None = None
    """Mean distance of the lowest sole from the ground, m."""
    link_error_m: ByOrder | None = None
    """Mean distance between the model's links and the file's, m."""
    attachment_error_m: ByOrder | None = None
    """Mean movement in the root's frame of the link that the root holds best, m."""
    ground_error_m: ByOrder | None = None
    """Mean distance of the lowest point from the ground, m; measured where one order stands on its head."""
    forward_speed_mps: ByOrder | None = None
    """Median speed along the root's x axis, m/s; measured where the evidence above does not decide."""
    favored: str = ""
    """Order that the evidence favors; empty where it favors none."""
    convention: str = ""
    """Format whose convention was assumed."""

    @property
    def decided(self) -> bool:
        """Whether the order is known rather than assumed."""
        return self.basis != "convention"

    def warnings(self) -> Iterator[str]:
        """Yield sentences with a remedy where the order is assumed, contradicts the evidence, or looks wrong."""
        other = OTHER_ORDER[self.order]
        if self.pelvis_up[self.order] < -0.5:
            yield f"the root stands on its head as {self.order}; if it should not, give --quaternion {other}"
        elif not self.decided:
            yield (
                f"the quaternion order is undecided, and {self.order} is taken by {self.convention} convention; if the "
                f"clip faces or walks the wrong way, give --quaternion {other}"
            )
        if self.favored in ("", self.order) or self.basis not in ("user", "file"):
            return
        remedy = "leave --quaternion out" if self.basis == "user" else f"give --quaternion {self.favored}"
        yield (
            f"the quaternion order is {self.order} {'as given' if self.basis == 'user' else 'by the file'}, and the "
            f"evidence speaks for {self.favored}; {remedy} if the clip faces wrongly"
        )

    def phrase(self) -> str:
        """Return the words for a report."""
        words = f"quaternion {self.order}"
        words += {
            "evidence": "",
            "file": " as the file has it",
            "user": " as given",
            "convention": f" by {self.convention} convention, undecided",
        }[self.basis]
        for measured, form in (
            (self.pelvis_up, ", pelvis up {:.2f} as xyzw, {:.2f} as wxyz"),
            (_centimeters(self.sole_error_m), ", soles {:.1f} cm off the ground as xyzw, {:.1f} as wxyz"),
            (_centimeters(self.link_error_m), ", links {:.1f} cm off as xyzw, {:.1f} as wxyz"),
            (
                None if self.link_error_m else _centimeters(self.attachment_error_m),
                ", a link moves {:.1f} cm in the root's frame as xyzw, {:.1f} as wxyz",
            ),
            (_centimeters(self.ground_error_m), ", lowest point {:.1f} cm off the ground as xyzw, {:.1f} as wxyz"),
            (self.forward_speed_mps, ", walking forward at {:.2f} m/s as xyzw, {:.2f} as wxyz"),
        ):
            words += form.format(measured.xyzw, measured.wxyz) if measured else ""
        contradicted = self.basis in ("file", "user") and self.favored not in ("", self.order)
        return f"{words}, which speaks for {self.favored}" if contradicted else words


@dataclass(frozen=True)
class RepairMade:
    """A repair that was made to a clip."""

    name: str
    """Key of :data:`amp_helpers.motion.repair.REPAIRS`."""
    what: str
    """What it changed, such as ``2 repeated frames dropped``."""


@dataclass(frozen=True)
class Findings:
    """Everything that reading a file and repairing the clip found; all empty for a computed clip."""

    frame_rate: FrameRate | None = None
    joints: JointOrderFinding | None = None
    quaternion: QuaternionOrderFinding | None = None
    quaternion_norm: tuple[float, float] | None = None
    """Smallest and largest norm of the stored root quaternions, before they were brought to unit length."""
    sign_flips: int = 0
    """Sign changes between neighboring stored quaternions; they do not change the rotation."""
    root_body: str = ""
    """Body taken for the root, in formats that store every body: its name or its number."""
    speed: float = 1.0
    """Playback speed relative to the file's."""
    repairs: tuple[RepairMade, ...] = ()
    """Repairs made, in order."""
    notes: tuple[str, ...] = ()
    """Other remarks of the format's reader."""

    def with_repair(self, name: str, what: str) -> "Findings":
        """Add a repair to the record."""
        return replace(self, repairs=(*self.repairs, RepairMade(name, what)))

    def phrases(self) -> Iterator[str]:
        """Yield the words for a report, one phrase per fact that is worth pointing out."""
        made = {repair.name for repair in self.repairs}
        if self.frame_rate:
            yield self.frame_rate.phrase()
        yield from self.notes
        if self.root_body:
            yield f"root is body {self.root_body}"
        yield from (finding.phrase() for finding in (self.joints, self.quaternion) if finding)
        low, high = self.quaternion_norm or (1.0, 1.0)
        if max(1 - low, high - 1) > NORM_TOLERANCE and "quaternion_norm" not in made:
            yield f"norms {low:.3f} to {high:.3f}, normalized"
        if self.sign_flips and "quaternion_sign" not in made:
            yield f"{flips(self.sign_flips)}, which do not change the rotation"
        yield from (f"repaired: {repair.what}" for repair in self.repairs)

    def warnings(self) -> Iterator[str]:
        """Yield a sentence with a remedy for each decision that is an assumption or contradicts the evidence."""
        for finding in (self.frame_rate, self.joints, self.quaternion):
            yield from finding.warnings() if finding else ()

    def sentence(self) -> str:
        """Return the phrases as one line."""
        return one_line("; ".join(filter(None, self.phrases())))

    def to_json(self) -> str:
        """Return the findings as JSON, as a dataset stores them."""
        content = asdict(self)
        for part, later in (("quaternion", _LATER_QUATERNION), ("joints", _LATER_JOINTS)):
            for key in later if content[part] else ():
                if not content[part][key]:
                    del content[part][key]
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> "Findings":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: the text is something else.
        """
        try:
            return cls._from_content(json.loads(text))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"findings are not readable ({str(error)[:80]})") from None

    @classmethod
    def _from_content(cls, content: dict) -> "Findings":
        quaternion, joints, rate = (content[key] for key in ("quaternion", "joints", "frame_rate"))
        if quaternion:
            pairs = {key: ByOrder(**value) for key, value in quaternion.items() if isinstance(value, dict)}
            quaternion = QuaternionOrderFinding(**(quaternion | pairs))
        if joints:
            errors = tuple((str(label), float(meters)) for label, meters in joints["link_error_m"])
            joints = JointOrderFinding(**(joints | {"link_error_m": errors}))
        norm = content["quaternion_norm"]
        findings = cls(
            **{
                **content,
                "frame_rate": FrameRate(**rate) if rate else None,
                "joints": joints,
                "quaternion": quaternion,
                "quaternion_norm": (float(norm[0]), float(norm[1])) if norm else None,
                "repairs": tuple(RepairMade(**repair) for repair in content["repairs"]),
                "notes": tuple(map(str, content["notes"])),
            }
        )
        findings.sentence()  # a value of the wrong type cannot be formatted
        return findings


def flips(count: int) -> str:
    """Return the words for a number of sign flips."""
    return f"{count} sign flip{'s' if count > 1 else ''} of the quaternion"


def _centimeters(meters: ByOrder | None) -> ByOrder | None:
    return None if meters is None else ByOrder(meters.xyzw * 100, meters.wxyz * 100)
