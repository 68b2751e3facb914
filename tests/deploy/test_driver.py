"""A robot driven live: the command, real time, pushes, falls, and another policy that takes over."""

import errno
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import hopper, standing_bundle

from amp_helpers.deploy import bundles, gamepad
from amp_helpers.deploy.bundles import find_bundle, named_bundles, ready_bundle
from amp_helpers.deploy.driver import LIE_S, MOST_BEHIND_S, Driver
from amp_helpers.deploy.gamepad import Gamepad
from amp_helpers.errors import InputError
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.utils.resources import POLICIES


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    return hopper(tmp_path_factory.mktemp("robot"))


@pytest.fixture
def driver(tmp_path, robot) -> Driver:
    slow = {"forward": [0.4, 0.8], "turn": [0.0, 0.0]}
    folders = {"first": standing_bundle(tmp_path / "a"), "slow": standing_bundle(tmp_path / "b", commands=slow)}
    return Driver(folders, robot)


def run(driver: Driver, seconds: float) -> None:
    for _ in range(round(seconds / driver.dt)):
        driver.step()


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_keeps_within_what_was_trained(driver):
    driver.command = (7.0, -3.0)
    assert driver.command == (1.0, -0.5) and driver.ranges == ((0.0, 1.0), (-0.5, 0.5))
    with pytest.raises(InputError, match="give a finite forward speed and turn"):
        driver.command = (math.nan, 0.0)
    assert driver.command == (1.0, -0.5)


def test_a_robot_that_is_driven_faster_turns_less(tmp_path, robot):
    ranges = {"forward": [0.0, 2.6], "turn": [-1.0, 1.0]}
    driver = Driver({"fast": standing_bundle(tmp_path / "a", commands=ranges, max_lateral_acceleration=1.2)}, robot)
    driver.steer(1.0, -1.0)
    assert driver.command == pytest.approx((2.6, -1.2 / 2.6)) and driver.ranges == ((0.0, 2.6), (-1.0, 1.0))
    driver.steer(0.0, 1.0)
    assert driver.command == (0.0, 1.0)
    for _ in range(20):
        driver.nudge(1, 0)
    assert driver.command == pytest.approx((2.0, 0.6))


def test_a_turn_that_the_speed_took_is_given_back(tmp_path, robot):
    wide, narrow = ({"forward": [0.0, 2.6], "turn": [-most, most]} for most in (1.0, 0.5))
    folders = {
        "wide": standing_bundle(tmp_path / "a", commands=wide, max_lateral_acceleration=1.2),
        "narrow": standing_bundle(tmp_path / "b", commands=narrow),
    }
    driver = Driver(folders, robot)
    driver.command = (2.4, 3.0)
    assert driver.command == pytest.approx((2.4, 0.5)) and driver.wished == (2.4, 1.0)
    for forward, turn in ((2.0, 0.6), (1.5, 0.8), (1.0, 1.0)):
        driver.nudge(round(10 * (forward - driver.command[0])), 0)
        assert driver.command == pytest.approx((forward, turn))
    driver.nudge(14, 0)
    driver.nudge(0, -1)
    assert driver.command == driver.wished == pytest.approx((2.4, 0.4)), "a key for the turn goes on from what is"
    driver.command = (2.4, 1.0)
    driver.switch("narrow")
    assert driver.command == (2.4, 0.5)
    driver.command = (0.0, 0.0)
    driver.switch("wide")
    assert driver.command == driver.wished == (0.0, 0.0)


def test_a_key_moves_the_command_to_the_next_tenth(driver):
    driver.command = (0.23, 0.0)
    driver.nudge(1, -1)
    assert driver.command == pytest.approx((0.3, -0.1))
    driver.nudge(-9, 0)
    assert driver.command == pytest.approx((0.0, -0.1))


def test_the_ends_of_a_stick_are_the_ends_of_the_range(driver):
    driver.steer(1.0, -1.0)
    assert driver.command == (1.0, -0.5)
    driver.steer(-1.0, 0.5)
    assert driver.command == (0.0, 0.25), "this policy knows no backward"


def test_the_policy_is_told_the_command(driver):
    driver.command = (0.5, 0.2)
    driver.step()
    assert driver.controller.observed[9:12] == pytest.approx([0.5, 0.0, 0.2])


# --- what happens ---------------------------------------------------------------------------------------------------


def test_it_follows_a_clock_and_leaves_out_what_it_missed_for_long(driver):
    assert driver.follow(100.0) == 0
    assert driver.follow(100.1) == 5 and driver.follow(100.11) == 0 and driver.follow(100.12) == 1
    assert driver.follow(160.0) == round(MOST_BEHIND_S / driver.dt - 0.5)
    driver.wait()
    assert driver.follow(500.0) == 0


def test_real_time_is_measured(driver):
    assert math.isnan(driver.figures.real_time)
    for tick in range(60):
        driver.follow(tick / 30)
    assert driver.figures.real_time == pytest.approx(1.0, abs=0.03)


