"""A term of a user's task that fails is named in a sentence, whatever its kind and whichever step calls it."""

import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import foreign_tasks
from foreign_tasks import Foreign, zero_actions

from amp_helpers.env.faults import naming_terms
from amp_helpers.env.make import make_env
from amp_helpers.errors import InputError


def steady(cfg: Foreign) -> None:
    cfg.curriculum, cfg.events.mine = None, None


def eyes(env) -> torch.Tensor:
    return env.scene["nobody"].data.joint_pos


def blind(cfg: Foreign) -> None:
    steady(cfg)
    cfg.observations.policy.up.func = eyes


def test_a_term_that_fails_while_the_task_is_opened_is_named():
    task = foreign_tasks.registered(blind, name="Foreign-Blind")
    with pytest.raises(InputError, match=r"^observation 'policy/up' fails: KeyError"), make_env(task, num_envs=2):
        pass


@pytest.fixture(scope="module")
def env():
    with make_env(foreign_tasks.registered(steady), num_envs=2, device="cpu", frontend="warp") as opened:
        opened.reset()
        yield opened


def column(env) -> torch.Tensor:
    return torch.ones(env.num_envs, 1)


def no_value(env) -> None:
    """A term without return."""


def share(env) -> torch.Tensor:
    return torch.ones(env.num_envs)


def unknown(env, *_: object, **__: object) -> torch.Tensor:
    return eyes(env)


def of_event(env, name: str):
    return env.event_manager.get_term_cfg(name)


TERMS = {
    "reward 'alive' fails: RuntimeError": (lambda env: env.reward_manager.get_term_cfg("alive"), column),
    "reward 'alive' fails: TypeError": (lambda env: env.reward_manager.get_term_cfg("alive"), no_value),
    "termination 'over' fails: RuntimeError": (lambda env: env.termination_manager.get_term_cfg("over"), share),
    "observation 'policy/up' fails: KeyError": (
        lambda env: env.observation_manager._group_obs_term_cfgs["policy"][0],
        unknown,
    ),
    "event 'shove' fails: KeyError": (lambda env: of_event(env, "shove"), unknown),
}


@pytest.mark.parametrize("sentence", TERMS)
def test_a_term_that_fails_is_named(env, monkeypatch, sentence):
    find, function = TERMS[sentence]
    monkeypatch.setattr(find(env), "func", function)
    monkeypatch.setattr(env, "by_mask", False)
    whole = f"^{sentence}: .*; correct it, with the traceback that AMP_DEBUG=1 shows$"
    with pytest.raises(InputError, match=whole), naming_terms():
        for _ in range(7):  # the event is due every 0.1 s
            env.step(zero_actions(env))


def test_the_step_by_mask_names_it_too(env, monkeypatch):
    monkeypatch.setattr(env.reward_manager.get_term_cfg("alive"), "func", column)
    with pytest.raises(InputError, match=r"^reward 'alive' fails: RuntimeError"), naming_terms():
        env.step(zero_actions(env))


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), RuntimeError("a bug"), KeyboardInterrupt()])
def test_what_is_no_fault_of_a_term_stays(env, monkeypatch, error):
    def full(env) -> None:
        raise error

    if "memory" in str(error) or isinstance(error, KeyboardInterrupt):
        monkeypatch.setattr(env.reward_manager.get_term_cfg("alive"), "func", full)
    else:
        monkeypatch.setattr(env, "step", full)
    with pytest.raises(type(error)) as raised, naming_terms():
        env.step(zero_actions(env))
    assert raised.value is error
