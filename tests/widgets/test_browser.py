"""JupyterLab in a real browser: notebooks open and run, and their widgets respond to mouse and keyboard."""

import base64
import io
import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from small_bundle import hopper, standing_bundle
from support import PATIENCE_S

pytestmark = pytest.mark.browser

# By default, JupyterLab does not render cells outside the viewport.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
}
OWN_NOTEBOOK = """
import io
import ipywidgets as widgets
import numpy as np
from matplotlib.image import imsave

def picture(value):
    buffer = io.BytesIO()
    imsave(buffer, np.full((40, 200, 3), value, dtype=np.uint8), format="png")
    return buffer.getvalue()

slider = widgets.IntSlider(value=0, max=255, step=50, description="brightness")
image = widgets.Image(value=picture(0))
slider.observe(lambda change: setattr(image, "value", picture(change.new)), "value")
widgets.VBox([slider, image])
"""

DRIVE_NOTEBOOK = (
    """
from amp_helpers.robots import get_robot
from amp_helpers.widgets import Drive

drive = Drive("{bundle}", robot=get_robot("{robot}"), recording_s=0.4)
drive
""",
    "drive.stage.is_open",
)

WATCHED_NOTEBOOK = """
import json, pathlib, tempfile, threading, time
from types import SimpleNamespace
from amp_helpers.training.run_folder import stop_requested
from amp_helpers.widgets import TrainingPanel

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "config.json").write_text(json.dumps({"max_iterations": 450}))
process = SimpleNamespace(running=True, check=lambda: None)

def train():
    done = []
    for line in pathlib.Path("../policies/g1_walk/health.jsonl").read_text().splitlines(keepends=True):
        with (folder / "health.jsonl").open("a") as log:
            log.write(line)
        done.append(line)
        if stop_requested(folder):
            break
        time.sleep(0.3)
    ended = {"max_iterations": 450, "updates": len(done), "wall_s": 80.0}
    (folder / "config.json").write_text(json.dumps(ended))
    process.running = False

threading.Thread(target=train, daemon=True).start()
panel = TrainingPanel(folder, interval_s=0.2)
display(panel)
await panel.watch(process)
"""

# Overflow of a widget or of a box in it, pixels; 4 is the margin of a child as wide as its box.
HIDDEN_WIDTH = """node => Math.max(
    ...[node, ...node.querySelectorAll('.widget-box')].map(box => box.scrollWidth - box.clientWidth)
)"""

# A cell that has run shows a number in its prompt; an empty cell never does.
CELL_STATE = """() => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
    const prompts = cells.filter(cell => cell.querySelector('.cm-content').textContent.trim())
        .map(cell => cell.querySelector('.jp-InputPrompt').textContent.trim());
    const errors = [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.stderr"]')]
        .filter(node => /^error: |Traceback \\(most recent call last\\)/.test(node.textContent));
    return {prompts, done: prompts.length > 0 && prompts.every(text => /^\\[\\d+\\]:$/.test(text)),
            errors: errors.map(node => node.textContent.slice(-500))};
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_notebook(file: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, file)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repo_root) -> Path:
    """A copy of the notebooks beside the repository's data, with a small test notebook."""
    root = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "docs"):  # copies, because the server does not serve files outside its root
        shutil.copytree(repo_root / name, root / name)
    for name in ("datasets", "policies", "benchmarks"):
        (root / name).symlink_to(repo_root / name)
    write_notebook(root / "notebooks" / "00_slider.ipynb", OWN_NOTEBOOK)
    for name, values in SETTINGS.items():
        path = root / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    return root


