"""A foot from its side, so close that millimeters above or below the ground are seen."""

from collections.abc import Mapping

import mujoco
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.spatial import ConvexHull

from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import rotate_inverse, yaw_part
from amp_helpers.plots.style import GRAY, INK, RED, blank_figure, style_axes
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.robots.soles import Sole, soles

_MARGIN_MM, _ABOVE_MM = 12.0, 80.0
"""Space around the foot, and the height above its lowest point that is drawn at least, mm."""
_SIGNIFICANT_MM = 0.5
"""Depth from which a foot is drawn as sunk, mm."""


def sole_profiles(clips: Mapping[str, Motion], kinematics: Kinematics, frame: int, foot: int | None = None) -> Figure:
    """Draw one foot of each clip from its side in one frame, to scale; what is below the ground is red.

    The robot faces to the right. The shape is that of the meshes of the foot's link; the height written beside it is
    that of its sole, from the collision shapes.

    Args:
        clips: label -> clip, of the same frames.
        kinematics: kinematics of the robot.
        frame: the frame.
        foot: index in ``Robot.foot_bodies``; ``None`` for the one whose sole is lowest in the first clip.
    """
    heights = {label: 1000 * kinematics.sole_heights(clip)[frame] for label, clip in clips.items()}
    if foot is None:
        foot = int(next(iter(heights.values())).argmin())
    triangles = {label: _triangles(clip, kinematics, frame, foot) for label, clip in clips.items()}
    half = max(np.ptp(shape[..., 0]) for shape in triangles.values()) / 2 + _MARGIN_MM
    low = min(0.0, *(shape[..., 1].min() for shape in triangles.values())) - _MARGIN_MM
    high = max(shape[..., 1].min() for shape in triangles.values()) + _ABOVE_MM
    width = 6.0
    figure = blank_figure(width, len(clips) * (width * (high - low) / (2 * half) + 0.3) + 0.2)
    panels = figure.subplots(len(clips), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, shape) in zip(panels, triangles.items(), strict=True):
        height = float(heights[label][foot])
        title = f"{label}: {_in_words(height)}"
        style_axes(axes, title, xlabel="mm" if axes is panels[-1] else "", ylabel="height, mm", grid="y")
        axes.set(xlim=(-half, half), ylim=(low, high), aspect="equal")
        _draw_foot(axes, shape, sunk=height < -_SIGNIFICANT_MM)
    return figure


def _in_words(height: float) -> str:
    """The height of a sole, mm."""
    if abs(height) <= _SIGNIFICANT_MM:
        return "sole on the ground"
    return f"sole {abs(height):.0f} mm {'below' if height < 0 else 'above'} the ground"


def _draw_foot(axes: Axes, shape: np.ndarray, sunk: bool) -> None:
    """Draw triangles (T, 3, 2) mm and the ground within the limits of ``axes``."""
    (left, right), low = axes.get_xlim(), axes.get_ylim()[0]
    axes.axhspan(low, 0, color="#dfe4e8", linewidth=0, zorder=0)
    body = axes.add_collection(PolyCollection(list(shape), facecolors=GRAY, edgecolors=GRAY, linewidths=0.3, zorder=2))
    body.set_clip_path(axes.patch)
    if sunk:
        red = PolyCollection(list(shape), facecolors=RED, edgecolors=RED, linewidths=0.3, zorder=3)
        below = axes.add_collection(red)
        below.set_clip_path(Rectangle((left, low), right - left, -low, transform=axes.transData))
    axes.axhline(0, color=INK, linewidth=1.2, zorder=4)


def _triangles(clip: Motion, kinematics: Kinematics, frame: int, foot: int) -> np.ndarray:
    """Triangles (T, 3, 2) mm of a foot: ahead of their middle in the direction that the robot faces, and height."""
    corners = _foot_mesh(kinematics.robot, kinematics.robot.foot_bodies[foot])
    if corners is None:  # a robot without meshes
        corners = _hull(soles(kinematics)[foot])
    one = clip.at_frames(np.array([frame]))
    position, rotation = kinematics.foot_positions(one)[0, foot], kinematics.foot_rotations(one)[0, foot]
    world = corners.reshape(-1, 3) @ rotation.T + position
    ahead = rotate_inverse(yaw_part(one.root_quat[0]), world)[:, 0]
    flat = np.stack([ahead - (ahead.min() + ahead.max()) / 2, world[:, 2]], axis=-1)
    return 1000 * flat.reshape(-1, 3, 2)


def _foot_mesh(robot: Robot, name: str) -> np.ndarray | None:
    """Triangles (T, 3, 3) m of a link's meshes in its frame; None where it has none."""
    model = mujoco.MjModel.from_xml_path(str(robot.mjcf_path))
    parts = []
    for geom in np.flatnonzero(model.geom_bodyid == model.body(name).id):
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
            mesh = model.geom_dataid[geom]
            vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
            faces = model.mesh_face[model.mesh_faceadr[mesh] :][: model.mesh_facenum[mesh]]
            turn = np.zeros(9)
            mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
            parts.append((vertices @ turn.reshape(3, 3).T + model.geom_pos[geom])[faces])
    return np.concatenate(parts) if parts else None


def _hull(sole: Sole) -> np.ndarray:
    """Triangles (T, 3, 3) m of the convex hull of a sole's balls."""
    around = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], float)
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    points = (sole.centers[:, None] + np.maximum(sole.radii, 0.002)[:, None, None] * around).reshape(-1, 3)
    return points[ConvexHull(points).simplices]
