"""The pipeline on small notebooks: it finds the failures that papermill misses."""

import ast
import errno
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from support import dead_links

from amp_helpers import pipeline
from amp_helpers.errors import InputError, run_cli
from amp_helpers.notebook import execute as one_notebook
from amp_helpers.notebook import pages, site
from amp_helpers.notebook.execute import NotebookError, check_parameters, notebook_parameters
from amp_helpers.notebook.hidden_errors import hidden_errors

pytestmark = pytest.mark.slow

PARAMETERS = 'output_dir = "outputs"\nsteps = 3\nrate = 0.5\nlabel = None'


def write_notebook(folder, name, *sources, parameters=PARAMETERS):
    cells = [nbformat.v4.new_markdown_cell(f"# Title of {name}\n\nWhat it *shows*.")]
    if parameters is not None:
        cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


@pytest.fixture
def output(tmp_path):
    (tmp_path / "outputs").mkdir()
    return tmp_path / "outputs"


def test_without_the_extra_of_notebooks_the_command_ends_in_one_line():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['nbformat', 'nbconvert', 'papermill', 'ipywidgets']))\n"
        "from amp_helpers import errors, pipeline; sys.exit(errors.run_cli(pipeline.main))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nbformat is not installed; pip install 'amp_helpers[notebooks]'\n"


# --- parameters -----------------------------------------------------------------------------------------------------


def test_parameters_are_read_with_their_defaults(folder):
    notebook = one_notebook.read_notebook(write_notebook(folder, "a"))
    assert notebook_parameters(notebook) == {
        "output_dir": "outputs",
        "steps": 3,
        "rate": 0.5,
        "label": None,
    }


@pytest.mark.parametrize("source", ["n = 3\nm = n * 2", "import os\nn = 3", "n = [i for i in range(3)]", "n = ("])
def test_a_parameters_cell_may_hold_literals_only(folder, source):
    notebook = one_notebook.read_notebook(write_notebook(folder, "a", parameters=source))
    with pytest.raises(InputError, match="only assignments of literals"):
        notebook_parameters(notebook)


def test_an_error_for_an_unknown_parameter_lists_the_valid_names():
    with pytest.raises(InputError, match=r"'step'; available: rate, steps"):
        check_parameters("a", {"step": 1}, {"steps": 3, "rate": 0.5})


def test_types_follow_the_default():
    known = {"steps": 3, "rate": 0.5, "label": None, "flag": True}
    check_parameters("a", {"steps": 4, "rate": 1, "label": "x", "flag": False}, known)
    for wrong in ({"steps": "many"}, {"steps": 1.5}, {"flag": 1}, {"rate": "fast"}):
        with pytest.raises(InputError, match="such as"):
            check_parameters("a", wrong, known)


@pytest.mark.parametrize(
    "text",
    [
        """b'"; __import__("os").system("touch executed"); "'""",
        """('"; __import__("os").system("touch executed"); "',)""",
        """{'"; __import__("os").system("touch executed"); "'}""",
        """{b'"; __import__("os").system("touch executed"); "': 1}""",
        """[(b'x',)]""",
        "1j",
        "...",
        "1e999",
        "{1: 2}",
    ],
)
@pytest.mark.parametrize("default", [None, "text", [1], 0.5])
def test_values_of_types_that_json_lacks_are_refused(text, default):
    with pytest.raises(InputError, match=r"parameter 'label' is .* as in JSON"):
        check_parameters("a", {"label": pipeline.parse_value(text)}, {"label": default})


TEXTS = [
    '"; x = 1 #',
    "\\",
    '\\"; x = 1 #',
    "\n__import__('os')",
    "'''",
    '"' * 3,
    "a\x00b",
    "{x!r}",
    "\u2028x=1",
    "[" * 5000,
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_one_literal_in_the_generated_cell(text):
    from papermill.translators import PythonTranslator

    for value in (text, [text], {text: text}):
        check_parameters("a", {"label": value}, {"label": None})
        assert ast.literal_eval(PythonTranslator.translate(value)) == value
    assert pipeline.parse_value(text) == text or text == "'''"


def test_an_unknown_parameter_stops_the_run_before_anything_starts(folder, output):
    write_notebook(folder, "a")
    with pytest.raises(InputError, match="unknown parameter 'setps'; available: label, output_dir, rate, steps"):
        pipeline.run(["a"], output, {"setps": 5}, folder=folder)
    assert list(output.iterdir()) == []


def test_a_parameter_goes_only_to_the_notebooks_that_have_it(folder, output):
    write_notebook(folder, "a", "print('steps', steps)")
    write_notebook(folder, "b", "print('none here')", parameters=None)
    pipeline.run(["a", "b"], output, {"steps": 7}, folder=folder, report=lambda line: None)
    assert "steps 7" in (output / "a.html").read_text()


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("0.8", 0.8), ("true", True), ("None", None), ("cuda:0", "cuda:0"), ("[1, 2]", [1, 2]), ("a b", "a b")],
)
def test_values_from_the_command_line(text, value):
    parsed = pipeline.parse_value(text)
    assert parsed == value and type(parsed) is type(value)


