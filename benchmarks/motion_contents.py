"""What the files of each format hold, made from one motion: dicts of arrays, lists, names and rates."""

import numpy as np

from amp_helpers.motion import Motion
from amp_helpers.motion.rotations import rotate_inverse
from amp_helpers.robots import G1_29DOF, Kinematics, Robot
from amp_helpers.robots.model import breadth_first

Content = dict[str, object]


def wxyz(motion: Motion) -> np.ndarray:
    """The root's quaternions as MuJoCo and Isaac Lab before 3.0 have them."""
    return motion.root_quat[:, [3, 0, 1, 2]]


def bodies(motion: Motion) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, positions, and rotations wxyz of the links; every link has the root's rotation."""
    kinematics = Kinematics(G1_29DOF)
    positions = kinematics.body_positions(motion)
    return kinematics.body_names, positions, np.repeat(wxyz(motion)[:, None], positions.shape[1], axis=1)


def isaac_order(motion: Motion, robot: Robot = G1_29DOF) -> Motion:
    """The motion with its joints breadth-first, as Isaac Lab has them on PhysX."""
    return motion.select(breadth_first(Kinematics(robot).model))


def rates(motion: Motion) -> np.ndarray:
    """Joint velocities, rad/s, by central differences."""
    return np.gradient(motion.joint_pos, axis=0) * motion.fps


def gmr(motion: Motion) -> Content:
    """Content of a GMR pickle or npz with joint names."""
    return {
        "fps": motion.fps,
        "root_pos": motion.root_pos,
        "root_rot": motion.root_quat,
        "dof_pos": motion.joint_pos,
        "joint_names": list(motion.joint_names),
    }


def phc(motion: Motion) -> Content:
    """Content of one clip of an ASAP or PHC file."""
    return {
        "root_trans_offset": motion.root_pos,
        "dof": motion.joint_pos,
        "root_rot": motion.root_quat,
        "pose_aa": np.zeros((motion.num_frames, 30, 3), dtype=np.float32),
        "fps": 30,
    }


def legged_lab(motion: Motion, world: bool = False) -> Content:
    """Content of a legged_lab pickle, with links in the root's frame or the world's."""
    names, positions, _ = bodies(motion)
    sides = ("left", "right")
    keys = [names.index(f"{side}_{link}_link") for side in sides for link in ("ankle_roll", "wrist_yaw")]
    content = gmr(isaac_order(motion)) | {"loop_mode": 1, "root_rot": wxyz(motion)}
    del content["joint_names"]
    if world:
        return content | {"key_body_pos_w": positions[:, keys]}
    apart = positions[:, keys] - motion.root_pos[:, None]
    turns = np.repeat(motion.root_quat[:, None], len(keys), axis=1)
    return content | {"key_body_pos": rotate_inverse(turns, apart)}


def amp(motion: Motion) -> Content:
    """Content of an Isaac Lab AMP npz."""
    names, positions, rotations = bodies(motion)
    return {
        "fps": np.array(30),
        "dof_names": np.array(motion.joint_names),
        "body_names": np.array(names),
        "dof_positions": motion.joint_pos,
        "body_positions": positions.astype(np.float32),
        "body_rotations": rotations.astype(np.float32),
    }


def tracking(motion: Motion) -> dict[str, np.ndarray]:
    """Arrays of BeyondMimic's and SONIC's files."""
    _, positions, rotations = bodies(motion)
    isaac = isaac_order(motion)
    return {
        "joint_pos": isaac.joint_pos,
        "joint_vel": rates(isaac),
        "body_pos_w": positions.astype(np.float32),
        "body_quat_w": rotations.astype(np.float32),
    }


def amp_json(motion: Motion) -> list[Content]:
    """AMP_for_hardware's layout with two feet, TienKung-Lab's with Euler angles, and motion_imitation's."""
    root, feet = np.zeros((motion.num_frames, 6)), np.zeros((motion.num_frames, 6))
    euler = np.zeros((motion.num_frames, 3))
    euler[:, 2] = 2 * np.arctan2(motion.root_quat[:, 2], motion.root_quat[:, 3])
    place, turn, angles, speeds = motion.root_pos, motion.root_quat, motion.joint_pos, rates(motion)
    layouts = (
        [place, turn, angles, feet, root, speeds, feet],
        [place, euler, angles, root, speeds],
        [place, turn, angles],
    )
    about = {"LoopMode": "Wrap", "FrameDuration": 1 / 30, "joint_names": list(motion.joint_names)}
    return [{**about, "Frames": np.hstack(parts).tolist()} for parts in layouts]


def amp_rsl_rl(motion: Motion) -> Content:
    """Content of an amp-rsl-rl npy: lists of an array a frame."""
    return {
        "joints_list": list(motion.joint_names),
        "joint_positions": list(motion.joint_pos),
        "root_position": list(motion.root_pos),
        "root_quaternion": list(motion.root_quat),
        "fps": 30.0,
    }


def protomotions(motion: Motion) -> Content:
    """Content of a ProtoMotions file, as arrays."""
    _, positions, rotations = bodies(motion)
    return {
        "fps": 30,
        "dof_pos": motion.joint_pos,
        "rigid_body_pos": positions.astype(np.float32),
        "rigid_body_rot": rotations[..., [1, 2, 3, 0]].astype(np.float32),
        "rigid_body_contacts": np.zeros(positions.shape[:2], dtype=bool),
    }


def protomotions_library(motion: Motion) -> Content:
    """Content of a ProtoMotions library: a motion and its first frames."""
    one = protomotions(motion)
    parts = {"dps": "dof_pos", "gts": "rigid_body_pos", "grs": "rigid_body_rot"}
    arrays = {key: np.asarray(one[name]) for key, name in parts.items()}
    return {
        **{key: np.concatenate([value, value[:20]]) for key, value in arrays.items()},
        "length_starts": np.array([0, motion.num_frames]),
        "motion_num_frames": np.array([motion.num_frames, 20]),
        "motion_dt": np.array([1 / 30, 1 / 30], dtype=np.float32),
        "motion_files": ("a/walk.motion", "b/start.motion"),
    }


def loco_mujoco(motion: Motion) -> Content:
    """Content of a loco-mujoco npz, two clips of one motion."""
    return {
        "qpos": np.hstack([motion.root_pos, wxyz(motion), motion.joint_pos]),
        "joint_names": np.array(["root", *motion.joint_names]),
        "jnt_type": np.array([0] + [3] * len(motion.joint_names)),
        "split_points": np.array([0, motion.num_frames // 2, motion.num_frames]),
        "frequency": np.array(30.0),
        "metadata": np.array(None, dtype=object),
    }


def loco_mujoco_arrays(motion: Motion) -> Content:
    """Content of a loco-mujoco npz of before version 1: an array a joint."""
    still = np.zeros(motion.num_frames)
    yaw = 2 * np.arctan2(motion.root_quat[:, 2], motion.root_quat[:, 3])
    forward, left, up = motion.root_pos.T
    root = {"tx": forward, "tz": left, "ty": up - 0.79, "tilt": still, "list": still, "rotation": yaw}
    arrays: Content = {f"q_pelvis_{name}": values for name, values in root.items()}
    for column, name in enumerate(motion.joint_names):
        arrays[f"q_{name}"], arrays[f"dq_{name}"] = motion.joint_pos[:, column], rates(motion)[:, column]
    return arrays
