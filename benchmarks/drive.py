"""Speed of a driven robot: ``python benchmarks/drive.py [--policy BUNDLE] [--output FILE]``.

``widget``
    ``widgets.Drive`` in this process, with a page that answers at once: pictures and simulated seconds a second, and
    the share of one core that it takes. The browser's part, which draws a JPEG, is not included.
``page``
    ``python -m amp_helpers.drive``: seconds from the command to its address, and to a robot and figures in headless
    Chromium, where there is one; it draws in software without a GPU.

The JSON::

    command, commit, hardware, load_average_before, picture
    widget{seconds, pictures_per_s, real_time, cores}
    page{address_s, figures_s}
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from provenance import provenance, report

from amp_helpers.deploy.bundles import find_bundle
from amp_helpers.widgets import Drive

SIZE = 480, 360
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]


async def watch(widget: Drive, seconds: float) -> dict[str, float]:
    """Answer each picture of a widget that walks, and measure it after a second."""

    def say(kind: str, **content: object) -> None:
        widget.stage.receive(None, {"kind": kind, "view": "page", **content}, None)

    say("ready")
    widget.driver.command = (0.8, 0.2)
    begun = None
    start = time.perf_counter()
    while time.perf_counter() < start + 1 + seconds:
        if begun is None and time.perf_counter() > start + 1:
            begun = widget.stage.sent, widget.driver.time_s, time.perf_counter(), time.process_time()
        say("shown", number=widget.stage.sent)
        await asyncio.sleep(0.002)
    assert begun is not None
    wall = time.perf_counter() - begun[2]
    return {
        "seconds": round(wall, 1),
        "pictures_per_s": round((widget.stage.sent - begun[0]) / wall, 1),
        "real_time": round((widget.driver.time_s - begun[1]) / wall, 3),
        "cores": round((time.process_time() - begun[3]) / wall, 2),
    }


def open_page(bundle: Path) -> dict[str, float | None]:
    """Start the command and open its page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    start = time.perf_counter()
    command = [sys.executable, "-m", "amp_helpers.drive", "--policy", str(bundle), "--port", port]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and port in process.stdout.readline()
        measured: dict[str, float | None] = {"address_s": round(time.perf_counter() - start, 2), "figures_s": None}
        if found:
            from playwright.sync_api import sync_playwright

            before = time.perf_counter()
            with sync_playwright() as driver:
                page = driver.chromium.launch(executable_path=found, args=FLAGS).new_page()
                start += time.perf_counter() - before  # the browser of a reader is open
                page.goto(f"http://127.0.0.1:{port}")
                page.get_by_text("of real time").wait_for()
                measured["figures_s"] = round(time.perf_counter() - start, 2)
        return measured
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="g1_locomotion", help="a bundle, or what export takes")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    bundle = find_bundle(arguments.policy)
    result = provenance() | {
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "picture": f"{SIZE[0]} x {SIZE[1]}",
        "page": open_page(bundle),
    }
    widget = Drive(bundle, width=SIZE[0], height=SIZE[1], recording_s=0)
    result["widget"] = asyncio.run(watch(widget, arguments.seconds))
    widget.close()
    report(result, arguments.output)


if __name__ == "__main__":
    main()
