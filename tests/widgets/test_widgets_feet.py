"""The feet comparison and the motion refiner, driven by setting values and clicking buttons, without a browser."""

import io
import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from support import room

from amp_helpers.errors import InputError
from amp_helpers.feet.edits import Edit
from amp_helpers.feet.lock import compare_stance, find_stance, lock_feet
from amp_helpers.formats.gmr import read_history, write_gmr
from amp_helpers.formats.registry import read_motion
from amp_helpers.joints import JointOrder
from amp_helpers.motion.rotations import multiply
from amp_helpers.plots.feet import foot_curves, foot_panels
from amp_helpers.render.gl import gl_available
from amp_helpers.render.renderer import shared_renderer
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_29DOF
from amp_helpers.widgets import FeetComparison, MotionRefiner
from amp_helpers.widgets.cursor_figure import CURSOR, CursorFigure
from amp_helpers.widgets.feet_comparison import foot_names, read_feet
from amp_helpers.widgets.refinement import EditCache, Refinement, overlay


@pytest.fixture(scope="module")
def walk_file(repo_root):
    return repo_root / "datasets" / "g1_walk.pkl"


@pytest.fixture(scope="module")
def walk(walk_file):
    return read_motion(walk_file).trim(0, 2.0)


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(G1_29DOF)


@pytest.fixture(scope="module")
def clips(walk, kinematics):
    without = walk.select(JointOrder(walk.joint_names).without([".*ankle.*"]).names)
    return {"original": walk, "without the ankles": without, "refined": lock_feet(walk, kinematics)}


@pytest.fixture
def comparison(clips):
    return FeetComparison(clips, G1_29DOF, width=120, height=100, gl=False)


@pytest.fixture
def refiner(walk_file, tmp_path):
    return MotionRefiner(walk_file, output=tmp_path / "new.pkl", width=120, height=100, gl=False)


def image(widget) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(widget.value)).convert("RGB")).astype(int)


class TestCursorFigure:
    def test_the_cursor_is_at_x_and_only_in_its_panels(self):
        figure = Figure((4, 3))
        left, right = figure.subplots(1, 2)
        left.set_xlim(0, 10)
        right.set_xlim(0, 10)
        marked = CursorFigure(figure, [left], dpi=100)
        assert marked.size == (400, 300)
        columns = [np.flatnonzero((marked.at(x) != marked.at(-5)).any(axis=(0, 2))) for x in (2.5, 7.5)]
        assert all(1 <= len(found) <= 2 for found in columns)
        box = left.get_window_extent()
        assert columns[0].mean() == pytest.approx(box.x0 + 0.25 * box.width, abs=1.5)
        assert columns[1].mean() == pytest.approx(box.x0 + 0.75 * box.width, abs=1.5)

    def test_there_is_no_cursor_outside_the_axis_limits(self):
        figure = Figure((3, 2))
        axes = figure.add_subplot()
        axes.set_xlim(0, 1)
        marked = CursorFigure(figure, [axes])
        assert (marked.at(1.5) == marked.at(-0.5)).all()
        assert (marked.at(0.5) == CURSOR).all(axis=2).any()


