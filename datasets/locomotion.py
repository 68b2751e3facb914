"""The clips of ``g1_locomotion.npz``: standing, walking, running and turning, each labeled with its command."""

from collections.abc import Iterator
from dataclasses import replace

import mujoco
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from amp_helpers.dataset import MotionDataset
from amp_helpers.feet import GaitChange, change_gait
from amp_helpers.feet.gait_speed import RUN_STRIDE_SHARE, WALK_STRIDE_SHARE
from amp_helpers.feet.ik import solve_foot_ik
from amp_helpers.motion import Motion, as_cycle, close_loop
from amp_helpers.robots import G1_23DOF, Kinematics
from amp_helpers.robots.soles import soles

CONTROL_DT = 0.02
WALKS = (0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.4, 1.6)
RUNS = (1.8, 2.0, 2.25, 2.5, 2.72)
TURNS = (0.4, 0.8)
TURNING_SPEEDS = (0.0, 0.3, 0.6, 0.9, 1.2)
LEAST_GAIT_SPEED = 0.35
"""Speed, m/s, whose cadence the slowest turns have."""
TURN_STEPS = 0.8
"""Turning at 1 rad/s asks for as many steps as walking at this speed, m/s."""
SHORTEST_S = 4.0
"""Shortest clip, s; a cycle is repeated until it is as long."""
LEAST_KNEE = 0.12
"""Knees straighter than this are bent to it, rad: a straight leg has no inverse kinematics."""
SMOOTHING_HZ = 8.0
RUN_ANKLE = 0.25
"""Added to the ankle pitch of the run, rad: in the middle of a stance the copied angles leave the toes this far up."""


def locomotion(cycles: dict[str, Motion], turns: dict[str, Motion], kinematics: Kinematics) -> MotionDataset:
    """Make the dataset.

    Args:
        cycles: ``walk`` and ``run``, one seamless symmetric cycle each, of the 29-dof or 23-dof G1.
        turns: name -> captured turning walk, one stride each, not closed.
        kinematics: kinematics of ``G1_23DOF``.
    """
    clips = [repeated(within_limits(clip)) for clip in _clips(cycles, turns, kinematics)]
    dataset = MotionDataset.from_motions(clips, joint_names=G1_23DOF.joint_names, control_dt=CONTROL_DT)
    return rounded(dataset)


def _clips(cycles: dict[str, Motion], turns: dict[str, Motion], kinematics: Kinematics) -> Iterator[Motion]:
    walk, run = prepared(cycles["walk"]), prepared(cycles["run"], RUN_ANKLE)
    yield replace(standing(walk, kinematics), weight=2.0)
    for speed in WALKS:
        clip = at_command(walk, kinematics, speed, 0.0, WALK_STRIDE_SHARE)
        yield replace(symmetric(clip, kinematics), name=f"walk {speed:g}")
    for speed in RUNS:
        clip = at_command(run, kinematics, speed, 0.0, RUN_STRIDE_SHARE, lean=speed / RUNS[-1])
        yield replace(symmetric(clip, kinematics), name=f"run {speed:g}")
    for speed in TURNING_SPEEDS:
        for turn in TURNS:
            clip = at_command(walk, kinematics, speed, turn, WALK_STRIDE_SHARE)
            yield from both_sides(clip, kinematics, *(f"turn {speed:g} {side:+g}" for side in (turn, -turn)))
    for name, turn in turns.items():
        clip = prepared(close_loop(turn, 0.0, turn.duration_s))
        clip = resampled(clip, even(clip.duration_s / CONTROL_DT))
        clip = change_gait(clip, kinematics, GaitChange())
        clip = replace(clip, fps=1 / CONTROL_DT)
        yield from both_sides(replace(clip, command=clip.measured_command), kinematics, name, f"{name} mirrored")


def at_command(
    walk: Motion, kinematics: Kinematics, forward: float, turn: float, stride_share: float, lean: float = 1.0
) -> Motion:
    """One cycle of a gait at a command, a whole number of control steps long."""
    own = walk.measured_command[0]
    steps_like = max(np.hypot(forward, TURN_STEPS * turn), LEAST_GAIT_SPEED if turn else 0.0)
    frames = even(walk.duration_s / (steps_like / own) ** (1 - stride_share) / CONTROL_DT)
    base = resampled(walk, frames)
    cadence = 1 / (CONTROL_DT * base.fps)
    stride = forward / (base.measured_command[0] * cadence)
    change = GaitChange(stride=stride, cadence=cadence, turn=turn, lean=lean, balance=1.0)
    changed = change_gait(base, kinematics, change)
    return replace(changed, fps=1 / CONTROL_DT, command=(forward, turn))


def prepared(motion: Motion, ankle: float = 0.0) -> Motion:
    """The 23-dof cycle, smoothed, its knees never quite straight."""
    motion = motion.select(G1_23DOF.joint_names)
    joint_pos = motion.joint_pos.copy()
    knees = [motion.joint_names.index(f"{side}_knee_joint") for side in ("left", "right")]
    joint_pos[:, knees] = np.maximum(joint_pos[:, knees], LEAST_KNEE)
    ankles = [motion.joint_names.index(f"{side}_ankle_pitch_joint") for side in ("left", "right")]
    joint_pos[:, ankles] = np.minimum(joint_pos[:, ankles] + ankle, G1_23DOF.joint_limits()[ankles, 1])
    return as_cycle(lambda clip: clip.smooth(SMOOTHING_HZ), replace(motion, joint_pos=joint_pos))


def even(frames: float) -> int:
    """The nearest even whole number, so that half a cycle is a whole number of frames too."""
    return 2 * round(frames / 2)


