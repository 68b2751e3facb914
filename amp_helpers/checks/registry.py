"""Registry of the preflight checks.

To add a check, write a function in the module of its subject, register it here, and add its row to
``docs/preflight.md``. A check function takes its subject and returns an outcome, made by ``ok``, ``warn`` or ``fail``
of :mod:`amp_helpers.checks.table`, or None where it does not apply.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from amp_helpers.checks import causes, dataset, environment, ground, motion, odd_signs, run, task
from amp_helpers.checks.table import CheckResult, CheckTable, Outcome


@dataclass(frozen=True)
class Check:
    """A preflight check."""

    name: str
    """Name in tables."""
    question: str
    """What it answers, one line."""
    severity: Literal["warn", "fail"]
    """The worst verdict that it gives."""
    function: Callable[[Any], Outcome | None]
    """The check; its argument is the subject of its group below."""
    unless_failed: tuple[str, ...] = ()
    """Checks whose failure makes this one redundant, so that it is skipped."""


# A body assembled wrongly has its feet in the ground, which would report the same cause again.
_ASSEMBLY = ("quaternion order", "column order", "left and right", "mirrored axes", "default offset")

MOTION_CHECKS = (
    Check("joint set", "does the clip have every joint of the robot?", "fail", motion.joint_set),
    Check("units", "are angles in radians?", "fail", motion.units),
    Check("quaternion norm", "were root quaternions of unit length?", "warn", motion.quaternion_norm),
    Check("frame rate", "is the frame rate plausible, and the clip at least a stride long?", "warn", motion.frame_rate),
    Check("repeated frames", "did the recorder repeat frames?", "warn", motion.repeated_frames),
    Check("missing frames", "did the recorder lose frames?", "warn", motion.missing_frames),
    Check("joint limits", "are all poses within the robot's joint limits?", "fail", motion.joint_limits),
    Check("joint speed", "are there joint speeds or spikes beyond any motor?", "fail", motion.joint_speed),
    Check("root jumps", "does the root jump?", "fail", motion.root_jumps),
    Check("movement", "does any joint move?", "warn", motion.movement),
    Check("loop seam", "can the clip be looped, and were takes joined without a transition?", "warn", motion.loop_seam),
    Check(
        "quaternion order",
        "is the root upright, and do the feet agree with its heading?",
        "fail",
        causes.quaternion_order,
    ),
    Check("column order", "do the columns hold the joints they are named for?", "fail", causes.column_order),
    Check("left and right", "are the sides exchanged, or mirrored without the root?", "fail", causes.left_and_right),
    Check("mirrored axes", "does a joint have the opposite sign?", "fail", causes.mirrored_axes),
    Check(
        "default offset",
        "are angles absolute, or was the default pose subtracted or added?",
        "fail",
        causes.default_offset,
    ),
    Check("ground height", "is the ground at height 0?", "fail", ground.ground_height, _ASSEMBLY),
    Check("foot penetration", "do the feet sink into the ground?", "warn", ground.foot_penetration, _ASSEMBLY),
    Check("foot skate", "do standing feet slide?", "warn", ground.foot_skate, _ASSEMBLY),
)
"""Checks of a :class:`amp_helpers.checks.checked_motion.CheckedMotion`."""

DATASET_CHECKS = (
    Check("control step", "are the states of a pair one control step apart?", "fail", dataset.control_step),
    Check("joint order", "does the environment have these joints, and in which order?", "fail", dataset.joint_order),
    Check("odd signs", "does a joint move against clips like its own?", "warn", odd_signs.odd_signs),
    Check("offset sign", "does a default angle have the wrong sign?", "fail", dataset.offset_sign),
    Check("default pose", "is the environment's default pose the robot's?", "warn", dataset.default_pose),
)
"""Checks of a :class:`amp_helpers.checks.dataset.CheckedDataset`, in addition to those of its motions."""

ENVIRONMENT_CHECKS = (
    Check(
        "feature columns",
        "do dataset and environment give the same AMP columns?",
        "fail",
        environment.feature_columns,
    ),
    Check(
        "observation noise",
        "do AMP states carry noise that the dataset lacks?",
        "warn",
        environment.observation_noise,
    ),
    Check(
        "observation history",
        "do AMP states hold the newest frame of a history?",
        "fail",
        environment.observation_history,
    ),
    Check("terminal frames", "are terminal frames taken before the reset?", "fail", environment.terminal_frames),
)
"""Checks of a :class:`amp_helpers.checks.environment_probe.EnvironmentProbe`."""

TASK_CHECKS = (
    Check("robot asset", "is the articulation that is judged the one with these joints?", "fail", task.robot_asset),
    Check("upright start", "do episodes start in an orientation that the clips have?", "fail", task.upright_start),
    Check(
        "start height",
        "do episodes start on the ground, not in it or far above it?",
        "fail",
        task.start_height,
        ("robot asset", "upright start"),
    ),
    Check("driven joints", "does an action drive every joint that is judged?", "warn", task.driven_joints),
    Check("actuators", "does an actuator move every joint that is driven or judged?", "fail", task.actuators),
    Check("velocity command", "which commands does evaluation set?", "warn", task.velocity_command),
    Check(
        "reference states", "is an event called reference the one that takes a dataset?", "warn", task.reference_states
    ),
)
"""Checks of a :class:`amp_helpers.checks.task_facts.TaskFacts`."""

RUN_CHECKS = (
    Check("reward shares", "does one reward dominate the other?", "warn", run.reward_shares),
    Check("discriminator", "is the discriminator neither saturated nor fooled?", "fail", run.discriminator),
)
"""Checks of a :class:`amp_helpers.checks.run.CheckedRun`."""

CHECKS: dict[str, Check] = {
    check.name: check for check in (*MOTION_CHECKS, *DATASET_CHECKS, *ENVIRONMENT_CHECKS, *TASK_CHECKS, *RUN_CHECKS)
}
"""All checks by name."""


def run_checks(checks: Iterable[Check], subject: object) -> CheckTable:
    """Run checks on their subject, in order, and collect the results of those that apply."""
    table = CheckTable()
    failed: set[str] = set()
    for check in checks:
        outcome = None if failed.intersection(check.unless_failed) else check.function(subject)
        if outcome is None:
            continue
        table.append(CheckResult(check.name, outcome.verdict, outcome.evidence, outcome.remedy, outcome.values))
        if outcome.verdict == "fail":
            failed.add(check.name)
    return table
