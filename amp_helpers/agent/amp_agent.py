"""The AMP agent: PPO with a style reward from a discriminator, on skrl's base class, models, memories and normalizers.

Adversarial Motion Priors: Peng et al. 2021, https://arxiv.org/abs/2104.02180.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import gymnasium
import torch
from skrl.agents.torch import Agent, AgentCfg
from skrl.agents.torch.base import ExperimentCfg
from skrl.memories.torch import RandomMemory

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.checkpoint import (
    Slot,
    check_parts,
    load_parts,
    random_state,
    save_parts,
    set_parts,
    set_random_state,
)
from amp_helpers.agent.cuda_graphs import Recorded, SideStream, fetch_figures, side_by_side
from amp_helpers.agent.gradients import Gradients, discriminator_gradients, policy_gradients, value_gradients
from amp_helpers.agent.health import Health
from amp_helpers.agent.learner import Learner
from amp_helpers.agent.losses import STYLE_REWARD_LIMIT, generalized_advantages, style_reward
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.normalizers import Normalizers
from amp_helpers.agent.optimizers import (
    anneal_action_std,
    annealed_kl_threshold,
    discriminator_optimizer,
    policy_optimizer,
    step_learning_rate,
)
from amp_helpers.agent.ranks import ALONE, Ranks
from amp_helpers.agent.replay_buffer import ReplayBuffer
from amp_helpers.agent.rollout import Rollout
from amp_helpers.errors import InputError

Rows = dict[str, torch.Tensor]


@dataclass(kw_only=True)
class _SkrlCfg(AgentCfg):
    """What skrl's base class keeps and hands to Weights & Biases."""

    amp: AmpAgentCfg = field(default_factory=AmpAgentCfg)


