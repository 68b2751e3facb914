"""JupyterLab in a real browser: notebooks open, run, and their widgets answer to mouse and keyboard."""

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
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A cell that is out of sight is not drawn at all by default, and then there is nothing to look at.
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

# How much of a widget, or of a box in it, lies beyond its edge, pixels; 4 are the margin of what is as wide as its box.
HIDDEN_WIDTH = """node => Math.max(
    ...[node, ...node.querySelectorAll('.widget-box')].map(box => box.scrollWidth - box.clientWidth)
)"""
SLIDERS = "Frame", "Joint"

# A cell has run when its prompt shows a number; an empty one never gets it.
CELL_STATE = """() => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
    const prompts = cells.filter(cell => cell.querySelector('.cm-content').textContent.trim())
        .map(cell => cell.querySelector('.jp-InputPrompt').textContent.trim());
    const errors = [...document.querySelectorAll('[data-mime-type="application/vnd.jupyter.error"]')];
    return {prompts, done: prompts.length > 0 && prompts.every(text => /^\\[\\d+\\]:$/.test(text)),
            errors: errors.map(node => node.textContent.slice(-500))};
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repo_root) -> Path:
    """A copy of the notebooks beside the repository's data, with a small notebook of our own among them."""
    root = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "docs"):  # copies, because the server hands out nothing that lies outside its root
        shutil.copytree(repo_root / name, root / name)
    for name in ("datasets", "policies"):
        (root / name).symlink_to(repo_root / name)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(OWN_NOTEBOOK.strip())])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "notebooks" / "00_slider.ipynb")
    for name, values in SETTINGS.items():
        path = root / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    return root


@pytest.fixture(scope="module")
def lab(workspace, repo_root) -> str:
    """The address of a JupyterLab on loopback, with its token; stopped at the end."""
    port, token = free_port(), secrets.token_hex(16)
    state = {
        "JUPYTERLAB_SETTINGS_DIR": workspace / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": workspace / "workspaces",
        "JUPYTER_CONFIG_DIR": workspace / "config",
        "JUPYTER_RUNTIME_DIR": workspace / "runtime",
        "IPYTHONDIR": workspace / "ipython",
        "JUPYTER_TOKEN": token,
    }
    # The command is the one of `make lab`, moved to the copy.
    arguments = f"--no-browser --ServerApp.port={port} --ServerApp.port_retries=0"
    variables = [f"PYTHON={sys.executable}", f"LAB_ROOT={workspace}", f"LAB_ARGS={arguments}"]
    # Without a word of make's own, also where this is called by `make test`.
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
        deadline = time.monotonic() + 60
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
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on the path; install it (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser) -> Page:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield context.new_page()
    context.close()


def connected(page: Page) -> bool:
    sessions = page.evaluate("() => fetch('/api/sessions').then(reply => reply.json())")
    kernels = [session["kernel"] for session in sessions if session["path"] in page.url]
    return any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels)


def run_all(page: Page, address: str, timeout_s: float) -> None:
    """Open a notebook, run all its cells, and wait until the last one has run."""
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    # Until the page is connected to its kernel, a click on Run would ask which kernel is meant.
    deadline = time.monotonic() + 60
    while not connected(page):
        assert time.monotonic() < deadline, "no kernel"
        page.wait_for_timeout(200)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    state = {}
    deadline = time.monotonic() + timeout_s
    while not state.get("done"):
        assert time.monotonic() < deadline, f"cells still waiting: {state}"
        page.wait_for_timeout(500)
        state = page.evaluate(CELL_STATE)
        assert not state["errors"], state["errors"]


def move(page: Page, slider) -> None:
    """Three steps by the keyboard, away from the end that it may stand at."""
    slider.scroll_into_view_if_needed()
    slider.focus()
    value, most = (float(slider.get_attribute(name)) for name in ("aria-valuenow", "aria-valuemax"))
    for _ in range(3):
        page.keyboard.press("ArrowLeft" if value >= most else "ArrowRight")


