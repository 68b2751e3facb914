"""JupyterLab in a real browser: the notebook opens, runs, and its widget answers to the keyboard."""

import json
import os
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
import pytest
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
    shutil.copytree(repo_root / "notebooks", root / "notebooks")
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
    planned = ["make", "-n", "lab", f"PYTHON={sys.executable}", f"LAB_ROOT={workspace}", f"LAB_ARGS={arguments}"]
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


@pytest.mark.parametrize(("name", "timeout_s"), [("00_slider", 60), ("01_joint_order", 300)])
def test_moving_a_slider_changes_the_picture(lab, page, name, timeout_s):
    run_all(page, lab.format(name=name), timeout_s)
    widget = page.locator(".jp-OutputArea-output:has(.noUi-handle):has(img)").last
    expect(widget).to_be_visible(timeout=20_000)
    picture, slider = widget.locator("img").first, widget.locator(".noUi-handle").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    before = picture.screenshot()
    value = slider.get_attribute("aria-valuenow")
    move(page, slider)
    expect(slider).not_to_have_attribute("aria-valuenow", value)
    deadline = time.monotonic() + 20
    while picture.screenshot() == before:
        assert time.monotonic() < deadline, "the picture stayed as it was"
        page.wait_for_timeout(200)
