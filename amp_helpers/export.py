"""Export a policy for a robot: ``python -m amp_helpers.export --checkpoint P --output DIR``."""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amp_helpers.errors import InputError, folder_fault, run_cli, sha256
from amp_helpers.robots.lookup import FILE_SUFFIXES, get_robot, other_joints
from amp_helpers.robots.robot import Robot
from amp_helpers.utils.json_data import fits, read_json
from amp_helpers.utils.threads import spin_briefly
from amp_helpers.utils.tyro_options import parse_options

if TYPE_CHECKING:
    from amp_helpers.deploy.network import DeployedPolicy

LARGEST_DIFFERENCE = 1e-5
"""Between ``policy.onnx`` and the policy, rad."""
_TRIALS = 1000
_FILES = ("deploy.json", "deploy.yaml", "policy.onnx", "README.md")


@dataclass(frozen=True)
class Exported:
    """What :func:`export` wrote and measured."""

    facts: dict[str, Any]
    """Content of ``deploy.json``."""
    warnings: list[str]
    """What a controller has to know, a sentence each."""
    difference_rad: float
    """Largest difference between ONNX and torch on 1,000 observations drawn as the normalizer saw them."""
    latency_ms: float
    """Median time of an inference in onnxruntime on one CPU thread."""


def export(
    checkpoint: str | Path,
    output: str | Path,
    *,
    torchscript: bool = False,
    metrics: str | Path | None = None,
    task: str | None = None,
    asset: str | None = None,
    robot: str | None = None,
) -> Exported:
    """Write a policy as a bundle: ``policy.onnx``, ``deploy.json``, ``deploy.yaml`` and ``README.md``.

    Terms, order, history, gains and the like are read from the task's managers, in an environment on the CPU.

    Args:
        checkpoint: see :func:`amp_helpers.training.load_policy`.
        output: folder for the bundle.
        torchscript: also write ``policy.pt``.
        metrics: ``metrics.json`` of an evaluation, which ``deploy.json`` then quotes.
        task: see :class:`amp_helpers.measure.MeasuringSetup`.
        asset: name of the robot's articulation in the task's scene; ``None`` as in training.
        robot: see :class:`amp_helpers.measure.MeasuringSetup`; its name is recorded.

    Raises:
        InputError: the checkpoint cannot be used, the folder holds somebody's files of the same names, or a controller
            could not compute what the policy observes.
    """
    # The simulator takes seconds to load, and --help does not need it.
    import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output

    # isort: split
    from amp_helpers.training.policy import check_weights, find_policy

    output = Path(output)
    if fault := folder_fault(output):
        raise InputError(f"{fault}; give a folder for the bundle")
    _check_replaced(output, torchscript)
    measured = {} if metrics is None else _metrics(Path(metrics))
    file, config = find_policy(checkpoint, task=task, robot=robot)
    # The weights and the robot are read before the simulator starts.
    check_weights(file)
    # A robot with a name has its feet.
    feet = list(config.get("feet") or ()) if robot is None or robot.lower().endswith(FILE_SUFFIXES) else []
    named = None if robot is None else get_robot(robot, feet)
    network, facts, warnings = _deployed(checkpoint, config, asset, named)
    facts |= {
        "feet": feet,
        "dataset": config["dataset"],
        **{key: list(config[key]) for key in ("dataset_sha256",) if key in config},
        "checkpoint_sha256": sha256(file),
        "commit": config.get("commit"),
        "metrics": measured,
    }
    difference, latency = _write(output, network, facts, warnings, torchscript)
    return Exported(facts, warnings, difference, latency)


def _deployed(
    checkpoint: str | Path, config: dict[str, Any], asset: str | None, named: Robot | None
) -> tuple["DeployedPolicy", dict[str, Any], list[str]]:
    """Open the policy's task; return its network with everything inside, what its managers state, and warnings."""
    from amp_helpers.deploy.bundle import action_limits, deploy_facts, input_columns
    from amp_helpers.deploy.network import DeployedPolicy
    from amp_helpers.env.make import make_env
    from amp_helpers.env.task_cfg import takes_velocity
    from amp_helpers.training.policy import load_policy

    trained = config.get("velocity_range")
    velocity = (float(trained[0]), float(trained[1])) if trained and takes_velocity(config["task"]) else None
    opened = make_env(config["task"], asset=asset or config.get("asset"), num_envs=1, play=True, velocity=velocity)
    with opened as env:
        policy = load_policy(checkpoint, env)
        facts, warnings = deploy_facts(env)
        if named and (other := other_joints(named, facts["joint_names"])):
            warnings.append(f"{other}; those joints are not driven")
        if policy.calibration is not None:
            warnings.append("its speeds are calibrated within policy.onnx: command the speed that the robot is to have")
        scale, offset = (_tensor(facts[name]) for name in ("action_scale", "action_offset"))
        network = DeployedPolicy(
            policy.network,
            policy.scaler,
            input_columns(env),
            scale,
            offset,
            action_limits(env),
            policy.calibration,
        )
        return network, facts | {"robot": config.get("robot") or _robot_name(env)}, warnings


