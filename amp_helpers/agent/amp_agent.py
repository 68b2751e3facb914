"""AMP on skrl: its constructor, trainer, wrappers and memories; its own rules where skrl's go silently wrong.

Adversarial Motion Priors are from Peng et al. 2021, https://arxiv.org/abs/2104.02180.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from skrl.agents.torch import Agent
from skrl.agents.torch.amp import AMP

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.checkpoint import Slot, load_parts, random_state, save_parts, set_random_state
from amp_helpers.agent.cuda_graphs import Recorded, fetch_figures
from amp_helpers.agent.gradients import step_gradients
from amp_helpers.agent.health import Health
from amp_helpers.agent.losses import STYLE_REWARD_LIMIT, generalised_advantages, style_reward
from amp_helpers.agent.optimizers import (
    apply_gradients,
    discriminator_optimizer,
    policy_optimizer,
    quieten,
    steer_learning_rate,
)
from amp_helpers.agent.replay_buffer import Replay
from amp_helpers.errors import InputError
from amp_helpers.utils.deferred import AtOnce, Meanwhile


class AmpAgent(AMP):
    """AMP with separate optimisers, a choice of discriminator loss, whole windows only, and a health record.

    Takes the constructor arguments of :class:`skrl.agents.torch.amp.AMP`. ``collect_reference_motions(n)`` gives ``n``
    reference windows (n, dim) on the agent's device; ``motion_dataset`` is not needed, because they are drawn anew for
    every step. ``reply_buffer`` is a skrl memory of one environment (skrl's spelling).

    ``meanwhile`` is where whoever drives the agent does what nothing waits for, storing a step among it; without one it
    is done at once. What is given to the agent must hold until then.

    The environment's ``infos`` must hold ``amp_obs`` (E, dim), ``amp_whole`` (E,) bool, and, where a time-out cut an
    episode, ``terminal_observations`` / ``terminal_states``: what value and policy would have seen had it gone on
    (see :class:`amp_helpers.env.wrapper.AmpEnv`).
    """

    cfg: AmpAgentCfg

    def __init__(
        self, *, cfg: AmpAgentCfg | dict | None = None, meanwhile: Meanwhile | None = None, **kwargs: Any
    ) -> None:
        cfg = AmpAgentCfg(**cfg) if isinstance(cfg, dict) else cfg or AmpAgentCfg()
        cfg.validate()
        super().__init__(cfg=cfg, **kwargs)
        if not callable(self.collect_reference_motions):
            raise InputError("collect_reference_motions is missing; give a function that returns n reference windows")
        self._actor_parameters = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = policy_optimizer(self._actor_parameters, cfg)
        self.discriminator_optimizer = discriminator_optimizer(self.discriminator, cfg)
        self._draw = Recorded(torch.no_grad()(lambda **inputs: self.policy.act(inputs, role="policy")))
        self._gradients = Recorded(step_gradients(self.policy, self.value, self.discriminator, cfg))
        self._advantages = Recorded(
            partial(generalised_advantages, discount=cfg.discount_factor, gae_lambda=cfg.gae_lambda)
        )
        self.scheduler = None  # the rate is steered for the policy and value alone
        self.replay: Replay | None = None
        self.checkpoint_modules["optimizer"] = self.optimizer
        self.checkpoint_modules["discriminator_optimizer"] = self.discriminator_optimizer
        self.checkpoint_modules["random_state"] = Slot(random_state, set_random_state)
        self.checkpoint_modules["progress"] = Slot(lambda: {"updates": self.updates}, self._set_progress)
        # skrl would copy every module, replay included, whenever the mean reward is a new best.
        self.checkpoint_best_modules["reward"] = float("inf")
        self.updates = 0
        self._meanwhile = meanwhile or AtOnce()
        # Before a checkpoint is taken over, so that a run that goes on keeps to the schedule it was on.
        self._loudest = self.policy.log_std.max().item() if cfg.final_action_std else None
        self.on_update: list[Callable[[Health], None]] = []

    def init(self, *, trainer_cfg: Any = None) -> None:
        """Create the memories' tensors; skrl's trainer calls this."""
        Agent.init(self, trainer_cfg=trainer_cfg)
        self.enable_models_training_mode(False)
        sizes = {
            "observations": self.observation_space,
            "states": self.state_space,
            "terminal": self.observation_space if self.state_space is None else self.state_space,
            "actions": self.action_space,
            "amp_observations": self.amp_observation_space,
        }
        for name in ("rewards", "log_prob", "values", "returns", "advantages"):
            sizes[name] = 1
        for name, size in sizes.items():
            self.memory.create_tensor(name=name, size=size, dtype=torch.float32)
        for name in ("done", "cut", "amp_whole"):
            self.memory.create_tensor(name=name, size=1, dtype=torch.bool)
        if self.reply_buffer is not None:
            self.reply_buffer.create_tensor(name="observations", size=self.amp_observation_space, dtype=torch.float32)
            self.replay = Replay(self.reply_buffer, self.cfg.replay_share)
            self.checkpoint_modules["replay"] = self.replay
        self._current_next_observations = self._current_next_states = None
        self._log: dict[str, Any] = {}
        self._rollout = 0

    # -- collecting: as few kernels a step as it takes, because launching them is what a step's time goes into --

    def act(
        self, observations: torch.Tensor, states: torch.Tensor | None, *, timestep: int, timesteps: int
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Draw actions. The values wait for the update, where one pass over the rollout gives them all."""
        actions, outputs = self._draw(**self._inputs(observations, None))  # policies see no states
        self._current_log_prob = outputs["log_prob"].clone()
        return actions.clone(), outputs

    def record_transition(self, *, infos: Any, **transition: Any) -> None:
        """Store a step.

        skrl would fetch a dozen figures from the device for its statistics, and wait for each. The environment's own
        (``infos["log"]``) are tracked once an update instead.
        """
        if not self.training:
            return
        self._log = infos.get("log", {})
        self._current_next_observations = transition["next_observations"]
        self._current_next_states = transition["next_states"]
        truncated, terminated = transition["truncated"], transition["terminated"]
        kind = "observations" if self.state_space is None else "states"
        terminal = infos[f"terminal_{kind}"]
        log_prob = self._current_log_prob

        def store() -> None:
            self.memory.add_samples(
                observations=transition["observations"],
                states=transition["states"],
                terminal=transition[kind] if terminal is None else terminal,
                actions=transition["actions"],
                rewards=transition["rewards"],
                done=terminated | truncated,
                cut=truncated & ~terminated,
                log_prob=log_prob,
                amp_observations=infos["amp_obs"],
                amp_whole=infos["amp_whole"].view(-1, 1),
            )

        self._meanwhile.add(store)

    def _inputs(self, observations: torch.Tensor | None, states: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """What policy and value are given: normalised, without what the task does not have."""
        scaled = {
            "observations": self._observation_preprocessor(observations),
            "states": self._state_preprocessor(states),
        }
        return {name: values for name, values in scaled.items() if values is not None}

    @torch.no_grad()
    def _values(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        values, _ = self.value.act(inputs, role="value")
        return self._value_preprocessor(values, inverse=True)

    def _bootstrap(self) -> torch.Tensor:
        """What the states that time-outs cut were worth, (T, E, 1), discounted; zero where nothing was cut.

        Kept apart from the task's reward, which is weighed against the style: the value speaks of both.
        """
        cut = self.memory.get_tensor_by_name("cut")
        worth = torch.zeros_like(cut, dtype=torch.float32)
        if self.cfg.time_limit_bootstrap and cut.any():
            terminal = self.memory.get_tensor_by_name("terminal")[cut.squeeze(-1)]
            inputs = self._inputs(terminal, None) if self.state_space is None else self._inputs(None, terminal)
            worth[cut] = self.cfg.discount_factor * self._values(inputs).flatten()
        return worth

    # -- learning --

    def update(self, *, timestep: int, timesteps: int) -> None:
        """One PPO update and, in the same minibatches, one of the discriminator.

        The host asks the device nothing after its first lines, so that it goes on to the next step while the device
        still learns.
        """
        self._meanwhile.catch_up()
        observations, states = self._rows("observations"), self._rows("states")
        amp, whole = self._rows("amp_observations"), self._rows("amp_whole").flatten()
        # Their numbers, not a copy of them: its size would differ from update to update, and memory be asked for anew.
        learnable = whole.nonzero().squeeze(-1)
        inputs = self._inputs(observations, states)
        style = self._prepare_rollout(inputs, amp, whole)
        if len(learnable):
            # Once an update: a scale that moved within one would move the logits under the reward.
            mixture = torch.cat((self._pick(amp, learnable), self._reference()))
            self._amp_observation_preprocessor(mixture, train=True)

        learnt_from = inputs | {n: self._rows(n) for n in ("actions", "log_prob", "values", "returns", "advantages")}
        told: dict[str, list[torch.Tensor]] = {}
        for epoch in range(self.cfg.learning_epochs):
            for batch in torch.randperm(len(whole), device=self.device).chunk(self.cfg.mini_batches):
                rows = {name: values[batch] for name, values in learnt_from.items()}
                if len(learnable) and epoch < self.cfg.discriminator_epochs:
                    rows |= self._windows(amp, learnable)
                for name, figure in self._step(rows).items():
                    told.setdefault(name, []).append(figure.clone())
            kl = torch.stack(told["kl"][-self.cfg.mini_batches :]).mean()
            steer_learning_rate(self.optimizer, kl, self.cfg)
        # After the steps, not within them: the policy that acted is the one that the ratio compares with.
        self._observation_preprocessor(observations, train=True)
        if states is not None:  # a task without a critic group has none
            self._state_preprocessor(states, train=True)
        if self.replay is not None:
            self.replay.add(amp, learnable)
        self.updates += 1
        if self._loudest is not None:
            quieten(self.policy.log_std, self._loudest, self.updates, self.cfg)
        self._report({name: torch.stack(figures).mean() for name, figures in told.items()}, style, whole)

    def _rows(self, name: str) -> torch.Tensor | None:
        """A tensor of the rollout as rows (T * E, ...); ``None`` for one that the task does not have."""
        tensor = self.memory.get_tensor_by_name(name) if name in self.memory.get_tensor_names() else None
        return None if tensor is None else tensor.flatten(0, 1)

    @property
    def _batch(self) -> int:
        """Windows of a kind in a step of the discriminator; the same in every step, or each would be recorded anew."""
        return min(self.cfg.discriminator_batch_size, self.memory.memory_size * self.memory.num_envs)

    def _pick(self, windows: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return windows[rows[torch.randint(len(rows), (self._batch,), device=rows.device)]]

    def _reference(self) -> torch.Tensor:
        return self.collect_reference_motions(self._batch).to(self.device)

    @torch.no_grad()
    def _prepare_rollout(self, inputs: dict[str, torch.Tensor], amp: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
        """Mix the rewards, compute returns and advantages; gives the style reward of every row, (rows, 1)."""
        logits = self._logits(self._amp_observation_preprocessor(amp))
        style = style_reward(logits, self.cfg.discriminator_loss) * whole.unsqueeze(-1)
        rewards = self.memory.get_tensor_by_name("rewards")
        total = (
            self.cfg.task_reward_scale * rewards
            + self.cfg.style_reward_scale * self.cfg.step_dt * style.view_as(rewards)
            + self._bootstrap()
        )
        values = self._values(inputs).view_as(rewards)
        last = self._values(self._inputs(self._current_next_observations, self._current_next_states))
        done = self.memory.get_tensor_by_name("done")
        advantages = self._advantages(rewards=total, done=done, values=values, last_values=last)
        returns = advantages + values
        self._value_preprocessor(returns, train=True)
        self.memory.set_tensor_by_name("values", self._value_preprocessor(values))
        self.memory.set_tensor_by_name("returns", self._value_preprocessor(returns))
        self.memory.set_tensor_by_name("advantages", (advantages - advantages.mean()) / (advantages.std() + 1e-8))
        return style

    def _windows(self, amp: torch.Tensor, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the discriminator learns from in a step: equal parts of reference, the policy's and replayed windows.

        While there is nothing to replay, more of the policy's: a step of fewer windows would be recorded anew.
        """
        reference, policy = self._reference(), self._pick(amp, rows)
        if self.replay is not None:
            replayed = self.replay.sample(self._batch) if len(self.replay) else self._pick(amp, rows)
            policy = torch.cat((policy, replayed.to(self.device)))
        scale = self._amp_observation_preprocessor
        return {"reference_windows": scale(reference), "policy_windows": scale(policy)}

    def _step(self, rows: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One PPO step of policy and value and, where ``rows`` holds windows, one of the discriminator."""
        cfg = self.cfg
        (policy, figures), (value, of_value), *discriminator = self._gradients(**rows)
        apply_gradients(self.optimizer, self._actor_parameters, (*policy, *value), cfg.grad_norm_clip)
        figures = figures | of_value
        for gradients, of_discriminator in discriminator:
            parameters = list(self.discriminator.parameters())
            apply_gradients(self.discriminator_optimizer, parameters, gradients, cfg.discriminator_grad_norm_clip)
            figures |= of_discriminator
        return figures

    def _logits(self, windows: torch.Tensor) -> torch.Tensor:
        return self.discriminator.act({"observations": windows}, role="discriminator")[0]

    def _report(self, means: dict[str, torch.Tensor], style: torch.Tensor, whole: torch.Tensor) -> None:
        """Send for the update's figures, and have them told when they have come."""
        cfg, per_second = self.cfg, 1 / self.cfg.step_dt
        figures = means | {
            "action_std": self.policy.log_std.detach().exp().mean() if hasattr(self.policy, "log_std") else 0.0,
            "style_reward": style.sum() / whole.sum().clamp(min=1),
            "weighted_style": cfg.style_reward_scale * style.mean(),
            "weighted_task": cfg.task_reward_scale * per_second * self.memory.get_tensor_by_name("rewards").mean(),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        self._meanwhile.add(partial(self._tell, self.updates, fetch_figures(figures), fetch_figures(self._log)))

    def _tell(self, update: int, figures: Callable[[], dict], log: Callable[[], dict]) -> None:
        """Write an update down: to skrl's tracking (TensorBoard) and to whoever listens in ``on_update``."""
        health = Health(
            update=update,
            style_reward_limit=STYLE_REWARD_LIMIT[self.cfg.discriminator_loss],
            **dict.fromkeys(Health.loss_names(), 0.0) | figures(),
        )
        for name, value in asdict(health).items():
            self.track_data(f"AMP / {name}", value)
        for name, value in log().items():
            self.track_data(name if "/" in name else f"Info / {name}", value)
        for listener in self.on_update:
            listener(health)

    def write_tracking_data(self, *, timestep: int, timesteps: int) -> None:
        """Called by skrl every ``write_interval`` steps: to TensorBoard."""
        self._meanwhile.add(partial(super().write_tracking_data, timestep=timestep, timesteps=timesteps))

    # -- checkpoints --

    def save(self, path: str) -> None:
        """Write the whole agent to ``path``: networks, optimisers with their rates, normalisers, replay, random state.

        Resumed on the same rollout, the agent makes the identical next update (on a CPU).
        """
        save_parts(path, self.checkpoint_modules)

    def write_checkpoint(self, *, timestep: int, timesteps: int) -> None:
        """Called by skrl every ``checkpoint_interval`` steps: ``checkpoints/agent_<steps>.pt``, whole."""
        self._meanwhile.catch_up()  # a listener may find that training has come to nothing worth keeping
        # Steps of its whole life: skrl's count begins again when a run goes on, and would overwrite the first ones.
        self.save(str(Path(self.experiment_dir) / "checkpoints" / f"agent_{self.updates * self.cfg.rollouts}.pt"))

    def load(self, path: str) -> None:
        """Take over an agent written by :meth:`save`; nothing is changed unless all of it fits.

        Raises:
            InputError: when the file is no such checkpoint, or holds networks of another shape.
        """
        load_parts(path, self.checkpoint_modules)

    def _set_progress(self, state: dict[str, int]) -> None:
        self.updates = state["updates"]
