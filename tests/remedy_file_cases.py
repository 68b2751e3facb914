"""Remedies for damaged files: the file as its program writes it is taken, where the damaged one is refused.

Each case is a remedy, a call that ends in an error with it, and the same call with the remedy carried out.
"""

import json
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support import JOINTS, make_motion

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import motion_contents

from amp_helpers.agent.checkpoint import check_fit
from amp_helpers.dataset import MotionDataset
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.motion.motion import Motion
from amp_helpers.notebook.execute import read_notebook
from amp_helpers.robots.robot import G1_29DOF
from amp_helpers.training.policy import find_policy

ROOT = Path(__file__).parents[1]
POLICY = ROOT / "policies" / "g1_walk"
NOTEBOOK = ROOT / "notebooks" / "01_joint_order.ipynb"
PAIRS = MotionDataset.from_motions([make_motion()], joint_names=JOINTS, control_dt=0.02)
Call = Callable[[Path], object]


def walk() -> Motion:
    return read_motion(ROOT / "datasets" / "g1_walk.pkl")


def changed(array: np.ndarray, value: float) -> np.ndarray:
    copy = np.array(array, dtype=np.float64)
    copy.flat[copy.shape[-1]] = value
    return copy


def loaded(folder: Path, **changes: Any) -> MotionDataset:
    """Load a dataset of which some arrays are others."""
    PAIRS.save(folder / "d.npz")
    arrays = dict(np.load(folder / "d.npz"))
    np.savez(folder / "d.npz", **(arrays | changes))
    return MotionDataset.load(folder / "d.npz")


def stored(folder: Path, content: object, name: str = "m.pkl", **options: Any) -> list[Motion]:
    """Read what a file of this content holds: a pickle, JSON or npz by its name."""
    path = folder / name
    if path.suffix == ".npz":
        np.savez(path, **content)  # pyright: ignore[reportCallIssue]
    elif path.suffix == ".txt":
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return read_motions(path, **options)


def without(content: dict, *keys: str) -> dict:
    return {key: value for key, value in content.items() if key not in keys}


def rows(*parts: np.ndarray) -> dict[str, object]:
    """AMP JSON with these columns."""
    return {"FrameDuration": 1 / 30, "Frames": np.hstack(parts).tolist()}


def speeds(values: np.ndarray) -> np.ndarray:
    return np.gradient(values, 1 / 30, axis=0)


def tensors(folder: Path, content: object) -> list[Motion]:
    torch.save(content, folder / "m.pt")
    return read_motions(folder / "m.pt", robot=G1_29DOF)


def without_content(folder: Path) -> list[Motion]:
    """Read a torch archive that holds its version alone."""
    with zipfile.ZipFile(folder / "m.pt", "w") as archive:
        archive.writestr("m/version", "3")
    return read_motions(folder / "m.pt", robot=G1_29DOF)


def library(**changes: object) -> dict[str, object]:
    content = motion_contents.protomotions_library(walk()) | changes
    return {k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in content.items()}


def zipped(folder: Path, packed: bool) -> list[Motion]:
    """Read an npz with 70 MB of zeros beside the motion, packed or not."""
    content = motion_contents.gmr(walk()) | {"joint_names": np.array(G1_29DOF.joint_names), "more": np.zeros(9_000_000)}
    (np.savez_compressed if packed else np.savez)(folder / "m.npz", **content)
    return read_motions(folder / "m.npz")


def policy(folder: Path, config: bool = True) -> object:
    """Find a copy of a shipped policy, with or without its configuration."""
    shutil.copytree(POLICY, folder / "policy", dirs_exist_ok=True)
    if not config:
        (folder / "policy" / "config.json").unlink()
    return find_policy(folder / "policy")


def fits(value: float) -> None:
    own = torch.nn.Linear(2, 2)
    check_fit("x.pt", "policy", own, own.state_dict() | {"bias": torch.full((2,), value)})


def notebook(folder: Path, text: str) -> object:
    (folder / "n.ipynb").write_text(text)
    return read_notebook(folder / "n.ipynb")


def robotless(motion: Motion) -> dict[str, object]:
    return rows(motion.joint_pos, speeds(motion.joint_pos), motion.root_pos)


def rooted(motion: Motion) -> list[np.ndarray]:
    """Root position, Euler angles of a robot that looks ahead, and joints."""
    return [motion.root_pos, np.zeros((motion.num_frames, 3)), motion.joint_pos]


def long_text(folder: Path, count: int) -> list[Motion]:
    """Read JSON in which so many empty lists stand beside the motion."""
    content = {key: np.asarray(v).tolist() for key, v in motion_contents.gmr(walk()).items()}
    return stored(folder, content | {"more": [[]] * count}, "m.txt")


