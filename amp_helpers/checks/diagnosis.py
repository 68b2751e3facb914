"""Diagnosis of a clip that does not fit the body: each known mistake is corrected in turn, and the fit decides.

A mistake is likely when correcting it improves the fit clearly; the one that improves it most is the cause. So one
mistake gives one finding, and a correct clip, which no correction improves clearly, gives none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.checks.body_fit import BodyFit, BodyModel, ClipSample
from amp_helpers.formats.model_evidence import orders
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import OTHER_ORDER, Findings, JointOrderFinding
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import ROBOTS, Robot

SAMPLE_FRAMES = 450
"""Frames on which corrections are tried, about 15 s."""
_LIKELY_DROP, _LIKELY_RATIO = 1.0, 0.75
"""A mistake is likely when correcting it lowers the misfit by at least this drop and to at most this ratio."""
_CERTAIN_DROP, _CERTAIN_RATIO = 3.0, 0.5
"""A mistake is certain when correcting it lowers the physical misfit by at least this and to at most this ratio."""
_COMPARABLE_MISFIT = 0.3
_MAX_MISFIT_INCREASE = 1.5
_MIN_HEIGHT_GAIN_M = 0.01
_NEGLIGIBLE_EXCESS_RAD = 0.005


@dataclass(frozen=True)
class Mistake:
    """A mistake in a clip, and its correction."""

    check: str
    """Name of the check that reports it."""
    description: str
    """What was done wrong, as a clause: ``left and right joints are exchanged``."""
    correct: Callable[[Motion], Motion]
    """Return the motion without the mistake."""
    remedy: str
    """What the user does about it, one sentence."""
    missing_offsets: int = 0
    """How many times the correction adds the default pose; -1 where it subtracts it."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A mistake, and the fit of the clip after correcting it."""

    mistake: Mistake
    fit: BodyFit


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Fit of a clip as stored and after correcting each known mistake."""

    stored: BodyFit
    """Fit of the clip as stored."""
    trials: tuple[Trial, ...]
    """One for each known mistake."""
    moves: bool
    """Whether the clip moves. A single pose proves little, so the cause of a still clip has to be certain."""

    def best(self, check: str) -> Trial | None:
        """The best trial of a check; ``None`` when the check has no known mistake for this robot and clip."""
        trials = [trial for trial in self.trials if trial.mistake.check == check]
        # Bending the knees further steadies any clip, so the smallest offset that restores the limits is the right one.
        restoring = [trial for trial in trials if check == "default offset" and self._restores_limits(trial)]
        return restoring[0] if restoring else min(trials, key=_misfit, default=None)

    @property
    def cause(self) -> Trial | None:
        """The mistake to report; ``None`` for a clip that fits as stored."""
        best = (self.best(check) for check in dict.fromkeys(trial.mistake.check for trial in self.trials))
        believed = self._is_likely if self.moves else self._is_certain
        likely = [trial for trial in best if trial and believed(trial)]
        likely = [t for t in likely if t.mistake.check != "default offset" or self._restores_limits(t)]
        return min(likely, key=_misfit, default=None)

    @property
    def certain(self) -> bool:
        """Whether the cause is certain."""
        return self.cause is not None and self._is_certain(self.cause)

    @property
    def added_offset(self) -> Trial | None:
        """The trial that subtracts the default pose, where that is plausible; ``None`` elsewhere.

        It is plausible when every joint then stays within its limits, which a straight knee would not, and the feet
        come nearer to the ground.
        """
        trial = next((trial for trial in self.trials if trial.mistake.missing_offsets == -1), None)
        if trial is None or trial.fit.limit_excess_rad > _NEGLIGIBLE_EXCESS_RAD:
            return None
        if trial.fit.misfit > self.stored.misfit + _MAX_MISFIT_INCREASE:
            return None
        return trial if abs(self.stored.height_m) - abs(trial.fit.height_m) > _MIN_HEIGHT_GAIN_M else None

    @property
    def alternatives(self) -> list[Trial]:
        """Other mistakes whose correction fits nearly as well as that of the cause, the best first."""
        cause = self.cause
        if cause is None:
            return []
        others = [t for t in self.trials if t is not cause and t.mistake.check != "default offset"]
        return sorted((t for t in others if t.fit.misfit < cause.fit.misfit + _COMPARABLE_MISFIT), key=_misfit)

    def _is_likely(self, trial: Trial) -> bool:
        before, after = self.stored.misfit, trial.fit.misfit
        return before - after >= _LIKELY_DROP and after <= _LIKELY_RATIO * before

    def _is_certain(self, trial: Trial) -> bool:
        # Overlap alone does not make a sign certain: people crouch deeper than a robot's links allow.
        doubted = ("overlap_m",) if trial.mistake.check == "mirrored axes" else ()
        before, after = (fit.physical_misfit(doubted) for fit in (self.stored, trial.fit))
        return before - after >= _CERTAIN_DROP and after <= _CERTAIN_RATIO * before

    def _restores_limits(self, trial: Trial) -> bool:
        excess = self.stored.limit_excess_rad
        return self.stored.terms["limit_excess_rad"] > 1 and trial.fit.limit_excess_rad < 0.1 * excess


def _misfit(trial: Trial) -> float:
    return trial.fit.misfit


def diagnose(
    motion: Motion, body: BodyModel, env_joint_names: Sequence[str] | None = None, frames: int = SAMPLE_FRAMES
) -> Diagnosis:
    """Correct every known mistake on a sample of the clip and evaluate the fit.

    Args:
        motion: the clip; joints unknown to the robot are ignored.
        body: body model of the robot.
        env_joint_names: the environment's joint order, in which the columns may be although they are named otherwise.
        frames: number of frames of the sample.
    """
    sample = ClipSample.of(motion, frames)
    trials = [
        Trial(mistake, body.fit(sample, mistake.correct(sample.motion)))
        for mistake in known_mistakes(motion.joint_names, body, env_joint_names, motion.findings)
    ]
    moves = bool(sample.motion.joint_pos.std(axis=0).max() > 0.05)
    return Diagnosis(body.fit(sample), tuple(trials), moves)


def known_mistakes(
    names: tuple[str, ...],
    body: BodyModel,
    env_joint_names: Sequence[str] | None,
    findings: Findings,
) -> Iterator[Mistake]:
    """Yield every mistake that can be corrected in a clip with joints ``names`` (J) that was read with ``findings``."""
    yield from _quaternion_orders(findings.quaternion.order if findings.quaternion else None)
    yield from _column_orders(names, body.robot, env_joint_names, findings.joints)
    yield from _sides_and_signs(names, body)
    yield from _offsets(names, body.robot)


REORDERED = {"xyzw": [1, 2, 3, 0], "wxyz": [3, 0, 1, 2]}
"""Order that quaternions were read in -> columns that give them as if read in the other."""


def _quaternion_orders(read: str | None) -> Iterator[Mistake]:
    for wrong, columns in REORDERED.items():
        right = OTHER_ORDER[wrong]
        described, remedy = f"was read as {wrong} but is {right}", f"read the file with --quaternion {right}."
        if read == right:  # so the file itself was written from quaternions that were taken for the other order
            described = f"was taken for {wrong} by the program that wrote the file, but is {right}"
            remedy = "correct the quaternion where the file was written: no --quaternion order reads it."
        yield Mistake(
            "quaternion order",
            f"the root quaternion {described}",
            lambda motion, columns=columns: replace(motion, root_quat=motion.root_quat[:, columns]),
            remedy,
        )


def _column_orders(
    names: tuple[str, ...],
    robot: Robot,
    env_joint_names: Sequence[str] | None,
    reading: JointOrderFinding | None,
) -> Iterator[Mistake]:
    widths = {len(names), robot.num_joints, *(known.num_joints for known in ROBOTS.values())}
    every = [order for width in sorted(widths) for order in orders(width, robot)]
    known, options = {order.label: order.names for order in every}, {order.label: order.option for order in every}
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
            # Names in a file win, so no option reads it otherwise; and the environment's order has no name.
            readable = stored in options and not (reading is not None and reading.basis == "names")
            yield Mistake(
                "column order",
                f"the columns are in the order {stored} but named in the order {named}",
                lambda motion, meant=meant: replace(motion, joint_names=meant),
                f"name the columns in the order {stored} ({', '.join(there[:3])}, ...): "
                + (f"read the file with --joint_order {options[stored]}." if readable else "correct them in the file."),
            )


def _sides_and_signs(names: tuple[str, ...], body: BodyModel) -> Iterator[Mistake]:
    known = [name for name in names if name in body.robot.joint_names]
    pairs = {name: other for name, other in body.pairs.items() if name in known and other in known}
    swap = [names.index(pairs.get(name, name)) for name in names]
    mirror = np.array([body.mirror_signs.get(name, 1.0) for name in names], np.float32)
    if pairs:
        yield Mistake(
            "left and right",
            "left and right joints are exchanged",
            lambda motion: replace(motion, joint_pos=motion.joint_pos[:, swap]),
            "exchange the names of left and right joints where the file was written.",
        )
        yield Mistake(
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
        yield Mistake(
            "mirrored axes",
            f"{' and '.join(group)} {'has' if one else 'have'} the opposite sign",
            lambda motion, sign=sign: replace(motion, joint_pos=motion.joint_pos * sign),
            f"negate {' and '.join(group)}: {'its axis points' if one else 'their axes point'} the other way in "
            "the robot that the file was written for.",
        )


def _offsets(names: tuple[str, ...], robot: Robot) -> Iterator[Mistake]:
    known = [name for name in names if name in robot.joint_names]
    default = np.zeros(len(names), np.float32)
    columns = [names.index(name) for name in known]
    default[columns] = JointOrder(tuple(known)).reorder(robot.default_pose(), robot.joint_names)
    if np.abs(default).max(initial=0) < 0.1:
        return
    for times, description, back in (
        (1, "the default pose is already subtracted", "add the default pose back"),
        (2, "the default pose is subtracted twice", "add the default pose back twice"),
        (-1, "the default pose is added", "subtract the default pose"),
    ):
        yield Mistake(
            "default offset",
            description,
            lambda motion, times=times: replace(motion, joint_pos=motion.joint_pos + times * default),
            f"store absolute angles: {back}, since training subtracts it.",
            missing_offsets=times,
        )
