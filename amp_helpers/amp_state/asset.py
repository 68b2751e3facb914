"""Which articulation of a scene is the robot: the one called ``robot``, the only one, or the one named with --asset.

Also the velocity of its root, which Isaac Lab does not give alike on all physics.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.assets import ArticulationCfg
from isaaclab.envs import ManagerBasedEnv
from isaaclab.utils.math import quat_apply_inverse

from amp_helpers.errors import InputError

_FIELD = "amp_asset"
"""Where :func:`name_robot` leaves the name in the environment's configuration."""


def name_robot(cfg: Any, asset: str | None = None, task: str = "") -> str:
    """Choose the articulation that is the robot, and record its name in the environment's configuration.

    Args:
        cfg: configuration of a manager-based environment.
        asset: its name in the scene; ``None`` for ``robot``, or the only articulation where none has this name.
        task: the task's name, for messages.

    Returns:
        Its name in the scene.

    Raises:
        InputError: the scene has no such articulation, or several and none is called ``robot``.
    """
    names = [name for name, term in vars(cfg.scene).items() if isinstance(term, ArticulationCfg)]
    if asset is not None and asset not in names:
        raise InputError(f"task '{task}' has no articulation '{asset}'{_listed(asset, names)}")
    if asset is None and "robot" not in names and len(names) != 1:
        raise InputError(f"task '{task}' has no articulation 'robot'; name yours with --asset{_listed('', names)}")
    chosen = asset or ("robot" if "robot" in names else names[0])
    setattr(cfg, _FIELD, chosen)
    return chosen


def robot_name(env: ManagerBasedEnv) -> str:
    """Name of the robot in an environment's scene, as :func:`name_robot` chose it."""
    return getattr(env.cfg, _FIELD, "robot")


def scene_robot(env: ManagerBasedEnv) -> Any:
    """Return the robot's articulation of an open environment."""
    return env.scene[robot_name(env)]


def root_lin_vel_w(robot: Any) -> torch.Tensor:
    """Velocity of the root link of an articulation in the world frame, (E, 3) m/s.

    On ovphysx, ``root_link_vel_w`` of Isaac Lab 3.0.0 is the velocity of the root's center of mass; that of the first
    body is right.
    """
    if robot.__backend_name__ == "ovphysx":
        return robot.data.body_link_vel_w.torch[:, 0, :3]
    return robot.data.root_link_lin_vel_w.torch


def root_lin_vel_b(robot: Any) -> torch.Tensor:
    """Velocity of the root link of an articulation in its own frame, (E, 3) m/s; see :func:`root_lin_vel_w`."""
    if robot.__backend_name__ == "ovphysx":
        return quat_apply_inverse(robot.data.root_link_quat_w.torch, root_lin_vel_w(robot))
    return robot.data.root_link_lin_vel_b.torch


def _listed(asset: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(asset, names, n=1)
    hint = f" (do you mean '{close[0]}'?)" if close else ""
    return f"{hint}; its articulations: {', '.join(names) or 'none'}"
