"""Reading motion files of any format: ``FORMATS`` lists them, and each has a file of its own beside this one.

A file's suffix or, where no format has that suffix, its first bytes decide how it is opened; the keys in it decide
which format it is.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from amp_helpers.errors import InputError
from amp_helpers.formats.assemble import assemble
from amp_helpers.formats.beyondmimic import BEYONDMIMIC, HOLOSOMA
from amp_helpers.formats.dataset_npz import DATASET
from amp_helpers.formats.format import Format
from amp_helpers.formats.gmr import GMR_NPZ, GMR_PICKLE
from amp_helpers.formats.isaaclab_amp import ISAACLAB_AMP
from amp_helpers.formats.lafan1 import LAFAN1
from amp_helpers.formats.mimickit import MIMICKIT
from amp_helpers.formats.phc import PHC
from amp_helpers.formats.stored_clip import ReadOptions
from amp_helpers.formats.values import check_file, read_bytes
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot

FORMATS: tuple[Format, ...] = (
    GMR_PICKLE,
    MIMICKIT,
    PHC,
    LAFAN1,
    ISAACLAB_AMP,
    BEYONDMIMIC,
    HOLOSOMA,
    GMR_NPZ,
    DATASET,
)
"""The registry. Of formats whose keys match a file equally well, the first is taken."""

SUFFIXES = tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))
"""Suffixes of motion files."""


def read_motion(path: str | os.PathLike, **options: Any) -> Motion:
    """Read the one clip of a motion file; arguments and errors as :func:`read_motions`.

    Raises:
        InputError: also when the file holds several clips.
    """
    motions = read_motions(path, **options)
    if len(motions) > 1:
        labels = ", ".join(motion.label.rpartition("/")[2] for motion in motions[:5])
        raise InputError(
            f"{path}: holds {len(motions)} clips ({labels}{', ...' if len(motions) > 5 else ''}), and one is wanted; "
            "convert it to a dataset, or read it with read_motions"
        )
    return motions[0]


def read_motions(
    path: str | os.PathLike,
    *,
    joint_names: Sequence[str] | str | None = None,
    quaternion: str = "auto",
    fps: float | None = None,
    robot: Robot | None = None,
    repairs: Collection[str] | None = None,
) -> list[Motion]:
    """Read every clip of a motion file of any format in ``FORMATS``.

    Args:
        path: the file.
        joint_names: the joint columns of a file that does not name them: names, a key of ``JOINT_ORDERS``, or
            ``robot`` or ``physx`` for the robot's own order, depth-first or breadth-first. Names in the file count
            before it and must agree with it; ``names`` lets them count although the file's links contradict them.
            Not needed where names or stored link positions decide, nor for 29 columns of a G1.
        quaternion: order of the root's quaternion: ``xyzw``, ``wxyz``, or ``auto``, which takes the order that keeps
            the pelvis upright, else the feet on the ground, else the format's own (xyzw; wxyz in npz).
        fps: frames per second of a file that does not state them, as a CSV; a stated rate is preferred.
        robot: the robot that the file is for; its model then gives the evidence of feet and joint limits. Without it,
            this project's robots are compared, and only where nothing else decides.
        repairs: names of repairs to make. Given, even empty, quaternions off unit length are an error unless
            ``quaternion_norm`` is among them; left out, they are normalized.

    Returns:
        The clips as stored (not resampled); quaternions xyzw, of unit length, without sign flips. Each motion's
        ``findings`` tell what was decided and on what evidence.

    Raises:
        InputError: the file cannot be used; one sentence tells why and what to do.
    """
    path = Path(path)
    check_file(path)
    options = ReadOptions(joint_names=joint_names, quaternion=quaternion, fps=fps, robot=robot, repairs=repairs)
    candidates = _candidates(path)
    container = candidates[0].container
    raw = read_bytes(path, container.max_bytes)
    digest = hashlib.sha256(raw).hexdigest()
    content = container.open(path, raw)
    del raw
    clips = _select(path, candidates, content).clips(path, content, options)
    return [assemble(path, clip, options, digest) for clip in clips]


def _candidates(path: Path) -> list[Format]:
    """List the formats that a file may be of, all in one container: by its suffix, or else by its first bytes."""
    if named := [known for known in FORMATS if path.suffix.lower() in known.suffixes]:
        return named
    with path.open("rb") as file:
        head = file.read(512)
    if alike := [known for known in FORMATS if known.container.starts(head)]:
        return [known for known in alike if known.container is alike[0].container]
    names = ", ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS)
    raise InputError(f"{path}: is of no known motion format; known: {names}")


def _select(path: Path, candidates: list[Format], content: object) -> Format:
    """Select the format with the largest share of its keys in the file.

    Raises:
        InputError: the file has no key of any format, or lacks some keys of the selected one.
    """
    if not isinstance(content, Mapping):
        return candidates[0]
    nested = [known for known in candidates if known.nested]
    if nested and isinstance(content, dict) and content and all(isinstance(clip, dict) for clip in content.values()):
        return nested[0]
    best = max(candidates, key=lambda known: sum(key in content for key in known.keys) / len(known.keys))
    found = " ".join(", ".join(sorted(map(str, content))[:10]).split()) or "nothing"
    if not any(key in content for key in best.keys):
        keys = "; ".join(f"{known.name}: {', '.join(known.keys)}" for known in candidates)
        raise InputError(f"{path}: holds {found}, which is no motion known here; give one of these ({keys})")
    if missing := [key for key in best.keys if key not in content]:
        raise InputError(
            f"{path}: looks like {best.name} and lacks {', '.join(missing)} (found: {found}); add what is missing, or "
            "give the motion in another format"
        )
    return best
