"""Each silent mistake, made in the demo walk, is found by its check; tables, datasets, runs and the command."""

import json
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from amp_helpers.agent.health import Health
from amp_helpers.check import main
from amp_helpers.checks.checked_motion import FALL_MPS2, CheckedMotion
from amp_helpers.checks.files import check_dataset_file
from amp_helpers.checks.preflight import check_dataset, check_motion, check_run
from amp_helpers.checks.registry import CHECKS, Check, run_checks
from amp_helpers.checks.table import CheckResult, CheckTable, fail, format_table, ok, warn
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, run_cli
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.findings import ByOrder, Findings, FrameRate, QuaternionOrderFinding
from amp_helpers.motion.rotations import multiply
from amp_helpers.robots.kinematics import Kinematics
from amp_helpers.robots.robot import G1_23DOF, G1_29DOF


@pytest.fixture(scope="module")
def walk(repo_root):
    return read_motion(repo_root / "datasets" / "g1_walk.pkl").select(G1_23DOF.joint_names)


def result(motion, name: str, robot=G1_23DOF) -> CheckResult:
    return {check.name: check for check in check_motion(motion, robot)}[name]


def changed(walk, frames=slice(None), joint=slice(None), add=0.0, scale=1.0):
    values = walk.joint_pos.copy()
    column = walk.joint_names.index(joint) if isinstance(joint, str) else joint
    values[frames, column] = values[frames, column] * scale + add
    return replace(walk, joint_pos=values)


def test_the_demo_walk_has_no_failure(walk):
    table = check_motion(walk, G1_23DOF)
    assert table.verdict != "fail", str(table)
    assert [check.name for check in table if check.verdict == "warn"] in ([], ["foot skate"])
    assert all(check.evidence for check in table)
    assert all(bool(check.remedy) == (check.verdict != "ok") for check in table)


def test_missing_joints_fail_and_extra_ones_are_named(walk):
    found = result(walk, "joint set", G1_29DOF)
    assert found.verdict == "fail"
    assert "6 of 29" in found.evidence
    assert "waist_roll_joint" in found.evidence
    full = walk.select(G1_29DOF.joint_names, fill=G1_29DOF.default_pose())
    extra = result(full, "joint set")
    assert extra.verdict == "ok"
    assert "6 others are ignored" in extra.evidence


def test_another_robots_clip_is_not_blamed_for_the_one_still_joint_that_both_have(walk):
    names = tuple(name if name == "left_wrist_roll_joint" else f"their_{name}" for name in walk.joint_names)
    theirs = replace(walk, joint_names=names)
    assert result(theirs, "joint set").verdict == "fail" and result(theirs, "units").verdict == "ok"


def test_degrees(walk):
    found = result(changed(walk, scale=180 / np.pi), "units")
    assert found.verdict == "fail"
    assert "pi / 180" in found.remedy


def test_a_pelvis_on_its_side(walk):
    rolled = replace(walk, root_quat=multiply(walk.root_quat, np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])))
    found = result(rolled, "quaternion order")
    assert found.verdict == "fail"
    assert "--quaternion" in found.remedy
    half = np.radians(50)
    prone = replace(walk, root_quat=multiply(walk.root_quat, np.array([0, np.sin(half), 0, np.cos(half)])))
    found = result(prone, "quaternion order")
    assert found.verdict == "fail" and "no --quaternion order" in found.remedy


@pytest.mark.parametrize(("read", "columns"), [("xyzw", [1, 2, 3, 0]), ("wxyz", [3, 0, 1, 2])])
def test_the_remedy_for_a_quaternion_is_never_the_order_it_was_read_in(walk, read, columns):
    """A clip that lies on its side as read, and stands in the other order; and one whose file is wrong itself."""
    other = "wxyz" if read == "xyzw" else "xyzw"
    findings = Findings(quaternion=QuaternionOrderFinding(read, "user", pelvis_up=ByOrder(0.0, 0.0)))
    back = np.argsort(columns)
    mistaken = replace(walk, root_quat=walk.root_quat[:, back], findings=findings)
    found = result(mistaken, "quaternion order")
    assert found.verdict == "fail" and f"--quaternion {other}" in found.remedy
    assert result(replace(mistaken, root_quat=mistaken.root_quat[:, columns]), "quaternion order").verdict == "ok"
    broken = replace(walk, root_quat=walk.root_quat[:, columns], findings=findings)
    found = result(broken, "quaternion order")
    assert found.verdict == "fail" and f"--quaternion {read}" not in found.remedy


