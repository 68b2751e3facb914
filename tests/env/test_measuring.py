"""On any task, a policy is measured by the stated rules, or a sentence says what could not be set."""

import contextlib
import io

import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import isaaclab.envs.mdp as mdp
from foreign_tasks import Foreign, count_resets, registered, zero_actions
from isaaclab.managers import EventTermCfg
from isaaclab.utils import configclass
from isaaclab_tasks.utils import parse_env_cfg

from amp_helpers.env.held_command import check_command, set_command
from amp_helpers.env.make import make_env
from amp_helpers.env.mdp import reset_robot
from amp_helpers.env.measuring import MeasuringRules, configure_for_measuring, reference_event
from amp_helpers.env.style import G1StyleEnvCfg
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.errors import InputError
from amp_helpers.metrics.conditions import PUSH_MPS
from amp_helpers.utils.task_ids import STYLE_TASK

pytestmark = pytest.mark.sim
UNTURNED = MeasuringRules(forward=0.5)


class TestInTheSimulator:
    """64 environments of a foreign task, pushed and commanded."""

    @pytest.fixture(scope="class")
    def env(self):
        with make_env(registered(), num_envs=64, play=True, velocity=0.7, turn=-0.3, pushes=True) as env:
            env.reset()
            yield env

    def test_there_are_as_many_environments_as_asked(self, env):
        assert env.num_envs == 64

    def test_episodes_start_in_the_default_state(self, env):
        env.reset()
        robot = env.scene["robot"].data
        joints = robot.joint_pos.torch - robot.default_joint_pos.torch
        assert 0.01 < joints.abs().max() <= 0.05 + 1e-6
        place = robot.root_link_pose_w.torch.clone()
        place[:, :3] -= env.scene.env_origins
        assert torch.allclose(place, torch.tensor([0, 0, 0.82, 0, 0, 0, 1.0]).expand(64, -1), atol=1e-5)
        assert robot.root_link_vel_w.torch.abs().max() < 1e-5

    def test_the_command_is_what_was_asked_everywhere_and_always(self, env):
        for _ in range(15):
            observations = env.step(zero_actions(env))[0]["policy"]
            assert torch.allclose(observations[:, 3:6], torch.tensor([0.7, 0.0, -0.3]).expand(64, -1))
        env.reset()
        check_command(env, 0.7, -0.3)

    def test_observations_are_without_noise(self, env):
        observations, *_ = env.step(zero_actions(env))
        gravity = env.scene["robot"].data.projected_gravity_b.torch
        for group in ("policy", "another"):
            assert torch.allclose(observations[group][:, :3], gravity, atol=1e-5)

    def test_only_the_stated_push_is_left(self, env):
        assert env.event_manager.active_terms["interval"] == ["measuring_push"]
        assert not hasattr(env, "kicks") and not env.curriculum_manager.active_terms
        before = env.scene["robot"].data.root_vel_w.torch.clone()
        env.event_manager.get_term_cfg("measuring_push").func(
            env, torch.arange(64), **env.event_manager.get_term_cfg("measuring_push").params
        )
        change = env.scene["robot"].data.root_vel_w.torch - before
        assert torch.allclose(change[:, :2].norm(dim=1), torch.full((64,), PUSH_MPS), atol=1e-4)
        assert change[:, 2:].abs().max() < 1e-5 and change[:, 0].std() > 0.1, "in all directions"

    def test_nothing_is_randomized(self, env):
        assert "startup" not in env.event_manager.active_terms

    def test_the_command_changes_at_once_and_stays(self, env):
        set_command(env, 0.2, 0.4)
        for _ in range(3):
            env.step(zero_actions(env))
        check_command(env, 0.2, 0.4)
        env.reset()
        check_command(env, 0.2, 0.4)
        with pytest.raises(InputError, match=r"'heading_and_speed' \(UniformVelocityCommand\) gives \(0.2, 0, 0.4\)"):
            check_command(env, 0.7, -0.3)


def test_a_normally_distributed_command_is_replaced():
    """It flips signs at random, which no parameter turns off."""
    cfg = Foreign()
    ranges = mdp.NormalVelocityCommandCfg.Ranges(mean_vel=(1, 0, 0), std_vel=(0, 0, 0), zero_prob=(0.1, 0.1, 0.1))
    cfg.commands.heading_and_speed = mdp.NormalVelocityCommandCfg(
        asset_name="robot", resampling_time_range=(1.0, 1.0), ranges=ranges
    )
    assert configure_for_measuring(cfg, UNTURNED) == []
    command = cfg.commands.heading_and_speed
    assert type(command) is mdp.UniformVelocityCommandCfg and command.ranges.lin_vel_x == (0.5, 0.5)
    assert command.ranges.ang_vel_z == command.ranges.lin_vel_y == (0.0, 0.0)


