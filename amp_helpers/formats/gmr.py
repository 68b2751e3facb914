"""GMR files (General Motion Retargeting): a dict of ``fps``, ``root_pos`` (N, 3), ``root_rot`` (N, 4) xyzw,
``dof_pos`` (N, D), mostly no joint names, and from some writers ``local_body_pos`` (N, B, 3) of the links in
``link_body_list``, in the root's frame. Some tools put the same arrays into an npz."""

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence, Sized
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_write
from amp_helpers.formats.format import NPZ, PICKLE, Format
from amp_helpers.formats.joint_names import listed
from amp_helpers.formats.name_lists import find_names, table_width
from amp_helpers.formats.pickles.load import load_pickle
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.values import HEAD_BYTES, find_rate, read_name_list
from amp_helpers.motion.motion import Motion

REQUIRED_KEYS = ("root_pos", "root_rot", "dof_pos")
KEYS = {"joint_pos": "dof_pos"}
LINK_KEYS = ("link_body_list", "body_names", "link_names", "body_list")


def clips_of_gmr(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a GMR file."""
    yield gmr_clip(path, content)


def gmr_clip(path: Path, content: Mapping[str, object], name: str = "") -> StoredClip:
    """Extract the clip from a dict with GMR's keys.

    Raises:
        InputError: some of them are missing.
    """
    missing = [key for key in REQUIRED_KEYS if content.get(key) is None]
    if missing:
        raise InputError(
            f"{path}: keys {', '.join(missing)} are missing (found: {listed(content)}); give one motion as GMR has it"
        )
    names_key, names = find_names(path, content, table_width(content["dof_pos"]))
    return StoredClip(
        joint_pos=content["dof_pos"],
        root_pos=content["root_pos"],
        root_rot=content["root_rot"],
        fps=find_rate(content),
        joint_names=names,
        name=name,
        keys={**KEYS, "joint_names": names_key},
        bodies=_bodies(path, content),
    )


def _bodies(path: Path, content: Mapping[str, object]) -> Bodies | None:
    """Extract the link positions; None where the file has none in GMR's layout."""
    positions, joints = content.get("local_body_pos"), content["dof_pos"]
    frames = len(joints) if isinstance(joints, Sized) else 0
    if not isinstance(positions, np.ndarray) or positions.ndim != 3 or positions.dtype.kind not in "fiu":
        return None
    if positions.shape[::2] != (frames, 3) or not positions.shape[1]:
        return None
    lists = (_names(content.get(key)) for key in LINK_KEYS)
    names = next((names for names in lists if len(names) == positions.shape[1]), None)
    return Bodies(
        positions,
        None if names is None else tuple(read_name_list(path, "link names", names, "local_body_pos")),
        in_root=True,
    )


def _names(value: object) -> Sequence[object] | np.ndarray:
    """Return a list of names as the file has it; empty for anything else."""
    return value if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1) else ()


def write_gmr(path: str | os.PathLike, motion: Motion, history: Sequence[str] = ()) -> None:
    """Write a GMR pickle (xyzw), with ``joint_names`` added.

    The same motion gives the same bytes. The write is atomic.

    Args:
        path: the file.
        motion: the clip.
        history: lines on how the clip was made, stored as ``history`` unless empty.
    """
    content = {
        "fps": motion.fps,
        "root_pos": np.ascontiguousarray(motion.root_pos),
        "root_rot": np.ascontiguousarray(motion.root_quat),
        "dof_pos": np.ascontiguousarray(motion.joint_pos),
        "local_body_pos": None,
        "link_body_list": None,
        "joint_names": list(motion.joint_names),
    }
    if history:
        content["history"] = list(history)
    with atomic_write(Path(path)) as temporary:
        temporary.write_bytes(pickle.dumps(content, protocol=4))


def read_history(path: str | os.PathLike) -> tuple[str, ...]:
    """Read the lines on how a clip was made that :func:`write_gmr` stored; empty for files without them."""
    path = Path(path)
    if path.is_dir():
        return ()
    with path.open("rb") as file:
        if not PICKLE.starts(file.read(HEAD_BYTES)):
            return ()
    content = load_pickle(path)
    lines = content.get("history") if isinstance(content, dict) else None
    return tuple(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ()


GMR_PICKLE = Format("GMR pickle", PICKLE, clips_of_gmr, keys=("dof_pos", "root_pos", "root_rot"), write=write_gmr)
GMR_NPZ = Format("GMR npz", NPZ, clips_of_gmr, keys=("dof_pos", "root_pos", "root_rot"))