@pytest.fixture(scope="module")
def lab(workspace, repo_root) -> str:
    """URL of a JupyterLab on loopback, with its token; the server is stopped at the end."""
    port, token = free_port(), secrets.token_hex(16)
    state = {
        "JUPYTERLAB_SETTINGS_DIR": workspace / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": workspace / "workspaces",
        "JUPYTER_CONFIG_DIR": workspace / "config",
        "JUPYTER_RUNTIME_DIR": workspace / "runtime",
        "IPYTHONDIR": workspace / "ipython",
        "JUPYTER_TOKEN": token,
    }
    # The command of `make lab`, on the copy.
    arguments = f"--no-browser --ServerApp.port={port} --ServerApp.port_retries=0"
    variables = [f"PYTHON={sys.executable}", f"LAB_ROOT={workspace}", f"LAB_ARGS={arguments}"]
    # Without make's own messages, also when `make test` calls this.
    planned = ["make", "--no-print-directory", "-n", "lab", *variables]
    done = subprocess.run(planned, cwd=repo_root, capture_output=True, text=True, check=True)
    command = shlex.split(done.stdout[done.stdout.index(sys.executable) :])
    log = workspace / "server.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            cwd=workspace,
            env={**os.environ, **{k: str(v) for k, v in state.items()}},
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE_S
        while not answers(f"{address}/api/status?token={token}"):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield f"{address}/doc/tree/notebooks/{{name}}.ipynb?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            return reply.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture
def page(browser) -> Page:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE_S * 1000)
    expect.set_options(timeout=PATIENCE_S * 1000)
    yield context.new_page()
    context.close()


def connected(page: Page) -> bool:
    sessions = page.evaluate("() => fetch('/api/sessions').then(reply => reply.json())")
    kernels = [session["kernel"] for session in sessions if session["path"] in page.url]
    return any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels)


def open_notebook(page: Page, address: str) -> None:
    """Open a notebook, and wait until its kernel is connected; before that, Run opens a dialog for the kernel."""
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    deadline = time.monotonic() + PATIENCE_S
    while not connected(page):
        assert time.monotonic() < deadline, "no kernel"
        page.wait_for_timeout(200)


def start_all(page: Page, address: str) -> None:
    """Open a notebook and start all its cells."""
    open_notebook(page, address)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def run_all(page: Page, address: str) -> None:
    """Open a notebook, run all its cells, and wait for the last one."""
    start_all(page, address)
    state = {}
    deadline = time.monotonic() + PATIENCE_S
    while not state.get("done"):
        assert time.monotonic() < deadline, f"cells still waiting: {state}"
        page.wait_for_timeout(500)
        state = page.evaluate(CELL_STATE)
        assert not state["errors"], state["errors"]


def move(page: Page, slider) -> None:
    """Move a slider three steps by keyboard, away from its end."""
    slider.scroll_into_view_if_needed()
    slider.focus()
    value, maximum = (float(slider.get_attribute(name)) for name in ("aria-valuenow", "aria-valuemax"))
    for _ in range(3):
        page.keyboard.press("ArrowLeft" if value >= maximum else "ArrowRight")


def pixels(picture) -> np.ndarray:
    """Read the pixels of an image on the page, (H, W, 3)."""
    encoded = picture.evaluate(
        """async image => {
            const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
            return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''));
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def canvas_pixels(canvas) -> np.ndarray:
    """Read the pixels of a canvas on the page, (H, W, 3)."""
    encoded = canvas.evaluate("canvas => canvas.toDataURL().split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Return the share of pixels that differ visibly."""
    return float((np.abs(before - after).max(axis=2) > 20).mean())


def wait_for_change(page: Page, picture, before: np.ndarray, share: float = 0.002) -> np.ndarray:
    """Wait until at least ``share`` of an image's pixels differ from ``before``, and return it."""
    deadline = time.monotonic() + PATIENCE_S
    while changed(before, after := pixels(picture)) < share:
        assert time.monotonic() < deadline, "the image did not change"
        page.wait_for_timeout(50)
    return after


def settled(page: Page, picture) -> np.ndarray:
    """Wait until an image has not changed for a second, and return it."""
    deadline, before = time.monotonic() + 60, pixels(picture)
    while True:
        page.wait_for_timeout(1000)
        after = pixels(picture)
        if changed(before, after) == 0:
            return after
        assert time.monotonic() < deadline, "the image keeps changing"
        before = after


def console_errors(page: Page) -> list[str]:
    """Return a list that collects the errors of the page from now on."""
    found = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def fits_in_narrow_pages(page: Page, *outputs) -> None:
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 1000})
        deadline = time.monotonic() + 60
        while any(output.evaluate(HIDDEN_WIDTH) > 4 for output in outputs):
            assert time.monotonic() < deadline, f"cut off at {width} pixels"
            page.wait_for_timeout(100)


