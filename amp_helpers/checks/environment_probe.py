"""Probe of an open environment: put a clip's frames into the simulator and read the AMP states back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import robot_name, scene_robot
from amp_helpers.amp_state.observation_group import TERM_FUNCTIONS, observation_terms
from amp_helpers.amp_state.sources import AmpSource
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.clip_replay import place
from amp_helpers.env.env_facts import default_pose
from amp_helpers.errors import InputError

FrameReader = Callable[[torch.Tensor], torch.Tensor]
"""Returns the newest AMP frames (E, columns) after a step, from a bool mask (E) of the episodes that ended in it."""

NUM_READINGS = 8
"""Readings of one state from which noise is measured."""


@dataclass(frozen=True, eq=False)
class EpisodeEnd:
    """AMP frames (columns,) on the step that ends an episode."""

    read: np.ndarray
    """Frame that the reader returns."""
    last: np.ndarray
    """Last frame of the episode, before the reset."""
    next_first: np.ndarray
    """First frame of the next episode, after the reset."""


class EnvironmentProbe:
    """A clip, an environment to put it into, and a reader of AMP frames.

    Args:
        env: open environment; its state is overwritten.
        dataset: dataset whose first, middle and last clip are put into the simulator, a frame of each.
        group: observation group that AMP states come from; ``None`` for the simulator's state.
        features: features of the AMP states, as :func:`amp_features` gives them for the group.
        reader: code under test in place of :class:`amp_helpers.amp_state.sources.AmpSource`, with the same columns:
            every feature of the group in the order of ``FEATURE_DIMS``, joints in the dataset's order.

    Raises:
        InputError: the group cannot give AMP states.
    """

    def __init__(
        self,
        env: ManagerBasedRLEnv,
        dataset: MotionDataset,
        group: str | None,
        features: tuple[str, ...],
        reader: FrameReader | None,
    ) -> None:
        shared = tuple(name for name in dataset.joint_names if name in scene_robot(env).joint_names)
        if "joint_pos" not in features:
            raise InputError(
                f"observation group '{group}' has no term with mdp.joint_pos_rel; add one or use the simulator's state"
            )
        self.env, self.group = env, group
        clips = dataset.clips()
        chosen = zip((clips[0], clips[len(clips) // 2], clips[-1]), (0.1, 0.5, 0.9), strict=True)
        self._poses = [(clip, round(share * (clip.num_frames - 1))) for clip, share in chosen]
        self.state = AmpState(joint_names=shared, features=features)
        self._source = self.state.from_env(env, group)
        self._reference = self.state.from_env(env)
        self._custom = reader is not None
        self._read = reader or (lambda ended: _newest(self._source, ended))

    def close(self) -> None:
        """Detach from the environment."""
        self._reference.detach()
        self._source.detach()

    @cached_property
    def rows(self) -> np.ndarray:
        """The dataset's frames (3, columns) that are put into the simulator."""
        pose = default_pose(self.env)
        return np.stack([self.state.frames(clip, pose)[frame] for clip, frame in self._poses])

    @property
    def frames(self) -> list[int]:
        """Indices of ``rows``."""
        return list(range(len(self._poses)))

    def label(self, frame: int) -> str:
        """Clip and frame of a row."""
        clip, index = self._poses[frame]
        return f"frame {index} of {clip.label}"

    @property
    def columns(self) -> list[str]:
        """Names of the columns of a frame."""
        return [name.removeprefix("t ") for name in self.state.columns[-self.state.frame_dim :]]

    @cached_property
    def spread(self) -> np.ndarray:
        """Range of repeated readings of one state, (columns,)."""
        self.show(self.frames[0])
        readings = np.stack([self._observe() for _ in range(NUM_READINGS)])
        return readings.max(axis=0) - readings.min(axis=0)

    @property
    def noisy_terms(self) -> list[str]:
        """Terms of the group that are read and have noise in their configuration."""
        terms = [] if self.group is None else observation_terms(self.env, self.group)
        functions = {function for feature in self.state.features for function in TERM_FUNCTIONS[feature]}
        joints = set(self.state.joint_names)
        return [
            term.name
            for term in terms
            if term.noise
            and term.asset == robot_name(self.env)
            and term.function in functions
            and (not term.joint_names or joints <= set(term.joint_names))
        ]

    @property
    def histories(self) -> dict[str, int]:
        """Term -> number of frames, for terms of the group that keep a history."""
        terms = [] if self.group is None else observation_terms(self.env, self.group)
        return {term.name: term.history for term in terms if term.history > 1}

    def show(self, frame: int) -> np.ndarray:
        """Put a row's frame into the simulator, update the observations, and read it, (columns,)."""
        place(self.env, *self._poses[frame])
        return self._observe()

    def show_without_noise(self, frame: int) -> np.ndarray:
        """:meth:`show`, but evaluate the group's terms themselves, to which no noise is added, (columns,)."""
        seen = self.show(frame)
        return seen if self._custom else self._source.terminal_frame()[0].cpu().numpy()

    def end_episode(self) -> EpisodeEnd | None:
        """Step past the end of the first environment's episode; ``None`` if the episode does not end."""
        env = self.env
        self.show(self.frames[1])
        self._reference.step(self._none_ended)
        env.episode_length_buf[0] = env.max_episode_length - 1
        actions = torch.zeros(env.num_envs, env.action_manager.total_action_dim, device=env.device)
        _, _, terminated, truncated, _ = env.step(actions)
        ended = terminated | truncated
        if not bool(ended[0]):
            return None
        next_first = self._reference.frame()[0].cpu().numpy().copy()
        last = _newest(self._reference, ended)[0].cpu().numpy()
        return EpisodeEnd(self._read(ended)[0].cpu().numpy(), last, next_first)

    def _observe(self) -> np.ndarray:
        self.env.obs_buf = self.env.observation_manager.compute(update_history=True)
        return self._read(self._none_ended)[0].cpu().numpy().copy()

    @property
    def _none_ended(self) -> torch.Tensor:
        return torch.zeros(self.env.num_envs, dtype=torch.bool, device=self.env.device)


def amp_features(env: ManagerBasedRLEnv, group: str | None) -> tuple[str, ...]:
    """Features of AMP states that an observation group has terms for; all of them where ``group`` is None.

    Raises:
        InputError: there is no such group, or its terms are not concatenated into one vector.
    """
    if group is None:
        return tuple(FEATURE_DIMS)
    functions = {term.function for term in observation_terms(env, group) if term.asset == robot_name(env)}
    return tuple(feature for feature in FEATURE_DIMS if functions & set(TERM_FUNCTIONS[feature]))


def _newest(source: AmpSource, ended: torch.Tensor) -> torch.Tensor:
    return source.step(ended)[0][:, -source.state.frame_dim :]