class AmpAgent(Agent):
    """AMP with separate optimizers, a choice of discriminator loss, whole windows only, and a health record.

    The training loop (:mod:`amp_helpers.training.loop`) calls :meth:`act`, :meth:`.rollout.Rollout.store` and
    :meth:`learn`. The methods of skrl's interface below call the same, so the agent also runs in skrl's own trainers.
    """

    def __init__(
        self,
        *,
        cfg: AmpAgentCfg,
        policy: Policy,
        value: Value,
        discriminator: Discriminator,
        num_envs: int,
        observation_space: gymnasium.Space,
        state_space: gymnasium.Space | None,
        action_space: gymnasium.Space,
        amp_observation_space: gymnasium.Space,
        reference_windows: Callable[[torch.Tensor], torch.Tensor],
        step_dt: float,
        device: str | torch.device,
        experiment: ExperimentCfg | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Create optimizers, normalizers and memories.

        Args:
            cfg: the knobs.
            policy: of the observations.
            value: of the states, or of the observations.
            discriminator: of windows.
            num_envs: E.
            observation_space: what the policy sees.
            state_space: what the value sees, or ``None`` where it sees the observations.
            action_space: of the policy.
            amp_observation_space: of a window, (dim,).
            reference_windows: draws a reference window for each of n policy windows (n, dim).
            step_dt: control step, s.
            device: of all tensors.
            experiment: where and how often skrl writes; nothing is written by default.
            ranks: the processes that train this agent together. The networks start as those of the first.

        Raises:
            InputError: a value of ``cfg`` is out of range.
        """
        cfg.validate()
        spaces: dict[str, Any] = {
            "observation_space": observation_space,
            "state_space": state_space,
            "action_space": action_space,
        }
        self.rollout = Rollout(
            steps=cfg.rollouts, num_envs=num_envs, window_space=amp_observation_space, device=device, **spaces
        )
        """The steps since the last update."""
        silent = ExperimentCfg(write_interval=0, checkpoint_interval=0)
        super().__init__(
            cfg=_SkrlCfg(experiment=experiment or silent, amp=cfg),
            models={"policy": policy, "value": value, "discriminator": discriminator},
            memory=self.rollout,
            device=device,
            **spaces,
        )
        self.amp, self.ranks = cfg, ranks
        ranks.copy_first((policy, value, discriminator))
        self.policy, self.value, self.discriminator = policy, value, discriminator
        self._reference_windows, self._step_dt = reference_windows, step_dt
        self.updates = 0
        """Updates so far, those before a checkpoint included."""
        # Read before a checkpoint is loaded, so that a resumed run stays on its annealing schedule.
        self._initial_std = self.policy.log_std.max().item() if cfg.final_std else None

        parameters = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = policy_optimizer(parameters, cfg)
        self.discriminator_optimizer = discriminator_optimizer(self.discriminator, cfg)
        self._policy_learner = Learner(self.optimizer, parameters, self._policy_gradients, cfg.grad_norm_clip, ranks)
        self._discriminator_learner = Learner(
            self.discriminator_optimizer,
            list(self.discriminator.parameters()),
            self._discriminator_gradients,
            cfg.discriminator_grad_norm_clip,
            ranks,
        )
        self.normalizers = Normalizers.create(observation_space, state_space, amp_observation_space, self.device, ranks)
        self._draw = Recorded(torch.no_grad()(lambda **inputs: self.policy.act(inputs, role="policy")))
        self._estimate = Recorded(self._estimate_advantages)
        windows = min(cfg.replay_size, 50 * cfg.rollouts * num_envs)
        self.replay = ReplayBuffer(
            RandomMemory(memory_size=windows, num_envs=1, device=device), amp_observation_space, cfg.replay_share
        )
        self.checkpoint_modules |= self._parts()
        # Otherwise skrl copies every module, replay included, whenever the mean reward is a new best.
        self.checkpoint_best_modules["reward"] = float("inf")

    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds, by the names that skrl gives the same parts."""
        parts = {
            "policy": self.policy,
            "value": self.value,
            "discriminator": self.discriminator,
            "optimizer": self.optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "observation_preprocessor": self.normalizers.observations,
            "state_preprocessor": self.normalizers.states,
            "value_preprocessor": self.normalizers.values,
            "amp_observation_preprocessor": self.normalizers.windows,
            "random_state": Slot(random_state, set_random_state),
            "progress": Slot(lambda: {"updates": self.updates}, self._set_progress),
            "replay": self.replay,
        }
        return {name: part for name, part in parts.items() if part is not None}

    # -- collecting: as few kernels a step as possible, because launching them takes most of a step's time --

    def act(
        self, observations: torch.Tensor, states: torch.Tensor | None, *, timestep: int = 0, timesteps: int = 0
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Draw actions (E, A) for observations (E, O); ``log_prob`` (E, 1) is among the outputs.

        Values are not computed here: one pass over the rollout gives them all in the update.
        """
        actions, outputs = self._draw(**self.normalizers.inputs(observations, None))  # the policy sees no states
        outputs = outputs | {"log_prob": outputs["log_prob"].clone()}
        self._log_prob = outputs["log_prob"]
        return actions.clone(), outputs

    @torch.no_grad()
    def _values(self, inputs: Rows) -> torch.Tensor:
        """Values (n, 1) of normalized inputs, in units of the reward."""
        values, _ = self.value.act(inputs, role="value")
        return self.normalizers.values(values, inverse=True)

    def _bootstrap(self) -> torch.Tensor:
        """Discounted values of the states that time limits cut off, (T, E, 1); zero elsewhere.

        Not part of the task reward, which is weighed against the style reward: the value estimates their sum.
        """
        truncated = self.rollout.get_tensor_by_name("truncated")
        values = torch.zeros_like(truncated, dtype=torch.float32)
        if self.amp.time_limit_bootstrap and truncated.any():
            terminal = self.rollout.get_tensor_by_name("terminal")[truncated.squeeze(-1)]
            seen = (terminal, None) if self.state_space is None else (None, terminal)
            values[truncated] = self.amp.discount_factor * self._values(self.normalizers.inputs(*seen)).flatten()
        return values

    # -- learning --

    def learn(self, next_observations: torch.Tensor, next_states: torch.Tensor | None) -> Callable[[], Health]:
        """Update policy and value by PPO; in the first ``discriminator_epochs``, the discriminator takes as many steps.

        After the first lines nothing here waits for the GPU, so that the host can launch the next step while the GPU
        still learns. The first updates do, in which the parts of an update are recorded.

        Args:
            next_observations: (E, O) after the last step of the rollout.
            next_states: (E, S) of the same instant, or ``None``.

        Returns:
            A function that waits for the update's figures and returns its health record.
        """
        cfg = self.amp
        observations = self.rollout.rows("observations")
        states = None if self.state_space is None else self.rollout.rows("states")
        windows, whole = self.rollout.rows("amp_observations"), self.rollout.rows("amp_whole").flatten()
        # Indices, not a copy: the size of a copy would differ between updates, and each would allocate memory again.
        learnable = whole.nonzero().squeeze(-1)
        style = self._prepare_rollout(next_observations, next_states)
        discriminate = self.ranks.all(len(learnable) > 0)  # the processes wait for one another here, not the GPUs
        if discriminate:
            # Once an update: a scale that changed within one would change the logits behind the style reward.
            sample = self._sample(windows, learnable, self._batch_size)
            self.normalizers.windows(torch.cat((sample, self._reference_windows(sample))), train=True)

        figures: defaultdict[str, list[torch.Tensor]] = defaultdict(list)

        def keep(step: dict[str, torch.Tensor]) -> None:
            for name, figure in step.items():
                figures[name].append(figure)

        with SideStream(self.device) as side:  # neither the policy nor the discriminator reads what the other learns
            for epoch in range(cfg.learning_epochs):
                mini_batches = torch.randperm(len(whole), device=self.device).chunk(cfg.mini_batches)
                batches = self._discriminator_batches(windows, learnable, len(mini_batches))
                for indices in mini_batches:
                    keep(self._policy_learner.step(indices=indices))
                    if discriminate and epoch < cfg.discriminator_epochs:
                        # Alternately: ranks exchange in the order of the launches, and the exchanges of a whole epoch
                        # would queue behind the policy's.
                        with side.work():
                            keep(self._discriminator_learner.step(**next(batches)))
                kl = torch.stack(figures["kl"][-len(mini_batches) :]).mean()
                step_learning_rate(self.optimizer, kl, annealed_kl_threshold(self.updates, cfg), cfg)
        # After the steps: the likelihood ratio compares with the policy that acted, scaled as it was then.
        self._train_normalizers(observations, states)
        self.replay.add(windows, learnable)
        self.updates += 1
        if self._initial_std is not None:
            anneal_action_std(self.policy.log_std, self._initial_std, self.updates, cfg)
        return self._health({name: torch.stack(values).mean() for name, values in figures.items()}, style, whole)

    def _train_normalizers(self, observations: torch.Tensor, states: torch.Tensor | None) -> None:
        mirror = self.policy.observation_mirror
        # A symmetric policy needs a symmetric scale.
        seen = observations if mirror is None else torch.cat((observations, mirror(observations)))
        self.normalizers.observations(seen, train=True)
        if self.normalizers.states is not None:
            self.normalizers.states(states, train=True)

    @property
    def _batch_size(self) -> int:
        """Windows of each kind in a discriminator step; constant, because another size would be recorded again."""
        return min(self.amp.discriminator_batch_size, self.rollout.memory_size * self.rollout.num_envs)

    def _sample(self, windows: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Draw ``count`` of the ``rows`` (K,) of ``windows`` (N, dim), with replacement."""
        return windows[rows[torch.randint(len(rows), (count,), device=rows.device)]]

    @torch.no_grad()
    def _prepare_rollout(self, next_observations: torch.Tensor, next_states: torch.Tensor | None) -> torch.Tensor:
        """Keep normalized inputs, values, returns and advantages; return the style reward of every row, (T * E, 1).

        Args:
            next_observations: (E, O) after the last step of the rollout.
            next_states: (E, S) of the same instant, or ``None``.
        """
        following = {"next_observations": next_observations}
        if next_states is not None:
            following["next_states"] = next_states
        style, values, advantages = self._estimate(bootstrap=self._bootstrap(), **following)
        returns = advantages + values
        self.normalizers.values(returns, train=True)
        self.rollout.set_tensor_by_name("values", self.normalizers.values(values))
        self.rollout.set_tensor_by_name("returns", self.normalizers.values(returns))
        mean, variance, _ = self.ranks.moments(advantages.mean(), advantages.var(), advantages.numel())
        self.rollout.set_tensor_by_name("advantages", (advantages - mean) / (variance.sqrt() + 1e-8))
        return style

    def _estimate_advantages(
        self, *, bootstrap: torch.Tensor, next_observations: torch.Tensor, next_states: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Combine the rewards; return the style reward (T * E, 1), and values and advantages (T, E, 1) before scaling.

        Also stores the normalized inputs in the rollout.
        """
        inputs = self.rollout.normalize(self.normalizers)
        logits = self._logits(self.normalizers.windows(self.rollout.rows("amp_observations")))
        style = style_reward(logits, self.amp.discriminator_loss) * self.rollout.rows("amp_whole")
        rewards = self.rollout.get_tensor_by_name("rewards")
        total = (
            self.amp.task_weight * rewards + self.amp.style_weight * self._step_dt * style.view_as(rewards) + bootstrap
        )
        values = self._values(inputs).view_as(rewards)
        last_values = self._values(self.normalizers.inputs(next_observations, next_states))
        done = self.rollout.get_tensor_by_name("done")
        advantages = generalized_advantages(
            total, done, values, last_values, self.amp.discount_factor, self.amp.gae_lambda
        )
        return style, values, advantages

    def _discriminator_batches(self, windows: torch.Tensor, rows: torch.Tensor, steps: int) -> Iterator[Rows]:
        """Draw equal numbers of reference, policy and replayed windows; policy windows while there is no replay yet.

        Those of all steps are drawn with the first, on its stream, because each draw is many small kernels.
        """
        count = steps * self._batch_size
        policy = self._sample(windows, rows, count)
        reference = self._reference_windows(policy)
        replayed = self.replay.sample(count) if len(self.replay) else self._sample(windows, rows, count)
        kinds = [self.normalizers.windows(w).chunk(steps) for w in (reference, policy, replayed.to(self.device))]
        for reference, policy, replayed in zip(*kinds, strict=True):
            yield {"reference_windows": reference, "policy_windows": torch.cat((policy, replayed))}

    def _policy_gradients(self, *, indices: torch.Tensor) -> Gradients:
        """Compute the gradients of policy and value, each without the other, for some rows (n,) of the rollout."""
        tasks = [
            lambda: policy_gradients(self.policy, self.amp, self.rollout.policy_rows(indices)),
            lambda: value_gradients(self.value, self.amp, self.rollout.value_rows(indices)),
        ]
        (of_policy, policy_figures), (of_value, value_figures) = side_by_side(tasks, self.device)
        return of_policy + of_value, policy_figures | value_figures

    def _discriminator_gradients(self, *, reference_windows: torch.Tensor, policy_windows: torch.Tensor) -> Gradients:
        """Compute the gradients of the discriminator for normalized windows, (m, dim) and (k, dim)."""
        return discriminator_gradients(self.discriminator, self.amp, reference_windows, policy_windows)

    def _logits(self, windows: torch.Tensor) -> torch.Tensor:
        """Logits (n, 1) of normalized windows (n, dim)."""
        return self.discriminator.act({"observations": windows}, role="discriminator")[0]

    def _health(self, means: dict[str, torch.Tensor], style: torch.Tensor, whole: torch.Tensor) -> Callable[[], Health]:
        """Start fetching the update's figures from the GPU; the returned function waits for them."""
        cfg, update = self.amp, self.updates
        rewards = self.rollout.get_tensor_by_name("rewards")
        own = [style.mean(), whole.float().mean(), rewards.mean()]
        style_mean, whole_mean, task_mean = self.ranks.mean(own)
        fetched = fetch_figures(
            means
            | {
                "action_std": self.policy.log_std.detach().exp().mean(),
                "style_reward": style_mean / whole_mean.clamp(min=1 / len(whole)),
                "weighted_style": cfg.style_weight * style_mean,
                "weighted_task": cfg.task_weight * (1 / self._step_dt) * task_mean,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
            }
        )

        def health() -> Health:
            return Health(update=update, style_reward_limit=STYLE_REWARD_LIMIT[cfg.discriminator_loss], **fetched())

        return health

    def track(self, health: Health, log: dict[str, float]) -> None:
        """Hand an update's health and the environment's episode statistics to skrl's tracking (TensorBoard)."""
        for name, value in asdict(health).items():
            self.track_data(f"AMP / {name}", value)
        for name, value in log.items():
            self.track_data(name if "/" in name else f"Info / {name}", value)

    # -- checkpoints --

    def save(self, path: str) -> None:
        """Write networks, optimizers with their rates, normalizers, replay and random state to ``path``.

        Resumed on the same rollout, the agent makes the identical next update (on a CPU).
        """
        save_parts(path, self.checkpoint_modules)

    def load(self, path: str) -> None:
        """Load an agent written by :meth:`save`; nothing changes unless all of it fits.

        Raises:
            InputError: the file is no such checkpoint, or holds networks of another shape.
        """
        load_parts(path, self.checkpoint_modules)

    def save_rank(self, path: str) -> None:
        """Write what only this rank has, its replay and random state, to ``path``."""
        save_parts(path, self._rank_parts())

    def load_rank(self, path: str) -> None:
        """Load what :meth:`save_rank` wrote; nothing changes unless all of it fits.

        Raises:
            InputError: the file is no such checkpoint, or was not written after this agent's last update.
        """
        parts = self._rank_parts()
        saved = check_parts(path, parts)
        written = saved["progress"]["updates"]
        if written != self.updates:
            raise InputError(f"{path}: is of update {written}, not {self.updates}; give a whole checkpoint")
        set_parts(path, parts, saved)

    def _rank_parts(self) -> dict[str, Any]:
        return {name: self.checkpoint_modules[name] for name in ("replay", "random_state", "progress")}

    def _set_progress(self, state: dict[str, int]) -> None:
        if state["updates"] < 0:
            raise ValueError("a negative number of updates")
        self.updates = state["updates"]

    # -- skrl's interface, for its own trainers --

    def pre_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Do nothing; skrl calls this before every step."""

    def record_transition(
        self, *, next_observations: torch.Tensor, next_states: torch.Tensor | None, infos: Any, **transition: Any
    ) -> None:
        """Store a step, with the likelihoods of the latest :meth:`act`."""
        step = {name: value for name, value in transition.items() if name not in ("timestep", "timesteps")}
        self.rollout.store(log_prob=self._log_prob, infos=infos, **step)
        self._next = next_observations, next_states
        self._log = infos.get("log", {})

    def post_interaction(self, *, timestep: int, timesteps: int) -> None:
        """Update at the end of every rollout."""
        if (timestep + 1) % self.amp.rollouts == 0:
            self.update(timestep=timestep, timesteps=timesteps)
        super().post_interaction(timestep=timestep, timesteps=timesteps)

    def update(self, *, timestep: int = 0, timesteps: int = 0) -> Health:
        """Learn from the stored rollout, track the update, and return its health."""
        health = self.learn(*self._next)()
        self.track(health, fetch_figures(self._log)())
        return health