def test_a_plain_ipywidget_responds(lab, page):
    """If this fails, check JupyterLab and the browser first."""
    run_all(page, lab.format(name="00_slider"))
    widget = page.locator(".jp-OutputArea-output:has(.noUi-handle)")
    before = pixels(widget.locator("img"))
    move(page, widget.locator(".noUi-handle"))
    assert changed(before, wait_for_change(page, widget.locator("img"), before)) >= 0.002


def test_a_notebook_that_is_opened_and_saved_is_the_same_file(lab, page, workspace):
    file = workspace / "notebooks" / "02_gmr_conversion.ipynb"
    before = file.read_text(), file.stat().st_mtime_ns
    open_notebook(page, lab.format(name=file.stem))
    expect(page.locator(".jp-CodeCell .cm-content span[class]").first).to_be_visible()  # highlighted as Python
    page.wait_for_timeout(2000)  # for what the kernel says of itself
    page.keyboard.press("Control+s")
    deadline = time.monotonic() + PATIENCE_S
    while file.stat().st_mtime_ns == before[1]:
        assert time.monotonic() < deadline, "not saved"
        page.wait_for_timeout(100)
    assert file.read_text() == before[0]


def test_notebook_0_pays_another_reward_for_another_penalty(lab, page):
    errors = console_errors(page)
    run_all(page, lab.format(name="00_amp_in_ten_minutes"))
    widget = page.locator(".jp-OutputArea-output:has(.widget-slider)")
    picture, slider = (
        widget.locator("img"),
        widget.locator(".widget-slider", has_text="Penalty").locator(".noUi-handle"),
    )
    printed = page.locator(".jp-OutputArea-output pre").first
    assert printed.evaluate("node => getComputedStyle(node).wordBreak") == "normal", "words stay whole"
    expect(widget).to_contain_text(re.compile("climbs [78][0-9]% of the way"))
    ramp = pixels(picture)
    widget.get_by_role("button", name="Let the policy learn").click()
    wait_for_change(page, picture, ramp)
    widget.get_by_role("button", name="Start again").click()
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(widget).to_contain_text("does not get to the reference")
    wait_for_change(page, picture, ramp)
    fits_in_narrow_pages(page, widget)
    assert errors == []


