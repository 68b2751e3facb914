"""A page on which you steer a robot that walks in plain MuJoCo, with viser. It needs neither torch nor Isaac Lab."""

import io
import math
import queue
import socket
import time
from collections.abc import Callable
from contextlib import redirect_stdout

import numpy as np
import viser
from viser import uplot

from amp_helpers.deploy.driver import STEP, Driver
from amp_helpers.deploy.gamepad import Gamepad
from amp_helpers.errors import InputError
from amp_helpers.render.meshes import body_meshes
from amp_helpers.widgets.driving import DIRECTIONS, FIGURES_PER_S, PICTURES_PER_S

HOST = "127.0.0.1"
DETAIL = 0.007
"""Size below which features of meshes are merged, m; a G1 then has 55,000 triangles instead of 400,000."""
_KEYS = "↑ ↓ speed · ← → turn · space stop · P push · R reset\n\nA gamepad on this machine steers with its left stick."
NO_COMMAND = " · **this policy takes no command**"
_GRID = 1.0
_KEY_S = 2.0
"""Time after a key in which the page may report what the key did to the camera, s."""


class DrivePage:
    """The page: the robot at its center, the ground moving below it.

    Callbacks of the page come from threads of viser; what they ask for is done in :meth:`serve`, between two steps.

    Args:
        driver: what is driven.
        port: TCP port on 127.0.0.1.

    Raises:
        InputError: the port is in use, or may not be used.
    """

    def __init__(self, driver: Driver, port: int = 8080) -> None:
        check_port(port)
        self.driver = driver
        self._gamepad = Gamepad()
        self._key_at = -math.inf
        self._asked: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        with redirect_stdout(io.StringIO()):  # viser prints a table, verbose or not
            self.server = viser.ViserServer(host=HOST, port=port, label="Drive", verbose=False)
        self.url = f"http://{HOST}:{self.server.get_port()}"
        """Address of the page."""
        self._place_camera()
        self._make_controls()
        self._bind_keys()

    def serve(self) -> None:
        """Walk in real time while a page is open; ends by an exception, such as that of Ctrl-C."""
        self._draw_scene()  # while the browser opens the page
        figured = 0.0
        self.driver.wait()
        while True:
            now = time.monotonic()
            self._do_what_was_asked()
            if self.server.get_clients():
                self.driver.follow(now)
            else:
                self.driver.wait()
            self.show()
            if now - figured > 1 / FIGURES_PER_S:
                figured = now
                self.show_figures()
            time.sleep(max(0.001, now + 1 / PICTURES_PER_S - time.monotonic()))

    def stop(self) -> None:
        """Close the page."""
        with redirect_stdout(io.StringIO()):
            self.server.stop()
        self._gamepad.close()

    def show(self) -> None:
        """Send the robot's pose."""
        model, data = self.driver.sim.model, self.driver.sim.data
        x, y, _ = data.qpos[:3]
        with self.server.atomic():
            self._grid.position = (-(x % _GRID), -(y % _GRID), 0.0)
            for body, frame in self._frames.items():
                place = model.body(body).id
                frame.position = data.xpos[place] - (x, y, 0.0)
                frame.wxyz = data.xquat[place]

    def show_figures(self) -> None:
        """Send command, figures and curves."""
        driver, figures = self.driver, self.driver.figures
        stride = "stands" if math.isnan(figures.gait_hz) else f"{figures.gait_hz:.2f} strides/s"
        pace = "" if math.isnan(figures.real_time) else f" · {figures.real_time:.2f} of real time"
        self._figures.content = (
            f"**{figures.forward_mps:.2f} m/s**, {figures.turn_radps:+.2f} rad/s · {stride} · "
            f"**{figures.falls} fall{'' if figures.falls == 1 else 's'}** · {figures.time_s:.0f} s{pace}"
            f"{'' if driver.takes_command else NO_COMMAND}"
        )
        self._forward.value, self._turn.value = figures.command
        history = driver.history
        if len(history.times) > 1:
            every = slice(None, None, 5)
            times = history.times[every]
            for column, plot in enumerate(self._plots):
                plot.data = (times, history.command[every, column], history.measured[every, column])

    def _draw_scene(self) -> None:
        scene = self.server.scene
        self._grid = scene.add_grid(
            "/ground",
            infinite_grid=True,
            cell_size=_GRID / 2,
            section_size=_GRID,
            fade_distance=20.0,
            plane_color=(225, 230, 236),
            plane_opacity=1.0,
        )
        self._frames: dict[str, viser.FrameHandle] = {}
        for number, mesh in enumerate(body_meshes(self.driver.robot, DETAIL)):
            if mesh.body not in self._frames:
                self._frames[mesh.body] = scene.add_frame(f"/robot/{mesh.body}", show_axes=False)
            scene.add_mesh_simple(
                f"/robot/{mesh.body}/{number}",
                mesh.vertices,
                mesh.faces,
                color=mesh.color,
                side="double",
                flat_shading=True,  # normals averaged over the edges of merged features would speckle the surface
            )

    def _place_camera(self) -> None:
        height = self.driver.robot.default_root_height
        self.server.scene.set_up_direction("+z")
        self.server.initial_camera.position, self.server.initial_camera.look_at = view(height, upright=False)
        self.server.on_client_connect(lambda client: keep_in_view(client, height, self._key_is_new))

    def _make_controls(self) -> None:
        gui, driver = self.server.gui, self.driver
        gui.configure_theme(show_logo=False, show_share_button=False, control_layout="collapsible")
        gui.set_panel_label(f"Drive {driver.robot.name}")
        self._figures = gui.add_markdown("")
        self._forward, self._turn = (
            gui.add_slider(label, low, max(high, low + STEP), STEP, value, disabled=low == high)
            for label, (low, high), value in zip(
                ("Forward, m/s", "Turn, rad/s"), driver.ranges, driver.command, strict=True
            )
        )
        self._policy = gui.add_dropdown("Policy", driver.policies) if len(driver.policies) > 1 else None
        buttons = gui.add_button_group("", ("Stop", "Reset"))
        with gui.add_folder("Push"):
            self._direction = gui.add_dropdown("To", tuple(DIRECTIONS), initial_value="left")
            self._impulse = gui.add_slider("Impulse, N s", 0, 60, 5, 20)
            push = gui.add_button("Push")
        gui.add_markdown(_KEYS)
        titles = ("forward, m/s", "turn, rad/s")
        self._plots = [_plot(gui, title, limits) for title, limits in zip(titles, driver.ranges, strict=True)]

        # A value that this program sets comes without a client.
        self._forward.on_update(lambda event: event.client and self._ask(lambda: self._command(0, self._forward.value)))
        self._turn.on_update(lambda event: event.client and self._ask(lambda: self._command(1, self._turn.value)))
        buttons.on_click(lambda event: self._ask(self._stand if event.target.value == "Stop" else driver.reset))
        push.on_click(lambda _: self._ask(self._push))
        if self._policy is not None:
            self._policy.on_update(lambda _: self._ask(self._switch))

    def _bind_keys(self) -> None:
        actions: dict[str, tuple[str, Callable[[], object]]] = {
            "arrowup": ("Faster", lambda: self.driver.nudge(1, 0)),
            "arrowdown": ("Slower", lambda: self.driver.nudge(-1, 0)),
            "arrowleft": ("Turn left", lambda: self.driver.nudge(0, 1)),
            "arrowright": ("Turn right", lambda: self.driver.nudge(0, -1)),
            "space": ("Stop", self._stand),
            "P": ("Push", self._push),
            "R": ("Reset", self.driver.reset),
        }
        for key, (label, action) in actions.items():
            command = self.server.gui.add_command(label, hotkey=key)  # pyright: ignore[reportArgumentType]
            command.on_trigger(lambda _, action=action: self._press(action))

    def _press(self, action: Callable[[], object]) -> None:
        self._key_at = time.monotonic()
        self._ask(action)

    def _key_is_new(self) -> bool:
        return time.monotonic() - self._key_at < _KEY_S

    def _ask(self, action: Callable[[], object]) -> None:
        self._asked.put(action)

    def _do_what_was_asked(self) -> None:
        stick, pressed = self._gamepad.read()
        if stick is not None:
            self.driver.steer(*stick)
        for button, action in ((0, self._push), (1, self.driver.reset)):
            if button in pressed:
                action()
        while not self._asked.empty():
            self._asked.get()()

    def _command(self, which: int, value: float) -> None:
        forward, turn = self.driver.wished
        self.driver.command = (forward, value) if which else (value, turn)

    def _stand(self) -> None:
        self.driver.command = (0.0, 0.0)

    def _push(self) -> None:
        self.driver.push(self._impulse.value, DIRECTIONS[self._direction.value])

    def _switch(self) -> None:
        assert self._policy is not None
        self.driver.switch(self._policy.value)
        for slider, (low, high) in zip((self._forward, self._turn), self.driver.ranges, strict=True):
            slider.min, slider.max = low, max(high, low + STEP)
            slider.disabled = low == high
        for plot, limits in zip(self._plots, self.driver.ranges, strict=True):
            plot.scales = _scales(limits)


