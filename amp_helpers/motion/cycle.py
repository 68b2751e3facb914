"""Cyclic clips: find where a clip repeats, close the cycle, and edit it without opening it again."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, from_rotation_vector, multiply, rotate, rotation_vector, yaw_part

SHORTEST_S = 0.4
"""Shortest cycle searched for, s."""
_MOST_COMPARED = 1500
"""Largest number of frames compared with each other; longer clips are subsampled."""
_CLOSED_RAD, _CLOSED_M = 0.02, 0.01
"""Largest difference between the first and the last pose of a cycle, rad and m."""


def is_cycle(motion: Motion) -> bool:
    """Test whether the last frame has the pose of the first: joints and tilt to 0.02 rad, height to 1 cm."""
    if motion.duration_s < SHORTEST_S:
        return False
    tilt = rotation_vector(_mismatch(motion))
    height = abs(motion.root_height[-1] - motion.root_height[0])
    joints = np.abs(motion.joint_pos[-1] - motion.joint_pos[0]).max()
    return bool(max(joints, np.abs(tilt).max()) < _CLOSED_RAD and height < _CLOSED_M)


def as_cycle(edit: Callable[[Motion], Motion], motion: Motion) -> Motion:
    """Apply ``edit`` to a clip so that a cycle stays a cycle.

    Three repetitions of a cycle are edited, and the middle one is kept, which effects at the ends do not reach.
    """
    if not is_cycle(motion):
        return edit(motion)
    last = motion.num_frames - 1
    turn = yaw_part(multiply(motion.root_quat[-1], conjugate(motion.root_quat[0])))
    middle = edit(motion.loop(3))
    back = conjugate(turn)
    frames = slice(last, 2 * last + 1)
    flat = np.array([1.0, 1.0, 0.0])
    here = middle.root_pos[frames] - motion.root_pos[-1] * flat
    return replace(
        middle,
        joint_pos=middle.joint_pos[frames],
        root_pos=rotate(back, here) + motion.root_pos[0] * flat,
        root_quat=multiply(back, middle.root_quat[frames]),
    )


def find_seam(motion: Motion) -> tuple[float, float]:
    """Find the start and end, s, of the best cycle in a clip; of several that are nearly as good, the longest.

    A clip that is a cycle is returned as a whole. The distance between two frames is Euclidean over joint positions,
    joint velocities times 0.1 s, the root's tilt and height, and its velocity in its own frame times 0.1 s (rad and m).

    Raises:
        InputError: the clip is not longer than :data:`SHORTEST_S`.
    """
    apart = int(np.ceil(SHORTEST_S * motion.fps - 1e-9))
    if motion.num_frames < apart + 1 or motion.num_frames < 3:
        raise InputError(
            f"{motion.label}: lasts {motion.duration_s:.2f} s, too short to find a cycle of {SHORTEST_S} s; "
            "give a longer clip"
        )
    if is_cycle(motion):
        return 0.0, motion.duration_s
    features = np.concatenate(
        [
            motion.joint_pos,
            motion.joint_vel * 0.1,
            motion.projected_gravity,
            motion.root_height[:, None],
            motion.root_lin_vel * 0.1,
        ],
        axis=1,
    ).astype(np.float64)
    step = -(-len(features) // _MOST_COMPARED)
    features, apart = features[::step], -(-apart // step)
    square = np.square(features).sum(axis=1)
    distance = np.maximum(square[:, None] + square - 2 * features @ features.T, 0)
    start, end = np.triu_indices(len(features), apart)
    gap = distance[start, end]
    # Several strides fit as well as one: of those that are nearly the best, the longest keeps most of the clip.
    good = np.flatnonzero(gap <= gap.min() * 1.5 + 1e-4)
    best = good[np.argmax((end - start)[good])]
    return float(start[best] * step / motion.fps), float(end[best] * step / motion.fps)


def close_loop(motion: Motion, start_s: float | None = None, end_s: float | None = None) -> Motion:
    """Cut a cycle out of a clip and close it, with the mismatch spread evenly over its frames.

    Args:
        motion: the clip.
        start_s, end_s: start and end of the cycle, s; by default those of :func:`find_seam`.

    Raises:
        InputError: only one of the two is given, or fewer than three frames lie between them.
    """
    if (start_s is None) != (end_s is None):
        raise InputError(f"{motion.label}: a loop needs both its start and its end; give both or neither")
    if start_s is None:
        start_s, end_s = find_seam(motion)
    part = motion.trim(start_s, end_s)
    if part.num_frames < 3:
        raise InputError(
            f"{motion.label}: {part.num_frames} frames lie between {start_s:g} and {end_s:g} s; give a longer cycle"
        )
    share = np.linspace(0, 1, part.num_frames)[:, None]
    lift = np.array([0.0, 0.0, part.root_height[0] - part.root_height[-1]])
    return replace(
        part,
        joint_pos=part.joint_pos + share * (part.joint_pos[0] - part.joint_pos[-1]),
        root_pos=part.root_pos + share * lift,
        root_quat=multiply(from_rotation_vector(share * rotation_vector(_mismatch(part))), part.root_quat),
    )


def _mismatch(motion: Motion) -> np.ndarray:
    """Compute the rotation (4,) from the last frame's tilt to the first's, without the yaw between them."""
    turn = yaw_part(multiply(motion.root_quat[-1], conjugate(motion.root_quat[0])))
    return multiply(multiply(turn, motion.root_quat[0]), conjugate(motion.root_quat[-1]))
