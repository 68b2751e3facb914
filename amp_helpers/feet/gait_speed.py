"""A walk or run at another speed and turning rate: other steps, not the same steps played faster.

People walk faster by longer and by quicker steps, each with about the square root of the speed: the walk ratio, step
length over cadence, is constant (Sekiya & Nagasaki, "Reproducibility of the walking patterns of normal young adults:
test-retest reliability of the walk ratio", Gait & Posture 1998). Here the path of the root and the places where the
feet stand are scaled and bent, and inverse kinematics finds the poses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.feet.gait_root import (
    keep_stance_legs,
    lean_into_turn,
    path_frames,
    pendulum_sway,
    stride_frames,
    sway_factor,
)
from amp_helpers.feet.ik import FootIkCosts, solve_foot_ik
from amp_helpers.feet.lock import Feet, FootLockCfg, find_stance, foot_targets, known_soles, stances, tilt_of
from amp_helpers.motion.cycle import close_loop, is_cycle
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.path import Path
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.soles import Sole

WALK_STRIDE_SHARE, RUN_STRIDE_SHARE = 0.5, 0.8
"""Exponent of the speed in the stride length; cadence takes the rest. For a third more speed, runners lengthened their
stride by 28 % and raised their cadence by 4 % (Cavanagh & Kram, "Stride length in distance running", 1989)."""
_FLIGHT = 0.1
"""Share of a clip without a foot in stance from which it is a run."""
_LEAST_SWING, _MOST_SWING = 0.3, 1.3
"""Limits of the factor of the swings of root, waist and arms."""
_COSTS = FootIkCosts(foot=(400.0, 10.0), root=(200.0, 200.0))
"""Feet and root are where they should be, and the legs give way; at the end of an ankle's range, the foot tilts."""


@dataclass(frozen=True, kw_only=True)
class GaitChange:
    """How a gait is changed, and the costs of the inverse kinematics.

    Raises:
        InputError: a factor is negative, or a number is not finite.
    """

    stride: float = 1.0
    """Factor of the stride length; 0: steps in place."""
    cadence: float = 1.0
    """Factor of the steps per second."""
    turn: float = 0.0
    """Added to the turning speed, rad/s, left positive: the path is bent to an arc."""
    lean: float = 1.0
    """Factor of the root's mean tilt: runners lean less when they run slower."""
    balance: float = 0.0
    """Share of the sway to the sides that is computed rather than scaled: at 1, the root sways as a linear inverted
    pendulum on these feet. A robot whose feet are further apart than the person's keeps its balance so."""
    lock: FootLockCfg = field(default_factory=lambda: FootLockCfg(flat_tilt=0.04, rolling_tilt=0.10, costs=_COSTS))
    """How standing feet are found and held. By default soles are made flat only where they nearly are: a clip whose
    feet are locked already stays as it is."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.stride) and self.stride >= 0):
            raise InputError(f"stride {self.stride}: not a factor of the stride length; give a number from 0 upward")
        if not (np.isfinite(self.cadence) and self.cadence > 0):
            raise InputError(f"cadence {self.cadence}: not a factor of the cadence; give a positive number")
        if not np.isfinite(self.turn):
            raise InputError(f"turn {self.turn}: not a turning speed; give a number of rad/s")
        if not np.isfinite(self.lean):
            raise InputError(f"lean {self.lean}: not a factor of the root's tilt; give a number")
        if not 0 <= self.balance <= 1:
            raise InputError(f"balance {self.balance}: not a share of the sway; give a number from 0 to 1")

    @property
    def tilt(self) -> float:
        """Factor of the tilt of the soles. Beyond 1 it grows less than the stride, because the ankle has limits."""
        return min(self.stride, self.stride**0.5)

    @property
    def swing(self) -> float:
        """Factor of the swings of root, waist and arms."""
        return float(np.clip(self.stride, _LEAST_SWING, _MOST_SWING))


def at_gait_speed(motion: Motion, kinematics: Kinematics, factor: float) -> Motion:
    """Change the speed of a walk or run as people do, by longer and quicker steps.

    The stride grows by ``factor`` to the power of ``WALK_STRIDE_SHARE``, or of ``RUN_STRIDE_SHARE`` in a clip with
    flight phases; the cadence takes the rest.

    Args:
        motion: the clip; a cycle stays a cycle.
        kinematics: kinematics of its robot.
        factor: new speed over old speed.

    Raises:
        InputError: as :func:`change_gait`, or the factor is not a positive number.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise InputError(f"{motion.label}: cannot walk {factor} times as fast; give a positive number")
    if factor == 1:
        return motion
    flight = 1 - find_stance(motion, kinematics).stance.any(axis=1).mean()
    stride = factor ** (RUN_STRIDE_SHARE if flight > _FLIGHT else WALK_STRIDE_SHARE)
    changed = change_gait(motion, kinematics, GaitChange(stride=stride, cadence=factor / stride))
    note = f"steps {stride:.2f} times as long and {factor / stride:.2f} times as frequent"
    findings = replace(motion.findings, speed=motion.findings.speed * factor, notes=(*motion.findings.notes, note))
    return replace(changed, findings=findings)


