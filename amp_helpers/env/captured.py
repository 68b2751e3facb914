"""Isaac Lab's environment with a control step that is recorded as CUDA graphs.

At 4096 environments, Isaac Lab's step waits for Python more than half of the time: it launches some hundred small
kernels, and reads back which episodes have ended. Here the same terms of the same managers are called in the same
order, but every step does the same work: what concerns some of the environments is done by mask
(:mod:`amp_helpers.env.masking`). Such a step can be recorded once and replayed. It consists of three recordings and
Isaac Lab's own of the physics; between them, listeners run (:mod:`amp_helpers.amp_state.hooks`).

Random numbers are drawn for all environments and used for some, so they are others than those of Isaac Lab's step.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from isaaclab.utils.buffers import TimestampedBuffer
from isaaclab_newton.physics import NewtonManager

from amp_helpers.env.by_mask import (
    apply_event,
    draw_interval,
    episode_metrics,
    reset_observations,
    reset_scene,
    reset_term,
    step_command,
)
from amp_helpers.env.host_work import HostWork
from amp_helpers.env.indexed import IndexedEnv
from amp_helpers.env.masking import in_place
from amp_helpers.env.stages import Stage


def _host_counter(name: str) -> Any:
    """Make a property of an environment that the host alone counts: no term that reads it can be recorded."""
    hidden = f"_host_{name}"

    def read(env: "CapturedEnv") -> int:
        if env.trying:
            raise HostWork(f"reads {name}, which the host counts")
        return getattr(env, hidden)

    def count(env: "CapturedEnv", value: int) -> None:
        setattr(env, hidden, value)

    return property(read, count)


class CapturedEnv(IndexedEnv):
    """A manager-based environment that steps all environments alike; on a GPU, from recordings.

    Observations are new tensors in every step; rewards and the masks of ended episodes are overwritten by the next.
    ``extras["log"]`` holds the statistics of the latest episodes that ended, as tensors without waiting for them.
    """

    def __init__(self, cfg: Any, render_mode: str | None = None, **options: Any) -> None:
        self.trying = False
        """Whether terms are called to see whether they can be recorded."""
        self.stages: list[Stage] = []  # where opening fails, there are none to forget
        super().__init__(cfg, render_mode, **options)
        self.by_mask = True
        """Whether a step does the same work each time; otherwise it is Isaac Lab's own."""
        self._actions = torch.zeros(self.num_envs, self.action_manager.total_action_dim, device=self.device)
        self._done = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self.all_ids = torch.arange(self.num_envs, device=self.device)
        """Indices of all environments."""
        self._figures: torch.Tensor | None = None
        self._statistics: dict[str, torch.Tensor] = {}  # by name, parts of these figures
        self._first_log: dict[str, Any] = {}
        self.stages = [
            Stage(part.__name__.removeprefix("_"), partial(self._in_place, part), self.device, self._forget_derived)
            for part in (self._process_actions, self._apply_actions, self._compute_rewards, self._reset_and_observe)
        ]
        """The recorded parts of a step: before the physics, before its further substeps where Newton does not take them
        all at once, up to the end of episodes, and after it."""

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """Control steps since the start of each episode, (E,)."""
        return self._episode_length

    @episode_length_buf.setter
    def episode_length_buf(self, value: torch.Tensor) -> None:
        if hasattr(self, "_episode_length"):
            self._episode_length.copy_(value)  # in place, because recordings hold this tensor
        else:
            self._episode_length = value

    common_step_counter = _host_counter("common_step_counter")
    """Control steps so far."""
    _sim_step_counter = _host_counter("_sim_step_counter")
    """Physics steps so far."""

    def _in_place(self, part: Callable[[], None]) -> None:
        in_place(self.term_objects(), part)

    def term_objects(self) -> list[Any]:
        """The objects that keep something from step to step: terms that are classes, and this environment."""
        observations, events = self.observation_manager, self.event_manager
        groups = (
            self.reward_manager._class_term_cfgs,
            self.termination_manager._class_term_cfgs,
            *observations._group_obs_class_term_cfgs.values(),
            *events._mode_class_term_cfgs.values(),
        )
        return [
            self,
            *(term.func for group in groups for term in group),
            *observations._group_obs_class_instances,
            *map(self.action_manager.get_term, self.action_manager.active_terms),
            *map(self.command_manager.get_term, self.command_manager.active_terms),
        ]

    def reset(self, *arguments: Any, **options: Any) -> Any:
        """Reset as Isaac Lab does, and record the next steps anew: settings may have changed."""
        self._forget_recordings()
        first = super().reset(*arguments, **options)
        self._figures, self._first_log = None, dict(self.extras.get("log", {}))
        return first

    def close(self) -> None:
        """Close the environment; its recordings hold memory of the simulator."""
        self._forget_recordings()
        super().close()

    def _forget_recordings(self) -> None:
        for stage in self.stages:
            stage.forget()
        NewtonManager.transforms_may_change_on_graph_replay = False  # set while recording; reads are slower with it

    @torch.no_grad()
    def step(self, action: torch.Tensor) -> Any:
        """Execute a control step, see :meth:`isaaclab.envs.ManagerBasedRLEnv.step`."""
        if not self.by_mask or self.sim.is_rendering or self.video_recorders:
            return super().step(action)
        process_actions, apply_actions, compute_rewards, reset_and_observe = self.stages
        self._actions.copy_(action)
        self.recorder_manager.record_pre_step()
        steps = self.cfg.decimation if self._physics_handles_decimation else 1
        for substep in range(self.cfg.decimation // steps):
            self._sim_step_counter += steps
            (apply_actions if substep else process_actions)()
            self.sim.step(render=False)
            self.recorder_manager.record_post_physics_decimation_step()
            self.scene.update(dt=self.physics_dt * steps)
        self.common_step_counter += 1
        compute_rewards()
        hooks: Any = self.recorder_manager  # annotated for lists
        hooks.record_pre_reset(self._done)
        self.extras["log"] = {}  # terms write into it
        reset_and_observe()
        if reset_and_observe.recorded:
            self._forget_derived()
        self.extras["log"] = self._statistics
        observations = {name: _copied(group) for name, group in self.obs_buf.items()}
        return observations, self.reward_buf, self.reset_terminated, self.reset_time_outs, self.extras

    def _forget_derived(self) -> None:
        """Have derived quantities computed anew when they are read.

        Isaac Lab computes one at most once a physics step, and remembers the time of it in Python. A recording has to
        contain the computation, and a replay that changes the state has to end what was remembered. Accelerations stay:
        they are differences to the last time.
        """
        for asset in (*self.scene.articulations.values(), *self.scene.rigid_objects.values()):
            for name, buffer in vars(asset.data).items():
                if isinstance(buffer, TimestampedBuffer) and "acc" not in name:
                    buffer.timestamp = -1.0

    def _process_actions(self) -> None:
        self.action_manager.process_action(self._actions)
        self._apply_actions()

    def _apply_actions(self) -> None:
        self.action_manager.apply_action()
        self.scene.write_data_to_sim()

    def _compute_rewards(self) -> None:
        """Compute terminations, and with them rewards."""
        self._episode_length += 1
        self.reset_buf = self.termination_manager.compute()
        self._done.copy_(self.reset_buf)
        self.reset_terminated = self.termination_manager.terminated
        self.reset_time_outs = self.termination_manager.time_outs
        self.reward_buf = self.reward_manager.compute(dt=self.step_dt)

    def _reset_and_observe(self) -> None:
        """Reset the episodes that ended, update commands, apply events at intervals, and compute observations."""
        self._reset_masked(self._done)
        for term in map(self.command_manager.get_term, self.command_manager.active_terms):
            step_command(term, self.step_dt)
        self._apply_intervals()
        self.obs_buf = self.observation_manager.compute(update_history=True)

    def _reset_masked(self, mask: torch.Tensor) -> None:
        """Do what ``_reset_idx`` does, for the environments in ``mask``."""
        reset_scene(self.scene, mask)
        for term in self.event_manager._mode_term_cfgs.get("reset", ()):
            apply_event(self, term, mask)
        reset_observations(self.observation_manager, mask)
        actions = self.action_manager
        for tensor in (actions.prev_action, actions.action):
            tensor.masked_fill_(mask.unsqueeze(1), 0.0)
        for term in map(actions.get_term, actions.active_terms):
            reset_term(term, mask)
        self._keep_statistics(mask)
        self.reward_manager._episode_sum_buf.masked_fill_(mask.unsqueeze(1), 0.0)
        for manager in (self.reward_manager, self.termination_manager):
            for term in manager._class_term_cfgs:
                reset_term(term.func, mask)
        for term in map(self.command_manager.get_term, self.command_manager.active_terms):
            reset_term(term, mask)
        for terms in self.event_manager._mode_class_term_cfgs.values():
            for term in terms:
                reset_term(term.func, mask)
        for time_left, term in self._intervals():
            if term.resample_interval_on_reset:
                draw_interval(time_left, term, mask)
        self._episode_length.masked_fill_(mask, 0)

    def _apply_intervals(self) -> None:
        for time_left, term in self._intervals():
            time_left -= self.step_dt
            due = time_left < 1e-6
            draw_interval(time_left, term, due)
            apply_event(self, term, due)

    def _intervals(self) -> list[tuple[torch.Tensor, Any]]:
        events = self.event_manager
        terms = events._mode_term_cfgs.get("interval", [])
        return list(zip(events._interval_term_time_left, terms, strict=True)) if terms else []

    def _keep_statistics(self, mask: torch.Tensor) -> None:
        """Average what the managers log over the episodes that end; keep the last where none does."""
        metrics = {}
        for name in self.command_manager.active_terms:
            for metric, values in episode_metrics(self.command_manager.get_term(name)).items():
                metrics["Metrics/success_rate" if metric == "success_rate" else f"Metrics/{name}/{metric}"] = values
        rewards = self.reward_manager._episode_sum_buf / self.max_episode_length_s
        episodes = torch.cat((rewards, *(values.unsqueeze(1) for values in metrics.values())), dim=1)
        ended = mask.sum()
        means = (episodes * mask.unsqueeze(1)).sum(dim=0) / ended.clamp(min=1)
        last = self.termination_manager._last_episode_dones.float().mean(dim=0)
        names = [
            *(f"Episode_Reward/{name}" for name in self.reward_manager.active_terms),
            *metrics,
            *(f"Episode_Termination/{name}" for name in self.termination_manager.active_terms),
        ]
        present = torch.cat((means, last))
        if self._figures is None:
            first = [torch.as_tensor(self._first_log.get(name, 0.0), device=self.device) for name in names]
            self._figures = torch.stack(first)
            self._statistics = dict(zip(names, self._figures.unbind(), strict=True))
        self._figures.copy_(torch.where(ended > 0, present, self._figures))


def _copied(group: Any) -> Any:
    return {name: term.clone() for name, term in group.items()} if isinstance(group, dict) else group.clone()
