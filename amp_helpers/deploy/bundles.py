"""Find the bundle of a policy, or make one: a bundle's folder, a run, a checkpoint, or a shipped policy's name."""

import functools
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from amp_helpers.errors import InputError, sha256
from amp_helpers.utils.json_data import read_json
from amp_helpers.utils.resources import POLICY_FILE, find_run, shipped_policies

FACTS = "deploy.json"
BUNDLE = "bundle"
"""Folder in a policy's folder that holds its bundle."""


def find_bundle(
    policy: str | os.PathLike, *, task: str | None = None, asset: str | None = None, robot: str | None = None
) -> Path:
    """Return the bundle of a policy; where it has none, export it to a temporary folder that this process keeps.

    A bundle is taken as it is, without torch or Isaac Lab. Exporting needs both and takes some twenty seconds, in a
    process of its own; the same policy is exported once.

    Args:
        policy: a folder that :mod:`amp_helpers.export` wrote, or what its ``--checkpoint`` takes.
        task: option of the export, see :func:`amp_helpers.export.export`; a bundle takes none.
        asset: likewise.
        robot: likewise.

    Raises:
        InputError: there is no such policy, it cannot be exported, or a bundle is given options.
    """
    path = find_run(policy)
    if not path.exists():
        raise InputError(
            f"{path}: no such bundle, run or checkpoint; give the path of one, or a shipped policy: "
            f"{', '.join(shipped_policies())}"
        )
    options = {f"--{name}": value for name, value in (("task", task), ("asset", asset), ("robot", robot)) if value}
    if options and (path / FACTS).is_file():
        raise InputError(f"{path}: is a bundle, which has its task in it; leave out {' and '.join(options)}")
    if not options and (ready := ready_bundle(path)) is not None:
        return ready
    newest = max(file.stat().st_mtime_ns for file in (path, *path.glob("*"), *path.glob("checkpoints/*")))
    return Path(_exported(path.resolve(), newest, tuple(itertools.chain(*options.items()))).name)


def ready_bundle(policy: str | os.PathLike) -> Path | None:
    """Return the bundle that a policy has already; None where it has to be exported.

    Args:
        policy: a bundle, or a folder whose folder ``bundle`` was exported from the ``policy.pt`` beside it, as those of
            the shipped policies are; or the name of one of these.

    Raises:
        InputError: its ``deploy.json`` cannot be read, or lies in a run that has other weights by now.
    """
    path = find_run(policy)
    own, weights = path / BUNDLE, path / POLICY_FILE
    if (path / FACTS).is_file():
        is_run = (path / "config.json").is_file() and weights.is_file()
        if is_run and not _is_of(path, weights):
            raise InputError(
                f"{path}: is a run, and the bundle in its folder is of other weights than its {POLICY_FILE}; "
                f"export it again, or remove {path / FACTS}"
            )
        return path
    return own if weights.is_file() and (own / FACTS).is_file() and _is_of(own, weights) else None


def _is_of(bundle: Path, weights: Path) -> bool:
    facts = read_json(bundle / FACTS, f"export it again, or remove {bundle}")
    return isinstance(facts, dict) and facts.get("checkpoint_sha256") == sha256(weights)


def named_bundles(
    policies: Sequence[str | os.PathLike], *, task: str | None = None, robot: str | None = None
) -> dict[str, Path]:
    """Return the bundle of each policy by a short name: the last part of its path, or the path where that is taken.

    Args:
        policies: each as :func:`find_bundle` takes it.
        task: option of the export of those that have no bundle yet.
        robot: likewise.

    Raises:
        InputError: as :func:`find_bundle`.
    """
    lasts = [Path(os.path.abspath(policy)).name for policy in policies]
    names = [last if lasts.count(last) == 1 else str(policy) for last, policy in zip(lasts, policies, strict=True)]
    return {
        name: ready_bundle(policy) or find_bundle(policy, task=task, robot=robot)
        for name, policy in zip(names, policies, strict=True)
    }


@functools.cache
def _exported(path: Path, newest: int, options: tuple[str, ...]) -> tempfile.TemporaryDirectory:
    """Export a policy in a process of its own: Isaac Lab opens one simulator per process, and may already have."""
    print(f"exporting {path.name}, which takes some twenty seconds", file=sys.stderr, flush=True)
    folder = tempfile.TemporaryDirectory(prefix="amp-bundle-")
    command = [sys.executable, "-m", "amp_helpers.export", "--checkpoint", str(path), *options, "--output", folder.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        folder.cleanup()
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it printed nothing")
        raise InputError(last.removeprefix("error: "))
    return folder
