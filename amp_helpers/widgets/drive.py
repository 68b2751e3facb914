"""A robot that walks in a notebook's cell, in plain MuJoCo, and that you steer.

On your own policy, after ``python -m amp_helpers.export --checkpoint runs/mine --output bundle``::

    from amp_helpers.widgets import Drive

    Drive("bundle")
"""

import asyncio
import base64
import html
import math
import os
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from amp_helpers.deploy.bundles import named_bundles
from amp_helpers.deploy.driver import STEP, Driver, Figures, History
from amp_helpers.motion.rotations import wrap_to_pi
from amp_helpers.render.renderer import shared_renderer, write_video
from amp_helpers.robots.robot import Robot
from amp_helpers.widgets.curve import Line, curve_svg
from amp_helpers.widgets.driving import DIRECTIONS, FIGURES_PER_S, PICTURES_PER_S
from amp_helpers.widgets.panel import Panel, encode_png, image_box
from amp_helpers.widgets.stage import Stage

CAMERAS = ("behind", "side", "quarter", "front")
"""Views of the robot; each turns with it."""
SILENT_S = 5.0
"""Time without an answer after which a page counts as closed, s."""
RECORDING_FPS = 12.5
_TURNING = 0.06
"""Share of the change of heading that the camera follows in a picture, so that it does not sway with the pelvis."""
_COMMAND, _MEASURED = "#8a949e", "#0072b2"
_KEYS = (
    "Click the picture or tab to it: ↑ ↓ change the speed, ← → the turn, space stops, P pushes, R resets. "
    "A gamepad steers with its left stick."
)


