"""Terms written for Isaac Lab 2, which take environments by their indices alone, work in every reset."""

from typing import Any

import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.envs.mdp import UniformVelocityCommand
from isaaclab.utils import configclass

from amp_helpers.env.make import make_env
from amp_helpers.env.obstacles import obstacle
from amp_helpers.env.registration import add_task
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.errors import InputError

pytestmark = pytest.mark.sim

TASK = "Test-Counts-Environments"
NUM_ENVS = 3


class Counting(UniformVelocityCommand):
    """A command as people write it, which counts what it is given."""

    def _resample_command(self, env_ids) -> None:
        super()._resample_command(env_ids)
        self.vel_command_b[env_ids, 0] = torch.linspace(0.4, 0.6, len(env_ids), device=self.device)


class CountingRows(UniformVelocityCommand):
    """The same as the remedy has it."""

    def _resample_command(self, env_ids) -> None:
        super()._resample_command(env_ids)
        count = len(self.vel_command_b[env_ids])
        self.vel_command_b[env_ids, 0] = torch.linspace(0.4, 0.6, count, device=self.device)


@configclass
class CountingCfg(G1AmpEnvCfg):
    def __post_init__(self) -> None:
        self.commands.base_velocity.class_type = Counting
        self.commands.base_velocity.rel_standing_envs = 0.0


@configclass
class CountingRowsCfg(CountingCfg):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.commands.base_velocity.class_type = CountingRows


add_task(TASK, CountingCfg)
add_task(f"{TASK}-By-Rows", CountingRowsCfg)


def speeds(env) -> Any:
    return pytest.approx(env.command_manager.get_term("base_velocity").vel_command_b[:, 0].tolist())


def test_a_command_that_counts_its_environments_is_reset_and_stepped():
    with make_env(TASK, num_envs=NUM_ENVS) as env:
        env.reset()
        assert speeds(env) == [0.4, 0.5, 0.6]
        env.reset(slice(1, None))
        assert speeds(env) == [0.4, 0.4, 0.6]
        env.reset(torch.tensor([2]), seed=0)
        assert speeds(env) == [0.4, 0.4, 0.4]
        env.step(torch.zeros(NUM_ENVS, 23))


def test_a_recorded_step_names_it_and_takes_it_with_the_remedy():
    reason = (
        r"command 'base_velocity': it takes env_ids by index alone, and gets slice\(None\) for all environments "
        r"\(object of type 'slice' has no len\(\)\); count them with len\(tensor\[env_ids\]\), of a tensor with a row "
        "for each"
    )
    with (
        pytest.raises(InputError, match=f"{reason}; use --frontend torch$"),
        make_env(TASK, num_envs=NUM_ENVS, frontend="warp"),
    ):
        pass
    with make_env(f"{TASK}-By-Rows", num_envs=NUM_ENVS, frontend="warp") as env:
        assert obstacle(env) is None
        env.reset()
        assert speeds(env) == [0.4, 0.5, 0.6]
        env.step(torch.zeros(NUM_ENVS, 23))


def test_a_reset_by_indices_is_isaac_labs_reset():
    with make_env(num_envs=NUM_ENVS, seed=3) as env:
        robot = env.scene["robot"].data
        found = []
        for reset in (env.reset, lambda **options: ManagerBasedRLEnv.reset(env, **options)):
            for _ in range(3):
                env.step(torch.rand(NUM_ENVS, 23, generator=torch.Generator().manual_seed(0)))
            observations, _ = reset(seed=5)
            found.append([observations["policy"], robot.joint_pos.torch.clone(), robot.root_link_pose_w.torch.clone()])
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs)
