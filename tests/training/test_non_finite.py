"""NaN in training is traced to where it began: a reward term, an observation, the simulated robot, or learning."""

from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers.agent.health import Health
from amp_helpers.agent.rollout import Rollout
from amp_helpers.errors import InputError
from amp_helpers.training import non_finite
from amp_helpers.training.non_finite import TaskWatch
from amp_helpers.training.run_folder import check_finite

STEPS, ENVS = 4, 3
NAN, HUGE = float("nan"), 1e30


class Run:
    """Rollouts of a task whose figures are all 1, but for those that a test spoils."""

    def __init__(self, monkeypatch) -> None:
        terms = [SimpleNamespace(name="lin_vel", start=0, stop=2), SimpleNamespace(name="mine", start=2, stop=5)]
        monkeypatch.setattr(non_finite, "observation_terms", lambda lab, group: terms)
        self.rewards = torch.ones(ENVS, 2)
        manager = SimpleNamespace(_step_reward=self.rewards, active_terms=["track", "feet_slide"])
        self.env = SimpleNamespace(lab=SimpleNamespace(reward_manager=manager), on_step=[])
        self.watch = TaskWatch(self.env)

        def box(size: int) -> gymnasium.Space:
            return gymnasium.spaces.Box(-np.inf, np.inf, (size,))

        self.rollout = Rollout(
            steps=STEPS,
            num_envs=ENVS,
            observation_space=box(5),
            state_space=box(5),
            action_space=box(2),
            window_space=box(4),
            device="cpu",
        )
        for name in ("observations", "states", "actions", "amp_observations", "rewards"):
            self.rollout.get_tensor_by_name(name).fill_(1.0)
        self.steps = 0

    def step(self, count: int, term: int | None = None, value: float = NAN, env: int = 0) -> "Run":
        """Make steps; in the last of them, a reward term has another value in one environment."""
        for left in range(count - 1, -1, -1):
            self.rewards.fill_(1.0)
            if term is not None and left == 0:
                self.rewards[env, term] = value
                self.spoil("rewards", self.steps % STEPS, env, 0, value)
            for listener in self.env.on_step:
                listener(torch.zeros(ENVS), torch.zeros(ENVS))
            self.steps += 1
        return self

    def spoil(self, name: str, step: int, env: int, column: int, value: float = NAN) -> None:
        self.rollout.get_tensor_by_name(name)[step, env, column] = value

    @property
    def cause(self) -> str | None:
        return self.watch.cause(self.rollout)


@pytest.fixture
def run(monkeypatch) -> Run:
    return Run(monkeypatch)


def test_the_term_the_environment_and_the_step_are_named(run):
    run.step(STEPS + 2, term=1, env=2).step(2)
    assert (
        run.cause == "reward term 'feet_slide' was NaN or beyond 1e+15 in environment 2 at control step 6 of this run"
    )
    assert run.watch.cause(None) == run.cause, "without a rollout, the terms are still known"


def test_the_cause_may_lie_in_another_process(run):
    run.step(STEPS)
    ranks = SimpleNamespace(texts=lambda own: [own, "reward term 'track' was NaN"])
    agent: Any = SimpleNamespace(rollout=run.rollout, ranks=ranks)
    assert run.watch.cause_in_any_process(agent) == "reward term 'track' was NaN in process 1"
    ranks.texts = lambda own: [own]
    assert run.watch.cause_in_any_process(agent) is None


def test_a_huge_reward_counts_as_infinite(run):
    run.step(STEPS, term=0, value=HUGE, env=1)
    assert run.cause and run.cause.startswith("reward term 'track' was NaN or beyond 1e+15 in environment 1 at")


def test_the_first_of_several_is_named(run):
    run.step(2, term=0).step(STEPS - 2)
    run.spoil("observations", 3, 1, 4)  # seen after the third step
    assert run.cause and run.cause.startswith("reward term 'track'")
    run.spoil("observations", 1, 1, 4)
    assert run.cause == "observation 'policy/mine' was nan in environment 1 at control step 1 of this run"
    run.spoil("states", 0, 2, 1)
    assert run.cause == "observation 'critic/lin_vel' was nan in environment 2 at control step 0 of this run"


def test_a_simulation_that_explodes_is_not_a_reward_term(run):
    run.step(3, term=0).step(1)
    run.spoil("amp_observations", 2, 0, 1)
    assert run.cause and run.cause.startswith("the robot's simulated state, which the discriminator sees, was nan in")
    assert run.cause.endswith("at control step 3 of this run")


def test_learning_that_diverges_is_not_blamed_on_the_task(run):
    run.step(STEPS)
    assert run.cause is None, "nothing is wrong with the figures of the task"
    run.step(2, term=0).step(STEPS - 2)
    run.spoil("actions", 1, 0, 0, 3e5)  # finite, and the simulator makes NaN of it
    run.spoil("amp_observations", 1, 0, 1)
    assert run.cause is None
    run.spoil("observations", 1, 0, 3)  # before that action
    assert run.cause and run.cause.startswith("observation 'policy/mine'")


def test_the_message_names_a_checkpoint_that_exists(tmp_path):
    figures = dict.fromkeys(Health.names(), 1.0) | {"update": 7, "policy_loss": NAN}
    with pytest.raises(InputError) as refused:
        check_finite(tmp_path, Health(**figures), lambda: "reward term 'x' was NaN")
    assert str(refused.value) == (
        f"{tmp_path}: update 7 made policy_loss infinite or NaN, because reward term 'x' was NaN; correct the task"
    )
    kept = tmp_path / "my run" / "agent_last.pt"
    with pytest.raises(InputError, match=r"lower the learning rates or the weights, and go on with --checkpoint '.*'$"):
        check_finite(tmp_path, Health(**figures), kept=lambda: kept)