CASES: list[tuple[str, Call, Call]] = [
    # --- datasets, which convert writes right ---
    (
        "dt is {}, not a positive number of seconds",
        lambda _: replace(PAIRS, dt=-1.0),
        lambda _: replace(PAIRS, dt=0.02),
    ),
    (
        "{} has shape {}, expected {}",
        lambda _: replace(PAIRS, root_pos=PAIRS.root_pos[:, :2]),
        lambda _: replace(PAIRS, root_pos=PAIRS.root_pos),
    ),
    (
        "{} is NaN or infinite at row {}",
        lambda _: replace(PAIRS, root_pos=changed(PAIRS.root_pos, np.nan)),
        lambda _: replace(PAIRS, root_pos=changed(PAIRS.root_pos, PAIRS.root_pos[1, 0])),
    ),
    (
        "{} is not a unit quaternion at row {}",
        lambda _: replace(PAIRS, root_quat=2 * PAIRS.root_quat),
        lambda _: replace(PAIRS, root_quat=PAIRS.root_quat),
    ),
    (
        "{} is not the following row of {} at row {}",
        lambda _: replace(PAIRS, states=changed(PAIRS.states, 2.0)),
        lambda _: replace(PAIRS, states=changed(PAIRS.states, PAIRS.states[1, 0])),
    ),
    (
        "motion_id does not number the {} motions from 0 upward",
        lambda _: replace(PAIRS, motion_id=PAIRS.motion_id + 1),
        lambda _: replace(PAIRS, motion_id=PAIRS.motion_id),
    ),
    (
        "weight is {} for motion {}, not a positive number",
        lambda _: replace(PAIRS, weight=np.zeros(1)),
        lambda _: replace(PAIRS, weight=np.ones(1)),
    ),
    (
        "has {} pairs and {} checksums for {} motions",
        lambda _: replace(PAIRS, sha256=()),
        lambda _: replace(PAIRS, sha256=PAIRS.sha256),
    ),
    (
        "has {} names and {} findings for {} motions",
        lambda _: replace(PAIRS, name=("a", "b")),
        lambda _: replace(PAIRS, name=("a",)),
    ),
    # --- motions, as their programs write them ---
    (
        "give one motion as GMR has it",
        lambda f: stored(f, {"walk": without(motion_contents.gmr(walk()), "root_rot")}),
        lambda f: stored(f, {"walk": motion_contents.gmr(walk())}),
    ),
    (
        "give clips as ASAP, PHC or GMR have them",
        lambda f: stored(f, {"walk": without(motion_contents.phc(walk()), "root_trans_offset")}),
        lambda f: stored(f, {"walk": motion_contents.phc(walk())}),
    ),
    (
        "export it with one of them",
        lambda f: stored(f, {"walk": without(motion_contents.phc(walk()), "root_rot", "pose_aa")}),
        lambda f: [stored(f, {"walk": without(motion_contents.phc(walk()), part)}) for part in ("root_rot", "pose_aa")],
    ),
    (
        "export the motion again, with one free root",
        lambda f: stored(f, motion_contents.loco_mujoco(walk()) | {"jnt_type": np.full(30, 3)}, "m.npz"),
        lambda f: stored(f, without(motion_contents.loco_mujoco(walk()), "metadata"), "m.npz"),
    ),
    (
        "export the library again",
        lambda f: tensors(f, library(motion_num_frames=torch.tensor([999, 20]))),
        lambda f: tensors(f, library()),
    ),
    ("save the motion again", without_content, lambda f: tensors(f, library())),
    (
        "give the file of the same motion that has the root (motion_visualization in TienKung-Lab)",
        lambda f: stored(f, robotless(walk()), "m.txt"),
        lambda f: stored(
            f,
            rows(*rooted(walk()), *map(speeds, rooted(walk()))),
            "m.txt",
        ),
    ),
    (
        "give the motion with the names of its joints, as a CSV with a header for instance",
        lambda f: stored(f, rows(np.ones((20, 5))), "m.txt"),
        lambda f: stored(f, motion_contents.gmr(walk())),
    ),
    (
        "download the file that the page shows",
        lambda f: stored(f, b"<!DOCTYPE html><html></html>"),
        lambda f: stored(f, pickle.dumps(motion_contents.gmr(walk()))),
    ),
    (
        "retarget it to your robot first, with GMR for instance (https://github.com/YanjieZe/GMR), and convert the "
        "pickle that this writes",
        lambda f: stored(f, {"poses": np.zeros((3, 72)), "trans": np.zeros((3, 3))}),
        lambda f: stored(f, motion_contents.gmr(walk())),
    ),
    ("store it without compression, or {}", lambda f: zipped(f, packed=True), lambda f: zipped(f, packed=False)),
    ("split the motion", lambda f: long_text(f, 4_000_000), lambda f: long_text(f, 4)),
    # --- policies and notebooks ---
    (
        "give another checkpoint of the run",
        lambda _: fits(float("nan")),
        lambda _: fits(0.0),
    ),
    (
        "use the task, dataset, features, symmetry and network sizes that it was trained with",
        lambda _: check_fit("x.pt", "policy", torch.nn.Linear(3, 2), torch.nn.Linear(2, 2).state_dict()),
        lambda _: check_fit("x.pt", "policy", torch.nn.Linear(2, 2), torch.nn.Linear(2, 2).state_dict()),
    ),
    ("keep the two files of a run together", lambda f: policy(f, config=False), policy),
    ("restore the file", lambda f: notebook(f, "{}"), lambda f: notebook(f, NOTEBOOK.read_text())),
]
