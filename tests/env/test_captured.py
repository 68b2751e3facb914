"""The step by mask is Isaac Lab's step: same observations, rewards, ends, resets and AMP windows for the same actions.

Both are steps of one environment: random draws are fixed (``steady_tasks``), so every figure has to agree.
"""

import itertools
import linecache
import logging
import math
import os
import random
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from foreign_tasks import Foreign, registered, zero_actions
from isaaclab.actuators import IdealPDActuatorCfg
from isaaclab.managers import ManagerTermBase, RewardTermCfg
from isaaclab.utils.buffers import CircularBuffer
from isaaclab.utils.noise import UniformNoiseCfg
from steady_tasks import LOCOMOTION, WALK

from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env import make
from amp_helpers.env.by_mask import apply_event, reset_term
from amp_helpers.env.make import make_env
from amp_helpers.env.masking import NoMaskError
from amp_helpers.env.obstacles import obstacle
from amp_helpers.env.stages import Stage
from amp_helpers.env.wrapper import AmpEnv
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF

NUM_ENVS, STEPS = 8, 70
ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.slow
def test_a_term_that_the_host_computes_is_named():
    with (
        pytest.raises(InputError, match=r"reward 'on_the_host': reads a number from a tensor.*; use --frontend torch$"),
        make_env("steady_tasks:Test-On-The-Host", num_envs=2, frontend="warp"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=ON_A_GPU)])
def test_auto_takes_isaac_labs_step_and_says_why(device):
    notes: list[str] = []
    with make_env(
        "steady_tasks:Test-On-The-Host", num_envs=2, device=device, frontend="auto", note=notes.append
    ) as env:
        env.reset()
    reason = "reward 'on_the_host': reads a number from a tensor, as .item() and if do"
    expected = [f"the step is not recorded ({reason}); it is Isaac Lab's own, as with --frontend torch"]
    assert notes == (expected if device != "cpu" else [])  # nothing is recorded on a CPU


def halving(env, env_ids) -> None:
    """A curriculum that is written as an event."""
    env.reward_manager.get_term_cfg("alive").weight *= 0.5


def scheduled(cfg: Foreign) -> None:
    cfg.curriculum, cfg.events.mine.func = None, halving


@pytest.mark.slow
def test_a_task_that_cannot_be_recorded_starts_as_configured(monkeypatch):
    """Its terms were called to find that out, and one of them changes a weight each time."""
    monkeypatch.setattr(make, "_recorded", lambda frontend, device: True)  # as on a GPU
    notes: list[str] = []
    with make_env(registered(scheduled, "Foreign-Scheduled"), num_envs=2, frontend="auto", note=notes.append) as env:
        assert env.reward_manager.get_term_cfg("alive").weight == 1.0
        env.reset()
        env.step(zero_actions(env))
    assert len(notes) == 1 and "(event 'mine': it changes reward 'alive'.weight, which the host keeps)" in notes[0]


@pytest.fixture(scope="module", params=[WALK, LOCOMOTION])
def env(request, repo_root):
    dataset = MotionDataset.load(repo_root / "datasets" / "g1_walk_refined.npz")
    with make_env(
        request.param, num_envs=NUM_ENVS, dataset=dataset, reference_share=0.0, device="cpu", frontend="warp"
    ) as opened:
        yield opened


CALLS, PREVIOUS = 0, torch.zeros(NUM_ENVS)


def counting(env) -> torch.Tensor:
    global CALLS
    CALLS += 1
    return torch.zeros(env.num_envs, device=env.device)


def remembering(env) -> torch.Tensor:
    global PREVIOUS
    change, PREVIOUS = env.episode_length_buf - PREVIOUS, env.episode_length_buf.clone()
    return change.float()


@pytest.mark.parametrize(("function", "variable"), [(counting, "CALLS"), (remembering, "PREVIOUS")])
def test_a_term_that_keeps_something_in_a_global_variable_is_named(env, monkeypatch, function, variable):
    assert obstacle(env) is None
    term = env.reward_manager.get_term_cfg("upright")
    monkeypatch.setattr(term, "func", function)
    monkeypatch.setattr(term, "params", {})
    assert obstacle(env) == f"reward 'upright': it changes {__name__}.{variable}, which the host keeps"


def timing(env) -> torch.Tensor:
    return torch.full((env.num_envs,), time.monotonic())


def alternating():
    signs = itertools.cycle((1.0, -1.0))

    def term(env) -> torch.Tensor:
        return torch.full((env.num_envs,), next(signs))

    return term


def fading():
    weights = (0.9**step for step in itertools.count())

    def term(env) -> torch.Tensor:
        return torch.full((env.num_envs,), next(weights))

    return term


