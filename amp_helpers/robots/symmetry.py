"""Left-right symmetry of a robot: counterparts by name, signs by the joint axes of its model.

Joints are paired by name, because any two links may have mirrored axes. The signs come from the axes, because a name
need not contain them: Go1's ``FL_hip_joint`` is a roll joint. ``Kinematics.mirror`` applies both to a motion.
"""

import re
from collections.abc import Sequence

import mujoco
import numpy as np

_OTHER = {"left": "right", "l": "r", "fl": "fr", "rl": "rr", "hl": "hr", "bl": "br"}
_OTHER |= {right: left for left, right in _OTHER.items()}
_SIDE = re.compile(r"(?<![A-Za-z])(left|right|[frhb]?[lr])(?![a-z])|(Left|Right)", re.IGNORECASE)


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


def mirror_signs(model: mujoco.MjModel) -> dict[str, float]:
    """Signs that a mirror in the x-z plane gives to joint positions.

    In the mirror image, a joint has its counterpart's position times its sign; a middle joint has its own. The axes are
    compared in the model's zero pose, which must be symmetric. A mirror keeps the y component of a hinge's axis, a
    pseudovector, and negates the others; of a slide's axis it negates the y component only.

    Returns:
        Joint -> 1 or -1, for every joint except the free one.
    """
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    names = [model.joint(index).name for index in range(1, model.njnt)]
    pairs = counterparts(names)
    signs = {}
    for name in names:
        here, there = model.joint(name).id, model.joint(pairs.get(name, name)).id
        slides = model.jnt_type[here] == mujoco.mjtJoint.mjJNT_SLIDE
        image = data.xaxis[here] * (np.array([1, -1, 1]) if slides else np.array([-1, 1, -1]))
        signs[name] = 1.0 if image @ data.xaxis[there] >= 0 else -1.0
    return signs
