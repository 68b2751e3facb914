"""A clip on its robot: choose a joint, a frame and a joint order; see it and read it.

On your own robot and motion::

    from amp_helpers.formats import read_motion
    from amp_helpers.robots import G1_29DOF
    from amp_helpers.widgets import JointInspector

    JointInspector(read_motion("mine.pkl"), G1_29DOF, simulator_names=env.scene["robot"].joint_names)
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion import Motion
from amp_helpers.render import Renderer
from amp_helpers.robots import Robot
from amp_helpers.widgets.picture import png

BY_NAME = "by name"
DATASET_AS_SIMULATOR = "dataset read as simulator"
SIMULATOR_AS_DATASET = "simulator read as dataset"
ORDERS = (BY_NAME, DATASET_AS_SIMULATOR, SIMULATOR_AS_DATASET)
"""What can be done with columns on their way from one order to another; only the first is right."""


def read_in_order(motion: Motion, simulator_names: Sequence[str], order: str) -> Motion:
    """A clip after its columns were taken from one joint order to another, by name or, wrongly, by position.

    Args:
        motion: the clip, its columns in the dataset's order.
        simulator_names: the same joints in the simulator's order.
        order: ``by name`` leaves the clip as it is. ``dataset read as simulator`` gives the first column to the
            simulator's first joint, and so on. ``simulator read as dataset`` is the way back: the simulator's first
            value is taken for the dataset's first joint.

    Raises:
        InputError: no such order, or the joints are not the same.
    """
    if order not in ORDERS:
        raise InputError(f"order '{order}' not found; available: {', '.join(ORDERS)}")
    simulator = JointOrder(tuple(simulator_names))
    report = simulator.compare(motion.joint_names)
    if report.missing or report.extra:
        raise InputError(
            f"{motion.source or 'motion'}: its joints are not the simulator's ({report}); select them first"
        )
    if order == BY_NAME:
        return motion
    if order == DATASET_AS_SIMULATOR:
        return replace(motion, joint_names=simulator.names)
    return replace(motion, joint_pos=simulator.reorder(motion.joint_pos, motion.joint_names))


@dataclass(frozen=True)
class Selection:
    """What a :class:`JointInspector` shows."""

    joint: str
    frame: int
    order: str = BY_NAME


@dataclass(frozen=True)
class Reading:
    """One joint in one frame, as numbers."""

    joint: str
    dataset_column: int
    simulator_column: int
    angle: float
    """rad, absolute, as it reaches the robot in the chosen order."""
    right_angle: float
    """rad, what the clip says about this joint."""
    default: float
    """rad, the robot's default pose."""

    def __str__(self) -> str:
        lines = [
            f"{self.joint}: column {self.dataset_column} of the dataset, {self.simulator_column} of the simulator",
            f"angle {self.angle:+.3f} rad ({np.degrees(self.angle):+.1f}°)",
            f"offset (default pose) {self.default:+.3f} rad",
            f"angle - offset = {self.angle - self.default:+.3f} rad, which the discriminator sees",
        ]
        if abs(self.angle - self.right_angle) > 1e-6:
            lines.append(f"wrong: the clip says {self.right_angle:+.3f} rad")
        return "\n".join(lines)


def read_joint(
    motion: Motion, simulator_names: Sequence[str], default_pose: Mapping[str, float], selection: Selection
) -> Reading:
    """The numbers behind a selection.

    Raises:
        InputError: no such joint or order.
    """
    column = JointOrder(motion.joint_names).index(selection.joint)
    if selection.joint not in default_pose:
        raise InputError(f"the default pose names no {selection.joint}; it has: {', '.join(sorted(default_pose))}")
    shown = read_in_order(motion, simulator_names, selection.order)
    return Reading(
        joint=selection.joint,
        dataset_column=column,
        simulator_column=JointOrder(tuple(simulator_names)).index(selection.joint),
        angle=float(shown.joint_pos[selection.frame, shown.joint_names.index(selection.joint)]),
        right_angle=float(motion.joint_pos[selection.frame, column]),
        default=float(default_pose[selection.joint]),
    )


class JointInspector(ipywidgets.VBox):
    """A clip on its robot: choose a joint, a frame, and what is done with the column order; see it and read it.

    Args:
        motion: the clip; joints that the robot lacks are set aside.
        robot: whose model is drawn.
        simulator_names: the simulator's joint order, ``env.scene["robot"].joint_names``.
        default_pose: rad by joint name, the robot's own when ``None``.
        width, height: of the picture, pixels.
        gl: as in :class:`amp_helpers.render.Renderer`.
    """

    def __init__(
        self,
        motion: Motion,
        robot: Robot,
        simulator_names: Sequence[str],
        *,
        default_pose: Mapping[str, float] | None = None,
        width: int = 400,
        height: int = 400,
        gl: bool | None = None,
    ) -> None:
        self._motion = motion.select([name for name in robot.joint_names if name in motion.joint_names])
        self._simulator_names = tuple(name for name in simulator_names if name in self._motion.joint_names)
        self._default = default_pose or dict(zip(robot.joint_names, robot.default_pose(), strict=True))
        self._renderer = Renderer(robot, width, height, camera="quarter", gl=gl)
        wide = ipywidgets.Layout(width="420px")
        self.joint = ipywidgets.Dropdown(
            options=self._motion.joint_names, description="Joint", tooltip="joint to colour and read", layout=wide
        )
        self.frame = ipywidgets.IntSlider(
            max=self._motion.num_frames - 1,
            description="Frame",
            tooltip="frame of the clip",
            continuous_update=False,
            layout=wide,
        )
        self.order = ipywidgets.Dropdown(
            options=ORDERS, description="Order", tooltip="how columns are mapped between the two orders", layout=wide
        )
        self.picture = ipywidgets.Image(
            format="png", layout=ipywidgets.Layout(width=f"{width}px", height=f"{height}px", flex="0 0 auto")
        )
        self.text = ipywidgets.HTML(layout=ipywidgets.Layout(width="420px", min_height="150px"))
        self.messages = ipywidgets.Output()
        controls = ipywidgets.VBox([self.joint, self.frame, self.order, self.text])
        super().__init__([ipywidgets.HBox([self.picture, controls]), self.messages])
        for control in (self.joint, self.frame, self.order):
            control.observe(self._changed, names="value")
        self.refresh()

    @property
    def selection(self) -> Selection:
        """What is chosen now."""
        return Selection(self.joint.value, self.frame.value, self.order.value)

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        chosen = self.selection
        reading = read_joint(self._motion, self._simulator_names, self._default, chosen)
        shown = read_in_order(self._motion, self._simulator_names, chosen.order)
        self.picture.value = png(self._renderer.frame(shown, chosen.frame, highlight=(chosen.joint,)))
        lines = html.escape(str(reading)).replace("\n", "<br>")
        self.text.value = f'<div aria-live="polite" style="line-height:1.6;padding:8px">{lines}</div>'

    def _changed(self, change: object) -> None:
        # An exception in a callback would end nowhere; in an Output it is on the page, and the runner finds it.
        with self.messages:
            self.refresh()
