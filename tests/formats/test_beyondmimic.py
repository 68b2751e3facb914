"""npz files of motion-tracking trainers: link positions decide the order of joints without names."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers.convert import convert
from amp_helpers.errors import InputError
from amp_helpers.formats.beyondmimic import write_beyondmimic
from amp_helpers.formats.gmr import write_gmr
from amp_helpers.formats.isaaclab_amp import write_amp
from amp_helpers.formats.registry import read_motion, read_motions
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, JOINT_ORDERS
from amp_helpers.utils import npz

NAMES_29 = JOINT_ORDERS["g1_29dof"]

# The G1's joints in Isaac Lab on PhysX, as trackers' documentation lists them; written out, not computed.
PHYSX_29 = tuple(
    f"{joint}_joint"
    for joint in """
    left_hip_pitch right_hip_pitch waist_yaw left_hip_roll right_hip_roll waist_roll left_hip_yaw right_hip_yaw
    waist_pitch left_knee right_knee left_shoulder_pitch right_shoulder_pitch left_ankle_pitch right_ankle_pitch
    left_shoulder_roll right_shoulder_roll left_ankle_roll right_ankle_roll left_shoulder_yaw right_shoulder_yaw
    left_elbow right_elbow left_wrist_roll right_wrist_roll left_wrist_pitch right_wrist_pitch left_wrist_yaw
    right_wrist_yaw
    """.split()  # noqa: SIM905 - legible only as text
)


@pytest.fixture(scope="module")
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


@pytest.fixture(scope="module")
def links(walk):
    """Compute positions and wxyz rotations of every link with MuJoCo, depth-first; and their names."""
    kinematics = Kinematics(G1_29DOF)
    data, places, turns = mujoco.MjData(kinematics.model), [], []
    for qpos in kinematics.qpos(walk):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(kinematics.model, data)
        places.append(data.xpos.copy())
        turns.append(data.xquat.copy())
    return np.array(places), np.array(turns), ("world", *kinematics.body_names)


@pytest.fixture
def beyondmimic(tmp_path, walk, links):
    """Return a function that writes the walk as BeyondMimic does; links are shuffled except the root."""

    def write(order=PHYSX_29, xyzw: bool = False, **changes):
        places, turns, _ = links
        columns = [0, *(1 + np.random.default_rng(0).permutation(29))]
        content = {
            "fps": [30],
            "joint_pos": walk.joint_pos[:, [NAMES_29.index(name) for name in order]],
            "joint_vel": np.zeros((walk.num_frames, 29)),
            "body_pos_w": places[:, 1:][:, columns],
            "body_quat_w": turns[:, 1:][:, columns][..., [1, 2, 3, 0] if xyzw else [0, 1, 2, 3]],
        }
        path = tmp_path / "motion.npz"
        np.savez(path, **{key: value for key, value in (content | changes).items() if value is not None})
        return path

    return write


@pytest.mark.parametrize(("order", "said"), [(PHYSX_29, "g1_29dof breadth-first"), (NAMES_29, "g1_29dof")])
@pytest.mark.parametrize("xyzw", [False, True])
def test_link_positions_decide_the_joint_order(beyondmimic, walk, order, said, xyzw):
    motion = read_motion(beyondmimic(order, xyzw))
    assert motion.joint_names == order and motion.fps == 30
    assert f"joints of {said} by its links, 0.0 cm off as {said}" in motion.source
    np.testing.assert_allclose(motion.root_pos, walk.root_pos, atol=1e-6)
    np.testing.assert_array_equal(motion.select(NAMES_29).joint_pos, walk.joint_pos)
    assert f"quaternion {'xyzw' if xyzw else 'wxyz'}, " in motion.source
    assert ("links 0.0 cm off as xyzw" in motion.source) == xyzw
    assert (Rotation.from_quat(motion.root_quat) * Rotation.from_quat(walk.root_quat).inv()).magnitude().max() < 1e-6


def test_both_orders_give_the_same_dataset(beyondmimic, tmp_path):
    states = [convert([beyondmimic(order)], tmp_path / "d.npz", verbose=False).states for order in (PHYSX_29, NAMES_29)]
    np.testing.assert_array_equal(*states)


def test_a_clip_with_too_little_movement_needs_a_joint_order(beyondmimic):
    kinematics = Kinematics(G1_29DOF)
    data = mujoco.MjData(kinematics.model)
    mujoco.mj_kinematics(kinematics.model, data)  # every joint at 0
    path = beyondmimic(
        joint_pos=np.zeros((5, 29)),
        body_pos_w=np.tile(data.xpos[1:], (5, 1, 1)),
        body_quat_w=np.tile([1.0, 0, 0, 0], (5, 30, 1)),
    )
    with pytest.raises(InputError, match=r"moves too little .*--joint_order robot or physx"):
        read_motion(path)
    assert read_motion(path, joint_names="physx").joint_names == PHYSX_29
    assert read_motion(path, joint_names="robot").joint_names == NAMES_29


def test_a_wrong_joint_order_contradicts_the_links(beyondmimic):
    with pytest.raises(InputError, match=r"the joint order given puts the links \d+ cm from where the file has them"):
        read_motion(beyondmimic(PHYSX_29), joint_names="robot")
    assert read_motion(beyondmimic(PHYSX_29), joint_names="physx").joint_names == PHYSX_29


def test_another_robot_with_as_many_joints_is_refused(beyondmimic, links):
    longer = links[0][:, 1:] * (1, 1, 1.4)
    with pytest.raises(InputError, match=r"no known order of 29 puts the links .* another robot"):
        read_motion(beyondmimic(body_pos_w=longer))


def test_holosoma_names_are_used_and_world_is_not_the_root(beyondmimic, walk, links):
    places, turns, names = links
    named = {"body_pos_w": places, "body_quat_w": turns, "body_names": np.array(names)}
    whole = np.hstack([walk.root_pos, walk.root_quat[:, [3, 0, 1, 2]], walk.joint_pos])
    for joint_pos in (walk.joint_pos, whole):
        motion = read_motion(beyondmimic(joint_pos=joint_pos, joint_names=np.array(NAMES_29), **named))
        np.testing.assert_array_equal(motion.joint_pos, walk.joint_pos)
        np.testing.assert_allclose(motion.root_pos, walk.root_pos, atol=1e-9)
        assert "root is body 'pelvis'; quaternion wxyz" in motion.source


def nowhere(number: float) -> np.ndarray:
    """Make link positions of which the last is invalid."""
    places = np.ones((153, 30, 3))
    places[:, 29] = number
    return places


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"body_quat_w": None}, r"looks like BeyondMimic npz and lacks body_quat_w \(found: "),
        ({"body_quat_w": np.zeros((153, 30, 3))}, r"body_quat_w has shape \(153, 30, 3\), expected \(153 frames"),
        ({"body_pos_w": np.zeros((10, 30, 3))}, r"body_pos_w has shape \(10, 30, 3\)"),
        ({"body_names": np.array(["pelvis"])}, "body_names lists 1 bodies and body_pos_w has 30"),
        ({"body_names": np.array(["world"] * 30)}, r"names no joints, and its links \(world, .* are those of no robot"),
        ({"body_pos_w": np.full((153, 30, 3), [1.0, np.nan, 1.0])}, "body_pos_w of the root is nan at frame 0"),
        ({"body_pos_w": nowhere(np.nan)}, "link positions are NaN or beyond"),
        ({"body_pos_w": nowhere(1e200)}, "link positions are NaN or beyond"),
        ({"body_pos_w": np.full((153, 30, 3), "here")}, "body_pos_w is not an array of numbers"),
        ({"fps": None}, "does not say its frame rate"),
        ({"joint_pos": np.zeros((153, 28))}, r"has 28 joint columns and no joint names"),
        ({"body_quat_w": np.zeros((153, 30, 4))}, "body_quat_w of the root has norm 0.000"),
    ],
)
def test_errors_are_one_sentence(beyondmimic, changes, message):
    with pytest.raises(InputError, match=rf"motion\.npz: {message}") as caught:
        read_motion(beyondmimic(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("turned_first", [False, True])
@pytest.mark.parametrize("fps", [30, 1 / 30])
def test_holosoma_qpos_may_start_with_position_or_quaternion(tmp_path, walk, turned_first, fps):
    parts = [walk.root_pos, walk.root_quat[:, [3, 0, 1, 2]]]
    qpos = np.hstack([*(parts[::-1] if turned_first else parts), walk.joint_pos])
    np.savez(tmp_path / "m.npz", qpos=qpos, human_joints=np.zeros((153, 22, 3)), fps=fps, cost=0.0)
    motion = read_motion(tmp_path / "m.npz", robot=G1_23DOF)
    assert motion.fps == pytest.approx(30) and motion.joint_names == NAMES_29
    np.testing.assert_allclose(motion.root_pos, walk.root_pos)
    np.testing.assert_array_equal(motion.joint_pos, walk.joint_pos)
    assert ("quaternion first, by its norm" in motion.source) == turned_first
    assert "the one known order of 29, and within g1_29dof's limits" in motion.source


def test_gmr_arrays_in_an_npz(tmp_path, walk):
    np.savez(tmp_path / "m.npz", fps=30, root_pos=walk.root_pos, root_rot=walk.root_quat, dof_pos=walk.joint_pos)
    np.testing.assert_array_equal(read_motion(tmp_path / "m.npz").joint_pos, walk.joint_pos)


def test_datasets_are_motions_again(repo_root, tmp_path):
    path = repo_root / "datasets" / "g1_walk.npz"
    first = convert([path], tmp_path / "a.npz", weights=[2], verbose=False)
    original = np.load(path)
    np.testing.assert_allclose(first.states, original["states"], atol=1e-6)
    assert first.weight.tolist() == [2] and first.name == ("g1_walk.npz/g1_walk.pkl",)
    assert "read from a dataset" in first.source[0] and "joints of g1_29dof by its links" in first.source[0]
    write_gmr(tmp_path / "other.pkl", read_motion(path))
    both = convert([tmp_path / "a.npz", tmp_path / "other.pkl"], tmp_path / "b.npz", weights=[3, 1], verbose=False)
    assert both.weight.tolist() == [6, 1]
    assert [motion.weight for motion in read_motions(tmp_path / "b.npz")] == [6, 1]


def test_a_motion_too_large_is_refused_before_it_is_read(beyondmimic, monkeypatch):
    monkeypatch.setattr(npz, "MAX_MOTION_BYTES", 100_000)
    with pytest.raises(InputError, match="GiB read at most; split it"):
        read_motion(beyondmimic())


def test_an_npz_with_an_extreme_compression_ratio_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "m.npz", qpos=np.zeros((400_000, 36)), fps=30)
    with pytest.raises(InputError, match="over 4 times its size"):
        read_motion(tmp_path / "m.npz")


def test_an_unknown_npz_is_refused_with_the_known_formats(tmp_path):
    np.savez(tmp_path / "m.npz", angles=np.zeros((3, 156)), place=np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"holds angles, place, which is no motion known here; .*BeyondMimic npz: "):
        read_motion(tmp_path / "m.npz")


@pytest.fixture
def turning():
    """Make a motion that turns about the vertical at 1.5 rad/s and travels at 0.6 m/s, joints at rest."""
    time = np.arange(40) / 50
    turn = Rotation.from_rotvec(np.outer(1.5 * time, (0, 0, 1))).as_quat()
    place = np.stack([0.6 * time, 0 * time, 0 * time + 0.8], axis=1)
    rest = np.tile(G1_23DOF.default_pose(), (40, 1))
    return Motion(fps=50, joint_names=G1_23DOF.joint_names, joint_pos=rest, root_pos=place, root_quat=turn)


def test_written_links_have_the_right_positions_and_velocities(turning, tmp_path):
    write_beyondmimic(tmp_path / "b.npz", turning)
    write_amp(tmp_path / "a.npz", turning)
    tracked, named = np.load(tmp_path / "b.npz"), np.load(tmp_path / "a.npz")
    assert set(tracked) == {"fps", *(f"joint_{k}" for k in ("pos", "vel"))} | {
        f"body_{k}_w" for k in ("pos", "quat", "lin_vel", "ang_vel")
    }
    assert tracked["joint_pos"].shape == (40, 23) and tracked["fps"].tolist() == [50]
    assert named["dof_names"].tolist() == list(G1_23DOF.joint_names) and named["body_names"][0] == "pelvis"
    bodies = named["body_names"].tolist()
    for spin in (tracked["body_ang_vel_w"], named["body_angular_velocities"]):
        np.testing.assert_allclose(spin, np.broadcast_to((0, 0, 1.5), spin.shape), atol=1e-3)
    np.testing.assert_allclose(tracked["body_lin_vel_w"][1:-1, 0], np.broadcast_to((0.6, 0, 0), (38, 3)), atol=1e-3)
    # An elbow moves with the root and around it.
    elbow = bodies.index("left_elbow_link")
    arm = named["body_positions"][20, elbow] - named["body_positions"][20, 0]
    expected = (0.6 - 1.5 * arm[1], 1.5 * arm[0], 0)
    np.testing.assert_allclose(named["body_linear_velocities"][20, elbow], expected, atol=2e-3)
    # Level by level: the root, then what hangs on it.
    first = tracked["body_pos_w"][0, :3]
    nearest = [np.abs(named["body_positions"][0] - place).sum(axis=1).argmin() for place in first]
    assert [bodies[index] for index in nearest] == ["pelvis", "left_hip_pitch_link", "right_hip_pitch_link"]


def test_links_of_an_unknown_robot_cannot_be_written(turning, tmp_path):
    strange = replace(turning, joint_names=tuple(f"joint_{i}" for i in range(23)))
    for write in (write_beyondmimic, write_amp):
        with pytest.raises(InputError, match="no robot known here has all of its joints"):
            write(tmp_path / "m.npz", strange)
        with pytest.raises(InputError, match="has one frame"):
            write(tmp_path / "m.npz", turning.trim(0, 0))
    assert not list(tmp_path.iterdir())
