"""Four seconds of a trot: ``python -m my_go1.motion trot.pkl``. Yours comes from retargeting."""

import sys
from dataclasses import replace

import numpy as np

from amp_helpers.formats import write_gmr
from amp_helpers.motion import Motion
from amp_helpers.robots import Kinematics

from .robot import ROBOT

FPS, STRIDES_PER_S = 30.0, 2.0


def trot(seconds: float = 4.0) -> Motion:
    """Opposite legs swing together; the body stands on the lowest foot, and goes as far as that foot pushes it."""
    time = np.arange(round(seconds * FPS)) / FPS
    pose = np.tile(ROBOT.default_pose(), (len(time), 1))
    for column, joint in enumerate(ROBOT.joint_names):
        phase = 2 * np.pi * STRIDES_PER_S * time + (0.0 if joint[:2] in ("FR", "RL") else np.pi)
        if "thigh" in joint:
            pose[:, column] += 0.2 * np.sin(phase)  # more is backwards
        elif "calf" in joint:
            pose[:, column] -= 0.3 * np.maximum(-np.cos(phase), 0)  # bent while the leg swings forward
    root = np.zeros((len(time), 3))
    upright = np.tile([0.0, 0.0, 0.0, 1.0], (len(time), 1))
    clip = Motion(fps=FPS, joint_names=ROBOT.joint_names, joint_pos=pose, root_pos=root, root_quat=upright)
    kinematics = Kinematics(ROBOT)
    soles, feet = kinematics.sole_heights(clip), kinematics.foot_points(clip)
    standing = soles.argmin(axis=1)
    pushed = np.diff(feet[..., 0], axis=0)[np.arange(len(time) - 1), standing[:-1]]
    root = np.stack([np.append(0, -np.cumsum(pushed)), 0 * time, -soles.min(axis=1)], axis=1)
    return replace(clip, root_pos=root)


if __name__ == "__main__":
    write_gmr(sys.argv[1], trot())