# --- a good run -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    notebooks = root / "notebooks"
    notebooks.mkdir()
    write_notebook(
        notebooks,
        "a",
        "import json, os, sys, pathlib\nfigures = pathlib.Path(output_dir) / 'figures'\nfigures.mkdir()",
        "import base64\n"
        "dot = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNg+M9QDwADgQF/"
        "e5IkGQAAAABJRU5ErkJggg==')\n(figures / '01_a_dot.png').write_bytes(dot)",
        "(pathlib.Path(output_dir) / 'metrics.json').write_text(json.dumps({'pose_rmse_rad': 0.12345}))\n"
        "print('cwd', pathlib.Path.cwd().name, 'python', sys.executable)",
        "import ipywidgets\nfrom IPython.display import display\n"
        "slider = ipywidgets.IntSlider(value=4, description='frame')\npicture = ipywidgets.Image(value=dot)\n"
        "shown = ipywidgets.Output()\nwith shown:\n    print('drawn frame', slider.value)\n"
        "display(ipywidgets.VBox([slider, picture, shown]))",
    )
    write_notebook(notebooks, "b", "print(1)")
    lines = []
    index = pipeline.run(["a", "b"], root / "outputs", {"steps": 5}, folder=notebooks, report=lines.append)
    return index, lines


def test_a_line_per_notebook(good_run):
    _, lines = good_run
    assert len(lines) == 2
    assert re.fullmatch(r"\[1/2\] a +\d+ s  ok", lines[0])
    assert re.fullmatch(r"\[2/2\] b +\d+ s  ok", lines[1])


def test_output_holds_notebooks_pages_and_nothing_unfinished(good_run):
    output = good_run[0].parent
    assert sorted(p.name for p in output.iterdir()) == [
        "a.html", "a.ipynb", "b.html", "b.ipynb", "figures", "glossary.html", "index.html", "metrics.json",
    ]  # fmt: skip


def test_the_kernel_is_this_interpreter_in_the_notebooks_folder(good_run):
    page = (good_run[0].parent / "a.html").read_text()
    assert f"cwd notebooks python {sys.executable}" in page


def test_pages_load_nothing_from_elsewhere(good_run):
    for page in good_run[0].parent.glob("*.html"):
        loaded = re.findall(
            r"""(?:<script[^>]+src|<link[^>]+href|<img[^>]+src|url\()\s*=?\s*["']?(\w+:)?//""", page.read_text()
        )
        assert loaded == [], page.name


def test_a_page_shows_the_last_state_of_a_widget(good_run):
    page = (good_run[0].parent / "a.html").read_text()
    assert "drawn frame 4" in page
    assert '<span class="amp-control">frame 4</span>' in page
    assert '<img alt="picture" src="data:image/png;base64,iVBOR' in page.split('class="amp-widget"')[1]
    assert "VBox(children" not in page


def test_the_index_links_to_everything(good_run):
    index = good_run[0]
    text = index.read_text()
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert {"a.html", "b.html", "a.ipynb", "figures/01_a_dot.png", "metrics.json", "glossary.html"} <= set(links)
    assert re.search(r"pose RMSE.*0\.123<", text) and "Of the policy that was evaluated last" in text
    assert "Title of a" in text and "What it shows." in text


def test_no_page_has_a_dead_link(good_run):
    assert dead_links(good_run[0].parent, ours=("a", "b", "glossary", "index")) == []


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="x"></h1><a href="#x"><a href="b.html"><a href="#y"><a href="https://z">')
    assert dead_links(tmp_path) == ["a.html: b.html", "a.html: #y"]


def test_links_to_the_glossary_lead_to_its_page_and_terms(tmp_path):
    terms = [term.lower().replace(" ", "-") for term in re.findall(r"^### (.+)$", pages.GLOSSARY.read_text(), re.M)]
    source = " ".join(f"[term](../docs/glossary.md#{term})" for term in terms) + " [all](../docs/glossary.md)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    page = pages.write_page(notebook, tmp_path / "a.html").read_text()
    pages.write_index(tmp_path, ["a"])
    assert len(terms) > 50 and 'href="glossary.html#amp"' in page and 'href="glossary.html"' in page
    assert dead_links(tmp_path) == []


