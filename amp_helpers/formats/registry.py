"""Reading motion files of any format: ``FORMATS`` lists them, and each has a file of its own beside this one.

A file's first bytes decide how it is opened, and its suffix where they tell nothing; the keys in it decide which format
it is, whatever it is stored as.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.amp_json import AMP_JSON
from amp_helpers.formats.amp_rsl_rl import AMP_RSL_RL
from amp_helpers.formats.assemble import assemble
from amp_helpers.formats.beyondmimic import BEYONDMIMIC, BEYONDMIMIC_JSON, HOLOSOMA
from amp_helpers.formats.dataset_npz import DATASET
from amp_helpers.formats.format import Container, Format
from amp_helpers.formats.gmr import GMR_NPZ, GMR_PICKLE
from amp_helpers.formats.human import refuse_human_bytes, refuse_human_keys, refuse_human_shape
from amp_helpers.formats.isaaclab_amp import ISAACLAB_AMP
from amp_helpers.formats.joint_names import listed, shown
from amp_helpers.formats.lafan1 import LAFAN1
from amp_helpers.formats.legged_lab import LEGGED_LAB
from amp_helpers.formats.loco_mujoco import LOCO_MUJOCO, LOCO_MUJOCO_ARRAYS
from amp_helpers.formats.mimickit import MIMICKIT
from amp_helpers.formats.phc import PHC
from amp_helpers.formats.protomotions import PROTOMOTIONS, PROTOMOTIONS_LIBRARY
from amp_helpers.formats.sonic import FOLDER, SONIC_FOLDER, SONIC_PICKLE, is_motion_folder, read_folder
from amp_helpers.formats.stored_clip import ReadOptions
from amp_helpers.formats.values import HEAD_BYTES, check_file, check_pointer, read_rest
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import Robot

FORMATS: tuple[Format, ...] = (
    GMR_PICKLE,
    LEGGED_LAB,
    MIMICKIT,
    PHC,
    SONIC_PICKLE,
    SONIC_FOLDER,
    LAFAN1,
    ISAACLAB_AMP,
    BEYONDMIMIC,
    BEYONDMIMIC_JSON,
    LOCO_MUJOCO,
    LOCO_MUJOCO_ARRAYS,
    HOLOSOMA,
    GMR_NPZ,
    AMP_JSON,
    AMP_RSL_RL,
    PROTOMOTIONS,
    PROTOMOTIONS_LIBRARY,
    DATASET,
)
"""The registry. Of formats whose keys match a file equally well, one of the file's own container is taken, of those the
one with the most keys, and of those the first."""

LEAST_SHARE = 0.3
"""Share of a format's keys from which a file that lacks the others is taken for one of it."""

CONTAINERS: tuple[Container, ...] = tuple(dict.fromkeys(known.container for known in FORMATS))

SUFFIXES = tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))
"""Suffixes of motion files."""


