"""A bench for mending a clip: edits are clicked together, seen and measured against the source, undone, and saved.

On your own file::

    from amp_helpers.widgets import MotionRefiner

    MotionRefiner("mine.pkl")
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.feet.edits import EDITS, Edit, compare_clips, default_robot, save_refined
from amp_helpers.feet.lock import find_stance
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.cycle import find_seam
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.feet import foot_curves, foot_panels
from amp_helpers.render.renderer import CAMERAS, shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.table import Table
from amp_helpers.widgets.feet_comparison import foot_names
from amp_helpers.widgets.marked_figure import MarkedFigure
from amp_helpers.widgets.picture import FramePlayer, Panel, as_html, picture, remembered, text_block
from amp_helpers.widgets.refinement import Bench, Refinement, overlay

SIDE_BY_SIDE, OVERLAY = "side by side", "overlay"


class MotionRefiner(Panel):
    """Edits a clip click by click: pictures and an overlay, curves of the feet and numbers beside the source's; saves.

    Args:
        source: a motion file, which is never written over.
        robot: whose joints and feet; by default the smallest G1 that has the clip's joints.
        output: where saving goes by default; ``outputs/NAME_refined.pkl`` when ``None``.
        motion: the clip, if it is not read from ``source`` as it is.
        width, height: of a robot's picture, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: the file cannot be read, or the robot lacks a joint of it.
    """

    def __init__(
        self,
        source: str | os.PathLike,
        robot: Robot | None = None,
        *,
        output: str | os.PathLike | None = None,
        motion: Motion | None = None,
        width: int = 310,
        height: int = 240,
        gl: bool | None = None,
    ) -> None:
        self._path = Path(source)
        motion = read_motion(self._path) if motion is None else motion
        self._robot = robot or default_robot(motion)
        self.bench = Bench(motion, Kinematics(self._robot))
        self.refinement = Refinement()
        self._size, self._gl = (width, height), gl
        self._rendered = functools.lru_cache(8)(self._render)  # one frame serves both pictures
        self._draw = remembered(self._robot_picture)
        self._marked = remembered(self._marked_curves)
        self._said, self._clips, self._curves = "", (motion, motion), self._curve_figure((motion, motion))
        self._make_controls(output or Path("outputs") / f"{self._path.stem}_refined.pkl")
        super().__init__([self.player.frame, self.camera, self.look], self._layout())

    def do(self, name: str, *values: float) -> None:
        """Add an edit, as its button does; one that does not fit the clip is refused in words and leaves it alone."""
        try:
            self._show(self.refinement.then(Edit(name, values)))
        except InputError as error:
            self._say(f"not done: {error}")

    def undo(self) -> None:
        """Take the last edit back."""
        self._show(self.refinement.undone())

    def start_over(self) -> None:
        """Take all edits back."""
        self._show(Refinement())

    def save(self) -> None:
        """Write the clip as it is now to the file named in ``self.output``, with its history."""
        try:
            if not self.refinement.edits:
                raise InputError(f"{self._path}: nothing was done to it; make an edit first")
            save_refined(self.output.value, self.bench.motion(self.refinement.edits), self._path, self.refinement.edits)
        except InputError as error:
            self._say(f"not saved: {error}")
        else:
            self._say(f"saved as {self.output.value}, with its history: {self.refinement}")

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        cuts, edits, frame, camera = (
            self.refinement.cuts,
            self.refinement.edits,
            self.player.frame.value,
            self.camera.value,
        )
        under = cuts if self.look.value == OVERLAY else edits
        for image, layers in zip(self.pictures, ((cuts, cuts), (under, edits)), strict=True):
            image.value = self._draw(*layers, frame, camera)
        self.curves.value = self._marked(self.refinement, frame)

    def _make_controls(self, output: str | os.PathLike) -> None:
        source = self.bench.source
        width, height = self._size
        self.span = ipywidgets.FloatRangeSlider(
            value=(0.0, source.duration_s),
            max=source.duration_s,
            step=source.dt,
            description="From, to",
            readout_format=".2f",
            tooltip="moments of the clip as it is now, s; arrow keys move them",
            layout=ipywidgets.Layout(flex="1 1 240px", min_width="220px"),
        )
        self.cutoff = ipywidgets.BoundedFloatText(
            value=8.0, min=0.5, max=round(source.fps / 2 - 0.5, 1), step=0.5, description="Cutoff, Hz",
            tooltip="faster movement is smoothed away", layout=ipywidgets.Layout(width="180px"),
        )  # fmt: skip
        self.buttons = {
            name: ipywidgets.Button(description=label, tooltip=EDITS[name].help, layout=ipywidgets.Layout(width="auto"))
            for name, label in {
                "trim": "Trim",
                "loop": "Close loop",
                "smooth": "Smooth",
                "mirror": "Mirror",
                "ground": "To the ground",
                "lock_feet": "Hold feet",
            }.items()
        }
        self.find = _button("Find loop", "move From, to onto the round that repeats itself best")
        self.undo_button = _button("Undo", "take the last edit back")
        self.restart = _button("Start over", "take all edits back")
        self.save_button = _button("Save", "write a new GMR pickle with its history; never the source")
        self.output = ipywidgets.Text(
            value=str(output),
            description="New file",
            tooltip="GMR pickle to write",
            layout=ipywidgets.Layout(flex="1 1 240px", min_width="220px"),
        )
        self.camera = ipywidgets.Dropdown(
            options=tuple(CAMERAS), value="side", description="Camera", tooltip="from where the robot is seen",
            layout=ipywidgets.Layout(width="200px"),
        )  # fmt: skip
        self.look = ipywidgets.Dropdown(
            options=(SIDE_BY_SIDE, OVERLAY), description="View", tooltip="two robots, or both in the right picture",
            layout=ipywidgets.Layout(width="220px"),
        )  # fmt: skip
        self.player = FramePlayer(source.num_frames, source.fps)
        self.pictures = tuple(picture(width, height, f"The robot {when} the edits") for when in ("before", "after"))
        self.curves = picture(*self._curves.size, "Height and sliding of the feet before and after")
        self.curves.layout.max_width = "100%"
        self.text = text_block(250)
        clicks = {
            self.buttons["trim"]: lambda: self.do("trim", *self.span.value),
            self.buttons["loop"]: lambda: self.do("loop", *self.span.value),
            self.buttons["smooth"]: lambda: self.do("smooth", self.cutoff.value),
            self.find: self._find_loop,
            self.undo_button: self.undo,
            self.restart: self.start_over,
            self.save_button: self.save,
        }
        clicks |= {self.buttons[name]: lambda name=name: self.do(name) for name in ("mirror", "ground", "lock_feet")}
        for button, action in clicks.items():
            button.on_click(lambda _, action=action: self._clicked(action))

    def _layout(self) -> list[ipywidgets.Widget]:
        self._write()
        buttons = self.buttons
        tiles = [
            ipywidgets.VBox([ipywidgets.Label(label), image])
            for label, image in zip(
                ("before", "after (in the overlay, blue where it was before)"), self.pictures, strict=True
            )
        ]
        return [
            _row(self.span, buttons["trim"], buttons["loop"], self.find),
            _row(buttons["ground"], buttons["lock_feet"], buttons["mirror"], self.cutoff, buttons["smooth"]),
            _row(self.undo_button, self.restart, self.output, self.save_button),
            self.text,
            _row(self.camera, self.look),
            self.player,
            _row(*tiles),
            self.curves,
        ]

    def _clicked(self, action: Callable[[], None]) -> None:
        with self.messages:
            action()

    def _find_loop(self) -> None:
        try:
            self.span.value = find_seam(self._clips[1])
        except InputError as error:
            self._say(f"not found: {error}")

    def _show(self, refinement: Refinement) -> None:
        clips = self.bench.pair(refinement)  # refuses before anything is changed
        self.refinement, self._clips, self._curves, self._said = refinement, clips, self._curve_figure(clips), ""
        frames, end = clips[1].num_frames, clips[1].duration_s
        with self.together():
            self.player.play.max = self.player.frame.max = frames - 1
            self.span.max, self.span.value = end, (0.0, end)
            self._write()

    def _say(self, sentence: str) -> None:
        self._said = sentence
        self._write()

    def _write(self) -> None:
        numbers = Table(("", "before", "after"), compare_clips(*self._clips, self.bench.kinematics))
        done = f"{self._path.name}: {self.refinement}" + (f"\n{self._said}" if self._said else "")
        self.text.value = f'{as_html(done)}<div style="line-height:1.3">{numbers._repr_html_()}</div>'

    def _robot_picture(self, before: tuple[Edit, ...], after: tuple[Edit, ...], frame: int, camera: str) -> np.ndarray:
        """The robot after the edits ``after``; after both lists where they differ, one laid over the other."""
        image = self._rendered(after, frame, camera)
        return image if before == after else overlay(self._rendered(before, frame, camera), image)

    def _render(self, edits: tuple[Edit, ...], frame: int, camera: str) -> np.ndarray:
        clip = self.bench.motion(edits)
        renderer = shared_renderer(self._robot, *self._size, camera, self._gl)
        return renderer.frame(clip, min(frame, clip.num_frames - 1))

    def _curve_figure(self, clips: tuple[Motion, Motion]) -> MarkedFigure:
        labelled = zip(("before", "after"), clips, strict=True)
        feet = {label: find_stance(clip, self.bench.kinematics) for label, clip in labelled}
        figure = foot_curves(feet, foot_names(self._robot))
        return MarkedFigure(figure, foot_panels(figure))

    def _marked_curves(self, refinement: Refinement, frame: int) -> np.ndarray:
        return self._curves.at(frame * self._clips[1].dt)


def _button(label: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=label, tooltip=tooltip, layout=ipywidgets.Layout(width="auto"))


def _row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    return ipywidgets.HBox(children, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"))
