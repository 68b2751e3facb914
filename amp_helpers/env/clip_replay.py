"""Replay a clip in the simulator frame by frame, and compare the AMP states with the dataset's rows."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.env_facts import default_pose
from amp_helpers.env.mdp import write_state
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion


def place(env: ManagerBasedRLEnv, clip: Motion, frame: int) -> None:
    """Write frame ``frame`` of a clip into every environment: poses and velocities of root and joints."""
    simulator = JointOrder(tuple(scene_robot(env).joint_names))
    row = {
        "joint_pos": simulator.reorder(clip.joint_pos[frame], clip.joint_names),
        "joint_vel": simulator.reorder(clip.joint_vel[frame], clip.joint_names),
        "height": clip.root_pos[frame, 2:3],
        "quat": clip.root_quat[frame],
        "lin_vel": clip.root_lin_vel[frame],
        "ang_vel": clip.root_ang_vel[frame],
    }
    env_ids = torch.arange(env.num_envs, device=env.device)
    tensors = {name: torch.tensor(value, dtype=torch.float32, device=env.device) for name, value in row.items()}
    write_state(env, env_ids, **{name: value.expand(env.num_envs, -1) for name, value in tensors.items()})
    env.scene.update(env.physics_dt)  # refreshes the velocities in the root frame


def replay(
    env: ManagerBasedRLEnv,
    dataset: MotionDataset,
    frames: int = 100,
    mistakes: Mapping[str, tuple[Motion, Mapping[str, float]]] | None = None,
) -> dict[str, np.ndarray]:
    """Replay the first clip of a dataset and compare it with the dataset's rows in one correct and three wrong ways.

    Args:
        env: environment opened for measuring; its state is overwritten.
        dataset: the dataset.
        frames: number of frames that are replayed.
        mistakes: label -> the clip and the default pose, rad by joint name, from which a program with that mistake
            computes its rows.

    Returns:
        Label -> (frames,) largest difference in each frame; fewer frames for a mistake whose clip is shorter. The
        correct way, ``by name, offset subtracted``, compares windows of all features, in their own units, and
        ``mistakes`` single frames of them; the others compare joint positions, rad.
    """
    clip, pose = dataset.clips()[0], default_pose(env)
    joints = AmpState(joint_names=dataset.joint_names)
    state = replace(joints, features=tuple(FEATURE_DIMS), window=2)
    rows, windows = joints.frames(clip, pose), state.from_dataset(dataset, pose).numpy()
    mistaken = {label: state.frames(*wrong) for label, wrong in (mistakes or {}).items()}
    offset = np.array([pose[name] for name in dataset.joint_names], dtype=np.float32)
    robot = scene_robot(env).data
    source = state.from_env(env)
    place(env, clip, 0)
    source.restart()
    done = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    errors: dict[str, list[float]] = {}
    for frame in range(1, min(frames, clip.num_frames - 1) + 1):
        place(env, clip, frame)
        window = source.step(done)[0][0].cpu().numpy()
        positions = window[state.frame_dim :][: len(offset)]
        by_position = (robot.joint_pos.torch - robot.default_joint_pos.torch)[0].cpu().numpy()
        for label, difference in (
            ("by name, offset subtracted", window - windows[frame - 1]),
            ("by position", by_position - rows[frame]),
            ("offset forgotten", positions - (rows[frame] + offset)),
            ("offset added", positions - (rows[frame] + 2 * offset)),
        ):
            errors.setdefault(label, []).append(float(np.abs(difference).max()))
        for label, wrong in mistaken.items():
            if frame < len(wrong):
                difference = window[state.frame_dim :] - wrong[frame]
                errors.setdefault(label, []).append(float(np.abs(difference).max()))
    source.detach()
    return {label: np.array(values) for label, values in errors.items()}
