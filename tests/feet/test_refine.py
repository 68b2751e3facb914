"""Refining clips: soles, stance, foot locking, closed loops, edits, and refined files."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from amp_helpers import refine as command
from amp_helpers.errors import InputError, sha256
from amp_helpers.feet.edits import (
    EDITS,
    Edit,
    apply_edits,
    default_robot,
    joint_change,
    refine_file,
    save_refined,
)
from amp_helpers.feet.lock import find_stance, ground, lock_feet
from amp_helpers.feet.report import feet_report
from amp_helpers.formats.gmr import read_history, write_gmr
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.cycle import as_cycle, close_loop, find_seam, is_cycle
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF, Robot
from amp_helpers.robots.soles import slip, soles


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics(G1_29DOF)


@pytest.fixture(scope="module")
def walk_file(repo_root):
    return repo_root / "datasets" / "g1_walk.pkl"


@pytest.fixture(scope="module")
def walk(walk_file):
    return read_motion(walk_file)


@pytest.fixture(scope="module")
def locked(walk, kinematics):
    return lock_feet(walk, kinematics)


def standing(frames: int = 30) -> Motion:
    """A clip of a standing robot with level soles."""
    pose = np.zeros(G1_29DOF.num_joints)
    for side in ("left", "right"):
        for part, angle in (("hip_pitch", -0.2), ("knee", 0.4), ("ankle_pitch", -0.2)):
            pose[G1_29DOF.joint_names.index(f"{side}_{part}_joint")] = angle
    return Motion(
        fps=50.0,
        joint_names=G1_29DOF.joint_names,
        joint_pos=np.tile(pose, (frames, 1)),
        root_pos=np.tile([0.0, 0.0, 0.78], (frames, 1)),
        root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1)),
    )


def two_legs(file, shape: str) -> Kinematics:
    """A trunk on two legs, each with a hip, an ankle and a foot of the given shape."""
    leg = (
        '<body name="{0}" pos="0 {1} 0"><joint name="{0}_hip_joint" axis="0 1 0" range="-60 60"/>'
        '<geom type="capsule" fromto="0 0 0 0 0 -0.4" size="0.03" contype="0" conaffinity="0"/>'
        '<body name="{0}_foot" pos="0 0 -0.45"><joint name="{0}_ankle_joint" axis="0 1 0" range="-60 60"/>'
        f"<geom {shape} mass='1'/></body></body>"
    )
    file.write_text(
        '<mujoco><worldbody><body name="trunk" pos="0 0 1"><freejoint/><geom type="box" size=".1 .1 .1" mass="5"/>'
        + leg.format("left", 0.1)
        + leg.format("right", -0.1)
        + "</body></worldbody></mujoco>"
    )
    return Kinematics(Robot.from_file(file, foot_bodies=("left_foot", "right_foot")))


class TestSoles:
    def test_heights_agree_with_the_kinematics_of_the_shapes(self, walk, kinematics):
        position, rotation = kinematics.foot_positions(walk), kinematics.foot_rotations(walk)
        heights = [sole.height(position[:, i], rotation[:, i]) for i, sole in enumerate(soles(kinematics))]
        assert np.abs(np.stack(heights, axis=1) - kinematics.sole_heights(walk)).max() < 1e-9

    def test_a_g1_sole_is_flat_when_its_link_is_level(self, kinematics):
        for sole in soles(kinematics):
            assert sole.up == pytest.approx([0, 0, 1], abs=1e-3) and sole.flat

    @pytest.mark.parametrize(
        ("shape", "tilt", "flat"),
        [
            ('type="box" size="0.1 0.04 0.02" pos="0.03 0 -0.06"', 0.0, True),
            ('type="box" size="0.1 0.04 0.02" pos="0.03 0 -0.06" euler="0 10 0"', 10.0, True),
            ('type="cylinder" size="0.05 0.02" pos="0 0 -0.06"', 0.0, True),
            ('type="ellipsoid" size="0.09 0.05 0.04" pos="0 0 -0.05"', 0.0, False),
            ('type="sphere" size="0.04"', 0.0, False),
            ('type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2"', 0.0, False),
        ],
    )
    def test_every_shape_has_a_sole(self, tmp_path, shape, tilt, flat):
        kinematics = two_legs(tmp_path / "legs.xml", shape)
        sole = soles(kinematics)[0]
        expected = Rotation.from_euler("y", tilt, degrees=True).apply([0, 0, 1])
        assert sole.up == pytest.approx(expected, abs=0.04) and sole.flat == flat
        clip = Motion(
            fps=50.0,
            joint_names=kinematics.robot.joint_names,
            joint_pos=np.linspace(-0.3, 0.3, 8)[:, None] * np.ones(4),
            root_pos=np.tile([0.0, 0.0, 0.6], (8, 1)),
            root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (8, 1)),
        )
        position, rotation = kinematics.foot_positions(clip)[:, 0], kinematics.foot_rotations(clip)[:, 0]
        # Points sampled on a round shape lie slightly inside it.
        assert np.abs(sole.height(position, rotation) - kinematics.sole_heights(clip)[:, 0]).max() < 1e-3

    def test_a_rolling_sole_does_not_slip_and_a_pushed_one_does(self, kinematics):
        sole = soles(kinematics)[0]
        pitch = Rotation.from_rotvec(np.linspace(0.2, 0.8, 31)[:, None] * [0, 1, 0]).as_matrix()
        toe = sole.lowest(pitch[0])
        rolling = -(pitch @ toe)  # the same point of the toe stays at the origin
        assert slip(sole, rolling, pitch, 0.02).max() < 0.02
        pushed = rolling + np.linspace(0, 0.3, 31)[:, None] * [1, 0, 0]
        assert slip(sole, pushed, pitch, 0.02) == pytest.approx(np.full(31, 0.5), abs=0.02)


class TestStance:
    def test_a_walk_has_double_support_and_a_run_has_flight(self, walk, kinematics, repo_root):
        feet = find_stance(walk, kinematics)
        assert feet.stance.any(axis=1).all(), "a foot always stands"
        assert 0.05 < feet.stance.all(axis=1).mean() < 0.5, "both feet during double support"
        run = find_stance(read_motion(repo_root / "datasets" / "g1_run.pkl"), kinematics)
        assert not run.stance.all(axis=1).any()
        assert 0.1 < (~run.stance.any(axis=1)).mean() < 0.5

    def test_the_ground_is_found_at_any_height(self, walk, kinematics):
        low = find_stance(walk, kinematics)
        lifted = replace(walk, root_pos=walk.root_pos + np.array([0, 0, 0.37]))
        high = find_stance(lifted, kinematics)
        assert (high.stance == low.stance).all()
        assert high.ground - low.ground == pytest.approx(0.37, abs=1e-6)
        grounded = ground(lifted, kinematics)
        assert find_stance(grounded, kinematics).ground == pytest.approx(0, abs=1e-6)
        assert np.ptp(lifted.root_pos - grounded.root_pos, axis=0) == pytest.approx([0, 0, 0], abs=1e-12)

    def test_a_foot_that_floats_throughout_the_clip_has_stances(self, kinematics):
        joint = G1_29DOF.joint_names.index("left_knee_joint")
        clip = standing()
        bent = clip.joint_pos.copy()
        bent[:, joint] += 0.25
        bent[:, joint + 1] -= 0.15
        feet = find_stance(replace(clip, joint_pos=bent), kinematics)
        assert 0.005 < abs(feet.sole_height[0, 0] - feet.sole_height[0, 1]) < 0.04
        assert feet.stance.all()

    def test_a_single_frame_is_rejected(self, kinematics):
        with pytest.raises(InputError, match="one frame"):
            find_stance(standing(1), kinematics)


class TestFootLocking:
    def test_feet_in_stance_neither_slip_nor_penetrate(self, walk, locked, kinematics):
        before, after = feet_report(walk, kinematics), feet_report(locked, kinematics)
        assert before.slip_mps > 0.05 and after.slip_mps < 0.01
        assert before.penetration_max_m > 0.005 and after.penetration_max_m < 5e-4
        assert after.float_mean_m < 1e-3
        assert after.skate_mps < 0.5 * before.skate_mps

    def test_the_rest_of_the_clip_is_unchanged(self, walk, locked):
        assert joint_change(walk, locked) < 0.03
        legs = [any(part in name for part in ("hip", "knee", "ankle")) for name in walk.joint_names]
        assert np.abs(locked.joint_pos - walk.joint_pos)[:, ~np.array(legs)].max() < 1e-4
        assert np.abs(locked.root_pos - walk.root_pos).max() < 0.03
        assert locked.fps == walk.fps and locked.sha256 == walk.sha256

    def test_joints_stay_within_their_limits_and_as_smooth_as_before(self, walk, locked):
        low, high = G1_29DOF.joint_limits().T
        assert (locked.joint_pos >= low - 1e-5).all() and (locked.joint_pos <= high + 1e-5).all()

        def jolt(clip):
            return np.percentile(np.abs(np.diff(clip.joint_pos, n=2, axis=0)), 99.9)

        assert jolt(locked) < 1.2 * jolt(walk)

    def test_a_cycle_stays_a_cycle(self, walk, locked, kinematics):
        assert is_cycle(walk) and is_cycle(locked)
        assert feet_report(locked.loop(2), kinematics).slip_mps < 0.01, "no slip across the seam"

    def test_sliding_is_removed_from_a_standing_robot(self, kinematics):
        clip = ground(standing(), kinematics)
        sway = 0.01 * np.sin(np.linspace(0, 2 * np.pi, clip.num_frames))
        sliding = replace(clip, root_pos=clip.root_pos + sway[:, None] * [1, 0, 0])
        held = kinematics.foot_positions(lock_feet(sliding, kinematics))
        assert np.ptp(kinematics.foot_positions(sliding)[:, 0, 0]) > 0.015
        assert np.ptp(held, axis=0).max() < 1e-3

    def test_a_tilted_sole_becomes_flat(self, kinematics):
        clip = standing()
        joints = clip.joint_pos.copy()
        joints[:, G1_29DOF.joint_names.index("left_ankle_roll_joint")] = 0.05
        tilted = replace(clip, joint_pos=joints)
        up = kinematics.foot_rotations(lock_feet(tilted, kinematics))[:, 0, 2, 2]
        assert kinematics.foot_rotations(tilted)[:, 0, 2, 2].max() < np.cos(0.04)
        assert up.min() > np.cos(0.015)

    def test_a_ball_foot_is_locked_at_its_ball(self, tmp_path):
        kinematics = two_legs(tmp_path / "legs.xml", 'type="capsule" size="0.02" fromto="0 0 0 0 0 -0.2"')
        bend = 0.3 + 0.02 * np.sin(np.linspace(0, 6, 40))
        clip = Motion(
            fps=50.0,
            joint_names=kinematics.robot.joint_names,
            joint_pos=np.stack([bend, -2 * bend, bend, -2 * bend], axis=1),
            root_pos=np.tile([0.0, 0.0, 0.6], (40, 1)),
            root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (40, 1)),
        )
        held = lock_feet(clip, kinematics)
        before, after = feet_report(clip, kinematics), feet_report(held, kinematics)
        assert after.slip_mps < 0.25 * before.slip_mps and after.penetration_max_m < 1e-3
        assert np.ptp(held.joint_pos[:, 1]) > 0.01, "the link above may rotate"

    def test_a_clip_without_stance_is_rejected(self, walk, kinematics):
        flying = replace(standing(60), root_pos=np.linspace([0, 0, 1], [6, 0, 9], 60))
        with pytest.raises(InputError, match="no foot stands"):
            lock_feet(flying, kinematics)

    def test_joints_missing_from_the_clip_stay_missing(self, walk, kinematics):
        fewer = walk.select([name for name in walk.joint_names if "wrist" not in name])
        assert lock_feet(fewer.trim(0, 1), kinematics).joint_names == fewer.joint_names

    def test_a_third_party_file(self, gmr_samples, kinematics):
        clip = read_motion(gmr_samples / "gmt_basic_walk_23dof.pkl", joint_names="gmt_23").trim(0, 5)
        held = lock_feet(clip, kinematics)
        before, after = feet_report(clip, kinematics), feet_report(held, kinematics)
        assert before.penetration_mean_m > 0.01 and after.penetration_mean_m < 5e-4
        assert after.slip_mps < 0.25 * before.slip_mps
        assert joint_change(clip, held) < 0.05


class TestLoops:
    def test_a_cycle_is_found_in_a_clip_of_several(self, walk):
        start, end = find_seam(walk.trim(0.2, 4.7))
        cycles = (end - start) / 1.2667
        assert cycles == pytest.approx(round(cycles), abs=0.03) and cycles > 0.9

    def test_a_long_clip_is_searched_in_steps(self, walk):
        start, end = find_seam(walk.loop(12).trim(0.2, 58.0))
        cycles = (end - start) / 1.2667
        assert cycles == pytest.approx(round(cycles), abs=0.03) and cycles > 40

    def test_a_closed_clip_repeats_without_a_jump(self, walk):
        noisy = replace(walk, joint_pos=walk.joint_pos + np.linspace(0, 0.1, walk.num_frames)[:, None])
        assert not is_cycle(noisy)
        closed = close_loop(noisy, 0.0, noisy.duration_s)
        assert is_cycle(closed) and closed.num_frames == noisy.num_frames
        twice = closed.loop(2)
        steps = np.abs(np.diff(twice.joint_pos, axis=0)).max(axis=1)
        assert steps[closed.num_frames - 1] <= np.percentile(steps, 99)

    def test_tilt_and_height_are_closed_and_heading_is_not(self, walk):
        turn = Rotation.from_rotvec(np.linspace(0, 1.0, walk.num_frames)[:, None] * [0, 0, 1])
        lean = Rotation.from_rotvec(np.linspace(0, 0.1, walk.num_frames)[:, None] * [1, 0, 0])
        quat = (turn * lean * Rotation.from_quat(walk.root_quat)).as_quat()
        clip = replace(walk, root_quat=quat, root_pos=walk.root_pos + np.linspace(0, 0.05, walk.num_frames)[:, None])
        closed = close_loop(clip, 0.0, clip.duration_s)
        assert not is_cycle(clip) and is_cycle(closed)
        first, last = Rotation.from_quat(closed.root_quat[[0, -1]])
        assert (last * first.inv()).magnitude() == pytest.approx(1.0, abs=0.05)

    def test_the_identity_edited_as_a_cycle_changes_nothing(self, walk):
        turn = Rotation.from_rotvec(walk.times[:, None] * [0, 0, 1])
        turning = replace(walk, root_quat=(turn * Rotation.from_quat(walk.root_quat)).as_quat())
        for clip in (walk, turning, walk.trim(0, 0.9)):
            same = as_cycle(lambda motion: motion, clip)
            assert np.allclose(same.root_pos, clip.root_pos) and np.allclose(same.joint_pos, clip.joint_pos)
            assert np.allclose(np.abs(np.sum(same.root_quat * clip.root_quat, axis=1)), 1)

    def test_smoothing_a_cycle_leaves_no_seam(self, walk, kinematics):
        smooth = apply_edits(walk, [Edit("smooth", (4.0,))], kinematics)

        def jolt_at_the_seam(clip):
            return np.abs(np.diff(clip.loop(2).joint_pos, n=2, axis=0)[clip.num_frames - 2]).max()

        assert is_cycle(smooth)
        assert jolt_at_the_seam(smooth) < 0.5 * jolt_at_the_seam(walk.smooth(4.0))

    def test_invalid_cycles_are_rejected(self, walk):
        with pytest.raises(InputError, match="too short to find a cycle"):
            find_seam(walk.trim(0, 0.2))
        with pytest.raises(InputError, match="both its start and its end"):
            close_loop(walk, 0.5)
        with pytest.raises(InputError, match="give a longer cycle"):
            close_loop(walk, 0.5, 0.55)


class TestEdits:
    def test_they_are_applied_in_order(self, walk, kinematics):
        edits = [Edit("trim", (0.5, 2.0)), Edit("mirror")]
        made = apply_edits(walk, edits, kinematics)
        expected = kinematics.mirror(walk.trim(0.5, 2.0))
        assert (made.joint_pos == expected.joint_pos).all() and (made.root_pos == expected.root_pos).all()
        assert apply_edits(walk, [], kinematics) is walk
        assert [str(edit) for edit in edits] == ["trim 0.5 2", "mirror"]

    def test_invalid_edits_are_rejected(self):
        with pytest.raises(InputError, match="available: trim, loop, smooth, mirror, ground, lock_feet"):
            Edit("polish")
        with pytest.raises(InputError, match="takes 0 or 2 number"):
            Edit("loop", (1.0,))

    def test_the_robot_is_the_smallest_that_fits(self, walk):
        assert default_robot(walk) is G1_29DOF
        assert default_robot(walk.select(G1_23DOF.joint_names)) is G1_23DOF
        with pytest.raises(InputError, match="fits none of g1_23dof, g1_29dof"):
            default_robot(replace(walk, joint_names=tuple(f"j{i}" for i in range(29))))

    def test_the_joint_change_between_clips_of_different_length_is_undefined(self, walk):
        assert np.isnan(joint_change(walk, walk.trim(0, 1)))
        assert joint_change(walk, walk) == 0


class TestFiles:
    def test_a_new_file_records_its_history_and_the_source_is_unchanged(self, walk_file, kinematics, tmp_path):
        digest = sha256(walk_file)
        first, second = tmp_path / "first.pkl", tmp_path / "second.pkl"
        refine_file(walk_file, first, [Edit("trim", (0.0, 1.0))])
        refine_file(first, second, [Edit("mirror")])
        assert sha256(walk_file) == digest
        lines = read_history(second)
        assert lines[0] == f"read g1_walk.pkl, SHA-256 {digest}" and lines[1] == "trim 0 1"
        assert lines[2] == f"read first.pkl, SHA-256 {sha256(first)}" and lines[3:] == ("mirror",)
        made, expected = read_motion(second), kinematics.mirror(read_motion(walk_file).trim(0, 1))
        assert np.abs(made.joint_pos - expected.joint_pos).max() < 1e-6 and made.joint_names == expected.joint_names
        assert read_history(walk_file) == ()

    def test_the_source_is_never_overwritten(self, walk_file, tmp_path):
        source = tmp_path / "clip.pkl"
        source.write_bytes(walk_file.read_bytes())
        (tmp_path / "link.pkl").symlink_to(source)
        for name in ("clip.pkl", "link.pkl"):
            with pytest.raises(InputError, match="is the source itself"):
                refine_file(source, tmp_path / name, [Edit("mirror")])
        assert sha256(source) == sha256(walk_file)
        with pytest.raises(InputError, match=r"ends in \.pkl"):
            save_refined(tmp_path / "clip.npz", read_motion(source), source, [Edit("mirror")])

    def test_the_command_line(self, walk_file, tmp_path, capsys):
        output = tmp_path / "new.pkl"
        command.main([str(walk_file), "--output", str(output), "--trim", "0", "1.2", "--smooth", "8", "--lock_feet"])
        said = capsys.readouterr().out
        assert "maximum penetration, mm" in said and "trim 0 1.2, smooth 8, lock_feet" in said
        assert read_history(output)[1:] == ("trim 0 1.2", "smooth 8", "lock_feet")
        assert read_motion(output).duration_s == pytest.approx(1.2, abs=0.02)

    def test_the_command_line_warns_of_joints_that_the_clip_lacks(self, walk_file, tmp_path, capsys):
        walk = read_motion(walk_file)
        names = [name for name in walk.joint_names if name != "right_ankle_pitch_joint"]
        for kept, warned in ((names, True), (walk.joint_names, False)):
            write_gmr(tmp_path / "m.pkl", walk.select(kept))
            arguments = [
                str(tmp_path / "m.pkl"),
                "--output",
                str(tmp_path / "n.pkl"),
                "--ground",
                "--robot",
                "g1_29dof",
            ]
            command.main(arguments)
            said = capsys.readouterr().err
            assert ("lacks joints of g1_29dof" in said) == warned and ("right_ankle_pitch_joint" in said) == warned

    def test_the_command_line_rejects_invalid_edits(self, walk_file, tmp_path):
        with pytest.raises(InputError, match="no edit is given; name at least one of trim, loop"):
            command.main([str(walk_file), "--output", str(tmp_path / "new.pkl")])
        with pytest.raises(InputError, match="takes 2 number"):
            command.main([str(walk_file), "--output", str(tmp_path / "new.pkl"), "--trim", "1"])
        assert not list(tmp_path.iterdir())

    def test_a_file_without_history_has_none(self, walk, tmp_path):
        write_gmr(tmp_path / "plain.pkl", walk)
        assert read_history(tmp_path / "plain.pkl") == ()

    def test_every_edit_has_an_option(self, walk_file, tmp_path, capsys):
        with pytest.raises(SystemExit):
            command.main(["--help"])
        said = capsys.readouterr().out
        assert all(f"--{name}" in said for name in EDITS)
