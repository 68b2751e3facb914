"""Comparison of clips by their feet: synchronized robots, foot curves, and each joint's influence on a discriminator.

On your own robot and file::

    from amp_helpers.formats import read_motion
    from amp_helpers.feet.lock import lock_feet
    from amp_helpers.robots.kinematics import Kinematics
    from amp_helpers.robots import G1_29DOF
    from amp_helpers.widgets import FeetComparison

    clip = read_motion("mine.pkl")
    FeetComparison({"original": clip, "refined": lock_feet(clip, Kinematics(G1_29DOF))}, G1_29DOF)
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.feet.lock import Feet, compare_stance
from amp_helpers.formats.joint_names import words
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.feet import foot_curves, foot_panels
from amp_helpers.plots.motion import influence as influence_figure
from amp_helpers.render.renderer import CAMERAS, shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.cursor_figure import CursorFigure
from amp_helpers.widgets.panel import FramePlayer, Panel, as_html, cached_png, encode_png, image_box, text_block

_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


@dataclass(frozen=True)
class FeetView:
    """Frame and camera that a :class:`FeetComparison` shows."""

    frame: int = 0
    camera: str = "feet"


@dataclass(frozen=True)
class FootReading:
    """One foot of one clip in one frame."""

    clip: str
    foot: str
    height_m: float
    """Height of the sole's lowest point above the ground, m."""
    slip_mps: float
    """Speed of the sole's lowest point over the ground, m/s; NaN in swing."""

    def __str__(self) -> str:
        phase = "swing" if np.isnan(self.slip_mps) else f"stance, slip {self.slip_mps:.2f} m/s"
        return f"{self.clip}, {self.foot}: sole at {round(1000 * self.height_m):+d} mm, {phase}"


def foot_names(robot: Robot) -> tuple[str, ...]:
    """Label a robot's feet, (F), by side if their names tell distinct sides, as ``R_foot`` does, else by name."""
    sides = [[_SIDES[word] for word in words(name) if word in _SIDES] for name in robot.foot_bodies]
    by_side = tuple(found[0] for found in sides if len(found) == 1)
    return by_side if len(set(by_side)) == len(sides) else robot.foot_bodies


def read_feet(feet: Mapping[str, Feet], names: tuple[str, ...], frame: int) -> list[FootReading]:
    """Read each foot of each clip in a frame; a shorter clip repeats its last frame."""
    readings = []
    for label, clip_feet in feet.items():
        at = min(frame, len(clip_feet.times) - 1)
        readings += [
            FootReading(label, foot, float(clip_feet.sole_height[at, column]), float(clip_feet.sliding[at, column]))
            for column, foot in enumerate(names)
        ]
    return readings


def clips_with_feet(clips: Mapping[str, Motion], robot: Robot) -> dict[str, Motion]:
    """Select the clips that contain the robot's ankle joints."""
    return {label: clip for label, clip in clips.items() if set(robot.feet_joints) <= set(clip.joint_names)}


