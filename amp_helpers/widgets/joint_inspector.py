"""Inspector of a clip's joint order: select a joint, a frame and a mapping of the columns, and see the robot.

On your own robot and motion::

    from amp_helpers.formats import read_motion
    from amp_helpers.robots import Robot
    from amp_helpers.widgets import JointInspector

    JointInspector(read_motion("mine.pkl"), Robot.from_file("mine.xml"))
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import numpy as np

from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.style import BLUE, GRAY, GREEN, ORANGE, RED, short
from amp_helpers.render.renderer import shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.curve import Level, Line, curve_svg
from amp_helpers.widgets.joint_rows import (
    BY_NAME,
    ORDERS,
    JointRow,
    default_positions,
    joint_rows,
    joint_table,
    read_in_order,
)
from amp_helpers.widgets.panel import FramePlayer, Panel, as_html, cached_png, image_box, joint_slider, text_block


@dataclass(frozen=True)
class Selection:
    """Joint, frame and column mapping that a :class:`JointInspector` shows."""

    joint: str
    frame: int
    order: str = BY_NAME


@dataclass(frozen=True)
class Reading:
    """One joint in one frame."""

    row: JointRow
    frame: int
    time_s: float
    angle: float
    """Absolute position that the robot receives in the selected order, rad."""
    clip_angle: float
    """Absolute position of this joint in the clip, rad."""

    def __str__(self) -> str:
        row = self.row
        lines = [
            f"{row.joint}: column {row.dataset_column} of the dataset, {row.simulator_column} of the simulator",
            f"frame {self.frame}, {self.time_s:.2f} s: angle {self.angle:+.3f} rad ({np.degrees(self.angle):+.1f}°)",
            f"default position (offset) {row.default:+.3f} rad",
            f"angle - offset = {self.angle - row.default:+.3f} rad, an input of the discriminator",
        ]
        if abs(self.angle - self.clip_angle) > 1e-6:
            lines.append(f"wrong: the clip has {self.clip_angle:+.3f} rad")
        return "\n".join(lines)


def read_joint(motion: Motion, shown: Motion, rows: Sequence[JointRow], selection: Selection) -> Reading:
    """Read the selected joint and frame from a clip and from ``shown``, the clip in the selected order.

    Raises:
        InputError: the joint is unknown.
    """
    column = JointOrder(motion.joint_names).index(selection.joint)
    frame = selection.frame
    angles = (float(clip.joint_pos[frame, column]) for clip in (shown, motion))
    return Reading(rows[column], frame, frame * motion.dt, *angles)


def joint_curve(motion: Motion, shown: Motion, row: JointRow, frame: int) -> str:
    """Draw a joint over a clip as SVG, with limits, default, mean and frame.

    Angles of another joint are red, over those of the clip in gray.
    """
    column = motion.joint_names.index(row.joint)
    if row.source == row.joint:
        lines = [Line("clip", shown.joint_pos[:, column], BLUE)]
    else:
        expected = Line("clip", motion.joint_pos[:, column], GRAY)
        lines = [expected, Line(f"received: {short(row.source)}", shown.joint_pos[:, column], RED)]
    levels = [
        *(Level("limit", limit, RED, "5 4") for limit in (row.low, row.high)),
        Level("default", row.default, GREEN),
        Level("mean", row.mean, ORANGE, "2 3"),
    ]
    levels = [level for level in levels if np.isfinite(level.value)]
    return curve_svg(motion.times, lines, levels, frame, f"{short(row.joint)}, rad")


class JointInspector(Panel):
    """Show a clip on its robot beside a table of its joints; select a joint, a frame, and a mapping of the columns.

    Args:
        motion: the clip; joints that the robot lacks are ignored.
        robot: robot whose model is drawn.
        simulator_names: the simulator's joint order, ``env.scene["robot"].joint_names``; breadth-first, like that of
            PhysX, when ``None``.
        default_pose: default positions by joint name, rad; the robot's when ``None``.
        width, height: size of the image, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: the default pose or the simulator lacks a joint.
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
        super().__init__()
        self._motion = motion.select([name for name in robot.joint_names if name in motion.joint_names])
        names = self._motion.joint_names
        if simulator_names is None:
            simulator_names = breadth_first(Kinematics(robot).model)
        self._simulator_names = tuple(name for name in simulator_names if name in names)
        default = default_positions(robot, names, default_pose)
        self._clips = {order: read_in_order(self._motion, self._simulator_names, order) for order in ORDERS}
        self._rows = {order: joint_rows(self._motion, robot, self._simulator_names, default, order) for order in ORDERS}

        def draw(order: str, frame: int, joint: str) -> np.ndarray:
            renderer = shared_renderer(robot, width, height, "quarter", gl)
            return renderer.frame(self._clips[order], frame, highlight=(joint,))

        self._image = cached_png(draw)
        self._table = functools.cache(lambda order, joint: joint_table(self._rows[order], joint))
        self._make_controls(robot.name, width, height)
        joint_row = ipywidgets.HBox([self.joint, self.slider])
        self.start((self.order, self.joint, self.frame), [self.order, self.summary, joint_row, self._columns(width)])

    def _make_controls(self, robot: str, width: int, height: int) -> None:
        names = self._motion.joint_names
        self.order = ipywidgets.ToggleButtons(
            options=ORDERS,
            description="Columns",
            tooltips=[
                "assign each column to the joint of its name",
                "assign the dataset's columns to the simulator's joints by index",
                "assign the simulator's columns to the dataset's joints by index",
            ],
            style={"button_width": "auto"},
        )
        self.joint = ipywidgets.Dropdown(
            options=[(short(name), name) for name in names],
            description="Joint",
            tooltip="joint to highlight, plot and read",
            style={"description_width": "auto"},
            layout=ipywidgets.Layout(width="240px"),
        )
        # JupyterLab catches the arrow keys of a list, but not those of a slider.
        self.slider = joint_slider(names)
        self.slider.description, self.slider.readout = "", False
        self._link = ipywidgets.link((self.slider, "value"), (self.joint, "value"))
        self.player = FramePlayer(self._motion.num_frames, self._motion.fps)
        self.frame = self.player.frame
        self.image = image_box(width, height, f"{robot} in the pose of the selected frame")
        self.curve = ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", height="186px"))
        self.summary = text_block(30)
        self.text = text_block(130)
        self.table = ipywidgets.HTML(layout=ipywidgets.Layout(width="100%", overflow="auto"))

    def _columns(self, width: int) -> ipywidgets.HBox:
        # Picture and table are beside each other also at the width that JupyterLab leaves beside its file browser, and
        # the table has the 548 pixels that it takes. The joint is chosen above the picture, which is then in view.
        self.image.layout.width, self.image.layout.height = "100%", "auto"
        column = {"flex_flow": "column", "margin": "0 12px 0 0", "min_width": "0"}
        left = ipywidgets.VBox(
            [self.image, self.player, self.curve],
            layout=ipywidgets.Layout(flex="1 1 270px", max_width=f"{width}px", **column),
        )
        right = ipywidgets.VBox(
            [self.table, self.text], layout=ipywidgets.Layout(flex="9 1 380px", max_width="548px", **column)
        )
        return ipywidgets.HBox([left, right], layout=ipywidgets.Layout(flex_flow="row wrap"))

    @property
    def selection(self) -> Selection:
        """The current selection."""
        return Selection(str(self.joint.value), self.frame.value, str(self.order.value))

    @property
    def rows(self) -> tuple[JointRow, ...]:
        """The rows of the table."""
        return self._rows[self.selection.order]

    def refresh(self) -> None:
        """Draw the current selection."""
        selection, rows = self.selection, self.rows
        shown = self._clips[selection.order]
        reading = read_joint(self._motion, shown, rows, selection)
        self.image.value = self._image(selection.order, selection.frame, selection.joint)
        self.curve.value = joint_curve(self._motion, shown, reading.row, selection.frame)
        self.text.value = as_html(str(reading))
        self.table.value = self._table(selection.order, selection.joint)
        right = sum(row.source == row.joint for row in rows)
        outside = sum(row.outside > 0 for row in rows)
        self.summary.value = as_html(
            f"{selection.order}: {right} of {len(rows)} joints get their own angles; outside their limits: {outside}"
        )
