"""Isaac Lab's AMP files.

Such an npz (``isaaclab_tasks``, humanoid_amp, motions/README.md) holds ``fps``, ``dof_names`` (D), ``body_names`` (B),
``dof_positions`` (N, D), ``body_positions`` (N, B, 3) and ``body_rotations`` (N, B, 4) wxyz. It stores
no root: one of the bodies is the root.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.format import NPZ, Format
from amp_helpers.formats.link_poses import link_poses, robot_for
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.values import find_rate, read_array, read_name_list
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.npz import write_npz

KEYS = ("dof_names", "body_names", "dof_positions", "body_positions", "body_rotations")

ROOT_BODIES = ("pelvis", "pelvis_link", "base_link", "base", "torso", "trunk")
"""Names of the root body in order of preference; a file with none of them has its first body as root."""


def clips_of_amp(path: Path, content: Mapping[str, Any], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of an Isaac Lab AMP npz."""
    dof_pos = read_array(path, "dof_positions", content["dof_positions"])
    bodies = read_name_list(path, "body_names", content["body_names"], "body_positions")
    root = root_body(bodies)
    arrays = {key: read_array(path, key, content[key]) for key in KEYS[-2:]}
    parts = {key: _of_body(path, key, value, bodies, root, dof_pos) for key, value in arrays.items()}
    positions = arrays["body_positions"]
    links = positions if positions.shape[2:] == (3,) and positions.dtype.kind == "f" else None
    yield StoredClip(
        joint_pos=dof_pos,
        root_pos=parts["body_positions"],
        root_rot=parts["body_rotations"],
        fps=find_rate(content),
        joint_names=content["dof_names"],
        keys={
            "joint_pos": "dof_positions",
            "joint_names": "dof_names",
            "root_pos": f"body_positions of '{root}'",
            "root_rot": f"body_rotations of '{root}'",
        },
        quaternion_convention="wxyz",
        convention_of="Isaac Lab's AMP",
        bodies=None if links is None else Bodies(links, tuple(bodies)),
        root_body=f"'{root}'",
    )


def root_body(bodies: Sequence[str]) -> str:
    """Return the first of ``ROOT_BODIES`` among the bodies, else the first body."""
    return next((name for name in ROOT_BODIES if name in bodies), bodies[0] if bodies else "")


def _of_body(
    path: Path, key: str, value: np.ndarray, bodies: Sequence[str], body: str, joints: np.ndarray
) -> np.ndarray:
    frames = len(joints) if joints.ndim else 0
    if value.ndim != 3 or value.shape[:2] != (frames, len(bodies)) or not bodies:
        raise InputError(
            f"{path}: {key} has shape {value.shape}, expected ({frames} frames, {len(bodies)} bodies, ...) as "
            "dof_positions and body_names have them; export the motion again"
        )
    return value[:, bodies.index(body)]


def write_amp(path: str | os.PathLike, motion: Motion, robot: Robot | None = None) -> None:
    """Write an Isaac Lab AMP npz with joint and body names; arguments as :func:`write_beyondmimic`."""
    robot = robot_for(motion, robot)
    kinematics, links = link_poses(motion, robot)
    names = {"pos": "positions", "quat": "rotations", "lin_vel": "linear_velocities", "ang_vel": "angular_velocities"}
    write_npz(
        path,
        {
            "fps": np.array(motion.fps),
            "dof_names": np.array(motion.joint_names),
            "body_names": np.array(kinematics.body_names),
            "dof_positions": motion.joint_pos,
            "dof_velocities": motion.joint_vel,
            **{f"body_{names[name]}": values for name, values in links.items()},
        },
    )


ISAACLAB_AMP = Format("Isaac Lab AMP npz", NPZ, clips_of_amp, keys=KEYS, write=write_amp)