def test_a_command_of_another_kind_is_named():
    @configclass
    class Both:
        goal = mdp.UniformPose2dCommandCfg(
            asset_name="robot",
            simple_heading=True,
            resampling_time_range=(1.0, 1.0),
            ranges=mdp.UniformPose2dCommandCfg.Ranges(pos_x=(0, 1), pos_y=(0, 1), heading=(0, 1)),
        )
        pace = Foreign().commands.heading_and_speed

    cfg = Foreign()
    cfg.commands = Both()
    assert configure_for_measuring(cfg, UNTURNED) == [
        "command 'goal' (UniformPose2dCommandCfg) is drawn as the task has it"
    ]
    cfg.commands = {"goal": Both().goal}
    with pytest.raises(InputError, match=r"task 'T' has no velocity command; its commands: 'goal' \(UniformPose2dComm"):
        configure_for_measuring(cfg, UNTURNED, "T")
    assert configure_for_measuring(cfg, MeasuringRules(), "T") == [], "the remedy: leave the velocity out"


def test_further_components_of_a_command_are_named():
    """A user's own kind of command, recognized by its ranges."""

    @configclass
    class WithHeight(mdp.UniformVelocityCommandCfg.Ranges):
        height = (0.5, 0.8)

    cfg = Foreign()
    cfg.commands.heading_and_speed.ranges = WithHeight(lin_vel_x=(0, 1), lin_vel_y=(0, 1), ang_vel_z=(0, 1))
    assert configure_for_measuring(cfg, UNTURNED) == ["command 'heading_and_speed' draws height as the task has it"]


def test_an_unknown_event_stays_and_is_named():
    cfg = Foreign()
    cfg.events.mine = EventTermCfg(func=count_resets, mode="reset")
    assert configure_for_measuring(cfg) == ["event 'mine' (count_resets, at reset) stays as the task has it"]
    assert cfg.events.mine.func is count_resets and cfg.events.shove is None


def test_randomization_stays_when_asked_and_where_there_is_none_the_option_is_refused():
    cfg = Foreign()
    configure_for_measuring(cfg, MeasuringRules(randomize=True))
    assert cfg.events.material is not None and cfg.events.shove is not None
    assert cfg.observations.policy.enable_corruption
    cfg = Foreign()
    configure_for_measuring(cfg, MeasuringRules(randomize=True, pushes=True))
    assert cfg.events.shove is None, "the rules' pushes alone"
    cfg = still()
    with pytest.raises(InputError, match="task 'T' has no noise and no event that randomizes anything"):
        configure_for_measuring(cfg, MeasuringRules(randomize=True), "T")
    configure_for_measuring(cfg, MeasuringRules(), "T")


def still() -> Foreign:
    """A task that randomizes nothing: its noise is turned off, and one group has none to turn on."""
    cfg = Foreign()
    cfg.events.material = cfg.events.shove = cfg.events.mine = None
    cfg.observations.policy.enable_corruption = False
    cfg.observations.another.up.noise = cfg.observations.another.angles.noise = None
    return cfg


def test_noise_alone_or_an_event_at_intervals_is_kept_as_randomization():
    cfg = still()
    cfg.observations.policy.enable_corruption = True
    configure_for_measuring(cfg, MeasuringRules(randomize=True))
    assert cfg.observations.policy.enable_corruption
    cfg = still()
    cfg.events.shove = Foreign().events.shove
    with pytest.raises(InputError, match="no event that randomizes anything"):  # the rules' pushes replace it
        configure_for_measuring(cfg, MeasuringRules(randomize=True, pushes=True))
    cfg.events.shove = Foreign().events.shove
    configure_for_measuring(cfg, MeasuringRules(randomize=True))
    assert cfg.events.shove is not None
    cfg = G1StyleEnvCfg()
    configure_for_measuring(cfg, MeasuringRules(randomize=True), STYLE_TASK)
    assert cfg.observations.policy.enable_corruption and cfg.events.push is not None


def test_managers_may_be_dictionaries_or_absent():
    cfg = Foreign()
    cfg.events, cfg.commands = dict(vars(cfg.events)), dict(vars(cfg.commands))
    configure_for_measuring(cfg, UNTURNED)
    assert cfg.events["shove"] is None and cfg.commands["heading_and_speed"].rel_standing_envs == 0
    cfg.events, cfg.commands, cfg.curriculum = None, None, None
    assert configure_for_measuring(cfg) == []


def test_reference_states_are_found_by_the_class_of_the_event():
    cfg = G1AmpEnvCfg()
    cfg.events.anew, cfg.events.reference = cfg.events.reference, EventTermCfg(func=count_resets, mode="reset")
    found = reference_event(cfg)
    assert found is not None and found.func is reset_robot
    configure_for_measuring(cfg, UNTURNED)
    assert cfg.events.anew.params["share"] == 0 and reference_event(Foreign()) is None


def test_isaac_labs_velocity_tasks_need_no_note():
    """The task as registered: pushes, curriculum, heading control and 50 environments at most in its play mode."""
    with contextlib.redirect_stdout(io.StringIO()):
        cfg = parse_env_cfg("Isaac-Velocity-Flat-UnitreeGo2", device="cpu", num_envs=64)
    assert configure_for_measuring(cfg, UNTURNED) == [] and cfg.scene.num_envs == 64
    assert cfg.events.push_robot is None and cfg.curriculum is None and not cfg.observations.policy.enable_corruption
    assert not cfg.commands.base_velocity.heading_command and cfg.commands.base_velocity.ranges.lin_vel_x == (0.5, 0.5)