class FeetComparison(Panel):
    """Show clips of one motion synchronously, feet in stance colored, above curves of sole height and slip.

    Args:
        clips: label -> clip, all of the same frame rate. A clip without the ankle joints is drawn with them at their
            default positions, and has no curves.
        robot: robot whose model is drawn; joints that it lacks are ignored.
        influence: label of a discriminator -> {joint: share of the logit gap}, as
            :func:`amp_helpers.lessons.joint_influence` returns it; drawn as bars, ankles in another color.
        width, height: size of a robot's image, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: no clip has the ankle joints, or the frame rates differ.
    """

    def __init__(
        self,
        clips: Mapping[str, Motion],
        robot: Robot,
        *,
        influence: Mapping[str, Mapping[str, float]] | None = None,
        width: int = 280,
        height: int = 230,
        gl: bool | None = None,
    ) -> None:
        super().__init__()
        self._clips = {
            label: clip.select([name for name in robot.joint_names if name in clip.joint_names])
            for label, clip in clips.items()
        }
        if len({round(clip.fps, 6) for clip in self._clips.values()}) > 1:
            rates = ", ".join(f"{label} {clip.fps:g}" for label, clip in self._clips.items())
            raise InputError(f"clips differ in frame rate ({rates}); resample them to one")
        with_feet = clips_with_feet(self._clips, robot)
        if not with_feet:
            raise InputError(f"no clip has the ankle joints {', '.join(robot.feet_joints)}; pass one that has them")
        kinematics = Kinematics(robot)
        self._robot, self._size, self._gl = robot, (width, height), gl
        self._feet = compare_stance(with_feet, kinematics)
        self._names = foot_names(robot)
        self._foot_joints = _foot_joints(kinematics)
        self._image = cached_png(self._robot_image)
        self._curves = functools.cache(self._curve_figure)
        self._curve_image = cached_png(lambda frame: self._curves().at(frame * next(iter(self._clips.values())).dt))

        longest = max(self._clips.values(), key=lambda clip: clip.num_frames)
        self.player = FramePlayer(longest.num_frames, longest.fps)
        self.camera = ipywidgets.Dropdown(
            options=tuple(CAMERAS), value="feet", description="Camera", tooltip="view of the robots"
        )
        self.images = {label: image_box(width, height, f"The robot in the clip {label}") for label in self._clips}
        curve_width, curve_height = self._curves().size
        self.curves = image_box(curve_width, curve_height, "Height of each sole, and its slip in stance")
        self.curves.layout.max_width = "100%"
        self.text = text_block(24 * len(self._feet) * len(self._names) + 12)
        tiles = [ipywidgets.VBox([ipywidgets.Label(label), image]) for label, image in self.images.items()]
        robots = ipywidgets.HBox(tiles, layout=ipywidgets.Layout(flex_flow="row wrap"))
        children = [ipywidgets.HBox([self.camera]), self.player, robots, self.curves, self.text]
        if influence:
            children.append(_influence_image(influence))
        self.start([self.player.frame, self.camera], children)

    @property
    def view(self) -> FeetView:
        """The current selection."""
        return FeetView(self.player.frame.value, str(self.camera.value))

    def refresh(self) -> None:
        """Draw the current selection."""
        view = self.view
        for label, image in self.images.items():
            image.value = self._image(label, view.frame, view.camera)
        self.curves.value = self._curve_image(view.frame)
        lines = [str(reading) for reading in read_feet(self._feet, self._names, view.frame)]
        self.text.value = as_html("\n".join(lines))

    def _robot_image(self, label: str, frame: int, camera: str) -> np.ndarray:
        clip = self._clips[label]
        at = min(frame, clip.num_frames - 1)
        stance = self._feet[label].stance[at] if label in self._feet else np.zeros(len(self._foot_joints), dtype=bool)
        standing = [joint for joint, in_stance in zip(self._foot_joints, stance, strict=True) if in_stance]
        return shared_renderer(self._robot, *self._size, camera, self._gl).frame(clip, at, highlight=standing)

    def _curve_figure(self) -> CursorFigure:
        figure = foot_curves(self._feet, self._names)
        return CursorFigure(figure, foot_panels(figure))


def _foot_joints(kinematics: Kinematics) -> list[str]:
    """Find the parent joint of each foot's link."""
    model = kinematics.model
    return [model.joint(int(model.body(name).jntadr[0])).name for name in kinematics.robot.foot_bodies]


def _influence_image(shares: Mapping[str, Mapping[str, float]]) -> ipywidgets.Image:
    image = CursorFigure(influence_figure(shares), ()).at(0.0)
    shown = image_box(image.shape[1], image.shape[0], "Share of the discriminator's logit gap by joint")
    shown.layout.max_width = "100%"
    shown.value = encode_png(image)
    return shown
