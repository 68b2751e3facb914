"""Foreign tasks are judged with their robot, or a named check says what to change; the remedies work."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.amp_state.asset import name_robot
from amp_helpers.checks.registry import TASK_CHECKS, run_checks
from amp_helpers.checks.task_facts import TaskFacts
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.errors import InputError
from amp_helpers.motion.rotations import multiply
from amp_helpers.robots.robot import G1_23DOF

JOINTS = G1_23DOF.joint_names


@pytest.fixture(scope="module")
def walk(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]


@pytest.fixture
def facts(walk) -> TaskFacts:
    """A task without findings."""
    return TaskFacts(
        clips=[walk],
        judged=JOINTS,
        robot="robot",
        articulations={"robot": JOINTS, "arm": ("lift", "grip")},
        start_gravity=np.array([0.0, 0.0, -1.0]),
        start_rotation=(0.0, 0.0, 0.0, 1.0),
        start_height_m=0.8,
        clearance_m=0.02,
        driven=frozenset(JOINTS),
        with_actuator=frozenset(JOINTS),
        velocity_commands=["pace"],
        other_commands={},
        has_reference_event=False,
        called_reference="",
    )


def found(facts: TaskFacts) -> dict:
    return {check.name: check for check in run_checks(TASK_CHECKS, facts) if check.verdict != "ok"}


def test_a_task_with_names_of_its_own_is_sound(facts):
    assert found(facts) == {}
    assert found(replace(facts, driven=None)) == {}, "not known"


def test_another_articulation_has_the_joints(facts):
    wrong = found(replace(facts, robot="arm"))["robot asset"]
    assert wrong.verdict == "fail" and wrong.remedy == "name the robot with --asset robot."
    assert "'arm' has 0 of the dataset's 23 joints, 'robot' has 23" in wrong.evidence


def test_a_robot_on_its_head(facts):
    upside_down = replace(facts, start_gravity=np.array([0.0, 0.0, 1.0]))
    old = found(replace(upside_down, start_rotation=(1.0, 0.0, 0.0, 0.0)))["upright start"]
    assert old.verdict == "fail" and "set it to (0, 0, 0, 1)." in old.remedy and "+1.00" in old.evidence
    other = found(upside_down)["upright start"]
    assert "or the event that resets the root" in other.remedy and other.values["angle_deg"] > 150


def test_a_clip_that_lies_down_may_start_lying(facts, walk):
    """Getting up starts on the back; only an orientation that no frame has is a fault."""
    back = np.array([0.0, -np.sqrt(0.5), 0.0, np.sqrt(0.5)])
    lying = replace(walk, root_quat=multiply(walk.root_quat, np.tile(back, (walk.num_frames, 1))))
    start = replace(facts, start_gravity=np.array([-1.0, 0.0, 0.0]))
    assert found(start)["upright start"].verdict == "fail"
    assert found(replace(start, clips=[facts.clips[0], lying])) == {}


def test_a_start_in_the_ground_or_far_above_it(facts):
    sunk = found(replace(facts, start_height_m=0.3, clearance_m=-0.478))["start height"]
    assert sunk.verdict == "fail" and "is -47.8 cm from the ground" in sunk.evidence
    assert "set z of init_state.pos to 0.778 (it is 0.3)" in sunk.remedy and sunk.values["clearance_m"] == -0.478
    assert found(replace(facts, clearance_m=0.4))["start height"].verdict == "warn"
    assert found(replace(facts, clearance_m=0.1)) == {}, "a drop that is usual"
    assert found(replace(facts, clearance_m=None)) == {}, "not known"
    head = replace(facts, start_gravity=np.array([0.0, 0.0, 1.0]), clearance_m=-0.5)
    assert set(found(head)) == {"upright start"}, "one cause, one finding"


def test_joints_that_nobody_drives(facts):
    legs = [name for name in JOINTS if any(part in name for part in ("hip", "knee", "ankle"))]
    idle = found(replace(facts, driven=frozenset(legs)))["driven joints"]
    assert idle.verdict == "warn" and "drive 12 of the 23 joints that are judged" in idle.evidence
    named = idle.remedy.partition("--drop_joints still ")[2].partition(",")[0].split()
    assert found(replace(facts, driven=frozenset(legs), judged=[n for n in JOINTS if n not in named])) == {}, "remedy"


def test_joints_that_have_no_motor(facts):
    """Whether an action drives them or not; a joint that nobody judges and drives needs none."""
    knees = frozenset(name for name in JOINTS if "knee" in name)
    limp = replace(facts, with_actuator=frozenset(JOINTS) - knees)
    for driven in (facts.driven, None, frozenset(JOINTS) - knees):
        motors = found(replace(limp, driven=driven))["actuators"]
        assert motors.verdict == "fail" and "21 of the 23" in motors.evidence
        assert "nothing moves left_knee_joint, right_knee_joint" in motors.evidence
    assert "joint_names_expr of an actuator of 'robot'" in motors.remedy
    left_out = [name for name in JOINTS if name not in knees]
    assert found(replace(limp, driven=frozenset(left_out), judged=left_out)) == {}, "the other remedy"


def test_commands_that_evaluation_leaves_alone(facts):
    goal = found(replace(facts, velocity_commands=[], other_commands={"goal": "UniformPose2dCommandCfg"}))
    assert "drawn at random while measuring: 'goal' (UniformPose2dCommandCfg)" in goal["velocity command"].evidence


def test_an_event_that_only_has_the_name(facts):
    event = found(replace(facts, called_reference="reset_scene_to_default"))["reference states"]
    assert event.verdict == "warn" and "add an event with func=amp_helpers.env.mdp.reset_robot" in event.remedy
    assert found(replace(facts, called_reference="reset_scene_to_default", has_reference_event=True)) == {}


def test_which_articulation_is_the_robot():
    cfg = G1AmpEnvCfg()
    assert name_robot(cfg) == "robot"
    cfg.scene.humanoid, cfg.scene.robot = cfg.scene.robot, None
    assert name_robot(cfg) == "humanoid", "the only one"
    cfg.scene.arm = cfg.scene.humanoid
    with pytest.raises(
        InputError, match="'T' has no articulation 'robot'; name yours with --asset; its articulations: "
    ):
        name_robot(cfg, None, "T")
    assert name_robot(cfg, "arm") == "arm", "the remedy"
    with pytest.raises(
        InputError, match=r"no articulation 'humanoids' \(do you mean 'humanoid'\?\); its articulations"
    ):
        name_robot(cfg, "humanoids")
