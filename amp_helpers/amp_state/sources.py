"""AMP states out of a running Isaac Lab environment, with the terminal frame right.

Isaac Lab returns the observation *after* a reset on the step that ends an episode. A window built from it would join
the fall of one episode to the start of the next, and the discriminator would learn to recognise resets. So the frame
is taken just before the reset, and the window starts anew after it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import ObservationTermCfg

from amp_helpers.amp_state.hooks import StepHooks
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder


class WindowSpec(Protocol):
    """What a source needs to know of an :class:`amp_helpers.amp_state.AmpState`."""

    @property
    def joint_names(self) -> tuple[str, ...]: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def stride(self) -> int: ...
    @property
    def span(self) -> int: ...
    @property
    def frame_dim(self) -> int: ...


class AmpSource(ABC):
    """Windows of AMP states of all environments, one call of :meth:`step` after each environment step."""

    caveats: Sequence[str] = ()
    """Sentences about how the frames differ from a dataset's."""

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv) -> None:
        self.state = state
        self._env = env
        self._terminal: torch.Tensor | None = None
        # A ring would save a copy of a few MB a step, at the price of a gather in every read.
        self._history = torch.zeros(env.num_envs, state.span + 1, state.frame_dim, device=env.device)
        self._age = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        self._hooks = StepHooks.of(env)
        self._hooks.before_reset.append(self._capture)

    @abstractmethod
    def frame(self) -> torch.Tensor:
        """The present frame of every environment, (E, frame_dim)."""

    def terminal_frame(self) -> torch.Tensor:
        """The frame of every environment while the simulator is still before a reset, (E, frame_dim)."""
        return self.frame()

    def detach(self) -> None:
        """Stop listening to the environment's resets."""
        self._hooks.before_reset.remove(self._capture)

    def restart(self) -> None:
        """Begin all windows with the present frame: call after ``env.reset()``."""
        self._history[:] = self.frame().unsqueeze(1)
        self._age.zero_()
        self._terminal = None

    def step(self, done: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows that end with the step just made.

        Args:
            done: (E,) bool, the environments that were reset in this step.

        Returns:
            windows (E, dim), and (E,) bool that says which are whole: a window younger than ``span`` steps still holds
            copies of its first frame, which no motion would produce, and neither earns nor teaches anything.
        """
        now = self.frame()
        newest = now if self._terminal is None else torch.where(done.unsqueeze(-1), self._terminal, now)
        self._terminal = None
        self._history = torch.cat((self._history[:, 1:], newest.unsqueeze(1)), dim=1)
        self._age += 1
        windows = self._history[:, :: self.state.stride].flatten(1)
        whole = self._age >= self.state.span
        self._history = torch.where(done.view(-1, 1, 1), now.unsqueeze(1), self._history)
        self._age.masked_fill_(done, 0)
        return windows, whole

    def _capture(self, env_ids: torch.Tensor) -> None:
        frame = self.terminal_frame()
        if self._terminal is None:
            self._terminal = frame  # whole: picking rows costs more launches than the rows that nobody reads
        else:  # reset twice within a step, as by a button of Isaac Lab's viewers
            self._terminal[env_ids] = frame[env_ids]


class SimulatorSource(AmpSource):
    """Frames from the articulation's own state: free of noise and history, joints found by name."""

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv) -> None:
        self._robot = env.scene["robot"]
        index = JointOrder(state.joint_names).indices_from(tuple(self._robot.joint_names))
        self._joints = torch.as_tensor(index, device=env.device)
        self._offset = self._robot.data.default_joint_pos.torch[:, self._joints].clone()
        super().__init__(state, env)

    def frame(self) -> torch.Tensor:
        data = self._robot.data
        parts = {
            "joint_pos": lambda: data.joint_pos.torch[:, self._joints] - self._offset,
            "joint_vel": lambda: data.joint_vel.torch[:, self._joints],
            "root_height": lambda: data.root_link_pos_w.torch[:, 2:3] - self._env.scene.env_origins[:, 2:3],
            "projected_gravity": lambda: data.projected_gravity_b.torch,
            "root_lin_vel": lambda: data.root_link_lin_vel_b.torch,
            "root_ang_vel": lambda: data.root_link_ang_vel_b.torch,
        }
        return torch.cat([parts[name]() for name in self.state.features], dim=-1)


