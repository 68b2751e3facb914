"""The default-pose offset: what a policy is asked for when it is treated wrongly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_helpers.joints import JointOrder

DEFAULT, CLIP, ONCE, ADDED, TWICE, SIGN = (
    "default pose", "the clip", "subtracted once", "added", "subtracted twice", "one sign wrong",
)  # fmt: skip
POSES = (DEFAULT, CLIP, ONCE, ADDED, TWICE, SIGN)
"""The poses that :func:`asked_poses` makes; :data:`ONCE` is right."""


@dataclass(frozen=True)
class Offsets:
    """A default pose that can be edited, one joint at a time; every method returns a new one."""

    joint_names: tuple[str, ...]
    values: tuple[float, ...]
    """rad, (J)."""

    def __getitem__(self, joint: str) -> float:
        return self.values[JointOrder(self.joint_names).index(joint)]

    def with_value(self, joint: str, value: float) -> "Offsets":
        """The same with another value for one joint, rad.

        Raises:
            InputError: no such joint.
        """
        column = JointOrder(self.joint_names).index(joint)
        return replace(self, values=(*self.values[:column], float(value), *self.values[column + 1 :]))

    def turned(self, joint: str) -> "Offsets":
        """The same with the sign of one joint's value turned round."""
        return self.with_value(joint, -self[joint])

    def literal(self) -> str:
        """The offsets as the argument of Isaac Lab's ``ArticulationCfg.InitialStateCfg``; joints at 0 are left out."""
        pairs = (f'    "{name}": {value:.4g},\n' for name, value in zip(self.joint_names, self.values, strict=True))
        return f"joint_pos={{\n{''.join(pair for pair in pairs if not pair.endswith(': 0,\n'))}}}"


def asked_poses(
    clip: np.ndarray, offsets: Offsets, default_pose: Sequence[float] | np.ndarray, joint: str
) -> Mapping[str, np.ndarray]:
    """The joint angles that a policy is asked for, (J) rad each, by what was done with the offset on loading.

    A discriminator compares angles relative to the default pose; what it asks for becomes an angle again when the
    environment adds its own default pose. Subtracting the same pose once is right.

    Args:
        clip: absolute angles of one frame, (J) rad.
        offsets: the pose that is taken for the default when loading.
        default_pose: the environment's default pose, (J) rad.
        joint: whose sign is wrong in the last one, as in ``-0.35`` written for ``0.35``.

    Returns:
        Pose by name, in the order of :data:`POSES`; the first two are no mistakes but for comparison.
    """
    environment = np.asarray(default_pose, dtype=np.float64)
    offset, wrong = (np.asarray(each.values) for each in (offsets, offsets.turned(joint)))
    return {
        DEFAULT: offset,
        CLIP: np.asarray(clip, dtype=np.float64),
        ONCE: clip - offset + environment,
        ADDED: clip + offset + environment,
        TWICE: clip - 2 * offset + environment,
        SIGN: clip - wrong + environment,
    }


def compare_pose(pose: np.ndarray, clip: np.ndarray, limits: np.ndarray, joint_names: Sequence[str]) -> str:
    """A pose against the clip's and the limits (J, 2), in two lines."""
    off = np.abs(pose - clip)
    worst = int(off.argmax())
    beyond = int(((pose < limits[:, 0] - 1e-6) | (pose > limits[:, 1] + 1e-6)).sum())
    first = "as the clip" if off[worst] < 1e-6 else f"{off[worst]:.2f} rad off: {joint_names[worst]}"
    return f"{first}\n{beyond} beyond {'its limit' if beyond == 1 else 'their limits'}" if beyond else f"{first}\n"