def test_an_assumed_quaternion_order_is_reported(walk):
    """Walking feet decide the order; standing feet do not."""
    findings = Findings(quaternion=QuaternionOrderFinding("xyzw", "convention", pelvis_up=ByOrder(1.0, 1.0)))
    assert result(replace(walk, findings=findings), "quaternion order").verdict == "ok"
    frames = walk.num_frames
    upright = np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1))
    still = replace(
        walk,
        joint_pos=np.tile(G1_23DOF.default_pose(), (frames, 1)),
        root_pos=np.tile(walk.root_pos[:1], (frames, 1)),
        root_quat=upright,
        findings=findings,
    )
    assert result(still, "quaternion order").verdict == "warn"


def test_an_implausible_frame_rate(walk):
    assert result(replace(walk, fps=1.0), "frame rate").verdict == "warn"
    assert result(walk.trim(0, 0.2), "frame rate").verdict == "warn"
    other = replace(walk, findings=Findings(frame_rate=FrameRate(walk.fps, "file", ignored=60.0)))
    assert result(other, "frame rate").verdict == "warn" and "not 60 as given" in result(other, "frame rate").evidence


def test_angles_beyond_the_limits_name_the_joint_and_frame(walk):
    found = result(changed(walk, 17, "left_knee_joint", add=2.9), "joint limits")
    assert found.verdict in ("warn", "fail")
    assert "frame 17: left_knee_joint" in found.evidence
    swapped = changed(walk, joint="left_knee_joint", add=-2.5)
    assert result(swapped, "joint limits").verdict == "fail"


def test_a_default_pose_already_subtracted(walk):
    found = result(replace(walk, joint_pos=walk.joint_pos - G1_23DOF.default_pose()), "default offset")
    assert found.verdict in ("warn", "fail")
    assert "add the default pose back" in found.remedy
    assert result(walk, "default offset").verdict == "ok"


def test_a_spike_in_one_joint(walk):
    found = result(changed(walk, 40, "right_elbow_joint", add=1.5), "joint speed")
    assert found.verdict == "fail"
    assert "right_elbow_joint" in found.evidence
    assert "between frames 39 and 40" in found.evidence or "between frames 40 and 41" in found.evidence


def test_a_jump_after_the_first_frame_states_where_to_cut(walk):
    root = walk.root_pos.copy()
    root[0] += (3, 0, 1)
    jumping = replace(walk, root_pos=root)
    found = result(jumping, "root jumps")
    assert found.verdict == "fail"
    assert "after frame 0" in found.evidence
    assert f"Motion.trim({1 / 30:.3f})" in found.remedy
    assert result(jumping.trim(1 / 30), "root jumps").verdict == "ok"


def test_a_jump_at_the_end_is_cut_before_it(walk):
    root = walk.root_pos.copy()
    root[-2:] += (0, 3, 0)
    jumping = replace(walk, root_pos=root)
    found = result(jumping, "root jumps")
    assert f"Motion.trim(0, {found.values['end_s']:.3f})" in found.remedy
    assert result(jumping.trim(0, found.values["end_s"]), "root jumps").verdict == "ok"


def test_standing_still_is_noticed(walk):
    still = replace(walk, joint_pos=np.tile(walk.joint_pos[:1], (walk.num_frames, 1)))
    found = result(still, "movement")
    assert found.verdict == "warn"
    assert "never moved: left_hip_pitch_joint" in found.evidence


def test_the_loop_seam_is_measured(walk):
    assert "can be looped" in result(walk, "loop seam").evidence
    seam = result(walk.trim(0, 0.9), "loop seam")
    assert "would jump" in seam.evidence
    assert seam.verdict == "ok"


