"""Experiment: what a discriminator needs to see to tell a gait from the same gait at twice the tempo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amp_helpers.amp_state.state import AmpState
from amp_helpers.lessons.discriminators import style_rewards
from amp_helpers.lessons.gaits import level_feet, speed_up
from amp_helpers.motion.motion import Motion

SHORT, LONG = (2, 1), (6, 2)
"""Frames of a window, and control steps between them: the shortest window, and this project's."""
_ALIKE = 0.05
"""Difference between two gaps that is called none."""


@dataclass(frozen=True)
class TempoResult:
    """Style reward of a gait less that of the same gait at twice the tempo, with four kinds of windows."""

    short_positions: float
    """Two frames of joint positions."""
    short_all: float
    """Two frames of all features."""
    long_positions: float
    """Six frames of joint positions."""
    long_all: float
    """Six frames of all features."""

    @property
    def sentence(self) -> str:
        """What features and frames add, each alone and together."""
        features, frames = self.short_all - self.short_positions, self.long_positions - self.short_positions
        more = "the features do more" if features > frames else "the frames do more"
        alike = abs(features - frames) < _ALIKE
        return (
            f"Two frames of positions pay the right tempo {self.short_positions:.2f} more than the double. With "
            f"velocities and root, two frames pay it {self.short_all:.2f} more; six frames of positions alone, "
            f"{self.long_positions:.2f}; both changes together, {self.long_all:.2f}. On this clip, "
            f"{'both changes do about as much' if alike else more}."
        )

    def rows(self) -> list[tuple[str, float, float]]:
        """Rows of a table: features, the gap with two frames, the gap with six."""
        return [
            ("joint positions", self.short_positions, self.long_positions),
            ("and velocities, root height, tilt and velocity", self.short_all, self.long_all),
        ]


def tempo_experiment(clip: Motion, features: Sequence[str], default_pose: Mapping[str, float]) -> TempoResult:
    """Train a discriminator for each of two window lengths with positions alone and with ``features``.

    Each is trained on the clip against :func:`early_policy`, and tried on the right gait at both tempos.

    Args:
        clip: the clip at the control rate.
        features: what the richer windows hold.
        default_pose: rad by joint name.
    """
    gaits = {"right": level_feet(clip), "double": level_feet(speed_up(clip))}

    def gap(size: tuple[int, int], seen: Sequence[str]) -> float:
        state = AmpState(joint_names=clip.joint_names, features=tuple(seen), window=size[0], stride=size[1])
        rewards = style_rewards(gaits, clip, state, default_pose)
        return rewards["right"] - rewards["double"]

    return TempoResult(
        short_positions=gap(SHORT, ("joint_pos",)),
        short_all=gap(SHORT, features),
        long_positions=gap(LONG, ("joint_pos",)),
        long_all=gap(LONG, features),
    )