def view(height: float, upright: bool) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Position and target of a camera, (3,) m each, that shows a robot beside the controls, or above them.

    Args:
        height: of the robot's root, m.
        upright: whether the page is higher than wide; the controls then cover its lower half.
    """
    if upright:
        return (-4.3 * height, 2.5 * height, 1.4 * height), (0.0, 0.0, -1.3 * height)
    return (-2.6 * height, 1.5 * height, 1.6 * height), (0.0, 0.0, 0.8 * height)


def keep_in_view(client: viser.ClientHandle, height: float, key_is_new: Callable[[], bool] = lambda: False) -> None:
    """Place a page's camera by :func:`view`, and again when the page is turned.

    A page on a busy machine may report its size late, and its old camera after a new one was sent. So the camera is
    placed again with each report, until one report shows it in place; after that, it is the visitor's. The arrow keys
    that steer the robot also rotate viser's camera, at 50 degrees a second, so it is put back after a key.

    Args:
        client: the page.
        height: of the robot's root, m.
        key_is_new: whether a key was pressed a moment ago.
    """
    settled: bool | None = None
    chosen = view(height, upright=False)

    def place(camera: viser.CameraHandle) -> None:
        nonlocal settled, chosen
        upright = camera.image_height > camera.image_width
        if upright != settled:
            chosen = view(height, upright)
            if _is_at(camera, *chosen):
                settled = upright
            else:
                camera.position, camera.look_at = chosen
        elif not key_is_new():
            chosen = tuple(camera.position), tuple(camera.look_at)
        elif not _is_at(camera, *chosen):
            camera.position, camera.look_at = chosen

    place(client.camera)
    client.camera.on_update(place)


def _is_at(camera: viser.CameraHandle, position: tuple[float, ...], target: tuple[float, ...]) -> bool:
    return np.allclose(camera.position, position, atol=0.01) and np.allclose(camera.look_at, target, atol=0.01)


def _plot(gui: viser.GuiApi, title: str, limits: tuple[float, float]) -> viser.GuiUplotHandle:
    nothing = (np.zeros(2), np.zeros(2), np.zeros(2))
    series = (
        uplot.Series(label="s"),
        uplot.Series(label="command", stroke="#8a949e", width=2),
        uplot.Series(label="measured", stroke="#0072b2", width=2),
    )
    return gui.add_uplot(
        nothing,
        series,
        title=title,
        scales=_scales(limits),
        height=150,
    )


def _scales(limits: tuple[float, float]) -> dict[str, uplot.Scale]:
    """Show 0, the range of the command and a margin: fitted to the data, curves of a standing robot would be noise."""
    low, high = min(0, *limits), max(0, *limits)
    return {"x": uplot.Scale(time=False), "y": uplot.Scale(range=(low - 0.5, high + 0.5))}


def check_port(port: int) -> None:
    """Refuse a port that cannot be had; viser would take the next one without a word."""
    if not 0 < port < 65536:
        raise InputError(f"port {port}: is no port; give one from 1024 to 65535 with --port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(
                f"port {port}: cannot be used ({error.strerror}); give another one with --port, such as {_free_port()}"
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
