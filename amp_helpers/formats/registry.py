"""Reading and writing motion files; with its ``formats_*`` parts the only place that knows a file format.

``FORMATS`` is the registry. A file's suffix, or where none claims it its first bytes, say how it is opened; what is
found in it says which format it is.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_helpers.errors import InputError, sha256
from amp_helpers.formats.assemble import assemble
from amp_helpers.formats.beyondmimic import clips_of_qpos, clips_of_tracking, write_beyondmimic
from amp_helpers.formats.gmr import clips_of_gmr, write_gmr
from amp_helpers.formats.isaaclab_amp import AMP_KEYS, clips_of_amp, write_amp
from amp_helpers.formats.lafan1 import clips_of_csv, write_csv
from amp_helpers.formats.mimickit import clips_of_mimickit, write_mimickit
from amp_helpers.formats.phc import clips_of_phc
from amp_helpers.formats.pickles.load import load_pickle
from amp_helpers.formats.stored_clip import Clip, Reading
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import JOINT_ORDERS, Robot
from amp_helpers.utils.npz import NpzFile, read_npz, write_npz

__all__ = [
    "FORMATS",
    "JOINT_ORDERS",
    "SUFFIXES",
    "Format",
    "read_motion",
    "read_motions",
    "read_npz",
    "sha256",
    "write_amp",
    "write_beyondmimic",
    "write_csv",
    "write_gmr",
    "write_mimickit",
    "write_npz",
]


@dataclass(frozen=True)
class Format:
    """A kind of motion file."""

    name: str
    suffixes: tuple[str, ...]
    """In small letters; the first is the usual one."""
    starts: Callable[[bytes], bool]
    """Whether a file without a known suffix may be of this kind, by its first 512 bytes."""
    open: Callable[[Path], object]
    """What is in the file; formats of one suffix share it."""
    keys: tuple[str, ...]
    """What tells it from others of the suffix, where those hold things by name."""
    clips: Callable[[Path, object, Reading], Iterable[Clip]]
    """The clips stored in it; only a CSV's header is read with regard to what the user told."""
    write: Callable[[str | os.PathLike, Motion], None] | None = None
    """Writes one motion, its links by a robot that has its joints; None for formats that hold something else too."""


def _is_pickle(head: bytes) -> bool:
    return head.startswith((b"\x80", b"x\x9c", b"x^", b"x\xda", b"x\x01", b"\x1f\x8b"))


def _is_npz(head: bytes) -> bool:
    return head.startswith(b"PK")


def _is_table(head: bytes) -> bool:
    line = head.partition(b"\n")[0]
    return line.count(b",") >= 7 and all(32 <= byte < 127 or byte in b"\t\r" for byte in line)


def _clips_of_dataset(path: Path, content: object, reading: Reading) -> Iterable[Clip]:
    # The dataset is made of motions, and so imports this module.
    from amp_helpers.dataset import MotionDataset

    for clip in MotionDataset.load(path).clips():
        yield Clip(
            joint_pos=clip.joint_pos,
            root_pos=clip.root_pos,
            root_rot=clip.root_quat,
            fps=clip.fps,
            joint_names=list(clip.joint_names),
            name=clip.name,
            quaternion_said="xyzw",
            weight=clip.weight,
            findings=clip.findings,
            notes=tuple(dict.fromkeys((*clip.notes, "read from a dataset"))),
        )


_PICKLE = {"suffixes": (".pkl", ".pickle"), "starts": _is_pickle, "open": load_pickle}
_NPZ = {"suffixes": (".npz",), "starts": _is_npz, "open": NpzFile}

FORMATS = (
    Format("GMR pickle", **_PICKLE, keys=("dof_pos", "root_pos", "root_rot"), clips=clips_of_gmr, write=write_gmr),
    Format("MimicKit pickle", **_PICKLE, keys=("frames",), clips=clips_of_mimickit, write=write_mimickit),
    Format("ASAP/PHC pickle", **_PICKLE, keys=("dof", "root_trans_offset"), clips=clips_of_phc),
    Format("LAFAN1 CSV", (".csv",), _is_table, lambda path: path, (), clips_of_csv, write_csv),
    Format("Isaac Lab AMP npz", **_NPZ, keys=AMP_KEYS, clips=clips_of_amp, write=write_amp),
    Format(
        "BeyondMimic npz",
        **_NPZ,
        keys=("joint_pos", "body_pos_w", "body_quat_w"),
        clips=clips_of_tracking,
        write=write_beyondmimic,
    ),
    Format("holosoma npz", **_NPZ, keys=("qpos",), clips=clips_of_qpos),
    Format("GMR npz", **_NPZ, keys=("dof_pos", "root_pos", "root_rot"), clips=clips_of_gmr),
    Format("dataset npz", **_NPZ, keys=("states", "next_states"), clips=_clips_of_dataset),
)

