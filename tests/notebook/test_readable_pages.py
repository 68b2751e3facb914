"""Pages are readable on a phone, light and dark: a notebook's page with each kind of content, and the index."""

import base64
import io
import itertools

import ipywidgets
import nbformat
import numpy as np
import pytest
from accessibility import PHONE, hindrances
from ipywidgets.embed import dependency_state
from PIL import Image

from amp_helpers import plots
from amp_helpers.checks import CheckTable
from amp_helpers.checks.table import CheckResult
from amp_helpers.notebook import pages
from amp_helpers.plots.panels import save_png
from amp_helpers.utils.table import Table
from amp_helpers.widgets.joint_rows import JointRow, joint_table

pytestmark = pytest.mark.browser

CODE = (
    "# a comment\nfor value in range(20):\n    assert value is not None and value < 1e3, f'a long line of code {value}'"
)
TEXT = """# A notebook

A paragraph with a [term](../docs/glossary.md#amp), and `python -m amp_helpers.check --dataset mine.npz` in it.

```
a formula that is longer than a phone is wide, 1 + 1 = 2
```

| You need | nothing |
|---|---|
| | a clip |

```bash
python -m amp_helpers.check --dataset mine.npz --task my_package.my_task:My-Task-v0
```

<details><summary>Answer</summary>None.</details>
"""


def png(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 200, np.uint8)).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def panels_png() -> str:
    """A figure of three pictures."""
    buffer = io.BytesIO()
    save_png(plots.pictures([np.full((60, 80, 3), 90, np.uint8)] * 3, ("a", "b", "c")), buffer, 100)
    return base64.b64encode(buffer.getvalue()).decode()


def display(mime: str, data: object, **metadata: object) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", {mime: data}, metadata=metadata)


def code_cell(*outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(CODE, outputs=list(outputs), execution_count=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A notebook's page with each kind of content, and the index that leads to it."""
    folder = tmp_path_factory.mktemp("pages")
    checks = CheckTable(
        CheckResult(f"the column order {verdict}", verdict, "much evidence " * 8, "a long remedy " * 5)
        for verdict in ("fail", "warn", "ok")
    )
    numbers = Table(
        ("", *(f"a metric {i}" for i in range(8))),
        [("of a policy", *[0.12345] * 8), ("seeds", *["0.0119 to 0.044"] * 8)],
        marked=frozenset({1}),
    )
    limits = dict.fromkeys(("low", "high", "default", "mean", "minimum", "maximum", "outside"), -0.5)
    rows = [JointRow(f"{side}_knee_joint", "left_knee_joint", 3, 7, **limits) for side in ("left", "right")]
    widget = ipywidgets.VBox(
        [
            ipywidgets.IntSlider(description="Frame"),
            ipywidgets.Image(value=base64.b64decode(png(700, 90)), format="png", tooltip="the robot in a frame"),
            ipywidgets.HTML(joint_table(rows, "left_knee_joint")),
        ]
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(TEXT),
            code_cell(nbformat.v4.new_output("stream", name="stdout", text="/a/path/without/any/space" * 3)),
            code_cell(display("text/html", checks._repr_html_())),
            code_cell(display("text/html", numbers._repr_html_())),
            code_cell(display("image/png", png(900, 300), **{"image/png": {"alt": "a curve", "width": 880}})),
            code_cell(display("image/png", panels_png(), **{"image/png": {"alt": "three poses", "width": 800}})),
            code_cell(display("application/vnd.jupyter.widget-view+json", {"model_id": widget.model_id})),
        ]
    )
    state = {"state": dependency_state([widget], drop_defaults=False)}
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    nbformat.write(notebook, folder / "00_a.ipynb")
    pages.write_page(notebook, folder / "00_a.html", ["00_a", "01_b"])
    for name in ("figures/00_curve.png", "figures/other.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(base64.b64decode(png(900, 300)))
    (folder / "metrics_by_policy.json").write_text('{"g1_walk": {"pose_rmse_rad": 0.02}, "your_run": {}}')
    pages.write_index(folder, ["00_a"])
    return folder


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("name", ["00_a", "index", "glossary"])
def test_nothing_keeps_a_page_from_being_read_on_a_phone(browser, folder, name, colors):
    assert hindrances(browser, folder / f"{name}.html", colors=colors) == []


def test_nothing_keeps_a_page_from_being_read_on_a_wide_screen(browser, folder):
    assert hindrances(browser, folder / "00_a.html", width=1280) == []


@pytest.fixture
def phone(browser, folder):
    page = browser.new_page(viewport=PHONE)
    page.goto((folder / "00_a.html").as_uri())
    yield page
    page.close()


def test_a_figure_grows_to_its_own_size_when_pressed_and_back(phone):
    figure = phone.locator(".amp-figure img").first
    narrow = figure.bounding_box()["width"]
    assert narrow < 390
    figure.locator("..").click()
    assert figure.bounding_box()["width"] > 2 * narrow
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls within the page"
    figure.locator("..").click()
    assert figure.bounding_box()["width"] == narrow


def test_panels_are_below_each_other_on_a_phone_and_make_the_whole_figure_on_a_wide_page(phone):
    panels = phone.locator(".amp-panels img")
    boxes = [panel.bounding_box() for panel in panels.all()]
    assert len(boxes) == 3 and len({round(box["x"] + box["width"] / 2) for box in boxes}) == 1
    assert all(lower["y"] >= upper["y"] + upper["height"] - 1 for upper, lower in itertools.pairwise(boxes))
    assert phone.get_by_role("img", name="three poses").count() == 1
    phone.set_viewport_size({"width": 1280, "height": 900})
    boxes = [panel.bounding_box() for panel in panels.all()]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert sum(box["width"] for box in boxes) == pytest.approx(800, abs=2)
    for left, right in itertools.pairwise(boxes):
        assert right["x"] == pytest.approx(left["x"] + left["width"], abs=1)


def test_checks_are_cards_and_numbers_stay_on_one_line(phone):
    checks = phone.locator(".amp-checks").first
    assert checks.evaluate("table => table.scrollWidth <= table.clientWidth")
    verdict, name = (checks.locator(f"tr:nth-child(1) td:nth-child({i})").bounding_box() for i in (2, 1))
    assert verdict["x"] < name["x"] and abs(verdict["y"] - name["y"]) < 3
    heights = phone.locator(".amp-table tbody tr:nth-child(2) td:nth-child(n + 2)").evaluate_all(
        "cells => cells.map(cell => cell.getClientRects()[0].height)"
    )
    assert max(heights) < 40


def test_long_lines_scroll_and_words_stay_whole(phone):
    assert phone.locator("code span", has_text="--dataset").first.evaluate("node => node.getClientRects().length") == 1
    for box in (".jp-InputArea-editor", ".jp-RenderedText", ".jp-RenderedMarkdown > pre"):
        node = phone.locator(box).first
        assert node.evaluate("node => getComputedStyle(node).overflowX") == "auto"
        assert node.evaluate("node => node.scrollWidth > node.clientWidth")


def test_figures_keep_their_white_paper_in_the_dark(browser, folder):
    page = browser.new_page(viewport=PHONE, color_scheme="dark")
    page.goto((folder / "00_a.html").as_uri())
    colors = [
        page.locator(node).first.evaluate("node => getComputedStyle(node).backgroundColor")
        for node in ("body", ".amp-figure img")
    ]
    assert sum(map(int, colors[0][4:-1].split(","))) < 150 and colors[1] == "rgb(255, 255, 255)"
    page.close()
