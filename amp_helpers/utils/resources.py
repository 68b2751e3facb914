"""Demo data, the folder for new runs, and the commit of this package: in a checkout and in an installed wheel."""

import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path

from amp_helpers import __version__

_PACKAGE = Path(str(files("amp_helpers"))).resolve()
_GIT_REDIRECTS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def checkout() -> Path | None:
    """Root of the checkout that this package is imported from; ``None`` for an installed wheel."""
    project = _PACKAGE.parent / "pyproject.toml"
    if project.is_file() and 'name = "amp_helpers"' in project.read_text(encoding="utf-8").splitlines():
        return project.parent
    return None


# A wheel holds both folders within the package, see `package-dir` in pyproject.toml.
_ROOT = checkout() or _PACKAGE
DATASETS = _ROOT / "datasets"
"""The demo motions and datasets."""
POLICIES = _ROOT / "policies"
"""The shipped policies, a folder each."""
POLICY_FILE = "policy.pt"
"""What a policy needs to act, in its folder: its weights and the scaler of its observations."""


def find_data(path: str | os.PathLike) -> Path:
    """Resolve ``datasets/...`` and ``policies/...`` to the demo data where the current folder has no such path.

    Any other path is returned unchanged, whether it exists or not.
    """
    path = Path(path)
    if path.parts[:1] in (("datasets",), ("policies",)) and not path.exists() and (_ROOT / path).exists():
        return _ROOT / path
    return path


def find_run(path: str | os.PathLike) -> Path:
    """Resolve the name of a shipped policy, ``policies/...`` and ``datasets/...`` where there is no such path.

    Any other path is returned unchanged, whether it exists or not.
    """
    path = Path(path)
    shipped = not path.exists() and str(path) in shipped_policies()
    return find_data(Path("policies", path) if shipped else path)


def shipped_policies() -> list[str]:
    """List the policies that come with this package."""
    return sorted(file.parent.name for file in POLICIES.glob(f"*/{POLICY_FILE}"))


def recorded_path(path: str | os.PathLike) -> str:
    """The path as ``config.json`` records it; :func:`read_recorded_path` is the inverse.

    Demo data is ``datasets/...`` on every machine; other files of a checkout are relative to its root, and all others
    absolute.
    """
    path = find_data(path).resolve()
    return str(path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path)


def read_recorded_path(recorded: str) -> Path:
    """The file that ``config.json`` records; a relative path starts at the demo data or at the checkout's root."""
    found = _ROOT / recorded
    return found if found.exists() else Path(recorded)


def runs_folder() -> Path:
    """Parent of run folders that no option names: ``runs/`` in the current folder."""
    return Path.cwd() / "runs"


def present_commit() -> str:
    """The commit of this package's own checkout, with ``-dirty`` where it has changes; else the package's version.

    A repository that merely encloses the package, such as one whose virtual environment it is installed in, does not
    count. Changes are edits of tracked files and new files in the package. Benchmark results are left out, because
    otherwise one benchmark would mark the next.
    """
    root = checkout()
    if root is None:
        return __version__
    try:
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return __version__
        commit = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ".", ":(exclude)benchmarks/results")
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no repository
        return __version__
    changed = any(not line.startswith("??") or line[3:].startswith("amp_helpers/") for line in status.splitlines())
    return f"{commit}-dirty" if changed else commit


def short_commit(commit: str) -> str:
    """Abbreviate what :func:`present_commit` returned to seven digits; ``-dirty`` and versions stay."""
    return re.sub(r"^([0-9a-f]{7})[0-9a-f]{33}", r"\1", commit)


def _git(root: Path, *arguments: str) -> str:
    # Git sets these inside a hook, and they would lead to the hook's repository.
    environment = {name: value for name, value in os.environ.items() if name not in _GIT_REDIRECTS}
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")
