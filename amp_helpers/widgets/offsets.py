"""The default-pose offset, and the joint targets that result from treating it incorrectly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.joints import JointOrder

DEFAULT, CLIP, ONCE, ADDED, TWICE, SIGN = (
    "default pose", "clip", "subtracted once", "added", "subtracted twice", "one sign flipped",
)  # fmt: skip
POSES = (DEFAULT, CLIP, ONCE, ADDED, TWICE, SIGN)
"""The poses that :func:`target_poses` returns; of the four treatments, :data:`ONCE` is correct."""


@dataclass(frozen=True)
class Offsets:
    """An editable default pose; methods return a new one."""

    joint_names: tuple[str, ...]
    values: tuple[float, ...]
    """Default positions, (J) rad."""

    def __getitem__(self, joint: str) -> float:
        return self.values[JointOrder(self.joint_names).index(joint)]

    def with_value(self, joint: str, value: float) -> "Offsets":
        """Replace one joint's value, rad.

        Raises:
            InputError: the joint is unknown.
        """
        column = JointOrder(self.joint_names).index(joint)
        return replace(self, values=(*self.values[:column], float(value), *self.values[column + 1 :]))

    def with_flipped_sign(self, joint: str) -> "Offsets":
        """Negate one joint's value."""
        return self.with_value(joint, -self[joint])

    def literal(self) -> str:
        """Format the nonzero offsets as the argument of Isaac Lab's ``ArticulationCfg.InitialStateCfg``."""
        pairs = (f'    "{name}": {value:.4g},\n' for name, value in zip(self.joint_names, self.values, strict=True))
        return f"joint_pos={{\n{''.join(pair for pair in pairs if not pair.endswith(': 0,\n'))}}}"


def target_poses(
    clip: np.ndarray, offsets: Offsets, default_pose: Sequence[float] | np.ndarray, joint: str
) -> Mapping[str, np.ndarray]:
    """Compute the joint targets, (J) rad, that result from each treatment of the offset at loading.

    The discriminator compares positions relative to the default pose, and the environment adds its own default pose to
    the policy's actions. Subtracting that same pose once from the clip is therefore correct.

    Args:
        clip: absolute joint positions of one frame, (J) rad.
        offsets: the pose that loading takes for the default pose.
        default_pose: the environment's default pose, (J) rad.
        joint: joint whose sign is flipped in the last pose, such as ``-0.35`` for ``0.35``.

    Returns:
        Pose by name, in the order of :data:`POSES`; the first two are for comparison.
    """
    environment = np.asarray(default_pose, dtype=np.float64)
    offset, flipped = (np.asarray(each.values) for each in (offsets, offsets.with_flipped_sign(joint)))
    return {
        DEFAULT: offset,
        CLIP: np.asarray(clip, dtype=np.float64),
        ONCE: clip - offset + environment,
        ADDED: clip + offset + environment,
        TWICE: clip - 2 * offset + environment,
        SIGN: clip - flipped + environment,
    }


def compare_pose(pose: np.ndarray, clip: np.ndarray, limits: np.ndarray, joint_names: Sequence[str]) -> str:
    """Describe in two lines a pose's largest error against the clip, and the joints outside their limits (J, 2)."""
    error = np.abs(pose - clip)
    worst = int(error.argmax())
    outside = int(((pose < limits[:, 0] - 1e-6) | (pose > limits[:, 1] + 1e-6)).sum())
    first = "equals the clip" if error[worst] < 1e-6 else f"{error[worst]:.2f} rad off: {joint_names[worst]}"
    return f"{first}\n{outside} outside {'its limits' if outside == 1 else 'their limits'}" if outside else f"{first}\n"