def pixels(picture) -> np.ndarray:
    """What an image on the page shows, (H, W, 3)."""
    encoded = picture.evaluate(
        """async image => {
            const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
            return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''));
        }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """Share of pixels that differ visibly."""
    return float((np.abs(before - after).max(axis=2) > 20).mean())


def wait_for_change(page: Page, picture, before: np.ndarray, share: float = 0.002) -> np.ndarray:
    """The picture once at least that share of it differs from before."""
    deadline = time.monotonic() + 20
    while changed(before, after := pixels(picture)) < share:
        assert time.monotonic() < deadline, "the picture stayed as it was"
        page.wait_for_timeout(50)
    return after


def complaints(page: Page) -> list[str]:
    """What the page will have complained about."""
    found = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def fits_in_narrow_pages(page: Page, *outputs) -> None:
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(300)
        for output in outputs:
            assert output.evaluate(HIDDEN_WIDTH) <= 4, f"cut off at {width} pixels"


def test_a_widget_that_knows_nothing_of_us_answers(lab, page):
    """When this fails, look at JupyterLab and the browser first."""
    run_all(page, lab.format(name="00_slider"), 60)
    widget = page.locator(".jp-OutputArea-output:has(.noUi-handle)")
    before = pixels(widget.locator("img"))
    move(page, widget.locator(".noUi-handle"))
    assert changed(before, wait_for_change(page, widget.locator("img"), before)) >= 0.002


def test_notebook_1_is_moved_by_mouse_and_keyboard(lab, page):
    heard = complaints(page)
    run_all(page, lab.format(name="01_joint_order"), 300)
    widget = page.locator(".jp-OutputArea-output:has(select[size])")
    robot, table = widget.locator("img"), widget.locator("select")
    handle, joint = (widget.locator(".widget-slider", has_text=name).locator(".noUi-handle") for name in SLIDERS)
    expect(robot).to_be_visible(timeout=20_000)
    start = pixels(robot)

    move(page, handle)  # the frame, by keyboard
    wait_for_change(page, robot, start)
    expect(widget).to_contain_text("left_knee_joint: column 3 of the dataset")

    handle.focus()  # thirty steps as fast as keys can be pressed: the last is drawn soon, and then nothing more
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    last = round(float(handle.get_attribute("aria-valuenow")))
    expect(widget).to_contain_text(f"frame {last}, ", timeout=3_000)
    page.wait_for_timeout(300)
    moved = pixels(robot)
    page.wait_for_timeout(700)
    assert changed(moved, pixels(robot)) == 0

    joint.focus()  # another joint, by keyboard: another link lights up, another curve is drawn
    page.keyboard.press("ArrowRight")
    expect(widget).to_contain_text("left_ankle_pitch_joint: column 4 of the dataset")
    expect(widget.locator("svg[role=img]")).to_contain_text("left_ankle_pitch, rad")
    other = wait_for_change(page, robot, moved, 0.0005)
    table.select_option(index=3)  # and back, by mouse
    expect(widget).to_contain_text("left_knee_joint: column 3")
    healthy = wait_for_change(page, robot, other, 0.0005)
    assert changed(moved, healthy) < 0.001

    widget.get_by_role("button", name="dataset read as simulator").click()
    broken = wait_for_change(page, robot, healthy, 0.01)
    expect(widget).to_contain_text("2 of 23 joints get their own angles")
    expect(widget).to_contain_text("wrong: the clip says")
    widget.get_by_role("button", name="by name").click()
    assert changed(wait_for_change(page, robot, broken, 0.01), healthy) < 0.001
    expect(widget).to_contain_text("23 of 23 joints get their own angles")

    frame = float(handle.get_attribute("aria-valuenow"))
    widget.locator(".widget-play button").first.click()
    shown = [healthy]
    for _ in range(4):
        shown.append(wait_for_change(page, robot, shown[-1]))
    widget.locator(".widget-play button").first.click()
    page.wait_for_timeout(500)
    still = pixels(robot)
    page.wait_for_timeout(700)
    assert changed(still, pixels(robot)) == 0, "it went on after it was stopped"
    assert float(handle.get_attribute("aria-valuenow")) != frame

    offsets = page.locator(".jp-OutputArea-output:has(textarea)")
    poses = offsets.locator("img")
    assert poses.count() == 6
    once = pixels(poses.nth(2))
    offsets.get_by_role("button", name="Turn the sign").click()
    wait_for_change(page, poses.nth(2), once)
    expect(offsets.locator("textarea")).to_have_value(re.compile(r'"right_shoulder_pitch_joint": -0\.35'))
    expect(offsets).to_contain_text("0.70 rad off: right_shoulder_pitch")

    fits_in_narrow_pages(page, widget, offsets)
    assert heard == []


def test_notebook_3_plays_its_clips_in_step_and_mends_one(lab, page):
    heard = complaints(page)
    run_all(page, lab.format(name="03_feet_removal"), 300)
    players = page.locator(".jp-OutputArea-output:has(.widget-play)")
    expect(players).to_have_count(2)
    feet, bench = players.first, players.last
    robots, heights = feet.locator("img"), feet.locator("div[aria-live]")
    start, said = [pixels(robots.nth(i)) for i in range(2)], heights.inner_text()
    feet.locator(".widget-play button").first.click()
    for i in range(2):
        wait_for_change(page, robots.nth(i), start[i])
    feet.locator(".widget-play button").first.click()
    expect(heights).not_to_have_text(said)

    pair = [bench.locator("img").nth(i) for i in range(2)]  # before and after; what is mirrored is compared mirrored
    held = [pixels(picture) for picture in pair]
    bench.get_by_role("button", name="Mirror").click()
    mirrored = [wait_for_change(page, *both) for both in zip(pair, held, strict=True)]
    expect(bench.locator("div[aria-live]")).to_contain_text("mirror")
    bench.get_by_role("button", name="Undo").click()
    again = [wait_for_change(page, *both) for both in zip(pair, mirrored, strict=True)]
    expect(bench.locator("div[aria-live]")).not_to_contain_text("mirror")
    assert all(changed(*both) < 0.001 for both in zip(held, again, strict=True))

    fits_in_narrow_pages(page, feet, bench)
    assert heard == []