class Drive(Panel):
    """Show a robot that walks live under your command, with its speed, stride frequency and falls.

    It walks while a page shows it and the kernel is idle; running another cell pauses it. Where no page is open, as
    under papermill, the widget holds a picture and a short video.

    Args:
        policies: bundles that ``export`` wrote, names of shipped policies, or what ``export --checkpoint`` takes (which
            is then exported first, and needs Isaac Lab); the first one drives.
        task: ``package.module:ID``, for a run of a task of your own; a bundle needs none.
        robot: ``None`` for the one that the bundles name.
        width, height: size of the picture, pixels.
        recording_s: length of the video, s; 0 for none.
        gl: as in :class:`amp_helpers.render.renderer.Renderer`.

    Raises:
        InputError: a policy cannot be used, or they are of different robots.
    """

    def __init__(
        self,
        *policies: str | os.PathLike,
        task: str | None = None,
        robot: Robot | None = None,
        width: int = 480,
        height: int = 360,
        recording_s: float = 4.0,
        gl: bool | None = None,
    ) -> None:
        super().__init__()
        self.driver = Driver(named_bundles(policies, task=task), robot)
        """What drives: its ``command``, ``figures``, ``push``, ``reset`` and ``switch`` do what the controls do."""
        self._size, self._gl = (width, height), gl
        self._azimuth = 0.0
        self._task: asyncio.Task[None] | None = None
        self._loop = _running_loop()
        self._make_controls(width, height)
        self.start([], self._layout())
        if recording_s:
            self.record(recording_s)

    def run(self, seconds: float) -> None:
        """Simulate so many seconds under the present command, as fast as the machine can, and show the result."""
        for _ in range(round(seconds / self.driver.dt)):
            with self.lock:
                self.driver.step()
        self.refresh()

    def record(self, seconds: float) -> None:
        """Fill the picture and the video that a page without a kernel shows, and reset the robot.

        The robot walks at half the highest speed, where the command is 0.
        """
        with self.lock:
            self._record(seconds)

    def _record(self, seconds: float) -> None:
        before = self.driver.wished
        if not any(before):
            self.driver.command = (self.driver.ranges[0][1] / 2, 0.0)
        frames = []
        for _ in range(max(1, round(seconds * RECORDING_FPS))):
            for _ in range(round(1 / RECORDING_FPS / self.driver.dt)):
                self.driver.step()
            frames.append(self._picture())
        with tempfile.TemporaryDirectory() as folder:
            video = write_video(Path(folder) / "drive.mp4", frames, RECORDING_FPS).read_bytes()
        source = f"data:video/mp4;base64,{base64.b64encode(video).decode()}"
        size = f"max-width:100%;width:{frames[0].shape[1]}px"
        told = html.escape(f"The robot drives at {self.driver.command[0]:g} m/s")
        shown = f'style="{size}" aria-label="{told}" src="{source}"'
        self.video.value = f"<video controls muted loop autoplay playsinline {shown}></video>"
        self.refresh()
        self.driver.command = before
        self.driver.restart()
        self._azimuth = 0.0

    def refresh(self) -> None:
        """Show figures and curves, and the picture where nothing moves."""
        with self.lock:
            self._refresh()

    def _refresh(self) -> None:
        driver, figures = self.driver, self.driver.figures
        forward, turn = figures.command
        pace = "" if math.isnan(figures.real_time) else f" · {figures.real_time:.2f} of real time"
        command = (
            f"command {forward:.1f} m/s, {turn:+.1f} rad/s" if driver.takes_command else "this policy takes no command"
        )
        self.figures.value = (
            f'<div style="line-height:1.6"><span role="status">{command} · '
            f"{figures.falls} fall{'' if figures.falls == 1 else 's'}</span><br>"
            f"{html.escape(_measured(figures))} · {figures.time_s:.0f} s{pace}</div>"
        )
        history = driver.history
        if len(history.times) > 1:
            self.curves.value = '<div style="display:flex;flex-wrap:wrap;gap:8px">{}</div>'.format(
                "".join(
                    f'<div style="flex:1 1 280px;max-width:480px">{_curve(history, column, title)}</div>'
                    for column, title in enumerate(("forward, m/s", "turn, rad/s"))
                )
            )
        if not self.stage.is_open:
            self.still.value = encode_png(self._picture())
        elif not self._walking:
            self.stage.show(self._picture())
        with self.paused():
            for slider, value in ((self.forward, forward), (self.turn, turn)):
                slider.value = value

    def close(self) -> None:
        """Stop, and close the widget."""
        with self.lock:
            if self._task and self._walking:
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        super().close()

    def _make_controls(self, width: int, height: int) -> None:
        label = f"The robot, driven live. {_KEYS}"
        self.stage = Stage(width, height, label, self.act, self.lock)
        self.still = image_box(width, height, "The robot")
        self.still.layout.max_width, self.still.layout.height = "100%", "auto"
        self.video = ipywidgets.HTML()
        self.recording = ipywidgets.HBox([self.still, self.video], layout={"flex_flow": "row wrap"})
        self.forward = _Slider(self.lock, "Forward, m/s", "commanded forward speed; arrow keys change it")
        self.turn = _Slider(self.lock, "Turn, rad/s", "commanded turn, left positive; arrow keys change it")
        self._set_ranges()
        names = self.driver.policies
        self.policy = ipywidgets.Dropdown(
            options=names, description="Policy", tooltip="policy that drives; it takes over as the robot moves"
        )
        self.camera = ipywidgets.Dropdown(options=CAMERAS, description="Camera", tooltip="view of the robot")
        self.direction = ipywidgets.Dropdown(
            options=DIRECTIONS, value=DIRECTIONS["left"], description="Push to", tooltip="direction of the push"
        )
        self.impulse = ipywidgets.IntSlider(
            value=20,
            max=60,
            step=5,
            description="Impulse, N s",
            tooltip="impulse of the push",
            style={"description_width": "auto"},
        )
        self.stand_button = _button("Stop", "stop", "command no speed and no turn")
        self.push_button = _button("Push", "hand-o-right", "push the robot at its root")
        self.reset_button = _button("Reset", "refresh", "put the robot on its feet at the start")
        self.pause = ipywidgets.ToggleButton(
            description="Pause", icon="pause", tooltip="pause the simulation", layout={"width": "100px"}
        )
        for dropdown in (self.policy, self.camera, self.direction):
            dropdown.layout.width = "220px"
        self.figures = ipywidgets.HTML(layout={"width": "100%", "min_height": "52px"})
        self.curves = ipywidgets.HTML(layout={"width": "100%"})
        self.forward.observe(self.guarded(lambda: self._command(forward=self.forward.value)), names="value")
        self.turn.observe(self.guarded(lambda: self._command(turn=self.turn.value)), names="value")
        self.stand_button.on_click(self.guarded(self._stand))
        self.push_button.on_click(self.guarded(self._push))
        self.reset_button.on_click(self.guarded(self._reset))
        self.policy.observe(self.guarded(self._switch), names="value")
        self.camera.observe(self.guarded(self._show_unless_walking), names="value")
        self.pause.observe(self.guarded(self._wake), names="value")

    def _layout(self) -> list[ipywidgets.Widget]:
        def row(*children: ipywidgets.Widget) -> ipywidgets.HBox:
            return ipywidgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})

        choices = [self.policy, self.camera] if len(self.driver.policies) > 1 else [self.camera]
        return [
            self.stage,
            self.recording,
            ipywidgets.HTML(f'<div style="line-height:1.5">{_KEYS}</div>'),
            row(self.forward, self.turn),
            row(self.stand_button, self.reset_button, self.pause, *choices),
            row(self.direction, self.impulse, self.push_button),
            self.figures,
            self.curves,
        ]

    def act(self, message: dict[str, Any]) -> None:
        """Do what the page of :attr:`stage` asks for; exceptions appear in :attr:`messages`."""
        self.guarded(lambda: self._act(message))(None)

    def _act(self, message: dict[str, Any]) -> None:
        match message["kind"]:
            case "nudge":
                self.driver.nudge(int(message["forward"]), int(message["turn"]))
            case "steer":
                self.driver.steer(float(message["forward"]), float(message["turn"]))
            case "stand":
                self._stand()
            case "push":
                self._push()
            case "reset":
                self._reset()
            case "ready":
                self._wake()
        if not self._walking:
            self.refresh()

    @property
    def _walking(self) -> bool:
        return self._task is not None and not self._task.done()

    def _wake(self) -> None:
        """Let the robot walk, if a page shows it: in the thread of the cells, so that they never run beside it."""
        if self.stage.is_open:
            self.recording.layout.display = "none"
            if not self._walking and not self.pause.value:
                here = asyncio.get_running_loop()
                if self._loop is None or self._loop.is_closed() or self._loop is here:
                    self._start()
                else:
                    self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        with self.lock:
            if self.stage.is_open and not self._walking and not self.pause.value:
                self._task = asyncio.get_running_loop().create_task(self._walk())

    async def _walk(self) -> None:
        """Walk in real time until it is paused or no page shows it any more."""
        driver, stage = self.driver, self.stage
        with self.lock:
            driver.wait()
        answered = figured = time.monotonic()
        try:
            while True:
                with self.lock:
                    if not stage.is_open or self.pause.value:
                        self._task = None  # before another thread can open the picture or end the pause
                        return
                    now = time.monotonic()
                    driver.follow(now)
                    if not stage.waits:
                        answered = now
                        stage.show(self._picture())
                    elif now - answered > SILENT_S:
                        stage.forget()
                    if now - figured > 1 / FIGURES_PER_S:
                        figured = now
                        self.refresh()
                await asyncio.sleep(max(0.001, now + 1 / PICTURES_PER_S - time.monotonic()))
        except Exception:
            with self.lock, self.messages:  # not around the loop: an output widget serves one callback at a time
                raise

    def _picture(self) -> np.ndarray:
        self._azimuth += _TURNING * wrap_to_pi(self.driver.sim.sense().heading - self._azimuth)
        renderer = shared_renderer(self.driver.robot, *self._size, CAMERAS[0], self._gl, quick=True)
        return renderer.pose(self.driver.sim.data.qpos, self.camera.value, self._azimuth)

    def _command(self, forward: float | None = None, turn: float | None = None) -> None:
        """Change what is given; the other slider may not show yet what a key has changed."""
        if not self._paused:
            before = self.driver.wished
            self.driver.command = (before[0] if forward is None else forward, before[1] if turn is None else turn)
            self._show_unless_walking()

    def _stand(self) -> None:
        self.driver.command = (0.0, 0.0)
        self._show_unless_walking()

    def _push(self) -> None:
        self.driver.push(self.impulse.value, float(self.direction.value or 0.0))

    def _reset(self) -> None:
        self.driver.reset()
        self._azimuth = 0.0
        self._show_unless_walking()

    def _switch(self) -> None:
        self.driver.switch(str(self.policy.value))
        self._set_ranges()
        self._show_unless_walking()

    def _show_unless_walking(self) -> None:
        if not self._walking:
            self.refresh()

    def _set_ranges(self) -> None:
        with self.paused():
            for slider, (low, high), value in zip(
                (self.forward, self.turn), self.driver.ranges, self.driver.command, strict=True
            ):
                slider.min, slider.max = min(low, slider.max), max(high, slider.min)  # min never exceeds max
                slider.min, slider.max, slider.value = low, high, value
                slider.disabled = low == high


