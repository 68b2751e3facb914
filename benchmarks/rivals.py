"""Train skrl's AMP class on this project's task: ``python benchmarks/rivals.py --device cuda:0 --max_seconds 410``.

The run folder has the same form as that of ``python -m amp_helpers.train``, so that ``python -m amp_helpers.evaluate
--checkpoint RUN`` measures the policy unchanged. Task, dataset and reference state initialization are the same too.

``--settings`` selects one of:

``documented`` (default)
    The settings that Isaac Lab ships for skrl's AMP, read from the installed file
    ``isaaclab_tasks/contrib/humanoid_amp/agents/skrl_walk_amp_cfg.yaml`` (Isaac Lab 3.0.0): rollouts of 16 steps, 6
    epochs of 2 mini batches, one Adam optimizer at a fixed learning rate of 5e-5 for all three networks, no gradient
    clipping, action standard deviation fixed at exp(-2.9) = 0.055, networks 1024-512, discriminator batch 4096, its
    loss scaled by 5, gradient penalty 5, logit regularization 0.05, weight decay 1e-4, a motion dataset of 200,000
    windows in batches of 512, a replay buffer of 1,000,000, **task reward 0, style reward 2**. Windows of two frames
    one step apart, as in its ``humanoid_amp_env_cfg.py`` (``num_amp_observations = 2``). These are also the defaults of
    skrl 2.1.1's ``AMP_CFG``, except for gradient clipping (0.5 there) and the discriminator batch (all rows there).
    skrl 1.x expressed the same weights as task 0.0, style 1.0 and ``discriminator_reward_scale`` 2.
``matched``
    The same class with this project's rollout length, epochs, mini batches, networks, windows, noise and reward
    weights, and skrl's ``KLAdaptiveLR``; used in ``benchmarks/throughput.py``.

Rewards in skrl 2.1.1 (``agents/torch/amp/amp.py``): the reward of a step is ``task_reward_scale * task +
style_reward_scale * style`` with ``style = -log(max(1 - sigmoid(logit), 1e-4))``, 0 to 9.2. ``task`` is the
environment's reward, which Isaac Lab multiplies by the control step of 0.02 s. A style weight of skrl therefore counts
1/0.02 = 50 times as much as the weight of a reward term: 0.1 corresponds to ``train --style_weight 5``. Its gradient
penalty has no factor 1/2: 5 corresponds to ``train --gradient_penalty 10``.

Inputs of skrl's class: ``infos["amp_obs"]`` of :class:`amp_helpers.env.AmpEnv`, with correct terminal frames (skrl also
trains on incomplete windows), and ``collect_reference_motions``, which draws windows of the dataset at random. Its
motion dataset of 200,000, filled in batches of 512, wraps around without being marked full, so that it starts with the
192 windows of the overflow. Two settings differ from the file above: the activations are ELU, as ``evaluate`` expects,
and the value function's input is the task's ``critic`` group.
"""

import argparse
import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import amp_helpers.env  # noqa: F401 - before skrl, which would start Warp with output

# isort: split
import isaaclab_tasks
import numpy as np
import torch
from gymnasium.spaces import Box
from skrl.agents.torch.amp import AMP, AMP_CFG
from skrl.memories.torch import RandomMemory
from skrl.resources.preprocessors.torch import RunningStandardScaler
from skrl.resources.schedulers.torch import KLAdaptiveLR
from skrl.utils import set_seed

from amp_helpers.agent import (
    STYLE_REWARD_LIMIT,
    AmpAgentCfg,
    Discriminator,
    Health,
    Policy,
    Value,
    discriminator_loss,
    style_reward,
)
from amp_helpers.dataset import MotionDataset
from amp_helpers.env import AmpEnv
from amp_helpers.errors import run_cli
from amp_helpers.training import REFINED_DATASET, RunRecorder, TrainCfg, TrainingSetup, open_env, resolve

