"""What a rollout is compared with: the clips that its policy imitates, and commands that change."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.metrics.conditions import WARMUP_S
from amp_helpers.metrics.poses import pose_distances
from amp_helpers.metrics.rollout import Rollout
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase
from amp_helpers.motion.rotations import conjugate, multiply, rotate, yaw_part
from amp_helpers.utils.resources import find_data, read_recorded_path


def recorded_dataset(
    config: Mapping[str, Any], dataset: str | Path | None = None, control_dt: float | None = None
) -> MotionDataset:
    """Return the dataset that a policy imitates.

    Args:
        config: the run's configuration, or a bundle's ``deploy.json``, which names it.
        dataset: another dataset to compare with.
        control_dt: control step that it has to be made for, s.

    Raises:
        InputError: the dataset is missing, of another control step, or holds other motions than ``config`` says.
    """
    path = find_data(dataset) if dataset else read_recorded_path(config["dataset"])
    if not path.is_file():
        raise InputError(f"{path}: the dataset that the policy imitates is not there; name it with --dataset")
    loaded = MotionDataset.load(path, control_dt=control_dt)
    if not dataset and config.get("dataset_sha256", list(loaded.sha256)) != list(loaded.sha256):
        raise InputError(
            f"{path}: holds other motions than those the policy was trained on; name the training data with --dataset, "
            "or this file, to compare with it all the same"
        )
    return loaded


def step_profile(speeds: Sequence[float], hold_s: float, dt: float) -> np.ndarray:
    """Profile (T, 2) of forward speeds, m/s, each held for ``hold_s`` seconds, straight ahead."""
    forward = np.repeat(np.asarray(speeds, dtype=float), round(hold_s / dt))
    return np.stack([forward, np.zeros_like(forward)], axis=-1)


def rollout_motion(rollout: Rollout, env_index: int = 0, start_s: float = 0.0) -> Motion:
    """Return one environment of a rollout as a motion, from ``start_s`` seconds on."""
    first = round(start_s / rollout.dt)
    return Motion(
        fps=1.0 / rollout.dt,
        joint_names=rollout.joint_names,
        joint_pos=rollout.joint_pos[env_index, first:],
        root_pos=rollout.root_pos[env_index, first:],
        root_quat=rollout.root_quat[env_index, first:],
        name="policy" if math.isnan(rollout.command) else f"policy at {rollout.command} m/s",
    )


def nearest_reference(rollout: Rollout, references: MotionDataset) -> Motion:
    """Return the clip that a rollout is compared with: the one nearest to its command.

    Without a command, it is the one whose poses are nearest after the warm-up; the first one where all robots fall.

    Args:
        rollout: frames of a policy, under one command or none.
        references: the clips.
    """
    if not math.isnan(rollout.command):
        return references.nearest((rollout.command, rollout.command_turn))
    poses = rollout.joint_pos[rollout.settled(WARMUP_S)]
    clips = references.clips()
    if len(clips) == 1 or not len(poses):
        return clips[0]
    return min(clips, key=lambda clip: pose_distances(poses, rollout.joint_names, clip)[0])


def profile_reference(
    references: MotionDataset, profile: np.ndarray, dt: float, beside: Motion | None = None
) -> Motion:
    """Return a clip that follows a changing command: each time the nearest clip, from where the last one ended.

    Clips are repeated as long as their command lasts. Poses jump where it changes.

    Args:
        references: the clips.
        profile: forward and turning speed of each step, (T, 2) m/s and rad/s.
        dt: seconds between steps.
        beside: motion of T frames; each clip starts in its phase, see :func:`amp_helpers.motion.in_phase`.
    """
    begins = [0, *(np.flatnonzero((np.diff(profile, axis=0) != 0).any(axis=1)) + 1)]
    position, yaw = np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])
    parts = []
    for begin, end in zip(begins, [*begins[1:], len(profile)], strict=True):
        clip = references.nearest(tuple(profile[begin])).resample(dt)
        if beside:
            clip = in_phase(clip, beside.trim(begin * dt, (end - 1) * dt))
        clip = clip.loop(-(-(end - begin) // (clip.num_frames - 1)))
        turned = multiply(yaw, conjugate(yaw_part(clip.root_quat[0])))
        travel = (clip.root_pos - clip.root_pos[0]) * (1, 1, 0)
        roots = rotate(turned, travel) + position + clip.root_pos * (0, 0, 1)
        quats = multiply(turned, clip.root_quat)
        parts.append((clip.joint_pos[: end - begin], roots[: end - begin], quats[: end - begin]))
        position, yaw = roots[end - begin] * (1, 1, 0), yaw_part(quats[end - begin])
    joint_pos, root_pos, root_quat = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Motion(
        fps=1.0 / dt,
        joint_names=references.joint_names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=root_quat,
        name="reference",
    )