def seeding(env) -> torch.Tensor:
    return torch.full((env.num_envs,), np.random.default_rng().random())


def seeding_in_python(env) -> torch.Tensor:
    return torch.full((env.num_envs,), random.Random().random())


def asking_the_system(env) -> torch.Tensor:
    return torch.full((env.num_envs,), float(os.urandom(1)[0]))


def reading(env) -> torch.Tensor:
    with open(__file__) as file:
        return torch.full((env.num_envs,), float(len(file.read())))


def reading_with_pathlib(env) -> torch.Tensor:
    return torch.full((env.num_envs,), float(len(Path(__file__).read_text())))


def reading_warp(env) -> torch.Tensor:
    return torch.full((env.num_envs,), float(env.scene["robot"].data.joint_pos.warp.numpy().max()))


def listing_warp(env) -> torch.Tensor:
    return torch.full((env.num_envs,), env.scene["robot"].data.joint_pos.warp.list()[0])


def reading_torch(env) -> torch.Tensor:
    return torch.full((env.num_envs,), float(env.scene["robot"].data.joint_pos.torch.numpy().max()))


SYSTEM = "draws random numbers of the system, as np.random.default_rng() without a seed does"
FILE = "opens or reads a file, which a recording does not do again"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (seeding, SYSTEM),
        (seeding_in_python, SYSTEM),
        (asking_the_system, SYSTEM),
        (reading, FILE),
        (reading_with_pathlib, FILE),
        (reading_warp, "reads a Warp array with .numpy()"),
        (listing_warp, "reads a Warp array with .list()"),
        (reading_torch, "reads a tensor with .numpy()"),
        (timing, "calls time.monotonic(), which a recording does not call again"),
        (alternating(), "it can draw on term.signs, whose next value only the host knows"),
        (fading(), "it can draw on term.weights, whose next value only the host knows"),
    ],
    ids=["rng", "Random", "urandom", "file", "pathlib", "numpy", "list", "torch", "clock", "cycle", "generator"],
)
def test_a_term_that_draws_on_the_host_is_named(env, monkeypatch, function, reason):
    term = env.reward_manager.get_term_cfg("upright")
    monkeypatch.setattr(term, "func", function)
    monkeypatch.setattr(term, "params", {})
    assert obstacle(env) == f"reward 'upright': {reason}"


def harmless(env, missing: float) -> torch.Tensor:
    logging.getLogger(__name__).error("a message has a time")
    linecache.clearcache()
    assert linecache.getline(__file__, 1), "as a warning or a traceback shows it"
    with_a_seed = np.random.default_rng(0).random() + random.Random(0).random()
    return torch.full((env.num_envs,), with_a_seed if math.isnan(missing) else missing)


def test_fixed_seeds_messages_and_parameters_that_are_nan_keep_no_step_from_being_recorded(env, monkeypatch):
    term = env.reward_manager.get_term_cfg("upright")
    monkeypatch.setattr(term, "func", harmless)
    monkeypatch.setattr(term, "params", {"missing": math.nan})
    assert obstacle(env) is None


def upright(env):
    return env.reward_manager.get_term_cfg("upright")


def ranges(env):
    return env.command_manager.get_term("base_velocity").cfg.ranges


def push_params(env) -> dict:
    return env.event_manager.get_term_cfg("push").params


def observation(env):
    return env.observation_manager._group_obs_term_cfgs["policy"][0]


def time_out(env):
    return env.termination_manager.get_term_cfg("time_out")


def raise_a_weight(env, *_, **__) -> None:
    upright(env).weight *= 1.01


def widen_a_range(env, *_, **__) -> None:
    ranges(env).lin_vel_x = (0.0, ranges(env).lin_vel_x[1] + 0.01)


def widen_a_parameter(env, *_, **__) -> None:
    push_params(env)["velocity_range"] = {"x": (0.0, push_params(env)["velocity_range"]["x"][1] + 0.01)}


def raise_a_noise(env, *_, **__) -> None:
    observation(env).noise.n_max += 0.01


def turn_a_time_out(env, *_, **__) -> None:
    time_out(env).time_out = not time_out(env).time_out


def replace_a_function(env, *_, **__) -> None:
    upright(env).func = lambda env, **_: torch.zeros(env.num_envs)


def raise_a_weight_twice(env, *_, **__) -> None:
    upright(env).weight = min(upright(env).weight + 1.0, 7.0)


PUSH, TASK = "event 'push'", "the task"


