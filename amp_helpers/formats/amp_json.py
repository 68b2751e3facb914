"""AMP JSON, as motion_imitation, AMP_for_hardware and TienKung-Lab have it: ``Frames``, a row of numbers per frame, and
``FrameDuration``, s; mostly under the suffix ``.txt``.

``MotionWeight``, a clip's share of the draws, is told and not applied: weights here are of frames.

The rows have no names. Their layouts (m, rad, s; D joints, T feet):

==========================  =======================================================================================
motion_imitation            root position 3, quaternion xyzw 4, D angles
AMP_for_hardware            the same, then 3 T foot positions, 3 + 3 root velocities, D joint and 3 T foot velocities
TienKung-Lab, to look at    root position 3, Euler angles 3, D angles, 3 + 3 root velocities, D joint velocities
TienKung-Lab, to train on   D angles, D velocities, positions of hands and feet; no root
==========================  =======================================================================================

AMP_for_hardware's quadrupeds come in PyBullet's order of legs or in Isaac Gym's; the feet tell which.

Which of them a file has is decided by its numbers: velocities are the differences of positions, quaternions have unit
length, and the number of joints is that of the names or of the robot.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.format import Format
from amp_helpers.formats.json_file import JSON
from amp_helpers.formats.name_lists import find_names
from amp_helpers.formats.rates import rate_of_velocities
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import read_array, read_table, take
from amp_helpers.motion.rotations import from_euler
from amp_helpers.robots.lookup import robots_beside
from amp_helpers.robots.robot import JOINT_ORDERS

MAX_FEET = 8
LEG = ("hip", "thigh", "calf")
"""Joints of a leg, as Unitree names them."""


@dataclass(frozen=True)
class _Layout:
    name: str
    rotation: int
    """Columns of the root's rotation: 4 quaternion, 3 Euler, 0 where there is no root."""
    joints: slice
    velocities: slice | None
    feet: slice = slice(0)
    """Columns of the feet's positions in the root's frame."""

    @property
    def has_root(self) -> bool:
        return self.rotation > 0


