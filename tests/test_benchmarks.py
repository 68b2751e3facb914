"""Comparisons with other AMP and PPO implementations: they run, with the settings that the docstrings state."""

import argparse
import importlib
import json
import math
from functools import partial
from types import SimpleNamespace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from skrl.agents.torch.amp import AMP_CFG

from amp_helpers.agent.health import Health
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.policy import find_policy
from amp_helpers.training.resolving import resolve

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def benchmarks(repo_root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repo_root / "benchmarks"))
        names = ("rivals", "contenders", "throughput", "step_parts")
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


def test_documented_settings_are_skrls_defaults_except_where_isaac_lab_differs(benchmarks):
    cfg = benchmarks.rivals.rival_cfg("documented")
    settings = benchmarks.rivals.skrl_settings("documented", cfg, step_dt=0.02)
    own = AMP_CFG()
    own.expand()
    settings["learning_rate"] = 3 * (settings["learning_rate"],)
    assert {name for name, value in settings.items() if value != getattr(own, name)} == {
        "grad_norm_clip",
        "discriminator_batch_size",
    }
    assert (settings["task_reward_scale"], settings["style_reward_scale"]) == (0.0, 2.0)
    assert (cfg.window, cfg.stride, cfg.agent.hidden) == (2, 1, (1024, 512))


def test_matched_settings_have_the_sizes_of_this_projects_training(benchmarks):
    cfg = benchmarks.rivals.rival_cfg("matched")
    settings = benchmarks.rivals.skrl_settings("matched", cfg, step_dt=0.02)
    ours = TrainCfg()
    assert (cfg.agent.rollouts, cfg.window) == (ours.agent.rollouts, ours.window)
    assert cfg.agent.hidden == ours.agent.hidden
    assert (settings["rollouts"], settings["learning_epochs"], settings["mini_batches"]) == (24, 5, 4)
    assert settings["style_reward_scale"] == pytest.approx(0.02 * ours.agent.style_weight)


def test_skrls_amp_writes_a_run_that_evaluation_finds(benchmarks, tmp_path):
    rivals = benchmarks.rivals
    cfg = rivals.rival_cfg("documented", num_envs=4, device="cpu", max_iterations=2, run_dir=tmp_path / "run")
    folder = rivals.train_rival("documented", cfg, progress=False)
    lines = [json.loads(line) for line in (folder / "health.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1, 2]
    assert all(set(line) == {*Health.names(), "wall_s"} for line in lines)
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert all(line["weighted_style"] == pytest.approx(100 * line["style_reward"]) for line in lines)
    assert lines[-1]["action_std"] == pytest.approx(math.exp(-2.9)), "the documented action noise is fixed"
    _, config = find_policy(folder)
    assert config["hidden"] == [1024, 512] and config["updates"] == 2


def test_contenders_are_measured_in_one_environment(benchmarks, tmp_path):
    cfg = resolve(TrainCfg(num_envs=4, device="cpu", frontend="warp", run_dir=tmp_path / "run"))
    names = ["environment", "training", "training_warp", "rsl_rl_ppo"]
    count = benchmarks.throughput.measure(cfg, 24, 1, names)
    figures = count["contenders"]
    assert count["num_envs"] == 4 and list(figures) == names
    assert figures["environment"]["update_s"] is None and figures["training"]["update_s"] > 0
    rollout_s = 24 * figures["training"]["step_ms"] / 1000 + figures["training"]["update_s"]
    assert 24 * 4 / rollout_s == pytest.approx(figures["training"]["env_steps_per_s"], rel=0.01)
    assert set(count["ratios"]) == {
        "training_over_environment",
        "training_over_rsl_rl_ppo",
        "training_warp_over_training",
        "training_warp_over_rsl_rl_ppo",
    }
    assert 0 < count["ratios"]["training_over_environment"] < 2


def test_a_turn_excludes_the_warm_up(benchmarks, monkeypatch):
    before = benchmarks.contenders.WARM_UP - 1
    times = iter([*range(-2 * before, 0), 5.0, 7.0, 10.0, 11.0, 13.0, 17.0])  # start and end of each update
    monkeypatch.setattr(benchmarks.contenders.time, "perf_counter", lambda: next(times))
    agent = SimpleNamespace(update=lambda: "done")
    watch = benchmarks.contenders.Stopwatch("cpu")
    watch.watch(agent)
    assert [agent.update() for _ in range(before + 3)] == ["done"] * (before + 3)
    turn = watch.turn(rollout=24)
    assert (turn.steps, turn.seconds, turn.updates) == (48, 10.0, [1.0, 4.0])


def test_step_times_exclude_the_warm_up(benchmarks):
    """The update before the first measured step belongs to the warm-up."""
    acting = [(10.0 * step, 1.0 if step < 24 else 0.002) for step in range(72)]
    spans = {
        "environment": [(start + 5.0, 0.001) for start, _ in acting[:24]] + [(s + 5.0, 0.015) for s, _ in acting[24:]],
        "acting": [(start + 6.0, seconds) for start, seconds in acting],
        "update": [(239.0, 9.0), (479.0, 0.024), (719.0, 0.048)],
        "environment: resets": [(6.0 + 10 * step, 1.0) for step in range(20)] + [(700.0, 0.048)],
        "TensorBoard": [],
    }
    assert benchmarks.step_parts.step_times(spans, warm_up=24) == {
        "environment": 15.0,
        "acting": 2.0,
        "update": 1.5,
        "environment: resets": 1.0,
        "TensorBoard": 0.0,
    }


def test_timers_are_removed_on_exit(benchmarks):
    parts = benchmarks.step_parts.PARTS

    def methods():
        return [getattr(owner, name) for owner, name in parts.values()]

    original = methods()
    with benchmarks.step_parts.timers() as spans:
        assert set(spans) == set(parts) and not set(original) & set(methods())
    assert methods() == original


def test_a_ratio_is_computed_for_each_repeat(benchmarks):
    """A slowdown during one turn affects its own repeat alone; the ratio of medians would be 0.25."""
    turn = partial(benchmarks.contenders.Turn, 48)
    ours, alone = [turn(2.0), turn(4.0), turn(4.0)], [turn(1.0), turn(1.0), turn(2.0)]
    assert benchmarks.throughput._repeat_ratios("rate", ours, alone) == [0.5, 0.25, 0.5]


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_numbers_below_one_are_refused(benchmarks, given):
    assert benchmarks.contenders.positive_int("7") == 7
    with pytest.raises(argparse.ArgumentTypeError, match=f"{given} is not a positive integer; give 1 or more"):
        benchmarks.contenders.positive_int(given)
