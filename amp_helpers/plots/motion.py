"""Figures of motions."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase
from amp_helpers.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    SERIES,
    SKY,
    blank_figure,
    short,
    style_axes,
)

_SEVERAL = (GREEN, RED, PURPLE, ORANGE, BLUE, SKY, GRAY)
_LIMBS = {
    "left leg": BLUE,
    "right leg": RED,
    "waist": GRAY,
    "left arm": GREEN,
    "right arm": ORANGE,
}


def limb(joint: str) -> str:
    """Return the limb that a joint's name implies: ``left leg, right leg, waist, left arm`` or ``right arm``."""
    side = "left" if joint.startswith("left_") else "right" if joint.startswith("right_") else ""
    if not side:
        return "waist"
    return f"{side} {'leg' if any(part in joint for part in ('hip', 'knee', 'ankle')) else 'arm'}"


def permutation(here: JointOrder, there: JointOrder, labels: tuple[str, str]) -> Figure:
    """Draw two joint orders as columns of names, with a line between a joint's two indices."""
    figure = blank_figure(8.0, 0.25 * max(len(here), len(there)) + 0.9)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.62, 1.62), ylim=(max(len(here), len(there)) - 0.4, -1.5))
    axes.set_axis_off()
    step = np.linspace(0, 1, 40)
    ease = step**2 * (3 - 2 * step)
    for row, name in enumerate(here):
        color = _LIMBS[limb(name)]
        axes.text(-0.03, row, f"{short(name)}  {row:2d}", ha="right", va="center", fontsize=9, color=INK)
        if name in there.names:
            other = there.index(name)
            moved = other != row
            axes.plot(
                step,
                row + (other - row) * ease,
                color=color,
                linewidth=2.0,
                alpha=0.9,
                linestyle="-" if moved else ":",
            )
            axes.plot([0, 1], [row, other], "o", color=color, markersize=4)
    for row, name in enumerate(there):
        axes.text(1.03, row, f"{row:2d}  {short(name)}", ha="left", va="center", fontsize=9, color=INK)
    for x, label, side in ((-0.03, labels[0], "right"), (1.03, labels[1], "left")):
        axes.text(x, -1.2, label, ha=side, va="center", fontsize=11, fontweight="bold", color=INK)
    for name, color in _LIMBS.items():
        axes.plot([], [], color=color, linewidth=2, label=name)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def pictures(images: Sequence[np.ndarray], titles: Sequence[str]) -> Figure:
    """Show images (H, W, 3) uint8 in a row, each below its title."""
    height, width = images[0].shape[:2]
    figure = blank_figure(3.3 * len(images), 3.3 * height / width + 0.35)
    for column, (image, title) in enumerate(zip(images, titles, strict=True), 1):
        axes = figure.add_subplot(1, len(images), column)
        axes.imshow(image)
        axes.set_axis_off()
        axes.set_title(title, fontsize=11, color=INK)
    return figure


