"""The discriminator's input: one definition, computed from a dataset and from an environment.

A *frame* holds the selected features at one time; a *window* holds ``window`` frames, ``stride`` control steps apart,
oldest first. Two frames one step apart are the state transition of Peng et al. 2021 (AMP), the concatenated ``states``
and ``next_states`` of a dataset.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from amp_helpers.amp_state.sources import AmpSource

FEATURE_DIMS = {
    "joint_pos": None,  # position relative to the robot's default pose, rad
    "joint_vel": None,  # rad/s
    "root_height": 1,  # m above the environment's origin
    "projected_gravity": 3,  # unit gravity vector in the root frame
    "root_lin_vel": 3,  # velocity of the root link in the root frame, m/s
    "root_ang_vel": 3,  # angular velocity of the root link in the root frame, rad/s
}
"""Features and their number of columns; None stands for one column per joint."""

COMMAND_COLUMNS = ("command forward", "command turn")
"""Columns of the command: m/s and rad/s, left positive."""
COMMAND_BLUR = (0.1, 0.2)
"""Half the range of :func:`blur_commands`, m/s and rad/s: about half the spacing of the clips of ``g1_locomotion``."""


@dataclass(frozen=True, kw_only=True)
class AmpState:
    """The discriminator's input: features, joints, window and stride.

    Raises:
        InputError: a feature is unknown or named twice, the window has less than two frames, or the stride is less than
            one step.
    """

    joint_names: tuple[str, ...]
    """Joints, in the dataset's order. :meth:`without` drops some."""
    features: tuple[str, ...] = ("joint_pos",)
    """Keys of :data:`FEATURE_DIMS`, in the order of the columns."""
    window: int = 2
    """Frames in a window."""
    stride: int = 1
    """Control steps between two frames of a window."""
    command: bool = False
    """Append the command that the window should follow, forward m/s and turning rad/s: the input of a discriminator
    conditioned on it."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in FEATURE_DIMS]
        if unknown or not self.features:
            raise InputError(f"AMP features {unknown or 'are empty'}; choose from: {', '.join(FEATURE_DIMS)}")
        if len(set(self.features)) < len(self.features):
            raise InputError(f"AMP features {' '.join(self.features)} name one twice; name each feature once")
        if self.window < 2 or self.stride < 1:
            raise InputError(
                f"AMP window {self.window} with stride {self.stride} shows no motion; "
                "give a window of at least 2 frames and a stride of at least 1 step"
            )

    @property
    def frame_dim(self) -> int:
        """Number of columns of a frame."""
        return sum(FEATURE_DIMS[name] or len(self.joint_names) for name in self.features)

    @property
    def dim(self) -> int:
        """Number of columns of a window: the width of the discriminator's input."""
        return self.window * self.frame_dim + self.condition_dim

    @property
    def condition_dim(self) -> int:
        """Number of columns at the end of a window that hold the command."""
        return len(COMMAND_COLUMNS) if self.command else 0

    @property
    def span(self) -> int:
        """Number of control steps from the oldest to the newest frame of a window."""
        return (self.window - 1) * self.stride

    @property
    def columns(self) -> list[str]:
        """Name of every column, such as ``t-2 joint_pos left_knee_joint``; oldest frame first."""
        axes = {1: ("z",), 3: ("x", "y", "z")}
        frame = [
            f"{feature} {part}"
            for feature in self.features
            for part in (axes[FEATURE_DIMS[feature]] if FEATURE_DIMS[feature] else self.joint_names)
        ]
        ages = [(self.window - 1 - i) * self.stride for i in range(self.window)]
        names = [f"t-{age} {name}" if age else f"t {name}" for age in ages for name in frame]
        return names + list(COMMAND_COLUMNS if self.command else ())

    def without(self, patterns: tuple[str, ...]) -> "AmpState":
        """Return the state without the joints that match ``patterns`` (regular expressions).

        Raises:
            InputError: a pattern matches no joint, or no joint is left.
        """
        kept = JointOrder(self.joint_names).without(patterns)
        if not kept.names:
            raise InputError(f"dropping {', '.join(patterns)} leaves no joint; drop fewer joints")
        return replace(self, joint_names=kept.names)

    def frames(self, motion: Motion, default_pose: Mapping[str, float]) -> np.ndarray:
        """Compute the frames of a clip at its own rate, (N, frame_dim) float32; velocities by central differences.

        Args:
            motion: the clip.
            default_pose: rad by joint name.

        Raises:
            InputError: the clip or the default pose lacks a joint.
        """
        order = JointOrder(self.joint_names)
        missing = [name for name in self.joint_names if name not in default_pose]
        if missing:
            raise InputError(
                f"the default pose names no {', '.join(missing)}; it has: {', '.join(sorted(default_pose))}"
            )
        offset = np.array([default_pose[name] for name in self.joint_names], dtype=np.float32)
        parts = {
            "joint_pos": lambda: order.reorder(motion.joint_pos, motion.joint_names) - offset,
            "joint_vel": lambda: order.reorder(motion.joint_vel, motion.joint_names),
            "root_height": lambda: motion.root_pos[:, 2:3],
            "projected_gravity": lambda: motion.projected_gravity,
            "root_lin_vel": lambda: motion.root_lin_vel,
            "root_ang_vel": lambda: motion.root_ang_vel,
        }
        return np.concatenate([parts[name]() for name in self.features], axis=-1).astype(np.float32)

    def from_dataset(self, dataset: MotionDataset, default_pose: Mapping[str, float]) -> torch.Tensor:
        """Compute every window of every clip, (K, dim) float32 on the CPU; no window spans two clips.

        Args:
            dataset: absolute joint positions at the control rate.
            default_pose: rad by joint name, from :func:`amp_helpers.env.default_pose`. It is not stored in datasets,
                because it belongs to the robot's configuration.

        Raises:
            InputError: the dataset or the default pose lacks a joint, or every clip is shorter than a window.
        """
        windows = []
        for clip, command in zip(dataset.clips(), dataset.command, strict=True):
            frames = self.frames(clip, default_pose)
            count = len(frames) - self.span
            if count > 0:
                picks = [frames[i * self.stride : i * self.stride + count] for i in range(self.window)]
                condition = np.tile(command.astype(np.float32), (count, 1)) if self.command else frames[:count, :0]
                windows.append(np.concatenate([*picks, condition], axis=-1))
        if not windows:
            raise InputError(
                f"no clip has the {self.span + 1} frames of one AMP window; shorten the window "
                f"({self.window} frames, stride {self.stride}) or use longer clips"
            )
        return torch.from_numpy(np.concatenate(windows))

    def window_weights(self, dataset: MotionDataset) -> torch.Tensor:
        """Return the sampling weight of each row of :meth:`from_dataset`, (K,) float64: the weight of its clip."""
        return torch.from_numpy(np.repeat(dataset.weight, self.window_counts(dataset)))

    def window_counts(self, dataset: MotionDataset) -> torch.Tensor:
        """Return the number of windows of each clip in :meth:`from_dataset`, (C,) int64."""
        return torch.from_numpy(np.maximum(np.bincount(dataset.motion_id) + 1 - self.span, 0))

    def from_env(self, env: "ManagerBasedRLEnv", group: str | None = None) -> "AmpSource":
        """Return a source of the same columns in a running environment.

        Args:
            env: an Isaac Lab manager-based environment with an articulation called ``robot``.
            group: ``None`` reads the simulator's state, without noise. A name such as ``"policy"`` reads that
                observation group, for an environment that cannot be changed; the source's ``caveats`` report its noise
                and history.

        Raises:
            InputError: the environment lacks a joint, or the group a term, of this state.
        """
        from amp_helpers.amp_state.sources import ObservationSource, SimulatorSource

        return SimulatorSource(self, env) if group is None else ObservationSource(self, env, group)


def blur_commands(commands: torch.Tensor, most: tuple[float, float] = COMMAND_BLUR) -> torch.Tensor:
    """Return commands (n, 2) with uniform noise of at most ``most``, m/s and rad/s; one that stands keeps its command.

    A clip at 0.6 m/s is also the best reference for 0.63 m/s.
    """
    moves = commands.abs().sum(dim=1, keepdim=True) > 0
    noise = 2 * torch.rand_like(commands) - 1
    return commands + moves * torch.stack((noise[:, 0] * most[0], noise[:, 1] * most[1]), dim=1)


def weighted_rows(weights: torch.Tensor) -> Callable[[int], torch.Tensor]:
    """Return a function that draws n of K rows, (n,) int64, with probabilities proportional to ``weights`` (K,)."""
    if bool((weights == weights[0]).all()):
        return lambda n: torch.randint(len(weights), (n,), device=weights.device)
    edges = weights.double().cumsum(0)
    last = len(weights) - 1

    def draw(n: int) -> torch.Tensor:
        at = torch.rand(n, dtype=torch.float64, device=weights.device) * edges[-1]
        return torch.searchsorted(edges, at, right=True).clamp(max=last)

    return draw
