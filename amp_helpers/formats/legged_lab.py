"""legged_lab's pickles: GMR's keys and ``loop_mode`` (0 clamp, 1 wrap), with joints in Isaac Lab's breadth-first order,
``root_rot`` wxyz (xyzw from some versions of its converter) and ``key_body_pos`` (N, B, 3): a few links without names,
in the root's frame; ``key_body_pos_w``, and from some versions ``key_body_pos`` too, has them in the world's. These
links decide the order of the joints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

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
        bodies=Bodies(found[1], in_root=found[0] == "key_body_pos" and _below_root(found[1])) if found else clip.bodies,
    )


def _below_root(links: np.ndarray) -> bool:
    """Whether a link is mostly below the origin, as feet are in the root's frame and never in the world's."""
    return bool(np.median(links[..., 2], axis=0).min() < -0.1)


def _is_bodies(value: object, joint_pos: object) -> TypeGuard[np.ndarray]:
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
