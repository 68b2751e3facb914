"""Make the README's moving picture: a policy beside the clip that it imitates, in the same phase of the gait.

python -m amp_helpers.evaluate --checkpoint policies/g1_walk --num_envs 8 --seconds 6 --velocity 0.75 --output walk
python tools/walk_gif.py walk/rollout.npz docs/walk.gif
"""

import sys

import numpy as np
from PIL import Image

from amp_helpers.dataset import MotionDataset
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.gait import gait_frequency
from amp_helpers.metrics.tracking import heading
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase
from amp_helpers.render.renderer import Renderer, side_by_side
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.resources import find_data

FPS, SIZE, STRIDES, COLORS = 12.5, (328, 246), 2, 64


def main(rollout: str, picture: str) -> None:
    """Write ``picture`` from the straightest walk of a ``rollout.npz``; it ends where it began, after some strides."""
    with np.load(rollout) as file:
        straightest = np.abs(heading(file["root_quat"])).mean(axis=1).argmin()
        parts = {key: file[key][straightest] for key in ("joint_pos", "root_pos", "root_quat")}
        names, dt, speed = tuple(map(str, file["joint_names"])), float(file["dt"]), float(file["command"])
    policy = Motion(fps=1 / dt, joint_names=names, **parts).trim(WARMUP_S)
    length = STRIDES / gait_frequency(policy.joint_pos[None], names, dt)
    policy = policy.trim(0.0, length)
    clip = in_phase(MotionDataset.load(find_data("datasets/g1_walk.npz")).clips()[0], policy)
    with Renderer(G1_23DOF, *SIZE) as renderer:
        videos = [renderer.video(motion, FPS)[: round(length * FPS)] for motion in (policy, clip)]
    frames = [Image.fromarray(frame) for frame in side_by_side(*videos, labels=(f"policy, {speed:g} m/s", "reference"))]
    palette = frames[0].quantize(COLORS, dither=Image.Dither.NONE)
    shown = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    shown[0].save(picture, save_all=True, append_images=shown[1:], duration=round(1000 / FPS), loop=0, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
