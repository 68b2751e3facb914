"""A small valid file of every registered motion format, for tests and benchmarks.

Formats with a writer write their own; for the others, :data:`BUILT` has a function.
"""

import io
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from amp_helpers.dataset import MotionDataset
from amp_helpers.formats import FORMATS
from amp_helpers.motion import Motion
from amp_helpers.motion.rotations import rotate_inverse
from amp_helpers.robots import G1_29DOF, Kinematics
from amp_helpers.robots.model import breadth_first
from amp_helpers.utils.npz import write_npz


@dataclass(frozen=True)
class Sample:
    """A file's content, its suffix, and the expected result."""

    kind: str
    """Name of the format."""
    suffix: str
    data: bytes
    first_pose: tuple[float, ...] | None = None
    """Joint angles of the first frame, (29), rad; None where they are unknown."""


def walk(frames: int = 40) -> Motion:
    """Make a motion that travels forward and swings every joint."""
    time = np.arange(frames) / 30
    swing = 0.2 * np.sin(2 * np.pi * time[:, None] + np.arange(29))
    return Motion(
        fps=30.0,
        joint_names=G1_29DOF.joint_names,
        joint_pos=G1_29DOF.default_pose() + swing,
        root_pos=np.stack([0.7 * time, 0 * time, 0 * time + 0.79], axis=1),
        root_quat=np.tile([0.0, 0.0, np.sin(0.3), np.cos(0.3)], (frames, 1)),
    )


def samples(folder: Path, frames: int = 40) -> list[Sample]:
    """Make at least one sample of every registered format; ``folder`` is for temporary files.

    Raises:
        KeyError: a format has neither a writer nor a function in ``BUILT``; add one.
    """
    motion = walk(frames)
    pose = tuple(motion.joint_pos[0].tolist())
    found = []
    for kind in (kind for kind in FORMATS if kind.suffixes):
        path = folder / f"sample{kind.suffixes[0]}"
        if kind.write is not None:
            kind.write(path, motion)
            found.append(Sample(kind.name, kind.suffixes[0], path.read_bytes(), pose))
        for data in BUILT[kind.name](motion, path) if kind.name in BUILT or kind.write is None else ():
            found.append(Sample(kind.name, kind.suffixes[0], data, pose))
    return found


def gmr_content(motion: Motion) -> dict[str, object]:
    """Content of a GMR pickle or npz with joint names."""
    return {
        "fps": motion.fps,
        "root_pos": motion.root_pos,
        "root_rot": motion.root_quat,
        "dof_pos": motion.joint_pos,
        "joint_names": list(motion.joint_names),
    }


def phc_content(motion: Motion) -> dict[str, object]:
    """Content of one clip of an ASAP or PHC file."""
    return {
        "root_trans_offset": motion.root_pos,
        "dof": motion.joint_pos,
        "root_rot": motion.root_quat,
        "pose_aa": np.zeros((motion.num_frames, 30, 3), dtype=np.float32),
        "fps": 30,
    }


