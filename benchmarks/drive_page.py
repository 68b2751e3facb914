"""How heavy and how fast ``drive.html`` is, in headless Chromium: ``python benchmarks/drive_page.py [--output FILE]``.

Measures ``build/drive.html``, which ``make docs`` builds, at the widths of a desktop and of a phone, from the disk:
seconds until it is ready, how many times faster than real time its policy and physics could be, and how much of real
time it keeps while it also draws, without a GPU.
"""

import argparse
import json
import os
import shutil
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from provenance import provenance

PAGE = Path(__file__).resolve().parents[1] / "build" / "drive.html"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SECONDS = 20
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
COUNT_FRAMES = """() => {
    window.frames_drawn = 0;
    const draw = drive.scene.draw.bind(drive.scene);
    drive.scene.draw = (...values) => { window.frames_drawn += 1; draw(...values); };
}"""


def measure(browser: Browser, size: tuple[int, int]) -> dict[str, object]:
    """Open the page, let the robot walk, and measure both."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    begun = time.perf_counter()
    page.goto(f"{PAGE.as_uri()}?forward=1.0")
    page.wait_for_selector("body[data-state=ready]", timeout=120_000)
    ready = time.perf_counter() - begun
    page.wait_for_timeout(3000)  # until the page has found the quality that it can draw
    page.evaluate(COUNT_FRAMES)
    begun, before = time.perf_counter(), page.evaluate("drive.measures.time")
    page.wait_for_timeout(1000 * SECONDS)
    elapsed, after = time.perf_counter() - begun, page.evaluate("drive.measures.time")
    step, dt = page.evaluate("[drive.stepMs, drive.controller.facts.control_dt]")
    frames, moved, falls = page.evaluate("[window.frames_drawn, drive.measures.moved, drive.measures.falls]")
    page.close()
    return {
        "ready_s": round(ready, 1),
        "real_time_factor": round((after - before) / elapsed, 2),
        "frames_per_s": round(frames / elapsed, 1),
        "control_step_ms": round(step, 2),
        "possible_real_time_factor": round(1000 * dt / step, 1),
        "moved_m": round(moved, 1),
        "falls": falls,
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None or not PAGE.is_file():
        parser.error(f"needs Chromium on the path, and {PAGE}, which make docs builds")
    load = [round(value, 2) for value in os.getloadavg()]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        runs = {name: measure(browser, size) for name, size in SIZES.items()}
        version = browser.version
        browser.close()
    megabytes = round(PAGE.stat().st_size / 1e6, 1)
    result = provenance() | {"chromium": version, "load_average_before": load, "megabytes": megabytes, "runs": runs}
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
