"""Matplotlib drawing of a robot for machines without OpenGL: collision capsules and lines between joints."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

_SKY = "#e6eef7"
_FLOOR = np.array([[0.85, 0.88, 0.90], [0.77, 0.80, 0.84]])
_NEAR, _FAR = np.array([0.25, 0.28, 0.33]), np.array([0.66, 0.70, 0.75])
_HIGHLIGHT = np.array([0.95, 0.38, 0.10])
_SHADOW = (0.60, 0.64, 0.69)
_LINK_RADIUS = 0.022  # m
_TILE, _FLOOR_TILES = 0.5, 16


class Drawing:
    """Draw poses as thick round lines, back to front, far ones paler; interchangeable with ``gl.GlCanvas``.

    Args:
        model: the robot.
        width, height: of an image, pixels.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        self._model, self._width, self._height = model, width, height
        capsule_like = np.isin(model.geom_type, (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE))
        self._geoms = np.flatnonzero(capsule_like & (model.geom_contype > 0))
        self._children = np.arange(2, model.nbody)
        self._figure = Figure((width / 100, height / 100), dpi=100, facecolor=_SKY)
        self._canvas = FigureCanvasAgg(self._figure)

    def draw(self, data: mujoco.MjData, view: mujoco.MjvCamera, highlight: set[int]) -> np.ndarray:
        """Draw the pose in ``data`` as (H, W, 3) uint8 in orthographic projection along ``view``.

        Bodies in ``highlight`` are colored.
        """
        span = 2 * view.distance * np.tan(np.radians(self._model.vis.global_.fovy / 2))  # m over the height
        axes = self._figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=np.array([-0.5, 0.5]) * span * self._width / self._height, ylim=(-span / 2, span / 2))
        to_screen, depth_axis = _projection(view)

        tiles, colors = _floor(view.lookat)
        axes.add_collection(PolyCollection(to_screen(tiles), facecolors=colors, edgecolors="none"))
        segments, radii, bodies = self._segments(data)
        points_per_meter = self._height / span * 72 / self._figure.dpi
        widths = 2 * radii * points_per_meter
        axes.add_collection(
            LineCollection(
                to_screen(segments * (1, 1, 0)),
                linewidths=widths,
                colors=[_SHADOW],
                capstyle="round",
                joinstyle="round",
            )
        )
        depth = (segments.mean(axis=1) - view.lookat) @ depth_axis
        order = np.argsort(-depth)
        farness = np.clip(depth / 0.4 + 0.5, 0, 1)[:, None]  # a humanoid is about 0.4 m wide
        shades = _NEAR * (1 - farness) + _FAR * farness
        shades[np.isin(bodies, list(highlight))] = _HIGHLIGHT
        axes.add_collection(
            LineCollection(
                to_screen(segments)[order],
                linewidths=widths[order],
                colors=shades[order],
                capstyle="round",
                joinstyle="round",
            )
        )
        self._canvas.draw()
        pixels = np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
        axes.remove()
        return pixels

    def close(self) -> None:
        """Clear the figure."""
        self._figure.clear()

    def _segments(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ends (S, 2, 3) m, radii (S) m and bodies (S) of collision capsules and of lines between joints."""
        center = data.geom_xpos[self._geoms]
        along = data.geom_xmat[self._geoms].reshape(-1, 3, 3)[:, :, 2]
        size = self._model.geom_size[self._geoms]
        is_sphere = self._model.geom_type[self._geoms] == mujoco.mjtGeom.mjGEOM_SPHERE
        half = along * np.where(is_sphere, 1e-3, size[:, 1])[:, None]  # a line of zero length is not drawn
        capsules = np.stack([center - half, center + half], axis=1)
        parents = self._model.body_parentid[self._children]
        links = np.stack([data.xpos[parents], data.xpos[self._children]], axis=1)
        return (
            np.concatenate([links, capsules]),
            np.concatenate([np.full(len(links), _LINK_RADIUS), size[:, 0]]),
            np.concatenate([parents, self._model.geom_bodyid[self._geoms]]),
        )


def _projection(view: mujoco.MjvCamera) -> tuple[Callable[[np.ndarray], Any], np.ndarray]:
    """Return the map from points (..., 3) to screen coordinates (..., 2), m, and the unit view direction (3)."""
    azimuth, elevation = np.radians([view.azimuth, view.elevation])
    forward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    plane = np.stack([right, np.cross(right, forward)], axis=1)
    center = np.array(view.lookat)
    return (lambda points: (points - center) @ plane), forward


def _floor(center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corners (T, 4, 3) and colors (T, 3) of the floor tiles around a point, on a grid fixed in the world."""
    first = np.floor(center[:2] / _TILE).astype(int) - _FLOOR_TILES // 2
    column, row = np.meshgrid(*(start + np.arange(_FLOOR_TILES) for start in first), indexing="ij")
    index = np.stack([column.ravel(), row.ravel()], axis=1)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    corners = (index[:, None] + square) * _TILE
    return np.concatenate([corners, np.zeros((*corners.shape[:2], 1))], axis=2), _FLOOR[index.sum(axis=1) % 2]