def test_links_between_notebooks_become_links_between_pages(folder, tmp_path):
    source = "[next](b.ipynb), [there](b.ipynb#part), [away](https://host/x.ipynb)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    text = pages.write_page(notebook, tmp_path / "a.html", ["a", "b"]).read_text()
    assert 'href="b.html"' in text and 'href="b.html#part"' in text and 'href="https://host/x.ipynb"' in text
    assert 'class="next" href="b.html"' in text and 'href="index.html"' in text


def test_pictures_in_markdown_are_embedded(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "walk.gif").write_bytes(b"GIF89a")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("![a walk](../walk.gif)")])
    text = pages.write_page(notebook, tmp_path / "a.html", (), tmp_path / "notebooks").read_text()
    assert 'src="data:image/gif;base64,R0lGODlh"' in text and "walk.gif" not in text


def test_the_site_holds_the_executed_notebooks(good_run, tmp_path, monkeypatch):
    output = good_run[0].parent
    monkeypatch.setattr(site, "NOTEBOOKS", ("a", "c"))
    (output / "run").mkdir(exist_ok=True)
    index = site.write_site(output, tmp_path / "site")
    names = {path.name for path in index.parent.iterdir()}
    assert names == {"a.html", "a.ipynb", "figures", "glossary.html", "index.html", "metrics.json"}, "no run, no c"
    assert 'href="a.html"' in index.read_text() and dead_links(index.parent) == []
    for page in index.parent.glob("*.html"):
        assert "width=device-width, initial-scale=1" in page.read_text(), "readable on a phone"
    index = site.write_site(output, tmp_path / "site", documentation="../index.html")
    assert '<a href="../index.html">documentation</a>' in index.read_text()


def test_only_an_earlier_site_is_replaced(good_run, tmp_path, monkeypatch):
    output = good_run[0].parent
    monkeypatch.setattr(site, "NOTEBOOKS", ("a",))
    (tmp_path / "thesis.tex").write_text("")
    for folder, reason in ((tmp_path, "other than a site"), (output, "is made"), (output.parent, "is made")):
        with pytest.raises(InputError, match=reason):
            site.write_site(output, folder)
    (tmp_path / "index.html").write_text("<h1>My homepage</h1>")
    shutil.copytree(output, tmp_path / "other_outputs")  # with an index of this package
    for folder in (tmp_path, tmp_path / "other_outputs"):
        with pytest.raises(InputError, match="other than a site"):
            site.write_site(output, folder)
    assert (tmp_path / "other_outputs" / "a.ipynb").exists()
    with pytest.raises(InputError, match="run 'make run' first"):
        site.write_site(tmp_path, tmp_path / "site")
    assert (tmp_path / "thesis.tex").exists() and (output / "a.html").exists()


def test_a_site_that_cannot_be_made_leaves_the_earlier_one(good_run, tmp_path, monkeypatch):
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir() if path.is_file()}

    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(site, "NOTEBOOKS", ("a",))
    site.write_site(good_run[0].parent, tmp_path / "site")
    before = files()
    monkeypatch.setattr(pages, "write_index", full)
    with pytest.raises(OSError, match="no space"):
        site.write_site(good_run[0].parent, tmp_path / "site")
    assert files() == before and [path.name for path in tmp_path.iterdir()] == ["site"]


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_failing_cell_keeps_its_results_and_those_of_earlier_runs(folder, output):
    write_notebook(folder, "a", "print('first run')")
    write_notebook(folder, "b", "print('fine')")
    pipeline.run(["a", "b"], output, folder=folder, report=lambda line: None)
    write_notebook(folder, "b", "print('got here')", "values = {}\nvalues['missing']", "print('never')")
    lines = []
    with pytest.raises(NotebookError, match=r"b: cell In \[4\] stopped with KeyError: 'missing'"):
        pipeline.run(["a", "b"], output, folder=folder, report=lines.append)
    assert "ok" in lines[0] and "FAILED" in lines[1]
    assert "first run" in (output / "a.html").read_text()
    assert "fine" in (output / "b.html").read_text()
    kept = (output / "b.failed.html").read_text()
    assert "got here" in kept and "KeyError" in kept
    assert "b.failed.html" in (output / "index.html").read_text()

    write_notebook(folder, "b", "print('mended')")
    pipeline.run(["b"], output, folder=folder, report=lambda line: None)
    assert not list(output.glob("*.failed.*"))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("from amp_helpers.errors import InputError\nraise InputError('x.pkl: not a motion; give one')", InputError),
        ("raise OSError(28, 'No space left on device')", InputError),
        ("raise ValueError('ours')", NotebookError),
    ],
)
def test_an_input_error_differs_from_a_failure(folder, output, source, error):
    with pytest.raises(error, match=r"In \[3\]"):
        one_notebook.execute(write_notebook(folder, "a", source), output)