def test_figures_are_means_of_the_last_second_and_a_standing_robot_has_no_stride(driver):
    driver.sim.data.qvel[0] = 0.5
    run(driver, 0.1)
    assert driver.figures.forward_mps > 0.05
    run(driver, 3.0)
    figures = driver.figures
    assert figures.forward_mps == pytest.approx(0, abs=0.02) and math.isnan(figures.gait_hz)
    assert "standing, 0 falls" in str(figures)


def test_the_history_holds_command_and_measured_speed(driver):
    run(driver, 0.2)
    driver.command = (0.5, 0.0)
    run(driver, 0.2)
    history = driver.history
    assert history.times == pytest.approx(np.arange(20) * driver.dt)
    assert history.command[:, 0].tolist() == [0.0] * 10 + [0.5] * 10 and history.measured.shape == (20, 2)


def test_a_push_goes_where_it_is_aimed_and_is_divided_by_the_mass(driver):
    driver.sim.reset(heading=math.pi / 2)
    driver.push(14.0, math.pi / 2)  # 7 kg; to the left of a robot that faces y
    assert driver.sim.data.qvel[:2] == pytest.approx([-2.0, 0.0], abs=1e-6)


def test_a_fall_counts_once_and_the_robot_is_put_on_its_feet(driver):
    driver.push(60.0)
    while not driver.sim.fallen:
        driver.step()
    run(driver, LIE_S / 2)
    assert driver.falls == 1 and np.hypot(*driver.sim.root_pos[:2]) > 0.1
    run(driver, LIE_S)
    assert driver.falls == 1 and np.hypot(*driver.sim.root_pos[:2]) < 0.1 and math.isnan(driver.figures.gait_hz)
    driver.restart()
    assert driver.falls == 0 and driver.time_s == 0 and not len(driver.history.times)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_simulation_that_diverges_is_a_fall_and_goes_on(driver, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    driver.sim.data.qvel[3] = np.inf
    with pytest.raises(InputError, match="NaN or infinite"):
        driver.controller.step(**vars(driver.sim.sense()), command=(0, 0, 0))
    driver.restart()
    driver.sim.data.qvel[6] = 1e9
    run(driver, 2 * LIE_S)
    assert driver.falls >= 1 and np.isfinite(driver.sim.data.qpos).all()
    assert sorted(tmp_path.iterdir()) == before, "MuJoCo wrote its log here"


def test_another_policy_takes_over_the_moving_robot(driver):
    driver.sim.data.qvel[0] = 0.3
    run(driver, 0.1)
    position, velocity = driver.sim.data.qpos.copy(), driver.sim.data.qvel.copy()
    driver.switch("slow")
    assert driver.sim.data.qpos == pytest.approx(position) and driver.sim.data.qvel == pytest.approx(velocity)
    assert driver.policies == ("first", "slow") and driver.command == (0.4, 0.0), "its slowest"
    driver.step()
    with pytest.raises(InputError, match="policy 'third' not found; available: first, slow"):
        driver.switch("third")


def test_policies_are_of_one_robot_that_a_bundle_may_name(tmp_path, robot):
    with pytest.raises(InputError, match="give at least one bundle"):
        Driver({})
    first = standing_bundle(tmp_path / "a", robot=str(robot.mjcf_path))
    assert Driver({"a": first}).robot.joint_names == robot.joint_names
    second = standing_bundle(tmp_path / "b", robot="g1_23dof")
    with pytest.raises(InputError, match=r"b \(g1_23dof\); drive one robot at a time"):
        Driver({"a": first, "b": second})
    nameless, stranger = standing_bundle(tmp_path / "c"), standing_bundle(tmp_path / "d", robot="mine.robots:MINE")
    with pytest.raises(InputError, match="names no robot; name one with --robot, or as robot in Python"):
        Driver({"a": nameless})
    with pytest.raises(InputError, match=r"if you trust it, give --robot mine\.robots:MINE"):
        Driver({"a": stranger})
    Driver({"a": nameless, "b": stranger}, robot)


# --- bundles --------------------------------------------------------------------------------------------------------


def test_a_bundle_is_taken_as_it_is_and_named_by_its_folder(tmp_path):
    one, other = tmp_path / "one", tmp_path / "two"
    one.mkdir(), other.mkdir()
    folders = [standing_bundle(one / "bundle"), standing_bundle(other / "bundle"), standing_bundle(tmp_path / "mine")]
    assert named_bundles(folders) == {str(folders[0]): folders[0], str(folders[1]): folders[1], "mine": folders[2]}


def test_a_policy_that_is_nowhere_is_one_sentence_that_lists_the_shipped(tmp_path):
    with pytest.raises(
        InputError, match=r"g1_wlak: no such bundle, run or checkpoint; .* g1_locomotion, g1_run, g1_walk"
    ):
        find_bundle("g1_wlak")


def test_a_run_is_exported_once_and_why_it_cannot_be_is_told(tmp_path, monkeypatch):
    asked, commands = [], []

    def export(command, **_):
        commands.append(command)
        asked.append(Path(command[command.index("--checkpoint") + 1]))
        if asked[-1].name == "broken":
            return subprocess.CompletedProcess(command, 2, "", "note: x\nerror: broken: holds no policy.pt; give one\n")
        (Path(command[-1]) / "deploy.json").write_text("{}")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bundles.subprocess, "run", export)
    for name in ("run", "broken"):
        (tmp_path / name).mkdir()
    assert find_bundle(tmp_path / "run") == find_bundle(tmp_path / "run") and len(asked) == 1
    (tmp_path / "run" / "policy.pt").write_text("newer")
    find_bundle(tmp_path / "run")
    assert len(asked) == 2, "a run that has trained on"
    find_bundle(tmp_path / "run", task="mine:T", robot="r.xml")
    assert commands[-1][5:9] == ["--task", "mine:T", "--robot", "r.xml"], "an option changes what is exported"
    shipped = named_bundles([tmp_path / "run", "g1_walk"], task="mine:T", robot="mine:R")["g1_walk"]
    assert commands[-1][5:9] == ["--task", "mine:T", "--robot", "mine:R"] and shipped.parent.name == "g1_walk"
    with pytest.raises(InputError, match=r"^broken: holds no policy\.pt; give one$"):
        find_bundle(tmp_path / "broken")