@dataclass(frozen=True)
class ObservationTerm:
    """Where a term of a concatenated observation group lies, and what was done to it."""

    name: str
    function: str
    """Name of the function that computes it, which says what it is (``joint_pos_rel``, ``base_ang_vel``, ...)."""
    start: int
    stop: int
    history: int
    """Frames kept in the group, oldest first; 0 when only the present one is."""
    noise: str
    """The noise's configuration as text, empty when there is none."""
    joint_names: tuple[str, ...]
    """The joints of its columns in order; empty for a term that is not about joints."""
    asset: str = "robot"
    """The asset of the scene that it is about."""

    @property
    def newest(self) -> slice:
        """Columns of the present frame."""
        return slice(self.stop - (self.stop - self.start) // max(self.history, 1), self.stop)


# The function that computes a term says what the term is; its name in a configuration is the author's choice.
TERM_FUNCTIONS = {
    "joint_pos": ("joint_pos_rel", "joint_pos"),
    "joint_vel": ("joint_vel_rel", "joint_vel"),
    "root_height": ("base_pos_z",),
    "projected_gravity": ("projected_gravity",),
    "root_lin_vel": ("base_lin_vel",),
    "root_ang_vel": ("base_ang_vel",),
}


def observation_terms(env: ManagerBasedRLEnv, group: str = "policy") -> list[ObservationTerm]:
    """The layout of an observation group, as the observation manager has it.

    Raises:
        InputError: when there is no such group, or its terms are not concatenated into one vector.
    """
    manager = env.observation_manager
    if group not in manager.active_terms:
        raise InputError(f"observation group '{group}' not found; available: {', '.join(manager.active_terms)}")
    if not manager.group_obs_concatenate[group]:
        raise InputError(f"observation group '{group}' is a dictionary of terms; set concatenate_terms=True")
    groups = manager.cfg if isinstance(manager.cfg, dict) else vars(manager.cfg)
    corrupted = groups[group].enable_corruption
    terms, start = [], 0
    for name, dims, cfg in zip(
        manager.active_terms[group],
        manager.group_obs_term_dim[group],
        manager._group_obs_term_cfgs[group],
        strict=True,
    ):
        if len(dims) != 1:
            raise InputError(
                f"observation group '{group}' has a table of numbers in '{name}'; set flatten_history_dim=True, "
                "and keep images in a group of their own"
            )
        stop = start + dims[0]
        function = getattr(cfg.func, "__name__", type(cfg.func).__name__)
        names: tuple[str, ...] = ()
        asset = cfg.params.get("asset_cfg")
        if function.startswith("joint_"):
            robot = env.scene[asset.name if asset else "robot"]
            ids = asset.joint_ids if asset else slice(None)
            names = tuple(robot.joint_names[ids] if isinstance(ids, slice) else (robot.joint_names[i] for i in ids))
        noise = repr(cfg.noise) if corrupted and cfg.noise is not None else ""
        about = asset.name if asset else "robot"
        terms.append(ObservationTerm(name, function, start, stop, cfg.history_length or 0, noise, names, about))
        start = stop
    return terms


@dataclass(frozen=True)
class _Reader:
    """How one feature is read: from the group's columns, or from the term itself."""

    term: ObservationTermCfg
    pick: torch.Tensor
    """Columns of the term's own output, in the order of the state."""
    columns: torch.Tensor
    """The same ones in the group."""
    scale: torch.Tensor | float
    """What the group multiplied them by."""
    offset: torch.Tensor
    """What is still to be subtracted, rad."""


class ObservationSource(AmpSource):
    """Frames cut out of an observation group of an environment that stays as it is.

    What the group does to its terms comes along: :attr:`caveats` names the noise, by which the discriminator could tell
    it from the clean dataset, and the history, of which the newest frame is read.
    """

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv, group: str = "policy") -> None:
        terms = observation_terms(env, group)
        manager = env.observation_manager
        cfgs = dict(zip(manager.active_terms[group], manager._group_obs_term_cfgs[group], strict=True))
        self._group = group
        self._readers: list[_Reader] = []
        caveats: list[str] = []
        default = env.scene["robot"].data.default_joint_pos.torch[0]
        for feature in state.features:
            found = [t for t in terms if t.asset == "robot" and t.function in TERM_FUNCTIONS[feature]]
            # Legs and arms may be terms of their own: the one that has all the joints, or one to name those it lacks.
            found.sort(key=lambda t: len(set(state.joint_names) - set(t.joint_names)))
            term = next(iter(found), None)
            if term is None:
                raise InputError(
                    f"observation group '{group}' has no {feature}; add a term with "
                    f"mdp.{TERM_FUNCTIONS[feature][0]} or read the simulator's state instead; "
                    f"it has: {', '.join(t.name for t in terms)}"
                )
            cfg = cfgs[term.name]
            columns = torch.arange(term.newest.start, term.newest.stop, device=env.device)
            offset = torch.zeros(len(columns), device=env.device)
            if term.function == "joint_pos":  # absolute positions: the offset is still in
                robot_names = tuple(env.scene["robot"].joint_names)
                offset = default[torch.as_tensor(JointOrder(term.joint_names).indices_from(robot_names))]
            pick = torch.arange(len(columns), device=env.device)
            if term.joint_names:
                index = JointOrder(state.joint_names).indices_from(term.joint_names)
                pick = torch.as_tensor(index, device=env.device)
            scale = (
                1.0 if cfg.scale is None else torch.as_tensor(cfg.scale, device=env.device).expand(len(columns))[pick]
            )
            self._readers.append(_Reader(cfg, pick, columns[pick], scale, offset[pick]))
            if term.noise:
                caveats.append(f"{term.name} carries noise ({term.noise}); the dataset has none")
            if term.history > 1:
                caveats.append(f"{term.name} keeps {term.history} frames; the newest one is read")
        self.caveats = caveats
        super().__init__(state, env)

    def frame(self) -> torch.Tensor:
        values = self._env.obs_buf[self._group]
        return torch.cat([values[:, r.columns] / r.scale - r.offset for r in self._readers], dim=-1)

    def terminal_frame(self) -> torch.Tensor:
        # The group's buffers are renewed only after the reset, so the terms themselves are asked.
        parts = [r.term.func(self._env, **r.term.params)[:, r.pick] - r.offset for r in self._readers]
        return torch.cat(parts, dim=-1)