SETTINGS = ("documented", "matched")
STEP_DT = 0.02
"""Control step of this project's task, s."""
SHIPPED = Path(isaaclab_tasks.__file__).parent / "contrib/humanoid_amp/agents/skrl_walk_amp_cfg.yaml"


class ObservedAmp(AMP):
    """skrl's AMP unchanged, with a :class:`Health` record after each update."""

    def __init__(self, *, step_dt: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.updates = 0
        self.on_update: list[Callable[[Health], None]] = []
        self._step_dt = step_dt
        self._task: list[torch.Tensor] = []
        # Otherwise skrl copies all modules whenever the mean reward reaches a new maximum.
        self.checkpoint_best_modules["reward"] = float("inf")

    def record_transition(self, *, rewards: torch.Tensor, **transition: Any) -> None:
        self._task.append(rewards.mean())  # first, because skrl adds bootstrapped values to this tensor in place
        super().record_transition(rewards=rewards, **transition)

    def update(self, *, timestep: int, timesteps: int) -> None:
        amp = self.memory.get_tensor_by_name("amp_observations").flatten(0, 1)
        with torch.no_grad():
            style = style_reward(self._logits(self._amp_observation_preprocessor(amp)), "bce").mean().item()
        super().update(timestep=timestep, timesteps=timesteps)
        self.updates += 1
        health = self._health(amp, style)
        self._task.clear()
        for listener in self.on_update:
            listener(health)

    def _health(self, amp: torch.Tensor, style: float) -> Health:
        """Evaluate the discriminator after the update, on a sample; rewards are those of the rollout."""
        sample = torch.randint(len(amp), (min(4096, len(amp)),), device=self.device)
        scale = self._amp_observation_preprocessor
        _, figures = discriminator_loss(
            self._logits,
            scale(self.collect_reference_motions(len(sample))),
            scale(amp[sample]),
            "bce",
            2 * self.cfg.discriminator_gradient_penalty_scale,
        )
        task = torch.stack(self._task).mean().item()
        return Health(
            update=self.updates,
            policy_loss=self.tracking_data["Loss / Policy loss"][-1],
            value_loss=self.tracking_data["Loss / Value loss"][-1],
            kl=self._kl(sample),
            style_reward=style,
            style_reward_limit=STYLE_REWARD_LIMIT["bce"],
            weighted_style=self.cfg.style_reward_scale * style / self._step_dt,
            weighted_task=self.cfg.task_reward_scale * task / self._step_dt,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            action_std=self.policy.log_std.detach().exp().mean().item(),
            **{name: value.item() for name, value in figures.items()},
        )

    @torch.no_grad()
    def _kl(self, sample: torch.Tensor) -> float:
        observations, actions, before = (
            self.memory.get_tensor_by_name(name).flatten(0, 1)[sample]
            for name in ("observations", "actions", "log_prob")
        )
        inputs = {"observations": self._observation_preprocessor(observations), "taken_actions": actions}
        log_ratio = self.policy.act(inputs, role="policy")[1]["log_prob"] - before
        return -log_ratio.mean().item()  # the exponential estimator overflows at this small action noise

    def _logits(self, windows: torch.Tensor) -> torch.Tensor:
        return self.discriminator.act({"observations": windows}, role="discriminator")[0]


def rival_cfg(settings: str, **options: Any) -> TrainCfg:
    """Configure a run of skrl's AMP in terms of ``TrainCfg``; reward weights are per second."""
    run: dict[str, Any] = {}
    knobs: dict[str, Any] = {"discriminator_loss": "bce", "final_std": 0.0}
    if settings == "documented":
        file = yaml.safe_load(SHIPPED.read_text())
        agent, policy = file["agent"], file["models"]["policy"]
        run = {"window": 2, "stride": 1, "drop_joints": ()}
        knobs |= {
            "rollouts": agent["rollouts"],
            "hidden": tuple(policy["network"][0]["layers"]),
            "discriminator_hidden": tuple(file["models"]["discriminator"]["network"][0]["layers"]),
            "initial_std": math.exp(policy["initial_log_std"]),
            "task_weight": agent["task_reward_scale"],
            "style_weight": agent["style_reward_scale"] / STEP_DT,
            "gradient_penalty": 2 * agent["discriminator_gradient_penalty_scale"],
            "discriminator_learning_rate": agent["learning_rate"],
            "entropy": agent["entropy_loss_scale"],
        }
    for name, value in options.items():
        if value is not None:
            (knobs if name in ("task_weight", "style_weight") else run)[name] = value
    return TrainCfg(**run, agent=AmpAgentCfg(**knobs))


def skrl_settings(settings: str, cfg: TrainCfg, step_dt: float) -> dict[str, Any]:
    """Return the fields of skrl's ``AMP_CFG`` that are plain values."""
    shipped = yaml.safe_load(SHIPPED.read_text())["agent"]
    values = {
        field.name: shipped[field.name]
        for field in dataclasses.fields(AMP_CFG)
        if isinstance(shipped.get(field.name), int | float)
    }
    values["gae_lambda"] = shipped["lambda"]
    if settings == "matched":
        ours = AmpAgentCfg()
        for name in (
            "learning_epochs",
            "mini_batches",
            "learning_rate",
            "value_loss_scale",
            "grad_norm_clip",
            "time_limit_bootstrap",
            "discriminator_batch_size",
        ):
            values[name] = getattr(ours, name)
        values["discriminator_loss_scale"] = 1.0
        values["discriminator_logit_regularization_scale"] = ours.discriminator_logit_regularization
        values["learning_rate_scheduler"] = KLAdaptiveLR
        values["learning_rate_scheduler_kwargs"] = {"kl_threshold": ours.kl_threshold}
    return values | {
        "rollouts": cfg.agent.rollouts,
        "task_reward_scale": cfg.agent.task_weight,
        "style_reward_scale": cfg.agent.style_weight * step_dt,
        "entropy_loss_scale": cfg.agent.entropy,
        "discriminator_gradient_penalty_scale": cfg.agent.gradient_penalty / 2,
    }


def build_skrl_amp(settings: str, setup: TrainingSetup, observed: bool = True) -> AMP:
    """Create skrl's AMP agent, with memories as in Isaac Lab's configuration.

    Args:
        settings: one of :data:`SETTINGS`.
        setup: setup of a run of :func:`rival_cfg`.
        observed: add health records; otherwise skrl's class itself.
    """
    cfg, env, windows, step_dt = setup.cfg, setup.env, setup.reference.windows, setup.env.lab.step_dt
    device, file = env.device, yaml.safe_load(SHIPPED.read_text())
    amp_space = Box(-np.inf, np.inf, (windows.shape[-1],))
    spaces = {
        "observation_space": env.observation_space,
        "state_space": env.state_space,
        "action_space": env.action_space,
    }
    scalers: dict[str, Any] = {}
    for name, size in {
        "observation": env.observation_space,
        "state": env.state_space,
        "value": 1,
        "amp_observation": amp_space,
    }.items():
        if size is not None:
            scalers[f"{name}_preprocessor"] = RunningStandardScaler
            scalers[f"{name}_preprocessor_kwargs"] = {"size": size, "device": device}
    policy = Policy(
        env.observation_space,
        env.action_space,
        device,
        hidden=cfg.agent.hidden,
        initial_std=cfg.agent.initial_std,
    )
    policy.log_std.requires_grad_(settings != "documented" or not file["models"]["policy"]["fixed_log_std"])
    values = skrl_settings(settings, cfg, step_dt)
    return (ObservedAmp if observed else AMP)(
        **({"step_dt": step_dt} if observed else {}),
        models={
            "policy": policy,
            "value": Value(*spaces.values(), device, hidden=cfg.agent.hidden),
            "discriminator": Discriminator(amp_space, env.action_space, device, hidden=cfg.agent.discriminator_hidden),
        },
        memory=RandomMemory(memory_size=cfg.agent.rollouts, num_envs=env.num_envs, device=device),
        motion_dataset=RandomMemory(memory_size=file["motion_dataset"]["memory_size"], device=device),
        reply_buffer=RandomMemory(memory_size=file["reply_buffer"]["memory_size"], device=device),
        collect_reference_motions=lambda n: windows[torch.randint(len(windows), (n,), device=device)],
        amp_observation_space=amp_space,
        device=device,
        cfg=AMP_CFG(
            **values,
            **scalers,
            experiment={
                "directory": str(cfg.run_dir.parent),
                "experiment_name": cfg.run_dir.name,
                "write_interval": cfg.agent.rollouts,
                "checkpoint_interval": 100 * cfg.agent.rollouts,
            },
        ),
        **spaces,
    )


def main() -> int:
    """Train skrl's AMP from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", choices=SETTINGS, default="documented")
    parser.add_argument("--task_reward_scale", type=float, help="task reward weight in skrl's units")
    parser.add_argument("--style_reward_scale", type=float, help="style reward weight in skrl's units")
    for name, kind in (("dataset", Path), ("run_dir", Path), ("device", str), ("max_seconds", float)):
        parser.add_argument(f"--{name}", type=kind, default=REFINED_DATASET if name == "dataset" else None)
    for name, default in (("num_envs", None), ("seed", 0), ("max_iterations", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = vars(parser.parse_args())
    settings = options.pop("settings")
    options["task_weight"] = options.pop("task_reward_scale")
    style = options.pop("style_reward_scale")
    options["style_weight"] = None if style is None else style / STEP_DT
    history: list[Health] = []
    folder = train_rival(settings, rival_cfg(settings, **options), history.append)
    print(history[-1].sentence if history else "no update was finished")
    print(f"run: {folder}")
    return 0


def train_rival(
    settings: str, cfg: TrainCfg, on_update: Callable[[Health], None] = lambda health: None, progress: bool = True
) -> Path:
    """Train skrl's AMP, and write a run folder as :func:`amp_helpers.train.train` does."""
    started = time.monotonic()
    cfg = resolve(cfg)
    dataset = MotionDataset.load(cfg.dataset)
    set_seed(cfg.seed)
    with open_env(cfg, dataset) as lab, TrainingSetup.wrap(cfg, dataset, lab) as setup:
        agent = build_skrl_amp(settings, setup)
        facts = {"rival": f"skrl.agents.torch.amp.AMP, {settings}", "skrl": skrl_settings(settings, cfg, lab.step_dt)}
        with RunRecorder(setup, started, progress, facts) as recorder:
            agent.on_update += [recorder.record, on_update]
            agent.init()
            agent.enable_training_mode(True)
            _skrl_loop(setup.env, agent, cfg, recorder.should_stop)
            agent.writer.close()
            recorder.save(agent)
    return recorder.folder


def _skrl_loop(env: AmpEnv, agent: AMP, cfg: TrainCfg, should_stop: Callable[[], bool]) -> None:
    """Make the calls of skrl's ``SequentialTrainer``, which has no condition for stopping early."""
    timesteps = cfg.max_iterations * cfg.agent.rollouts
    observations, _ = env.reset()
    states = env.state()
    for timestep in range(timesteps):
        now = {"timestep": timestep, "timesteps": timesteps}
        agent.pre_interaction(**now)
        with torch.no_grad():
            actions, _ = agent.act(observations, states, **now)
            next_observations, rewards, terminated, truncated, infos = env.step(actions)
            next_states = env.state()
            agent.record_transition(
                observations=observations,
                states=states,
                actions=actions,
                rewards=rewards,
                next_observations=next_observations,
                next_states=next_states,
                terminated=terminated,
                truncated=truncated,
                infos=infos,
                **now,
            )
        agent.post_interaction(**now)
        observations, states = next_observations, next_states
        if (timestep + 1) % cfg.agent.rollouts == 0 and should_stop():
            break


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
