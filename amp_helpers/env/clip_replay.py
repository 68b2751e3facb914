"""Play a clip through the simulator frame by frame, and compare what comes out with the dataset's rows."""

from dataclasses import replace

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.make import default_pose
from amp_helpers.env.mdp import write_state
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion


def place(env: ManagerBasedRLEnv, clip: Motion, frame: int) -> None:
    """Put frame ``frame`` of a clip into every environment of the simulator: root and joints, pose and velocity."""
    simulator = JointOrder(tuple(env.scene["robot"].joint_names))
    row = {
        "joint_pos": simulator.reorder(clip.joint_pos[frame], clip.joint_names),
        "joint_vel": simulator.reorder(clip.joint_vel[frame], clip.joint_names),
        "height": clip.root_pos[frame, 2:3],
        "quat": clip.root_quat[frame],
        "lin_vel": clip.root_lin_vel[frame],
        "ang_vel": clip.root_ang_vel[frame],
    }
    everyone = torch.arange(env.num_envs, device=env.device)
    tensors = {name: torch.tensor(value, dtype=torch.float32, device=env.device) for name, value in row.items()}
    write_state(env, everyone, **{name: value.expand(env.num_envs, -1) for name, value in tensors.items()})
    env.scene.update(env.physics_dt)  # velocities in the root frame are renewed once a step


def replay(env: ManagerBasedRLEnv, dataset: MotionDataset, frames: int = 100) -> dict[str, np.ndarray]:
    """Put the first clip into the simulator frame by frame and compare it with the dataset's rows, four ways.

    Returns:
        Label -> (frames,) largest difference in each frame, rad for the three wrong ways. The right one compares all
        features and whole windows, in their own units.
    """
    clip, pose = dataset.clips()[0], default_pose(env)
    joints = AmpState(joint_names=dataset.joint_names)
    everything = replace(joints, features=tuple(FEATURE_DIMS), window=2)
    rows, windows = joints.frames(clip, pose), everything.from_dataset(dataset, pose).numpy()
    offset = np.array([pose[name] for name in dataset.joint_names], dtype=np.float32)
    robot = env.scene["robot"].data
    source = everything.from_env(env)
    place(env, clip, 0)
    source.restart()
    nobody = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    errors: dict[str, list[float]] = {}
    for frame in range(1, min(frames, clip.num_frames - 1) + 1):
        place(env, clip, frame)
        window = source.step(nobody)[0][0].cpu().numpy()
        seen = window[everything.frame_dim :][: len(offset)]
        by_position = (robot.joint_pos.torch - robot.default_joint_pos.torch)[0].cpu().numpy()
        for label, difference in (
            ("by name, offset subtracted", window - windows[frame - 1]),
            ("by position", by_position - rows[frame]),
            ("offset forgotten", seen - (rows[frame] + offset)),
            ("offset added", seen - (rows[frame] + 2 * offset)),
        ):
            errors.setdefault(label, []).append(float(np.abs(difference).max()))
    source.detach()
    return {label: np.array(values) for label, values in errors.items()}