@pytest.mark.parametrize(
    ("function", "who", "what"),
    [
        (raise_a_weight, PUSH, "reward 'upright'.weight"),
        (widen_a_range, PUSH, "command 'base_velocity'.cfg.ranges.lin_vel_x[1]"),
        (widen_a_parameter, PUSH, "event 'push'.params['velocity_range']['x']"),
        (raise_a_noise, PUSH, ".noise.n_max"),
        (turn_a_time_out, PUSH, "termination 'time_out'.time_out"),
        (replace_a_function, PUSH, "reward 'upright'.func"),
        (raise_a_weight_twice, TASK, "reward 'upright'.weight"),
    ],
)
def test_an_event_that_changes_how_another_term_is_configured_is_named(env, monkeypatch, function, who, what):
    """As a curriculum does that is written as an event. One that does so now and then leaves its name open."""
    monkeypatch.setattr(upright(env), "weight", 5.0)
    monkeypatch.setattr(upright(env), "func", upright(env).func)  # and so all the others, to be as they were
    monkeypatch.setattr(ranges(env), "lin_vel_x", ranges(env).lin_vel_x)
    monkeypatch.setattr(observation(env), "noise", UniformNoiseCfg())
    monkeypatch.setattr(time_out(env), "time_out", True)
    monkeypatch.setitem(push_params(env), "velocity_range", {"x": (0.0, 0.5)})
    monkeypatch.setattr(env.event_manager.get_term_cfg("push"), "func", function)
    found = str(obstacle(env))
    assert found.startswith(f"{who}: it changes ") and found.endswith(f"{what}, which the host keeps")


def test_every_reward_is_computed_as_often_however_many_terms_act_by_mask(env, monkeypatch):
    """Twice to see what it keeps, and once so that a reset has something to change."""
    term = env.reward_manager.get_term_cfg("upright")
    counted = Mock(wraps=term.func)
    monkeypatch.setattr(term, "func", counted)
    assert obstacle(env) is None
    assert counted.call_count == 3


class ByIndices(ManagerTermBase):
    """A term that refuses a slice in words of its own."""

    def __init__(self) -> None:
        pass

    def reset(self, env_ids=None) -> None:
        if not isinstance(env_ids, torch.Tensor):
            raise TypeError("indices, please")


class Broken(ByIndices):
    """A term that fails, and not because of a slice."""

    def reset(self, env_ids=None) -> None:
        raise TypeError("a slice of bread")


def test_a_term_that_takes_indices_alone_is_told_from_one_that_fails():
    mask = torch.zeros(NUM_ENVS, dtype=torch.bool)
    with pytest.raises(NoMaskError, match=r"it takes env_ids by index alone, .* \(indices, please\)"):
        reset_term(ByIndices(), mask)
    with pytest.raises(TypeError, match=r"^a slice of bread$"):
        reset_term(Broken(), mask)


LEVELS = torch.zeros(NUM_ENVS)


def raising_levels(env, env_ids, **_) -> None:
    LEVELS[env_ids] += 1


def moving_the_default(env, env_ids, **_) -> None:
    env.scene["robot"].data.default_joint_pos.torch[env_ids] += 0.01


@pytest.mark.parametrize(
    ("function", "what"),
    [(raising_levels, f"{__name__}.LEVELS"), (moving_the_default, "'robot'._default_joint_pos")],
)
def test_an_event_that_writes_past_the_mask_is_named(env, monkeypatch, function, what):
    """It takes indices, and would change every environment in each step."""
    monkeypatch.setattr(env.event_manager.get_term_cfg("push"), "func", function)
    reason = f"event 'push': it changes {what} of environments that it is not called with"
    assert obstacle(env) == reason


class Buffered(ManagerTermBase):
    """A term that keeps its past in an object of Isaac Lab."""

    def __init__(self, env) -> None:
        super().__init__(RewardTermCfg(func=counting, weight=1.0), env)
        self.past = CircularBuffer(2, NUM_ENVS, env.device)

    def reset(self, env_ids=None) -> None:
        self.past.reset(env_ids)

    def __call__(self, env) -> torch.Tensor:
        self.past.append(env.episode_length_buf.float())
        return self.past.buffer.sum(dim=1)


def test_a_term_whose_parts_cannot_be_reset_by_mask_is_named(env, monkeypatch):
    manager = env.reward_manager
    term = manager.get_term_cfg("upright")
    monkeypatch.setattr(term, "func", Buffered(env))
    monkeypatch.setattr(term, "params", {})
    monkeypatch.setattr(manager, "_class_term_cfgs", [*manager._class_term_cfgs, term])
    assert str(obstacle(env)).startswith("reward 'upright': it changes Buffered.past.")