@pytest.mark.parametrize(("lift", "verdict"), [(0.0, "ok"), (0.08, "warn"), (-0.08, "warn"), (0.4, "fail")])
def test_floating_and_sunken_clips(walk, lift, verdict):
    found = result(replace(walk, root_pos=walk.root_pos + np.array([0, 0, lift])), "ground height")
    assert found.verdict == verdict
    if lift:
        assert found.values["level_m"] == pytest.approx(lift, abs=0.01)
        assert f"z by {-found.values['level_m']:+.3f} m" in found.remedy


def test_sliding_feet(walk):
    """Steps on a root that does not travel: the standing foot slides backwards at walking speed."""
    treadmill = replace(walk, root_pos=walk.root_pos * (0, 1, 1))
    found = result(treadmill, "foot skate")
    assert found.verdict == "warn"
    assert "--drop_joints feet" in found.remedy
    assert found.values["slip_mps"] > 0.5


def test_clips_with_real_faults(gmr_samples):
    jump = read_motion(gmr_samples / "0807_yanjie_walk_004.pkl")
    found = result(jump, "root jumps")
    assert found.verdict == "fail"
    assert "3.21 m" in found.evidence
    assert result(jump.trim(found.values["start_s"]), "root jumps").verdict == "ok"
    wrong = read_motion(gmr_samples / "sub1_clothesstand_004.pkl", quaternion="wxyz")
    assert result(wrong, "quaternion order").verdict == "fail"


@pytest.fixture(scope="module")
def dataset(walk):
    return MotionDataset.from_motions([walk], joint_names=walk.joint_names, control_dt=0.02)


def by_name(table: CheckTable) -> dict[str, CheckResult]:
    assert len({check.name for check in table}) == len(table)
    return {check.name: check for check in table}


def test_a_dataset_that_fits_its_environment(dataset):
    pose = G1_23DOF.default_positions()
    table = by_name(check_dataset(dataset, G1_23DOF, G1_23DOF.joint_names, pose, 0.02))
    assert table["joint order"].verdict == table["default pose"].verdict == table["control step"].verdict == "ok"
    assert "30 fps" in table["control step"].evidence


def test_a_dataset_against_another_environment(dataset):
    names = G1_23DOF.joint_names
    table = by_name(check_dataset(dataset, G1_23DOF, names[::-1], dict.fromkeys(names, 0.0), 0.01))
    assert table["control step"].verdict == "fail"
    assert "--control_dt 0.01" in table["control step"].remedy
    assert table["default pose"].verdict == "warn"
    assert "left_knee_joint" in table["default pose"].evidence
    # Another order is normal and mapped by name; a missing joint is not.
    assert table["joint order"].verdict == "ok"
    assert "22 of 23" in table["joint order"].evidence
    lacking = by_name(check_dataset(dataset, G1_23DOF, names[1:], None, 0.02))
    assert lacking["joint order"].verdict == "fail"
    assert "left_hip_pitch_joint" in lacking["joint order"].evidence


def test_the_worst_of_several_motions_is_reported(walk):
    spiked = replace(changed(walk, 40, "right_elbow_joint", add=1.5), name="spiked.pkl")
    data = MotionDataset.from_motions([walk, spiked], joint_names=walk.joint_names, control_dt=0.02)
    table = check_dataset(data, G1_23DOF)
    assert table.verdict == "fail"
    assert by_name(table)["joint speed"].evidence.startswith("spiked.pkl: ")


def table_of(**verdicts: str) -> CheckTable:
    return CheckTable(CheckResult(name, verdict, "") for name, verdict in verdicts.items())


def test_results_worse_than_in_another_table():
    before, after = table_of(a="ok", b="warn", c="fail"), table_of(a="warn", b="fail", c="warn", d="ok")
    assert [result.name for result in after.worse_than(before)] == ["a", "b"]
    assert [result.name for result in after.worse_than(CheckTable())] == ["a", "b", "c"]


def test_tables_print_and_escape():
    table = CheckTable([CheckResult("a", "ok", "1 < 2"), CheckResult("b", "fail", "bad", "repair.")])
    assert format_table(table) == str(table)
    assert "-> repair." in str(table)
    assert "1 &lt; 2" in table._repr_html_()
    assert table.verdict == "fail"
    assert CheckTable().verdict == "ok" and CheckTable()._repr_html_() == ""