def change_gait(motion: Motion, kinematics: Kinematics, change: GaitChange) -> Motion:
    """Change stride length, cadence and turning speed of a clip; feet in stance stay where they stand.

    A stance is moved and turned as a whole, with the path at its middle. Soles keep their heights; their tilt grows and
    shrinks with the stride, and so do the swings of root, waist and arms. The root's height follows from the stance
    legs, which keep their lengths. The root sways to the sides more at a slower cadence, in proportion to an inverted
    pendulum, and leans into the turn as the path's acceleration requires.

    Args:
        motion: clip of at least two frames; a cycle stays a cycle.
        kinematics: kinematics of its robot.
        change: what to change.

    Returns:
        The clip with as many frames at ``cadence`` times the frame rate, its path starting at the origin along x.

    Raises:
        InputError: no foot is ever in stance, the robot lacks a joint of the clip, or its soles are unknown.
    """
    robot_soles = known_soles(kinematics)
    cyclic, last = is_cycle(motion), motion.num_frames - 1
    # What surrounds a cycle is its repetition; the middle one is kept.
    clip, keep = (motion.loop(3), slice(last, 2 * last + 1)) if cyclic else (motion, slice(None))
    feet = find_stance(clip, kinematics, change.lock)
    if not feet.stance.any():
        raise InputError(
            f"{motion.label}: no foot stands in any frame, so its steps cannot be changed; "
            "check the robot, the joint order and the root height"
        )
    clip = replace(clip, root_pos=clip.root_pos - [0.0, 0.0, feet.ground])
    stride_s = stride_frames(feet) / clip.fps
    path = Path.of(clip, stride_s, cyclic)
    new_path = path.changed(change.stride, change.turn / (clip.fps * change.cadence))
    lean = lean_into_turn(new_path, clip.fps * change.cadence) - lean_into_turn(path, clip.fps)
    outward = -np.tan(lean) * clip.root_height.mean()
    moved_feet = _move_feet(feet, robot_soles, path, new_path, change, outward)
    position, rotation = foot_targets(moved_feet, robot_soles, change.lock)
    side = path.to_local(clip.root_pos[:, :2])[:, 1]
    side = _scaled_swing(side, sway_factor(clip, stride_s, change.cadence))
    if change.balance:
        swaying = pendulum_sway(feet, path, clip, change.cadence, cyclic)
        side = (1 - change.balance) * side + change.balance * swaying
    body = _move_body(clip, kinematics, path, new_path, change, lean, side)
    body = keep_stance_legs(clip, body, kinematics, feet, position)
    body, position, rotation = _from_origin(body.at_frames(keep), position[keep], rotation[keep], new_path, keep)
    solved = solve_foot_ik(body, kinematics, robot_soles, position, rotation, change.lock.costs)
    if cyclic:
        solved = close_loop(solved, 0.0, solved.duration_s)
    command = motion.command
    if command is not None:
        command = (command[0] * change.stride * change.cadence, command[1] * change.cadence + change.turn)
    return replace(solved, fps=motion.fps * change.cadence, command=command)


def upper_joints(kinematics: Kinematics) -> list[str]:
    """Names of the joints that no foot hangs on: those of waist, arms and head."""
    model = kinematics.model
    legs = set()
    for name in kinematics.robot.foot_bodies:
        body = model.body(name).id
        while body:
            legs.add(body)
            body = model.body_parentid[body]
    return [name for name in kinematics.robot.joint_names if model.joint(name).bodyid[0] not in legs]


