"""Demo data, run folders and the recorded commit, with real git repositories and folders shaped like a wheel's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import amp_helpers
from amp_helpers.utils.resources import short_commit

VERSION = amp_helpers.__version__


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path) -> str:
    """Commit a folder's content to a new repository in it and return the commit."""
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return git(folder, "rev-parse", "HEAD")


def copy_package(folder: Path, repo_root: Path) -> None:
    """The part of the package that these answers need."""
    (folder / "amp_helpers" / "utils").mkdir(parents=True)
    for name in ("__init__.py", "__init__.pyi", "utils/__init__.py", "utils/__init__.pyi", "utils/resources.py"):
        shutil.copy(repo_root / "amp_helpers" / name, folder / "amp_helpers" / name)


@pytest.fixture
def project(tmp_path, repo_root) -> Path:
    """A checkout without a repository."""
    folder = tmp_path / "project"
    copy_package(folder, repo_root)
    shutil.copy(repo_root / "pyproject.toml", folder)
    (folder / ".gitignore").write_text("__pycache__/\nruns/\n.venv/\n")
    for name in ("datasets/walk.npz", "policies/walk/policy.pt", "benchmarks/results/a.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("data")
    return folder


@pytest.fixture
def site(tmp_path, repo_root) -> Path:
    """Site-packages with the package installed from a wheel."""
    folder = tmp_path / "somewhere" / "site-packages"
    copy_package(folder, repo_root)
    for name in ("datasets/walk.npz", "policies/walk/policy.pt"):
        (folder / "amp_helpers" / name).parent.mkdir(parents=True)
        (folder / "amp_helpers" / name).write_text("data")
    return folder


def ask(expression: str, path: Path, cwd: Path, **environment: str) -> str:
    """Evaluate an expression of :mod:`amp_helpers.utils.resources`, imported from ``path``."""
    code = f"from amp_helpers.utils.resources import *; from amp_helpers.utils import resources; print({expression})"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(path: Path, cwd: Path | None = None, **environment: str) -> str:
    return ask("present_commit()", path, cwd or path.parent, **environment)


def test_the_commit_of_the_checkout_whatever_the_current_folder(project, tmp_path):
    head = repository(project)
    assert len(head) == 40
    assert [commit(project, cwd) for cwd in (project, tmp_path)] == [head, head]


def test_edits_and_new_modules_make_the_commit_dirty_and_other_new_files_do_not(project):
    head = repository(project)
    for name in ("mine.npz", "runs/a/config.json", "benchmarks/results/new.json"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("{}")
    (project / "benchmarks/results/a.json").write_text("other numbers")
    assert commit(project) == head
    (project / "amp_helpers" / "new.py").touch()
    assert commit(project) == f"{head}-dirty"
    (project / "amp_helpers" / "new.py").unlink()
    (project / "datasets" / "walk.npz").write_text("another walk")
    assert commit(project) == f"{head}-dirty"
    git(project, "add", "--all")
    assert commit(project) == f"{head}-dirty", "staged"


def test_a_worktree_has_its_own_commit(project, tmp_path):
    head = repository(project)
    git(project, "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "other")
    git(tmp_path / "tree", "commit", "--quiet", "--allow-empty", "--message", "second")
    assert commit(tmp_path / "tree") == git(tmp_path / "tree", "rev-parse", "HEAD") != head
    assert commit(project) == head


def test_the_version_where_there_is_no_repository_or_no_commit(project):
    assert commit(project) == VERSION
    git(project, "init", "--quiet")
    assert commit(project) == VERSION


def test_the_version_without_git(project, tmp_path):
    repository(project)
    (tmp_path / "empty").mkdir()
    assert commit(project, PATH=str(tmp_path / "empty")) == VERSION


def test_never_the_commit_of_a_repository_that_encloses_the_package(project, site, tmp_path):
    (tmp_path / "note.txt").touch()
    enclosing = repository(tmp_path)
    assert commit(project) == VERSION, "a copy of the project in another repository"
    assert commit(site) == VERSION, "site-packages in another repository"
    shutil.rmtree(tmp_path / ".git")
    head = repository(project)
    shutil.copytree(site, project / ".venv" / "site-packages")
    assert commit(project / ".venv" / "site-packages") == VERSION, "a wheel installed within the checkout"
    assert commit(project, cwd=tmp_path) == head != enclosing


def test_never_the_commit_of_another_project_with_the_package_at_its_root(site):
    (site / "pyproject.toml").write_text('[project]\nname = "theirs"\ndependencies = ["amp_helpers"]\n')
    repository(site)
    assert commit(site) == VERSION


def test_a_git_hook_of_another_repository_does_not_lead_astray(project, tmp_path):
    head = repository(project)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    repository(tmp_path / "other")
    assert commit(project, GIT_DIR=str(tmp_path / "other" / ".git"), GIT_WORK_TREE=str(tmp_path / "other")) == head


def test_commits_are_abbreviated_and_versions_are_not():
    assert short_commit("0123456789" * 4) == "0123456"
    assert short_commit("0123456789" * 4 + "-dirty") == "0123456-dirty"
    assert short_commit(VERSION) == VERSION


@pytest.mark.parametrize("installed", [False, True], ids=["checkout", "wheel"])
def test_demo_data_is_found_by_name_from_any_folder(installed, project, site, tmp_path):
    path = site if installed else project
    root = site / "amp_helpers" if installed else project
    assert ask("DATASETS", path, tmp_path) == str(root / "datasets")
    assert ask("find_data('datasets/walk.npz')", path, tmp_path) == str(root / "datasets" / "walk.npz")
    assert ask("find_data('policies/walk')", path, tmp_path) == str(root / "policies" / "walk")
    for other in ("datasets/typo.npz", "walk.npz", "elsewhere/walk.npz", "."):
        assert ask(f"find_data({other!r})", path, tmp_path) == other
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "walk.npz").touch()
    assert ask("find_data('datasets/walk.npz')", path, tmp_path) == "datasets/walk.npz", "the user's own comes first"


@pytest.mark.parametrize("installed", [False, True], ids=["checkout", "wheel"])
def test_a_recorded_dataset_is_found_again(installed, project, site, tmp_path):
    path = site if installed else project
    demo = "datasets/walk.npz"
    (tmp_path / "mine.npz").touch()
    assert ask("recorded_path(DATASETS / 'walk.npz')", path, tmp_path) == demo
    assert ask(f"recorded_path({demo!r})", path, tmp_path) == demo, "by its name"
    assert ask("recorded_path('mine.npz')", path, tmp_path) == str(tmp_path / "mine.npz")
    assert ask(f"read_recorded_path({demo!r}) == DATASETS / 'walk.npz'", path, tmp_path) == "True"
    assert ask(f"read_recorded_path({str(tmp_path / 'mine.npz')!r})", path, path) == str(tmp_path / "mine.npz")


def test_runs_go_to_the_current_folder(project, site, tmp_path):
    for path in (project, site):
        assert ask("runs_folder()", path, tmp_path) == str(tmp_path / "runs")
