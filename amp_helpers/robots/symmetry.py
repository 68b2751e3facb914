"""Left-right symmetry of a robot: counterparts by name or place, signs by the joint axes of its model.

Joints are paired by name where the names tell the side, and otherwise by place and axis, because names are free:
ANYmal's front left leg is ``LF``, NAO's left hip ``LHipPitch``. The signs come from the axes, because a name need not
contain them: Go1's ``FL_hip_joint`` is a roll joint. ``Kinematics.mirror`` applies both to a motion.
"""

import difflib
import re
from collections.abc import Sequence

import mujoco
import numpy as np

_OTHER = {"left": "right", "l": "r", "fl": "fr", "rl": "rr", "hl": "hr", "bl": "br"}
_OTHER |= {right: left for left, right in _OTHER.items()}
_SIDE = re.compile(r"(?<![A-Za-z])(left|right|[frhb]?[lr])(?![a-z])|(Left|Right)", re.IGNORECASE)


_SAME_PLACE = 0.02
"""Largest distance between a joint and the mirror image of its counterpart, as a share of the robot's size."""
_SAME_AXIS = 0.98
"""Smallest cosine between the axes of the two."""


def other_side(name: str) -> str:
    """Name of the counterpart: ``right_knee`` for ``left_knee``, ``FL_hip`` for ``FR_hip``; a middle joint's own."""

    def swap(found: re.Match) -> str:
        word = found.group(0)
        other = _OTHER[word.lower()]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _SIDE.sub(swap, name, count=1)


def counterparts(names: Sequence[str]) -> dict[str, str]:
    """Map each joint that has a counterpart among ``names`` to it; every pair appears in both directions."""
    return {name: other_side(name) for name in names if other_side(name) != name and other_side(name) in names}


def mirror_joints(model: mujoco.MjModel) -> dict[str, tuple[str, float]]:
    """Counterpart of each joint, and the sign that a mirror in the x-z plane gives to joint positions.

    In the mirror image, a joint has its counterpart's position times its sign; a joint in the middle is its own
    counterpart. Places and axes are compared in the model's zero pose, which must be symmetric. A mirror keeps the y
    component of a hinge's axis, a pseudovector, and negates the others; of a slide's axis it negates the y component.

    Returns:
        Joint -> (counterpart, 1 or -1), without the free joint and joints that have no counterpart.
    """
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    ids = [index for index in range(model.njnt) if model.joint(index).qpos0.size == 1]
    names = [model.joint(index).name for index in ids]
    slides = model.jnt_type[ids] == mujoco.mjtJoint.mjJNT_SLIDE
    places, axes = data.xanchor[ids] - data.xpos[min(1, model.nbody - 1)], data.xaxis[ids]
    images = axes * np.where(slides[:, None], [1, -1, 1], [-1, 1, -1])
    cosines = np.where(slides[:, None] == slides, images @ axes.T, 0.0)
    distances = np.linalg.norm(places[:, None] * [1, -1, 1] - places, axis=-1)
    reach = _SAME_PLACE * max(np.ptp(places, axis=0).max(), 1e-6) if names else 0.0
    fits = (distances < reach) & (np.abs(cosines) > _SAME_AXIS)
    by_name = counterparts(names)
    found = {}
    for here, name in enumerate(names):
        there = names.index(by_name[name]) if name in by_name else _likeliest(here, fits, names)
        if there is not None:
            found[name] = (names[there], 1.0 if cosines[here, there] >= 0 else -1.0)
    return {name: (other, sign) for name, (other, sign) in found.items() if found.get(other, ("",))[0] == name}


def mirror_signs(model: mujoco.MjModel) -> dict[str, float]:
    """The signs of :func:`mirror_joints` alone: joint -> 1 or -1."""
    return {name: sign for name, (_, sign) in mirror_joints(model).items()}


def _likeliest(joint: int, fits: np.ndarray, names: Sequence[str]) -> int | None:
    """Index of the joint that sits at the mirror image's place: itself in the middle, else the most similar name."""
    others = np.flatnonzero(fits[joint])
    if len(others) == 0 or fits[joint, joint]:
        return joint if len(others) else None
    return max(others.tolist(), key=lambda other: difflib.SequenceMatcher(None, names[joint], names[other]).ratio())