class TestFeetComparison:
    def test_curves_show_every_clip_and_shade_stance(self, walk, clips, kinematics):
        feet = {label: find_stance(clips[label], kinematics) for label in ("original", "refined")}
        figure = foot_curves(feet, ("left", "right"))
        panels = foot_panels(figure)
        assert len(panels) == 4
        heights = [line for line in panels[0].lines if len(line.get_xdata()) == walk.num_frames]
        assert [line.get_label() for line in heights] == ["original", "refined"]
        assert heights[0].get_ydata() == pytest.approx(100 * feet["original"].sole_height[:, 0])
        shaded = [patch.get_x() for patch in panels[0].patches]
        runs = np.flatnonzero(np.diff(np.pad(feet["original"].stance[:, 0].astype(int), 1)) == 1)
        assert len(shaded) == len(runs)

    def test_a_refined_clip_has_no_spike_of_slip_at_the_ends_of_its_stances(self, comparison):
        original, refined = (comparison._feet[label].sliding for label in ("original", "refined"))
        assert np.nanmax(refined) < 0.05 < 0.2 < np.nanmax(original)

    def test_robots_are_synchronized(self, comparison, clips):
        assert list(comparison.images) == list(clips)
        before = {label: image(shown) for label, shown in comparison.images.items()}
        curves = image(comparison.curves)
        comparison.player.frame.value = 20
        for label, shown in comparison.images.items():
            assert (image(shown) != before[label]).any(), label
        assert (image(comparison.curves) != curves).any(), "the frame is marked"
        assert comparison.view.frame == 20

    def test_readings_are_written_below_the_images(self, comparison, clips, kinematics):
        comparison.player.frame.value = 7
        feet = compare_stance({label: clips[label] for label in ("original", "refined")}, kinematics)
        readings = read_feet(feet, ("left", "right"), 7)
        assert [(r.clip, r.foot) for r in readings] == [
            ("original", "left"),
            ("original", "right"),
            ("refined", "left"),
            ("refined", "right"),
        ]
        for reading in readings:
            assert str(reading) in comparison.text.value.replace("&#x27;", "'")
        assert readings[1].height_m == pytest.approx(feet["original"].sole_height[7, 1])
        in_stance = [r for r in readings if "stance" in str(r)]
        assert in_stance and all(np.isfinite(r.slip_mps) for r in in_stance)
        assert "without the ankles" not in comparison.text.value, "this clip has no feet"

    def test_feet_in_stance_are_colored(self, comparison):
        comparison.camera.value = "side"
        stance = comparison._feet["original"].stance
        both, one = (int(np.flatnonzero(stance.sum(axis=1) == count)[0]) for count in (2, 1))

        def colored(frame):
            comparison.player.frame.value = frame
            shown = image(comparison.images["original"])
            return int(((shown[..., 0] > 180) & (shown[..., 2] < 90)).sum())

        assert colored(both) > colored(one) > 0

    def test_the_camera_changes_the_view(self, comparison):
        before = image(comparison.images["original"])
        comparison.camera.value = "front"
        assert (image(comparison.images["original"]) != before).any()

    def test_a_shorter_clip_repeats_its_last_frame(self, clips):
        short = {"long": clips["original"], "short": clips["refined"].trim(0, 1.0)}
        shown = FeetComparison(short, G1_29DOF, width=60, height=50, gl=False)
        shown.player.frame.value = short["long"].num_frames - 1
        last = image(shown.images["short"])
        shown.player.frame.value = short["short"].num_frames - 1
        assert (image(shown.images["short"]) == last).all()

    def test_influence_is_drawn_if_given(self, comparison, clips):
        shares = {"all joints": {name: 0.1 for name in G1_29DOF.joint_names}}
        more = FeetComparison(clips, G1_29DOF, influence=shares, width=60, height=50, gl=False)
        assert len(more.children) == len(comparison.children) + 1
        bars = image(more.children[-2])
        assert (np.abs(bars - (0xD5, 0x5E, 0x00)).sum(axis=2) < 12).any(), "ankles have their own color"

    @pytest.mark.slow
    def test_controls_are_labeled_and_sizes_are_fixed(self, comparison):
        assert [comparison.player.frame.description, comparison.camera.description] == ["Frame", "Camera"]
        assert comparison.player.frame.tooltip and comparison.camera.tooltip
        shown = (*comparison.images.values(), comparison.curves, comparison.text)
        assert all(room(part).endswith("px") for part in shown)

    def test_clips_that_cannot_be_compared_are_refused(self, clips):
        with pytest.raises(InputError, match="no clip has the ankle joints"):
            FeetComparison({"without": clips["without the ankles"]}, G1_29DOF, gl=False)
        with pytest.raises(InputError, match=r"differ in frame rate \(a 30, b 50\)"):
            FeetComparison({"a": clips["original"], "b": clips["original"].resample(0.02)}, G1_29DOF, gl=False)

    def test_feet_without_a_side_are_labeled_by_link(self):
        assert foot_names(G1_29DOF) == ("left", "right")
        for names in (("pelvis", "torso_link"), ("FL_calf", "FR_calf"), ("left_a", "left_b"), ("left_right", "left")):
            assert foot_names(replace(G1_29DOF, foot_bodies=names)) == names

    @pytest.mark.parametrize("names", [("R_foot", "L_foot"), ("foot_r", "foot_l"), ("RightFoot", "LeftFoot")])
    def test_the_side_of_a_foot_is_that_of_its_name(self, names):
        assert foot_names(replace(G1_29DOF, foot_bodies=names)) == ("right", "left")

    @pytest.mark.slow
    @pytest.mark.skipif(not gl_available(), reason="no OpenGL; drawings are faster")
    def test_a_frame_is_drawn_once(self, clips):
        """How long drawing takes is measured by benchmarks/widgets.py."""
        shown = FeetComparison(clips, G1_29DOF)

        def show(frame: int) -> list[bytes]:
            shown.player.frame.value = frame
            return [image.value for image in (*shown.images.values(), shown.curves)]

        first, second = show(5), show(6)
        assert all(before != after for before, after in zip(first, second, strict=True))
        drawn = [cached.cache_info().misses for cached in (shown._image, shown._curve_image)]
        assert show(5) == first and show(6) == second
        assert [cached.cache_info().misses for cached in (shown._image, shown._curve_image)] == drawn


