"""The locomotion task in the running environment: commands, what is remembered of them, symmetry, latency."""

import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")


from amp_helpers.amp_state.observation_group import observation_terms
from amp_helpers.amp_state.state import AmpState
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.by_mask import step_command
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.locomotion import RANDOMIZATIONS, G1LocomotionEnvCfg
from amp_helpers.env.locomotion_terms import track_reference_pose
from amp_helpers.env.make import make_env
from amp_helpers.env.stride import G1_STRIDES, leg_phase, stride_duration
from amp_helpers.env.symmetry import policy_mirrors
from amp_helpers.errors import InputError
from amp_helpers.feet.lock import find_stance, stances
from amp_helpers.robots import Kinematics
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.utils.task_ids import LOCOMOTION_TASK

pytestmark = pytest.mark.sim

NUM_ENVS = 24


@pytest.fixture(scope="module")
def dataset(repo_root):
    return MotionDataset.load(repo_root / "datasets" / "g1_locomotion.npz")


@pytest.fixture(scope="module")
def env(dataset):
    """Configured as for training."""
    with make_env(LOCOMOTION_TASK, num_envs=NUM_ENVS, seed=3, dataset=dataset, reference_share=0.7) as env:
        env.reset(seed=3)
        yield env


@pytest.fixture
def command(env):
    return env.command_manager.get_term("base_velocity")


def test_the_policy_observes_nothing_that_a_robot_cannot_measure(env):
    names = [term.function for term in observation_terms(env)]
    assert "base_lin_vel" not in names and "base_pos_z" not in names
    assert {"base_lin_vel", "heading_error", "mean_velocity_error"} <= {
        term.function for term in observation_terms(env, "critic")
    }


def drawn_commands(command, draws: int) -> torch.Tensor:
    """Commands of all environments, one draw after the other, (3, n); an episode of them would need minutes."""
    drawn = []
    for _ in range(draws):
        command._resample_command(torch.arange(NUM_ENVS))
        command._update_command()
        drawn.append(command.command.clone())
    return torch.cat(drawn).T


def test_commands_stand_go_straight_turn_and_turn_on_the_spot(command):
    forward, left, turn = drawn_commands(command, 60)
    assert (left == 0).all() and forward.min() >= 0 and forward.max() <= 2.6
    assert not ((forward > 0) & (forward < command.cfg.min_speed)).any()
    assert (forward * turn).abs().max() <= command.cfg.max_lateral_acceleration + 1e-5
    standing, straight, in_place = (
        (forward == 0) & (turn == 0),
        (forward > 0) & (turn == 0),
        (forward == 0) & (turn != 0),
    )
    for mask, least, most in ((standing, 0.08, 0.25), (straight, 0.3, 0.6), (in_place, 0.05, 0.25)):
        assert least < mask.float().mean() < most


def by_mask(command, draws: int) -> torch.Tensor:
    """Commands as the recorded step draws them, (3, n)."""
    drawn = []
    for _ in range(draws):
        command.time_left[:] = 0.0
        step_command(command, 0.02)
        drawn.append(command.command.clone())
    return torch.cat(drawn).T


@pytest.mark.parametrize("draw", [drawn_commands, by_mask])
@pytest.mark.parametrize("speeds", [(2.5, 2.9), (2.7, 2.7), (-1.5, -1.0), (-1.2, -1.2)])
def test_no_command_is_slower_than_the_slowest_of_the_range(command, monkeypatch, speeds, draw):
    monkeypatch.setattr(command.cfg.ranges, "lin_vel_x", speeds)
    forward, _, turn = draw(command, 20)
    assert forward.min() >= speeds[0] - 1e-6 and forward.max() <= speeds[1] + 1e-6, "none stands or turns on the spot"
    assert 0.35 < (turn == 0).float().mean() < 0.55
    assert (forward * turn).abs().max() <= command.cfg.max_lateral_acceleration + 1e-5


