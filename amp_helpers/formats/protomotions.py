"""ProtoMotions' files.

A ``.motion`` is an archive of ``torch.save`` with ``fps``, ``dof_pos`` (N, D), ``rigid_body_pos`` (N, B, 3) and
``rigid_body_rot`` (N, B, 4) xyzw of every body of its MJCF in the world's frame, the root first, and no names. A
library, ``.pt``, has the clips one after the other as ``dps``, ``gts`` and ``grs``, with ``length_starts``,
``motion_num_frames`` and ``motion_dt``, s, of each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.formats.format import Format
from amp_helpers.formats.name_lists import find_names, table_width
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.torch_file import TORCH
from amp_helpers.formats.values import find_rate, read_array


def clips_of_protomotions(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a ProtoMotions file."""
    joint_pos, positions, rotations = (read_array(path, key, content[key]) for key in PROTOMOTIONS.keys)
    frames = len(joint_pos) if joint_pos.ndim else 0
    if positions.shape != (*rotations.shape[:2], 3) or rotations.shape[:1] != (frames,) or not positions.size:
        raise InputError(
            f"{path}: rigid_body_pos has shape {positions.shape} and rigid_body_rot {rotations.shape}, expected "
            f"({frames} frames as dof_pos has them, bodies, 3 and 4); export the motion again"
        )
    names_key, names = find_names(path, content, table_width(joint_pos))
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=positions[:, 0],
        root_rot=rotations[:, 0],
        fps=find_rate(content),
        joint_names=names,
        keys={
            "joint_pos": "dof_pos",
            "joint_names": names_key,
            "root_pos": "rigid_body_pos of body 0",
            "root_rot": "rigid_body_rot of body 0",
        },
        order_convention="depth-first",
        convention_of="ProtoMotions'",
        bodies=Bodies(positions),
        root_body="0",
    )


def clips_of_library(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clips of a ProtoMotions library."""
    joint_pos, positions, rotations, starts, counts, steps = (
        read_array(path, key, content[key]) for key in PROTOMOTIONS_LIBRARY.keys
    )
    names = content.get("motion_files")
    labels = [Path(str(name)).stem for name in names] if isinstance(names, list | tuple) else []
    frames = len(joint_pos) if joint_pos.ndim else 0
    if starts.ndim != 1 or not starts.shape == counts.shape == steps.shape or not starts.size:
        raise InputError(
            f"{path}: length_starts, motion_num_frames and motion_dt have shapes {starts.shape}, {counts.shape} and "
            f"{steps.shape}, expected one number per clip; export the library again"
        )
    if positions.ndim != 3 or rotations.ndim != 3 or not len(positions) == len(rotations) == frames:
        raise InputError(
            f"{path}: gts and grs have shapes {positions.shape} and {rotations.shape}, not ({frames}, links, 3) and "
            f"({frames}, links, 4); export the library again"
        )
    for number, (start, count, step) in enumerate(zip(starts.tolist(), counts.tolist(), steps.tolist(), strict=True)):
        if not 0 <= start < start + count <= frames or not step > 0:
            raise InputError(
                f"{path}: clip {number} has frames {start} to {start + count} of {frames} and {step} s each; export "
                "the library again"
            )
        part = slice(int(start), int(start + count))
        arrays = (joint_pos[part], positions[part], rotations[part])
        one = dict(zip(PROTOMOTIONS.keys, arrays, strict=True)) | {"fps": _steady(1 / step)}
        name = labels[number] if len(labels) == len(starts) else str(number)
        for clip in clips_of_protomotions(path, one, options):
            yield replace(clip, name=name if len(starts) > 1 else "")


def _steady(rate: float) -> float:
    """Round a rate that single precision has made of a whole number."""
    return float(round(rate)) if abs(rate - round(rate)) < 1e-5 * rate else rate


PROTOMOTIONS = Format(
    "ProtoMotions motion", TORCH, clips_of_protomotions, keys=("dof_pos", "rigid_body_pos", "rigid_body_rot")
)
PROTOMOTIONS_LIBRARY = Format(
    "ProtoMotions library",
    TORCH,
    clips_of_library,
    keys=("dps", "gts", "grs", "length_starts", "motion_num_frames", "motion_dt"),
)
