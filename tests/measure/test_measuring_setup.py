"""How long a measurement takes is said in one place, for a command that stays as for one that changes."""

import math

import pytest

from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.conditions import HOLD_S, WARMUP_S
from amp_helpers.metrics.references import step_profile


def test_a_rollout_takes_the_warm_up_and_the_measured_time_or_all_of_its_steps():
    setup = MeasuringSetup(checkpoint="g1_walk")
    assert setup.through(()) is setup and setup.duration_s == WARMUP_S + setup.seconds
    for steps in ([0.5], [0.0, 1.0, 2.0]):
        assert setup.through(steps).duration_s == HOLD_S * len(steps) == len(step_profile(steps, HOLD_S, 0.02)) * 0.02
    with pytest.raises(InputError, match=r"^--steps measures each speed for 4 s; leave out --seconds, or --steps$"):
        MeasuringSetup(checkpoint="g1_walk", seconds=5.0).through([0.5])


def test_the_memory_that_is_checked_is_that_of_the_whole_rollout(repo_root, monkeypatch):
    dataset = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz")
    setup = MeasuringSetup(checkpoint="g1_walk").through([0.5] * 100)
    needed = 400 / dataset.dt * setup.num_envs * 3 * len(dataset.joint_names) * 4 / 1024**3
    monkeypatch.setattr("amp_helpers.metrics.rollout.memory_gib", lambda: math.nextafter(needed, 0.0))
    with pytest.raises(InputError, match=r"^20000 steps of 16 environments take"):
        setup.check_memory(dataset)
    monkeypatch.setattr("amp_helpers.metrics.rollout.memory_gib", lambda: needed)
    assert setup.check_memory(dataset) is None