CALLBACKS = {
    "interactive_output": "out = w.interactive_output(lambda value: fail() if value else None, {'value': slider})\n",
    "captured": "slider.observe(w.Output().capture()(lambda change: fail()), 'value')\n",
}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_an_exception_in_a_widget_callback_is_found(folder, output, kind):
    source = (
        "import ipywidgets as w\nfrom IPython.display import display\n"
        "def fail():\n    raise RuntimeError('hidden in the widget')\n"
        f"slider = w.IntSlider(value=0)\n{CALLBACKS[kind]}display(slider)"
    )
    with pytest.raises(NotebookError, match="RuntimeError: hidden in the widget"):
        one_notebook.execute(write_notebook(folder, "a", source, "slider.value = 3", "print('goes on')"), output)
    assert "goes on" in (output / "a.failed.html").read_text()


def test_an_exception_that_a_widget_cleared_is_found(folder, output):
    source = (
        "import ipywidgets as w\nslider = w.IntSlider(value=0)\n"
        "out = w.interactive_output(lambda v: 1 / (v - 3), {'v': slider})\nout"
    )
    path = write_notebook(folder, "a", source, "slider.value = 3", "slider.value = 4")
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        one_notebook.execute(path, output)


def test_an_exception_in_a_thread_is_found(folder, output):
    source = "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()"
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        one_notebook.execute(write_notebook(folder, "a", source), output)


def test_hidden_errors_are_found_in_any_executed_notebook():
    error = {"output_type": "error", "ename": "RuntimeError", "evalue": "inside\nlast line", "traceback": []}
    notebook = nbformat.v4.new_notebook()
    models = {"m": {"model_name": "OutputModel", "state": {"outputs": [error]}}}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": models}}
    assert hidden_errors(notebook) == ["RuntimeError: last line"]
    assert hidden_errors(nbformat.v4.new_notebook()) == []


def test_an_early_exit_is_a_failure(folder, output):
    path = write_notebook(folder, "a", "raise SystemExit(0)", "print('the rest')")
    with pytest.raises(NotebookError, match="exited early"):
        one_notebook.execute(path, output)


def test_a_kernel_that_dies_is_a_failure(folder, output):
    path = write_notebook(folder, "a", "print('alive', flush=True)", "import os\nos._exit(9)")
    with pytest.raises(NotebookError, match="kernel died"):
        one_notebook.execute(path, output)
    assert "alive" in (output / "a.failed.html").read_text()


def test_a_full_disk_is_one_sentence_and_keeps_earlier_results(folder, output, monkeypatch, capsys):
    write_notebook(folder, "a", "print('kept')")
    pipeline.run(["a"], output, folder=folder, report=lambda line: None)
    before = {p.name: p.read_bytes() for p in output.iterdir()}

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("papermill.engines.write_ipynb", full)
    monkeypatch.setattr(pages, "write_index", full)
    code = run_cli(lambda: pipeline.run(["a"], output, folder=folder, report=lambda line: None) and 0)
    assert code == 2
    assert capsys.readouterr().err.startswith(
        f"error: {output}: cannot be written (No space left on device); free some space"
    )
    assert {p.name: p.read_bytes() for p in output.iterdir()} == before


def test_an_unwritable_folder_is_an_error(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    write_notebook(folder, "a")
    with pytest.raises(InputError, match="cannot be written"):
        pipeline.run(["a"], tmp_path / "file" / "outputs", folder=folder)


@pytest.mark.parametrize("content", ["not json", '{"cells": 3}', "\x00\x01"])
def test_a_file_that_is_no_notebook_is_an_error(folder, output, content):
    (folder / "a.ipynb").write_text(content)
    with pytest.raises(InputError, match="not a Jupyter notebook"):
        pipeline.run(["a"], output, folder=folder)


def test_the_command_line_prints_one_sentence():
    command = [sys.executable, "-m", "amp_helpers.pipeline", "--notebooks", "99_more"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: 99_more: no such notebook; available: 00_amp_in_ten_minutes, ")


def test_a_relative_output_folder_is_made(folder, tmp_path, monkeypatch):
    write_notebook(folder, "a", "open(output_dir + '/made_by_the_notebook', 'w').close()")
    monkeypatch.chdir(tmp_path)
    index = pipeline.run(["a"], "fresh/outputs", folder=folder)
    assert index.is_file() and (tmp_path / "fresh" / "outputs" / "a.html").is_file()
    assert (tmp_path / "fresh" / "outputs" / "made_by_the_notebook").is_file()
