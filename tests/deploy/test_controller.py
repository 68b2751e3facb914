"""The controller on a small bundle: history, holding, limits, heading, and wrong input in one sentence."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import STRIDE, facts, write

from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.observation import Heading, Sensors, heading_rate
from amp_helpers.errors import InputError

UPRIGHT = {
    "gyro": [0.1, 0.2, 0.3],
    "gravity": [0.0, 0.0, -9.81],
    "joint_pos": [0.3, 0.5],
    "joint_vel": [1.0, 2.0],
    "command": [0.5, 0.0, 0.2],
}


@pytest.fixture
def controller(tmp_path) -> Controller:
    return Controller(write(tmp_path, facts()))


def test_it_holds_the_default_pose_until_it_is_started_and_after_it_is_stopped(controller):
    assert controller.step(**UPRIGHT).tolist() == [0.1, 0.4]
    assert controller.observed[:3] == pytest.approx([0.1, 0.2, 0.3]), "to be looked at before the start"
    controller.start()
    assert controller.step(**UPRIGHT) == pytest.approx([0.3, 0.55], abs=1e-6), "the knee 0.1 rad beyond its limit"
    controller.stop()
    assert controller.step(**UPRIGHT).tolist() == [0.1, 0.4]


def test_the_first_frame_fills_the_history_and_the_oldest_is_first(controller):
    controller.start()
    controller.step(**UPRIGHT)
    expected = [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0, 0, -1, 0.5, 0, 0.2, 0.1, 0.2, 1, 2, 0, 0]
    assert controller.observed == pytest.approx(expected, abs=1e-6)
    controller.step(**UPRIGHT | {"gyro": [0.4, 0.5, 0.6]})
    assert controller.observed[:6] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert controller.observed[-2:] == pytest.approx([0.2, 0.2]), "the action, not limited, before scale and offset"
    controller.start()
    controller.step(**UPRIGHT)
    assert controller.observed == pytest.approx(expected, abs=1e-6), "started anew"


def test_commands_are_limited_to_what_was_trained(controller):
    controller.start()
    controller.step(**UPRIGHT | {"command": [3.0, 1.0, -2.0]})
    assert controller.observed[9:12].tolist() == [1.0, 0.0, -0.5]


def test_a_fast_robot_is_turned_as_much_as_it_was_trained(tmp_path):
    ranges = {"forward": [-2.0, 2.6], "left": [-0.2, 0.2], "turn": [-1.0, 1.0]}
    controller = Controller(write(tmp_path, facts(commands=ranges, max_lateral_acceleration=1.2)))
    controller.start()
    for asked, taken in (
        ([0.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
        ([1.2, 0.1, -1.0], [1.2, 0.1, -1.0]),
        ([2.6, 0.1, 1.0], [2.6, 0.1, 1.2 / 2.6]),
        ([9.0, 9.0, -9.0], [2.6, 0.2, -1.2 / 2.6]),
        ([-2.0, 0.0, 1.0], [-2.0, 0.0, 0.6]),
        ([2.6, 0.0, 0.3], [2.6, 0.0, 0.3]),
    ):
        controller.step(**UPRIGHT | {"command": asked})
        assert controller.observed[9:12] == pytest.approx(taken), asked


def test_the_turn_leads_back_to_the_heading_but_not_while_standing(tmp_path):
    content = facts()
    content["observation"][2] |= {"heading_gain": 1.0, "max_correction": 0.3}
    controller = Controller(write(tmp_path, content))
    controller.start()
    still = UPRIGHT | {"gyro": [0.0, 0.0, 0.5], "command": [0.5, 0.0, 0.0]}
    for _ in range(11):
        controller.step(**still)
    assert controller.observed[11] == pytest.approx(-0.1, abs=1e-6), "0.2 s at 0.5 rad/s"
    for _ in range(50):
        controller.step(**still)
    assert controller.observed[11] == pytest.approx(-0.3), "at most"
    controller.step(**still | {"command": [0.0, 0.0, 0.0]})
    assert controller.observed[11] == 0


CLOCK = {"name": "gait_clock", "size": 2, "history": 1, "stride": STRIDE}
LEGS = {"hip_joints": ["hip", "knee"], "knee_joints": ["knee", "hip"]}  # the small robot has one leg


def test_the_clock_starts_at_the_legs_and_runs_while_there_is_a_command(tmp_path):
    content = facts()
    content["observation"].append(CLOCK | LEGS)
    content["commands"] = {"forward": [0.0, 2.5], "turn": [-1.0, 1.0]}
    controller = Controller(write(tmp_path, content))

    def phase(forward: float, turn: float = 0.0) -> float:
        controller.step(**UPRIGHT | {"command": [forward, 0.0, turn]})
        sine, cosine = controller.observed[-2:]
        assert np.hypot(sine, cosine) == pytest.approx(1)
        return float(np.arctan2(sine, cosine) / (2 * np.pi) % 1)

    controller.start()
    apart, speed = 0.2, 1.0 * 1.1 / (2 * np.pi)
    at_the_legs = np.arctan2(-0.5 * apart - speed, apart - 0.5 * speed) / (2 * np.pi) % 1
    assert phase(1.0) == pytest.approx(at_the_legs)
    last = at_the_legs
    for command, stride in (((1.0,), 1.1), ((0.1,), 1.1 / 0.3**0.5), ((0.0, 1.0), 1.1 / 0.8**0.5), ((2.0,), 2**-0.2)):
        now = phase(*command)
        assert (now - last) % 1 == pytest.approx(0.02 / stride, abs=1e-6), command
        last = now
    assert phase(0.0) == pytest.approx(last, abs=1e-6), "it stands with the robot"
    controller.start()
    assert phase(1.0) == pytest.approx(at_the_legs), "started anew"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"stride": STRIDE | {"walk_s": float("nan")}},
        {"hip_joints": ["hip"]},
        {"hip_joints": ["hip", "toe"]},
        {"stride": {}},
    ],
)
def test_a_damaged_clock_is_one_sentence(tmp_path, wrong):
    content = facts()
    content["observation"].append(CLOCK | ((LEGS | wrong) if wrong else {}))
    with pytest.raises(InputError, match=r"('gait_clock' is damaged|NaN is no JSON).* export the policy again"):
        Controller(write(tmp_path, content))


def test_the_heading_rate_is_that_of_the_euler_yaw():
    from scipy.spatial.transform import Rotation

    yaw, pitch, roll, step = 0.4, 0.5, -0.3, 1e-5
    rates = np.array([0.7, -0.4, 0.9])
    before, after = (Rotation.from_euler("ZYX", np.array([yaw, pitch, roll]) + sign * step * rates) for sign in (-1, 1))
    gyro = (before.inv() * after).as_rotvec() / (2 * step)
    gravity = Rotation.from_euler("ZYX", [yaw, pitch, roll]).inv().apply([0, 0, -1])
    assert heading_rate(gyro, gravity) == pytest.approx(0.7, abs=1e-6)
    assert -gyro @ gravity != pytest.approx(0.7, abs=0.1), "about the vertical it is another"


def test_a_heading_that_is_given_counts_and_wraps():
    heading = Heading(0.02)
    for angle in (3.1, -3.1):
        heading.update(
            Sensors(np.zeros(3), np.array([0, 0, -1.0]), np.zeros(2), np.zeros(2), np.zeros(3), heading=angle)
        )
    assert heading.error == pytest.approx(2 * np.pi - 6.2)


def test_values_by_name_are_put_in_order(controller):
    assert controller.in_order({"knee": 2.0, "hip": 1.0}).tolist() == [1.0, 2.0]
    with pytest.raises(InputError, match="hip missing, ankle unknown; give each of hip, knee"):
        controller.in_order({"knee": 2.0, "ankle": 1.0})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"joint_pos": [0.0]}, r"joint_pos: has shape \(1,\); give 2 numbers"),
        ({"joint_vel": [0.0, float("nan")]}, "joint_vel: element 1 is NaN or infinite; give a finite number"),
        ({"gyro": "fast"}, "gyro: is no list of numbers; give one"),
        ({"gravity": [0, 0, 0]}, "gravity: has length 0; give the direction of gravity"),
        ({"heading": float("inf")}, "heading: element 0 is NaN or infinite"),
    ],
)
@pytest.mark.parametrize("running", [False, True])
def test_wrong_values_are_one_sentence(controller, wrong, message, running):
    controller.running = running
    with pytest.raises(InputError, match=message):
        controller.step(**UPRIGHT | wrong)
    controller.step(**UPRIGHT)


def test_a_policy_that_observes_the_velocity_asks_for_it(tmp_path):
    controller = Controller(write(tmp_path, facts(observation=[{"name": "base_lin_vel", "size": 3, "history": 1}])))
    assert controller.needs_velocity
    controller.start()
    with pytest.raises(InputError, match="give the estimate as base_lin_vel"):
        controller.step(**UPRIGHT)
    controller.step(**UPRIGHT, base_lin_vel=[1.0, 2.0, 3.0])
    assert controller.observed.tolist() == [1, 2, 3]


def test_a_policy_whose_targets_are_nan_stops(tmp_path):
    controller = Controller(write(tmp_path, facts(), action=float("nan")))
    controller.start()
    with pytest.raises(InputError, match="NaN or infinite; stop the robot and take another policy"):
        controller.step(**UPRIGHT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2, known is 1; export the policy again"),
        ({"stiffness": [1.0]}, "stiffness do not fit its 2 joints"),
        ({"joint_limits": [[0, 1]]}, "joint_limits do not fit its 2 joints"),
        ({"physics_dt": "soon"}, r"is damaged \(physics_dt\); export the policy again"),
        ({"fall": {"tilt": None}}, r"is damaged \(fall\)"),
        ({"fall": [1.0]}, r"is damaged \(fall\)"),
        ({"control_dt": 0, "damping": [1.0, -1.0]}, "control_dt, damping out of range; export the policy again"),
        ({"effort_limit": [1.0, 0.0]}, "effort_limit out of range"),
        ({"commands": {"forward": [1.0, 0.0]}}, "commands out of range"),
        ({"max_lateral_acceleration": 0.0}, "max_lateral_acceleration out of range; export the policy again"),
        ({"max_lateral_acceleration": [1.2]}, r"is damaged \(max_lateral_acceleration\); export the policy again"),
        ({"armature": []}, "armature do not fit its 2 joints"),
        ({"joint_names": ["hip", "hip"]}, "do not fit its 1 joints"),
        ({"robot": ["g1"], "feet": "foot"}, r"is damaged \(robot, feet\)"),
        ({"joint_names": "ab"}, r"is damaged \(joint_names\)"),
        ({"stiffness": [1.0, None]}, r"is damaged \(stiffness\)"),
        ({"commands": {"forward": [0.0]}}, r"is damaged \(commands\)"),
        ({"joint_limits": [[0, 1], 2]}, r"is damaged \(joint_limits\)"),
        ({"observation": ["last_action"]}, r"is damaged \(observation\)"),
        (
            {"observation": [{"name": "last_action", "size": 2.5}]},
            r"observation is damaged \(history, size\); export",
        ),
        (
            {"observation": [{"name": "height_scan", "size": 9, "history": 1}]},
            "'height_scan' not found; available: base_lin_vel",
        ),
        ({"observation": [{"name": "last_action", "size": 3, "history": 1}]}, "'last_action' has 3 columns"),
        (
            {"observation": [{"name": "joint_pos_rel", "size": 1, "history": 1, "joint_names": ["toe"]}]},
            "'joint_pos_rel' has the unknown joint toe",
        ),
        ({"joint_names": None}, r"deploy\.json: is damaged"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(tmp_path, changes, message):
    write(tmp_path, facts())
    (tmp_path / "deploy.json").write_text(json.dumps(facts(**changes)))
    with pytest.raises(InputError, match=message):
        Controller(tmp_path)


def test_files_that_are_missing_damaged_or_of_another_policy_are_named(tmp_path):
    with pytest.raises(InputError, match=r"has no deploy\.json; give a folder that python -m .* wrote"):
        Controller(tmp_path)
    write(tmp_path, facts())
    (tmp_path / "policy.onnx").write_bytes(b"none")
    with pytest.raises(InputError, match=r"policy\.onnx: cannot be read"):
        Controller(tmp_path)
    (tmp_path / "policy.onnx").unlink()
    with pytest.raises(InputError, match=r"has no policy\.onnx"):
        Controller(tmp_path)
    write(tmp_path, facts())
    shorter = facts()
    shorter["observation"].pop()
    (tmp_path / "deploy.json").write_text(json.dumps(shorter))
    with pytest.raises(InputError, match=r"deploy\.json 16 inputs and 2 joints"):
        Controller(tmp_path)
    (tmp_path / "deploy.json").write_text("{")
    with pytest.raises(InputError, match=r"deploy\.json: is not valid JSON"):
        Controller(tmp_path)
    write(tmp_path, facts())
    Controller(tmp_path)


def test_it_needs_neither_torch_nor_isaac_lab(tmp_path):
    write(tmp_path, facts())
    code = (
        "import sys\n"
        "for name in ('torch', 'isaaclab', 'skrl', 'gymnasium', 'warp', 'mujoco', 'scipy', 'onnx'):\n"
        "    sys.modules[name] = None\n"
        "from amp_helpers.deploy import Controller\n"
        f"controller = Controller({str(tmp_path)!r}); controller.start()\n"
        f"print(controller.step(**{UPRIGHT!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0.3" in done.stdout, done.stderr
