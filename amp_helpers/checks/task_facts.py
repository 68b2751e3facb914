"""What a task does with its robot, read from an open environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.utils.math import quat_apply_inverse

from amp_helpers.amp_state.asset import robot_name, scene_robot
from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.amp_state.terms import function_name, terms
from amp_helpers.env.command_range import other_commands
from amp_helpers.env.measuring import reference_event
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot


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
    start_height_m: float
    """z of ``init_state.pos`` of the robot."""
    clearance_m: float | None
    """Height of the robot's lowest point above the environment's origin at the start of an episode; negative below it.
    ``None`` where the model of the robot is not known."""
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


def read_task(
    env: ManagerBasedRLEnv, clips: Sequence[Motion], judged: Sequence[str], model: Robot | None, *, reset: bool
) -> TaskFacts:
    """Read the facts of an open environment.

    Args:
        env: open environment.
        clips: the clips to imitate.
        judged: joints that the discriminator sees.
        model: the robot, if it is known.
        reset: reset the environment, and take the start from there instead of from the robot's default state.
    """
    cfg: Any = env.cfg
    robot = scene_robot(env)
    if reset:
        env.reset()
        gravity = robot.data.projected_gravity_b.torch[0]
    else:
        gravity = quat_apply_inverse(robot.data.default_root_pose.torch[:1, 3:], robot.data.GRAVITY_VEC_W.torch[:1])[0]
    init = getattr(cfg.scene, robot_name(env)).init_state
    called = dict(terms(cfg.events)).get("reference")
    ours = reference_event(cfg)
    return TaskFacts(
        clips=clips,
        judged=judged,
        robot=robot_name(env),
        articulations={name: tuple(asset.joint_names) for name, asset in env.scene.articulations.items()},
        start_gravity=gravity.cpu().numpy().astype(float),
        start_rotation=tuple(map(float, init.rot)),
        start_height_m=float(init.pos[2]),
        clearance_m=_clearance(env, model, reset) if model else None,
        driven=_driven(env),
        with_actuator=_with_actuator(robot),
        velocity_commands=[name for name, _ in velocity_commands(cfg)],
        other_commands=other_commands(cfg),
        has_reference_event=ours is not None,
        called_reference="" if called is None or called is ours else function_name(called.func),
    )


def _clearance(env: ManagerBasedRLEnv, model: Robot, reset: bool) -> float | None:
    """Height of the lowest point of a robot that starts, m; None where the model is another's or has no shapes."""
    robot = scene_robot(env)
    kinematics = Kinematics(model)
    missing = set(model.joint_names) - set(robot.joint_names)
    if missing or robot.is_fixed_base or kinematics.body_names[0] != robot.body_names[0]:
        return None
    data = robot.data
    root = (data.root_link_pose_w if reset else data.default_root_pose).torch[:1].cpu().numpy().astype(float)
    joints = (data.joint_pos if reset else data.default_joint_pos).torch[:1].cpu().numpy()
    start = Motion(
        fps=1.0,
        joint_names=tuple(robot.joint_names),
        joint_pos=joints,
        root_pos=root[:, :3],
        root_quat=root[:, 3:],
    ).select(model.joint_names)
    lowest = kinematics.lowest_heights(start)
    if lowest is None:
        return None
    return float(lowest[0]) - (float(env.scene.env_origins[0, 2]) if reset else 0.0)


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
