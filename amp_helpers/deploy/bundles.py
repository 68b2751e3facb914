"""Find the bundle of a policy, or make one: a bundle's folder, a run, a checkpoint, or a shipped policy's name."""

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.utils.resources import POLICIES


def find_bundle(policy: str | os.PathLike) -> Path:
    """Return the bundle of a policy; where it has none, export it to a temporary folder that this process keeps.

    A bundle is taken as it is, without torch or Isaac Lab. Exporting needs both and takes some twenty seconds, in a
    process of its own; the same policy is exported once.

    Args:
        policy: a folder that :mod:`amp_helpers.export` wrote, or what its ``--checkpoint`` takes.

    Raises:
        InputError: there is no such policy, or it cannot be exported.
    """
    path = Path(policy)
    shipped = sorted(file.parent for file in POLICIES.glob("*/policy.pt"))
    if not path.exists():
        found = next((folder for folder in shipped if path in (Path(folder.name), Path("policies", folder.name))), None)
        if found is None:
            raise InputError(
                f"{path}: no such bundle, run or checkpoint; give the path of one, or a shipped policy: "
                f"{', '.join(folder.name for folder in shipped)}"
            )
        path = found
    if (path / "deploy.json").is_file():
        return path
    newest = max(file.stat().st_mtime_ns for file in (path, *path.glob("*"), *path.glob("checkpoints/*")))
    return Path(_exported(path.resolve(), newest).name)


def named_bundles(policies: Sequence[str | os.PathLike]) -> dict[str, Path]:
    """Return the bundle of each policy by a short name: the last part of its path, or the path where that is taken.

    Raises:
        InputError: as :func:`find_bundle`.
    """
    lasts = [Path(policy).resolve().name for policy in policies]
    names = [last if lasts.count(last) == 1 else str(policy) for last, policy in zip(lasts, policies, strict=True)]
    return {name: find_bundle(policy) for name, policy in zip(names, policies, strict=True)}


@functools.cache
def _exported(path: Path, newest: int) -> tempfile.TemporaryDirectory:
    """Export a policy in a process of its own: Isaac Lab opens one simulator per process, and may already have."""
    print(f"exporting {path.name}, which takes some twenty seconds", file=sys.stderr, flush=True)
    folder = tempfile.TemporaryDirectory(prefix="amp-bundle-")
    command = [sys.executable, "-m", "amp_helpers.export", "--checkpoint", str(path), "--output", folder.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        folder.cleanup()
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it printed nothing")
        raise InputError(last.removeprefix("error: "))
    return folder
