"""Figures that explain AMP: its loop, and the style reward in a plane."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.patheffects import withStroke

from amp_helpers.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, blank_figure, style_axes

if TYPE_CHECKING:
    from amp_helpers.lessons.plane import PlaneAmp

_GRID = 81  # points of a heat map in each direction
_PROFILES = (BLUE, PURPLE, ORANGE, SKY)


def amp_loop() -> Figure:
    """Draw the loop of AMP, narrow enough for a phone: from policy to window, discriminator, reward and back."""
    figure = Figure((4.2, 5.4), facecolor="white")
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    axes.set(xlim=(0, 100), ylim=(0, 128))
    axes.set_axis_off()
    _box(axes, (19, 114), (36, 18), GREEN, "reference clips", "human motion,\nretargeted")
    _box(axes, (68, 114), (46, 18), BLUE, "policy", "observation to action")
    _box(axes, (68, 88), (46, 14), BLUE, "simulator", "Isaac Lab and Newton")
    _box(axes, (19, 64), (36, 14), GREEN, "window", "of the reference")
    _box(axes, (54, 64), (28, 14), RED, "window", "of the policy")
    _box(axes, (84, 64), (25, 14), PURPLE, "task", "reward")
    _box(axes, (36.5, 41), (52, 14), ORANGE, "discriminator", "learns to tell them apart")
    _box(axes, (36.5, 22), (52, 12), PURPLE, "style reward", "")
    _box(axes, (45, 5), (82, 9.5), PURPLE, "reward = task + style, weighted", "")
    _arrow(axes, (60, 105), (60, 95), "action", (59, 100, "right"))
    _arrow(axes, (75, 95), (75, 105), "observation", (76, 100, "left"))
    _arrow(axes, (19, 105), (19, 71))
    _arrow(axes, (56, 81), (56, 71), "state", (55, 76, "right"))
    _arrow(axes, (84, 81), (84, 71))
    _arrow(axes, (19, 57), (24, 48))
    _arrow(axes, (54, 57), (49, 48))
    _arrow(axes, (36.5, 34), (36.5, 28), "logit", (38, 31, "left"))
    _arrow(axes, (36.5, 16), (36.5, 9.8))
    _arrow(axes, (79, 57), (79, 9.8))
    axes.plot((86, 98.5, 98.5), (5, 5, 114), color=INK, linewidth=1.4, solid_capstyle="round")
    _arrow(axes, (98.5, 114), (91, 114))
    axes.text(96, 35, "PPO improves the policy", rotation=90, ha="center", va="center", fontsize=9, color=INK)
    return figure


def _box(axes: Axes, center: tuple[float, float], size: tuple[float, float], color: str, title: str, text: str) -> None:
    (x, y), (width, height) = center, size
    corner = x - width / 2, y - height / 2
    for face, alpha in (("white", 1.0), (color, 0.14)):
        shape = "round,pad=0,rounding_size=2.2"
        axes.add_patch(FancyBboxPatch(corner, width, height, shape, facecolor=face, edgecolor="none", alpha=alpha))
    axes.add_patch(FancyBboxPatch(corner, width, height, shape, facecolor="none", edgecolor=color, linewidth=1.4))
    lines = text.count("\n") + 1 if text else 0
    above = 2.4 * lines
    axes.text(x, y + above, title, ha="center", va="center", fontsize=10.5, fontweight="bold", color=INK)
    if text:
        axes.text(x, y + above - 3.2, text, ha="center", va="top", fontsize=9.5, color=INK, linespacing=1.1)


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    label: str = "",
    place: tuple[float, float, str] = (0, 0, "left"),
) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    axes.annotate("", end, start, arrowprops=style)
    if label:
        axes.text(place[0], place[1], label, ha=place[2], va="center", fontsize=9, color=INK)  # pyright: ignore


def reward_planes(planes: "Mapping[str, PlaneAmp]") -> Figure:
    """Draw the style reward of experiments in the plane as heat maps, and along the way from policy to reference.

    A white line is the way of a point that climbs the reward; a dot is where it ends.

    Args:
        planes: label -> experiment; all with the same loss.
    """
    count = len(planes)
    figure = blank_figure(max(2.9 * count, 4.2), 5.0 if count > 1 else 6.2)
    grid = figure.add_gridspec(2, count, height_ratios=(3.2, 2.0) if count > 1 else (3.8, 2.0))
    points = _points(next(iter(planes.values())).half_width)
    rewards = [plane.reward(points.reshape(-1, 2)).reshape(_GRID, _GRID) for plane in planes.values()]
    top = max(float(reward.max()) for reward in rewards)
    profile = style_axes(
        figure.add_subplot(grid[1, :]), "", "way from the policy to the reference", "style reward", grid="y"
    )
    for column, ((label, plane), reward, color) in enumerate(zip(planes.items(), rewards, _PROFILES, strict=False)):
        axes = figure.add_subplot(grid[0, column])
        _heat_map(axes, label, plane, reward, top)
        _profile(profile, label, plane, color)
    profile.set_ylim(-0.04 * top, 1.08 * top)
    if count > 1:
        profile.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def _points(half_width: float) -> np.ndarray:
    line = np.linspace(-half_width, half_width, _GRID)
    return np.stack(np.meshgrid(line, line), axis=-1)


def _heat_map(axes: Axes, label: str, plane: "PlaneAmp", reward: np.ndarray, top: float) -> None:
    edge, outline = plane.half_width, [withStroke(linewidth=3, foreground="white")]
    extent = (-edge, edge, -edge, edge)
    axes.imshow(reward, "cividis", origin="lower", extent=extent, vmin=0, vmax=top, interpolation="bilinear")
    for points, color, name, side in ((plane.reference, GREEN, "reference", 1), (plane.policy, RED, "policy", -1)):
        axes.plot(points[:, 0], points[:, 1], "o", color=color, markersize=3.6, mec="white", mew=0.5)
        x, y = points.mean(0).tolist()
        axes.text(x, y + 0.75 * side, name, ha="center", va="center", fontsize=10, color=INK, path_effects=outline)
    path = plane.climb()
    axes.plot(path[:, 0], path[:, 1], color="white", linewidth=2.0)
    axes.plot(*path[-1], "o", color="white", markersize=9, mec=INK, mew=1.5)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(), yticks=())
    axes.set_title(label, fontsize=11, color=INK, loc="left")


def _profile(axes: Axes, label: str, plane: "PlaneAmp", color: str) -> None:
    start, goal = (points.mean(0).numpy() for points in (plane.policy, plane.reference))
    way = goal - start
    share = np.linspace(-0.2, 1.2, 141)
    axes.plot(share, plane.reward((start + share[:, None] * way).astype(np.float32)), color=color, lw=2, label=label)
    end = plane.climb()[-1]
    reached = float((end - start) @ way / (way @ way))
    axes.plot(reached, plane.reward(end[None])[0], "o", color="white", markersize=9, mec=color, mew=2)
    axes.set_xticks((0.0, 1.0), ("policy", "reference"), fontsize=10)
