"""Which articulation of a scene is the robot: the one called ``robot``, the only one, or the one named with --asset."""

import difflib
from collections.abc import Sequence
from typing import Any

from isaaclab.assets import ArticulationCfg
from isaaclab.envs import ManagerBasedEnv

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


def _listed(asset: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(asset, names, n=1)
    hint = f" (do you mean '{close[0]}'?)" if close else ""
    return f"{hint}; its articulations: {', '.join(names) or 'none'}"