_UNFORESEEN = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError)
"""What numpy and Python raise on values of a type, shape or size that a format's own checks did not foresee.

Files come from anywhere, and nobody can foresee each of their values. The message names the exception, and
``AMP_DEBUG=1`` shows its traceback. What values alone do not cause, such as an AttributeError, is an error of this
package and passes through."""


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
    up: str | None = None,
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
        up: axis of the file's world that points up, ``z`` or ``y``. By default z; with ``robot``, a file in which it
            stands on the ground with y up, and not with z up, is an error that says so.
        robot: the robot that the file is for; its model then gives the evidence of feet and joint limits. Without it,
            this project's robots are compared, and only where nothing else decides.
        repairs: names of repairs to make. Quaternions are brought to unit length in any case; with
            ``quaternion_norm`` this is recorded as a repair.

    Returns:
        The clips as stored (not resampled); quaternions xyzw, of unit length, without sign flips. Each motion's
        ``findings`` tell what was decided and on what evidence.

    Raises:
        InputError: the file cannot be used; one sentence tells why and what to do.
    """
    path = Path(path)
    options = ReadOptions(joint_names=joint_names, quaternion=quaternion, fps=fps, up=up, robot=robot, repairs=repairs)
    if is_motion_folder(path):
        container, raw = FOLDER, read_folder(path)
    else:
        check_file(path)
        with path.open("rb") as file:
            container = container_of(path, file.read(HEAD_BYTES))
            raw = read_rest(path, file, container.max_bytes)
    digest = hashlib.sha256(raw).hexdigest()
    try:
        content = container.open(path, raw)
        del raw
        # Damaged numbers overflow on the way to the checks that report them; numpy's warnings would say it too.
        with np.errstate(all="ignore"):
            return [
                assemble(path, clip, options, digest)
                for known, part in _select(path, container, content)
                for clip in known.clips(path, part, options)
            ]
    except InputError:
        raise
    except _UNFORESEEN as error:
        reason = f"{type(error).__name__}: {one_line(str(error), 100)}"
        raise InputError(f"{path}: holds values that no motion has ({reason}); export the motion again") from error


def container_of(path: Path, head: bytes) -> Container:
    """Decide how a file is opened: by its first bytes, or by its suffix where they tell nothing.

    Raises:
        InputError: neither tells, or it is a Git LFS pointer or the motion of a person.
    """
    check_pointer(path, head)
    refuse_human_bytes(path, head)
    if alike := next((container for container in CONTAINERS if container.starts(head)), None):
        return alike
    suffix = path.suffix.lower()
    if named := next((container for container in CONTAINERS if suffix in container.suffixes), None):
        return named
    names = ", ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS if known.suffixes)
    raise InputError(f"{path}: is of no known motion format; known: {names}")


def holds_motion(head: bytes) -> bool:
    """Whether a file of a folder seems to be a motion, by its first bytes: it can be opened, and names the keys of a
    format, or is an archive of arrays."""
    container = next((container for container in CONTAINERS if container.starts(head)), None)
    if container is None or container in (LAFAN1.container, GMR_PICKLE.container):
        return False
    if container is AMP_JSON.container:
        return any(
            f'"{key}"'.encode() in head for known in FORMATS if known.container is container for key in known.keys
        )
    if container is PROTOMOTIONS.container:
        return b"rigid_body_pos" in head or b"motion_num_frames" in head
    return container is not AMP_RSL_RL.container or b"'|O'" in head[:256]


def _select(path: Path, container: Container, content: Any) -> list[tuple[Format, Any]]:
    """Select the format with the largest share of its keys in the file, for each clip of a dict of clips.

    Returns:
        Formats with the part of the content that each is to read.

    Raises:
        InputError: the file has no key of any format, or lacks some keys of the selected one, or holds the motion of a
            person.
    """
    candidates = [known for known in FORMATS if known.container is container]
    if isinstance(content, np.ndarray):
        refuse_human_shape(path, content.shape)
        raise InputError(
            f"{path}: holds one array of shape {content.shape} and does not say what is in it; store it as a CSV with "
            "a header that names root and joints, or as a dict with the keys of a format"
        )
    if isinstance(content, bytes):  # a table, which the one format of its container parses
        return [(candidates[0], content)]
    if isinstance(content, list) and content and isinstance(content[0], dict):
        refuse_human_keys(path, content[0])
    if not isinstance(content, Mapping):
        raise InputError(
            f"{path}: holds a {type(content).__name__}, not a dict with the keys of a motion such as fps, root_pos, "
            "root_rot and dof_pos; export one motion per file"
        )
    refuse_human_keys(path, content)
    many = isinstance(content, dict) and bool(content) and all(isinstance(clip, dict) for clip in content.values())
    if many:
        return [(_of_clip(path, name, keys), {name: keys}) for name, keys in content.items()]
    every = [known for known in FORMATS if known.keys and (known in candidates or known.anywhere)]
    best = max(every, key=lambda known: (_share(known, content), known in candidates, len(known.keys)))
    found = listed(content)
    if _share(best, content) < LEAST_SHARE:
        raise InputError(
            f"{path}: holds {found}, which is no motion known here; give one of these ({_keys(candidates)})"
        )
    if missing := [key for key in best.keys if key not in content]:
        raise InputError(
            f"{path}: looks like {best.name} and lacks {', '.join(missing)} (found: {found}); add what is missing, or "
            "give the motion in another format"
        )
    return [(best, content)]


def _of_clip(path: Path, name: object, keys: Collection[object]) -> Format:
    """Select the format of a clip in a dict of clips, which reports the keys that the clip lacks.

    Raises:
        InputError: the clip has no key of any format, or is the motion of a person.
    """
    refuse_human_keys(path, keys)
    if "dof_pos" in keys:  # GMR's clips by name
        return PHC
    nested = [known for known in FORMATS if known.nested]
    best = max(nested, key=lambda known: _share(known, keys))
    if _share(best, keys) < LEAST_SHARE:
        raise InputError(
            f"{path}: '{shown(name)}' holds {listed(keys)}, which is no motion known here; give one of these "
            f"({_keys(nested)})"
        )
    return best


def _keys(formats: Collection[Format]) -> str:
    return "; ".join(f"{known.name}: {', '.join(known.keys)}" for known in formats)


def _share(known: Format, keys: Collection[object]) -> float:
    return sum(key in keys for key in known.keys) / len(known.keys)