def test_notebook_1_responds_to_mouse_and_keyboard(lab, page):
    errors = console_errors(page)
    run_all(page, lab.format(name="01_joint_order"))
    widget = page.locator(".amp-panel:has(.amp-joints)")
    robot, joints, table = (widget.locator(name) for name in ("img", "select", ".amp-joints"))
    handle = widget.locator(".widget-slider", has_text="Frame").locator(".noUi-handle")
    joint = widget.locator(".noUi-handle").first
    expect(robot).to_be_visible()
    start = pixels(robot)

    move(page, handle)  # the frame, by keyboard
    wait_for_change(page, robot, start)
    expect(widget).to_contain_text("left_knee_joint: column 3 of the dataset")

    handle.focus()  # thirty quick steps: the last is drawn, and nothing after it
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    last = round(float(handle.get_attribute("aria-valuenow")))
    expect(widget).to_contain_text(f"frame {last}, ")
    moved = settled(page, robot)
    expect(widget).to_contain_text(f"frame {last}, ")

    joint.focus()  # another joint, by keyboard: another link is highlighted, another curve is drawn
    page.keyboard.press("ArrowRight")
    expect(widget).to_contain_text("left_ankle_pitch_joint: column 4 of the dataset")
    expect(widget.locator("svg[role=img]")).to_contain_text("left_ankle_pitch, rad")
    other = wait_for_change(page, robot, moved, 0.0005)
    expect(table.locator(".selected")).to_contain_text("left_ankle_pitch")
    joints.select_option(index=3)  # and back, by mouse
    expect(widget).to_contain_text("left_knee_joint: column 3")
    correct = wait_for_change(page, robot, other, 0.0005)
    assert changed(moved, correct) < 0.001

    widget.get_by_role("button", name="dataset read as simulator").click()
    wrong = wait_for_change(page, robot, correct, 0.01)
    expect(widget).to_contain_text("2 of 23 joints get their own angles")
    expect(widget).to_contain_text("wrong: the clip has")
    widget.get_by_role("button", name="by name").click()
    assert changed(wait_for_change(page, robot, wrong, 0.01), correct) < 0.001
    expect(widget).to_contain_text("23 of 23 joints get their own angles")

    frame = float(handle.get_attribute("aria-valuenow"))
    widget.locator(".widget-play button").first.click()
    shown = [correct]
    for _ in range(4):
        shown.append(wait_for_change(page, robot, shown[-1]))
    widget.locator(".widget-play button").first.click()
    settled(page, robot)  # playback does not go on after Stop
    assert float(handle.get_attribute("aria-valuenow")) != frame

    offsets = page.locator(".jp-OutputArea-output:has(textarea)")
    poses = offsets.locator("img")
    assert poses.count() == 6
    once = pixels(poses.nth(2))
    offsets.get_by_role("button", name="Flip sign").click()
    wait_for_change(page, poses.nth(2), once)
    expect(offsets.locator("textarea")).to_have_value(re.compile(r'"right_shoulder_pitch_joint": -0\.35'))
    expect(offsets).to_contain_text("0.70 rad off: right_shoulder_pitch")

    fits_in_narrow_pages(page, widget, offsets)
    assert errors == []


def test_notebook_3_plays_clips_synchronously_and_edits_one(lab, page):
    errors = console_errors(page)
    run_all(page, lab.format(name="03_feet_removal"))
    players = page.locator(".jp-OutputArea-output:has(.widget-play)")
    expect(players).to_have_count(2)
    feet, refiner = players.first, players.last
    robots, heights = feet.locator("img"), feet.locator("div[aria-live]")
    start, readings = [pixels(robots.nth(i)) for i in range(2)], heights.inner_text()
    feet.locator(".widget-play button").first.click()
    for i in range(2):
        wait_for_change(page, robots.nth(i), start[i])
    feet.locator(".widget-play button").first.click()
    expect(heights).not_to_have_text(readings)

    pair = [
        refiner.locator("img").nth(i) for i in range(2)
    ]  # before and after; a mirrored clip is compared with the mirrored source
    original = [pixels(picture) for picture in pair]
    refiner.get_by_role("button", name="Mirror").click()
    mirrored = [wait_for_change(page, *both) for both in zip(pair, original, strict=True)]
    expect(refiner.locator("div[aria-live]")).to_contain_text("mirror")
    refiner.get_by_role("button", name="Undo").click()
    again = [wait_for_change(page, *both) for both in zip(pair, mirrored, strict=True)]
    expect(refiner.locator("div[aria-live]")).not_to_contain_text("mirror")
    assert all(changed(*both) < 0.001 for both in zip(original, again, strict=True))

    fits_in_narrow_pages(page, feet, refiner)
    assert errors == []