def test_a_policys_own_bundle_is_taken_if_it_is_of_these_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("g1_walk", "policies/g1_walk", "policies/g1_walk/bundle"):
        assert find_bundle(name).samefile(POLICIES / "g1_walk" / "bundle")
    assert MeasuringSetup(checkpoint="policies/g1_walk/bundle").is_bundle
    shutil.copytree(POLICIES / "g1_walk", tmp_path / "run")
    assert ready_bundle(tmp_path / "run") == tmp_path / "run" / "bundle"
    (tmp_path / "run" / "policy.pt").write_bytes(b"trained on")
    assert ready_bundle(tmp_path / "run") is None
    (tmp_path / "run" / "bundle" / "deploy.json").write_text("{")
    with pytest.raises(InputError, match=r"export it again, or remove .*bundle$"):
        ready_bundle(tmp_path / "run")


def test_a_bundle_in_the_folder_of_a_run_that_trained_on_is_not_taken_for_its_policy(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(POLICIES / "g1_walk", run)
    shutil.copytree(run / "bundle", run, dirs_exist_ok=True)
    assert find_bundle(run) == run
    (run / "policy.pt").write_bytes(b"trained on")
    with pytest.raises(
        InputError, match=r"run: is a run, and .* other weights than its policy\.pt; export it again, or"
    ):
        find_bundle(run)
    (run / "deploy.json").unlink()
    assert ready_bundle(run) is None


@pytest.mark.parametrize("folder", sorted(file.parent for file in POLICIES.glob("*/policy.pt")), ids=lambda f: f.name)
def test_every_shipped_policy_has_a_bundle_of_its_weights(folder):
    again = f"python -m amp_helpers.export --checkpoint {folder.name} --output policies/{folder.name}/bundle"
    assert ready_bundle(folder) is not None, f"export it again: {again}"


def test_a_bundle_is_driven_without_torch_and_isaac_lab(tmp_path, robot):
    folder = standing_bundle(tmp_path / "a")
    code = (
        "import sys; from amp_helpers.deploy.driver import Driver; from amp_helpers.robots.lookup import get_robot\n"
        f"driver = Driver({{'a': {str(folder)!r}}}, get_robot({str(robot.mjcf_path)!r})); driver.step()\n"
        "print(sorted({'torch', 'isaaclab', 'viser', 'ipywidgets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- a game controller ----------------------------------------------------------------------------------------------


def test_a_game_controller_is_read_without_waiting(tmp_path, monkeypatch):
    def event(value: int, kind: int, number: int) -> bytes:
        return struct.pack("<IhBB", 0, value, kind, number)

    device = tmp_path / "js0"
    pad = Gamepad(device)
    assert pad.read() == (None, []), "there is none"
    os.mkfifo(device)
    assert pad.read() == (None, [])
    writer = os.open(device, os.O_RDWR)
    os.write(writer, event(0, 0x82, 1) + event(-32767, 2, 1) + event(2000, 2, 0) + event(9, 2, 5) + event(1, 1, 0))
    assert pad.read() == ((1.0, 0.0), [0]), "forward; the other axis in its dead zone; button 0"
    assert pad.read() == (None, [])
    os.write(writer, event(32767, 2, 0) + event(0, 1, 0))
    assert pad.read() == ((1.0, -1.0), [])

    def gone(*_):
        raise OSError(errno.ENODEV, "No such device")

    with monkeypatch.context() as patch:
        patch.setattr(gamepad.os, "read", gone)
        assert pad.read() == ((0.0, 0.0), []), "pulled out, it no longer steers"
        assert pad.read() == (None, [])
    os.close(writer)
    pad.close()
