"""npz files that motion-tracking trainers use: BeyondMimic's, and holosoma's before and after its conversion.

BeyondMimic (whole_body_tracking, ``csv_to_npz.py``): ``fps`` (1), ``joint_pos`` (N, J), ``joint_vel``, ``body_pos_w``
(N, B, 3) and ``body_quat_w`` (N, B, 4) wxyz in the world, the root first, and no names. Isaac Lab on PhysX lists joints
and bodies breadth-first, mjlab's writer of the same file depth-first. holosoma's converted files add ``joint_names``
and ``body_names``, with MuJoCo's ``world`` first, and older ones put the root's seven numbers before the joints. Its
retargeter itself writes ``qpos`` (N, 7 + J), position then wxyz, or from some versions wxyz then position.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.format import NPZ, Format
from amp_helpers.formats.isaaclab_amp import root_body
from amp_helpers.formats.json_file import JSON
from amp_helpers.formats.link_poses import default_columns, link_poses, robot_for
from amp_helpers.formats.name_lists import find_names, table_width
from amp_helpers.formats.rates import rate_of_velocities
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.values import find_rate, read_array, read_name_list, read_table
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.npz import NpzFile, write_npz

ROOT_COLUMNS = 7


def clips_of_tracking(path: Path, content: Mapping[str, Any], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a BeyondMimic npz or JSON or a converted holosoma npz."""
    keys = ("joint_pos", "body_pos_w", "body_quat_w")
    joint_pos, positions, rotations = (read_array(path, key, content[key]) for key in keys)
    frames = len(joint_pos) if joint_pos.ndim else 0
    for key, value, width in (("body_pos_w", positions, 3), ("body_quat_w", rotations, 4)):
        if (
            value.ndim != 3
            or value.shape[0] != frames
            or value.shape[1:] != (positions.shape[1], width)
            or not value.size
        ):
            raise InputError(
                f"{path}: {key} has shape {value.shape}, expected ({frames} frames as joint_pos has them, bodies, "
                f"{width}); export the motion again"
            )
    names_key, names = find_names(path, content, table_width(joint_pos))
    if names is not None and joint_pos.ndim == 2 and joint_pos.shape[1] == _count(names) + ROOT_COLUMNS:
        joint_pos = joint_pos[:, ROOT_COLUMNS:]
    bodies = (
        read_name_list(path, "body_names", content["body_names"], "body_pos_w") if "body_names" in content else None
    )
    if bodies is not None and len(bodies) != positions.shape[1]:
        raise InputError(
            f"{path}: body_names lists {len(bodies)} bodies and body_pos_w has {positions.shape[1]}; export it again"
        )
    root = 0 if bodies is None else bodies.index(root_body([name for name in bodies if name != "world"] or bodies))
    stated = find_rate(content)
    measured = rate_of_velocities(joint_pos, content.get("joint_vel")) if stated is None else None
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=positions[:, root],
        root_rot=rotations[:, root],
        fps=measured if stated is None else stated,
        notes=(f"{measured:.4g} fps by its joint velocities",) if measured else (),
        joint_names=names,
        keys={"root_pos": "body_pos_w of the root", "root_rot": "body_quat_w of the root", "joint_names": names_key},
        quaternion_convention="wxyz",
        convention_of="BeyondMimic's",
        bodies=Bodies(positions, None if bodies is None else tuple(bodies)),
        root_body="0" if bodies is None else f"'{bodies[root]}'",
    )


def clips_of_qpos(path: Path, content: NpzFile, options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a holosoma npz with ``qpos``; trailing columns of an object are dropped."""
    qpos = read_table(path, "qpos", content["qpos"])
    if qpos.shape[1] <= ROOT_COLUMNS:
        raise InputError(
            f"{path}: qpos has {qpos.shape[1]} columns, expected 7 of the root and one per joint; export it again"
        )
    names = content.get("joint_names")
    if names is not None and qpos.shape[1] == _count(names) + 2 * ROOT_COLUMNS:
        qpos = qpos[:, :-ROOT_COLUMNS]
    # The four columns of unit length are the quaternion.
    norm_error = [np.abs(np.linalg.norm(qpos[:, part], axis=1) - 1).max() for part in (slice(3, 7), slice(0, 4))]
    quaternion_first = norm_error[1] < 0.2 < norm_error[0]
    rotation, position = (slice(0, 4), slice(4, 7)) if quaternion_first else (slice(3, 7), slice(0, 3))
    yield StoredClip(
        joint_pos=qpos[:, ROOT_COLUMNS:],
        root_pos=qpos[:, position],
        root_rot=qpos[:, rotation],
        fps=_rate(content["fps"]) if "fps" in content else None,
        joint_names=names,
        keys={key: f"qpos ({part})" for key, part in (("joint_pos", "joints"), ("root_pos", "position"))}
        | {"root_rot": "qpos (rotation)"},
        quaternion_convention="wxyz",
        convention_of="MuJoCo's",
        notes=("qpos with the quaternion first, by its norm",) if quaternion_first else (),
    )


def _count(names: object) -> int:
    return len(names) if isinstance(names, list | tuple) else np.size(names) if isinstance(names, np.ndarray) else 0


def _rate(value: np.ndarray) -> object:
    """Return frames per second; some of holosoma's files store the seconds between frames under that key."""
    if value.size != 1 or value.dtype.kind not in "fiu":
        return value
    number = float(value.reshape(()))
    return 1 / number if 0 < number < 1 else number


def write_beyondmimic(path: str | os.PathLike, motion: Motion, robot: Robot | None = None) -> None:
    """Write a BeyondMimic npz: joints and links breadth-first, as Isaac Lab orders them on PhysX, without names.

    Args:
        path: npz file, written atomically.
        motion: at the trainer's control rate; joints that it lacks hold the default pose.
        robot: by default, the first of this project's that has the motion's joints.

    Raises:
        InputError: no robot has these joints, or the motion has a single frame.
    """
    robot = robot_for(motion, robot)
    kinematics, links = link_poses(motion, robot)
    from amp_helpers.robots.model import breadth_first  # MuJoCo is loaded only where a model is needed

    order = breadth_first(kinematics.model)
    depth = [0]
    for parent in kinematics.parents[1:]:
        depth.append(depth[parent] + 1)
    columns = sorted(range(len(depth)), key=lambda body: (depth[body], body))
    whole = motion.select(order, fill=default_columns(robot, order))
    write_npz(
        path,
        {
            "fps": np.array([motion.fps]),
            "joint_pos": whole.joint_pos,
            "joint_vel": whole.joint_vel,
            **{f"body_{name}_w": values[:, columns] for name, values in links.items()},
        },
    )


BEYONDMIMIC = Format(
    "BeyondMimic npz",
    NPZ,
    clips_of_tracking,
    keys=("joint_pos", "body_pos_w", "body_quat_w"),
    write=write_beyondmimic,
)
BEYONDMIMIC_JSON = Format("BeyondMimic JSON", JSON, clips_of_tracking, keys=BEYONDMIMIC.keys)
HOLOSOMA = Format("holosoma npz", NPZ, clips_of_qpos, keys=("qpos",))
