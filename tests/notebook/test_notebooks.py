"""All notebooks, executed once in order by the pipeline behind `make run`, and their results."""

import json
import math
import re

import imageio_ffmpeg
import nbformat
import numpy as np
import pytest
from accessibility import hindrances
from matplotlib.image import imread
from support import dead_links

from amp_helpers import pipeline
from amp_helpers.errors import InputError
from amp_helpers.notebook.execute import NOTEBOOKS
from amp_helpers.notebook.hidden_errors import hidden_errors

PRODUCTS = {"outputs", "runs", "__pycache__", ".venv", ".git", ".pytest_cache", ".ruff_cache", ".hypothesis"}


def tree(root):
    """Return size and modification time of every file of the repository that no tool writes."""
    found = {}
    for folder, folders, files in root.walk():
        folders[:] = [name for name in folders if name not in PRODUCTS and not name.endswith(".egg-info")]
        for name in files:
            if name.startswith(".coverage"):  # of the processes that `make coverage` watches
                continue
            path = folder / name
            found[str(path.relative_to(root))] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def executed(tmp_path_factory, repo_root):
    output = tmp_path_factory.mktemp("notebooks") / "outputs"
    lines, before = [], tree(repo_root)
    pipeline.run(output=output, report=lines.append)
    return output, lines, before, tree(repo_root)


@pytest.mark.notebook
def test_every_notebook_ran_to_its_end(executed):
    lines = executed[1]
    assert len(lines) == len(NOTEBOOKS)
    for number, (name, line) in enumerate(zip(NOTEBOOKS, lines, strict=True), 1):
        assert re.fullmatch(rf"\[{number}/{len(NOTEBOOKS)}\] {name} +\d+ s  ok", line)


@pytest.mark.notebook
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_error_is_hidden(executed, name):
    notebook = nbformat.read(executed[0] / f"{name}.ipynb", as_version=4)
    assert hidden_errors(notebook) == []
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in ran)
    assert any(cell.outputs for cell in ran)


@pytest.mark.notebook
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_warning_is_on_a_page(executed, name):
    for cell in nbformat.read(executed[0] / f"{name}.ipynb", as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                assert not re.search(r"warning", output.text, re.IGNORECASE), output.text


@pytest.mark.notebook
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pages_are_self_contained(executed, name):
    page = (executed[0] / f"{name}.html").read_text()
    assert re.findall(r"""<(?:script|img|video|source)[^>]+src=["']https?:""", page) == []
    assert "data:image/png;base64," in page, "a figure"
    assert "widget-view+json" not in page


@pytest.mark.notebook
def test_formulas_are_readable_without_a_script(executed):
    """Pages load no MathJax, so formulas in dollar signs would appear as source."""
    for name in NOTEBOOKS:
        for cell in nbformat.read(executed[0] / f"{name}.ipynb", as_version=4).cells:
            if cell.cell_type == "markdown":
                assert not re.search(r"\$\$|\$[^$\n]*\\[^$\n]*\$", cell.source), cell.source


@pytest.mark.notebook
def test_every_notebook_writes_a_figure_with_content(executed):
    figures = sorted((executed[0] / "figures").glob("*.png"))
    assert {path.name[:2] for path in figures} == {name[:2] for name in NOTEBOOKS}
    for path in figures:
        assert np.ptp(imread(path)[..., :3]) > 0.2, path.name


@pytest.mark.notebook
def test_the_videos_show_movement(executed):
    videos = sorted((executed[0] / "videos").glob("*.mp4"))
    assert len(videos) >= 2
    for path in videos:
        reader = imageio_ffmpeg.read_frames(str(path))
        info = next(reader)
        frames = [np.frombuffer(frame, np.uint8).astype(int) for frame in reader]
        assert info["codec"] == "h264" and len(frames) >= 20, path.name
        assert np.abs(frames[0] - frames[len(frames) // 2]).max() > 50, path.name


@pytest.mark.notebook
def test_metrics_are_the_agreed_numbers(executed, metric_names):
    metrics = json.loads((executed[0] / "metrics.json").read_text())
    assert set(metrics) == metric_names
    assert all(isinstance(value, int | float) for value in metrics.values())
    # Without a frame between falls, gait metrics are undefined (NaN).
    assert math.isfinite(metrics["falls_per_env_10s"]) and metrics["falls_per_env_10s"] >= 0


@pytest.mark.notebook
def test_training_wrote_a_run_to_resume(executed):
    run = executed[0] / "run"
    assert list(run.rglob("*.pt")), "a checkpoint"
    assert list(run.rglob("events.out.tfevents*")), "TensorBoard's curves"


@pytest.mark.notebook
def test_the_index_links_to_every_result(executed):
    output = executed[0]
    links = set(re.findall(r'(?:href|src)="([^"]+)"', (output / "index.html").read_text()))
    wanted = {f"{name}.{kind}" for name in NOTEBOOKS for kind in ("html", "ipynb")} | {"metrics.json"}
    wanted |= {str(path.relative_to(output)) for path in [*output.glob("figures/*"), *output.glob("videos/*")]}
    assert wanted <= links


@pytest.mark.notebook
def test_no_page_has_a_dead_link(executed):
    assert dead_links(executed[0]) == []


@pytest.mark.notebook
def test_nothing_is_written_outside_the_output_folder(executed):
    _, _, before, after = executed
    assert after == before


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        (
            "02_gmr_conversion",
            {"motion_file": "../datasets/g1_run.pkl", "robot": "g1_29dof", "control_dt": 0.04},
        ),
        (
            "04_amp_training",
            {"dataset": "../datasets/g1_run.npz", "num_envs": 4, "max_iterations": 2, "drop_joints": ["feet"]},
        ),
    ],
)
def test_notebooks_run_on_another_clip_robot_and_frame_rate(tmp_path, name, parameters):
    pipeline.run([name], tmp_path, parameters, report=lambda line: None)
    page = (tmp_path / f"{name}.html").read_text()
    assert "g1_run" in page
    if name.startswith("04"):
        run = json.loads((tmp_path / "run" / "config.json").read_text())
        assert run["dataset"] == "datasets/g1_run.npz" and run["updates"] == 2 and run["drop_joints"] == ["feet"]
        assert not (tmp_path / "run_exercise").exists(), "a temporary run is deleted"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_an_unknown_parameter_of_a_notebook_is_an_error(tmp_path, name):
    with pytest.raises(InputError, match=r"unknown parameter 'no_such_thing'; available: .*output_dir"):
        pipeline.run([name], tmp_path / "outputs", {"no_such_thing": 1})
    assert not (tmp_path / "outputs").exists()


@pytest.mark.notebook
@pytest.mark.browser
def test_nothing_keeps_the_pages_from_being_read_on_a_phone(executed, browser):
    """Without contrast, which takes longest; test_readable_pages.py tests it on a page with each kind of content.

    The last test here, because no notebook can run while the browser is open.
    """
    for name in (*NOTEBOOKS, "index"):
        assert hindrances(browser, executed[0] / f"{name}.html", without=("color-contrast",)) == [], name
