"""Train a policy with AMP on an Isaac Lab task: ``python -m amp_helpers.train --num_envs 4096 --headless``."""

import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from amp_helpers.dataset import check_joints
from amp_helpers.errors import run_cli
from amp_helpers.training.cfg import TrainCfg, drop_patterns, parse, resolve, run_config
from amp_helpers.training.run_folder import check_finite, writing


class _Enough(Exception):
    """Raised from a listener, because skrl's trainer has no way to stop early."""


def train(
    cfg: TrainCfg,
    on_update: Callable[[Any], None] | None = None,
    progress: bool = True,
    build: Callable[[TrainCfg, Any, Any, float], Any] | None = None,
) -> Path:
    """Train, and leave a run folder behind.

    The folder holds ``config.json``, ``health.jsonl`` (a line an update), ``checkpoints/`` (whole agents),
    ``policy.pt`` (what :mod:`amp_helpers.evaluate` plays) and TensorBoard's events. Interrupting it, or
    :func:`amp_helpers.training.run_folder.request_stop`, ends it early and keeps what was learnt.

    Args:
        cfg: the run.
        on_update: called with each update's :class:`amp_helpers.agent.health.Health`.
        progress: show a progress bar.
        build: makes the agent in the place of :func:`build_agent`, for comparisons with another.

    Returns:
        The run folder.

    Raises:
        InputError: for anything in ``cfg`` that cannot be, before training starts and before anything is written; and
            when training diverges or the disk is full, in which case what was written before is kept.
    """
    started = time.time()
    from amp_helpers.env import quiet_warp  # noqa: F401 - before skrl, which would start Warp aloud

    # isort: split
    import torch
    from skrl import logger as skrl_logger
    from skrl.utils import set_seed
    from tqdm.auto import tqdm

    from amp_helpers.agent.checkpoint import check_parts
    from amp_helpers.dataset import MotionDataset
    from amp_helpers.env.make import default_pose
    from amp_helpers.env.wrapper import AmpEnv
    from amp_helpers.training.background import abandoned
    from amp_helpers.training.gait_probe import watch_gait
    from amp_helpers.training.policy import CONFIG_FILE, save_policy, state_config, write_json
    from amp_helpers.training.run_folder import HEALTH_FILE, clear_stop, stop_requested

    skrl_logger.setLevel(logging.WARNING)
    cfg = resolve(cfg)
    clear_stop(cfg.run_dir)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as Isaac Lab's own scripts allow
    dataset = MotionDataset.load(cfg.dataset)
    state = amp_state(cfg, dataset)
    set_seed(cfg.seed)
    with open_env(cfg) as lab, writing(cfg.run_dir):
        dataset = MotionDataset.load(cfg.dataset, control_dt=lab.step_dt)
        check_joints(cfg.dataset, dataset, lab.scene["robot"])
        windows = state.from_dataset(dataset, default_pose(lab)).to(lab.device)
        env = AmpEnv(lab, state, cfg.amp_group, stagger=True)
        gait = watch_gait(env, dataset.clips()[0])
        for caveat in getattr(env.source, "caveats", ()):
            print(f"note: {caveat}")
        weights = state.window_weights(dataset).to(lab.device)
        agent = (build or partial(build_agent, weights=weights))(cfg, env, windows, lab.step_dt)
        if cfg.checkpoint:
            check_parts(cfg.checkpoint, agent.checkpoint_modules)
        trainer = build_trainer(cfg, env, agent)
        if cfg.checkpoint:
            agent.load(str(cfg.checkpoint))
        config = run_config(cfg, state_config(state), dataset)
        # Now already, so that the checkpoints of a run that is cut short can be played.
        write_json(cfg.run_dir / CONFIG_FILE, config)
        with (
            open(cfg.run_dir / HEALTH_FILE, "a") as log,
            tqdm(total=cfg.max_iterations, unit="update", disable=not progress) as bar,
        ):

            def record(health: Any) -> None:
                check_finite(cfg.run_dir, health)
                elapsed = time.time() - started
                line = asdict(health) | {"wall_s": round(elapsed, 2)}
                if numbers := gait.measure():
                    line["gait"] = numbers
                log.write(json.dumps(line) + "\n")
                log.flush()
                bar.update()
                bar.set_postfix(style=f"{health.style_reward:.2f}", task=f"{health.weighted_task:.2f}/s", refresh=False)
                if on_update:
                    on_update(health)
                late = cfg.max_seconds and elapsed > cfg.max_seconds
                if late or stop_requested(cfg.run_dir) or abandoned():
                    raise _Enough

            agent.on_update.append(record)
            with contextlib.suppress(_Enough):
                try:
                    trainer.train()
                except KeyboardInterrupt:
                    print(f"interrupted after {agent.updates} updates; keeping them")
                finally:
                    env.meanwhile.catch_up()
        if getattr(agent, "writer", None) is not None:
            agent.writer.close()
        config |= {"updates": agent.updates, "wall_s": round(time.time() - started, 1)}
        if torch.device(cfg.device).type == "cuda":
            config["peak_gpu_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        save_policy(cfg.run_dir, agent, config)
        agent.save(str(cfg.run_dir / "checkpoints" / "agent_last.pt"))
        env.close()
    return cfg.run_dir


def open_env(cfg: TrainCfg) -> contextlib.AbstractContextManager:
    """The environment that a run trains in, to be entered; raises what :func:`amp_helpers.env.make.make_env` does."""
    from amp_helpers.env.make import make_env

    return make_env(
        cfg.task,
        num_envs=cfg.num_envs,
        device=cfg.device,
        seed=cfg.seed,
        physics=cfg.physics,
        dataset=cfg.dataset if cfg.reference_share else None,
        reference_share=cfg.reference_share,
        velocity=cfg.velocity_range,
    )


def amp_state(cfg: TrainCfg, dataset: Any) -> Any:
    """What a run's discriminator sees, an :class:`amp_helpers.amp_state.AmpState`; ``dataset`` names the joints."""
    from amp_helpers.amp_state.state import AmpState

    state = AmpState(joint_names=dataset.joint_names, features=cfg.features, window=cfg.window, stride=cfg.stride)
    return state.without(drop_patterns(cfg.drop_joints, cfg.robot, dataset))


def build_agent(cfg: TrainCfg, env: Any, windows: Any, step_dt: float, weights: Any = None) -> Any:
    """The agent with its networks and memories for a wrapped environment and reference windows (K, dim).

    ``weights`` (K,) say how often each window is drawn; without them all are drawn alike.
    """
    import gymnasium
    import numpy as np
    import torch
    from skrl.memories.torch import RandomMemory
    from skrl.resources.preprocessors.torch import RunningStandardScaler

    from amp_helpers.agent.amp_agent import AmpAgent
    from amp_helpers.agent.cfg import AmpAgentCfg
    from amp_helpers.agent.networks import Discriminator, Policy, Value
    from amp_helpers.amp_state.state import weighted_rows

    device, rows = env.device, env.num_envs * cfg.rollouts
    draw = weighted_rows(torch.ones(len(windows), device=device) if weights is None else weights)
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
        collect_reference_motions=lambda n: windows[draw(n)],
        meanwhile=env.meanwhile,
        cfg=AmpAgentCfg(
            rollouts=cfg.rollouts,
            task_reward_scale=cfg.task_weight,
            style_reward_scale=cfg.style_weight,
            step_dt=step_dt,
            entropy_loss_scale=cfg.entropy,
            discriminator_loss=cfg.discriminator_loss,
            discriminator_gradient_penalty_scale=cfg.gradient_penalty,
            discriminator_learning_rate=cfg.discriminator_learning_rate,
            discriminator_epochs=cfg.discriminator_epochs,
            discriminator_input_noise=cfg.discriminator_noise,
            final_action_std=cfg.final_std,
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


def build_trainer(cfg: TrainCfg, env: Any, agent: Any) -> Any:
    """skrl's trainer for ``max_iterations`` updates; making it also makes the agent's memories."""
    from skrl.trainers.torch import SequentialTrainer

    return SequentialTrainer(
        env=env,
        agents=agent,
        cfg={
            "timesteps": cfg.max_iterations * cfg.rollouts,
            "headless": True,
            "disable_progressbar": True,
            "close_environment_at_exit": False,
            "environment_info": "",  # skrl would fetch each figure every step; AmpAgent does so once an update
        },
    )


def main() -> int:
    """Train from the command line."""
    from amp_helpers.dataset import MotionDataset

    cfg = parse()
    history: list[Any] = []
    folder = train(cfg, on_update=history.append)
    print(history[-1].sentence if history else "no update was finished")
    print(f"run: {folder}")
    speed = MotionDataset.load(cfg.dataset).clips()[0].forward_speed
    print(f"next: python -m amp_helpers.evaluate --checkpoint {folder} --velocity {speed:.2f} --output DIR")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