def test_a_closed_page_comes_back_to_its_training_and_a_restarted_kernel_leaves_a_still(lab, page, workspace):
    write_notebook(workspace / "notebooks" / "00_watched.ipynb", WATCHED_NOTEBOOK)
    address = lab.format(name="00_watched")
    start_all(page, address)
    live, still = page.locator(".amp-panel"), page.locator(".amp-still")
    expect(live).to_contain_text("running: update")
    expect(still).to_be_hidden()
    # Before JupyterLab saves by itself, after 120 s.
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')", timeout=60_000)
    page.goto("about:blank")

    page.goto(address)
    update = re.compile(r"running: update (\d+)")
    expect(live).to_contain_text(update)
    first = update.search(live.inner_text())[1]
    expect(live).not_to_contain_text(f"update {first} of")
    live.get_by_role("button", name="Stop and save").click()
    expect(live).to_contain_text("ended: ")
    expect(still).to_be_hidden()

    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Restart Kernel…")).click()
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(still).to_be_visible()
    expect(still).to_contain_text("Run the cell to use it")
    expect(live).to_be_hidden()
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    page.goto(address)
    expect(still).to_be_visible()
    expect(page.get_by_text("model not found")).to_be_hidden()


def test_a_driven_robot_is_steered_by_keys_that_jupyterlab_leaves_alone_and_stops_with_its_page(lab, page, workspace):
    errors = console_errors(page)
    bundle = standing_bundle(workspace / "bundle", max_lateral_acceleration=0.26)
    robot = hopper(workspace)
    cells = [cell.format(bundle=bundle, robot=robot.mjcf_path) for cell in DRIVE_NOTEBOOK]
    write_notebook(workspace / "notebooks" / "00_drive.ipynb", *cells)
    run_all(page, lab.format(name="00_drive"))
    widget = page.locator(".jp-OutputArea-output:has(canvas.amp-stage)")
    stage = widget.locator("canvas.amp-stage")
    expect(widget).to_contain_text("of real time")
    expect(widget.locator("video")).to_be_hidden()
    still = canvas_pixels(stage)
    assert np.ptp(still) > 60, "a robot"

    stage.click()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(widget.get_by_role("status")).to_contain_text("command 0.2 m/s, +0.1 rad/s")
    expect(widget.locator(".widget-slider", has_text="Forward")).to_contain_text("0.2")
    page.keyboard.press(" ")
    expect(widget.get_by_role("status")).to_contain_text("command 0.0 m/s, +0.0 rad/s")
    for key in ["ArrowLeft"] * 5 + ["ArrowUp"] * 9:
        page.keyboard.press(key)
    expect(widget.get_by_role("status")).to_contain_text("command 0.9 m/s, +0.3 rad/s")
    expect(widget.locator(".widget-slider", has_text="Turn")).to_contain_text("0.3")
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    # A slider that a key moves sends nothing, so the turn that the speed took comes back.
    expect(widget.get_by_role("status")).to_contain_text("command 0.0 m/s, +0.5 rad/s")
    page.keyboard.press(" ")
    expect(widget.get_by_role("status")).to_contain_text("command 0.0 m/s, +0.0 rad/s")
    deadline = time.monotonic() + PATIENCE_S
    while changed(still, canvas_pixels(stage)) < 0.001:
        assert time.monotonic() < deadline, "a push does not move it"
        page.keyboard.press("p")
        page.wait_for_timeout(100)
    expect(widget.get_by_role("status")).to_contain_text(re.compile("[1-9] fall"))
    page.keyboard.press("r")  # JupyterLab would make the cell a raw one
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2

    page.keyboard.press("Tab")  # by keyboard alone: on to the first slider
    expect(widget.locator(".widget-slider", has_text="Forward").locator(".noUi-handle")).to_be_focused()
    for key, speed in (("ArrowRight", 0.1), ("ArrowRight", 0.2), ("ArrowLeft", 0.1)):
        page.keyboard.press(key)
        expect(widget.get_by_role("status")).to_contain_text(f"command {speed} m/s")

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 1000})
        expect(stage).to_be_visible()
        page.wait_for_timeout(300)
        assert widget.evaluate(HIDDEN_WIDTH) <= 4, f"cut off at {width} pixels"
    page.set_viewport_size({"width": 1280, "height": 1000})

    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name="Clear Cell Output", exact=True).click()
    expect(stage).to_have_count(0)
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").last.click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-OutputArea-output").last).to_have_text("False")
    assert errors == []
