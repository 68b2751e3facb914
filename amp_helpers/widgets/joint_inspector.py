"""A clip on its robot: choose a joint, a frame and a joint order; see it, and read it as numbers.

On your own robot and motion::

    from amp_helpers.formats import read_motion
    from amp_helpers.robots import Robot
    from amp_helpers.widgets import JointInspector

    JointInspector(read_motion("mine.pkl"), Robot.from_file("mine.xml"))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.motion import BLUE, GRAY, GREEN, ORANGE, RED, short
from amp_helpers.render.renderer import shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.curve import Level, Line, curve_svg
from amp_helpers.widgets.joint_rows import BY_NAME, ORDERS, JointRow, joint_rows, read_in_order
from amp_helpers.widgets.picture import FramePlayer, Panel, as_html, joint_slider, picture, remembered, text_block

# A list box is chosen from by mouse and by keyboard; in a font of equal widths it is a table as well.
_STYLE = """<style>
.{own}.{own} {{ flex-direction: column; align-items: stretch; height: auto; }}
.{own}.{own} > * {{ font: 10.5px/17px 'DejaVu Sans Mono', monospace; width: 100%; text-align: left; padding: 0 4px; }}
.{own}.{own} > label {{ font-weight: bold; height: 18px; text-overflow: clip; }}
.{own}.{own} > select {{ flex: 0 0 {height}px; overflow-x: hidden; }}
{wrong} {{ color: {color}; }}</style>"""
_MOST_ROWS = 24


@dataclass(frozen=True)
class Selection:
    """What a :class:`JointInspector` shows."""

    joint: str
    frame: int
    order: str = BY_NAME


@dataclass(frozen=True)
class Reading:
    """One joint in one frame, as numbers."""

    row: JointRow
    frame: int
    time_s: float
    angle: float
    """rad, absolute, as it reaches the robot in the chosen order."""
    right_angle: float
    """rad, what the clip says about this joint."""

    def __str__(self) -> str:
        row = self.row
        lines = [
            f"{row.joint}: column {row.dataset_column} of the dataset, {row.simulator_column} of the simulator",
            f"frame {self.frame}, {self.time_s:.2f} s: angle {self.angle:+.3f} rad ({np.degrees(self.angle):+.1f}°)",
            f"offset (default pose) {row.default:+.3f} rad",
            f"angle - offset = {self.angle - row.default:+.3f} rad, which the discriminator sees",
        ]
        if abs(self.angle - self.right_angle) > 1e-6:
            lines.append(f"wrong: the clip says {self.right_angle:+.3f} rad")
        return "\n".join(lines)


def read_joint(motion: Motion, shown: Motion, rows: Sequence[JointRow], selection: Selection) -> Reading:
    """The numbers behind a selection, of a clip and of what arrived of it in the chosen order.

    Raises:
        InputError: no such joint.
    """
    column = JointOrder(motion.joint_names).index(selection.joint)
    frame = selection.frame
    angles = (float(clip.joint_pos[frame, column]) for clip in (shown, motion))
    return Reading(rows[column], frame, frame * motion.dt, *angles)


def joint_curve(motion: Motion, shown: Motion, row: JointRow, frame: int) -> str:
    """One joint over the clip as SVG: limits, default, mean, and the frame; what was meant in gray if it differs."""
    column = motion.joint_names.index(row.joint)
    if row.source == row.joint:
        lines = [Line("its own angles", shown.joint_pos[:, column], BLUE)]
    else:
        meant = Line("its own angles", motion.joint_pos[:, column], GRAY)
        lines = [meant, Line(f"what it gets: {short(row.source)}'s", shown.joint_pos[:, column], RED)]
    levels = [
        *(Level("limit", limit, RED, "5 4") for limit in (row.low, row.high)),
        Level("default", row.default, GREEN),
        Level("mean", row.mean, ORANGE, "2 3"),
    ]
    levels = [level for level in levels if np.isfinite(level.value)]
    return curve_svg(motion.times, lines, levels, frame, f"{short(row.joint)}, rad")


class JointInspector(Panel):
    """A clip on its robot beside a table of its joints: choose a joint, a frame, and what is done with the columns.

    Args:
        motion: the clip; joints that the robot lacks are set aside.
        robot: whose model is drawn.
        simulator_names: the simulator's joint order, ``env.scene["robot"].joint_names``; breadth-first, as PhysX has
            it, when ``None``.
        default_pose: rad by joint name, the robot's own when ``None``.
        width, height: of the picture, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: the default pose lacks a joint, or the simulator does.
    """

    def __init__(
        self,
        motion: Motion,
        robot: Robot,
        simulator_names: Sequence[str] | None = None,
        *,
        default_pose: Mapping[str, float] | None = None,
        width: int = 440,
        height: int = 360,
        gl: bool | None = None,
    ) -> None:
        self._motion = motion.select([name for name in robot.joint_names if name in motion.joint_names])
        names = self._motion.joint_names
        if simulator_names is None:
            simulator_names = breadth_first(Kinematics(robot).model)
        self._simulator_names = tuple(name for name in simulator_names if name in names)
        default = default_pose or dict(zip(robot.joint_names, robot.default_pose().tolist(), strict=True))
        if missing := [name for name in names if name not in default]:
            raise InputError(f"the default pose names no {missing[0]}; it has: {', '.join(sorted(default))}")
        self._clips = {order: read_in_order(self._motion, self._simulator_names, order) for order in ORDERS}
        self._rows = {order: joint_rows(self._motion, robot, self._simulator_names, default, order) for order in ORDERS}

        def draw(order: str, frame: int, joint: str) -> np.ndarray:
            renderer = shared_renderer(robot, width, height, "quarter", gl)
            return renderer.frame(self._clips[order], frame, highlight=(joint,))

        self._picture_of = remembered(draw)
        self.order = ipywidgets.ToggleButtons(
            options=ORDERS,
            description="Columns",
            tooltips=[
                "every column to the joint of its name",
                "the file's first column to the simulator's first joint, and so on",
                "the simulator's first value to the file's first joint, and so on",
            ],
            style={"button_width": "auto"},
        )
        self.joint = ipywidgets.Select(
            rows=min(len(names), _MOST_ROWS),
            tooltip="joint to color, draw and read; click to choose one",
            layout=ipywidgets.Layout(width="calc(100% - 8px)"),
        )
        self._table_class = f"amp-joints-{self.joint.model_id}"  # another inspector on the page has other wrong rows
        self.joint.add_class(self._table_class)
        # JupyterLab takes the keys that move through a list box, and leaves those of a slider alone.
        self.step = joint_slider(names)
        self.step.observe(lambda change: setattr(self.joint, "value", change["new"]), names="value")
        self.player = FramePlayer(motion.num_frames, motion.fps)
        self.frame = self.player.frame
        self.picture = picture(width, height, f"{robot.name} in the pose of the chosen frame")
        self.curve = ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", height="186px"))
        self.summary = text_block(30)
        self.text = text_block(130)
        self._style = ipywidgets.HTML(layout=ipywidgets.Layout(height="0px", margin="0"))
        self._tabled = ""
        self._fill_table()
        column = {"flex_flow": "column", "margin": "0 12px 0 0"}
        seen = ipywidgets.VBox(
            [self.picture, self.player, self.curve], layout=ipywidgets.Layout(width=f"{width}px", **column)
        )
        read = ipywidgets.VBox(
            [self.step, self.joint, self.text], layout=ipywidgets.Layout(flex="1 1 600px", min_width="600px", **column)
        )
        side_by_side = ipywidgets.HBox([seen, read], layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__((self.order, self.joint, self.frame), [self._style, self.order, self.summary, side_by_side])

    @property
    def selection(self) -> Selection:
        """What is chosen now."""
        return Selection(self.joint.value, self.frame.value, self.order.value)

    @property
    def rows(self) -> tuple[JointRow, ...]:
        """The table as it stands now."""
        return self._rows[self.order.value]

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        if self._tabled != self.order.value:
            self._fill_table()
        chosen, shown = self.selection, self._clips[self.order.value]
        self.step.value = chosen.joint
        reading = read_joint(self._motion, shown, self.rows, chosen)
        self.picture.value = self._picture_of(chosen.order, chosen.frame, chosen.joint)
        self.curve.value = joint_curve(self._motion, shown, reading.row, chosen.frame)
        self.text.value = as_html(str(reading))

    def _fill_table(self) -> None:
        rows, joint = self.rows, self.joint.value
        self._tabled = self.order.value
        with self.quietly(), self.joint.hold_sync():
            self.joint.description = JointRow.header(rows).replace(" ", "\u00a0")
            self.joint.options = [(row.line(rows).replace(" ", "\u00a0"), row.joint) for row in rows]
            self.joint.value = joint or rows[0].joint
        own = self._table_class
        wrong = [f".{own} option:nth-child({place})" for place, row in enumerate(rows, 1) if not row.ok]
        self._style.value = _STYLE.format(
            own=own, height=14 * self.joint.rows + 6, wrong=", ".join(wrong) or ".nothing", color=RED
        )
        right = sum(row.source == row.joint for row in rows)
        beyond = sum(row.beyond > 0 for row in rows)
        self.summary.value = as_html(
            f"{self.order.value}: {right} of {len(rows)} joints get their own angles, {beyond} beyond their limits"
        )
