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
import motion_contents as contents
import numpy as np
import torch

from amp_helpers.dataset import MotionDataset
from amp_helpers.formats import FORMATS
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_29DOF


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


def _pickles(motion: Motion, path: Path) -> list[bytes]:
    """Variants by other writers: other protocols, plain lists, no joint names, numpy's old module path."""
    content = contents.gmr(motion)
    nameless = {key: value for key, value in content.items() if key != "joint_names"} | {"fps": np.float64(29.7)}
    lists = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}
    old = pickle.dumps(nameless, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    return [pickle.dumps(content, protocol=0), old, pickle.dumps(lists, protocol=5)]


def _joblibs(motion: Motion, path: Path) -> list[bytes]:
    clips = {"first": contents.phc(motion), "second": contents.phc(motion.trim(0, 0.5))}
    found = []
    for compress in (0, 3):
        joblib.dump(clips, path, compress=compress)
        found.append(path.read_bytes())
    return found


def _legged_lab(motion: Motion, path: Path) -> list[bytes]:
    linkless = contents.legged_lab(motion)
    del linkless["key_body_pos"]
    with_links = (contents.legged_lab(motion), contents.legged_lab(motion, world=True))
    return [pickle.dumps(content) for content in (*with_links, linkless)]


def _sonic(motion: Motion, path: Path) -> list[bytes]:
    content = contents.tracking(motion)
    return [pickle.dumps({"a": content, "b": content}), pickle.dumps(content | {"fps": 30})]


def _npz(arrays: Mapping[str, Any], pack: Callable[..., None] = np.savez) -> bytes:
    stream = io.BytesIO()
    pack(stream, **arrays)
    return stream.getvalue()


def _npy(content: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, content, allow_pickle=True)
    return stream.getvalue()


def _json(content: Mapping[str, object]) -> bytes:
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content.items()}
    return json.dumps(plain, indent=1).encode()


def _beyondmimic(motion: Motion, path: Path) -> list[bytes]:
    arrays = contents.tracking(motion) | {"fps": np.array([30.0]), "joint_pos": motion.joint_pos}
    return [_npz(arrays | {"joint_vel": motion.joint_vel})]


def _beyondmimic_json(motion: Motion, path: Path) -> list[bytes]:
    content = {"fps": 30, **contents.tracking(motion)}
    names = list(contents.isaac_order(motion).joint_names)
    return [_json(content), _json({"JointNames": names} | content)]


def _holosoma(motion: Motion, path: Path) -> list[bytes]:
    qpos = np.hstack([motion.root_pos, contents.wxyz(motion), motion.joint_pos])
    return [_npz({"qpos": qpos, "fps": np.array(30.0), "joint_names": np.array(motion.joint_names)})]


def _dataset(motion: Motion, path: Path) -> list[bytes]:
    MotionDataset.from_motions([motion, motion], joint_names=motion.joint_names, control_dt=0.02).save(path)
    return [path.read_bytes()]


def _amp_rsl_rl(motion: Motion, path: Path) -> list[bytes]:
    content = contents.amp_rsl_rl(motion)
    return [_npy(content), _npy(content | {"root_position": motion.root_pos, "joint_positions": motion.joint_pos})]


def _torch(content: Mapping[str, Any]) -> list[bytes]:
    tensors = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in content.items()}
    stream = io.BytesIO()
    torch.save(tensors, stream)
    return [stream.getvalue()]


BUILT: Mapping[str, Callable[[Motion, Path], list[bytes]]] = {
    "GMR pickle": _pickles,
    "legged_lab pickle": _legged_lab,
    "SONIC pickle": _sonic,
    "ASAP/PHC pickle": _joblibs,
    "Isaac Lab AMP npz": lambda motion, _: [
        _npz(contents.amp(motion)),
        _npz(contents.amp(motion), np.savez_compressed),
    ],
    "BeyondMimic npz": _beyondmimic,
    "BeyondMimic JSON": _beyondmimic_json,
    "holosoma npz": _holosoma,
    "GMR npz": lambda motion, _: [_npz(contents.gmr(motion))],
    "AMP JSON": lambda motion, _: [_json(content) for content in contents.amp_json(motion)],
    "amp-rsl-rl npy": _amp_rsl_rl,
    "ProtoMotions motion": lambda motion, _: _torch(contents.protomotions(motion)),
    "ProtoMotions library": lambda motion, _: _torch(contents.protomotions_library(motion)),
    "loco-mujoco npz": lambda motion, _: [_npz(contents.loco_mujoco(motion))],
    "loco-mujoco npz of version 0": lambda motion, _: [_npz(contents.loco_mujoco_arrays(motion))],
    "dataset npz": _dataset,
}
"""Name of a format -> function that makes further files of it, as bytes; required for formats without a writer."""
