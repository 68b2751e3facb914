"""Stride length against stride frequency, and the path of a foot, for clips at several speeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from amp_helpers.metrics import gait_frequency
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import rotate_inverse, yaw_part
from amp_helpers.plots.style import GRAY, SERIES, blank_figure, style_axes
from amp_helpers.robots.kinematics import Kinematics

_STYLES = (":", "-", "--", "-.", (0, (1, 3)))


def strides(groups: Mapping[str, Sequence[Motion]], kinematics: Kinematics) -> Figure:
    """Compare ways to change the speed of a walk.

    The first panel has stride length against stride frequency, with gray lines of equal speed; each further one the
    path of the left foot seen from the root, for the clips of one group.

    Args:
        groups: label of a way -> the walk at several speeds, each of at least two strides.
        kinematics: kinematics of the robot.
    """
    figure = blank_figure(4.0 + 2.8 * len(groups), 3.6)
    panels = figure.subplots(1, 1 + len(groups), width_ratios=(1.3, *[1] * len(groups)))
    for axes in panels[2:]:
        axes.sharex(panels[1])
        axes.sharey(panels[1])
    style_axes(panels[0], "stride length and frequency", xlabel="stride frequency, Hz", ylabel="stride length, m")
    widest = 0.0
    for (label, clips), axes, color in zip(groups.items(), panels[1:], SERIES, strict=False):
        frequency = [gait_frequency(clip.joint_pos[None], clip.joint_names, clip.dt) for clip in clips]
        speed = [clip.measured_command[0] for clip in clips]
        length = [v / hertz for v, hertz in zip(speed, frequency, strict=True)]
        widest = max(widest, *frequency)
        panels[0].plot(frequency, length, "o-", color=color, linewidth=1.5, markersize=6, label=label)
        style_axes(axes, label, xlabel="left ankle ahead of the root, m")
        for clip, value, style in zip(clips, speed, _STYLES, strict=False):
            ahead, height = _foot_path(clip, kinematics)
            axes.plot(ahead, height, linestyle=style, color=color, linewidth=1.4, label=f"{value:.2f} m/s")
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    panels[1].set_ylabel("left ankle, height in m", fontsize=10)
    bottom, top = panels[0].get_ylim()
    panels[0].set_ylim(max(bottom - 0.1, 0), top + 0.3)
    hertz = np.linspace(0.3, 1.15 * widest, 200)
    for speed in sorted({round(clip.measured_command[0], 2) for clips in groups.values() for clip in clips}):
        length = speed / hertz
        panels[0].plot(hertz, length, color=GRAY, linewidth=0.9, alpha=0.6, zorder=0)
        end = np.flatnonzero(length > panels[0].get_ylim()[0])[-1]
        panels[0].annotate(f"{speed:.2f} m/s", (hertz[end], length[end]), fontsize=8, color=GRAY, ha="right")
    panels[0].set_xlim(hertz[0], hertz[-1])
    panels[0].legend(frameon=False, fontsize=9, loc="upper right")
    return figure


def _foot_path(clip: Motion, kinematics: Kinematics) -> tuple[np.ndarray, np.ndarray]:
    """Place of the left foot ahead of the root, (N,) m in the direction that the root faces, and its height, (N,) m."""
    foot = kinematics.foot_positions(clip)[:, 0]
    return rotate_inverse(yaw_part(clip.root_quat), foot - clip.root_pos)[:, 0], foot[:, 2]