def _move_feet(
    feet: Feet, soles: Sequence[Sole], path: Path, new_path: Path, change: GaitChange, outward: float
) -> Feet:
    """Feet along the new path, shifted to its left; a stance moves as a whole."""
    position, rotation = feet.position.copy(), feet.rotation.copy()
    for foot, sole in enumerate(soles):
        frames = path_frames(feet.stance[:, foot])
        here, there = path.at(frames), new_path.at(frames)
        position[:, foot, :2] = there.to_world(
            here.to_local(position[:, foot, :2]) * (change.stride, 1.0) + (0.0, outward)
        )
        turned = Rotation.from_matrix(rotation[:, foot])
        if sole.flat:
            turned = Rotation.from_rotvec((change.tilt - 1) * tilt_of(rotation[:, foot] @ sole.up)) * turned
        turned = _yaw(there.heading - here.heading) * turned
        rotation[:, foot] = turned.as_matrix()
        wanted = _sole_height(feet.sole_height[:, foot] - feet.ground, feet.stance[:, foot], change.tilt)
        position[:, foot, 2] += wanted - sole.height(position[:, foot], rotation[:, foot])
    return replace(feet, position=position, rotation=rotation, ground=0.0)


def _sole_height(height: np.ndarray, stance: np.ndarray, tilt: float) -> np.ndarray:
    """Height of a sole (N,) m whose tilt is changed: a foot that tilts less is lifted and lowered more evenly.

    The lowest point of a swinging foot is at its toes and its heel in turn. What remains of that, as of the tilt, is
    complemented by a squared sine as high as the swing.
    """
    even = height.copy()
    for before, after in pairwise(stances(stance)):
        swing = slice(before[-1], after[0] + 1)
        even[swing] = height[swing].max() * np.sin(np.pi * np.linspace(0, 1, after[0] - before[-1] + 1)) ** 2
    share = min(tilt, 1.0)
    return share * height + (1 - share) * even


def _move_body(
    motion: Motion,
    kinematics: Kinematics,
    path: Path,
    new_path: Path,
    change: GaitChange,
    lean: float,
    side: np.ndarray,
) -> Motion:
    """Move the root along the new path, ``side`` (N,) m to its left, and scale the swings of root, waist and arms."""
    local = (_yaw(-path.heading) * Rotation.from_quat(motion.root_quat)).as_rotvec()
    turned = _yaw(new_path.heading) * Rotation.from_rotvec([-lean, 0.0, 0.0])
    tilt = local.mean(axis=0) * (1 - change.lean) * (1.0, 1.0, 0.0)
    turned = turned * Rotation.from_rotvec(_scaled_swing(local, change.swing) - tilt)
    place = path.to_local(motion.root_pos[:, :2])
    place[:, 0] *= change.stride
    place[:, 1] = side
    columns = [motion.joint_names.index(name) for name in upper_joints(kinematics) if name in motion.joint_names]
    joint_pos = motion.joint_pos.astype(np.float64)
    joint_pos[:, columns] = _scaled_swing(joint_pos[:, columns], change.swing)
    root_pos = np.column_stack([new_path.to_world(place), motion.root_height])
    return replace(motion, joint_pos=joint_pos, root_pos=root_pos, root_quat=turned.as_quat())


def _scaled_swing(values: np.ndarray, factor: float) -> np.ndarray:
    mean = values.mean(axis=0)
    return mean + factor * (values - mean)


def _yaw(angle: np.ndarray) -> Rotation:
    """Rotations about the vertical by angles (...,) rad."""
    return Rotation.from_rotvec(np.multiply.outer(angle, [0.0, 0.0, 1.0]))


def _from_origin(
    body: Motion, position: np.ndarray, rotation: np.ndarray, path: Path, keep: slice
) -> tuple[Motion, np.ndarray, np.ndarray]:
    """Move everything so that the kept part of the path starts at the origin along x."""
    start, heading = path.position[keep][0], path.heading[keep][0]
    back = _yaw(-heading)
    start = np.append(start, 0.0)
    body = replace(
        body,
        root_pos=back.apply(body.root_pos - start),
        root_quat=(back * Rotation.from_quat(body.root_quat)).as_quat(),
    )
    shape = position.shape
    position = back.apply(position.reshape(-1, 3) - start).reshape(shape)
    return body, position, np.einsum("ij,nfjk->nfik", back.as_matrix(), rotation)