def test_findings_come_first_and_passed_checks_take_one_line():
    a, w = CheckResult("a", "ok", "well"), CheckResult("w", "warn", "odd", "look.")
    table = CheckTable([a, w, CheckResult("b", "fail", "bad", "repair.")])
    assert [result.name for result in table.findings] == ["b", "w"]
    lines = str(table).splitlines()
    assert [line[:4] for line in lines if not line.startswith(" ")] == ["fail", "warn", "ok  "]
    assert lines[-1] == "ok   a"
    assert "well" in format_table(table, evidence=True) and "well" not in str(table)
    page = table._repr_html_()
    assert page.index("bad") < page.index("odd") < page.index("<details>") < page.index("well")
    long = CheckTable([CheckResult("a", "warn", "number " * 60, "do " * 60)])
    assert max(map(len, str(long).splitlines())) <= 120


def test_checks_run_in_order_and_skip_what_does_not_apply():
    checks = (
        Check("first", "?", "fail", lambda subject: fail(f"{subject} is wrong", "correct it.", size_m=2.0)),
        Check("second", "?", "warn", lambda subject: None),
        Check("third", "?", "warn", lambda subject: warn("odd", "look."), unless_failed=("first",)),
        Check("fourth", "?", "warn", lambda subject: ok("fine"), unless_failed=("third",)),
    )
    table = run_checks(checks, "clip")
    assert [(result.name, result.verdict) for result in table] == [("first", "fail"), ("fourth", "ok")]
    assert table[0].values == {"size_m": 2.0} and table[0].evidence == "clip is wrong"


def test_the_command_exits_by_its_worst_finding(walk, dataset, tmp_path, capsys, monkeypatch):
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    dataset.save(good)
    assert main(["--dataset", str(good)]) == 0
    assert "0 failed" in capsys.readouterr().out
    spiked = changed(walk, 40, "right_elbow_joint", add=1.5)
    MotionDataset.from_motions([spiked], joint_names=walk.joint_names, control_dt=0.02).save(bad)
    assert main(["--dataset", str(bad)]) == 1
    assert "1 failed: joint speed" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["check"])
    assert run_cli(lambda: main(["--dataset", str(tmp_path / "absent.npz")])) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'absent.npz'}: no such file")
    with pytest.raises(InputError, match="g1_29dof"):
        check_dataset_file(good, robot="h1")


def test_without_a_robot_a_dataset_is_compared_with_the_built_in_one_that_its_joints_name(walk, tmp_path):
    hands = ("left_thumb_joint", "right_thumb_joint")
    full = walk.select(G1_29DOF.joint_names, fill=G1_29DOF.default_pose())
    with_hands = replace(
        full,
        joint_names=(*full.joint_names, *hands),
        joint_pos=np.hstack([full.joint_pos, np.zeros((full.num_frames, len(hands)))]),
    )
    noted = {}
    for clip in (walk, full, with_hands):
        file = tmp_path / f"{len(clip.joint_names)}.npz"
        MotionDataset.from_motions([clip], joint_names=clip.joint_names, control_dt=0.02).save(file)
        table = check_dataset_file(file)
        assert by_name(table)["joint set"].verdict == "ok"
        noted[len(clip.joint_names)] = table.note
    most = "the built-in robot with most of these joints"
    assert noted == {
        23: f"compared with g1_23dof, {most} (23 of 23); --robot names another",
        29: f"compared with g1_29dof, {most} (29 of 29); --robot names another",
        31: f"compared with g1_29dof, {most} (29 of 31); --robot names another",
    }
    assert check_dataset_file(tmp_path / "29.npz", robot="g1_29dof").note == ""


@pytest.fixture(scope="module")
def run(repo_root):
    return read_motion(repo_root / "datasets" / "g1_run.pkl").select(G1_23DOF.joint_names)


