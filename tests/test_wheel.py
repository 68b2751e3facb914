"""The wheel and the source distribution: built from a copy of the checkout, installed, and run from another folder."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import PATIENCE_S, SMALL_RUN

import amp_helpers

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

pytestmark = pytest.mark.sim

NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "outputs", "runs", "build", "*.egg-info", "__pycache__", ".pytest_cache", ".hypothesis"
)
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]


@dataclass(frozen=True)
class Installed:
    """The package in a virtual environment of its own, and an empty folder to work in."""

    environment: Path
    folder: Path

    @property
    def site(self) -> Path:
        return self.environment / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"

    def python(self, *arguments: str) -> str:
        """Run Python in the empty folder, without git on the path and without any variable that finds the checkout."""
        kept = ("HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        variables = {name: os.environ[name] for name in kept if name in os.environ}
        variables |= {"PATH": str(self.environment / "bin"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [self.environment / "bin" / "python", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def written(self) -> dict[str, int]:
        """Every file of the installed package and when it was written, ns."""
        return {str(path): path.stat().st_mtime_ns for path in self.site.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory, repo_root) -> Path:
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(repo_root, folder / "copy", ignore=NOT_SOURCE)
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, folder], cwd=folder / "copy", capture_output=True, check=True)
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sources) -> Path:
    """A wheel made from the source distribution, as ``python -m build`` makes it."""
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*PIP, "wheel", *options, "--wheel-dir", sources.parent, sources], check=True)
    return next(sources.parent.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    """The wheel in an environment that sees the other packages of this one, but not its editable installation."""
    folder = tmp_path_factory.mktemp("installed")
    there = Installed(folder / "environment", folder / "work")
    there.folder.mkdir()
    venv.create(there.environment, symlinks=True)
    # Folders named in a .pth file are searched; their own .pth files, such as an editable install's, are not read.
    others = [path for path in sys.path if Path(path).is_dir() and "site-packages" in Path(path).parts]
    (there.site / "others.pth").write_text("\n".join(others))
    python = there.environment / "bin" / "python"
    subprocess.run([*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True)
    return there


def test_the_source_distribution_is_a_whole_checkout(sources, repo_root):
    with tarfile.open(sources) as file:
        names = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=repo_root, capture_output=True, text=True, check=False)
    missing = {name for name in tracked.stdout.split("\0") if name and (repo_root / name).exists()} - names
    assert not missing, "list them in MANIFEST.in"
    assert {"pyproject.toml", "Makefile", "notebooks/01_joint_order.ipynb", "policies/g1_walk/policy.pt"} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_holds_modules_types_and_demo_data_and_nothing_else(wheel, repo_root):
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
        size = sum(info.compress_size for info in file.infolist())
    package = repo_root / "amp_helpers"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {f"amp_helpers/{path.relative_to(package)}" for path in files}
    for folder in ("datasets", "policies"):
        shipped = {".npz", ".pkl", ".pt", ".onnx", ".json", ".jsonl", ".yaml", ".md", ".py"}
        files = [path for path in (repo_root / folder).rglob("*") if path.suffix in shipped]
        expected |= {f"amp_helpers/{path.relative_to(repo_root)}" for path in files}
    assert names == expected
    policies = sum(name.endswith("/policy.pt") for name in names)
    assert "amp_helpers/utils/__init__.pyi" in names and size < 2e6 + 3e6 * policies


def test_an_installed_wheel_converts_checks_trains_and_evaluates_from_another_folder(installed):
    before = installed.written()
    code = "import amp_helpers, amp_helpers.utils.resources as r; print(amp_helpers.__file__, r.DATASETS, r.POLICIES)"
    package = installed.site / "amp_helpers"
    found = installed.python("-c", code).split()
    assert found == [str(package / name) for name in ("__init__.py", "datasets", "policies")]

    installed.python("-m", "amp_helpers.convert", "datasets/g1_walk_refined.pkl", "--output", "mine.npz")
    assert " checks, 0 failed" in installed.python("-m", "amp_helpers.check", "--dataset", "mine.npz")

    printed = installed.python("-m", "amp_helpers.train", *SMALL_RUN)
    (run,) = (installed.folder / "runs").iterdir()
    assert f"run: {run}" in printed
    config = json.loads((run / "config.json").read_text())
    assert config["commit"] == amp_helpers.__version__
    assert config["dataset"] == "datasets/g1_walk_refined.npz", "no folder of this machine"

    options = ["--output", "result", "--num_envs", "2", "--seconds", "1", "--device", "cpu"]
    installed.python("-m", "amp_helpers.evaluate", "--checkpoint", f"runs/{run.name}", *options)
    assert len(json.loads((installed.folder / "result" / "metrics.json").read_text())) >= 9

    shipped = "from amp_helpers.training import find_policy; print(find_policy('g1_walk')[0])"
    assert installed.python("-c", shipped).strip() == str(package / "policies" / "g1_walk" / "policy.pt")
    assert {path.name for path in installed.folder.iterdir()} == {"mine.npz", "runs", "result"}
    assert installed.written() == before, "nothing is written beside the package"
