"""Each controller with a mistake makes that one mistake; notebook 06 asserts what it does to a robot."""

import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import facts, write

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.sensor_log import SensorLog, replay
from amp_helpers.lessons.deployment_mistakes import MISTAKES, NewestFirst, QuaternionOrder, evidence, walk_with
from amp_helpers.lessons.gravity_exercise import try_gravity
from amp_helpers.motion.rotations import from_euler, rotate_inverse
from amp_helpers.notebook.execute import read_notebook
from amp_helpers.plots import replay_differences
from amp_helpers.robots.robot import G1_23DOF

NAMES, COUNT = G1_23DOF.joint_names, len(G1_23DOF.joint_names)
TERMS = ("base_ang_vel", 3, 2), ("projected_gravity", 3, 2), ("velocity_commands", 3, 1), ("joint_pos_rel", COUNT, 2)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A G1 whose policy adds a small share of each observation to the default pose."""
    folder = tmp_path_factory.mktemp("bundle")
    pose = G1_23DOF.default_pose()
    per_joint = {"stiffness": 60.0, "damping": 4.0, "armature": 0.01, "effort_limit": 80.0, "action_scale": 1.0}
    content = facts(
        joint_names=list(NAMES),
        default_joint_pos=pose.tolist(),
        joint_limits=[[float(rest) - 0.01, float(rest) + 0.01] for rest in pose],
        observation=[dict(zip(("name", "size", "history"), term, strict=True)) for term in TERMS],
        **{name: [value] * COUNT for name, value in per_joint.items()},
    )
    inputs = sum(size * history for _, size, history in TERMS)
    weights = np.random.default_rng(1).normal(size=(inputs, COUNT)) * 1e-3
    return write(folder, content, 0.0, pose, weights)


@pytest.fixture(scope="module")
def log(bundle) -> SensorLog:
    """Sensors at random, and what the right controller makes of them."""
    random, steps = np.random.default_rng(0), 8
    tilts = from_euler(random.uniform(-0.5, 0.5, (steps, 3)))
    sensors = {
        "gyro": random.normal(size=(steps, 3)),
        "gravity": rotate_inverse(tilts, np.array([0.0, 0.0, -1.0])),
        "joint_pos": random.uniform(-0.5, 0.5, (steps, COUNT)),
        "joint_vel": random.normal(size=(steps, COUNT)),
        "command": np.tile([0.5, 0.0, 0.0], (steps, 1)),
        "heading": np.linspace(0.0, 1.0, steps),
    }
    empty = np.empty((steps, 0))
    log = SensorLog(sensors=sensors, observations=empty, actions=empty, targets=empty)
    replayed = replay(Controller(bundle), log)
    return replace(log, observations=replayed.observations, actions=replayed.actions, targets=replayed.targets)


@pytest.mark.parametrize(
    ("label", "seen"),
    [
        ("history newest first", {"base_ang_vel", "projected_gravity", "joint_pos_rel", "targets"}),
        ("history frame by frame", {name for name, _, _ in TERMS} | {"targets"}),
        ("joints in PhysX order", {"joint_pos_rel", "targets"}),
        ("targets without the default pose", {"targets"}),
        ("targets clipped at the joint limits", {"targets"}),
        ("joint positions not relative", {"joint_pos_rel", "targets"}),
        ("gains of another task", {"stiffness"}),
        ("quaternion wxyz read as xyzw", {"projected_gravity", "targets"}),
    ],
)
def test_each_mistake_shows_in_its_own_numbers(bundle, log, label, seen):
    found = evidence(MISTAKES[label](bundle), Controller(bundle), log)
    assert {name for name, value in found.numbers.items() if value > 1e-4} == seen
    assert found.telling[0] in seen and found.telling[1] > 1e-3


def test_without_a_mistake_the_replay_finds_nothing(bundle, log):
    right = Controller(bundle)
    found = evidence(right, right, log)
    assert max(found.numbers.values()) < 1e-6 and found.telling == ("none", 0.0)


def test_the_history_is_turned_round_within_each_term(bundle, log):
    wrong = replay(NewestFirst(bundle), log).observations[3].reshape(-1)
    right = log.observations[3]
    assert np.array_equal(wrong[:6], right[[3, 4, 5, 0, 1, 2]]) and np.array_equal(wrong[12:15], right[12:15])


def test_an_upright_root_seems_to_stand_on_its_head(bundle):
    controller = QuaternionOrder(bundle)
    still = {"gyro": np.zeros(3), "joint_pos": np.zeros(COUNT), "joint_vel": np.zeros(COUNT), "command": np.zeros(3)}
    controller.step(gravity=np.array([0.0, 0.0, -1.0]), heading=0.0, **still)
    assert controller.observed[6:9] == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)


def test_a_walk_says_when_it_falls(bundle):
    walked = walk_with(Controller(bundle), 0.5, 1.0)
    assert walked.motion.num_frames == 50 and np.isnan(walked.fall_s) and np.isnan(walked.speed_error_mps)
    fallen = walk_with(MISTAKES["joints in PhysX order"](bundle), 0.5, 3.0)
    assert 0.2 < fallen.fall_s < 3.0 and fallen.motion.num_frames == 150, "it goes on after the fall"


def test_the_figure_has_a_number_for_each_pair(bundle, log):
    right = Controller(bundle)
    figure = replay_differences({label: evidence(make(bundle), right, log) for label, make in MISTAKES.items()})
    assert len(figure.axes[0].texts) == len(MISTAKES) * (len(TERMS) + 2)


def gravity(w, x, y, z):
    return 2 * (w * y - x * z), -2 * (y * z + w * x), 2 * (x * x + y * y) - 1


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (lambda quat: gravity(*quat), "right"),
        (lambda quat: None, "not written yet"),
        (lambda quat: "down", "three numbers"),
        (lambda quat: -np.array(gravity(*quat)), "points up"),
        (lambda quat: gravity(quat[0], *(-value for value in quat[1:])), "in the world"),
        (lambda quat: gravity(quat[3], *quat[:3]), "read as xyzw"),
        (lambda quat: (0.0, 0.0, -1.0), "right is"),
    ],
)
def test_the_exercise_knows_right_answers_and_common_wrong_ones(answer, verdict):
    assert verdict in try_gravity(answer)


def test_the_folded_answer_of_the_notebook_is_right(repo_root):
    cells = read_notebook(repo_root / "notebooks" / "06_deploy_and_drive.ipynb").cells
    (answer,) = (cell.source for cell in cells if "<summary>Answer</summary>" in cell.source)
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", answer, re.DOTALL)[1], names)
    assert try_gravity(names["projected_gravity"]).startswith("right")
