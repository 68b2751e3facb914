"""Editor for a motion clip: apply edits, compare the result with the source, undo, and save.

On your own file::

    from amp_helpers.widgets import MotionRefiner

    MotionRefiner("mine.pkl")
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError, debugging
from amp_helpers.feet.edits import EDITS, Edit, compare_clips, default_robot, save_refined
from amp_helpers.feet.lock import compare_stance
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.cycle import find_seam
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.feet import foot_curves, foot_panels
from amp_helpers.render.renderer import CAMERAS, shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.table import Table
from amp_helpers.widgets.cursor_figure import CursorFigure
from amp_helpers.widgets.feet_comparison import foot_names
from amp_helpers.widgets.panel import FramePlayer, Panel, as_html, cached_png, image_box, text_block
from amp_helpers.widgets.refinement import EditCache, Refinement, overlay

SIDE_BY_SIDE, OVERLAY = "side by side", "overlay"


class MotionRefiner(Panel):
    """Edit a clip by buttons, with images, an overlay, foot curves and numbers before and after.

    Args:
        source: a motion file, which is never overwritten.
        robot: robot of the clip; by default the smallest G1 that has its joints.
        output: file that saving writes by default; ``outputs/NAME_refined.pkl`` when ``None``.
        motion: the clip, if not to be read from ``source``.
        width, height: size of a robot's image, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: the file cannot be read, or the robot lacks a joint of the clip.
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
        super().__init__()
        self._path = Path(source)
        motion = read_motion(self._path, robot=robot) if motion is None else motion
        self._robot = robot or default_robot(motion)
        self.cache = EditCache(motion, Kinematics(self._robot))
        self.refinement = Refinement()
        self._size, self._gl = (width, height), gl
        self._rendered = functools.lru_cache(8)(self._render)  # both images may show the same frame
        self._image = cached_png(self._robot_image)
        self._curve_image = cached_png(self._curves_at)
        self._clips, self._curves = (motion, motion), self._curve_figure((motion, motion))
        self._make_controls(output or Path("outputs") / f"{self._path.stem}_refined.pkl")
        self.start([self.player.frame, self.camera, self.view], self._layout())

    def apply(self, name: str, *values: float) -> None:
        """Apply an edit, a key of :data:`amp_helpers.feet.edits.EDITS`, with its values, as its button does.

        An edit that does not fit the clip, or leaves it as it is, is reported below the buttons and not kept.
        """
        with self._reported("not applied"):
            edit = Edit(name, values)
            edited = self.refinement.with_edit(edit)
            if _same_frames(*map(self.cache.motion, (self.refinement.edits, edited.edits))):
                self._write(f"not applied: {edit} leaves the clip as it is")
            else:
                self._show(edited)

    def undo(self) -> None:
        """Remove the last edit."""
        self._show(self.refinement.undone())

    def reset(self) -> None:
        """Remove all edits."""
        self._show(Refinement())

    def save(self) -> None:
        """Write the edited clip, with its history, to the file named in :attr:`output`."""
        with self._reported("not saved"):
            edits = self.refinement.edits
            if not edits:
                raise InputError(f"{self._path}: has no edits to save; apply one first")
            folder = Path(self.output.value).parent
            where = "" if folder.is_dir() else f" in the new folder {folder}"
            save_refined(self.output.value, self.cache.motion(edits), self._path, edits)
            self._write(f"saved as {self.output.value}{where}, with its history: {self.refinement}")

    def refresh(self) -> None:
        """Draw the current selection."""
        cuts, edits = self.refinement.cuts, self.refinement.edits
        frame, camera = self.player.frame.value, self.camera.value
        below = cuts if self.view.value == OVERLAY else edits
        for image, layers in zip(self.images, ((cuts, cuts), (below, edits)), strict=True):
            image.value = self._image(*layers, frame, camera)
        self.curves.value = self._curve_image(self.refinement, frame)

    def _make_controls(self, output: str | os.PathLike) -> None:
        source = self.cache.source
        width, height = self._size
        self.range = ipywidgets.FloatRangeSlider(
            value=(0.0, source.duration_s),
            max=source.duration_s,
            step=source.dt,
            description="Range, s",
            readout_format=".2f",
            tooltip="part of the edited clip for Trim and Close loop; arrow keys move its ends",
            layout=ipywidgets.Layout(flex="1 1 240px", min_width="220px"),
        )
        self.cutoff = ipywidgets.BoundedFloatText(
            value=8.0, min=0.5, max=round(source.fps / 2 - 0.5, 1), step=0.5, description="Cutoff, Hz",
            tooltip="cutoff of the low-pass filter", layout=ipywidgets.Layout(width="180px"),
        )  # fmt: skip
        self.buttons = {
            name: ipywidgets.Button(description=label, tooltip=EDITS[name].help, layout=ipywidgets.Layout(width="auto"))
            for name, label in {
                "trim": "Trim",
                "loop": "Close loop",
                "smooth": "Smooth",
                "mirror": "Mirror",
                "ground": "Ground",
                "lock_feet": "Lock feet",
            }.items()
        }
        self.find_button = _button("Find loop", "set the range to the cycle that closes best")
        self.undo_button = _button("Undo", "remove the last edit")
        self.reset_button = _button("Reset", "remove all edits")
        self.save_button = _button("Save", "write a new GMR pickle with its history; the source is never overwritten")
        self.output = ipywidgets.Text(
            value=str(output),
            description="Output",
            tooltip="GMR pickle to write",
            layout=ipywidgets.Layout(flex="1 1 240px", min_width="220px"),
        )
        self.camera = ipywidgets.Dropdown(
            options=tuple(CAMERAS), value="feet", description="Camera", tooltip="view of the robot",
            layout=ipywidgets.Layout(width="200px"),
        )  # fmt: skip
        self.view = ipywidgets.Dropdown(
            options=(SIDE_BY_SIDE, OVERLAY), description="View", tooltip="two robots, or both in the right image",
            layout=ipywidgets.Layout(width="220px"),
        )  # fmt: skip
        self.player = FramePlayer(source.num_frames, source.fps)
        self.images = tuple(image_box(width, height, f"The robot {when} the edits") for when in ("before", "after"))
        self.curves = image_box(*self._curves.size, "Sole height and slip before and after")
        self.curves.layout.max_width = "100%"
        self.text = text_block(250)
        clicks = {
            self.buttons["trim"]: lambda: self.apply("trim", *self.range.value),
            self.buttons["loop"]: lambda: self.apply("loop", *self.range.value),
            self.buttons["smooth"]: lambda: self.apply("smooth", self.cutoff.value),
            self.find_button: self._find_loop,
            self.undo_button: self.undo,
            self.reset_button: self.reset,
            self.save_button: self.save,
        }
        clicks |= {self.buttons[name]: lambda name=name: self.apply(name) for name in ("mirror", "ground", "lock_feet")}
        for button, action in clicks.items():
            button.on_click(self.guarded(action))

    def _layout(self) -> list[ipywidgets.Widget]:
        self._write()
        buttons = self.buttons
        tiles = [
            ipywidgets.VBox([ipywidgets.Label(label), image])
            for label, image in zip(
                ("before", "after (in the overlay, blue where before differs)"), self.images, strict=True
            )
        ]
        return [
            _row(self.range, buttons["trim"], buttons["loop"], self.find_button),
            _row(buttons["ground"], buttons["lock_feet"], buttons["mirror"], self.cutoff, buttons["smooth"]),
            _row(self.undo_button, self.reset_button, self.output, self.save_button),
            self.text,
            _row(self.camera, self.view),
            self.player,
            _row(*tiles),
            self.curves,
        ]

    @contextmanager
    def _reported(self, outcome: str) -> Iterator[None]:
        """Write an :class:`InputError` within the block below the buttons; with ``AMP_DEBUG=1``, also raise it."""
        try:
            yield
        except InputError as error:
            self._write(f"{outcome}: {error}")
            if debugging():
                raise

    def _find_loop(self) -> None:
        with self._reported("not found"):
            start, end = find_seam(self._clips[1])
            self.range.value = start, end
            if (start, end) == (0.0, self._clips[1].duration_s):
                self._write("found: the whole clip is the best cycle")
            else:
                self._write(
                    f"found: the best cycle lasts from {start:.2f} to {end:.2f} s; Close loop cuts and closes it"
                )

    def _show(self, refinement: Refinement) -> None:
        clips = self.cache.pair(refinement)  # may raise, before anything changes
        self.refinement, self._clips, self._curves = refinement, clips, self._curve_figure(clips)
        frames, end = clips[1].num_frames, clips[1].duration_s
        with self.batched():
            self.player.play.max = self.player.frame.max = frames - 1
            self.range.max, self.range.value = end, (0.0, end)
            self._write()

    def _write(self, message: str = "") -> None:
        """Write the edits, a message, and the numbers before and after."""
        numbers = Table(("", "before", "after"), compare_clips(*self._clips, self.cache.kinematics))
        edits = f"{self._path.name}: {self.refinement}" + (f"\n{message}" if message else "")
        self.text.value = f'{as_html(edits)}<div style="line-height:1.3">{numbers._repr_html_()}</div>'

    def _robot_image(self, before: tuple[Edit, ...], after: tuple[Edit, ...], frame: int, camera: str) -> np.ndarray:
        """Render the robot after the edits ``after``, with an overlay of ``before`` if the lists differ."""
        image = self._rendered(after, frame, camera)
        return image if before == after else overlay(self._rendered(before, frame, camera), image)

    def _render(self, edits: tuple[Edit, ...], frame: int, camera: str) -> np.ndarray:
        clip = self.cache.motion(edits)
        renderer = shared_renderer(self._robot, *self._size, camera, self._gl)
        return renderer.frame(clip, min(frame, clip.num_frames - 1))

    def _curve_figure(self, clips: tuple[Motion, Motion]) -> CursorFigure:
        feet = compare_stance(dict(zip(("before", "after"), clips, strict=True)), self.cache.kinematics)
        figure = foot_curves(feet, foot_names(self._robot))
        return CursorFigure(figure, foot_panels(figure))

    def _curves_at(self, refinement: Refinement, frame: int) -> np.ndarray:
        return self._curves.at(frame * self._clips[1].dt)


def _same_frames(before: Motion, after: Motion) -> bool:
    pairs = ((getattr(clip, name) for clip in (before, after)) for name in ("root_pos", "root_quat", "joint_pos"))
    return all(np.array_equal(*pair) for pair in pairs)


def _button(label: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=label, tooltip=tooltip, layout=ipywidgets.Layout(width="auto"))


def _row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
    return ipywidgets.HBox(children, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"))
