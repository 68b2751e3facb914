"""The layout of an observation group, in which a term is recognized by the function that computes it."""

from dataclasses import dataclass
from typing import Any

from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import ObservationGroupCfg, ObservationTermCfg

from amp_helpers.amp_state.terms import function_name
from amp_helpers.errors import InputError


@dataclass(frozen=True)
class ObservationTerm:
    """Position and processing of a term in a concatenated observation group."""

    name: str
    function: str
    """Name of the function that computes the term, such as ``joint_pos_rel`` or ``base_ang_vel``."""
    start: int
    stop: int
    history: int
    """Frames in the group, oldest first; 0 without a history."""
    noise: str
    """The noise's configuration as text; empty without noise."""
    joint_names: tuple[str, ...]
    """Joint of each column; empty for a term that is not about joints."""
    asset: str = "robot"
    """Asset of the scene that the term describes."""

    @property
    def frames(self) -> int:
        """Frames in the group, the present one included."""
        return max(self.history, 1)

    @property
    def width(self) -> int:
        """Columns of one frame."""
        return (self.stop - self.start) // self.frames

    @property
    def newest(self) -> slice:
        """Columns of the newest frame."""
        return slice(self.stop - self.width, self.stop)


TERM_FUNCTIONS = {
    "joint_pos": ("joint_pos_rel", "joint_pos"),
    "joint_vel": ("joint_vel_rel", "joint_vel"),
    "root_height": ("base_pos_z",),
    "projected_gravity": ("projected_gravity",),
    "root_lin_vel": ("base_lin_vel",),
    "root_ang_vel": ("base_ang_vel",),
}
"""Feature: Isaac Lab's functions that compute it. A term is recognized by its function, because its name is free."""


def observation_terms(env: ManagerBasedRLEnv, group: str = "policy") -> list[ObservationTerm]:
    """Return the layout of an observation group, as the observation manager resolved it.

    Raises:
        InputError: the group does not exist, or its terms are not concatenated into one vector.
    """
    manager = env.observation_manager
    if group not in manager.active_terms:
        raise InputError(f"observation group '{group}' not found; available: {', '.join(manager.active_terms)}")
    if not manager.group_obs_concatenate[group]:
        raise InputError(f"observation group '{group}' is a dictionary of terms; set concatenate_terms=True")
    corrupted = _group_cfg(env, group).enable_corruption
    terms, start = [], 0
    for (name, cfg), dims in zip(term_cfgs(env, group).items(), manager.group_obs_term_dim[group], strict=True):
        if len(dims) != 1:
            raise InputError(
                f"observation group '{group}' has a table of numbers in '{name}'; set flatten_history_dim=True, "
                "and keep images in a group of their own"
            )
        stop = start + dims[0]
        function = function_name(cfg.func)
        names: tuple[str, ...] = ()
        asset: Any = cfg.params.get("asset_cfg")
        if function.startswith("joint_"):
            robot = env.scene[asset.name if asset else "robot"]
            ids = asset.joint_ids if asset else slice(None)
            names = tuple(robot.joint_names[ids] if isinstance(ids, slice) else (robot.joint_names[i] for i in ids))
        noise = repr(cfg.noise) if corrupted and cfg.noise is not None else ""
        asset_name = asset.name if asset else "robot"
        terms.append(ObservationTerm(name, function, start, stop, cfg.history_length or 0, noise, names, asset_name))
        start = stop
    return terms


def term_cfgs(env: ManagerBasedRLEnv, group: str) -> dict[str, ObservationTermCfg]:
    """Return the terms of a group by name, with the functions and joint indices that the manager resolved."""
    # The manager resolves terms in place, in its own copy of the configuration, ``manager.cfg``.
    return {name: getattr(_group_cfg(env, group), name) for name in env.observation_manager.active_terms[group]}


def _group_cfg(env: ManagerBasedRLEnv, group: str) -> ObservationGroupCfg:
    cfg: Any = env.observation_manager.cfg
    return (cfg if isinstance(cfg, dict) else vars(cfg))[group]