@pytest.mark.parametrize("draw", [drawn_commands, by_mask])
def test_a_range_with_backward_speeds_and_0_stands_too(command, monkeypatch, draw):
    monkeypatch.setattr(command.cfg.ranges, "lin_vel_x", (-1.0, 2.0))
    forward, _, _ = draw(command, 40)
    assert forward.min() < -0.9 and forward.max() > 1.8 and (forward == 0).float().mean() > 0.2


@pytest.mark.parametrize(
    ("speeds", "uniform", "drawn"),
    [
        ((0.5, 2.5), [0.5, 1.5, 2.5], [0.5, 1.0, 2.5]),
        ((-2.5, -0.5), [-0.5, -1.5, -2.5], [-0.5, -1.0, -2.5]),
        ((-1.0, 2.0), [-1.0, -0.5, 0.0, 1.0, 2.0], [-1.0, -0.25, 0.0, 0.5, 2.0]),
    ],
)
def test_slow_commands_are_drawn_more_often_forward_and_backward(command, monkeypatch, speeds, uniform, drawn):
    monkeypatch.setattr(command.cfg.ranges, "lin_vel_x", speeds)
    monkeypatch.setattr(command.cfg, "speed_exponent", 2.0)
    assert command._slower(torch.tensor(uniform)).tolist() == pytest.approx(drawn)


def test_an_exact_command_stays_exact(command):
    ranges, cfg = command.cfg.ranges, command.cfg
    before = ranges.lin_vel_x, ranges.ang_vel_z, cfg.rel_standing_envs, cfg.rel_straight_envs, cfg.rel_in_place_envs
    try:
        ranges.lin_vel_x, ranges.ang_vel_z = (0.05, 0.05), (0.8, 0.8)
        cfg.rel_standing_envs = cfg.rel_straight_envs = cfg.rel_in_place_envs = 0.0
        command._resample_command(torch.arange(NUM_ENVS))
        assert torch.allclose(command.command, torch.tensor([0.05, 0.0, 0.8]))
    finally:
        ranges.lin_vel_x, ranges.ang_vel_z, cfg.rel_standing_envs, cfg.rel_straight_envs, cfg.rel_in_place_envs = before


def test_an_episode_that_starts_in_a_clip_follows_the_command_of_that_clip(env, command, dataset):
    env.reset()
    event = env.event_manager.get_term_cfg("reference").func
    started = event.from_reference
    assert 0.3 < started.float().mean() < 1.0
    clips = event.commands[started]
    known = torch.tensor(dataset.command, dtype=torch.float32)
    exact = "donot_use_mm_for_euclid_dist"  # by products, equal commands are up to 1e-3 apart
    assert (torch.cdist(clips, known, compute_mode=exact).min(dim=1).values < 1e-5).all()
    jitter = torch.tensor(command.cfg.reference_jitter)
    assert ((command.command[started][:, ::2] - clips).abs() <= jitter + 1e-5).all()
    still = (clips == 0).all(dim=1)
    assert (command.command[started][still] == 0).all(), "a clip that stands keeps its command"


def test_the_observed_turn_leads_back_to_the_heading(env, command):
    env.reset()
    command.vel_command_b[:] = torch.tensor([1.0, 0.0, 0.0])
    command.vel_command_b[0] = 0.0
    command.heading_error = torch.full((NUM_ENVS,), 0.2)
    assert torch.allclose(command.steered[1:], torch.tensor([1.0, 0.0, -0.2]))
    assert (command.steered[0] == 0).all(), "a robot that stands does not step to correct its heading"
    command.heading_error = torch.full((NUM_ENVS,), 2.0)
    assert torch.allclose(command.steered[1:, 2], torch.tensor(-command.cfg.max_correction))
    env.reset()
    assert (command.heading_error == 0).all(), "a new command starts from the present heading"


