"""Where a number that is not finite came from: which term of the task, in which environment, at which step."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.rollout import Rollout
from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.errors import InputError

LARGEST = 1e15
"""Beyond this size a figure of the task is as good as infinite: its square is not far from float32's limit."""
_NEVER = 2**30
WILD_ACTION = 50.0
"""An action beyond this, where untrained policies draw with a standard deviation of about 1, comes from a policy that
diverged; what the simulator makes of it is not the task's fault."""


@dataclass(frozen=True)
class _Found:
    step: int
    """Step of the rollout, from 0."""
    env: int
    column: int
    value: float


class TaskWatch:
    """Watches the reward terms of every step, for the price of four small kernels, and traces what is not finite.

    Args:
        env: the environment; every step of it counts.
    """

    def __init__(self, env: AmpEnv) -> None:
        self._env, self._step = env, 0
        manager = env.lab.reward_manager
        # The terms of a step, (E, R); the public method copies them to the host, one environment at a time.
        self._rewards: torch.Tensor | None = getattr(manager, "_step_reward", None)
        self._terms = list(manager.active_terms)
        self._first: torch.Tensor | None = None
        if self._rewards is not None and self._rewards.numel():
            self._first = torch.full_like(self._rewards, _NEVER, dtype=torch.int32)
            env.on_step.append(self._watch)

    def _watch(self, terminated: torch.Tensor, truncated: torch.Tensor) -> None:
        assert self._first is not None and self._rewards is not None
        now = torch.where(self._rewards.abs() < LARGEST, _NEVER, self._step)
        torch.minimum(self._first, now.int(), out=self._first)
        self._step += 1

    def cause(self, rollout: Rollout | None) -> str | None:
        """Describe the first figure of the task that is not finite; ``None`` where learning is the origin.

        Args:
            rollout: the last whole one, not yet overwritten; without it, rewards alone are looked at.
        """
        found: list[tuple[int, int, str]] = []  # step, and the order of what is computed within a step
        wild = _NEVER
        if rollout is not None:
            start = self._step - rollout.memory_size
            for order, origin in enumerate(_ORIGINS):
                if bad := _first_beyond(rollout, origin.tensor, LARGEST):
                    where = f"was {bad.value:g} in environment {bad.env}"
                    found.append(
                        (start + bad.step - origin.lag, 2 * order, f"{origin.tell(self._env, bad.column)} {where}")
                    )
            if bad := _first_beyond(rollout, "actions", WILD_ACTION):
                wild = start + bad.step
        if self._first is not None and int(step := self._first.min()) < _NEVER:
            env, term = (self._first == step).nonzero()[0].tolist()
            sentence = f"reward term '{self._terms[term]}' was NaN or beyond {LARGEST:g} in environment {env}"
            found.append((int(step), 1, sentence))  # after the state, before the sum of the terms
        step, _, sentence = min(found, default=(_NEVER, 0, ""))
        return None if wild <= step else f"{sentence} at control step {step + 1} of this run"

    def cause_in_any_process(self, agent: AmpAgent) -> str | None:
        """Describe the first figure of the task that is not finite, in any process of a run; all of them call this."""
        causes = agent.ranks.texts(self.cause(agent.rollout) or "")
        where = " in process {}" if len(causes) > 1 else ""
        return next((cause + where.format(rank) for rank, cause in enumerate(causes) if cause), None)


def _first_beyond(rollout: Rollout, name: str, largest: float) -> _Found | None:
    if name not in rollout.get_tensor_names():
        return None
    values = rollout.get_tensor_by_name(name)
    bad = (~(values.abs() < largest)).nonzero()
    if not len(bad):
        return None
    step, env, column = bad[0].tolist()
    return _Found(step, env, column, values[step, env, column].item())


def _observation(group: str, env: AmpEnv, column: int) -> str:
    terms = ()
    with contextlib.suppress(InputError):  # no such group, or one that is no vector
        terms = observation_terms(env.lab, group)
    name = next((term.name for term in terms if term.start <= column < term.stop), f"column {column}")
    return f"observation '{group}/{name}'"


@dataclass(frozen=True)
class _Origin:
    tensor: str
    """Name in a rollout."""
    tell: Callable[[AmpEnv, int], str]
    """Names what a column of it is."""
    lag: int = 0
    """Steps by which it is computed before the step that it is stored with."""


_ORIGINS = (
    _Origin("amp_observations", lambda env, column: "the robot's simulated state, which the discriminator sees,"),
    _Origin("rewards", lambda env, column: "the task's reward"),
    _Origin("observations", partial(_observation, "policy"), lag=1),
    _Origin("states", partial(_observation, "critic"), lag=1),
)
"""In the order in which a step computes them."""
