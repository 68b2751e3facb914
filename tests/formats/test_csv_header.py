"""A CSV's header says which columns are what, in which unit, in any order and spelling."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers.errors import InputError
from amp_helpers.formats.csv_header import read_columns
from amp_helpers.formats.registry import read_motion
from amp_helpers.robots.robot import G1_29DOF, JOINT_ORDERS, Robot

NAMES = JOINT_ORDERS["g1_29dof"]
POSITION, QUATERNION = ["root_x", "root_y", "root_z"], ["root_qx", "root_qy", "root_qz", "root_qw"]


@pytest.fixture
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl")


@pytest.fixture
def write(tmp_path):
    def write(header, *tables):
        np.savetxt(tmp_path / "clip.csv", np.hstack(tables), delimiter=",", header=",".join(header), comments="")
        return tmp_path / "clip.csv"

    return write


def assert_same(motion, clip):
    np.testing.assert_allclose(motion.select(clip.joint_names).joint_pos, clip.joint_pos, atol=1e-5)
    np.testing.assert_allclose(motion.root_pos, clip.root_pos, atol=1e-6)
    turned = Rotation.from_quat(motion.root_quat) * Rotation.from_quat(clip.root_quat).inv()
    assert turned.magnitude().max() < 1e-5


ROOTS = {
    "underscores": [*POSITION, *QUATERNION],
    "short": ["px", "py", "pz", "qx", "qy", "qz", "qw"],
    "letters alone": ["x", "y", "z", "x", "y", "z", "w"],
    "camel case": ["rootPosX", "rootPosY", "rootPosZ", "rootQuatX", "rootQuatY", "rootQuatZ", "rootQuatW"],
    "spaces": [*(f"root pos {axis}" for axis in "xyz"), *(f"root rot {axis}" for axis in "xyzw")],
    "units": [*(f"base_position_{axis}(m)" for axis in "xyz"), *(f"base_orientation_{axis}" for axis in "xyzw")],
    "numbers in brackets": [*(f"root_pos[{i}]" for i in range(3)), *(f"root_quat[{i}]" for i in range(4))],
    "a robot's name before all": [*(f"g1/root_{axis}" for axis in "xyz"), *(f"g1/root_q{axis}" for axis in "xyzw")],
    "units without brackets": [*(f"root_{axis}_m" for axis in "xyz"), *(f"root_q{axis}" for axis in "xyzw")],
    "a pose": [*(f"/base/pose/position/{axis}" for axis in "xyz"), *(f"/base/pose/rotation/{axis}" for axis in "xyzw")],
    "an order in the name": [*POSITION, *(f"quat_xyzw_{number}" for number in range(4))],
    "letters first": [*(f"{axis}_pelvis" for axis in "xyz"), *(f"{axis}_quat" for axis in "xyzw")],
}


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("seed", range(3))
def test_columns_in_any_order_say_the_same(write, walk, root, seed):
    before = "g1/" if "before" in root else ""
    header = [*ROOTS[root], *(f"{before}{name.removesuffix('_joint')}.pos" for name in NAMES)]
    table = np.hstack([walk.root_pos, walk.root_quat, walk.joint_pos])
    if root == "letters alone":  # which x is which is told by their order
        columns = np.random.default_rng(seed).permutation(29) + 7
        columns = np.concatenate([np.arange(7), columns])
    else:
        columns = np.random.default_rng(seed).permutation(36)
    path = write([header[column] for column in columns], table[:, columns])
    assert_same(read_motion(path, fps=30, robot=G1_29DOF), walk)
    assert_same(read_motion(path, fps=30), walk)


def test_centimeters_millimeters_and_degrees_are_converted_where_the_header_says_so(write, walk):
    degrees = [f"{name} [deg]" for name in NAMES]
    for unit, factor in (("cm", 100), ("mm", 1000)):
        header = [*(f"root_{axis} ({unit})" for axis in "xyz"), *QUATERNION, *degrees]
        path = write(header, walk.root_pos * factor, walk.root_quat, np.degrees(walk.joint_pos))
        assert_same(read_motion(path, fps=30), walk)


EULER = {
    "roll, pitch, yaw": (["roll", "pitch", "yaw"], False),
    "root, degrees": (["root_roll(deg)", "root_pitch(deg)", "root_yaw(deg)"], True),
    "euler letters": (["euler_x(rad)", "euler_y(rad)", "euler_z(rad)"], False),
    "rx, ry, rz": (["rx_deg", "ry_deg", "rz_deg"], True),
}


@pytest.mark.parametrize("kind", EULER)
def test_euler_angles_are_read_where_the_header_says_so(write, walk, kind):
    header, degrees = EULER[kind]
    angles = Rotation.from_quat(walk.root_quat).as_euler("xyz", degrees=degrees)
    motion = read_motion(write([*POSITION, *header, *NAMES], walk.root_pos, angles, walk.joint_pos), fps=30)
    assert_same(motion, walk)
    assert f"root rotation from Euler angles about x, y and z in {'deg' if degrees else 'rad'}" in motion.source


def test_animation_tools_count_in_centimeters_and_degrees(write, walk):
    root = [*(f"root_translate{axis}" for axis in "XYZ"), *(f"root_rotate{axis}" for axis in "XYZ")]
    angles = Rotation.from_quat(walk.root_quat).as_euler("xyz", degrees=True)
    header = ["Frame", *root, *(f"{name}_dof" for name in NAMES)]
    counter = np.arange(walk.num_frames)[:, None]
    path = write(header, counter, walk.root_pos * 100, angles, np.degrees(walk.joint_pos))
    motion = read_motion(path, fps=30)
    assert_same(motion, walk)
    assert "root position in cm" in motion.source and "joint angles in degrees" in motion.source


@pytest.mark.parametrize(
    ("name", "factor"), [("time", 1), ("time_s", 1), ("t_ms", 1e3), ("timestamp(ms)", 1e3), ("Time [s]", 1), ("t", 1e9)]
)
def test_a_column_of_times_gives_the_frame_rate(write, walk, name, factor):
    times = 5 + np.arange(walk.num_frames)[:, None] / 30
    path = write([*POSITION, *QUATERNION, *NAMES, name], walk.root_pos, walk.root_quat, walk.joint_pos, times * factor)
    motion = read_motion(path)
    assert motion.fps == 30
    assert_same(motion, walk)
    with pytest.raises(InputError, match=r"the column \w+.* does not increase at frame 1"):
        read_motion(
            write([name, *POSITION, *QUATERNION, *NAMES], 0 * times, walk.root_pos, walk.root_quat, walk.joint_pos)
        )


def test_velocities_beside_the_angles_are_not_joints(write, walk):
    header = [*POSITION, *QUATERNION, "root_vel_x", "root_ang_vel_y", *NAMES, *(f"{name}_vel" for name in NAMES)]
    tables = (walk.root_pos, walk.root_quat, walk.root_pos[:, :2], walk.joint_pos, walk.joint_vel)
    motion = read_motion(write(header, *tables), fps=30)
    assert_same(motion, walk)
    assert motion.joint_names == NAMES and "columns not used: root_vel_x, root_ang_vel_y" in motion.source


def test_a_quaternion_beside_euler_angles_counts(write, walk):
    header = [*POSITION, "roll", "pitch", "yaw", *QUATERNION, *NAMES]
    assert_same(
        read_motion(write(header, walk.root_pos, 0 * walk.root_pos, walk.root_quat, walk.joint_pos), fps=30), walk
    )


def test_a_numbered_quaternion_is_in_the_order_that_its_name_states(write, walk):
    turned = replace(walk, root_quat=(Rotation.from_euler("z", 3.0) * Rotation.from_quat(walk.root_quat)).as_quat())
    table = [turned.root_pos, turned.root_quat[:, [3, 0, 1, 2]], turned.joint_pos]
    for name in ("quat_wxyz_{}", "quat(wxyz)_{}", "root_rot_{} (wxyz)"):
        assert_same(read_motion(write([*POSITION, *map(name.format, range(4)), *NAMES], *table), fps=30), turned)


def test_columns_with_units_of_rates_are_no_joints(write, walk):
    """Velocities and torques carry the names of their joints."""
    units = ("rad", "rad/s", "Nm")
    header = [*POSITION, *QUATERNION, *(f"{name} [{unit}]" for unit in units for name in NAMES)]
    assert_same(read_motion(write(header, walk.root_pos, walk.root_quat, *[walk.joint_pos] * 3), fps=30), walk)


def test_the_torso_beside_a_root_is_a_joint(write, walk):
    header = [*POSITION, *QUATERNION, *(name.replace("waist", "torso") for name in NAMES)]
    file = write(header, walk.root_pos, walk.root_quat, walk.joint_pos)
    with pytest.raises(InputError, match=r"'torso_yaw_joint' \(nearest: waist_yaw_joint"):
        read_motion(file, fps=30, robot=G1_29DOF)


def test_the_center_of_mass_is_not_the_root(write, walk):
    table = [walk.root_pos, walk.root_quat, walk.joint_pos]
    with pytest.raises(InputError, match="names no position of the root"):
        read_motion(write([*(f"com_{axis}" for axis in "xyz"), *QUATERNION, *NAMES], *table), fps=30)
    header = [*POSITION, *QUATERNION, *NAMES, *(f"com_{axis}" for axis in "xyz")]
    assert_same(read_motion(write(header, *table, walk.root_pos), fps=30), walk)


def test_numbered_columns_after_a_named_root_are_not_names(write, walk):
    header = [*POSITION, *QUATERNION, *(f"dof_{column}" for column in range(29))]
    motion = read_motion(write(header, walk.root_pos, walk.root_quat, walk.joint_pos), fps=30, robot=G1_29DOF)
    assert_same(motion, walk)
    assert "joints taken for g1_29dof's" in motion.source


def test_a_robot_whose_joints_are_numbered_has_them_by_number(write, tmp_path):
    chain = "".join(f'<body name="b{i}"><joint name="joint_{i}"/><geom size=".01"/>' for i in range(9)) + "</body>" * 9
    (tmp_path / "arm.xml").write_text(
        f'<mujoco><worldbody><body name="r"><freejoint/><geom size=".1"/>{chain}</body></worldbody></mujoco>'
    )
    robot = Robot.from_file(tmp_path / "arm.xml", foot_bodies=["b8"])
    angles = np.tile(np.arange(9.0)[::-1] / 10, (4, 1))
    root = np.tile([0, 0, 1, 0, 0, 0, 1.0], (4, 1))
    path = write([*POSITION, *QUATERNION, *(f"q{i}" for i in range(8, -1, -1))], root, angles)
    motion = read_motion(path, fps=30, robot=robot)
    np.testing.assert_allclose(motion.select(robot.joint_names).joint_pos[0], np.arange(9) / 10, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left_knee_joint": "left_kneel"}, r"no joints of g1_29dof: 'left_kneel' \(nearest: left_knee_joint"),
        ({"left_knee_joint": "left_elbow.pos"}, "left_elbow.pos and left_elbow_joint are both left_elbow_joint"),
        ({"left_knee_joint": "dof_9"}, r"no joints of g1_29dof: 'dof_9'"),
        ({"left_knee_joint": "left_knee(turns)"}, r"unit of 'left_knee\(turns\)' is not known"),
        ({"left_knee_joint": "left_knee(mm)"}, "gives joints in mm; give angles in rad or deg"),
        ({"root_qw": "left_thumb"}, "names the root's rotation by root_qx, root_qy, root_qz, which are not its 4"),
        (
            {f"root_q{axis}": f"root_rot_{axis}" for axis in "xyz"} | {"root_qw": "left_thumb"},
            "of which kind; name Euler",
        ),
        ({"root_qw": "root_qx"}, "names the root's rotation by root_qx, root_qy, root_qz, root_qx"),
        ({"root_z": "root_height"}, "names the root's position by root_x, root_y, which are not its 3 components"),
        ({"root_x": "a", "root_y": "b", "root_z": "c"}, "names no position of the root"),
        ({"root_x": "root_x(cm)"}, "gives root_x, root_y, root_z different units"),
    ],
)
def test_a_header_that_is_not_understood_is_refused_in_one_sentence(write, walk, change, message):
    header = [change.get(name, name) for name in (*POSITION, *QUATERNION, *NAMES)]
    with pytest.raises(InputError, match=message) as caught:
        read_motion(write(header, walk.root_pos, walk.root_quat, walk.joint_pos), fps=30, robot=G1_29DOF)
    assert "clip.csv: " in str(caught.value) and "\n" not in str(caught.value)


def test_values_that_cannot_be_in_the_unit_are_refused_where_none_is_stated(write, walk):
    header = [*POSITION, *QUATERNION, *NAMES]
    with pytest.raises(InputError, match=r"the root would be 7\d m high, .* root_z\(cm\)"):
        read_motion(write(header, walk.root_pos * 100, walk.root_quat, walk.joint_pos), fps=30)
    with pytest.raises(InputError, match=r"angles reach \d+\.\d+, which are no radians, .*\(deg\)"):
        read_motion(write(header, walk.root_pos, walk.root_quat, np.degrees(walk.joint_pos)), fps=30)


@pytest.mark.parametrize(
    "header",
    [["c"] * 36, [f"column {i}" for i in range(36)], [f"q{i}" for i in range(36)], [str(i) for i in range(36)]],
)
def test_a_header_that_only_numbers_columns_names_none(header):
    assert read_columns(header, G1_29DOF) is None


SAMPLES = {
    "motiondecode.csv": ("g1_29dof", 30),
    "bones_seed.csv": ("g1_29dof", 30),
    "n3_walk_30fps.csv": ("robots/N3.xml", 30),
    "pi_plus_right_big_kick_cut.csv": ("robots/pi_22dof_0826.xml", 30),
    "ufo_time.csv": ("g1_29dof", None),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_headers_of_real_files_are_read_by_name(field_samples, walk, name):
    robot, fps = SAMPLES[name]
    path = field_samples / name
    given = G1_29DOF if robot == "g1_29dof" else Robot.from_file(field_samples / robot)
    motion = read_motion(path, fps=fps, robot=given)
    if given is G1_29DOF:
        assert_same(motion, walk)
        return
    header = path.read_text().partition("\n")[0].split(",")
    raw = np.loadtxt(path, delimiter=",", skiprows=1)
    assert set(motion.joint_names) <= set(given.joint_names)
    for column, joint in enumerate(motion.joint_names):
        assert sorted(header[7 + column].replace(".", "_").split("_")) == sorted(
            joint.removesuffix("_joint").split("_")
        )
        np.testing.assert_allclose(motion.joint_pos[:, column], raw[:, 7 + column], atol=1e-6)
    turned = Rotation.from_quat(motion.root_quat) * Rotation.from_quat(raw[:, 3:7]).inv()
    assert turned.magnitude().max() < 1e-6


def test_euler_angles_that_may_be_degrees_or_radians_are_refused(write, walk):
    angles = Rotation.from_quat(walk.root_quat).as_euler("xyz", degrees=True)
    angles = angles * 6 / np.abs(angles).max()
    path = write([*POSITION, "roll", "pitch", "yaw", *NAMES], walk.root_pos, angles, walk.joint_pos)
    with pytest.raises(InputError, match=r"Euler angles reach 6, which may be degrees or radians; .* root_roll\(deg\)"):
        read_motion(path, fps=30)
    header = [*POSITION, "root_roll(deg)", "root_pitch(deg)", "root_yaw(deg)", *NAMES]
    motion = read_motion(write(header, walk.root_pos, angles, walk.joint_pos), fps=30)
    turned = Rotation.from_quat(motion.root_quat) * Rotation.from_euler("xyz", angles, degrees=True).inv()
    assert turned.magnitude().max() < 1e-6


def test_an_animation_tools_file_in_meters_is_refused(write, walk):
    root = [*(f"root_translate{axis}" for axis in "XYZ"), *(f"root_rotate{axis}" for axis in "XYZ")]
    angles = Rotation.from_quat(walk.root_quat).as_euler("xyz", degrees=True)
    path = write([*root, *NAMES], walk.root_pos, angles, np.degrees(walk.joint_pos))
    with pytest.raises(InputError, match=r"the root would be 0\.007\d+ m high"):
        read_motion(path, fps=30)
