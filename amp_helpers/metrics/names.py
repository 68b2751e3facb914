"""What metrics are called, in every table and figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricName:
    """What people call a metric."""

    name: str
    """Short, for a panel of a figure or the head of a column."""
    unit: str
    """Of its values; empty for a number without one."""
    meaning: str
    """What it measures, without the unit."""
    best: str = ""
    """The best value; empty where the command alone says which is."""

    @property
    def label(self) -> str:
        """Name and unit."""
        return _with_unit(self.name, self.unit)

    @property
    def description(self) -> str:
        """Meaning and unit."""
        return _with_unit(self.meaning, self.unit)


def _with_unit(text: str, unit: str) -> str:
    return f"{text}, {unit}" if unit else text


METRICS = {
    "falls_per_env_10s": MetricName("falls in 10 s", "", "falls per environment in 10 s", "0"),
    "forward_speed_mps": MetricName("forward speed", "m/s", "mean forward speed"),
    "turn_rate_radps": MetricName("yaw rate", "rad/s", "mean yaw rate"),
    "velocity_error_mps": MetricName("speed error", "m/s", "error of the mean forward speed", "0"),
    "tracking_rmse_mps": MetricName("tracking error", "m/s", "RMS error of the forward speed over each second", "0"),
    "turn_error_radps": MetricName("turn error", "rad/s", "RMS error of the yaw rate over each second", "0"),
    "drift_mps": MetricName("drift", "m/s", "sideways travel off the commanded path", "0"),
    "response_s": MetricName("response to a step", "s", "time to 90 % of a step of the command", "short"),
    "gait_frequency_hz": MetricName("stride frequency", "Hz", "stride frequency", "the reference's"),
    "gait_frequency_ratio": MetricName("stride frequency ratio", "", "stride frequency over the reference's", "1"),
    "pose_rmse_rad": MetricName("pose RMSE", "rad", "pose RMSE: policy poses to the nearest reference pose", "0"),
    "coverage_rmse_rad": MetricName(
        "coverage RMSE", "rad", "coverage RMSE: reference poses to the nearest policy pose", "0"
    ),
    "tilt_rmse_rad": MetricName("tilt error", "rad", "root tilt beside that of the nearest reference pose", "0"),
    "foot_skate_mps": MetricName("foot skate", "m/s", "horizontal speed of feet in contact", "0"),
    "action_rate": MetricName("action rate", "", "change of the action per step, RMS over joints", "small"),
    "mechanical_power_w": MetricName("power", "W", "mechanical joint power", "small"),
    "lift_offs_per_env_10s": MetricName("lift-offs in 10 s", "", "lift-offs per environment in 10 s"),
}
"""Metric, as in ``metrics.json`` and ``grid.json`` -> what it is called."""
