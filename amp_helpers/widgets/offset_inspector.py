"""Inspector of the default-pose offset: edit it, and see the joint targets of each incorrect treatment.

On your own robot and motion::

    from amp_helpers.formats import read_motion
    from amp_helpers.robots import Robot
    from amp_helpers.widgets import OffsetInspector

    OffsetInspector(read_motion("mine.pkl"), Robot.from_file("mine.xml"))
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import ipywidgets
import numpy as np

from amp_helpers.motion.motion import Motion
from amp_helpers.plots.style import short
from amp_helpers.render.renderer import shared_renderer
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.joint_rows import default_positions
from amp_helpers.widgets.offsets import ADDED, DEFAULT, ONCE, POSES, SIGN, TWICE, Offsets, compare_pose, target_poses
from amp_helpers.widgets.panel import FramePlayer, Panel, as_html, cached_png, image_box, joint_slider, text_block

_STEP = 0.01  # rad


@dataclass(frozen=True)
class OffsetState:
    """Joint, frame and offsets that an :class:`OffsetInspector` shows."""

    joint: str
    frame: int
    offsets: Offsets


def offset_text(state: OffsetState, poses: Mapping[str, np.ndarray], clip: np.ndarray, default: float) -> str:
    """Describe the selected joint: its position in the clip, its offsets, and its target for each treatment, rad."""
    column = state.offsets.joint_names.index(state.joint)
    lines = [
        f"{state.joint}: clip {clip[column]:+.3f} rad, your offset {state.offsets[state.joint]:+.3f}, "
        f"the environment's {default:+.3f}",
        "joint target if " + ", ".join(f"{name} {poses[name][column]:+.3f}" for name in (ONCE, ADDED, TWICE, SIGN)),
    ]
    return "\n".join(lines)


class OffsetInspector(Panel):
    """Show six poses: the default pose, a frame of the clip, and the joint targets of four treatments of the offset.

    Args:
        motion: the clip; joints that the robot lacks are ignored.
        robot: robot whose model is drawn; its joint limits bound the offsets.
        default_pose: the environment's default positions by joint name, rad; the robot's when ``None``.
        width, height: size of each image, pixels.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: the default pose lacks a joint.
    """

    def __init__(
        self,
        motion: Motion,
        robot: Robot,
        *,
        default_pose: Mapping[str, float] | None = None,
        width: int = 168,
        height: int = 250,
        gl: bool | None = None,
    ) -> None:
        super().__init__()
        self._motion = motion.select([name for name in robot.joint_names if name in motion.joint_names])
        names = self._motion.joint_names
        default = default_positions(robot, names, default_pose)
        self._environment = Offsets(names, tuple(round(float(default[name]), 6) for name in names))
        self._offsets = self._environment
        self._short = [short(name) for name in names]
        limits = robot.joint_limits()[[robot.joint_names.index(name) for name in names]].astype(np.float64)
        self._limits = np.where(np.isfinite(limits), limits, [-np.pi, np.pi])
        upright = replace(
            self._motion, root_pos=self._motion.root_pos * (1, 1, 0) + (0, 0, robot.default_root_height),
            root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (motion.num_frames, 1)),
        )  # fmt: skip

        def draw(standing: bool, frame: int, angles: tuple[float, ...], joint: str) -> np.ndarray:
            root = upright if standing else self._motion
            pose = Motion(motion.fps, names, np.array([angles]), root.root_pos[[frame]], root.root_quat[[frame]])
            renderer = shared_renderer(robot, width, height, "quarter", gl)
            return renderer.frame(pose, 0, highlight=(joint,))

        self._image = cached_png(draw)
        self._make_controls(robot.name, width, height)
        self._set_slider()
        self._connect()
        row = ipywidgets.Layout(flex_flow="row wrap")
        self.start(
            (self.joint, self.offset, self.frame),
            [
                ipywidgets.HBox([self.joint, self.offset], layout=row),
                ipywidgets.HBox([self.flip, self.reset_joint, self.reset], layout=row),
                self.player,
                ipywidgets.HBox([self._tile(name, width) for name in POSES], layout=row),
                self.text,
                self.literal,
            ],
        )

    def _make_controls(self, robot: str, width: int, height: int) -> None:
        half = ipywidgets.Layout(flex="1 1 340px", width="auto", min_width="340px")
        self.joint = joint_slider(self._motion.joint_names)
        self.joint.layout = half
        self.offset = ipywidgets.FloatSlider(
            step=_STEP,
            description="Offset, rad",
            tooltip="default position of the joint, within its limits; use the arrow keys or type a number",
            layout=half,
        )
        self.flip = ipywidgets.Button(description="Flip sign", tooltip="for example -0.35 in place of 0.35")
        self.reset_joint = ipywidgets.Button(description="Reset joint", tooltip="restore the environment's value")
        self.reset = ipywidgets.Button(description="Reset all", tooltip="restore the environment's default pose")
        self.player = FramePlayer(self._motion.num_frames, self._motion.fps, images_per_s=5.0)
        self.frame = self.player.frame
        self.images = {name: image_box(width, height, f"{robot}: {name}") for name in POSES}
        self.captions = {name: text_block(66) for name in POSES}
        self.text = text_block(80)
        self.literal = ipywidgets.Textarea(
            description="Code",
            tooltip="the offsets as the argument of InitialStateCfg, to copy",
            layout=ipywidgets.Layout(width="calc(100% - 8px)", height="190px"),
        )

    def _tile(self, pose: str, width: int) -> ipywidgets.VBox:
        """Title, image and caption of a pose."""
        return ipywidgets.VBox(
            [ipywidgets.HTML(f"<b>{pose}</b>"), self.images[pose], self.captions[pose]],
            layout=ipywidgets.Layout(width=f"{width + 8}px"),
        )

    def _connect(self) -> None:
        self.flip.on_click(self.guarded(lambda: self._edit(self._offsets.with_flipped_sign(self._joint))))
        self.reset_joint.on_click(self.guarded(lambda: self._edit_joint(self._environment[self._joint])))
        self.reset.on_click(self.guarded(lambda: self._edit(self._environment)))
        self.joint.observe(self.guarded(self._set_slider), names="value")
        self.offset.observe(self.guarded(self._read_slider), names="value")

    @property
    def state(self) -> OffsetState:
        """The current selection and offsets."""
        return OffsetState(self._joint, self.frame.value, self._offsets)

    def refresh(self) -> None:
        """Draw the current selection."""
        state = self.state
        clip = self._motion.joint_pos[state.frame].astype(np.float64)
        poses = target_poses(clip, state.offsets, self._environment.values, state.joint)
        for name, pose in poses.items():
            standing = name == DEFAULT
            frame = 0 if standing else state.frame
            self.images[name].value = self._image(standing, frame, tuple(pose.tolist()), state.joint)
            if not standing:
                self.captions[name].value = as_html(compare_pose(pose, clip, self._limits, self._short))
        self.text.value = as_html(offset_text(state, poses, clip, self._environment[state.joint]))
        self.literal.value = state.offsets.literal()

    @property
    def _joint(self) -> str:
        return str(self.joint.value)

    def _edit(self, offsets: Offsets) -> None:
        with self.batched():
            self._offsets = offsets
            self._set_slider()

    def _edit_joint(self, value: float) -> None:
        self._edit(self._offsets.with_value(self._joint, value))

    def _set_slider(self) -> None:
        """Set the slider's value and range to the selected joint's offset and limits."""
        low, high = self._limits[self._motion.joint_names.index(self._joint)]
        value = self._offsets[self._joint]
        with self.paused(), self.offset.hold_sync():
            self.offset.min, self.offset.max = -1e3, 1e3  # wide first, since min must never exceed max
            self.offset.value = value
            # Multiples of the step, so that the arrow keys give round numbers.
            self.offset.min = min(np.ceil(low / _STEP) * _STEP, value)
            self.offset.max = max(np.floor(high / _STEP) * _STEP, value)

    def _read_slider(self) -> None:
        if not self._paused:
            self._offsets = self._offsets.with_value(self._joint, self.offset.value)