SUFFIXES = tuple(dict.fromkeys(suffix for kind in FORMATS for suffix in kind.suffixes))
"""Suffixes of motion files."""


def read_motion(path: str | os.PathLike, **how: Any) -> Motion:
    """The one clip of a motion file; arguments and errors as :func:`read_motions`.

    Raises:
        InputError: also when the file holds several clips.
    """
    motions = read_motions(path, **how)
    if len(motions) > 1:
        names = ", ".join(motion.label.rpartition("/")[2] for motion in motions[:5])
        raise InputError(
            f"{path}: holds {len(motions)} clips ({names}{', ...' if len(motions) > 5 else ''}), and one is wanted; "
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
            ``robot`` or ``physx`` for the robot's own order, depth-first or breadth-first. Not needed where stored
            links decide, and for 29 columns, which are the 29-dof G1's.
        quaternion: how the root's rotation is stored. ``"auto"`` takes the order that keeps the pelvis upright, or
            else the feet at the ground, and the format's own (xyzw; wxyz in npz) where neither tells.
        fps: frames per second of a file that does not say, as CSV never does; what a file says goes before it.
        robot: the robot whose model is asked, for the feet and for joints that only it can have. Without it this
            project's own are asked, and only where nothing else decides.
        repairs: names of repairs asked for. With them, even none, quaternions off unit length are refused unless
            ``quaternion_norm`` is among them; without, they are normalized.

    Returns:
        The clips as stored (not resampled), quaternions xyzw, normalized and without sign jumps. ``findings`` say
        which reading was taken, on what evidence, and how far norms were from 1.

    Raises:
        InputError: the file cannot be used; one sentence says why and what to do.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder, not a motion; name a file in it" if path.is_dir() else "no such file; check the path"
        raise InputError(f"{path}: {what}")
    kinds = _formats_of(path)
    content = kinds[0].open(path)
    kind = _kind_of(path, kinds, content)
    reading = Reading(joint_names=joint_names, quaternion=quaternion, fps=fps, robot=robot, repairs=repairs)
    clips = list(kind.clips(path, content, reading))
    digest = sha256(path)
    return [assemble(path, clip, reading, digest) for clip in clips]


def _formats_of(path: Path) -> list[Format]:
    """The formats that a file's suffix names, or else its first bytes."""
    if named := [kind for kind in FORMATS if path.suffix.lower() in kind.suffixes]:
        return named
    with path.open("rb") as file:
        head = file.read(512)
    if alike := [kind for kind in FORMATS if kind.starts(head)]:
        return [kind for kind in alike if kind.open == alike[0].open]
    known = ", ".join(f"{kind.name} ({', '.join(kind.suffixes)})" for kind in FORMATS)
    raise InputError(f"{path}: is of no known motion format; known: {known}")


def _kind_of(path: Path, kinds: list[Format], content: object) -> Format:
    """The format most of whose keys are in the file.

    Raises:
        InputError: the file has no key of any format, or lacks some of that one.
    """
    if not isinstance(content, Mapping):
        return kinds[0]
    if isinstance(content, dict) and content and all(isinstance(clip, dict) for clip in content.values()):
        return next(kind for kind in kinds if kind.clips is clips_of_phc)
    kind = max(kinds, key=lambda kind: sum(key in content for key in kind.keys) / len(kind.keys))
    found = " ".join(", ".join(sorted(map(str, content))[:10]).split()) or "nothing"
    if not any(key in content for key in kind.keys):
        known = "; ".join(f"{kind.name}: {', '.join(kind.keys)}" for kind in kinds)
        raise InputError(f"{path}: holds {found}, which is no motion known here; give one of these ({known})")
    if missing := [key for key in kind.keys if key not in content]:
        raise InputError(
            f"{path}: looks like {kind.name} and lacks {', '.join(missing)} (found: {found}); add what is missing, or "
            "give the motion in another format"
        )
    return kind
