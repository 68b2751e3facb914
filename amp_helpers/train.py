"""Train a policy with AMP on an Isaac Lab task: ``python -m amp_helpers.train --num_envs 4096 --headless``."""

import argparse
import json
import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import InputError, run_cli
from .train_checks import check_finite, check_joints, check_numbers, check_run_dir, writing

ROOT = Path(__file__).resolve().parents[1]
DEMO_DATASET = ROOT / "datasets" / "g1_walk.npz"
DEFAULT_TASK = "Isaac-AMP-Velocity-Flat-G1"


@dataclass(frozen=True, kw_only=True)
class TrainCfg:
    """Everything about a run; the defaults are the recipe that this project trains with."""

    dataset: Path = DEMO_DATASET
    """Dataset of ``python -m amp_helpers.convert``."""
    task: str = DEFAULT_TASK
    """A registered manager-based task."""
    num_envs: int | None = None
    """Environments side by side; ``None`` is 4096 on a GPU and 16 on a CPU."""
    device: str = "cpu"
    """``cpu`` or ``cuda:0``."""
    physics: str | None = None
    """Physics preset of the task; ``None`` is its default."""
    seed: int = 0
    max_iterations: int = 600
    """Updates; each follows a rollout of ``rollouts`` steps."""
    max_seconds: float | None = None
    """Stop after this much wall clock since the start, whatever the number of updates."""
    rollouts: int = 24
    """Control steps between updates."""
    checkpoint: Path | None = None
    """Whole checkpoint (``checkpoints/agent_*.pt``) to go on from."""
    run_dir: Path | None = None
    """Folder for the run; ``None`` makes one under ``runs/``."""
    logger: str = "tensorboard"
    """``tensorboard`` or ``wandb``."""

    features: tuple[str, ...] = (
        "joint_pos",
        "joint_vel",
        "root_height",
        "projected_gravity",
        "root_lin_vel",
        "root_ang_vel",
    )
    """What the discriminator sees, see :data:`amp_helpers.amp_state.FEATURE_DIMS`."""
    window: int = 6
    """Frames that it sees at once."""
    stride: int = 2
    """Control steps between them."""
    drop_joints: tuple[str, ...] = ()
    """Joints that it does not see: ``feet``, or regular expressions."""
    amp_group: str | None = None
    """Observation group to read AMP states from; ``None`` reads the simulator."""
    task_weight: float = 1.0
    style_weight: float = 15.0
    """Weight of the style reward, per second; see :class:`amp_helpers.agent_cfg.AmpAgentCfg`."""
    discriminator_loss: str = "lsgan"
    gradient_penalty: float = 10.0
    discriminator_learning_rate: float = 1e-4
    reference_share: float | None = None
    """Share of episodes that start in a reference state; ``None`` is 0.8 on this project's task and 0 on others."""
    velocity_range: tuple[float, float] | None = None
    """Lowest and highest commanded speed, m/s; ``None`` is 0.5 to 1.1 on this project's task, others' own."""
    initial_std: float = 1.0
    """Standard deviation of the untrained policy's actions."""
    entropy: float = 0.005
    """Weight of the entropy bonus, which keeps that deviation up."""
    hidden: tuple[int, ...] = (512, 256, 128)
    """Widths of policy and value."""
    discriminator_hidden: tuple[int, ...] = (1024, 512)


class _OutOfTime(Exception):
    """Raised from a listener, because skrl's trainer has no way to stop early."""