def test_the_mirror_image_of_the_mirror_image_is_the_observation(env):
    observations, _ = env.reset()
    observed = observations["policy"]
    mirror, actions = policy_mirrors(env, G1_23DOF)
    assert torch.equal(mirror(mirror(observed)), observed) and not torch.equal(mirror(observed), observed)
    names = list(G1_23DOF.joint_names)
    left, right = names.index("left_hip_roll_joint"), names.index("right_hip_roll_joint")
    image = actions(torch.eye(23))
    assert image[left, right] == -1 and image[left].abs().sum() == 1
    turn = next(term for term in observation_terms(env) if term.name == "velocity_commands").newest.stop - 1
    assert torch.equal(mirror(observed)[:, turn], -observed[:, turn])


def test_a_term_without_a_known_mirror_image_is_named(env, monkeypatch):
    monkeypatch.setattr("amp_helpers.env.symmetry._SIGNS", {})
    with pytest.raises(InputError, match=r"observation 'base_ang_vel': .*--no_symmetry"):
        policy_mirrors(env, G1_23DOF)


def test_the_windows_of_a_conditioned_discriminator_end_with_the_command(env, command, dataset):
    state = AmpState(joint_names=G1_23DOF.joint_names, command=True)
    assert state.columns[-2:] == ["command forward", "command turn"] and state.dim == 2 * 23 + 2
    env.reset()
    source = state.from_env(env)
    source.restart()
    try:
        asked = command.command[:, ::2].clone()
        _, _, terminated, truncated, _ = env.step(torch.zeros(NUM_ENVS, 23))
        windows, _ = source.step(terminated | truncated)
        assert torch.equal(windows[:, -2:], asked), "the command that the action was chosen for"
    finally:
        source.detach()
    pose = G1_23DOF.default_positions()
    reference = state.from_dataset(dataset, pose)[:, -2:].numpy()
    assert np.allclose(np.unique(reference, axis=0), np.unique(dataset.command.astype(np.float32), axis=0))


def test_late_actions_are_those_of_the_step_before(env):
    term = env.action_manager.get_term("joint_pos")
    env.reset()
    first, second = torch.full((NUM_ENVS, 23), 0.1), torch.full((NUM_ENVS, 23), 0.3)
    rest = torch.tensor(G1_23DOF.default_pose())
    targets = []
    for actions in (first, second):
        term.process_actions(actions)
        targets.append(term._targets.clone())
    late = term._late.squeeze(1)
    assert late.any() and not late.all()
    assert torch.allclose(targets[0][late], rest) and torch.allclose(targets[1][late], rest + 0.5 * 0.1, atol=1e-6)
    assert torch.allclose(targets[1][~late], rest + 0.5 * 0.3, atol=1e-6)


@pytest.mark.parametrize("name", RANDOMIZATIONS)
def test_each_randomization_can_be_chosen_alone(name):
    cfg = G1LocomotionEnvCfg()
    cfg.randomize([name])
    on = {event for event in ("friction", "mass", "center_of_mass", "gains", "push") if getattr(cfg.events, event)}
    on |= {"latency"} if cfg.actions.joint_pos.delayed_share else set()
    on |= {"joint_offsets"} if hasattr(cfg.observations.policy.joint_pos.noise, "bias_noise_cfg") else set()
    assert on == {name}


def test_an_unknown_randomization_is_refused_with_the_names():
    with pytest.raises(InputError, match="wind not found; available: friction, mass"):
        G1LocomotionEnvCfg().randomize(["wind"])


def test_the_command_term_is_configured_where_isaac_lab_looks_for_it():
    assert LocomotionCommandCfg().class_type.__name__ == "LocomotionCommand"


def test_the_stride_asked_for_is_that_of_the_clips(dataset):
    kinematics = Kinematics(G1_23DOF)
    for clip in dataset.clips():
        steps = [stances(foot) for foot in find_stance(clip, kinematics).stance.T]
        starts = [[run[0] for run in foot[1:]] for foot in steps]
        own = [np.diff(foot).mean() * clip.dt for foot in starts if len(foot) > 1]
        if not own or "turn 0" in clip.name:  # in place, a foot hardly leaves the ground
            continue
        asked = stride_duration(*torch.tensor(clip.command, dtype=torch.float32).unsqueeze(1), G1_STRIDES).item()
        assert asked == pytest.approx(np.mean(own), rel=0.1), clip.name


