"""A bundle measured in plain MuJoCo: the files of every evaluation, without torch and Isaac Lab."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from known_rollouts import make_rollout
from small_bundle import facts, write
from support import make_motion

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.evaluate import evaluate, evaluate_grid
from amp_helpers.measure import mujoco
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.references import rollout_motion
from amp_helpers.metrics.rollout import SAVED, check_rollout
from amp_helpers.render.comparison import told
from amp_helpers.robots.robot import G1_23DOF

COMMANDS = {"forward": [0.0, 1.0], "turn": [-0.5, 0.5]}


def standing(folder: Path, **changes: object) -> Path:
    """A bundle of a G1 that holds its default pose, and the clip that it imitates."""
    names = list(G1_23DOF.joint_names)
    pose = [round(float(value), 3) for value in G1_23DOF.default_pose()]
    count = len(names)
    motion = make_motion(60, joint_names=tuple(names), joint_pos=np.tile(pose, (60, 1)))
    dataset = MotionDataset.from_motions([motion], joint_names=names, control_dt=0.02)
    folder.mkdir(parents=True, exist_ok=True)
    dataset.save(folder / "still.npz")
    per_joint = {"stiffness": 100.0, "damping": 4.0, "armature": 0.02, "effort_limit": 90.0, "action_scale": 1.0}
    content = facts(
        joint_names=names,
        default_joint_pos=pose,
        **{key: [value] * count for key, value in per_joint.items()},
        joint_limits=[[None, None]] * count,
        observation=[{"name": "velocity_commands", "size": 3, "history": 1}],
        robot="g1_23dof",
        dataset=str(folder / "still.npz"),
        dataset_sha256=list(dataset.sha256),
        fall={"tilt": 1.0, "root_height": 0.4},
        commands=COMMANDS,
    )
    return write(folder, content | changes, action=0.0, pose=pose)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return standing(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def setup(bundle) -> MeasuringSetup:
    return MeasuringSetup(checkpoint=bundle, simulator="mujoco", num_envs=2, seconds=0.5)


def test_the_command_measures_a_bundle_without_torch_and_isaac_lab(bundle, metric_names, tmp_path):
    options = f"--checkpoint {bundle} --output {tmp_path} --simulator mujoco --num_envs 2 --seconds 0.3 --velocity 0"
    code = (
        "import sys; from amp_helpers.evaluate import main; status = main(); "
        "print({'torch', 'isaaclab', 'warp', 'skrl'} & set(sys.modules)); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, *options.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "set()", done.stderr
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert set(written) == metric_names and written["pose_rmse_rad"] < 0.2
    with np.load(tmp_path / "rollout.npz") as rollout:
        assert set(rollout) == set(SAVED) and rollout["joint_torque"].shape == (2, 165, 23)
        assert np.allclose(rollout["root_pos"][:, 0, 2], 0.8, atol=0.02)


def test_robots_that_lie_where_no_termination_sees_it_are_told(tmp_path, capsys):
    """A limp robot, whose task ends no episode."""
    count = len(G1_23DOF.joint_names)
    limp = standing(tmp_path / "limp", stiffness=[0.1] * count, fall={"tilt": 3.2, "root_height": 0.0})
    setup = MeasuringSetup(checkpoint=limp, simulator="mujoco", num_envs=1, seconds=1.0)
    assert evaluate(setup, tmp_path, velocity=0.0)["falls_per_env_10s"] == 0
    assert "note: robots lie in 100% of the measured time, and no termination" in capsys.readouterr().out


@pytest.mark.slow
def test_a_grid_and_steps_are_measured_as_in_isaac_lab(setup, metric_names, tmp_path, capsys):
    rows = evaluate_grid(replace(setup, num_envs=1), tmp_path / "grid", commands=[(0.0, 0.0), (0.3, 0.0)])
    assert [(row["forward"], row["turn"]) for row in rows] == [(0.0, 0.0), (0.3, 0.0)] and metric_names < set(rows[0])
    assert {"grid.json", "grid.png"} <= {path.name for path in (tmp_path / "grid").iterdir()}
    printed = capsys.readouterr()
    assert "limits commands" not in printed.err and "measuring 2 commands, 1 environment each;" in printed.out
    evaluate_grid(replace(setup, num_envs=1), tmp_path / "fast", commands=[(1.5, 0.0), (2.0, 0.0)])
    assert capsys.readouterr().err.count("limits commands") == 1, "once for all commands"
    evaluate(replace(setup, num_envs=1, seconds=10.0), tmp_path / "steps", steps=(0.0, 1.5))
    assert "note: the controller limits commands to what was trained, forward 0 to 1 m/s" in capsys.readouterr().err
    with np.load(tmp_path / "steps" / "rollout.npz") as rollout:
        assert rollout["command_profile"][[0, 199, 200, 399], 0].tolist() == [0.0, 0.0, 1.5, 1.5]


@pytest.mark.parametrize(("turn", "noted"), [(0.4, True), (0.3, False)])
def test_a_turn_too_sharp_for_the_speed_is_noted(setup, tmp_path, capsys, turn, noted):
    limited = standing(tmp_path / "limited", max_lateral_acceleration=0.3)
    setup = replace(setup, checkpoint=limited, num_envs=1, seconds=0.1)
    evaluate(setup, tmp_path / "out", velocity=1.0, turn=turn)
    sentence = "what was trained, forward 0 to 1 m/s, turn -0.5 to 0.5 rad/s, speed times turn up to 0.3 m/s²"
    assert (sentence in capsys.readouterr().err) == noted


def test_a_policy_without_a_command_is_measured_without_one(setup, tmp_path, capsys):
    assert mujoco.takes_velocity(setup)
    (setup.checkpoint / "policy.onnx").rename(tmp_path / "policy.onnx")
    assert mujoco.takes_velocity(setup), "deploy.json alone says so"
    (tmp_path / "policy.onnx").rename(setup.checkpoint / "policy.onnx")
    silent = standing(tmp_path / "silent", observation=[{"name": "base_ang_vel", "size": 3, "history": 1}])
    assert not mujoco.takes_velocity(replace(setup, checkpoint=silent))
    metrics = evaluate(replace(setup, checkpoint=silent), tmp_path / "out")
    assert np.isnan(metrics["velocity_error_mps"]) and metrics["mechanical_power_w"] >= 0
    assert rollout_motion(replace(make_rollout(), command=math.nan)).name == "policy"
    assert told(math.nan, math.nan) == "no command" and told(0.5, -0.4) == "0.5 m/s, -0.4 rad/s"
    for asked in ({"velocity": 0.5}, {"turn": 0.5}, {"steps": (0.0, 1.0)}):
        with pytest.raises(InputError, match="silent: has no velocity command; leave out --velocity, --turn, --steps"):
            evaluate(replace(setup, checkpoint=silent, seconds=10.0), tmp_path / "asked", **asked)
    with pytest.raises(InputError, match="has no velocity command; leave out"):
        evaluate_grid(replace(setup, checkpoint=silent), tmp_path / "asked", commands=[(0.5, 0.0)])
    assert not (tmp_path / "asked").exists()
    assert "measuring" not in capsys.readouterr().out, "it is refused before it begins"


def test_without_a_command_the_clip_with_the_nearest_poses_is_the_reference(setup, tmp_path, capsys):
    names = G1_23DOF.joint_names
    pose = np.tile(G1_23DOF.default_pose(), (60, 1))
    clips = [
        make_motion(60, name=name, joint_names=names, joint_pos=pose + add) for name, add in (("far", 1), ("near", 0))
    ]
    MotionDataset.from_motions(clips, joint_names=names, control_dt=0.02).save(tmp_path / "two.npz")
    silent = standing(tmp_path / "silent", observation=[{"name": "base_ang_vel", "size": 3, "history": 1}])
    metrics = evaluate(replace(setup, checkpoint=silent, dataset=tmp_path / "two.npz"), tmp_path / "out")
    assert metrics["pose_rmse_rad"] < 0.2
    assert "reference: near, one of 2 clips, nearest to the poses" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"randomize": True}, "--randomize: mujoco simulates the nominal robot alone; leave it out, or measure with"),
        ({"device": "cuda:0"}, "--device cuda:0: MuJoCo runs on the CPU; leave --device out"),
        ({"task": "Mine"}, "is a bundle, which has its task in it; leave out --task"),
        ({"simulator": "newton"}, "is a bundle, which Isaac Lab does not run; measure it with --simulator mujoco, or"),
        ({"simulator": "gazebo"}, "simulator 'gazebo' not found; available: newton, physx, mujoco"),
        ({"dataset": "gone.npz"}, "gone.npz: the dataset that the policy imitates is not there; name it with"),
    ],
)
def test_what_mujoco_cannot_do_is_left_out(setup, tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        evaluate(replace(setup, **changes), tmp_path / "out", velocity=0.0)
    assert not (tmp_path / "out").exists()
    assert evaluate(replace(setup, seconds=0.1), tmp_path / "out", velocity=0.0)["falls_per_env_10s"] >= 0


def test_a_rollout_takes_no_more_than_the_memory(setup, tmp_path):
    for much in ({"seconds": 1e6, "num_envs": 10**6}, {"num_envs": 10**12}):
        with pytest.raises(InputError, match=r"GiB of memory, of .* GiB here; measure fewer environments for fewer"):
            evaluate(replace(setup, **much), tmp_path / "out", velocity=0.0)
    with pytest.raises(InputError, match=r"GiB here; measure fewer environments"):
        evaluate(replace(setup, num_envs=10**12, seconds=10.0), tmp_path / "out", steps=(0.0, 0.5))
    assert not (tmp_path / "out").exists()
    check_rollout(10**3, 2, 92)


def test_what_a_bundle_lacks_is_given(setup, bundle, tmp_path):
    bare = standing(tmp_path / "bare")
    content = json.loads((bare / "deploy.json").read_text())
    del content["dataset"], content["dataset_sha256"]
    (bare / "deploy.json").write_text(json.dumps(content | {"robot": "mine:ROBOT"}))
    asked = replace(setup, checkpoint=bare, seconds=0.1)
    with pytest.raises(InputError, match="names no dataset to compare with; name one with --dataset, or export it"):
        evaluate(asked, tmp_path / "out", velocity=0.0)
    asked = replace(asked, dataset=bundle / "still.npz")
    with pytest.raises(InputError, match=r"asks for the robot 'mine:ROBOT', .* if you trust it, give --robot mine"):
        evaluate(asked, tmp_path / "out", velocity=0.0)
    assert evaluate(replace(asked, robot="g1_23dof"), tmp_path / "out", velocity=0.0)["falls_per_env_10s"] >= 0


def test_a_checkpoint_is_exported_only_where_the_memory_holds_its_rollout(repo_root, tmp_path, monkeypatch):
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    run, exported = tmp_path / "run", []
    run.mkdir()
    for name in ("policy.pt", "config.json"):
        shutil.copy(repo_root / "policies" / "g1_walk" / name, run)

    def export(checkpoint, **_):
        exported.append(checkpoint)
        raise InputError("exported")

    monkeypatch.setattr(mujoco, "find_bundle", export)
    monkeypatch.setattr("amp_helpers.metrics.rollout.memory_gib", lambda: 1.0)
    asked = MeasuringSetup(checkpoint=run, simulator="mujoco")
    for change, steps in (({"seconds": 20_000.0}, ()), ({}, [0.5] * 5000)):
        with pytest.raises(InputError, match=r"steps of 16 environments take 4\.11 GiB of memory, of 1 GiB here"):
            evaluate(replace(asked, **change), tmp_path / "out", velocity=None if steps else 0.7, steps=steps)
    assert not exported
    for checkpoint in (run, tmp_path / "gone"):
        with pytest.raises(InputError, match=r"^exported$"):
            evaluate(replace(asked, checkpoint=checkpoint), tmp_path / "out", velocity=0.7)
    assert exported == [run, tmp_path / "gone"] and not (tmp_path / "out").exists()
