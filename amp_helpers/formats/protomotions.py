"""ProtoMotions' ``.motion``: an archive of ``torch.save`` with ``fps``, ``dof_pos`` (N, D), ``rigid_body_pos``
(N, B, 3) and ``rigid_body_rot`` (N, B, 4) xyzw of every body of its MJCF in the world's frame, the root first, and no
names."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.formats.format import Format
from amp_helpers.formats.joint_names import find_names
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip
from amp_helpers.formats.torch_file import TORCH
from amp_helpers.formats.values import read_array


def clips_of_protomotions(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a ProtoMotions file."""
    joint_pos, positions, rotations = (read_array(path, key, content[key]) for key in PROTOMOTIONS.keys)
    frames = len(joint_pos) if joint_pos.ndim else 0
    if positions.shape != (*rotations.shape[:2], 3) or rotations.shape[:1] != (frames,) or not positions.size:
        raise InputError(
            f"{path}: rigid_body_pos has shape {positions.shape} and rigid_body_rot {rotations.shape}, expected "
            f"({frames} frames as dof_pos has them, bodies, 3 and 4); export the motion again"
        )
    names_key, names = find_names(content)
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=positions[:, 0],
        root_rot=rotations[:, 0],
        fps=content.get("fps"),
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


PROTOMOTIONS = Format(
    "ProtoMotions motion", TORCH, clips_of_protomotions, keys=("dof_pos", "rigid_body_pos", "rigid_body_rot")
)