def test_the_clock_runs_at_the_stride_of_the_command_and_stops_with_it(env, command):
    env.reset()
    command.vel_command_b[:] = torch.tensor([0.75, 0.0, 0.0])
    command.is_standing_env[:] = torch.arange(NUM_ENVS) == 0
    command.vel_command_b[0] = 0.0
    before = command.phase.clone()
    for _ in range(10):
        env.step(torch.zeros(NUM_ENVS, 23))
    passed = (command.phase - before) % 1
    assert passed[0] == 0, "a robot that is to stand has no stride"
    assert torch.allclose(passed[1:], 10 * env.step_dt / command.stride_s[1:], atol=1e-5)
    assert torch.allclose(command.clock.square().sum(dim=1), torch.ones(NUM_ENVS))


def test_the_clock_of_a_clip_lifts_each_foot_in_its_half_of_the_stride(env, command, dataset):
    """The phase of every frame of every clip, read from its legs, agrees with the feet that are in the air."""
    kinematics, order = Kinematics(G1_23DOF), [dataset.joint_names.index(name) for name in command.robot.joint_names]
    for clip in dataset.clips():
        if clip.command == (0.0, 0.0):
            continue
        phase = leg_phase(
            torch.tensor(clip.joint_pos[:, order]).float(),
            torch.tensor(clip.joint_vel[:, order]).float(),
            stride_duration(*torch.tensor(clip.command, dtype=torch.float32).expand(clip.num_frames, 2).T, G1_STRIDES),
            command.legs,
            G1_STRIDES.knee_share,
        )
        in_air = ~find_stance(clip, kinematics).stance
        half = np.sin(2 * np.pi * phase.numpy())
        assert (half * (in_air[:, 1].astype(float) - in_air[:, 0])).mean() > 0.25, clip.name


def test_the_pose_reward_is_largest_for_the_clip_of_the_command_at_the_phase_of_the_clock(env, command, dataset):
    """Robots put into a clip's pose: at the clock of its legs, half a stride later, and at another clip's command."""
    reward, robot = env.reward_manager.get_term_cfg("track_reference_pose"), tuple(command.robot.joint_names)

    def measure(name: str, forward: float, delay: float) -> float:
        (clip,) = (clip.select(robot) for clip in dataset.clips() if clip.name == name)
        pose, velocity = (torch.tensor(of[::8][:NUM_ENVS]).float() for of in (clip.joint_pos, clip.joint_vel))
        command.robot.write_joint_position_to_sim_index(position=pose)
        command.vel_command_b[:] = torch.tensor([forward, 0.0, 0.0])
        phase = leg_phase(pose, velocity, command.stride_s, command.legs, G1_STRIDES.knee_share)
        command.phase[:] = (phase + delay) % 1
        return reward.func(env, **reward.params).mean().item()

    assert measure("walk 0.9", 0.9, 0.0) > 0.9
    assert measure("run 2.5", 2.5, 0.0) > 0.8
    assert measure("walk 0.9", 0.9, 0.5) < 0.1
    assert measure("walk 0.9", 2.5, 0.0) < 0.1
    assert measure("stand", 0.0, 0.3) > 0.99


def test_the_pose_reward_takes_its_clips_from_the_event_that_resets_to_them(env, monkeypatch):
    reward = env.reward_manager.get_term_cfg("track_reference_pose")
    track_reference_pose(reward, env)
    monkeypatch.setitem(env.event_manager.active_terms, "reset", [])
    with pytest.raises(InputError, match=r"no clips; add an event with mode='reset' and func=.*reset_robot, or remove"):
        track_reference_pose(reward, env)
