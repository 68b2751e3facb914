"""The training loop: step, store, learn, and stop when asked to."""

from collections.abc import Callable
from functools import partial

import torch
from skrl.utils import ScopedTimer

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.cuda_graphs import fetch_figures
from amp_helpers.agent.health import Health
from amp_helpers.env.wrapper import AmpEnv


def training_loop(
    env: AmpEnv,
    agent: AmpAgent,
    iterations: int,
    *,
    on_update: Callable[[Health], None] = lambda health: None,
    on_checkpoint: Callable[[AmpAgent], None] = lambda agent: None,
    checkpoint_due: Callable[[AmpAgent], bool] = lambda agent: False,
    should_stop: Callable[[], bool] = lambda: False,
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """Alternate rollouts and updates.

    Nothing in a step needs the previous step to be stored, or the previous update's figures. Both are deferred: the
    environment does them in its next step, after launching the physics, when the host would otherwise wait for the GPU.

    Args:
        env: the wrapped environment.
        agent: learns; its ``init`` has been called.
        iterations: updates to make.
        on_update: called with the health of each update, during the step after it. What it raises ends the loop.
        on_checkpoint: called with the agent after an update for which ``checkpoint_due``, all deferred work done.
        checkpoint_due: whether to keep the agent now.
        should_stop: whether to end after this update.
        interrupted: whether to end before the next step, which leaves a part of a rollout unused.
    """
    observations, _ = env.reset()
    states = env.state()
    timestep, infos = 0, {}
    try:
        for _ in range(iterations):
            for _ in range(agent.amp.rollouts):
                if interrupted():
                    return
                with torch.no_grad(), ScopedTimer() as acting:
                    actions, outputs = agent.act(observations, states)
                with ScopedTimer() as stepping:
                    next_observations, rewards, terminated, truncated, infos = env.step(actions)
                step = partial(
                    agent.rollout.store,
                    observations=observations,
                    states=states,
                    actions=actions,
                    log_prob=outputs["log_prob"],
                    rewards=rewards,
                    terminated=terminated,
                    truncated=truncated,
                    infos=infos,
                )
                env.deferred.add(step)
                agent.track_data("Stats / Inference time (ms)", acting.elapsed_time_ms)
                agent.track_data("Stats / Env stepping time (ms)", stepping.elapsed_time_ms)
                observations, states = next_observations, env.state()
                timestep += 1
            env.deferred.run()  # the last step is part of the rollout
            with ScopedTimer() as learning:
                health = agent.learn(observations, states)
            agent.track_data("Stats / Algorithm update time (ms)", learning.elapsed_time_ms)
            log = fetch_figures(infos.get("log", {}))
            env.deferred.add(partial(_report, agent, health, log, timestep, on_update))
            if checkpoint_due(agent):
                env.deferred.run()  # what listens to updates may find that there is nothing worth keeping
                on_checkpoint(agent)
            if should_stop():
                break
    finally:
        env.deferred.run()


def _report(
    agent: AmpAgent,
    health: Callable[[], Health],
    log: Callable[[], dict[str, float]],
    timestep: int,
    on_update: Callable[[Health], None],
) -> None:
    record = health()
    agent.track(record, log())
    if agent.cfg.experiment.write_interval:
        agent.write_tracking_data(timestep=timestep, timesteps=0)
    on_update(record)