@pytest.mark.parametrize("times", [1.5, 2.0])
def test_a_run_at_too_high_a_frame_rate_falls_faster_than_gravity_allows(run, times):
    found = result(replace(run, fps=times * run.fps), "frame rate")
    assert found.verdict == "warn" and "m/s², and gravity gives 9.8" in found.evidence
    seems = float(found.evidence.split("played at ")[1].split()[0])
    assert seems == pytest.approx(times, rel=0.25)
    assert found.values["fall_mps2"] == pytest.approx(9.81 * seems**2, rel=0.1)
    hurried = MotionDataset.from_motions(
        [replace(run, fps=times * run.fps)], joint_names=run.joint_names, control_dt=0.02
    )
    of_dataset = by_name(check_dataset(hurried, G1_23DOF))
    assert of_dataset["frame rate"].verdict == "warn", "at the control rate too"


def test_sound_clips_fall_no_faster_than_gravity_allows(run, walk, repo_root):
    for clip in (run, walk, replace(walk, fps=2 * walk.fps)):
        assert result(clip, "frame rate").verdict == "ok", "a walk twice as fast is still a walk"
    for name in ("g1_locomotion", "g1_dance", "g1_run_refined"):
        dataset = MotionDataset.load(repo_root / "datasets" / f"{name}.npz")
        assert not any(CheckedMotion(clip, G1_23DOF).impossible_fall for clip in dataset.clips())


def test_a_flip_falls_with_its_center_of_mass_though_its_root_falls_faster(walk):
    """The root goes round the center of mass, which rises and falls as thrown."""
    times = np.arange(61) / 60
    turn = np.clip((times - 0.25) / 0.5, 0, 1) * 2 * np.pi
    still = np.tile(G1_23DOF.default_pose(), (61, 1))
    quat = np.stack([0 * turn, np.sin(turn / 2), 0 * turn, np.cos(turn / 2)], axis=1)
    thrown = replace(walk, fps=60.0, joint_pos=still, root_pos=np.zeros((61, 3)), root_quat=quat)
    kinematics = Kinematics(G1_23DOF)
    flight = np.clip(times - 0.25, 0, 0.5)
    height = 0.8 + 9.81 / 2 * flight * (0.5 - flight)
    centered = height - kinematics.centers_of_mass(thrown)[:, 2]
    flip = replace(thrown, root_pos=np.stack([0 * height, 0 * height, centered], axis=1))
    falls = -np.diff(flip.root_pos[:, 2], 2) * 60**2
    assert falls.max() > 1.2 * FALL_MPS2 and CheckedMotion(flip, G1_23DOF).impossible_fall is None
    np.testing.assert_allclose(kinematics.centers_of_mass(flip)[:, 2], height)


def test_a_fall_is_not_told_where_it_is_not_known(run):
    doubled = replace(run, fps=2 * run.fps)
    assert CheckedMotion(doubled, G1_23DOF).impossible_fall
    jumping = replace(doubled, root_pos=doubled.root_pos + np.where(np.arange(run.num_frames) < 5, 0, 3.0)[:, None])
    for clip, robot in (
        (doubled, replace(G1_23DOF, missing_meshes=("torso.STL",))),
        (jumping, G1_23DOF),
        (doubled.trim(0, 0.1), G1_23DOF),
        (replace(doubled, joint_pos=np.degrees(doubled.joint_pos)), G1_23DOF),
    ):
        assert CheckedMotion(clip, robot).impossible_fall is None


def test_a_dataset_of_an_unknown_robot_asks_for_it_in_one_sentence(walk, dataset, tmp_path, capsys):
    names = tuple(f"their_{name}" for name in walk.joint_names)
    file = tmp_path / "theirs.npz"
    MotionDataset.from_motions([replace(walk, joint_names=names)], joint_names=names, control_dt=0.02).save(file)
    assert main(["--dataset", str(file)]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "none of its 23 joints (their_left_hip_pitch_joint, their_left_hip_roll_joint, their_left_hip_yaw_joint, ...) "
        "is a joint of g1_23dof -> name the robot that the motion was made for with --robot" in shown
    )
    assert "note no robot is named, and no built-in one has any of these joints" in shown
    their_pose = dict.fromkeys(names, 0.1)
    in_their_task = by_name(check_dataset(MotionDataset.load(file), G1_23DOF, names, their_pose))
    assert "offset sign" not in in_their_task and "default pose" not in in_their_task, "nothing to compare with"


