"""The command line of evaluation: mistakes and Isaac Lab's habits end in one sentence, before the simulator starts."""

import math
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from known_rollouts import DT, make_rollout

from amp_helpers import evaluate
from amp_helpers.errors import InputError
from amp_helpers.export import export
from amp_helpers.measure.setup import MeasuringSetup


@pytest.mark.parametrize("speed", ["fast", [1.0], True, float("nan")])
def test_a_commanded_speed_of_another_type_is_a_sentence(speed):
    rollout = pytest.importorskip("amp_helpers.env.rollout")
    with pytest.raises(InputError, match=r"a commanded speed is .*; give finite speeds, in m/s and rad/s"):
        rollout.reference_motion({}, velocity=speed)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--seconds 0", "seconds is 0; give a number above 0"),
        ("--seconds nan", "seconds is nan; give a number above 0"),
        ("--seconds 1e300", "seconds is 1e+300; give at most 1e+06"),
        ("--seconds inf", "seconds is inf; give a number above 0"),
        ("--num_envs 0", "num_envs is 0; give at least 1"),
        ("--grid --num_envs 0", "num_envs is 0; give at least 1"),
        ("--velocity nan", "a commanded speed is nan; give finite speeds, in m/s and rad/s"),
        ("--steps 0 inf", "a commanded speed is inf; give finite speeds, in m/s and rad/s"),
        ("--velocity 1e300", "a commanded speed is 1e+300; give at most 20 m/s and rad/s"),
        ("--turn -21 --simulator mujoco", "a commanded speed is -21; give at most 20 m/s and rad/s"),
        ("--steps 0 30 --simulator physx", "a commanded speed is 30; give at most 20 m/s and rad/s"),
        ("--grid_forward 1 2e9 --simulator mujoco", "a commanded speed is 2e+09; give at most 20 m/s and rad/s"),
        ("--grid_turn 1e9", "a commanded speed is 1e+09; give at most 20 m/s and rad/s"),
        ("--seed -1", "seed is -1; give a number from 0 to 4294967295"),
        ("--grid --seed 99999999999999999999", "seed is 99999999999999999999; give a number from 0 to 4294967295"),
        (
            "a.b=c",
            "a.b=c: settings are options here, not Hydra overrides (--help lists them); to change the task, register "
            "your own configuration and name it with --task package.module:ID",
        ),
        (
            "env.scene.num_envs=3",
            "env.scene.num_envs=3: settings are options here, not Hydra overrides; write --num_envs 3",
        ),
        (
            "--resume",
            "--resume: evaluation starts anew every time; leave it out, and name the run with --checkpoint",
        ),
        ("--load_run x", "--load_run: name the file, or the folder of its run, with --checkpoint"),
        ("--real-time", "--real_time: evaluation is not shown while it runs; leave it out, and look at the --video"),
        (
            "--enable_cameras",
            "--enable_cameras: evaluation never opens a window; leave it out, and look at the --video",
        ),
        ("--num_env 3", "Unrecognized options: --num_env, 3; --num_envs exists, --help lists the options"),
        ("--steps --seed 1", "--steps: has no value; give one or more, or leave it out"),
        ("--grid-turn", "--grid_turn: has no value; give one or more, or leave it out"),
        ("--grid --steps 0 1", "--grid measures commands of its own; leave out --steps, or --grid"),
        ("--grid_forward 0 1 --video", "--grid measures commands of its own; leave out --video, or --grid"),
        ("--grid --velocity 1", "--grid measures commands of its own; leave out --velocity, or --grid"),
        (
            "--steps 0 1 --turn 1",
            "--steps commands the speed, straight ahead; leave out --velocity and --turn, or --steps",
        ),
        ("--steps 0 1 --seconds 5", "--steps measures each speed for 4 s; leave out --seconds, or --steps"),
    ],
)
def test_one_sentence(options, sentence, tmp_path, monkeypatch):
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    output = tmp_path / "out"
    command = ["evaluate", "--checkpoint", "g1_walk", "--output", str(output), *options.split()]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(InputError) as refused:
        evaluate.main()
    assert str(refused.value) == sentence and not output.exists()


class Measured(Exception):
    """The options are taken: the simulator would start."""


@pytest.mark.parametrize(
    "options",
    [
        "--seconds 0.1 --num_envs 1 --seed 0 --velocity 0 --turn 0.1",
        "--seed 4294967295 --steps 0 1",
        "--velocity 20 --turn -20",
        "--grid",
        "--grid_forward 0 1 --grid_turn 0",
        "--velocity 0.5 --video",
    ],
)
def test_what_the_sentences_ask_for_is_taken(options, tmp_path, monkeypatch):
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

    def stop(*_: object, **__: object):
        raise Measured

    monkeypatch.setattr(evaluate, "_simulator", stop)
    command = ["evaluate", "--checkpoint", "g1_walk", "--output", str(tmp_path / "file"), *options.split()]
    monkeypatch.setattr(sys, "argv", command)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is a file; give a folder for the results"):
        evaluate.main()
    (tmp_path / "file").unlink()
    with pytest.raises(Measured):
        evaluate.main()