def test_a_term_that_fails_for_all_environments_is_named(env, monkeypatch):
    def one_by_one(env, env_ids, **_) -> None:
        assert len(env_ids) < NUM_ENVS, "too many"

    monkeypatch.setattr(env.event_manager.get_term_cfg("push"), "func", one_by_one)
    assert str(obstacle(env)).startswith(
        "event 'push': called for all environments, it raises AssertionError: too many"
    )


def record(env, by_mask: bool, steps: int = STEPS) -> list[dict[str, torch.Tensor]]:
    """Step through falls and time-outs, and keep everything that a step returns."""
    env.by_mask = by_mask
    random = torch.Generator().manual_seed(0)
    state = AmpState(joint_names=G1_23DOF.joint_names, features=tuple(FEATURE_DIMS), window=3, stride=2, command=True)
    wrapped = AmpEnv(env, state)
    env.reset()  # ends the episodes before, so that the next reset logs nothing of them
    env.termination_manager._last_episode_dones.zero_()
    wrapped.reset()
    env.episode_length_buf[:] = 5 * torch.arange(NUM_ENVS)
    found = []
    for _ in range(steps):
        actions = torch.rand(NUM_ENVS, 23, generator=random) * 2 - 1
        actions[:3] *= 0.1
        observations, rewards, terminated, truncated, infos = wrapped.step(actions.to(env.device))
        final = infos["terminal_states"]
        found.append(
            {
                "observations": observations,
                "states": wrapped.state(),
                "rewards": rewards.clone(),
                "terminated": terminated.clone(),
                "truncated": truncated.clone(),
                "windows": infos["amp_obs"],
                "whole": infos["amp_whole"],
                "states before time-outs": final[truncated.flatten()] if truncated.any() else torch.empty(0),
                "lengths": env.episode_length_buf.clone(),
            }
            | {name: torch.as_tensor(float(value)) for name, value in infos.get("log", {}).items()}
        )
    wrapped.close()
    return found


@pytest.mark.slow
def test_every_figure_of_every_step_agrees(env):
    explicit = isinstance(env.cfg.scene.robot.actuators["wrist"], IdealPDActuatorCfg)
    assert env._physics_handles_decimation == explicit, "one task steps its substeps one by one"
    record(env, by_mask=True, steps=2)  # of which nothing stays after a reset
    expected, found = record(env, by_mask=False), record(env, by_mask=True)
    falls, time_outs = (sum(int(step[name].sum()) for step in expected) for name in ("terminated", "truncated"))
    assert falls >= 5 and time_outs >= 5
    for step, (theirs, ours) in enumerate(zip(expected, found, strict=True)):
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            assert torch.allclose(ours[name].float(), value.float(), atol=1e-5), f"{name} in step {step}"


@ON_A_GPU
def test_a_recording_equals_the_plain_step(monkeypatch):
    """Before a GPU's rounding, which differs from run to run, has made the robots fall in another way."""
    with make_env(WALK, num_envs=NUM_ENVS, device="cuda:0", frontend="warp") as env:
        monkeypatch.setattr(Stage, "WARM_UP", 1000)
        expected = record(env, by_mask=True, steps=30)
        monkeypatch.setattr(Stage, "WARM_UP", 3)
        found = record(env, by_mask=True, steps=30)
        recorded = [stage.name for stage in env.stages if stage.recorded]
        assert recorded == ["process_actions", "compute_rewards", "reset_and_observe"]
    for theirs, ours in zip(expected, found, strict=True):
        for name, value in theirs.items():
            assert torch.allclose(ours[name].float(), value.float(), atol=1e-2), name


def test_a_reset_by_mask_changes_those_environments_alone(env):
    """And draws as often from the clip as it should: 640 starts of which half are references, within 4 sigma."""
    event = env.event_manager.get_term_cfg("reference")
    robot = env.scene["robot"].data
    event.params["share"] = 0.5
    mask = torch.arange(NUM_ENVS) % 2 == 0
    env.step(torch.rand(NUM_ENVS, 23))
    kept = [array.torch.clone() for array in (robot.joint_pos, robot.joint_vel, robot.root_link_pose_w)]
    chosen = event.func.from_reference.clone()
    count = 0
    for _ in range(160):
        apply_event(env, event, mask)
        count += int(event.func.from_reference[mask].sum())
    now = [array.torch for array in (robot.joint_pos, robot.joint_vel, robot.root_link_pose_w)]
    event.params["share"] = 0.0
    for before, after in zip(kept, now, strict=True):
        assert torch.equal(before[~mask], after[~mask])
        assert not torch.equal(before[mask], after[mask])
    assert torch.equal(event.func.from_reference[~mask], chosen[~mask])
    assert abs(count - 320) < 4 * (640 * 0.25) ** 0.5