@pytest.mark.slow
def test_motion_files_are_checked_before_any_conversion(repo_root, tmp_path, capsys):
    assert main([str(repo_root / "datasets" / "g1_walk.pkl")]) == 0
    assert "ok   joint set" in capsys.readouterr().out
    assert main([str(repo_root / "datasets"), "--all"]) == 0
    shown = capsys.readouterr().out
    assert "g1_walk.pkl:" in shown and "g1_run.pkl:" in shown and "fastest joint" in shown
    with pytest.raises(InputError, match="nothing to check"):
        main([])
    with pytest.raises(InputError, match="--amp_group policy is a group of observations of a task; give --task ID too"):
        main(["--dataset", "datasets/g1_walk.npz", "--amp_group", "policy"])
    with pytest.raises(InputError, match="--feet: for motion files or a dataset, and none is named; name one"):
        main(["--run", "runs/a", "--feet", "left_foot"])
    with pytest.raises(InputError, match="--fps, --quaternion: for motion files, and none is named"):
        main(["--dataset", "datasets/g1_walk.npz", "--fps", "30", "--quaternion", "xyzw"])
    with pytest.raises(InputError, match="give --dataset"):
        main([str(repo_root / "datasets" / "g1_walk.pkl"), "--task", "Some-Task"])


@pytest.mark.slow
def test_known_faults_of_third_party_files_are_found(gmr_samples, capsys):
    assert main([str(gmr_samples), "--fps", "30"]) == 1
    shown = capsys.readouterr().out
    assert "3 failed: root jumps, joint set" in shown
    assert "3.21 m" in shown and "norms 0.97" in shown and "--repair first_jump" in shown


HEALTH = Health(
    update=0,
    policy_loss=0.0,
    value_loss=0.0,
    kl=0.01,
    discriminator_loss=0.4,
    gradient_penalty=0.1,
    expert_logit=0.6,
    policy_logit=-0.6,
    accuracy=0.8,
    style_reward=0.4,
    style_reward_limit=1.0,
    weighted_style=2.0,
    weighted_task=2.0,
    learning_rate=1e-3,
    action_std=0.5,
)


def run_folder(path, **changes):
    path.mkdir()
    lines = [json.dumps(asdict(replace(HEALTH, update=n, **changes)) | {"wall_s": n}) for n in range(30)]
    (path / "health.jsonl").write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("changes", "name", "verdict", "says"),
    [
        ({}, None, "ok", ""),
        ({"weighted_style": 99.0, "weighted_task": 1.0}, "reward shares", "warn", "lower style_weight"),
        ({"weighted_style": 0.05}, "reward shares", "warn", "raise style_weight"),
        ({"accuracy": 1.0, "style_reward": 0.0}, "discriminator", "fail", "gradient penalty"),
        ({"accuracy": 0.5, "style_reward": 0.9}, "discriminator", "warn", "look at the gait"),
    ],
)
def test_reward_shares_and_discriminator_of_a_run(tmp_path, capsys, changes, name, verdict, says):
    code = main(["--run", str(run_folder(tmp_path / "run", **changes))])
    shown = " ".join(capsys.readouterr().out.split())
    table = {check.name: check for check in check_run(tmp_path / "run")}
    assert set(table) == {"reward shares", "discriminator"}
    assert [check.name for check in table.values() if check.verdict != "ok"] == ([name] if name else [])
    assert code == (verdict == "fail")
    assert says in shown
    if name:
        assert table[name].verdict == verdict and "over 20 updates up to 29" in table[name].evidence


def test_a_run_without_an_update_is_rejected(tmp_path):
    with pytest.raises(InputError, match="has no update yet"):
        check_run(tmp_path)


def test_a_default_angle_of_the_wrong_sign_is_reported_by_joint(dataset):
    """The published recipe has this mistake: right shoulder pitch -0.35 for +0.35."""
    pose = G1_23DOF.default_positions()
    assert by_name(check_dataset(dataset, G1_23DOF, None, pose))["offset sign"].verdict == "ok"
    slipped = by_name(check_dataset(dataset, G1_23DOF, None, pose | {"right_shoulder_pitch_joint": -0.35}))
    assert slipped["offset sign"].verdict == "fail"
    assert "set right_shoulder_pitch_joint to +0.350" in slipped["offset sign"].remedy
    both = by_name(check_dataset(dataset, G1_23DOF, None, {k: -v if "knee" in k else v for k, v in pose.items()}))
    assert both["offset sign"].verdict == "warn" and "left_knee_joint" in both["offset sign"].evidence
    # Shoulder rolls do mirror with opposite signs.
    assert pose["left_shoulder_roll_joint"] == -pose["right_shoulder_roll_joint"]
    larger = by_name(check_dataset(dataset, G1_23DOF, None, {k: 2 * v for k, v in pose.items()}))
    assert larger["offset sign"].verdict == "ok" and larger["default pose"].verdict == "warn"


