"""The left-right mirror image of a task's observations and actions, from the robot's own axes.

A reflection in the robot's x-z plane keeps the forward and upward components of a vector and negates the sideways one;
of a pseudovector, such as an angular velocity, it keeps the sideways component and negates the others. Joints change
places with their counterparts, with the signs of :func:`amp_helpers.robots.symmetry.mirror_joints`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.agent.networks import Mirror
from amp_helpers.amp_state.observation_group import ObservationTerm, observation_terms
from amp_helpers.env.env_facts import default_pose
from amp_helpers.errors import InputError
from amp_helpers.robots.model_file import bare_model
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.symmetry import mirror_joints

_VECTOR, _PSEUDOVECTOR = (1.0, -1.0, 1.0), (-1.0, 1.0, -1.0)
_SIGNS = {
    "base_pos_z": (1.0,),
    "base_lin_vel": _VECTOR,
    "projected_gravity": _VECTOR,
    "base_ang_vel": _PSEUDOVECTOR,
    "generated_commands": (1.0, -1.0, -1.0),  # forward, left, yaw
    "steered_commands": (1.0, -1.0, -1.0),
    "gait_clock": (-1.0, -1.0),  # half a stride on
}
"""Signs of the components of a term, by the name of its function."""
_SYMMETRIC_RAD = 1e-3
_Pairs = Mapping[str, tuple[str, float]]
"""Joint -> its counterpart and its sign."""


def policy_mirrors(env: ManagerBasedRLEnv, robot: Robot) -> tuple[Mirror, Mirror]:
    """Return the mirror images of the ``policy`` group and of the actions.

    Args:
        env: an open environment.
        robot: the model of its robot, whose joint axes tell the signs.

    Raises:
        InputError: an observation term, a joint or the default pose has no mirror image.
    """
    pairs = mirror_joints(bare_model(robot.mjcf_path))
    actions = [
        name
        for term in env.action_manager.active_terms
        for name in _action_joints(term, env.action_manager.get_term(term))
    ]
    _check_pose(default_pose(env), pairs)
    columns: list[int] = []
    factors: list[float] = []
    for term in observation_terms(env):
        index, sign = _term_mirror(term, pairs, actions)
        for frame in range(term.frames):
            columns += [term.start + frame * len(index) + column for column in index]
            factors += sign
    return Mirror(columns, factors), Mirror(*_joint_mirror(actions, pairs, "the actions"))


def _term_mirror(term: ObservationTerm, pairs: _Pairs, actions: Sequence[str]) -> tuple[list[int], list[float]]:
    """Return index and sign of each column of one frame of a term."""
    if term.joint_names:
        return _joint_mirror(term.joint_names, pairs, f"observation '{term.name}'")
    if term.function == "last_action":
        return _joint_mirror(actions, pairs, f"observation '{term.name}'")
    found = _SIGNS.get(term.function)
    if found is None or len(found) != term.width:
        raise InputError(
            f"observation '{term.name}': the mirror image of {term.function} is not known; train with --no_symmetry, "
            f"or use terms of joints, actions or: {', '.join(_SIGNS)}"
        )
    return list(range(term.width)), list(found)


def _joint_mirror(names: Sequence[str], pairs: _Pairs, what: str) -> tuple[list[int], list[float]]:
    names = list(names)
    lonely = [name for name in names if name not in pairs or pairs[name][0] not in names]
    if lonely:
        raise InputError(
            f"{what}: {', '.join(lonely)} has no counterpart on the robot's other side; train with --no_symmetry"
        )
    return [names.index(pairs[name][0]) for name in names], [pairs[name][1] for name in names]


def _action_joints(name: str, term: Any) -> Sequence[str]:
    joints = getattr(term.IO_descriptor, "joint_names", None)
    if not joints:
        raise InputError(f"action '{name}' does not drive joints, so its mirror image is not known; use --no_symmetry")
    return joints


def _check_pose(default: Mapping[str, float], pairs: _Pairs) -> None:
    """Refuse a default pose that differs from its mirror image: offsets from it would have none."""
    if unknown := [name for name in default if name not in pairs]:
        raise InputError(
            f"{', '.join(unknown)}: joints of the task that the robot to mirror it by lacks; "
            "name the task's robot with --robot, or train with --no_symmetry"
        )
    for name, value in default.items():
        other, sign = pairs[name]
        image = default.get(other, np.nan) * sign
        if not abs(image - value) <= _SYMMETRIC_RAD:
            raise InputError(
                f"joint '{name}' is at {value:.3f} rad in the default pose and its counterpart's mirror image at "
                f"{image:.3f}; make the default pose symmetric, or train with --no_symmetry"
            )
