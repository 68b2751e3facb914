"""What a task does with its robot, read from an open environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils.math import quat_apply_inverse

from amp_helpers.amp_state.asset import robot_name, scene_robot
from amp_helpers.env.measuring import function_name, other_commands, reference_event, terms, velocity_commands
from amp_helpers.motion.motion import Motion


@dataclass(frozen=True, eq=False)
class TaskFacts:
    """A task beside the clips that its robot shall imitate."""

    clips: Sequence[Motion]
    judged: Sequence[str]
    """Joints that the discriminator sees."""
    robot: str
    """The robot's name in the scene."""
    articulations: Mapping[str, Sequence[str]]
    """Name of each articulation of the scene -> its joints."""
    start_gravity: np.ndarray
    """Unit gravity in the root frame at the start of an episode, (3,)."""
    start_rotation: tuple[float, ...]
    """``init_state.rot`` of the robot, (4,) xyzw."""
    driven: frozenset[str] | None
    """Joints that actions drive; ``None`` where an action does not say which."""
    with_actuator: frozenset[str]
    """Joints of the robot that an actuator moves."""
    velocity_commands: Sequence[str]
    other_commands: Mapping[str, str]
    """Name of each command of another kind -> its kind."""
    has_reference_event: bool
    called_reference: str
    """Function of an event that is called ``reference`` but is not this project's; empty where there is none."""


def read_task(env: ManagerBasedRLEnv, clips: Sequence[Motion], judged: Sequence[str], *, reset: bool) -> TaskFacts:
    """Read the facts of an open environment.

    Args:
        env: open environment.
        clips: the clips to imitate.
        judged: joints that the discriminator sees.
        reset: reset the environment, and take the start from there instead of from the robot's default state.
    """
    cfg: Any = env.cfg
    robot = scene_robot(env)
    if reset:
        env.reset()
        gravity = robot.data.projected_gravity_b.torch[0]
    else:
        gravity = quat_apply_inverse(robot.data.default_root_pose.torch[:1, 3:], robot.data.GRAVITY_VEC_W.torch[:1])[0]
    called = dict(terms(cfg.events)).get("reference")
    ours = reference_event(cfg)
    return TaskFacts(
        clips=clips,
        judged=judged,
        robot=robot_name(env),
        articulations={name: tuple(asset.joint_names) for name, asset in env.scene.articulations.items()},
        start_gravity=gravity.cpu().numpy().astype(float),
        start_rotation=tuple(map(float, getattr(cfg.scene, robot_name(env)).init_state.rot)),
        driven=_driven(env),
        with_actuator=_with_actuator(robot),
        velocity_commands=[name for name, _ in velocity_commands(cfg)],
        other_commands=other_commands(cfg),
        has_reference_event=ours is not None,
        called_reference="" if called is None or called is ours else function_name(called.func),
    )


def _driven(env: ManagerBasedRLEnv) -> frozenset[str] | None:
    """Joints of the robot that the task's actions drive."""
    found: set[str] = set()
    for name in env.action_manager.active_terms:
        term: Any = env.action_manager.get_term(name)
        if term.cfg.asset_name != robot_name(env):
            continue
        joints = getattr(term, "_joint_names", None)  # Isaac Lab has no public name for it in every joint action
        if joints is None:
            return None
        found.update(joints)
    return frozenset(found)


def _with_actuator(robot: Any) -> frozenset[str]:
    """Joints of an articulation that one of its actuators moves."""
    groups = (robot.find_joints(cfg.joint_names_expr)[1] for cfg in robot.cfg.actuators.values())
    return frozenset(name for names in groups for name in names)
