"""legged_lab's pickles: GMR's keys and ``loop_mode`` (0 clamp, 1 wrap), with joints in Isaac Lab's breadth-first order,
``root_rot`` wxyz (xyzw from some versions of its converter) and ``key_body_pos`` (N, B, 3): a few links without names,
in the root's frame; ``key_body_pos_w`` has them in the world's. These links decide the order of the joints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers.formats.format import PICKLE, Format
from amp_helpers.formats.gmr import gmr_clip
from amp_helpers.formats.stored_clip import Bodies, ReadOptions, StoredClip


def clips_of_legged_lab(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of a legged_lab pickle."""
    clip = gmr_clip(path, content)
    keyed = {name: content.get(name) for name in ("key_body_pos", "key_body_pos_w")}
    found = next(((name, value) for name, value in keyed.items() if _is_bodies(value, clip.joint_pos)), None)
    yield replace(
        clip,
        quaternion_convention="wxyz",
        convention_of="legged_lab's",
        order_convention="breadth-first",
        bodies=Bodies(np.asarray(found[1]), in_root=found[0] == "key_body_pos") if found else clip.bodies,
    )


def _is_bodies(value: object, joint_pos: object) -> bool:
    return (
        isinstance(value, np.ndarray)
        and isinstance(joint_pos, np.ndarray)
        and value.ndim == 3
        and value.shape[::2] == (len(joint_pos), 3)
        and value.shape[1] > 0
        and value.dtype.kind in "fiu"
    )


LEGGED_LAB = Format(
    "legged_lab pickle", PICKLE, clips_of_legged_lab, keys=("dof_pos", "root_pos", "root_rot", "loop_mode")
)
