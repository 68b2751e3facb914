"""MimicKit pickles: a dict of ``loop_mode`` (0 clamp, 1 wrap), ``fps`` and ``frames``, plain lists of numbers: root
position (3, m), root rotation as exponential map (3, rad) and one angle per hinge of the character, depth-first.

Layout as in MimicKit's ``anim/motion.py`` (Peng 2025).
"""

import os
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, atomic_write
from amp_helpers.formats.format import PICKLE, Format
from amp_helpers.formats.name_lists import find_names
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import find_rate, read_table, take
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import from_rotation_vector, rotation_vector

ROOT_COLUMNS = 6


def clips_of_mimickit(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a MimicKit pickle."""
    # Removed from the content, because as lists the numbers take four times the table's memory.
    frames = read_table(path, "frames", take(content, "frames"))
    if frames.shape[1] <= ROOT_COLUMNS:
        raise InputError(
            f"{path}: frames have {frames.shape[1]} columns, and MimicKit's have 3 of root position, 3 of root "
            "rotation and one per joint; export the motion again"
        )
    root_pos, vector, joint_pos = np.split(frames, (3, ROOT_COLUMNS), axis=1)
    mode = content.get("loop_mode")
    loop = " that wraps around" if isinstance(mode, int | str) and mode in (1, "WRAP") else ""
    names_key, names = find_names(path, content, joint_pos.shape[1])
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_rot=from_rotation_vector(vector),
        fps=find_rate(content),
        joint_names=names,
        keys={"joint_pos": "frames after the root", "joint_names": names_key},
        quaternion="xyzw",
        quaternion_computed=True,
        notes=(f"MimicKit clip{loop}, root rotation from its exponential map",),
    )


def write_mimickit(path: str | os.PathLike, motion: Motion) -> None:
    """Write a MimicKit pickle of plain lists, ``loop_mode`` clamp, joints in the motion's order; atomic."""
    frames = np.hstack([motion.root_pos, rotation_vector(motion.root_quat), motion.joint_pos])
    content = {"loop_mode": 0, "fps": motion.fps, "frames": frames.tolist()}
    with atomic_write(Path(path)) as temporary:
        temporary.write_bytes(pickle.dumps(content, protocol=4))


MIMICKIT = Format("MimicKit pickle", PICKLE, clips_of_mimickit, keys=("frames",), write=write_mimickit)
