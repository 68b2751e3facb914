"""What the repository promises about itself: one environment, stripped notebooks, commands that exist."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_import_graph import ROOMS

from amp_helpers import __version__
from amp_helpers.checks import CHECKS
from amp_helpers.notebook.execute import NOTEBOOKS, notebook_parameters, read_notebook

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def conda():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [entry for entry in dependencies if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    return plain, pip


def requirements(project):
    listed = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    return {canonicalize_name(r.name): r for r in map(Requirement, listed)}


def test_one_python_version_everywhere(project, conda):
    version = (ROOT / ".python-version").read_text().strip()
    assert project["requires-python"] == ">=3.12,<3.13" and version == "3.12"
    assert f"python={version}" in conda[0]
    assert f"Python {version}" in (ROOT / "README.md").read_text()


def test_conda_installs_the_package_with_its_extras(project, conda):
    """Without PhysX, whose requirements are not compatible with those of the tests, and Optuna, which few need."""
    editable = next(line for line in conda[1] if line.startswith("-e "))
    extras = set(re.fullmatch(r"-e \.\[([\w,]+)\]", editable)[1].split(","))
    assert extras == set(project["optional-dependencies"]) - {"physx", "optuna"}
    assert f"EXTRAS='{editable.removeprefix('-e ')}'" in (ROOT / "tools" / "setup.sh").read_text()


def test_every_extra_that_a_page_names_exists_and_optuna_comes_with_none_other(project):
    named = {
        extra
        for page in PAGES
        for found in re.findall(r"pip install (?:-e )?'?[^' \]]*\[([\w,]+)\]", (ROOT / page).read_text())
        for extra in found.split(",")
    }
    extras = project["optional-dependencies"]
    assert {"optuna", "drive", "deploy", "sim"} <= named <= set(extras)
    others = [*project["dependencies"], *(r for name, listed in extras.items() if name != "optuna" for r in listed)]
    assert not any(Requirement(r).name == "optuna" for r in others)


def test_conda_names_what_the_workspace_stands_on(conda):
    names = {canonicalize_name(Requirement(line).name) for line in conda[1] if not line.startswith("-")}
    assert names >= {
        "jupyterlab", "isaaclab", "skrl", "torch", "numpy", "matplotlib", "ipywidgets", "papermill",
    }  # fmt: skip


def test_conda_and_pyproject_ask_for_the_same_versions(project, conda):
    ours = requirements(project)
    for line in conda[1]:
        if line.startswith("-"):
            continue
        wanted = Requirement(line)
        assert metadata.version(wanted.name) in wanted.specifier, line
        if canonicalize_name(wanted.name) in ours:
            assert wanted.specifier == ours[canonicalize_name(wanted.name)].specifier, line


def pinned_versions():
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.slow
def test_what_the_package_imports_is_installed_with_it():
    modules = set()
    for path in (ROOT / "amp_helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    distributions, pinned = metadata.packages_distributions(), pinned_versions()
    for module in modules - sys.stdlib_module_names - {"amp_helpers"}:
        assert any(canonicalize_name(name) in pinned for name in distributions.get(module, ())), module


def test_the_lock_file_pins_a_tested_version_of_every_requirement(project):
    pinned = pinned_versions()
    for name, wanted in requirements(project).items():
        assert pinned[name] in wanted.specifier, f"{wanted} but requirements.lock has {pinned[name]}; run 'make lock'"


# --- notebooks in git -----------------------------------------------------------------------------------------------


def test_every_notebook_is_in_the_pipeline():
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == list(NOTEBOOKS)


@pytest.fixture(params=NOTEBOOKS)
def source(request) -> nbformat.NotebookNode:
    return read_notebook(ROOT / "notebooks" / f"{request.param}.ipynb")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_notebooks_are_stripped(source):
    assert "widgets" not in source.metadata and "papermill" not in source.metadata
    for cell in code_cells(source):
        assert cell.outputs == [] and cell.execution_count is None


def test_notebooks_open_in_jupyterlab_without_asking_for_a_kernel(source):
    assert source.metadata.kernelspec.name == "python3"


def test_cells_are_short(source):
    for cell in code_cells(source):
        assert len(cell.source.splitlines()) <= 25, cell.source.splitlines()[0]


def test_the_first_code_cell_holds_the_parameters(source):
    first = code_cells(source)[0]
    assert "parameters" in first.metadata.get("tags", [])
    parameters = notebook_parameters(source)
    assert isinstance(parameters["output_dir"], str)


def test_notebooks_install_nothing(source):
    for cell in code_cells(source):
        assert not re.search(r"^\s*[%!]\s*(pip|conda|apt)|subprocess.*pip", cell.source, re.MULTILINE)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_what_it_needs_links_on_and_ends_with_an_exercise(name):
    cells = read_notebook(ROOT / "notebooks" / f"{name}.ipynb").cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    top = "\n".join(prose[:2])
    assert "CPU" in top and "GPU" in top, "what it needs and how long it takes"
    here = NOTEBOOKS.index(name)
    for other in NOTEBOOKS[max(here - 1, 0) : here] + NOTEBOOKS[here + 1 : here + 2]:
        assert f"({other}.ipynb)" in "\n".join(prose), f"link to {other}"
    exercise = max(i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and "xercise" in cell.source)
    assert any(cell.cell_type == "code" for cell in cells[exercise:]), "an exercise that runs"


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["setup", "lock", "run", "docs", "test", "quick", "coverage", "lab", "lint", "bench", "clean"]
)
def test_make_knows_the_target(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


@pytest.mark.parametrize("target", ["test", "quick", "coverage"])
def test_tests_run_in_as_many_processes_as_asked(target):
    command = ["make", "-n", target, "WORKERS=3"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--numprocesses 3 --dist loadfile" in planned


def test_the_workflow_runs_lint_unit_tests_and_the_simulator_by_make():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert len(jobs) == 3 and all(command.startswith("make ") for command in commands)
    assert "make lint" in commands
    for lane in ("sim or notebook or browser", "not sim and not notebook and not browser"):
        assert any(lane in command for command in commands)


def test_the_hooks_run_the_tools_of_the_environment():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = {hook["id"]: hook["entry"] for hook in repositories[0]["hooks"]}
    assert hooks.keys() == {"ruff", "ruff-format", "nbstripout", "codespell"}
    for entry in hooks.values():
        assert shutil.which(entry.split()[0], path=str(Path(sys.executable).parent)), entry


def test_lab_listens_on_loopback_only():
    planned = subprocess.run(["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--ServerApp.ip=127.0.0.1" in planned


def test_ci_runs_what_the_readme_names():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


@pytest.fixture
def bare_machine(tmp_path):
    """A copy of what setup needs, and a path on which there is no Python."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for tool in ("bash", "env", "dirname", "cat", "sha256sum", "df", "awk", "tee", "flock", "id", "rm", "mkdir", "cp"):
        if found := shutil.which(tool):
            (bin_folder / tool).symlink_to(found)

    def setup(**environment):
        environment |= {"PATH": str(bin_folder)}
        return subprocess.run(
            ["tools/setup.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return bin_folder, setup


def test_setup_without_python_is_one_sentence(bare_machine):
    done = bare_machine[1]()
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: Python 3.12 was not found; install it")


def test_setup_takes_uv_where_there_is_no_python(bare_machine):
    bin_folder, setup = bare_machine
    (bin_folder / "uv").write_text('#!/usr/bin/env bash\necho "uv $*"\nexit 1\n')
    (bin_folder / "uv").chmod(0o755)
    done = setup()
    assert done.stdout.startswith("uv venv") and "--seed" in done.stdout and "--python 3.12 .venv" in done.stdout
    assert done.returncode == 2


@pytest.mark.parametrize("begun", [False, True], ids=["bare", "with README's first environment"])
def test_setup_refuses_a_full_disk_before_it_starts(bare_machine, tmp_path, begun):
    bin_folder, setup = bare_machine
    if begun:
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        (tmp_path / ".venv" / "bin" / "python").write_text(FAKE_PYTHON)
        (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    (bin_folder / "df").unlink()
    (bin_folder / "df").write_text("#!/usr/bin/env bash\necho header\necho '/dev/x 100 50 1048576 50% /'\n")
    (bin_folder / "df").chmod(0o755)
    done = setup()
    assert done.returncode == 2 and "only 1 GiB are free" in done.stderr


TOUR = ("drive", "convert", "check", "evaluate")

# --- documentation --------------------------------------------------------------------------------------------------

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "datasets/README.md"]
PAGES += [str(path.relative_to(ROOT)) for folder in ("docs", "policies") for path in (ROOT / folder).glob("**/*.md")]


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub and mkdocs give a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", sorted(set(PAGES)))
def test_links_of_a_page_lead_somewhere(name):
    page = ROOT / name
    for target in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), target


def test_the_contributors_guide_names_every_room_in_order_and_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.+?`) \|", text.partition("## The rooms")[2].partition("## How to")[0], re.MULTILINE)
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row)) == ROOMS
    for path in re.findall(r"`((?:amp_helpers|tests|docs|benchmarks)/[\w./]*)`", text):
        assert "NAME" in path or (ROOT / path).exists(), path


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert 'id="amp_helpers.agent.losses.style_reward"' in (tmp_path / "api" / "amp_helpers.agent.html").read_text()
    assert 'href="notebooks/04_amp_training.html"' in (tmp_path / "index.html").read_text()
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|iframe)[^>]* src="(\w+:[^"]*)|<link[^>]* href="(\w+:[^"]*)', page.read_text()
        )
        assert not loaded, page


def test_the_readme_is_one_page_and_says_how_to_activate_the_environment():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 100 and len(text.split()) <= 900
    commands = text[text.index("\nsource .venv/bin/activate") :]
    named = re.findall(r"python -m amp_helpers\.(\w+)", commands.partition("```")[0])
    assert named == ["convert", "check", "refine", "train", "evaluate", "export", "drive"]


@pytest.mark.slow
def test_the_readmes_first_commands_run_without_isaac_lab(tmp_path):
    """As after the ``pip install`` that it names, which brings none of what is hidden here."""
    text = (ROOT / "README.md").read_text()
    assert "pip install -e '.[drive]'" in text
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks[:2] for line in block.splitlines() if line.startswith("python -m")]
    assert [line.split()[2] for line in lines] == [f"amp_helpers.{name}" for name in TOUR]
    (tmp_path / "hidden").mkdir()
    for name in ("torch", "isaaclab", "skrl", "warp", "onnx", "ipywidgets"):
        (tmp_path / "hidden" / f"{name}.py").write_text("raise ModuleNotFoundError('hidden')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path / "hidden"), str(ROOT)))}
    for line in lines[1:]:
        command = [sys.executable, *line.split()[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "outputs" / "walk" / "metrics.json").read_text())["falls_per_env_10s"] == 0
    drive = (
        "from amp_helpers.deploy import Driver; from amp_helpers.deploy.bundles import named_bundles; "
        f"Driver(named_bundles({lines[0].split('--policy ')[1].split()})).step()"
    )
    subprocess.run([sys.executable, "-c", drive], cwd=tmp_path, env=environment, check=True)


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__ and cited["license"] == "MIT"
    assert {"cff-version", "message", "title", "authors"} <= set(cited)


def test_the_readme_counts_the_checks():
    count = re.search(r"`check`\s+runs\s+(\d+)\s+named\s+checks", (ROOT / "README.md").read_text())
    assert count and int(count[1]) == len(CHECKS)


def test_the_results_keep_a_place_for_what_is_measured():
    text = (ROOT / "docs" / "results.md").read_text()
    for place in ("measured", "coverage"):
        assert text.index(f"<!-- {place}: begin -->") < text.index(f"<!-- {place}: end -->")


FAKE_PYTHON = """#!/usr/bin/env bash
case "$*" in
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip install "*) echo "$*" >>installed && mkdir -p .venv/lib/python3.12/site-packages/torch ;;
esac
"""


def test_locked_setup_installs_what_the_lock_file_says_once(bare_machine, tmp_path):
    bin_folder, setup = bare_machine
    (bin_folder / "python3.12").write_text(FAKE_PYTHON)
    (bin_folder / "python3.12").chmod(0o755)
    assert setup().returncode == 0 and setup().returncode == 0
    assert setup(LOCKED="1").returncode == 0
    assert setup(LOCKED="1").returncode == 0 and setup().returncode == 0
    installed = (tmp_path / "installed").read_text
    plain, physx, locked, again = installed().splitlines()
    assert "-c requirements.lock" not in plain and "-c requirements.lock" in locked
    assert physx == again and re.search(r"--no-deps ovphysx==\S+ ovstage==\S+$", physx)
    (tmp_path / "requirements.lock").write_text("numpy==2.5.5\n")
    assert setup().returncode == 0 and len(installed().splitlines()) == 4
    assert setup(LOCKED="1").returncode == 0 and len(installed().splitlines()) == 6


def test_make_hands_locked_to_setup():
    planned = subprocess.run(
        ["make", "-n", "--print-data-base", "setup", "LOCKED=1"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    assert re.search(r"^LOCKED = 1$", planned, re.MULTILINE)


# --- nothing of one machine -----------------------------------------------------------------------------------------


def test_no_tracked_file_names_a_machine_or_a_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folders = "|".join(("root", r"home/\w+", "work", r"Users/\w+"))
    hosts = "|".join((r"pypi\.org", r"pythonhosted\.org", r"anaconda\.org"))
    forbidden = re.compile(rf"(?<![\w.])/(?:{folders})/|\b(?:{hosts})")
    for name in filter(None, listed.stdout.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content:
            found = forbidden.search(content.decode("utf-8", errors="replace"))
            assert not found, f"{name}: {found[0]}"
