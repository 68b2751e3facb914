"""The joint and offset inspectors, driven by setting control values, without a browser."""

import io
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image
from support import room

from amp_helpers import widgets
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.joints import expand_patterns
from amp_helpers.motion.motion import Motion
from amp_helpers.render import renderer as render
from amp_helpers.render.renderer import Renderer
from amp_helpers.robots.robot import G1_23DOF, Robot
from amp_helpers.widgets import (
    BY_NAME,
    DATASET_AS_SIMULATOR,
    ORDERS,
    SIMULATOR_AS_DATASET,
    JointInspector,
    OffsetInspector,
)
from amp_helpers.widgets.curve import Line, curve_svg
from amp_helpers.widgets.joint_rows import joint_rows, joint_table
from amp_helpers.widgets.offsets import POSES, Offsets, compare_pose, target_poses
from amp_helpers.widgets.still import widget_html

SIMULATOR = tuple(sorted(G1_23DOF.joint_names))


@pytest.fixture(scope="module")
def clip(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


@pytest.fixture
def inspector(clip):
    return JointInspector(clip, G1_23DOF, SIMULATOR, width=200, height=200, gl=False)


def test_orders_map_columns_as_documented(clip):
    names = clip.joint_names
    np.testing.assert_array_equal(widgets.read_in_order(clip, SIMULATOR, BY_NAME).joint_pos, clip.joint_pos)
    there = widgets.read_in_order(clip, SIMULATOR, DATASET_AS_SIMULATOR)
    np.testing.assert_array_equal(there.select(SIMULATOR).joint_pos, clip.joint_pos)
    back = widgets.read_in_order(clip, SIMULATOR, SIMULATOR_AS_DATASET)
    np.testing.assert_array_equal(back.joint_pos, clip.select(SIMULATOR).joint_pos)
    assert there.joint_names == back.joint_names == names


def test_unknown_orders_and_joints_are_refused(clip):
    with pytest.raises(InputError, match="available: by name"):
        widgets.read_in_order(clip, SIMULATOR, "alphabetically")
    with pytest.raises(InputError, match="1 missing: tail_joint"):
        widgets.read_in_order(clip, (*SIMULATOR, "tail_joint"), BY_NAME)


def test_a_row_names_the_source_of_a_joint_s_angles(clip):
    default = G1_23DOF.default_positions()
    right = {row.joint: row for row in joint_rows(clip, G1_23DOF, SIMULATOR, default)}
    knee, column = right["left_knee_joint"], clip.joint_names.index("left_knee_joint")
    assert (knee.dataset_column, knee.simulator_column) == (column, SIMULATOR.index("left_knee_joint"))
    assert knee.mean == pytest.approx(clip.joint_pos[:, column].mean()) and knee.default == pytest.approx(0.42)
    assert (knee.low, knee.high) == pytest.approx((-0.087, 2.88), abs=0.01)
    assert knee.maximum == pytest.approx(clip.joint_pos[:, column].max())
    assert all(row.ok and row.status == "ok" for row in right.values())

    wrong = joint_rows(clip, G1_23DOF, SIMULATOR, default, SIMULATOR_AS_DATASET)
    assert wrong[0].status == "gets left_ankle_pitch" and not wrong[0].ok
    own = sum(row.source == row.joint for row in wrong)
    assert own == sum(a == b for a, b in zip(SIMULATOR, clip.joint_names, strict=True)) < 5
    far = Motion(clip.fps, clip.joint_names, clip.joint_pos + 3, clip.root_pos, clip.root_quat)
    assert joint_rows(far, G1_23DOF, SIMULATOR, default)[column].status == "100% outside limits"


def test_the_inspector_shows_an_image_and_numbers(inspector, clip):
    image = np.asarray(Image.open(io.BytesIO(inspector.image.value)))
    assert image.shape[:2] == (200, 200) and np.ptp(image) > 100
    inspector.joint.value = "left_knee_joint"
    inspector.frame.value = 12
    column = clip.joint_names.index("left_knee_joint")
    assert (
        f"column {column} of the dataset, {SIMULATOR.index('left_knee_joint')} of the simulator" in inspector.text.value
    )
    assert f"frame 12, 0.24 s: angle {clip.joint_pos[12, column]:+.3f} rad" in inspector.text.value
    assert f"{clip.joint_pos[12, column] - 0.42:+.3f} rad" in inspector.text.value
    assert "wrong" not in inspector.text.value


@pytest.mark.parametrize(
    ("control", "value"), [("joint", "right_elbow_joint"), ("frame", 20), ("order", DATASET_AS_SIMULATOR)]
)
def test_every_control_changes_image_and_curve(inspector, control, value):
    before = inspector.image.value, inspector.curve.value
    getattr(inspector, control).value = value
    assert inspector.image.value != before[0] and inspector.curve.value != before[1]


def test_a_wrong_order_is_marked_and_by_name_restores_the_display(inspector):
    inspector.frame.value, inspector.joint.value = 12, "left_knee_joint"
    correct = inspector.image.value, inspector.text.value, inspector.table.value
    inspector.order.value = SIMULATOR_AS_DATASET
    assert inspector.joint.value == "left_knee_joint", "the selection stays"
    assert "wrong: the clip has" in inspector.text.value
    assert re.search(r'<tr class="wrong selected"><td>left_knee<.*?gets left_hip_pitch<', inspector.table.value)
    assert "received: left_hip_pitch" in inspector.curve.value
    assert "by name" not in inspector.summary.value and "23 of 23" not in inspector.summary.value
    inspector.order.value = BY_NAME
    assert (inspector.image.value, inspector.text.value, inspector.table.value) == correct
    assert "by name: 23 of 23 joints get their own angles; outside their limits: 0" in inspector.summary.value


def test_the_rounding_of_a_constant_does_not_fill_a_curve():
    svg = curve_svg(np.arange(5.0), [Line("measured", np.array([0, 1e-5, -1e-5, 0, 1e-5]), "red")], height=100)
    heights = [float(point.partition(",")[2]) for point in re.search('points="([^"]+)"', svg)[1].split()]
    assert max(heights) - min(heights) < 0.1 and ">0.1</text>" in svg


def test_the_curve_labels_limits_default_and_mean_and_marks_the_frame(inspector):
    inspector.joint.value = "left_knee_joint"
    at_start = inspector.curve.value
    for text in ("left_knee, rad", "limit +2.88", "limit -0.09", "default +0.42", "mean +0.55", "clip"):
        assert text in at_start, text
    inspector.frame.value = 40
    before, after = ({*svg.split("<")} for svg in (at_start, inspector.curve.value))
    moved = before - after
    assert 1 <= len(moved) <= 2 and all(part.startswith(("path", "circle")) for part in moved), "only the mark moves"


def test_room_is_kept_and_controls_are_labeled(inspector):
    assert all(room(part).endswith("px") for part in (inspector.curve, inspector.text, inspector.summary))
    for control in (inspector.order, inspector.joint, inspector.frame, inspector.player.play):
        assert control.description and (control.tooltip or control.tooltips)
    assert inspector.slider.tooltip
    assert len(inspector.order.tooltips) == len(ORDERS)
    assert inspector.frame.continuous_update, "dragging shows the frames on its way"


def test_a_clip_of_one_frame_can_be_inspected(clip):
    inspector = JointInspector(clip.trim(0, 0), G1_23DOF, SIMULATOR, width=64, height=48, gl=False)
    assert inspector.frame.max == 0 and "frame 0, 0.00 s" in inspector.text.value and "<svg" in inspector.curve.value


def test_the_joint_slider_and_list_are_linked(inspector):
    inspector.slider.value = "right_knee_joint"
    assert inspector.joint.value == "right_knee_joint" and "right_knee_joint: column 9" in inspector.text.value
    inspector.joint.value = "left_elbow_joint"
    assert inspector.slider.value == "left_elbow_joint"
    inspector.order.value = DATASET_AS_SIMULATOR
    assert inspector.slider.value == inspector.joint.value == "left_elbow_joint"


def test_playback_is_in_real_time(inspector, clip):
    play = inspector.player.play
    assert play.max == inspector.frame.max == clip.num_frames - 1
    assert play.step / (play.interval / 1000) == pytest.approx(clip.fps, rel=0.01)
    assert play.interval >= 100, "time to draw an image"


def test_images_are_cached(inspector, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        Renderer,
        "frame",
        lambda self, *args, frame=Renderer.frame, **options: (drawn.append(args[1]), frame(self, *args, **options))[1],
    )
    for frame in (5, 6, 5, 6):
        inspector.frame.value = frame
    assert drawn == [5, 6]


def test_inspectors_share_renderers_and_old_ones_are_closed(clip):
    first = JointInspector(clip, G1_23DOF, SIMULATOR, width=64, height=48, gl=False)
    again = JointInspector(clip, G1_23DOF, SIMULATOR, width=64, height=48, gl=False)
    kept = [renderer for key, renderer in render._shared.items() if key[1:5] == (64, 48, "quarter", False)]
    assert len(kept) == 1 and first.image.value == again.image.value
    for size in range(render.MAX_SHARED):
        render.shared_renderer(G1_23DOF, 32 + size, 32, gl=False).frame(clip, 0)
    assert len(render._shared) == render.MAX_SHARED and kept[0] not in render._shared.values()
    first.frame.value = 7  # reopens its renderer
    assert first.image.value != again.image.value


def test_an_error_in_a_callback_is_not_swallowed(inspector):
    inspector._rows = dict.fromkeys(ORDERS, ())
    with pytest.raises(IndexError):  # in a kernel, the Output widget catches and shows it
        inspector.joint.value = "right_knee_joint"


def test_a_control_that_a_page_moves_while_another_thread_changes_controls_is_drawn_after_that(inspector):
    """A kernel under JupyterLab takes what a page sends in another thread than cells."""
    mover = threading.Thread(target=setattr, args=(inspector.joint, "value", "right_knee_joint"))
    with inspector.paused():
        mover.start()
        time.sleep(0.2)
        assert "right_knee" not in inspector.text.value
    mover.join()
    assert "right_knee_joint: column" in inspector.text.value


def test_a_default_pose_without_a_joint_is_refused(clip):
    with pytest.raises(InputError, match="default pose lacks left_hip_pitch_joint; it has: knee"):
        JointInspector(clip, G1_23DOF, SIMULATOR, default_pose={"knee": 0.1}, gl=False)


def test_joints_that_the_robot_lacks_are_ignored(repo_root):
    from amp_helpers.formats.registry import read_motion

    motion = read_motion(repo_root / "datasets" / "g1_walk.pkl")
    inspector = JointInspector(motion, G1_23DOF, SIMULATOR, width=80, height=80, gl=False)
    assert tuple(row.joint for row in inspector.rows) == G1_23DOF.joint_names


def test_the_table_has_a_row_per_joint_and_is_kept_on_static_pages(inspector):
    inspector.joint.value = "left_knee_joint"
    table = inspector.table.value
    assert table == joint_table(inspector.rows, "left_knee_joint")
    assert table.count("<tr") == 1 + G1_23DOF.num_joints and table.count('class="selected"') == 1
    assert re.search(r'<tr class="selected"><td>left_knee</td><td>ok</td>.*?<td>-0.09 to 2.88</td>.*?</tr>', table)
    page = widget_html("table", {"table": {"model_name": "HTMLModel", "state": inspector.table.get_state()}})
    assert table in page


@pytest.mark.slow
@pytest.mark.parametrize("kind", [JointInspector, OffsetInspector])
def test_a_robot_from_a_file_takes_one_line(clip, kind):
    robot = Robot.from_file(G1_23DOF.mjcf_path, feet_joints=(".*_ankle_.*",))
    inspector = kind(clip, robot, width=64, height=48, gl=False)
    inspector.frame.value = 9
    if kind is JointInspector:  # without a simulator's order, breadth-first as in PhysX
        assert [row.simulator_column for row in inspector.rows[:7]] == [0, 3, 5, 7, 11, 15, 1]
    assert inspector.frame.max == clip.num_frames - 1 and "left_hip_pitch_joint" in inspector.text.value


# --- the offset inspector -------------------------------------------------------------------------------------------


@pytest.fixture
def offsets():
    return Offsets(G1_23DOF.joint_names, tuple(G1_23DOF.default_pose().tolist()))


@pytest.fixture
def offset_inspector(clip):
    return OffsetInspector(clip, G1_23DOF, width=84, height=125, gl=False)


def test_each_treatment_of_the_offset_shifts_the_target(clip, offsets):
    angles, default = clip.joint_pos[20].astype(float), G1_23DOF.default_pose().astype(float)
    shoulder = G1_23DOF.joint_names.index("right_shoulder_pitch_joint")
    poses = target_poses(angles, offsets, default, "right_shoulder_pitch_joint")
    assert tuple(poses) == POSES
    np.testing.assert_allclose(poses["subtracted once"], angles, atol=1e-7)
    np.testing.assert_allclose(poses["added"], angles + 2 * default, atol=1e-6)
    np.testing.assert_allclose(poses["subtracted twice"], angles - default, atol=1e-6)
    error = poses["one sign flipped"] - angles
    assert error[shoulder] == pytest.approx(0.7) and np.abs(np.delete(error, shoulder)).max() < 1e-6
    with pytest.raises(InputError, match="joint 'tail' not found; available: left_hip_pitch_joint"):
        target_poses(angles, offsets, default, "tail")


def test_the_literal_is_valid_for_isaac_lab(offsets):
    pose = eval(f"dict({offsets.with_flipped_sign('right_shoulder_pitch_joint').literal()})")["joint_pos"]
    np.testing.assert_allclose(
        expand_patterns(pose, G1_23DOF.joint_names)[:18], G1_23DOF.default_pose()[:18], atol=1e-6
    )
    assert pose["right_shoulder_pitch_joint"] == -0.35 and "left_elbow_joint" not in pose
    assert eval(f"dict({Offsets(('a',), (0.0,)).literal()})") == {"joint_pos": {}}


def test_edits_stay_within_the_limits_and_are_drawn(offset_inspector):
    box = offset_inspector
    box.joint.value = "right_shoulder_pitch_joint"
    assert box.offset.value == pytest.approx(0.35)
    low, high = G1_23DOF.joint_limits()[G1_23DOF.joint_names.index(box.joint.value)]
    assert low <= box.offset.min <= low + 0.01 and high - 0.01 <= box.offset.max <= high
    before = {name: image.value for name, image in box.images.items()}
    box.offset.value = -0.35
    assert '"right_shoulder_pitch_joint": -0.35' in box.literal.value
    changed = {name for name, image in box.images.items() if image.value != before[name]}
    assert changed == {*POSES} - {"clip"}
    assert "0.70 rad off: right_shoulder_pitch" in box.captions["subtracted once"].value
    assert "your offset -0.350, the environment&#x27;s +0.350" in box.text.value
    assert box.state.offsets["right_shoulder_pitch_joint"] == -0.35


def test_buttons_flip_a_sign_and_reset_it(offset_inspector):
    box = offset_inspector
    untouched = box.literal.value
    assert "equals the clip" in box.captions["subtracted once"].value
    box.joint.value = "right_shoulder_pitch_joint"
    box.flip.click()
    assert box.offset.value == -0.35 and "equals the clip" not in box.captions["subtracted once"].value
    box.reset_joint.click()
    assert box.offset.value == pytest.approx(0.35) and box.literal.value == untouched
    for joint, value in (("left_knee_joint", 1.0), ("right_elbow_joint", 0.5)):
        box.joint.value, box.offset.value = joint, value
    assert '"left_knee_joint": 1,' in box.literal.value and '"right_elbow_joint": 0.5,' in box.literal.value
    box.joint.value = "left_knee_joint"
    assert box.offset.value == 1.0, "an edit is kept while another joint is selected"
    box.reset.click()
    assert box.literal.value == untouched and box.offset.value == pytest.approx(0.42)


def test_the_offset_inspector_follows_the_frame_and_is_labeled(offset_inspector, clip):
    box = offset_inspector
    before = {name: image.value for name, image in box.images.items()}
    box.frame.value = 60
    changed = {name for name, image in box.images.items() if image.value != before[name]}
    assert changed == {*POSES} - {"default pose"}
    for control in (box.joint, box.offset, box.frame, box.flip, box.reset_joint, box.reset, box.literal):
        assert control.description and control.tooltip
    fixed = [*box.images.values(), *box.captions.values(), box.text, box.literal]
    assert all(room(part).endswith("px") for part in fixed)
    assert re.search(r"0\.84 rad off: (left|right)_knee", box.captions["added"].value)


def test_joints_outside_their_limits_are_counted():
    limits = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    assert (
        compare_pose(np.array([0.5, 2.0]), np.zeros(2), limits, ("a", "b")) == "2.00 rad off: b\n1 outside its limits"
    )
    assert "2 outside their limits" in compare_pose(np.array([-3.0, 2.0]), np.zeros(2), limits, ("a", "b"))