@pytest.mark.parametrize(
    ("length", "sentence"),
    [(1000, r"policy\.pt: is not a checkpoint of tensors \(.*\); give a file written by training"), (None, None)],
    ids=["cut short", "whole"],
)
def test_a_damaged_policy_is_refused_before_the_simulator_opens(repo_root, length, sentence, tmp_path, monkeypatch):
    make, isaaclab = (pytest.importorskip(f"amp_helpers.{name}") for name in ("env.make", "measure.isaaclab"))
    run = shutil.copytree(repo_root / "policies" / "g1_walk", tmp_path / "run")
    (run / "policy.pt").write_bytes((run / "policy.pt").read_bytes()[:length])

    def stop(*_: object, **__: object):
        raise Measured

    for module in (make, isaaclab):
        monkeypatch.setattr(module, "make_env", stop)
    setup = MeasuringSetup(checkpoint=run)
    for command in (
        lambda: evaluate.evaluate(setup, tmp_path / "out", velocity=0.7),
        lambda: evaluate.evaluate_grid(setup, tmp_path / "out"),
        lambda: export(run, tmp_path / "bundle"),
    ):
        with pytest.raises(InputError if sentence else Measured, match=sentence):
            command()


def test_more_environments_than_the_memory_holds_are_refused_before_the_simulator_opens(tmp_path, monkeypatch, capsys):
    isaaclab = pytest.importorskip("amp_helpers.measure.isaaclab")
    opened: list[int] = []

    def count(*_: object, num_envs: int, **__: object):
        opened.append(num_envs)
        raise Measured

    monkeypatch.setattr("amp_helpers.env.memory.memory_gib", lambda: 1.0)
    monkeypatch.setattr("amp_helpers.metrics.rollout.memory_gib", lambda: math.inf)  # of the environments alone
    monkeypatch.setattr(isaaclab, "make_env", count)
    many = MeasuringSetup(checkpoint="g1_walk", num_envs=3_000_000)
    refused = r"^3000000 environments take at least 850 GiB of memory, of 1 here; give at most 3531 as --num_envs"
    with pytest.raises(InputError, match=refused):
        evaluate.evaluate(many, tmp_path / "out", velocity=0.7)
    with pytest.raises(InputError, match=refused):
        evaluate.evaluate_grid(many, tmp_path / "out")
    with pytest.raises(InputError, match=r"^4 x 1000 environments take .* give at most 882 as"):
        evaluate.evaluate_grid(replace(many, num_envs=1000), tmp_path / "out", commands=[(v, 0.0) for v in range(4)])
    with pytest.raises(Measured):
        evaluate.evaluate(replace(many, num_envs=3531), tmp_path / "out", velocity=0.7)
    with pytest.raises(Measured):
        evaluate.evaluate(replace(many, task="Isaac-Velocity-Flat-G1"), tmp_path / "out", velocity=0.7)
    assert opened == [3531, 3_000_000] and "if each takes as much as one of the G1" in capsys.readouterr().err


def test_a_rollout_that_the_memory_does_not_hold_is_refused_before_the_simulator_opens(tmp_path, monkeypatch):
    isaaclab = pytest.importorskip("amp_helpers.measure.isaaclab")

    def stop(*_: object, **__: object):
        raise Measured

    monkeypatch.setattr("amp_helpers.metrics.rollout.memory_gib", lambda: 1.0)
    monkeypatch.setattr(isaaclab, "make_env", stop)
    setup = MeasuringSetup(checkpoint="g1_walk")
    long = replace(setup, seconds=20_000.0)
    refused = (
        r"of 16 environments take 4\.11 GiB of memory, of 1 GiB here; measure fewer environments for fewer seconds"
    )
    with pytest.raises(InputError, match=f"^1000150 steps {refused}"):
        evaluate.evaluate(long, tmp_path / "out", velocity=0.7)
    with pytest.raises(InputError, match=r"^203150 steps of 64 environments take"):
        evaluate.evaluate_grid(replace(long, seconds=4060.0), tmp_path / "out", commands=[(v, 0.0) for v in range(4)])
    with pytest.raises(InputError, match=f"^1000000 steps {refused}"):
        evaluate.evaluate(setup, tmp_path / "out", steps=[0.5] * 5000)
    assert not (tmp_path / "out").exists()
    for fewer in (replace(long, num_envs=3), replace(long, seconds=4000.0)):
        with pytest.raises(Measured):
            evaluate.evaluate(fewer, tmp_path / "out", velocity=0.7)
    with pytest.raises(Measured):
        evaluate.evaluate(setup, tmp_path / "out", steps=[0.5] * 1000)


def test_an_empty_grid_is_refused(tmp_path):
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    with pytest.raises(InputError, match="no command to measure; give at least one, or None for the usual grid"):
        evaluate.evaluate_grid(MeasuringSetup(checkpoint="g1_walk"), tmp_path, commands=[])


@pytest.mark.parametrize(("every_s", "nothing"), [(0.5, True), (2.98, True), (3.1, False)])
def test_nothing_is_measured_where_every_robot_falls_within_its_warm_up(every_s, nothing):
    steps = 500
    fell = np.tile(np.arange(1, steps + 1) % round(every_s / DT) == 0, (3, 1))
    assert make_rollout(steps=steps, fell=fell).settled(3.0).any() != nothing
    fell[0] = False
    assert make_rollout(steps=steps, fell=fell).settled(3.0).any(), "one robot walks on"
