"""Resolve files, folders and glob patterns to motion files, in a reproducible order."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from amp_helpers.errors import InputError
from amp_helpers.formats.registry import SUFFIXES, holds_motion
from amp_helpers.formats.sonic import is_motion_folder
from amp_helpers.formats.values import is_pointer
from amp_helpers.utils.resources import find_data

SHARED_SUFFIXES = (".json", ".txt", ".npy", ".pt")
"""Suffixes that files of other kinds have too, so that in a folder their content decides."""
CONTENT_BYTES = 8192
"""First bytes of such a file that are searched for a motion's keys."""
POINTER_BYTES = 1024
"""Git LFS pointers are smaller."""


def motion_files(
    named: Iterable[str | os.PathLike], *, output: str | os.PathLike | None = None
) -> tuple[list[Path], list[str]]:
    """List the motion files that the arguments name, and a line on each folder with files of other kinds.

    Files keep the order given; the files of a folder or a pattern are sorted by path. A folder contributes the files
    below it with a motion's suffix or content, except ``output``, hidden files and Git LFS pointers, and folders below
    it that are one motion. ``datasets/NAME`` is a demo motion where the current folder has no such file.

    Raises:
        InputError: a folder or a pattern yields no motion file.
    """
    files: list[Path] = []
    notes: list[str] = []
    # With the output among the inputs, a second run would give a different result.
    own = None if output is None else os.path.realpath(output)  # Path.resolve() raises where links form a loop
    for path in map(find_data, named):
        if is_motion_folder(path):
            files.append(path)
        elif path.is_dir():
            files += _in_folder(path, own, notes)
        elif path.exists() or not glob.has_magic(str(path)):
            files.append(path)
        else:
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)))
            whole = {match for match in matches if is_motion_folder(match)}
            folders = [match for match in matches if match.is_dir() and match not in whole]
            below = [file for folder in folders for file in _in_folder(folder, own, notes, empty=True)]
            files_named = {match for match in matches if match.is_file() and os.path.realpath(match) != own}
            found = sorted({*files_named, *whole, *below})
            if not found:
                raise InputError(f"{path}: no file matches this pattern; check it")
            files += found
    return files, notes


def _in_folder(folder: Path, own: str | None, notes: list[str], empty: bool = False) -> list[Path]:
    below = [
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and os.path.realpath(path) != own
    ]
    whole = {path for path in below if is_motion_folder(path)}
    below = sorted(path for path in below if path.is_file() and whole.isdisjoint(path.parents))
    kinds = {path: _kind(path) for path in below}
    motions = sorted([*(path for path in below if kinds[path] == "motion"), *whole])
    if pointers := [path for path in below if kinds[path] == "pointer"]:
        shown = _shown(folder, pointers)
        notes.append(
            f"{folder}: {len(pointers)} Git LFS pointers left out ({shown}); run 'git lfs pull' in their repository to "
            "get the motions"
        )
    if not motions and not empty:
        if pointers:
            raise InputError(f"{folder}: holds only Git LFS pointers ({shown}); run 'git lfs pull' in its repository")
        raise InputError(f"{folder}: holds no motion file ({', '.join(SUFFIXES)}); name a folder that does")
    if left := [path for path in below if kinds[path] == "other"]:
        notes.append(
            f"{folder}: {len(motions)} motion files taken, {len(left)} of other kinds left out ({_shown(folder, left)})"
        )
    return motions


def _shown(folder: Path, paths: list[Path]) -> str:
    return ", ".join(path.relative_to(folder).as_posix() for path in paths[:3]) + (", ..." if len(paths) > 3 else "")


def _kind(path: Path) -> Literal["motion", "pointer", "other"]:
    """Tell motions from other files: by their suffix, or where other files have it too, by their content."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and path.stat().st_size > POINTER_BYTES and suffix not in SHARED_SUFFIXES:
        return "motion"
    with path.open("rb") as file:
        head = file.read(CONTENT_BYTES)
    if is_pointer(head):
        return "pointer" if suffix in SUFFIXES or suffix in SHARED_SUFFIXES else "other"
    if suffix in SHARED_SUFFIXES:
        return "motion" if holds_motion(head) else "other"
    return "motion" if suffix in SUFFIXES else "other"
