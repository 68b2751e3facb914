"""Left and right: which joint is another's counterpart, and whether a mirror keeps or changes its sign."""

import re
from collections.abc import Sequence

import mujoco
import numpy as np

_OTHER = {"left": "right", "l": "r", "fl": "fr", "rl": "rr", "hl": "hr", "bl": "br"}
_OTHER |= {right: left for left, right in _OTHER.items()}
_SIDE = re.compile(r"(?<![A-Za-z])(left|right|[frhb]?[lr])(?![a-z])|(Left|Right)", re.IGNORECASE)


def other_side(name: str) -> str:
    """The counterpart's name: ``left_knee`` for ``right_knee``, ``FR_hip`` for ``FL_hip``; a middle joint's own."""

    def swap(found: re.Match) -> str:
        word = found.group(0)
        other = _OTHER[word.lower()]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _SIDE.sub(swap, name, count=1)


def counterparts(names: Sequence[str]) -> dict[str, str]:
    """Joint -> its counterpart among ``names``, for those that have one; each pair is there both ways round."""
    return {name: other_side(name) for name in names if other_side(name) != name and other_side(name) in names}


def mirror_signs(model: mujoco.MjModel, pairs: dict[str, str]) -> dict[str, float]:
    """Joint -> 1 where equal angles of it and its counterpart are mirror images, -1 where opposite ones are.

    Read off the axes in the model's zero pose: a mirror in the x-z plane keeps the y component of a rotation's axis and
    negates the others; of a slide's axis it negates the y component alone.
    """
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    signs = {}
    for name, other in pairs.items():
        here, there = model.joint(name).id, model.joint(other).id
        slides = model.jnt_type[here] == mujoco.mjtJoint.mjJNT_SLIDE
        image = data.xaxis[here] * (np.array([1, -1, 1]) if slides else np.array([-1, 1, -1]))
        signs[name] = 1.0 if image @ data.xaxis[there] >= 0 else -1.0
    return signs
