"""The solver of this project's tasks: what it leaves out, how far from converged it stops, and what it says."""

from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import gymnasium
import mujoco_warp
from isaaclab.sensors import ImuCfg
from isaaclab_newton.physics import NewtonManager

from amp_helpers.env import make_env, solver
from amp_helpers.env.registration import add_task
from amp_helpers.env.solver import NewtonLeanManager, dropped
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.env.task_cfg import load_task_cfg

pytestmark = pytest.mark.sim

NUM_ENVS = 16
SUBSTEP_S = 0.005


class WithImuCfg(G1AmpEnvCfg):
    def __post_init__(self) -> None:
        scene: Any = self.scene
        scene.imu = ImuCfg(prim_path="{ENV_REGEX_NS}/Robot/.*pelvis")


def limit(cfg: G1AmpEnvCfg, name: str, value: int) -> None:
    physics: Any = cfg.sim.physics
    setattr(physics.newton_mjwarp.solver_cfg, name, value)
    physics.default = physics.newton_mjwarp


class ShortOfRowsCfg(G1AmpEnvCfg):
    def __post_init__(self) -> None:
        limit(self, "njmax", 20)


class ShortOfContactsCfg(G1AmpEnvCfg):
    def __post_init__(self) -> None:
        limit(self, "nconmax", 2)


TASKS = {
    "imu": ("Isaac-AMP-Test-Imu", WithImuCfg),
    "rows": ("Isaac-AMP-Test-Short-Of-Rows", ShortOfRowsCfg),
    "contacts": ("Isaac-AMP-Test-Short-Of-Contacts", ShortOfContactsCfg),
}
for _id, _cfg in TASKS.values():
    add_task(_id, _cfg)


def the_solver() -> Any:
    return NewtonManager._solver


def walk(env, steps: int) -> np.ndarray:
    """Step under the same small random actions, and return the joint positions at the end, (E, J)."""
    draws = torch.Generator().manual_seed(0)
    env.reset(seed=0)
    for _ in range(steps):
        env.step(0.3 * torch.randn(env.action_space.shape, generator=draws))
    return env.scene["robot"].data.joint_pos.torch.numpy().copy()


@pytest.fixture(scope="class")
def env():
    with make_env(num_envs=NUM_ENVS) as env:
        yield env


class TestOfTheWalk:
    """On one environment, closed before the other tests."""

    def test_without_the_sensor_stage_the_robots_move_the_same_to_the_bit(self, env):
        option = the_solver().mjw_model.opt
        assert option.disableflags & mujoco_warp.DisableBit.SENSOR
        without = walk(env, 20)
        option.disableflags &= ~mujoco_warp.DisableBit.SENSOR
        try:
            assert np.array_equal(walk(env, 20), without)
        finally:
            option.disableflags |= mujoco_warp.DisableBit.SENSOR

    def test_a_solve_that_is_cut_short_is_near_the_converged_one(self, env):
        model, data, draws = the_solver().mjw_model, the_solver().mjw_data, torch.Generator().manual_seed(0)
        option = model.opt
        short = option.iterations, option.ls_iterations
        errors = []
        env.reset(seed=0)
        for _ in range(30):
            env.step(0.3 * torch.randn(env.action_space.shape, generator=draws))
            solved = []
            for option.iterations, option.ls_iterations in ((100, 50), short):
                mujoco_warp.forward(model, data)
                solved.append(data.qacc.numpy().copy())
            errors.append(SUBSTEP_S * np.abs(solved[0] - solved[1])[:, 6:].max(axis=1))
        assert np.quantile(errors, 0.9) < 0.03 and np.quantile(errors, 0.99) < 0.3, "rad/s of the fastest joint"

    def test_nothing_is_dropped(self, env):
        walk(env, 60)
        assert dropped() == []


def test_the_cookbooks_physics_has_this_manager(repo_root):
    page = (repo_root / "docs" / "cookbook.md").read_text().partition("### Fewer iterations of the physics' solver")[2]
    names: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    manager = names["physics"].class_type
    assert manager._create_solver.__func__ is NewtonLeanManager._create_solver.__func__
    assert names["physics"].solver_cfg.iterations == 4


def test_an_imu_has_the_sensor_stage_that_it_reads():
    with make_env(TASKS["imu"][0], num_envs=2) as env:
        walk(env, 3)
        assert not the_solver().mjw_model.opt.disableflags & mujoco_warp.DisableBit.SENSOR
        assert env.scene["imu"].data.lin_acc_b.torch.norm(dim=1).min() > 1


def test_it_is_logged_where_isaac_lab_itself_opens_the_task(caplog):
    env = gymnasium.make(TASKS["rows"][0], cfg=load_task_cfg(TASKS["rows"][0], 2, "cpu", None)).unwrapped
    walk(env, 40)
    env.close()
    assert [record.name for record in caplog.records if "larger njmax" in record.message] == [solver.__name__]


@pytest.mark.parametrize(("short", "remedy"), [("rows", "larger njmax"), ("contacts", "larger nconmax")])
def test_what_had_no_room_is_said_once_when_the_environment_closes(short, remedy, caplog):
    notes: list[str] = []
    with make_env(TASKS[short][0], num_envs=4, note=notes.append) as env:
        walk(env, 40)
        assert notes == []
    assert len(notes) == 1 and remedy in notes[0] and "sim.physics.solver_cfg" in notes[0]
    assert not [record for record in caplog.records if remedy in record.message]
