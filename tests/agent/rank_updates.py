"""One rank of an agent, on its share of a fixed rollout: python rank_updates.py RANK SIZE RENDEZVOUS OUTPUT [cuda].

Every random choice of an update is made the same for any number of ranks: one mini-batch holds all rows, and the
discriminator sees every window once.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import distributed

from amp_helpers.agent.amp_agent import AmpAgent, Rows
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.ranks import Ranks

ENVS, STEPS, OBS, ACTIONS, AMP, UPDATES = 8, 6, 5, 3, 10, 6


def box(size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, (size,))


class EveryWindow(AmpAgent):
    """An agent whose discriminator sees every window of the rollout, and this rank's share of the reference."""

    def _discriminator_batches(self, windows: torch.Tensor, rows: torch.Tensor, steps: int) -> Iterator[Rows]:
        for _ in range(steps):
            yield {
                "reference_windows": self.normalizers.windows(self._reference_windows(windows)),
                "policy_windows": self.normalizers.windows(windows[rows]),
            }

    def _sample(self, windows: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
        return windows[rows]


def train(ranks: Ranks, device: str = "cpu") -> dict[str, torch.Tensor]:
    own = slice(ranks.rank * ENVS // ranks.size, (ranks.rank + 1) * ENVS // ranks.size)
    envs = ENVS // ranks.size
    torch.manual_seed(5 + ranks.rank)  # the networks of the first rank count
    reference = torch.randn(ENVS * STEPS, AMP, generator=torch.Generator().manual_seed(1)) * 0.1 + 1.0
    shares = reference.view(STEPS, ENVS, AMP)[:, own].flatten(0, 1).to(device)
    agent = EveryWindow(
        cfg=AmpAgentCfg(rollouts=STEPS, mini_batches=1, learning_epochs=3, discriminator_noise=0.0),
        policy=Policy(box(OBS), box(ACTIONS), device, hidden=(16,)),
        value=Value(box(OBS), None, box(ACTIONS), device, hidden=(16,)),
        discriminator=Discriminator(box(AMP), box(ACTIONS), device, hidden=(16,)),
        num_envs=envs,
        observation_space=box(OBS),
        state_space=None,
        action_space=box(ACTIONS),
        amp_observation_space=box(AMP),
        reference_windows=lambda policy: shares,
        step_dt=0.02,
        device=device,
        ranks=ranks,
    )
    agent.init()
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    health = []
    for _ in range(UPDATES):
        for t in range(STEPS):
            observations, actions = draw(ENVS, OBS)[own], draw(ENVS, ACTIONS)[own]
            with torch.no_grad():
                inputs = agent.normalizers.inputs(observations, None)
                _, outputs = agent.policy.act({**inputs, "taken_actions": actions}, role="policy")
            agent.rollout.store(
                observations=observations,
                states=None,
                actions=actions,
                log_prob=outputs["log_prob"],
                rewards=draw(ENVS, 1)[own],
                terminated=torch.zeros(envs, 1, dtype=torch.bool, device=device),
                truncated=draw(ENVS, 1)[own] > 2,
                infos={
                    "amp_obs": draw(ENVS, AMP)[own],
                    "amp_whole": torch.full((envs,), t > 1, device=device),
                    "terminal_observations": draw(ENVS, OBS)[own],
                },
            )
        health.append(agent.learn(draw(ENVS, OBS)[own], None)())
    modules = {"policy": agent.policy, "value": agent.value, "discriminator": agent.discriminator}
    modules |= {
        "observations": agent.normalizers.observations,
        "windows": agent.normalizers.windows,
        "values": agent.normalizers.values,
    }
    learned = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    figures = ("kl", "style_reward", "weighted_task", "weighted_style", "policy_loss", "accuracy", "learning_rate")
    learned = {name: value.cpu() for name, value in learned.items()}
    return learned | {f"health.{name}": torch.tensor([getattr(h, name) for h in health]) for name in figures}


if __name__ == "__main__":
    rank, size, rendezvous, output = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    on_gpu = "cuda" in sys.argv[5:]
    backend, device = ("cpu:gloo,cuda:nccl", f"cuda:{rank}") if on_gpu else ("gloo", "cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, init_method=f"file://{rendezvous}", rank=rank, world_size=size)
    torch.save(train(Ranks(rank, size), device), output)
    distributed.destroy_process_group()
