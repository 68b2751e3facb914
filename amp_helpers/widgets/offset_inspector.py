"""The default-pose offset on the robot: edit it, and see what a policy is asked for when it is treated wrongly.

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

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.motion import short
from amp_helpers.render.renderer import shared_renderer
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.offsets import ADDED, DEFAULT, ONCE, POSES, SIGN, TWICE, Offsets, asked_poses, compare_pose
from amp_helpers.widgets.picture import FramePlayer, Panel, as_html, joint_slider, picture, remembered, text_block

_STEP = 0.01  # rad


@dataclass(frozen=True)
class OffsetState:
    """What an :class:`OffsetInspector` shows."""

    joint: str
    frame: int
    offsets: Offsets


def offset_text(state: OffsetState, poses: Mapping[str, np.ndarray], clip: np.ndarray, default: float) -> str:
    """The chosen joint's numbers, one line each."""
    column = state.offsets.joint_names.index(state.joint)
    lines = [
        f"{state.joint}: clip {clip[column]:+.3f} rad, your offset {state.offsets[state.joint]:+.3f}, "
        f"the environment's {default:+.3f}",
        "asked for when " + ", ".join(f"{name} {poses[name][column]:+.3f}" for name in (ONCE, ADDED, TWICE, SIGN)),
    ]
    return "\n".join(lines)


class OffsetInspector(Panel):
    """Six poses side by side: the default pose, a frame, and what is asked for by four ways to treat the offset.

    Args:
        motion: the clip; joints that the robot lacks are set aside.
        robot: whose model is drawn, and whose limits bound the editing.
        default_pose: the environment's, rad by joint name; the robot's own when ``None``.
        width, height: of each picture, pixels.
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
        self._motion = motion.select([name for name in robot.joint_names if name in motion.joint_names])
        names = self._motion.joint_names
        default = default_pose or dict(zip(robot.joint_names, robot.default_pose().tolist(), strict=True))
        if missing := [name for name in names if name not in default]:
            raise InputError(f"the default pose names no {missing[0]}; it has: {', '.join(sorted(default))}")
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

        self._picture_of = remembered(draw)
        half = ipywidgets.Layout(flex="1 1 340px", width="auto", min_width="340px")
        self.joint = joint_slider(names)
        self.joint.layout = half
        self.offset = ipywidgets.FloatSlider(
            step=_STEP,
            description="Offset, rad",
            tooltip="default position of the joint, within its limits; arrow keys move it, the number can be typed",
            layout=half,
        )
        self.turn = ipywidgets.Button(description="Turn the sign", tooltip="as -0.35 written for 0.35")
        self.reset_joint = ipywidgets.Button(description="Reset the joint", tooltip="the environment's value again")
        self.reset = ipywidgets.Button(description="Reset all", tooltip="the environment's default pose again")
        self.player = FramePlayer(motion.num_frames, motion.fps, pictures_per_s=5.0)
        self.frame = self.player.frame
        self.pictures = {name: picture(width, height, f"{robot.name}: {name}") for name in POSES}
        self.captions = {name: text_block(66) for name in POSES}
        tiles = [
            ipywidgets.VBox(
                [ipywidgets.HTML(f"<b>{name}</b>"), self.pictures[name], self.captions[name]],
                layout=ipywidgets.Layout(width=f"{width + 8}px"),
            )
            for name in POSES
        ]
        self.text = text_block(80)
        self.literal = ipywidgets.Textarea(
            description="To paste",
            tooltip="the edited offsets as InitialStateCfg takes them",
            layout=ipywidgets.Layout(width="calc(100% - 8px)", height="190px"),
        )
        for button, press in (
            (self.turn, lambda: self._offsets.turned(self.joint.value)),
            (self.reset_joint, lambda: self._offsets.with_value(self.joint.value, self._environment[self.joint.value])),
            (self.reset, lambda: self._environment),
        ):
            button.on_click(lambda _, press=press: self._edit(press()))
        self._place_slider()
        self.joint.observe(self._place_slider, names="value")
        self.offset.observe(self._take_slider, names="value")
        row = ipywidgets.Layout(flex_flow="row wrap")
        super().__init__(
            (self.joint, self.offset, self.frame),
            [
                ipywidgets.HBox([self.joint, self.offset], layout=row),
                ipywidgets.HBox([self.turn, self.reset_joint, self.reset], layout=row),
                self.player,
                ipywidgets.HBox(tiles, layout=row),
                self.text,
                self.literal,
            ],
        )

    @property
    def state(self) -> OffsetState:
        """What is shown now."""
        return OffsetState(self.joint.value, self.frame.value, self._offsets)

    def refresh(self) -> None:
        """Draw and write what is chosen now."""
        state = self.state
        clip = self._motion.joint_pos[state.frame].astype(np.float64)
        poses = asked_poses(clip, state.offsets, self._environment.values, state.joint)
        for name, pose in poses.items():
            standing = name == DEFAULT
            frame = 0 if standing else state.frame
            self.pictures[name].value = self._picture_of(standing, frame, tuple(pose.tolist()), state.joint)
            if not standing:
                self.captions[name].value = as_html(compare_pose(pose, clip, self._limits, self._short))
        self.text.value = as_html(offset_text(state, poses, clip, self._environment[state.joint]))
        self.literal.value = state.offsets.literal()

    def _edit(self, offsets: Offsets) -> None:
        with self.together():
            self._offsets = offsets
            self._place_slider()

    def _place_slider(self, change: object = None) -> None:
        """Let the slider stand at the chosen joint's offset, between its limits."""
        low, high = self._limits[self._motion.joint_names.index(self.joint.value)]
        value = self._offsets[self.joint.value]
        with self.quietly(), self.offset.hold_sync():
            self.offset.min, self.offset.max = -1e3, 1e3  # first wide, since the one must not cross the other
            self.offset.value = value
            # On whole steps, so that the arrow keys give round numbers.
            self.offset.min = min(np.ceil(low / _STEP) * _STEP, value)
            self.offset.max = max(np.floor(high / _STEP) * _STEP, value)

    def _take_slider(self, change: object) -> None:
        if not self._quiet:
            self._offsets = self._offsets.with_value(self.joint.value, self.offset.value)
