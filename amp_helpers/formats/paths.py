"""Resolve files, folders and glob patterns to motion files, in a reproducible order."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.formats.registry import SUFFIXES
from amp_helpers.utils.resources import find_data


def motion_files(
    named: Iterable[str | os.PathLike], *, output: str | os.PathLike | None = None
) -> tuple[list[Path], list[str]]:
    """List the motion files that the arguments name, and a line on each folder with files of other kinds.

    Files keep the order given; the files of a folder or a pattern are sorted by path. A folder contributes the files
    below it with a motion's suffix, except ``output`` and hidden files. ``datasets/NAME`` is a demo motion where the
    current folder has no such file.

    Raises:
        InputError: a folder or a pattern yields no motion file.
    """
    files: list[Path] = []
    notes: list[str] = []
    # With the output among the inputs, a second run would give a different result.
    own = None if output is None else Path(output).resolve()
    for path in map(find_data, named):
        if path.is_dir():
            files += _in_folder(path, own, notes)
        elif path.exists() or not glob.has_magic(str(path)):
            files.append(path)
        else:
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)))
            below = [file for match in matches if match.is_dir() for file in _in_folder(match, own, notes, empty=True)]
            found = sorted({match for match in matches if match.is_file() and match.resolve() != own} | set(below))
            if not found:
                raise InputError(f"{path}: no file matches this pattern; check it")
            files += found
    return files, notes


def _in_folder(folder: Path, own: Path | None, notes: list[str], empty: bool = False) -> list[Path]:
    below = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    below = [path for path in below if path.resolve() != own]
    motions = [path for path in below if path.suffix.lower() in SUFFIXES]
    if not motions and not empty:
        raise InputError(f"{folder}: holds no motion file ({', '.join(SUFFIXES)}); name a folder that does")
    left = [path.relative_to(folder).as_posix() for path in below if path not in set(motions)]
    if left:
        shown = ", ".join(left[:3]) + (", ..." if len(left) > 3 else "")
        notes.append(f"{folder}: {len(motions)} motion files taken, {len(left)} of other kinds left out ({shown})")
    return motions
