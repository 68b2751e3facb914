"""Checks of a task: which articulation is judged, how it starts, which of its joints move, what commands it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.checks.table import Outcome, fail, ok, warn
from amp_helpers.motion.rotations import projected_gravity

if TYPE_CHECKING:  # reading the facts loads torch and Isaac Lab
    from amp_helpers.checks.task_facts import TaskFacts

TURNED_DEG = 60.0
"""A start that is further from every frame of the clips is another way of lying or standing; stumbling is not."""

SUNK_M = 0.03
"""A robot that starts deeper in the ground is thrown out of it."""
DROP_M = 0.15
"""A robot that starts higher lands at more than 1.7 m/s; a few centimeters are the margin of many tasks."""


def robot_asset(facts: "TaskFacts") -> Outcome:
    """Check that the chosen articulation is the one that has the dataset's joints."""
    wanted = {name for clip in facts.clips for name in clip.joint_names}
    shared = {name: len(wanted.intersection(joints)) for name, joints in facts.articulations.items()}
    evidence = f"'{facts.robot}' has {shared[facts.robot]} of the dataset's {len(wanted)} joints"
    best = max(shared, key=lambda name: shared[name])
    if shared[best] > shared[facts.robot]:
        return fail(f"{evidence}, '{best}' has {shared[best]}", f"name the robot with --asset {best}.")
    return ok(evidence)


def upright_start(facts: "TaskFacts") -> Outcome:
    """Compare the root's orientation at the start of an episode with those in the clips, yaw left out."""
    angle = min(_angles(facts, facts.start_gravity))
    evidence = (
        f"gravity is ({', '.join(f'{value:+.2f}' for value in facts.start_gravity)}) in the root frame at the start of "
        f"an episode, {angle:.0f} degrees from the nearest frame of the clips"
    )
    if angle < TURNED_DEG:
        return ok(evidence, angle_deg=angle)
    w, x, y, z = facts.start_rotation
    turned = (x, y, z, w)
    if _start_angle(facts, turned) < TURNED_DEG <= _start_angle(facts, facts.start_rotation):
        numbers = ", ".join(f"{value:g}" for value in turned)
        remedy = f"init_state.rot is x, y, z, w in Isaac Lab 3 (2.x: w, x, y, z): set it to ({numbers})."
        return fail(evidence, remedy, angle_deg=angle)
    remedy = "correct init_state.rot (x, y, z, w) or the event that resets the root, or the clips' root rotation."
    return fail(evidence, remedy, angle_deg=angle)


def start_height(facts: "TaskFacts") -> Outcome:
    """Compare the robot's lowest point at the start of an episode with the ground, at the environment's origin."""
    if facts.clearance_m is None:
        return ok("not checked: no model of this robot with a free root is known; --robot names one")
    above = facts.clearance_m
    evidence = f"the robot's lowest point is {above * 100:+.1f} cm from the ground at the start of an episode"
    remedy = (
        f"set z of init_state.pos to {facts.start_height_m - above:.3f} (it is {facts.start_height_m:g}), or correct "
        "the event that resets the root."
    )
    if above < -SUNK_M:
        return fail(evidence, remedy, clearance_m=above)
    return warn(evidence, remedy, clearance_m=above) if above > DROP_M else ok(evidence, clearance_m=above)


def driven_joints(facts: "TaskFacts") -> Outcome:
    """Look for joints that the discriminator judges and no action drives: the policy cannot move them as the clip."""
    if facts.driven is None:
        return ok("not checked: an action does not say which joints it drives")
    idle = [name for name in facts.judged if name not in facts.driven]
    evidence = f"actions drive {len(facts.judged) - len(idle)} of the {len(facts.judged)} joints that are judged"
    if not idle:
        return ok(evidence)
    return warn(
        f"{evidence}; the discriminator recognizes the policy by {', '.join(idle)}",
        f"leave them out with --drop_joints still {' '.join(idle)}, or add an action that drives them.",
    )


def actuators(facts: "TaskFacts") -> Outcome:
    """Look for joints that an action drives or the discriminator judges, and that no actuator moves.

    Isaac Lab accepts an action for such a joint, and nothing comes of it.
    """
    wanted = dict.fromkeys((*facts.judged, *sorted(facts.driven or ())))
    limp = [name for name in wanted if name not in facts.with_actuator]
    evidence = f"{len(wanted) - len(limp)} of the {len(wanted)} joints that are driven or judged have an actuator"
    if not limp:
        return ok(evidence)
    return fail(
        f"{evidence}; nothing moves {', '.join(limp)}",
        f"add them to joint_names_expr of an actuator of '{facts.robot}', or leave them out of the actions and with "
        f"--drop_joints still {' '.join(limp)}.",
    )


def velocity_command(facts: "TaskFacts") -> Outcome:
    """List the commands: which one evaluation sets, and which it leaves to the task."""
    if facts.velocity_commands:
        evidence = f"evaluation sets {_quoted(facts.velocity_commands)}"
    else:
        evidence = "no velocity command; evaluation measures the task as it is"
    if not facts.other_commands:
        return ok(evidence)
    others = ", ".join(f"'{name}' ({kind})" for name, kind in facts.other_commands.items())
    return warn(
        f"{evidence}; drawn at random while measuring: {others}",
        "measure what the policy does with such a command by a metric of your own.",
    )


def reference_states(facts: "TaskFacts") -> Outcome:
    """Tell whether episodes can start in reference states; an event's name does not decide it, its class does."""
    if facts.has_reference_event:
        return ok("episodes can start in reference states")
    if not facts.called_reference:
        return ok("the task has its own resets; episodes do not start in reference states")
    return warn(
        f"event 'reference' is {facts.called_reference}, which takes no dataset: episodes do not start in reference "
        "states",
        "nothing to do if that is meant; otherwise add an event with func=amp_helpers.env.mdp.reset_robot.",
    )


def _angles(facts: "TaskFacts", gravity: np.ndarray) -> list[float]:
    """Smallest angle between ``gravity`` and that of each clip's frames, degrees."""
    cosines = [(clip.projected_gravity @ gravity).max() for clip in facts.clips]
    return np.degrees(np.arccos(np.clip(cosines, -1, 1))).tolist()


def _start_angle(facts: "TaskFacts", rotation: tuple[float, ...]) -> float:
    """Angle of a root rotation, (4,) xyzw, to the nearest frame of the clips, degrees; yaw left out."""
    return min(_angles(facts, projected_gravity(np.array(rotation))))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