@pytest.mark.skipif(not gl_available(), reason="no OpenGL; drawings do not depend on threads")
def test_different_threads_can_draw(walk):
    """In JupyterLab, a widget's callbacks run in another thread than the cell that made it."""
    images = []

    def draw():
        images.append(shared_renderer(G1_29DOF, 80, 60).frame(walk, 3))

    for _ in range(2):
        draw()
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join()
    assert len(images) == 4 and all((drawn == images[0]).all() for drawn in images)


class TestRefinement:
    def test_undoing_removes_the_last_edit(self):
        trim, hold = Edit("trim", (0.0, 1.0)), Edit("lock_feet")
        both = Refinement().with_edit(trim).with_edit(hold)
        assert both.edits == (trim, hold) and both.undone() == Refinement((trim,))
        assert Refinement().undone() == Refinement()
        assert str(both) == "trim 0 1, lock_feet" and str(Refinement()) == "no edits"

    def test_before_and_after_have_the_same_frames(self, walk, kinematics):
        cache = EditCache(walk, kinematics)
        done = Refinement((Edit("smooth", (6.0,)), Edit("loop", (0.2, 1.5)), Edit("mirror"), Edit("lock_feet")))
        before, after = cache.pair(done)
        assert before.num_frames == after.num_frames
        assert (before.joint_pos == kinematics.mirror(walk.trim(0.2, 1.5)).joint_pos).all()
        assert cache.motion(done.edits) is after, "computed once"
        assert cache.motion(()) is walk

    def test_an_overlay_is_blue_where_the_images_differ(self):
        before, after = np.full((4, 4, 3), 200, dtype=np.uint8), np.full((4, 4, 3), 200, dtype=np.uint8)
        before[1, 1] = 20
        laid = overlay(before, after)
        assert (laid[0, 0] == 200).all()
        assert laid[1, 1, 2] > laid[1, 1, 0] + 50