def _write(
    output: Path, network: "DeployedPolicy", facts: dict[str, Any], warnings: list[str], torchscript: bool
) -> tuple[float, float]:
    """Write the files, all or none; return what :func:`_compare` measures of them."""
    from amp_helpers.deploy.network import write_onnx, write_torchscript
    from amp_helpers.deploy.readme import bundle_readme
    from amp_helpers.deploy.unitree import unitree_yaml

    texts = {
        "deploy.json": json.dumps(facts, indent=2, allow_nan=False) + "\n",
        "deploy.yaml": unitree_yaml(facts),
        "README.md": bundle_readme(facts, warnings),
    }
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output) as name:
        made = Path(name)
        write_onnx(made / "policy.onnx", network, _metadata(facts))
        if torchscript:
            write_torchscript(made / "policy.pt", network)
        for file_name, text in texts.items():
            (made / file_name).write_text(text)
        difference, latency = _compare(made, network)
        if not difference <= LARGEST_DIFFERENCE:
            raise InputError(
                f"{output}: policy.onnx differs from the policy by {difference:.1e} rad; try another onnxruntime"
            )
        for path in made.iterdir():
            path.replace(output / path.name)
    return difference, latency


def _check_replaced(output: Path, torchscript: bool) -> None:
    """Raise :class:`InputError` where a file of somebody's would be replaced; an earlier bundle may be."""
    if torchscript and (output / "config.json").is_file():
        raise InputError(f"{output}: is a run, whose policy.pt would be replaced; give another folder")
    there = [name for name in (*_FILES, *["policy.pt"] * torchscript) if (output / name).exists()]
    if there and "deploy.json" not in there:
        raise InputError(f"{output}: is no bundle, and its {', '.join(there)} would be replaced; give another folder")


def _metrics(path: Path) -> dict[str, Any]:
    found = read_json(path, "give the metrics.json that evaluate wrote")
    if not fits(found, dict[str, float | None]) or "falls_per_env_10s" not in found:
        raise InputError(f"{path}: holds no metrics; give the metrics.json that evaluate wrote")
    return found


def _tensor(values: list[float]) -> Any:
    import torch

    return torch.tensor(values, dtype=torch.float32)


def _robot_name(env: Any) -> str:
    from amp_helpers.amp_state.asset import robot_name, scene_robot
    from amp_helpers.robots.robot import ROBOTS

    names = set(scene_robot(env).joint_names)
    return next((robot.name for robot in ROBOTS.values() if set(robot.joint_names) == names), robot_name(env))


def _metadata(facts: dict[str, Any]) -> dict[str, str]:
    """The facts as strings, under the keys that exporters of motion-tracking policies use."""
    joined = {
        "joint_names": facts["joint_names"],
        "joint_stiffness": facts["stiffness"],
        "joint_damping": facts["damping"],
        "default_joint_pos": facts["default_joint_pos"],
        "action_scale": facts["action_scale"],
        "observation_names": [entry["name"] for entry in facts["observation"]],
    }
    return {name: ",".join(map(str, values)) for name, values in joined.items()} | {"deploy": json.dumps(facts)}


def _compare(folder: Path, network: Any) -> tuple[float, float]:
    """Return the largest difference between ONNX and torch, rad, and the median time of an inference, ms."""
    import torch

    from amp_helpers.deploy.controller import Controller

    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(_TRIALS, len(network.mean), generator=generator)
    rows = ((normal * network.deviation + network.mean) / network.factor - network.shift).float()
    session = Controller(folder).session
    targets = session.run(["joint_targets"], {"obs": rows.numpy()})[0]
    times = []
    for row in rows.numpy():
        begun = time.perf_counter()
        session.run(None, {"obs": row[None]})
        times.append(time.perf_counter() - begun)
    return float(np.abs(targets - network(rows)[0].numpy()).max()), float(np.median(times)) * 1e3


@dataclass(frozen=True, kw_only=True)
class _CommandLine:
    checkpoint: Path
    """Run folder, checkpoint file, or name of a shipped policy, such as g1_locomotion."""
    output: Path
    """Folder for the bundle."""
    torchscript: bool = False
    """Also write policy.pt, the same function as TorchScript."""
    metrics: Path | None = None
    """metrics.json of an evaluation of this policy, which deploy.json then quotes."""
    task: str | None = None
    """Task that the policy acts in: an ID, or package.module:ID; by default the one trained in."""
    asset: str | None = None
    """Name of the robot's articulation in the task's scene; by default as in training."""
    robot: str | None = None
    """Robot to record: a name, your MJCF or URDF, or package.module:NAME; by default as in training."""


def main() -> int:
    """Export from the command line and print what was measured."""
    spin_briefly()
    about = "Write a policy as ONNX with all that a robot's control loop needs to know."
    cfg = parse_options(_CommandLine, "amp_helpers.export", about)
    done = export(**vars(cfg))
    for warning in done.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    import onnxruntime

    from amp_helpers.deploy.network import OPSET

    observed = sum(entry["size"] * entry["history"] for entry in done.facts["observation"])
    print(f"{cfg.output}: {observed} observations, {len(done.facts['joint_names'])} joints, opset {OPSET}")
    print(f"onnxruntime {onnxruntime.__version__} against torch: {done.difference_rad:.1e} rad at most")
    print(f"inference on one CPU thread: {done.latency_ms:.3f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