def test_columns_in_the_environments_order_are_reported(walk):
    """The names follow one order, the angles the simulator's; only the body shows it."""
    env_order = G1_23DOF.joint_names[::-1]
    columns = [G1_23DOF.joint_names.index(name) for name in env_order]
    data = MotionDataset.from_motions(
        [replace(walk, joint_pos=walk.joint_pos[:, columns])], joint_names=walk.joint_names, control_dt=0.02
    )
    found = by_name(check_dataset(data, G1_23DOF, env_order))["column order"]
    assert found.verdict == "fail" and "the environment's" in found.evidence


def test_ten_minutes_are_checked_in_seconds(walk):
    clip = walk.resample(0.02)
    clip = clip.loop(30_000 // (clip.num_frames - 1) + 1).trim(0, 29_999 * 0.02)
    assert clip.num_frames == 30_000
    check_motion(walk, G1_23DOF)  # loads the model
    started = time.process_time()
    table = check_motion(clip, G1_23DOF)
    assert time.process_time() - started < 4.0
    assert table.findings == []


def test_faults_late_in_a_long_clip_are_seen(walk):
    """A clip that is too long to check whole is sampled from start to end."""
    clip = walk.loop(60)
    root = clip.root_pos.copy()
    root[-clip.num_frames // 3 :, 2] -= 0.1
    table = {c.name: c for c in check_motion(replace(clip, root_pos=root), G1_23DOF, max_frames=3000)}
    assert table["foot penetration"].verdict == "warn"
    assert table["foot penetration"].values["frame"] >= 2 * clip.num_frames // 3 - 1
    assert "frames sampled" in table["foot skate"].evidence


def test_the_page_on_the_preflight_lists_every_check_and_the_measured_rate(repo_root):
    page = (repo_root / "docs" / "preflight.md").read_text()
    rows = [tuple(line.strip("| ").split(" | ")) for line in page.splitlines() if line.startswith("| ") and "?" in line]
    assert rows == [(check.name, check.question, check.severity) for check in CHECKS.values()]
    measured = json.loads((repo_root / "benchmarks" / "results" / "false_alarms.json").read_text())
    assert f"{measured['false_alarms']} false alarms in {measured['checks']}" in " ".join(page.split())
    assert measured["false_failures"] == 0 and len(measured["broken"]) == 30
    assert measured["ten_minutes"]["first_s"] < 2.0 and measured["two_thousand_clips"]["check_s"] < 20


def test_a_sole_without_its_mesh_is_no_reason_to_shift_the_clip(walk):
    lifted = replace(walk, root_pos=walk.root_pos + np.array([0, 0, 0.07]))
    assert "shift root_pos z" in result(lifted, "ground height").remedy
    bare = replace(G1_23DOF, missing_meshes=("foot.STL",), shapeless_feet=G1_23DOF.foot_bodies)
    assert "put the robot's meshes (foot.STL, ...) where" in result(lifted, "ground height", bare).remedy
    sunk = replace(walk, root_pos=walk.root_pos - np.array([0, 0, 0.07]) * (walk.times > walk.duration_s / 2)[:, None])
    slid = replace(walk, root_pos=walk.root_pos * (0.2, 1, 1))
    for clip, name in ((sunk, "foot penetration"), (slid, "foot skate")):
        assert "refine --lock_feet" in result(clip, name).remedy
        assert result(clip, name, bare).remedy.startswith("put the robot's meshes"), "refine would refuse it"
    undrawn = replace(G1_23DOF, missing_meshes=("pelvis.STL",))
    assert result(lifted, "ground height", undrawn) == result(lifted, "ground height"), "its soles are known"