class TestMotionRefiner:
    def test_a_file_is_read_with_the_robot_named(self, walk, tmp_path):
        """With y up, the clip would be refined where it lies."""
        turn = np.array([-np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
        place = walk.root_pos[:, [0, 2, 1]] * np.array([1, 1, -1])
        write_gmr(tmp_path / "m.pkl", replace(walk, root_pos=place, root_quat=multiply(turn, walk.root_quat)))
        with pytest.raises(InputError, match="its world has y up"):
            MotionRefiner(tmp_path / "m.pkl", G1_29DOF, gl=False)

    def test_locking_the_feet_changes_image_curves_and_numbers(self, refiner):
        before, after = (image(shown) for shown in refiner.images)
        assert (before == after).all() and "no edits" in refiner.text.value
        curves = image(refiner.curves)
        refiner.player.frame.value = 55
        refiner.buttons["lock_feet"].click()
        before, after = (image(shown) for shown in refiner.images)
        assert (before != after).any() and (image(refiner.curves) != curves).any()
        assert "g1_walk.pkl: lock_feet" in refiner.text.value
        assert "slip of the sole in stance, m/s" in refiner.text.value
        assert refiner.player.frame.value == 55

    @pytest.mark.slow
    def test_every_button_applies_its_edit_and_undo_removes_it(self, refiner):
        names = ("trim", "loop", "smooth", "mirror", "ground", "lock_feet")
        for name in names:
            if name == "trim":
                refiner.range.value = (0.0, 2.0)
            if name == "loop":
                refiner.find_button.click()
            refiner.buttons[name].click()
            assert refiner.refinement.edits[-1].name == name
        assert [edit.name for edit in refiner.refinement.edits] == list(names)
        seam = refiner.refinement.edits[1].values
        assert seam[1] - seam[0] == pytest.approx(1.27, abs=0.1), "one cycle in the two seconds"
        for count in range(len(names) - 1, -1, -1):
            refiner.undo_button.click()
            assert len(refiner.refinement.edits) == count
        refiner.undo_button.click()
        assert refiner.refinement == Refinement() and refiner.player.frame.max == 152

    @pytest.mark.slow
    def test_trimming_adjusts_the_sliders(self, refiner):
        refiner.player.frame.value = 140
        refiner.range.value = (1.0, 2.0)
        refiner.buttons["trim"].click()
        assert refiner.player.frame.max == refiner.player.play.max == 30
        assert refiner.player.frame.value <= 30 and refiner.range.value == pytest.approx((0.0, 1.0))
        refiner.reset_button.click()
        assert refiner.player.frame.max == 152 and refiner.range.value[1] == pytest.approx(152 / 30)

    def test_an_edit_that_does_not_fit_is_reported_and_changes_nothing(self, refiner):
        refiner.buttons["mirror"].click()
        refiner.apply("smooth", 20.0)
        assert "not applied:" in refiner.text.value and "cutoff 20.0 Hz" in refiner.text.value
        assert [edit.name for edit in refiner.refinement.edits] == ["mirror"]
        refiner.buttons["ground"].click()
        assert "not applied" not in refiner.text.value

    def test_an_edit_that_leaves_the_clip_as_it_is_is_not_kept(self, refiner):
        refiner.buttons["trim"].click()
        assert "not applied:" in refiner.text.value and "leaves the clip as it is" in refiner.text.value
        assert refiner.refinement == Refinement()

    def test_the_feet_are_seen_first_and_find_loop_says_what_it_found(self, refiner):
        assert refiner.camera.value == "feet"
        refiner.find_button.click()
        assert "found: the whole clip is the best cycle" in refiner.text.value
        refiner.apply("trim", 0.0, 2.0)
        refiner.find_button.click()
        start, end = refiner.range.value
        assert end - start == pytest.approx(1.27, abs=0.1)
        assert f"found: the best cycle lasts from {start:.2f} to {end:.2f} s" in refiner.text.value

    def test_saving_says_that_it_made_a_folder(self, refiner, tmp_path):
        refiner.output.value = str(tmp_path / "mine" / "new.pkl")
        refiner.buttons["mirror"].click()
        refiner.save_button.click()
        assert f"in the new folder {tmp_path / 'mine'}," in refiner.text.value
        refiner.save_button.click()
        assert "saved as" in refiner.text.value and "new folder" not in refiner.text.value

    def test_amp_debug_also_raises_what_is_reported(self, refiner, monkeypatch):
        monkeypatch.setenv("AMP_DEBUG", "1")
        with pytest.raises(InputError, match=r"cutoff 20\.0 Hz"):
            refiner.apply("smooth", 20.0)
        assert "not applied:" in refiner.text.value

    def test_the_overlay_differs_from_the_plain_image(self, refiner):
        refiner.buttons["smooth"].click()
        refiner.player.frame.value = 40
        plain = image(refiner.images[1])
        refiner.view.value = "overlay"
        laid = image(refiner.images[1])
        assert (plain != laid).any()
        refiner.view.value = "side by side"
        assert (image(refiner.images[1]) == plain).all()

    def test_saving_writes_a_new_file_with_its_history_and_never_the_source(self, refiner, walk_file, tmp_path):
        refiner.save_button.click()
        assert "not saved:" in refiner.text.value and not os.listdir(tmp_path)
        refiner.buttons["lock_feet"].click()
        refiner.save_button.click()
        saved = read_motion(tmp_path / "new.pkl")
        assert (saved.joint_pos == refiner.cache.motion(refiner.refinement.edits).joint_pos).all()
        assert read_history(tmp_path / "new.pkl")[-1] == "lock_feet"
        assert "saved as" in refiner.text.value
        before = walk_file.read_bytes()
        refiner.output.value = str(walk_file)
        refiner.save_button.click()
        assert "never overwritten" in refiner.text.value and walk_file.read_bytes() == before

    @pytest.mark.slow
    def test_controls_are_labeled_and_sizes_are_fixed(self, refiner):
        controls = (refiner.range, refiner.cutoff, refiner.output, refiner.camera, refiner.view, refiner.player.frame)
        assert all(control.description for control in controls)
        buttons = [
            *refiner.buttons.values(),
            refiner.find_button,
            refiner.undo_button,
            refiner.reset_button,
            refiner.save_button,
        ]
        assert all(button.description and button.tooltip for button in buttons)
        assert all(room(part).endswith("px") for part in (*refiner.images, refiner.curves, refiner.text))

    def test_exceptions_of_callbacks_are_shown(self, refiner):
        refiner.cache = None
        with pytest.raises(AttributeError):  # in a kernel, the Output widget catches and shows it
            refiner.guarded(refiner.undo)(None)
