"""The clip of ``g1_dance.npz``: a captured dance as one seamless cycle in place, its feet on the ground."""

from dataclasses import replace

import numpy as np
from locomotion import CONTROL_DT, even, prepared, repeated, resampled, rounded, within_limits
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import least_squares
from scipy.sparse import csr_array, kron, vstack
from scipy.spatial.transform import Rotation

from amp_helpers.dataset import MotionDataset
from amp_helpers.feet import FootIkCosts, FootLockCfg, lock_feet
from amp_helpers.feet.ik import solve_foot_ik
from amp_helpers.motion import Motion, as_cycle, close_loop
from amp_helpers.robots import G1_23DOF, Kinematics
from amp_helpers.robots.soles import soles

SHOULDER_SPEED_COSTS = (0.3, 0.1, 0.02)
"""Cost of the shoulders' speed, s/rad, beside that of the error of their rotation; lowered in steps."""
EXACT = {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12, "tr_options": {"atol": 1e-13, "btol": 1e-13}}
"""Tolerances of the least squares: the result is the same on every machine, to the digits that are kept."""
FALLING_MPS2 = -4.0
"""The robot flies while its root accelerates downward by more than this, m/s²."""
LEVEL_S = 0.05
"""Standard deviation of the filter of the ground's height, s."""
_COSTS = FootIkCosts(foot=(400.0, 10.0), root=(200.0, 200.0))
LOCK = FootLockCfg(stance_slip=1.0, flat_tilt=0.15, rolling_tilt=0.5, costs=_COSTS)
"""The copied feet slide by up to 1 m/s where the dancer's stand. The legs give way: a root that follows the feet would
jump from one stance to the next."""


def dance(captured: Motion, tilts: dict[str, float], kinematics: Kinematics) -> MotionDataset:
    """Make the dataset.

    Args:
        captured: the dance, retargeted to the 29-dof G1 by copied angles.
        tilts: fixed tilt of each side's shoulder, rad.
        kinematics: kinematics of ``G1_23DOF``.
    """
    cycle = close_loop(steady_shoulders(captured, tilts), 0.0, captured.duration_s)
    cycle = in_place(prepared(within_limits(cycle.select(G1_23DOF.joint_names))))
    cycle = resampled(cycle, even(cycle.duration_s / CONTROL_DT))
    cycle = out_of_the_ground(leveled(cycle, kinematics), kinematics)
    cycle = within_limits(lock_feet(cycle, kinematics, LOCK))
    clips = [repeated(replace(cycle, fps=1 / CONTROL_DT, command=(0.0, 0.0)))]
    return rounded(MotionDataset.from_motions(clips, joint_names=G1_23DOF.joint_names, control_dt=CONTROL_DT))


def steady_shoulders(motion: Motion, tilts: dict[str, float]) -> Motion:
    """Find shoulder angles that follow the arms without jumps.

    A shoulder is close to its gimbal lock when the arm rises to the side: the angles of the exact rotation then turn by
    half a revolution within a frame. The angles found minimize the error of the rotation and their speed over the whole
    cycle (least squares).

    Args:
        motion: cycle of N frames.
        tilts: fixed tilt of each side's shoulder, rad.
    """
    joint_pos = motion.joint_pos.astype(np.float64)
    count = motion.num_frames
    next_frame = np.roll(np.arange(count), -1)
    following = csr_array(np.eye(count)[next_frame])
    frames = csr_array(np.eye(count))
    depends = vstack([kron(frames, np.ones((9, 3))), kron(frames + following, np.eye(3))])
    for side, tilt in tilts.items():
        columns = [motion.joint_names.index(f"{side}_shoulder_{axis}_joint") for axis in ("pitch", "roll", "yaw")]

        def rotations(angles: np.ndarray, tilt: float = tilt) -> np.ndarray:
            return Rotation.from_euler("YXZ", angles.reshape(count, 3) - (0.0, tilt, 0.0)).as_matrix()

        wanted = rotations(joint_pos[:, columns])
        angles = np.zeros(3 * count)
        for cost in SHOULDER_SPEED_COSTS:

            def errors(angles: np.ndarray, cost: float = cost, wanted: np.ndarray = wanted) -> np.ndarray:
                speed = (angles.reshape(count, 3)[next_frame] - angles.reshape(count, 3)) * motion.fps
                return np.concatenate([(rotations(angles) - wanted).ravel(), cost * speed.ravel()])

            angles = least_squares(errors, angles, jac_sparsity=depends, **EXACT).x
        joint_pos[:, columns] = angles.reshape(count, 3)
    return replace(motion, joint_pos=joint_pos)


def in_place(cycle: Motion) -> Motion:
    """Spread the travel of a cycle over its frames, so that it ends where it begins."""
    share = np.linspace(0, 1, cycle.num_frames)[:, None]
    return replace(cycle, root_pos=cycle.root_pos - share * (cycle.root_pos[-1] - cycle.root_pos[0]))


def leveled(cycle: Motion, kinematics: Kinematics) -> Motion:
    """Shift each frame vertically so that the supporting foot, the one with the lower ankle, is at height 0.

    With copied angles, the height of the supporting foot varies by 14 cm. In flight the shift is interpolated.
    """
    last = cycle.num_frames - 1
    frames = np.arange(last)
    support = kinematics.foot_positions(cycle)[:last, :, 2].argmin(axis=1)
    height = kinematics.sole_heights(cycle)[frames, support]
    velocity = np.gradient(cycle.loop(3).root_height, cycle.dt)
    stands = np.gradient(velocity, cycle.dt)[last : 2 * last] > FALLING_MPS2
    height = np.interp(frames, frames[stands], height[stands], period=last)
    height = gaussian_filter1d(height, LEVEL_S / cycle.dt, mode="wrap")
    return replace(cycle, root_pos=cycle.root_pos - np.append(height, height[0])[:, None] * (0, 0, 1))


def out_of_the_ground(cycle: Motion, kinematics: Kinematics) -> Motion:
    """Lift feet out of the ground: pointed toes are up to 7 cm in it."""

    def lift(clip: Motion) -> Motion:
        position = kinematics.foot_positions(clip)
        position = position + np.maximum(-kinematics.sole_heights(clip), 0)[..., None] * (0, 0, 1)
        rotation = kinematics.foot_rotations(clip)
        return solve_foot_ik(clip, kinematics, soles(kinematics), position, rotation, FootIkCosts())

    return as_cycle(lift, cycle)