def train(cfg: TrainCfg, on_update: Callable[[Any], None] | None = None, progress: bool = True) -> Path:
    """Train, and leave a run folder behind.

    The folder holds ``config.json``, ``health.jsonl`` (a line an update), ``checkpoints/`` (whole agents),
    ``policy.pt`` (what :mod:`amp_helpers.evaluate` plays) and TensorBoard's events. Interrupting keeps what was learnt.

    Args:
        cfg: the run.
        on_update: called with each update's :class:`amp_helpers.health.Health`.
        progress: show a progress bar.

    Returns:
        The run folder.

    Raises:
        InputError: for anything in ``cfg`` that cannot be, before training starts and before anything is written; and
            when training diverges or the disk is full, in which case what was written before is kept.
    """
    started = time.time()
    from . import warp_start  # noqa: F401 - before skrl, which would start Warp aloud

    # isort: split
    import torch
    from skrl import logger as skrl_logger
    from skrl.trainers.torch import SequentialTrainer
    from skrl.utils import set_seed
    from tqdm.auto import tqdm

    from .amp_state import AmpState
    from .checkpoint import check_parts
    from .dataset import MotionDataset
    from .env import AmpEnv, default_pose, make_env
    from .policy import CONFIG_FILE, save_policy, state_config, write_json

    skrl_logger.setLevel(logging.WARNING)
    cfg = resolve(cfg)
    dataset = MotionDataset.load(cfg.dataset)
    state = AmpState(joint_names=dataset.joint_names, features=cfg.features, window=cfg.window, stride=cfg.stride)
    state = state.without(drop_patterns(cfg.drop_joints)) if cfg.drop_joints else state
    set_seed(cfg.seed)
    with (
        make_env(
            cfg.task,
            num_envs=cfg.num_envs,
            device=cfg.device,
            seed=cfg.seed,
            physics=cfg.physics,
            dataset=cfg.dataset if cfg.reference_share else None,
            reference_share=cfg.reference_share,
            velocity=cfg.velocity_range,
        ) as lab,
        writing(cfg.run_dir),
    ):
        dataset = MotionDataset.load(cfg.dataset, control_dt=lab.step_dt)
        check_joints(cfg.dataset, dataset, lab.scene["robot"])
        windows = state.from_dataset(dataset, default_pose(lab)).to(lab.device)
        env = AmpEnv(lab, state, cfg.amp_group, stagger=True)
        agent = build_agent(cfg, env, windows, lab.step_dt)
        if cfg.checkpoint:
            check_parts(cfg.checkpoint, agent.checkpoint_modules)
        trainer = SequentialTrainer(
            env=env,
            agents=agent,
            cfg={
                "timesteps": cfg.max_iterations * cfg.rollouts,
                "headless": True,
                "disable_progressbar": True,
                "close_environment_at_exit": False,
                "environment_info": "log",
            },
        )
        if cfg.checkpoint:
            agent.load(str(cfg.checkpoint))
        config = run_config(cfg, state_config(state), dataset)
        # Now already, so that the checkpoints of a run that is cut short can be played.
        write_json(cfg.run_dir / CONFIG_FILE, config)
        with (
            open(cfg.run_dir / "health.jsonl", "a") as log,
            tqdm(total=cfg.max_iterations, unit="update", disable=not progress) as bar,
        ):

            def record(health: Any) -> None:
                check_finite(cfg.run_dir, health)
                elapsed = time.time() - started
                log.write(json.dumps(asdict(health) | {"wall_s": round(elapsed, 2)}) + "\n")
                log.flush()
                bar.update()
                bar.set_postfix(style=f"{health.style_reward:.2f}", task=f"{health.weighted_task:.2f}/s", refresh=False)
                if on_update:
                    on_update(health)
                if cfg.max_seconds and elapsed > cfg.max_seconds:
                    raise _OutOfTime

            agent.on_update.append(record)
            try:
                trainer.train()
            except _OutOfTime:
                pass
            except KeyboardInterrupt:
                print(f"interrupted after {agent.updates} updates; keeping them")
        if getattr(agent, "writer", None) is not None:
            agent.writer.close()
        config |= {"updates": agent.updates, "wall_s": round(time.time() - started, 1)}
        if torch.device(cfg.device).type == "cuda":
            config["peak_gpu_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        save_policy(cfg.run_dir, agent, config)
        agent.save(str(cfg.run_dir / "checkpoints" / "agent_last.pt"))
        env.close()
    return cfg.run_dir


def build_agent(cfg: TrainCfg, env: Any, windows: Any, step_dt: float) -> Any:
    """The agent with its networks and memories for a wrapped environment and reference windows (K, dim)."""
    import gymnasium
    import numpy as np
    import torch
    from skrl.memories.torch import RandomMemory
    from skrl.resources.preprocessors.torch import RunningStandardScaler

    from .agent import AmpAgent
    from .agent_cfg import AmpAgentCfg
    from .networks import Discriminator, Policy, Value

    device, rows = env.device, env.num_envs * cfg.rollouts
    amp_space = gymnasium.spaces.Box(-np.inf, np.inf, (windows.shape[-1],))
    scalers = {
        "observation_preprocessor": env.observation_space,
        "state_preprocessor": env.state_space,
        "value_preprocessor": 1,
        "amp_observation_preprocessor": amp_space,
    }
    preprocessors: dict[str, Any] = {}
    for name, size in scalers.items():
        if size is not None:
            preprocessors[name] = RunningStandardScaler
            preprocessors[f"{name}_kwargs"] = {"size": size, "device": device}
    return AmpAgent(
        models={
            "policy": Policy(
                env.observation_space, env.action_space, device, hidden=cfg.hidden, initial_std=cfg.initial_std
            ),
            "value": Value(env.observation_space, env.state_space, env.action_space, device, hidden=cfg.hidden),
            "discriminator": Discriminator(amp_space, env.action_space, device, hidden=cfg.discriminator_hidden),
        },
        memory=RandomMemory(memory_size=cfg.rollouts, num_envs=env.num_envs, device=device),
        reply_buffer=RandomMemory(memory_size=min(50_000, 50 * rows), num_envs=1, device=device),
        observation_space=env.observation_space,
        state_space=env.state_space,
        action_space=env.action_space,
        amp_observation_space=amp_space,
        device=device,
        collect_reference_motions=lambda n: windows[torch.randint(len(windows), (n,), device=device)],
        cfg=AmpAgentCfg(
            rollouts=cfg.rollouts,
            task_reward_scale=cfg.task_weight,
            style_reward_scale=cfg.style_weight,
            step_dt=step_dt,
            entropy_loss_scale=cfg.entropy,
            discriminator_loss=cfg.discriminator_loss,
            discriminator_gradient_penalty_scale=cfg.gradient_penalty,
            discriminator_learning_rate=cfg.discriminator_learning_rate,
            experiment={
                "directory": str(cfg.run_dir.parent),
                "experiment_name": cfg.run_dir.name,
                "write_interval": cfg.rollouts,
                "checkpoint_interval": 100 * cfg.rollouts,
                "wandb": cfg.logger == "wandb",
            },
            **preprocessors,
        ),
    )


def resolve(cfg: TrainCfg) -> TrainCfg:
    """Fill in what depends on the device and the time, and refuse what cannot be."""
    from .env import check_device

    check_device(cfg.device)
    check_numbers(cfg)
    if cfg.logger not in ("tensorboard", "wandb"):
        raise InputError(f"logger '{cfg.logger}' not found; available: tensorboard, wandb")
    if cfg.logger == "wandb":
        import importlib.util

        if importlib.util.find_spec("wandb") is None:
            raise InputError("wandb is not installed; pip install wandb, or use --logger tensorboard")
    ours = cfg.task == DEFAULT_TASK
    run_dir = Path(cfg.run_dir or ROOT / "runs" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")).resolve()
    check_run_dir(run_dir, cfg.checkpoint)
    return replace(
        cfg,
        reference_share=cfg.reference_share if cfg.reference_share is not None else (0.8 if ours else 0.0),
        velocity_range=cfg.velocity_range or ((0.5, 1.1) if ours else None),
        num_envs=cfg.num_envs or (4096 if cfg.device.startswith("cuda") else 16),
        run_dir=run_dir,
    )


def drop_patterns(names: Sequence[str]) -> tuple[str, ...]:
    """``feet`` stands for the ankle joints; anything else is a regular expression."""
    return tuple(".*ankle.*" if name == "feet" else name for name in names)


def run_config(cfg: TrainCfg, state: dict[str, Any], dataset: Any) -> dict[str, Any]:
    """What ``config.json`` says: enough to train the same again."""
    values = {f.name: getattr(cfg, f.name) for f in fields(cfg)}
    values = {k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    # Paths are of one machine; what they lead to is named by content, below.
    del values["run_dir"], values["checkpoint"]
    values["dataset"] = cfg.dataset.name
    return values | {
        "amp_state": state,
        "joint_names": list(dataset.joint_names),
        "dataset_sources": list(dataset.source),
        "dataset_sha256": list(dataset.sha256),
        "commit": _commit(),
    }


def _commit() -> str:
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError:  # a machine without git trains all the same
        return "unknown"
    return commit.stdout.strip() if commit.returncode == 0 else "unknown"


def parse(arguments: Sequence[str] | None = None) -> TrainCfg:
    """The command line as a configuration; option names follow Isaac Lab's scripts."""
    default = TrainCfg()
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.train", description=__doc__)
    parser.add_argument(
        "--headless", action="store_true", help="accepted for Isaac Lab's sake; training opens no window"
    )
    for name, kind, text in (
        ("dataset", Path, "dataset to imitate"),
        ("task", str, "registered task"),
        ("num_envs", int, "environments (4096 on a GPU, 16 on a CPU)"),
        ("device", str, "cpu or cuda:0"),
        ("physics", str, "physics preset, such as newton_mjwarp"),
        ("seed", int, "random seed"),
        ("max_iterations", int, "updates"),
        ("max_seconds", float, "stop after this much wall clock"),
        ("rollouts", int, "control steps between updates"),
        ("checkpoint", Path, "whole checkpoint to go on from"),
        ("run_dir", Path, "folder of the run"),
        ("logger", str, "tensorboard or wandb"),
        ("window", int, "frames in an AMP window"),
        ("stride", int, "control steps between two of them"),
        ("amp_group", str, "observation group to read AMP states from, instead of the simulator"),
        ("task_weight", float, "weight of the task reward"),
        ("style_weight", float, "weight of the style reward, per second"),
        ("discriminator_loss", str, "lsgan or bce"),
        ("gradient_penalty", float, "weight of the discriminator's gradient penalty"),
        ("discriminator_learning_rate", float, "fixed rate of the discriminator"),
        ("initial_std", float, "standard deviation of the untrained policy's actions"),
        ("entropy", float, "weight of the entropy bonus"),
        ("reference_share", float, "share of episodes that start in a reference state"),
    ):
        shown = getattr(default, name)
        shown = shown.relative_to(ROOT) if name == "dataset" else shown
        parser.add_argument(f"--{name}", type=kind, default=getattr(default, name), help=f"{text} (default: {shown})")
    parser.add_argument("--features", nargs="+", default=default.features, help="what the discriminator sees")
    parser.add_argument(
        "--drop_joints", nargs="+", default=(), help="'feet' or patterns the discriminator does not see"
    )
    parser.add_argument("--velocity_range", nargs=2, type=float, help="lowest and highest commanded speed, m/s")
    parser.add_argument("--hidden", nargs="+", type=int, default=default.hidden, help="widths of policy and value")
    values = vars(parser.parse_args(arguments))
    del values["headless"]
    return TrainCfg(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def main() -> int:
    """Train from the command line."""
    cfg = parse()
    last: list[Any] = []
    folder = train(cfg, on_update=lambda health: last.__setitem__(slice(None), [health]))
    print(last[0].sentence if last else "no update was finished")
    print(f"run: {folder}")
    print(f"next: python -m amp_helpers.evaluate --checkpoint {folder} --velocity 0.8 --output DIR")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
