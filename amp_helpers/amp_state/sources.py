"""AMP states from a running Isaac Lab environment, with the terminal frame of each episode.

On the step that ends an episode, Isaac Lab returns the observation *after* the reset. A window built from it would join
a fall to the start of the next episode, and the discriminator would learn to recognize resets. Therefore the last
frame is taken just before the reset, and the window is refilled after it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import ObservationTermCfg

from amp_helpers.amp_state.asset import robot_name, root_lin_vel_b, scene_robot
from amp_helpers.amp_state.commands import velocity_command
from amp_helpers.amp_state.hooks import EnvIds, StepHooks
from amp_helpers.amp_state.observation_group import TERM_FUNCTIONS, observation_terms, term_cfgs
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder


class WindowSpec(Protocol):
    """The part of :class:`amp_helpers.amp_state.AmpState` that a source reads."""

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
    @property
    def command(self) -> bool: ...


class AmpSource(ABC):
    """AMP windows of all environments; call :meth:`step` after each environment step."""

    caveats: Sequence[str] = ()
    """Differences between these frames and a dataset's, a sentence each."""

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv) -> None:
        self.state = state
        self._env = env
        self._terminal: torch.Tensor | None = None
        # A ring buffer would save copying a few MB per step, but every read would need a gather.
        self._history = torch.zeros(env.num_envs, state.span + 1, state.frame_dim, device=env.device)
        self._age = torch.zeros(env.num_envs, dtype=torch.long, device=env.device)
        self._command = torch.zeros(env.num_envs, 2, device=env.device)
        hooks = StepHooks.of(env)
        hooks.before_reset.append(self._capture)
        if state.command:
            velocity_command(env)  # reports a task without one, or with several
            hooks.after_physics.append(self._capture_command)

    @abstractmethod
    def frame(self) -> torch.Tensor:
        """Return the current frame of every environment, (E, frame_dim)."""

    def terminal_frame(self) -> torch.Tensor:
        """Return the frame of every environment just before a reset, (E, frame_dim)."""
        return self.frame()

    def detach(self) -> None:
        """Stop listening to the environment's resets."""
        hooks = StepHooks.of(self._env)
        hooks.before_reset.remove(self._capture)
        if self.state.command:
            hooks.after_physics.remove(self._capture_command)

    def restart(self) -> None:
        """Fill all windows with the current frame; call after ``env.reset()``."""
        self._history[:] = self.frame().unsqueeze(1)
        self._age.zero_()
        self._terminal = None

    def step(self, done: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the windows that end with the latest environment step.

        Args:
            done: (E,) bool, environments that were reset in this step.

        Returns:
            Windows (E, dim), and a mask (E,) bool of the complete ones. For ``span`` steps after a reset a window still
            holds copies of its first frame, which no motion produces; it is not used for rewards or training.
        """
        now = self.frame()
        newest = now if self._terminal is None else torch.where(done.unsqueeze(-1), self._terminal, now)
        self._terminal = None
        self._history = torch.cat((self._history[:, 1:], newest.unsqueeze(1)), dim=1)
        self._age += 1
        windows = self._history[:, :: self.state.stride].flatten(1)
        if self.state.command:
            windows = torch.cat((windows, self._command), dim=1)
        complete = self._age >= self.state.span
        self._history = torch.where(done.view(-1, 1, 1), now.unsqueeze(1), self._history)
        self._age.masked_fill_(done, 0)
        return windows, complete

    def _capture_command(self) -> None:
        # Before the end of the step, which may draw new commands: this is the one that the action was chosen for.
        self._command = velocity_command(self._env)[:, ::2].clone()  # forward and yaw

    def _capture(self, env_ids: EnvIds) -> None:
        frame = self.terminal_frame()
        if self._terminal is None:
            self._terminal = frame  # all rows, because selecting some would cost additional kernel launches
        else:  # a second reset within a step, such as one requested in a viewer
            self._terminal[env_ids] = frame[env_ids]


class SimulatorSource(AmpSource):
    """Frames from the articulation's state, without noise or history; joints are found by name."""

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv) -> None:
        self._robot = scene_robot(env)
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
            "root_lin_vel": lambda: root_lin_vel_b(self._robot),
            "root_ang_vel": lambda: data.root_link_ang_vel_b.torch,
        }
        return torch.cat([parts[name]() for name in self.state.features], dim=-1)


@dataclass(frozen=True)
class _Reader:
    """How a feature is read: from the group's columns, or by calling the term."""

    term: ObservationTermCfg
    pick: torch.Tensor
    """Columns of the term's output, in the order of the state."""
    columns: torch.Tensor
    """The same columns in the group."""
    scale: torch.Tensor | float
    """Factor that the group applied to them."""
    offset: torch.Tensor
    """Offset still to subtract, rad."""


class ObservationSource(AmpSource):
    """Frames read from an observation group, for an environment that cannot be changed.

    The group's processing comes along: :attr:`caveats` reports noise, by which the discriminator could tell the policy
    from the clean dataset, and history, of which the newest frame is read.
    """

    def __init__(self, state: WindowSpec, env: ManagerBasedRLEnv, group: str = "policy") -> None:
        terms, cfgs = observation_terms(env, group), term_cfgs(env, group)
        self._group = group
        self._readers: list[_Reader] = []
        caveats: list[str] = []
        default = scene_robot(env).data.default_joint_pos.torch[0]
        for feature in state.features:
            found = [t for t in terms if t.asset == robot_name(env) and t.function in TERM_FUNCTIONS[feature]]
            # Legs and arms may be separate terms: take the one with all joints, or the one that lacks fewest.
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
            if term.function == "joint_pos":  # absolute positions, from which the default pose is not subtracted
                robot_names = tuple(scene_robot(env).joint_names)
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
        values: Any = self._env.obs_buf[self._group]
        return torch.cat([values[:, r.columns] / r.scale - r.offset for r in self._readers], dim=-1)

    def terminal_frame(self) -> torch.Tensor:
        # The group is computed only after the reset, so the terms are called here.
        parts = [self._call(reader.term)[:, reader.pick] - reader.offset for reader in self._readers]
        return torch.cat(parts, dim=-1)

    def _call(self, term: ObservationTermCfg) -> torch.Tensor:
        function: Any = term.func  # a callable term's instance, or a function
        return function(self._env, **term.params)
