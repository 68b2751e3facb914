"""A small valid file of every registered motion format, for tests and benchmarks.

Formats with a writer write their own; for the others, :data:`BUILT` has a function.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from amp_helpers.dataset import MotionDataset
from amp_helpers.formats import FORMATS
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_29DOF, Kinematics
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
    for kind in FORMATS:
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


BUILT: Mapping[str, Callable[[Motion, Path], list[bytes]]] = {
    "GMR pickle": _pickles,
    "ASAP/PHC pickle": _joblibs,
    "Isaac Lab AMP npz": _amp,
    "BeyondMimic npz": _beyondmimic,
    "holosoma npz": _holosoma,
    "GMR npz": _gmr_npz,
    "dataset npz": _dataset,
}
"""Name of a format -> function that makes further files of it, as bytes; required for formats without a writer."""