def clips_of_amp_json(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of an AMP JSON file."""
    frames = read_table(path, "Frames", take(content, "Frames"))
    names_key, names = find_names(path, content)
    layout = _layout_of(path, frames, _num_joints(names, options))
    if not layout.has_root:
        raise InputError(
            f"{path}: holds joint angles and velocities and no root, as TienKung-Lab's files for training do, so the "
            "robot's height and heading are unknown; give the file of the same motion that has the root "
            "(motion_visualization in TienKung-Lab)"
        )
    rate = _rate(path, content.get("FrameDuration"))
    notes = [f"columns as in {layout.name}", *_weight(content.get("MotionWeight"), rate, len(frames))]
    if names is None and (legs := _legs(frames[:, layout.joints], frames[:, layout.feet])):
        names_key, names = "the feet's positions", [f"{leg}_{part}_joint" for leg in legs for part in LEG]
        notes.append(f"legs {', '.join(legs)} by the positions of their feet")
    rotation = frames[:, 3 : 3 + layout.rotation]
    yield StoredClip(
        joint_pos=frames[:, layout.joints],
        root_pos=frames[:, :3],
        root_rot=rotation if layout.rotation == 4 else from_euler(rotation),
        fps=rate,
        joint_names=names,
        keys={
            "joint_pos": f"Frames, columns {layout.joints.start} to {layout.joints.stop - 1}",
            "root_pos": "Frames, columns 0 to 2",
            "root_rot": f"Frames, columns 3 to {2 + layout.rotation}",
            "joint_names": names_key,
        },
        quaternion=None if layout.rotation == 4 else "xyzw",
        quaternion_computed=layout.rotation != 4,
        convention_of="AMP_for_hardware's",
        notes=tuple(notes),
    )


def _legs(joints: np.ndarray, feet: np.ndarray) -> list[str]:
    """Name the four legs of three joints each, in the file's order, by where their feet are; empty for other robots."""
    if joints.shape[1] != 4 * len(LEG) or feet.shape[1] != 4 * 3:
        return []
    ahead, left, _ = np.median(feet.reshape(-1, 4, 3), axis=0).T
    legs = [("F" if x > 0 else "R") + ("L" if y > 0 else "R") for x, y in zip(ahead, left, strict=True)]
    return legs if len(set(legs)) == 4 and np.abs([ahead, left]).min() > 0.02 else []


def _num_joints(names: object, options: ReadOptions) -> tuple[int, ...]:
    """List the numbers of joints that the file may have, the likeliest first: feet are stored like further joints, so
    that the numbers alone do not tell them apart."""
    if isinstance(names, list):
        return (len(names),)
    given = options.joint_names
    if given is not None and not isinstance(given, str):
        return (len(given),)
    if isinstance(given, str) and given in JOINT_ORDERS:
        return (len(JOINT_ORDERS[given]),)
    return tuple(dict.fromkeys(known.num_joints for known in robots_beside(options.robot)))


def _layout_of(path: Path, frames: np.ndarray, num_joints: tuple[int, ...]) -> _Layout:
    """Decide what a row holds.

    Raises:
        InputError: no known layout fits.
    """
    unit = frames.shape[1] > 7 and np.abs(np.linalg.norm(frames[:, 3:7], axis=1) - 1).max() < 0.2
    fitting: list[tuple[int, _Layout]] = []
    for layout in _layouts(frames.shape[1]):
        if layout.rotation == 4 and not unit:
            continue
        count = layout.joints.stop - layout.joints.start
        rank = num_joints.index(count) if count in num_joints else len(num_joints)
        if layout.velocities is None:
            fitting.append((rank + len(num_joints) + 1, layout))
        elif rate_of_velocities(frames[:, layout.joints], frames[:, layout.velocities]):
            # Without hands and feet, rows without a root look like those of a robot with six joints fewer and a root.
            alike = not layout.has_root and layout.velocities.stop == frames.shape[1]
            standing = 0.2 < float(np.median(frames[:, 2])) < 2
            fitting.append((len(num_joints) if alike and standing else rank, layout))
    if not fitting:
        raise InputError(
            f"{path}: Frames have {frames.shape[1]} columns in no known layout (AMP_for_hardware's, motion_imitation's "
            "or TienKung-Lab's); give the motion with the names of its joints, as a CSV with a header for instance"
        )
    return min(fitting, key=lambda one: one[0])[1]


def _layouts(width: int) -> Iterator[_Layout]:
    for feet in range(MAX_FEET + 1):
        joints, odd = divmod(width - 13 - 6 * feet, 2)
        if joints > 0 and not odd:
            end = 7 + joints + 3 * feet
            start = end + 6
            yield _Layout(
                "AMP_for_hardware", 4, slice(7, 7 + joints), slice(start, start + joints), slice(7 + joints, end)
            )
    joints, odd = divmod(width - 12, 2)
    if joints > 0 and not odd:
        yield _Layout("TienKung-Lab", 3, slice(6, 6 + joints), slice(12 + joints, 12 + 2 * joints))
    for ends in range(0, 3 * MAX_FEET + 1, 3):
        joints, odd = divmod(width - ends, 2)
        if joints > 0 and not odd:
            yield _Layout("TienKung-Lab without root", 0, slice(0, joints), slice(joints, 2 * joints))
    if width > 7:
        yield _Layout("motion_imitation", 4, slice(7, width), None)


def _weight(weight: object, rate: float | None, frames: int) -> list[str]:
    """Say how to follow a ``MotionWeight``, the clip's share of the draws whatever its length; empty without one."""
    if not isinstance(weight, int | float) or not 0 < weight < 1e6 or rate is None:
        return []
    return [
        f"MotionWeight {weight:g} counts clips and is not applied; weights count frames, and --weights "
        f"{weight * rate / frames:.3g} draws the clip as often"
    ]


def _rate(path: Path, duration: object) -> float | None:
    if duration is None:
        return None
    seconds = read_array(path, "FrameDuration", duration)
    if seconds.size != 1 or not 1e-4 <= float(seconds.ravel()[0]) <= 10:
        raise InputError(
            f"{path}: FrameDuration is {one_line(str(duration), 40)}; store the seconds from one frame to the next"
        )
    return 1 / float(seconds.ravel()[0])


AMP_JSON = Format("AMP JSON", JSON, clips_of_amp_json, keys=("Frames", "FrameDuration"))
