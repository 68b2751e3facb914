"""The task without a command and without a reward: its recipe trains in it, and its step can be recorded."""

from dataclasses import replace

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.make import takes_velocity
from amp_helpers.train import train
from amp_helpers.training.cfg import RECIPES
from amp_helpers.utils.task_ids import STYLE_TASK

pytestmark = pytest.mark.sim


def test_style_alone_is_rewarded(tmp_path):
    recipe = RECIPES["style"]
    assert recipe.task == STYLE_TASK and not takes_velocity(STYLE_TASK)
    agent = replace(recipe.agent, rollouts=16, hidden=(32,), discriminator_hidden=(32,))
    records = []
    run = {"device": "cpu", "num_envs": 4, "max_iterations": 1, "run_dir": tmp_path / "run", "agent": agent}
    train(replace(recipe, frontend="warp", **run), on_update=records.append, progress=False)  # or it is refused
    (record,) = records
    assert record.weighted_task == 0 < record.weighted_style
    assert record.verdict != "task drowned"
