"""The page of ``python -m amp_helpers.drive`` in a real browser, and the command's errors."""

import io
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support import PATIENCE_S

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("viser", reason="viser is not installed; pip install -e '.[drive]'")

from small_bundle import hopper, standing_bundle

from amp_helpers.drive import main
from amp_helpers.errors import run_cli
from amp_helpers.widgets.drive_page import _scales, check_port, keep_in_view, view

COMMAND = [sys.executable, "-m", "amp_helpers.drive"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A robot's file, and two bundles for it."""
    folder = tmp_path_factory.mktemp("drive")
    hopper(folder)
    standing_bundle(folder / "first", robot=str(folder / "hopper.xml"))
    standing_bundle(folder / "second", commands={"forward": [0.4, 0.8], "turn": [0.0, 0.0]}, robot="other")
    return folder


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """A function that runs the command and returns the one line with which it refuses."""

    def refused(*arguments: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["drive", *arguments])
        assert run_cli(main) == 2
        done = capsys.readouterr()
        assert done.out == "" and done.err.startswith("error: ") and done.err.count("\n") == 1
        return done.err

    return refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--policy gone", "gone: no such bundle, run or checkpoint; give the path of one, or a shipped policy"),
        ("--policy", "--policy: names no policy; give at least one bundle, run or shipped policy"),
        ("--policy first --port high", "Error parsing --port"),
        ("--policy first --port 70000", "port 70000: is no port; give one from 1024 to 65535 with --port"),
        ("--policy first --robot g2", "robot 'g2' not found; available: g1_23dof"),
        ("--policy first second", "drive one robot at a time"),
    ],
)
def test_wrong_input_is_one_line(refused, arguments, sentence):
    assert sentence in refused(*arguments.split())


def test_a_port_in_use_is_one_line_whose_remedy_works(refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        line = refused("--policy", "first", "--port", str(other.getsockname()[1]))
    proposed = re.search(r"give another one with --port, such as (\d+)$", line.strip())
    check_port(int(proposed[1]))


@pytest.fixture(scope="module")
def served(folder):
    """Address of the page, the line that the command prints, and its process."""
    port = free_port()
    arguments = ["--policy", "first", "second", "--robot", "hopper.xml", "--port", str(port)]
    # As in a terminal: a shell that starts this suite in the background lets its children ignore Ctrl-C.
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    line = process.stdout.readline()
    yield f"http://127.0.0.1:{port}", line, process
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def page(browser, served) -> Page:
    context = browser.new_context(viewport={"width": 720, "height": 420})
    context.set_default_timeout(PATIENCE_S * 1000)
    expect.set_options(timeout=PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(served[0])
    expect(page.get_by_text("of real time")).to_be_visible()
    yield page
    context.close()


def scene(page: Page) -> np.ndarray:
    """The page left of its controls and below a note about software rendering, (H, W, 3)."""
    shot = page.screenshot(clip={"x": 0, "y": 170, "width": 380, "height": 250})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def number(page: Page, label: str) -> float:
    return float(page.locator(".mantine-NumberInput-input").nth({"forward": 0, "turn": 1}[label]).input_value())


def wait_until(page: Page, true) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


class Camera:
    """A page's camera as the server knows it: what the page reported last."""

    def __init__(self, width: int, height: int) -> None:
        self.image_width, self.image_height = width, height
        self.position, self.look_at = view(1.0, upright=False)
        self.reported = lambda camera: None

    def on_update(self, reported) -> None:
        self.reported = reported

    def report(self, upright: bool | None = None, *, place: tuple | None = None) -> None:
        if upright is not None:
            self.image_width, self.image_height = (390, 844) if upright else (844, 390)
        if place is not None:
            self.position, self.look_at = place
        self.reported(self)

    def shows(self, upright: bool) -> bool:
        return (self.position, self.look_at) == view(1.0, upright)


def test_the_robot_is_above_the_controls_of_an_upright_page_however_late_it_reports():
    camera = Camera(300, 150)  # the size of a canvas that has none yet
    keep_in_view(SimpleNamespace(camera=camera), 1.0)
    camera.report(True)
    assert camera.shows(True)
    camera.report(place=view(1.0, upright=False))  # from before, still under way
    assert camera.shows(True)
    camera.report()
    dragged = (1.0, 2.0, 3.0), (0.0, 0.0, 0.0)
    camera.report(place=dragged)
    assert (camera.position, camera.look_at) == dragged, "from here on it is the visitor's"
    camera.report(False)
    assert camera.shows(False), "the page was turned"


def test_a_key_that_steers_the_robot_leaves_the_camera_where_the_visitor_has_it():
    camera, pressed = Camera(844, 390), False
    keep_in_view(SimpleNamespace(camera=camera), 1.0, lambda: pressed)
    dragged, rotated = ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0)), ((0.0, 0.0, 3.7), (0.0, 0.0, 0.0))
    camera.report(place=dragged)
    pressed = True
    camera.report(place=rotated)
    assert (camera.position, camera.look_at) == dragged
    pressed = False
    camera.report(place=rotated)
    assert (camera.position, camera.look_at) == rotated, "by the mouse"


@pytest.mark.browser
def test_the_page_opens_and_keys_command_push_and_reset_the_robot(page, served):
    address, line, process = served
    assert line == f"{address}  drives first, second; Ctrl-C ends it\n"
    assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text(), "a bundle needs no torch"
    wait_until(page, lambda: np.ptp(scene(page)) > 60)  # a robot is on the ground
    still = scene(page)
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    wait_until(page, lambda: number(page, "forward") == 0.3 and number(page, "turn") == 0.1)
    page.keyboard.press(" ")
    wait_until(page, lambda: number(page, "forward") == 0)
    expect(page.get_by_text("0 falls")).to_be_visible()

    def pushed() -> bool:
        page.keyboard.press("p")
        return (np.abs(scene(page) - still).max(axis=2) > 20).mean() > 0.002

    wait_until(page, pushed)
    expect(page.get_by_text(re.compile("[1-9] falls?"))).to_be_visible()


@pytest.mark.browser
def test_another_policy_is_chosen_on_the_page(page):
    page.locator(".mantine-Select-input:visible").first.click()
    page.get_by_role("option", name="second").click()
    wait_until(page, lambda: number(page, "forward") == 0.4)


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(served):
    _, _, process = served
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and rest.strip() == "", rest


def test_the_curves_show_a_run_from_its_start_at_rest():
    assert dict(_scales((2.0, 3.2))["y"]) == {"range": (-0.5, 3.7)}
    assert dict(_scales((-1.0, 1.0))["y"]) == {"range": (-1.5, 1.5)}