def resampled(motion: Motion, frames: int) -> Motion:
    """One cycle as ``frames`` + 1 frames, by cubic splines."""
    last = motion.num_frames - 1
    clip = motion.loop(3)
    euler = np.unwrap(Rotation.from_quat(clip.root_quat).as_euler("ZYX"), axis=0)
    rows = np.concatenate([clip.root_pos, euler, clip.joint_pos], axis=1)
    rows = CubicSpline(np.arange(len(rows)), rows)(last * (1 + np.arange(frames + 1) / frames))
    return replace(
        motion,
        fps=frames / motion.duration_s,
        root_pos=rows[:, :3],
        root_quat=Rotation.from_euler("ZYX", rows[:, 3:6]).as_quat(),
        joint_pos=rows[:, 6:],
    )


def symmetric(motion: Motion, kinematics: Kinematics) -> Motion:
    """Average a straight cycle with its mirror image half a cycle on: inverse kinematics leaves them a little apart."""
    half, mirrored = (motion.num_frames - 1) // 2, kinematics.mirror(motion)
    travel = motion.root_pos[-1] - motion.root_pos[0]
    order = np.r_[half : 2 * half, 0 : half + 1]
    moved = mirrored.root_pos[order] + travel * np.where(np.arange(2 * half + 1) < half, -0.5, 0.5)[:, None]
    quat = mirrored.root_quat[order]
    quat = quat * np.sign(np.einsum("ni,ni->n", quat, motion.root_quat))[:, None] + motion.root_quat
    return replace(
        motion,
        joint_pos=(motion.joint_pos + mirrored.joint_pos[order]) / 2,
        root_pos=(motion.root_pos + moved) / 2,
        root_quat=quat / np.linalg.norm(quat, axis=1, keepdims=True),
    )


def within_limits(motion: Motion) -> Motion:
    """Clip joints to the robot's limits, which closing a cycle can pass by a few milliradians."""
    return replace(motion, joint_pos=np.clip(motion.joint_pos, *G1_23DOF.joint_limits().T))


def both_sides(clip: Motion, kinematics: Kinematics, name: str, mirrored: str) -> Iterator[Motion]:
    """A turning clip and its mirror image under their names, each of half the weight."""
    yield replace(clip, weight=0.5, name=name)
    yield replace(kinematics.mirror(clip), weight=0.5, name=mirrored)


def standing(walk: Motion, kinematics: Kinematics) -> Motion:
    """A still pose that the robot can hold: nobody captured it.

    The legs are those of the robot's default pose and the arms those of the middle of the walk, both sides alike; the
    soles are flat on the ground, with the center of mass above the middle between their ends.
    """
    arms = symmetric(walk, kinematics).joint_pos[:-1].mean(axis=0)
    legs = np.array([any(part in name for part in ("hip", "knee", "ankle")) for name in walk.joint_names])
    pose = Motion(
        fps=1 / CONTROL_DT,
        joint_names=walk.joint_names,
        joint_pos=np.where(legs, kinematics.robot.default_pose(), arms)[None],
        root_pos=np.zeros((1, 3)),
        root_quat=np.array([[0.0, 0.0, 0.0, 1.0]]),
        name="stand",
        command=(0.0, 0.0),
    )
    sole = soles(kinematics)[0]
    middle = (sole.centers[:, 0].min() + sole.centers[:, 0].max()) / 2
    feet = kinematics.foot_positions(pose)
    targets = feet - feet.mean(axis=1, keepdims=True) * (1, 1, 1) - [0, 0, sole.height(np.zeros(3), np.eye(3))]
    pose = replace(pose, root_pos=-feet.mean(axis=1) + targets.mean(axis=1))
    for _ in range(4):
        ahead = centers_of_mass(pose, kinematics)[0, 0] - middle
        pose = replace(pose, root_pos=pose.root_pos - [ahead, 0, 0])
        flat = np.tile(np.eye(3), (1, 2, 1, 1))
        pose = solve_foot_ik(pose, kinematics, soles(kinematics), targets, flat, GaitChange().lock.costs)
    frames = round(SHORTEST_S / CONTROL_DT) + 1
    joint_pos = (pose.joint_pos + kinematics.mirror(pose).joint_pos) / 2
    return replace(
        pose,
        joint_pos=np.repeat(joint_pos, frames, axis=0),
        root_pos=np.repeat(pose.root_pos * (1, 0, 1), frames, axis=0),
        root_quat=np.repeat(pose.root_quat * (0, 1, 0, 1), frames, axis=0),
    )


def centers_of_mass(motion: Motion, kinematics: Kinematics) -> np.ndarray:
    """Center of mass of each frame, (N, 3) m."""
    data = mujoco.MjData(kinematics.model)
    centers = np.empty((motion.num_frames, 3))
    for frame, qpos in enumerate(kinematics.qpos(motion)):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(kinematics.model, data)
        mujoco.mj_comPos(kinematics.model, data)
        centers[frame] = data.subtree_com[1]
    return centers


def repeated(cycle: Motion) -> Motion:
    """Repeat a cycle until it lasts ``SHORTEST_S``; its frames are drawn as often as those of a clip of that length."""
    clip = cycle.loop(int(np.ceil(SHORTEST_S / cycle.duration_s - 1e-6)))
    return replace(clip, weight=cycle.weight * SHORTEST_S / clip.duration_s)


def rounded(dataset: MotionDataset) -> MotionDataset:
    """Round to 1e-6 to hide differences between processors and libms."""
    names = ("states", "next_states", "root_pos", "root_quat", "next_root_pos", "next_root_quat", "weight", "command")
    return replace(dataset, **{name: np.round(getattr(dataset, name).astype(np.float64), 6) + 0.0 for name in names})