def _pickles(motion: Motion, path: Path) -> list[bytes]:
    """Variants by other writers: other protocols, plain lists, no joint names, numpy's old module path."""
    content = gmr_content(motion)
    nameless = {key: value for key, value in content.items() if key != "joint_names"} | {"fps": np.float64(29.7)}
    lists = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}
    old = pickle.dumps(nameless, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return [pickle.dumps(content, protocol=0), old, pickle.dumps(lists, protocol=5)]


def _joblibs(motion: Motion, path: Path) -> list[bytes]:
    clips = {"first": phc_content(motion), "second": phc_content(motion.trim(0, 0.5))}
    found = []
    for compress in (0, 3):
        joblib.dump(clips, path, compress=compress)
        found.append(path.read_bytes())
    return found


def _npz(pack: Callable[..., None] = np.savez, **arrays: object) -> bytes:
    stream = io.BytesIO()
    pack(stream, **arrays)
    return stream.getvalue()


def _wxyz(motion: Motion) -> np.ndarray:
    return motion.root_quat[:, [3, 0, 1, 2]]


def _bodies(motion: Motion) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    kinematics = Kinematics(G1_29DOF)
    positions = kinematics.body_positions(motion)
    return kinematics.body_names, positions, np.repeat(_wxyz(motion)[:, None], positions.shape[1], axis=1)


def _amp(motion: Motion, path: Path) -> list[bytes]:
    names, positions, rotations = _bodies(motion)
    arrays = {
        "fps": np.array(30),
        "dof_names": np.array(motion.joint_names),
        "body_names": np.array(names),
        "dof_positions": motion.joint_pos,
        "body_positions": positions.astype(np.float32),
        "body_rotations": rotations.astype(np.float32),
    }
    return [_npz(**arrays), _npz(np.savez_compressed, **arrays)]


def _beyondmimic(motion: Motion, path: Path) -> list[bytes]:
    _, positions, rotations = _bodies(motion)
    arrays = {"fps": np.array([30.0]), "joint_pos": motion.joint_pos, "joint_vel": motion.joint_vel}
    return [_npz(**arrays, body_pos_w=positions.astype(np.float32), body_quat_w=rotations.astype(np.float32))]


def _holosoma(motion: Motion, path: Path) -> list[bytes]:
    qpos = np.hstack([motion.root_pos, _wxyz(motion), motion.joint_pos])
    return [_npz(qpos=qpos, fps=np.array(30.0), joint_names=np.array(motion.joint_names))]


def _dataset(motion: Motion, path: Path) -> list[bytes]:
    MotionDataset.from_motions([motion, motion], joint_names=motion.joint_names, control_dt=0.02).save(path)
    return [path.read_bytes()]


def _gmr_npz(motion: Motion, path: Path) -> list[bytes]:
    write_npz(path, gmr_content(motion))
    return [path.read_bytes()]


def _breadth_first(motion: Motion) -> Motion:
    return motion.select(breadth_first(Kinematics(G1_29DOF).model))


def _rates(motion: Motion) -> np.ndarray:
    return np.gradient(motion.joint_pos, axis=0) * motion.fps


def _legged_lab(motion: Motion, path: Path) -> list[bytes]:
    names, positions, _ = _bodies(motion)
    keys = [
        names.index(f"{side}_{link}") for side in ("left", "right") for link in ("ankle_roll_link", "wrist_yaw_link")
    ]
    apart = positions[:, keys] - motion.root_pos[:, None]
    content = gmr_content(_breadth_first(motion)) | {"loop_mode": 1, "root_rot": _wxyz(motion)}
    del content["joint_names"]
    local = rotate_inverse(np.repeat(motion.root_quat[:, None], len(keys), axis=1), apart)
    return [
        pickle.dumps(content | {"key_body_pos": local}),
        pickle.dumps(content | {"key_body_pos_w": positions[:, keys], "root_rot": motion.root_quat}),
        pickle.dumps(content),
    ]


def tracking_content(motion: Motion) -> dict[str, np.ndarray]:
    """Arrays of SONIC's and BeyondMimic's files."""
    _, positions, rotations = _bodies(motion)
    isaac = _breadth_first(motion)
    return {
        "joint_pos": isaac.joint_pos,
        "joint_vel": _rates(isaac),
        "body_pos_w": positions.astype(np.float32),
        "body_quat_w": rotations.astype(np.float32),
    }


def _sonic(motion: Motion, path: Path) -> list[bytes]:
    content = tracking_content(motion)
    return [pickle.dumps({"a": content, "b": content}), pickle.dumps(content | {"fps": 30})]


def _beyondmimic_json(motion: Motion, path: Path) -> list[bytes]:
    content = {key: value.astype(float).tolist() for key, value in tracking_content(motion).items()}
    names = list(_breadth_first(motion).joint_names)
    return [
        json.dumps({"fps": 30, **content}).encode(),
        json.dumps({"JointNames": names, "fps": 30, **content}).encode(),
    ]


def _amp_json(motion: Motion, path: Path) -> list[bytes]:
    """AMP_for_hardware's layout with two feet, TienKung-Lab's with Euler angles, and motion_imitation's."""
    root, still, feet = np.zeros((motion.num_frames, 6)), motion.root_pos, np.zeros((motion.num_frames, 6))
    euler = np.zeros((motion.num_frames, 3))
    euler[:, 2] = 2 * np.arctan2(motion.root_quat[:, 2], motion.root_quat[:, 3])
    angles, rates = motion.joint_pos, _rates(motion)
    layouts = (
        [still, motion.root_quat, angles, feet, root, rates, feet],
        [still, euler, angles, root, rates],
        [still, motion.root_quat, angles],
    )
    about = {"LoopMode": "Wrap", "FrameDuration": 1 / 30, "joint_names": list(motion.joint_names)}
    return [json.dumps({**about, "Frames": np.hstack(parts).tolist()}, indent=1).encode() for parts in layouts]


def _npy(content: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, content, allow_pickle=True)
    return stream.getvalue()


def _amp_rsl_rl(motion: Motion, path: Path) -> list[bytes]:
    content = {
        "joints_list": list(motion.joint_names),
        "joint_positions": list(motion.joint_pos),
        "root_position": list(motion.root_pos),
        "root_quaternion": list(motion.root_quat),
        "fps": 30.0,
    }
    return [_npy(content), _npy(content | {"root_position": motion.root_pos, "joint_positions": motion.joint_pos})]


def _protomotions(motion: Motion, path: Path) -> list[bytes]:
    _, positions, rotations = _bodies(motion)
    content = {
        "fps": 30,
        "dof_pos": torch.tensor(motion.joint_pos),
        "rigid_body_pos": torch.tensor(positions, dtype=torch.float32),
        "rigid_body_rot": torch.tensor(rotations[..., [1, 2, 3, 0]], dtype=torch.float32),
        "rigid_body_contacts": torch.zeros(positions.shape[:2], dtype=torch.bool),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    return [stream.getvalue()]


def _loco_mujoco(motion: Motion, path: Path) -> list[bytes]:
    half = motion.num_frames // 2
    arrays = {
        "qpos": np.hstack([motion.root_pos, _wxyz(motion), motion.joint_pos]),
        "joint_names": np.array(["root", *motion.joint_names]),
        "jnt_type": np.array([0] + [3] * len(motion.joint_names)),
        "split_points": np.array([0, half, motion.num_frames]),
        "frequency": np.array(30.0),
        "metadata": np.array(None, dtype=object),
    }
    return [_npz(**arrays)]


def _loco_mujoco_arrays(motion: Motion, path: Path) -> list[bytes]:
    nothing = np.zeros(motion.num_frames)
    yaw = 2 * np.arctan2(motion.root_quat[:, 2], motion.root_quat[:, 3])
    forward, left, up = motion.root_pos.T
    root = {"tx": forward, "tz": left, "ty": up - 0.79, "tilt": nothing, "list": nothing, "rotation": yaw}
    arrays = {f"q_pelvis_{name}": values for name, values in root.items()}
    for column, name in enumerate(motion.joint_names):
        arrays[f"q_{name}"], arrays[f"dq_{name}"] = motion.joint_pos[:, column], _rates(motion)[:, column]
    return [_npz(**arrays)]


BUILT: Mapping[str, Callable[[Motion, Path], list[bytes]]] = {
    "GMR pickle": _pickles,
    "legged_lab pickle": _legged_lab,
    "SONIC pickle": _sonic,
    "BeyondMimic JSON": _beyondmimic_json,
    "AMP JSON": _amp_json,
    "amp-rsl-rl npy": _amp_rsl_rl,
    "ProtoMotions motion": _protomotions,
    "loco-mujoco npz": _loco_mujoco,
    "loco-mujoco npz of version 0": _loco_mujoco_arrays,
    "ASAP/PHC pickle": _joblibs,
    "Isaac Lab AMP npz": _amp,
    "BeyondMimic npz": _beyondmimic,
    "holosoma npz": _holosoma,
    "GMR npz": _gmr_npz,
    "dataset npz": _dataset,
}
"""Name of a format -> function that makes further files of it, as bytes; required for formats without a writer."""
