"""loco-mujoco's npz.

Since version 1: ``qpos`` (N, Q) as MuJoCo has it, ``joint_names`` and ``jnt_type`` of the model's joints, the free root
among them, ``frequency``, Hz, and ``split_points``, the first frames of the clips and the end.

Before: an array (N) a joint, ``q_<joint>``, with its velocity ``dq_<joint>``. The root is three slides and three
hinges: ``pelvis_tx`` forward, ``pelvis_tz`` left, ``pelvis_ty`` up from the model's rest height, ``pelvis_tilt`` about
-y, then ``pelvis_list`` about x and ``pelvis_rotation`` about z, each in the frame that the one before leaves.
"""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.format import NPZ, Format
from amp_helpers.formats.rates import rate_of_velocities
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import read_array, read_name_list, read_table
from amp_helpers.motion.rotations import from_euler

ROOT = tuple(f"q_pelvis_{name}" for name in ("tx", "tz", "ty", "tilt", "list", "rotation"))
WIDTHS = {0: 7, 1: 4, 2: 1, 3: 1}
"""Columns of ``qpos`` by MuJoCo's joint type: free, ball, slide, hinge."""


def clips_of_trajectory(path: Path, content: Mapping[str, Any], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clips of a loco-mujoco trajectory."""
    qpos = read_table(path, "qpos", content["qpos"])
    names = read_name_list(path, "joint_names", content["joint_names"], "qpos")
    types = [int(kind) for kind in np.ravel(read_array(path, "jnt_type", content["jnt_type"]))]
    widths = [WIDTHS.get(kind, 0) for kind in types]
    if len(names) != len(types) or sum(widths) != qpos.shape[1] or types.count(0) != 1:
        raise InputError(
            f"{path}: qpos has {qpos.shape[1]} columns, and joint_names and jnt_type tell of {len(names)} joints with "
            f"{sum(widths)} columns and {types.count(0)} free roots; export the motion again, with one free root"
        )
    first = np.cumsum([0, *widths])
    root = int(first[types.index(0)])
    hinges = [index for index, kind in enumerate(types) if kind == 3]
    columns = first[hinges]
    starts = np.ravel(read_array(path, "split_points", content["split_points"])).tolist()
    if starts[:1] != [0] or starts[-1] != len(qpos) or any(a >= b for a, b in itertools.pairwise(starts)):
        raise InputError(
            f"{path}: split_points {str(starts)[:60]} are no clips of {len(qpos)} frames; export the motion again"
        )
    clips = list(itertools.pairwise(map(int, starts)))
    for number, (start, end) in enumerate(clips):
        yield StoredClip(
            joint_pos=qpos[start:end, columns],
            root_pos=qpos[start:end, root : root + 3],
            root_rot=qpos[start:end, root + 3 : root + 7],
            fps=content.get("frequency"),
            joint_names=[names[index] for index in hinges],
            name=str(number) if len(clips) > 1 else "",
            keys={"joint_pos": "qpos (hinges)", "root_pos": "qpos (root)", "root_rot": "qpos (root's rotation)"},
            quaternion="wxyz",
            convention_of="MuJoCo's",
        )


def clips_of_arrays(path: Path, content: Mapping[str, Any], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a loco-mujoco file of before version 1."""
    names = [key for key in content if key.startswith("q_") and key not in ROOT]
    columns = {key: np.ravel(read_array(path, key, content[key])) for key in (*ROOT, *names)}
    if not names or len({len(column) for column in columns.values()}) > 1:
        counts = {len(column) for column in columns.values()}
        raise InputError(
            f"{path}: its arrays q_... are of {len(names)} joints and {sorted(counts)} frames; export the motion again"
        )
    joint_pos = np.stack([columns[key] for key in names], axis=1)
    forward, left, up, tilt, lean, turn = (columns[key].astype(np.float64) for key in ROOT)
    # Hinges in one frame after the other are turns about the world's axes in reverse order.
    rotation = from_euler(np.stack([turn, lean, -tilt], axis=1), "zxy")
    notes = ["an array a joint, as loco-mujoco had it before version 1"]
    height = 0.0
    if options.robot is not None:
        height = options.robot.default_root_height
        notes.append(f"root heights counted from {height:.3f} m, where {options.robot.name} stands")
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=np.stack([forward, left, up + height], axis=1),
        root_rot=rotation,
        fps=_rate(content, names, joint_pos),
        usual_fps="--fps 500 if it is one of loco-mujoco's recordings of people",
        joint_names=[key.removeprefix("q_") for key in names],
        keys={"joint_pos": "the arrays q_...", "joint_names": "the names of the arrays"},
        quaternion="xyzw",
        quaternion_computed=True,
        notes=tuple(notes),
    )


def _rate(content: Mapping[str, Any], names: list[str], joint_pos: np.ndarray) -> float | None:
    """Take the rate of the joints' velocities, if they are differences of the angles at a whole number of Hz."""
    speeds = [content.get(f"d{key}") for key in names]
    known = [speed for speed in speeds if isinstance(speed, np.ndarray) and speed.dtype.kind in "fiu"]
    if len(known) < len(names) or {speed.shape for speed in known} != {(len(joint_pos),)}:
        return None
    rate = rate_of_velocities(joint_pos, np.stack(known, axis=1))
    return rate if rate is not None and rate == round(rate) else None


LOCO_MUJOCO = Format(
    "loco-mujoco npz", NPZ, clips_of_trajectory, keys=("qpos", "joint_names", "jnt_type", "split_points")
)
LOCO_MUJOCO_ARRAYS = Format("loco-mujoco npz of version 0", NPZ, clips_of_arrays, keys=ROOT)
