"""The feet of a clip before and after a remedy: robots in step, curves below them, and what a discriminator looks at.

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
from amp_helpers.feet.lock import Feet, find_stance
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.feet import foot_curves, foot_panels
from amp_helpers.plots.motion import influence as influence_figure
from amp_helpers.render.renderer import CAMERAS, shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.marked_figure import MarkedFigure
from amp_helpers.widgets.picture import FramePlayer, Panel, as_html, picture, png, remembered, text_block


@dataclass(frozen=True)
class FeetView:
    """What a :class:`FeetComparison` shows."""

    frame: int = 0
    camera: str = "feet"


@dataclass(frozen=True)
class FootReading:
    """One foot of one clip in one frame."""

    clip: str
    foot: str
    height_m: float
    """Of the sole's lowest point above the ground."""
    sliding_mps: float
    """Of the sole's lowest point over the ground; NaN while the foot swings."""

    def __str__(self) -> str:
        does = "swings" if np.isnan(self.sliding_mps) else f"stands, sliding at {self.sliding_mps:.2f} m/s"
        return f"{self.clip}, {self.foot}: sole at {1000 * self.height_m:+.0f} mm, {does}"


def foot_names(robot: Robot) -> tuple[str, ...]:
    """What to call a robot's feet: their sides where their names begin with one."""
    sides = [name.partition("_")[0] for name in robot.foot_bodies]
    told = set(sides) <= {"left", "right"} and len(set(sides)) == len(sides)
    return tuple(sides) if told else robot.foot_bodies


def read_feet(feet: Mapping[str, Feet], names: tuple[str, ...], frame: int) -> list[FootReading]:
    """The numbers behind a frame, foot by foot of each clip; a clip that has ended holds its last frame."""
    readings = []
    for clip, its in feet.items():
        at = min(frame, len(its.times) - 1)
        readings += [
            FootReading(clip, foot, float(its.sole_height[at, column]), float(its.sliding[at, column]))
            for column, foot in enumerate(names)
        ]
    return readings


def clips_with_feet(clips: Mapping[str, Motion], robot: Robot) -> dict[str, Motion]:
    """Those clips that say how the feet are held, which one without the ankle joints does not."""
    return {label: clip for label, clip in clips.items() if set(robot.feet_joints) <= set(clip.joint_names)}


class FeetComparison(Panel):
    """Clips of one motion in step, standing feet colored; height and sliding of the feet below, at the present frame.

    Args:
        clips: what to call a clip -> the clip; the same frame rate in all of them. One that lacks the feet's joints is
            drawn with its feet at the default angle, and has no curves.
        robot: whose model is drawn; joints of a clip that it lacks are set aside.
        influence: what to call a discriminator -> {joint: how much of the gap it explains}, as
            :func:`amp_helpers.lessons.joint_influence` gives it; drawn as bars, ankles in another color.
        width, height: of a robot's picture, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: no clip has feet, or the frame rates differ.
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
        self._clips = {
            label: clip.select([name for name in robot.joint_names if name in clip.joint_names])
            for label, clip in clips.items()
        }
        if len({round(clip.fps, 6) for clip in self._clips.values()}) > 1:
            rates = ", ".join(f"{label} {clip.fps:g}" for label, clip in self._clips.items())
            raise InputError(f"clips differ in frame rate ({rates}); resample them to one")
        with_feet = clips_with_feet(self._clips, robot)
        if not with_feet:
            raise InputError(f"no clip has the feet's joints {', '.join(robot.feet_joints)}; give one that has them")
        kinematics = Kinematics(robot)
        self._robot, self._size, self._gl = robot, (width, height), gl
        self._feet = {label: find_stance(clip, kinematics) for label, clip in with_feet.items()}
        self._names = foot_names(robot)
        self._foot_joints = _own_joints(kinematics)
        self._draw = remembered(self._robot_picture)
        self._curves = functools.cache(self._curve_figure)
        self._marked = remembered(lambda frame: self._curves().at(frame * next(iter(self._clips.values())).dt))

        longest = max(self._clips.values(), key=lambda clip: clip.num_frames)
        self.player = FramePlayer(longest.num_frames, longest.fps)
        self.camera = ipywidgets.Dropdown(
            options=tuple(CAMERAS), value="feet", description="Camera", tooltip="from where the robots are seen"
        )
        self.pictures = {
            label: picture(width, height, f"The robot in the clip called {label}") for label in self._clips
        }
        curve_width, curve_height = self._curves().size
        self.curves = picture(curve_width, curve_height, "Height of each sole and its sliding while it stands")
        self.curves.layout.max_width = "100%"
        self.text = text_block(24 * len(self._feet) * len(self._names) + 12)
        tiles = [ipywidgets.VBox([ipywidgets.Label(label), image]) for label, image in self.pictures.items()]
        robots = ipywidgets.HBox(tiles, layout=ipywidgets.Layout(flex_flow="row wrap"))
        children = [ipywidgets.HBox([self.camera]), self.player, robots, self.curves, self.text]
        if influence:
            children.append(_influence_picture(influence))
        super().__init__([self.player.frame, self.camera], children)

    @property
    def view(self) -> FeetView:
        """What is chosen now."""
        return FeetView(self.player.frame.value, self.camera.value)

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        view = self.view
        for label, image in self.pictures.items():
            image.value = self._draw(label, view.frame, view.camera)
        self.curves.value = self._marked(view.frame)
        lines = [str(reading) for reading in read_feet(self._feet, self._names, view.frame)]
        self.text.value = as_html("\n".join(lines))

    def _robot_picture(self, label: str, frame: int, camera: str) -> np.ndarray:
        clip = self._clips[label]
        at = min(frame, clip.num_frames - 1)
        stance = self._feet[label].stance[at] if label in self._feet else np.zeros(len(self._foot_joints), dtype=bool)
        standing = [joint for joint, stands in zip(self._foot_joints, stance, strict=True) if stands]
        return shared_renderer(self._robot, *self._size, camera, self._gl).frame(clip, at, highlight=standing)

    def _curve_figure(self) -> MarkedFigure:
        figure = foot_curves(self._feet, self._names)
        return MarkedFigure(figure, foot_panels(figure))


def _own_joints(kinematics: Kinematics) -> list[str]:
    """The joint that moves each foot's link."""
    model = kinematics.model
    return [model.joint(int(model.body(name).jntadr[0])).name for name in kinematics.robot.foot_bodies]


def _influence_picture(shares: Mapping[str, Mapping[str, float]]) -> ipywidgets.Image:
    image = MarkedFigure(influence_figure(shares), ()).at(0.0)
    shown = picture(image.shape[1], image.shape[0], "How much each joint gives the clip away to a discriminator")
    shown.layout.max_width = "100%"
    shown.value = png(image)
    return shown