def _button(text: str, icon: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=text, icon=icon, tooltip=tooltip, layout={"width": "100px"})


class _Slider(ipywidgets.FloatSlider):
    """A slider of the command, which a key may move, too.

    What a page sends is taken with the lock held: between the value and its callback, the robot's thread would set the
    slider back to the command of before.
    """

    def __init__(self, lock: AbstractContextManager, description: str, tooltip: str) -> None:
        self._lock = lock
        super().__init__(
            min=0.0,
            max=1.0,
            step=STEP,
            description=description,
            tooltip=tooltip,
            continuous_update=False,
            readout_format=".1f",
            style={"description_width": "90px"},
            layout={"width": "320px"},
        )

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page sends."""
        with self._lock:
            super().set_state(sync_data)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _measured(figures: Figures) -> str:
    stride = "stands" if math.isnan(figures.gait_hz) else f"{figures.gait_hz:.2f} strides/s"
    return f"measured {figures.forward_mps:.2f} m/s, {figures.turn_radps:+.2f} rad/s · {stride}"


def _curve(history: History, column: int, title: str) -> str:
    lines = [
        Line("command", history.command[:, column], _COMMAND),
        Line("measured", history.measured[:, column], _MEASURED),
    ]
    return curve_svg(history.times, lines, frame=len(history.times) - 1, title=title, width=400, height=150)
