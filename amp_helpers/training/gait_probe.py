"""Gait numbers of a training run while it goes on, at the price of one small copy a step.

What is measured is the training itself: the first few environments, with exploration noise, pushes, changing commands,
and starts in reference states. ``python -m amp_helpers.evaluate`` has none of these, so its numbers are better; these
say early where a run is going.
"""

import math
from typing import TYPE_CHECKING

import torch

from amp_helpers.joints import JointOrder
from amp_helpers.metrics import gait_frequency, pose_distances, settled_frames
from amp_helpers.motion.motion import Motion

if TYPE_CHECKING:
    from amp_helpers.env.wrapper import AmpEnv

PROBE_ENVS, PROBE_SECONDS = 16, 4.0
"""How many environments a measurement looks at, and for how much simulated time, s."""
SETTLE_S = 1.0
"""Left out after a reset, and at the beginning of a measurement, which knows nothing of resets before it."""


class GaitProbe:
    """Seconds of a few environments, measured whenever there are enough of them.

    Args:
        joint_names: (J) columns of what :meth:`record` is given.
        reference: the clip that is imitated; joints that it lacks are not looked at.
        dt: control step, s.
        num_envs: environments looked at, the first ones.
        seconds: simulated time of a measurement.
    """

    def __init__(
        self,
        joint_names: tuple[str, ...],
        reference: Motion,
        dt: float,
        num_envs: int = PROBE_ENVS,
        seconds: float = PROBE_SECONDS,
    ) -> None:
        self._names = tuple(name for name in joint_names if name in reference.joint_names)
        self._columns = JointOrder(self._names).indices_from(joint_names)
        self._reference, self._dt, self._envs = reference.resample(dt), dt, num_envs
        self._reference_hz = gait_frequency(self._reference.joint_pos[None], reference.joint_names, dt)
        self._length = round(seconds / dt)
        self._steps: list[tuple[torch.Tensor, ...]] = []

    def record(self, joint_pos: torch.Tensor, terminated: torch.Tensor, truncated: torch.Tensor) -> None:
        """Take in a step: joint positions (E, J) rad, and (E,) bool, which episodes ended in a fall and by time."""
        if len(self._steps) < self._length:
            self._steps.append(tuple(part[: self._envs].clone() for part in (joint_pos, terminated, truncated)))

    def measure(self) -> dict[str, float | None] | None:
        """The numbers of the time since the last measurement, or ``None`` while it is too short.

        They are a part of those of :func:`amp_helpers.metrics.evaluate_rollout`, under the same names; one that cannot
        be said, as after constant falls, is ``None``.
        """
        if len(self._steps) < self._length:
            return None
        joint_pos, fell, out_of_time = (
            torch.stack(parts, dim=1).cpu().numpy() for parts in zip(*self._steps, strict=True)
        )
        self._steps.clear()
        joint_pos = joint_pos[..., self._columns]
        keep = settled_frames(fell | out_of_time, self._dt, SETTLE_S)
        hertz = gait_frequency(joint_pos, self._names, self._dt, keep)
        pose, coverage = pose_distances(joint_pos[keep], self._names, self._reference)
        numbers = {
            "falls_per_env_10s": float(fell.mean() / self._dt * 10),
            "gait_frequency_hz": hertz,
            "gait_frequency_ratio": hertz / self._reference_hz,
            "pose_rmse_rad": pose,
            "coverage_rmse_rad": coverage,
        }
        return {name: round(value, 5) if math.isfinite(value) else None for name, value in numbers.items()}


def watch_gait(env: "AmpEnv", reference: Motion) -> GaitProbe:
    """A probe that takes in every step of ``env``."""
    robot = env.lab.scene["robot"]
    probe = GaitProbe(tuple(robot.joint_names), reference, env.lab.step_dt)
    env.on_step.append(lambda fell, out_of_time: probe.record(robot.data.joint_pos.torch, fell, out_of_time))
    return probe
