"""GMR pickles (General Motion Retargeting): a dict of ``fps``, ``root_pos`` (N, 3), ``root_rot`` (N, 4) xyzw,
``dof_pos`` (N, D), and usually no joint names. Pickles can run code when loaded, so they are read by
:mod:`amp_helpers.safe_pickle`."""

import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion import Motion
from amp_helpers.motion_parts import (
    atomic_write,
    read_fps,
    read_joint_names,
    read_quaternions,
    read_table,
    sha256,
)
from amp_helpers.safe_pickle import load_pickle

REQUIRED_KEYS = ("fps", "root_pos", "root_rot", "dof_pos")


def read_gmr(path: Path, *, fps: float | None, joint_names: Sequence[str] | str | None, quaternion: str) -> Motion:
    """Read a GMR pickle; arguments as :func:`amp_helpers.formats.read_motion`. ``fps`` serves a file without it."""
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, not a GMR dict with {', '.join(REQUIRED_KEYS)}; "
            "export one motion per file"
        )
    needed = REQUIRED_KEYS if fps is None else REQUIRED_KEYS[1:]
    missing = [key for key in needed if content.get(key) is None]
    if missing:
        found = ", ".join(sorted(map(str, content))) or "nothing"
        remedy = "say it with --fps" if missing == ["fps"] else "give a GMR pickle of one motion"
        raise InputError(f"{path}: keys {', '.join(missing)} are missing (found: {found}); {remedy}")
    fps, rate = read_fps(path, content.get("fps"), fps)
    root_pos = read_table(path, "root_pos", content["root_pos"], width=3)
    root_rot = read_table(path, "root_rot", content["root_rot"], width=4)
    dof_pos = read_table(path, "dof_pos", content["dof_pos"])
    lengths = {"root_pos": len(root_pos), "root_rot": len(root_rot), "dof_pos": len(dof_pos)}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{key} {count}" for key, count in lengths.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    names = read_joint_names(path, content.get("joint_names"), joint_names, dof_pos.shape[1])
    root_quat, finding = read_quaternions(path, root_rot, quaternion, np.diff(root_pos, axis=0) * fps)
    return Motion(
        fps=fps,
        joint_names=names,
        joint_pos=dof_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        source=f"{path.name} ({rate}{finding})",
        sha256=sha256(path),
    )


def write_gmr(path: str | os.PathLike, motion: Motion, history: Sequence[str] = ()) -> None:
    """Write a GMR pickle (xyzw), with ``joint_names`` added so that nobody has to guess the columns.

    The same motion gives the same bytes. The write is atomic.

    Args:
        path: the file.
        motion: the clip.
        history: lines on how the clip came about, kept as ``history`` where there are any.
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
    """The lines that :func:`write_gmr` kept on how the clip came about; none where a file has no such lines."""
    content = load_pickle(Path(path))
    lines = content.get("history") if isinstance(content, dict) else None
    return tuple(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ()