def offsets(names: Sequence[str], simulator: np.ndarray, rows: Mapping[str, np.ndarray]) -> Figure:
    """Compare the simulator's joint positions of one pose, (J,) rad, with treatments of the default-pose offset.

    Args:
        names: joint names, (J).
        simulator: joint positions that the simulator reports, (J,) rad.
        rows: label -> the same pose after one treatment of the offset, (J,) rad.
    """
    figure = blank_figure(9.0, 4.2)
    axes = style_axes(figure.add_subplot(), ylabel="joint position, rad")
    place = np.arange(len(names))
    axes.scatter(place, simulator, s=130, facecolors="none", edgecolors=INK, linewidths=1.3, label="simulator")
    for (label, values), color, marker in zip(rows.items(), SERIES, "ox^sd", strict=False):
        axes.scatter(place, values, s=26, color=color, marker=marker, label=label)
    axes.axhline(0, color="#b8c0c8", linewidth=0.8)
    axes.set_xticks(place, [short(name) for name in names], rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_xlim(-0.7, len(names) - 0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def replay_errors(errors: Mapping[str, np.ndarray], tolerance: float) -> Figure:
    """Draw the largest difference of each frame between dataset and simulator, (F,) by label, and a tolerance."""
    figure = blank_figure(8.0, 4.0)
    axes = style_axes(figure.add_subplot(), xlabel="frame", ylabel="largest difference")
    for (label, values), color in zip(errors.items(), itertools.cycle(_SEVERAL)):
        axes.semilogy(np.maximum(values, 1e-9), color=color, linewidth=1.8, label=label)
    axes.axhline(tolerance, color=INK, linewidth=1, linestyle="--")
    axes.annotate(f"tolerance {tolerance:g}", (0, tolerance), (4, 4), textcoords="offset points", fontsize=9, color=INK)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure


def resampling(clips: Mapping[str, Motion], joint: str, seconds: float = 1.5) -> Figure:
    """Draw one joint's position, with a marker at each frame, and its velocity for several versions of a clip.

    Args:
        clips: label -> clip.
        joint: joint name.
        seconds: length of the part that is drawn, s.
    """
    figure = blank_figure(8.0, 5.2)
    angle, speed = figure.subplots(2, 1, sharex=True)
    style_axes(angle, short(joint), ylabel="position, rad")
    style_axes(speed, ylabel="velocity, rad/s", xlabel="time, s")
    for (label, clip), color, marker in zip(clips.items(), (INK, RED, GREEN), "ox.", strict=False):
        column = clip.joint_names.index(joint)
        part = clip.times <= seconds
        times = clip.times[part]
        angle.plot(times, clip.joint_pos[part, column], marker, ls="-", lw=1, ms=4.5, color=color, label=label)
        speed.plot(times, clip.joint_vel[part, column], marker, ls="-", lw=1, ms=4.5, color=color)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def influence(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw each joint's share of the gap between reference and policy logits, {panel: {joint: share}}, ankles red."""
    rows = max(len(values) for values in shares.values())
    figure = blank_figure(2.4 + 4.0 * len(shares), 0.22 * rows + 1.0)
    panels = figure.subplots(1, len(shares), sharex=True, squeeze=False)[0]
    for axes, (title, values) in zip(panels, shares.items(), strict=True):
        style_axes(axes, title, grid="x")
        colors = [RED if "ankle" in name.lower() else BLUE for name in values]
        axes.barh([short(name) for name in values], list(values.values()), color=colors, height=0.7)
        axes.axvline(0, color="#b8c0c8", linewidth=0.8)
        axes.set_ylim(rows - 0.4, -0.6)
        axes.tick_params(axis="y", labelsize=8, length=0)
        axes.locator_params(axis="x", nbins=5)
    figure.supxlabel("share of the logit gap", fontsize=10, color=INK)
    return figure


def gait_phase(reference: Motion, policies: Mapping[str, Motion], seconds: float = 4.0) -> Figure:
    """Draw knee against hip pitch for both legs and the left knee over time, the reference in gray.

    A periodic gait is a closed loop in the hip-knee plane. Over time, the reference starts in the phase of the first
    policy (:func:`amp_helpers.motion.in_phase`).

    Args:
        reference: the reference clip.
        policies: label -> motion of a policy.
        seconds: length of the part that is drawn, s.
    """
    figure = blank_figure(9.5, 3.4)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1.7))
    if (policy := next(iter(policies.values()), None)) is not None:
        reference = in_phase(reference, policy.trim(0.0, min(seconds, policy.duration_s)))
    clips = {"reference": (reference, GRAY), **{k: (m, c) for (k, m), c in zip(policies.items(), SERIES, strict=False)}}
    for side, axes in zip(("left", "right"), panels, strict=False):
        style_axes(axes, f"{side} leg", xlabel="hip pitch, rad", ylabel="knee, rad" if side == "left" else "")
    style_axes(panels[2], "left knee", xlabel="time, s", ylabel="rad")
    for label, (clip, color) in clips.items():
        width = 3.5 if label == "reference" else 1.2
        part = clip.times <= seconds
        angle = {name: clip.joint_pos[part, column] for column, name in enumerate(clip.joint_names)}
        for side, axes in zip(("left", "right"), panels, strict=False):
            hip, knee = angle[f"{side}_hip_pitch_joint"], angle[f"{side}_knee_joint"]
            axes.plot(hip, knee, color=color, linewidth=width, alpha=0.85)
        panels[2].plot(
            clip.times[part], angle["left_knee_joint"], color=color, linewidth=width, label=label, alpha=0.85
        )
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure
