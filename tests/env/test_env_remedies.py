"""What messages about a task propose is carried out, on configurations and stand-ins: no simulator starts."""

from types import SimpleNamespace
from typing import get_args, get_type_hints

import gymnasium
import pytest
import torch
from gymnasium.envs.registration import EnvSpec

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import isaaclab.envs.mdp as lab
from foreign_tasks import Foreign
from isaaclab.envs.mdp import UniformPose2dCommandCfg, UniformVelocityCommandCfg

from amp_helpers import check
from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.amp_state.commands import velocity_command
from amp_helpers.amp_state.observation_group import ObservationTerm, observation_terms
from amp_helpers.deploy.bundle import _clock
from amp_helpers.env.command_range import command_velocity
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.env.locomotion import G1LocomotionEnvCfg
from amp_helpers.env.make import FRONTENDS, _open, make_env
from amp_helpers.env.measuring import MeasuringRules, configure_for_measuring
from amp_helpers.env.rollout import reference_dataset
from amp_helpers.env.symmetry import _action_joints, _check_pose, _joint_mirror, _term_mirror
from amp_helpers.env.task import G1AmpEnvCfg
from amp_helpers.env.task_cfg import choose_randomizations, load_task_cfg, set_references
from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.command import parse
from amp_helpers.training.policy import find_policy, load_policy

LEGS = ["l_hip", "r_hip", "l_knee", "r_knee"]
PAIRS = {"left_knee": ("right_knee", 1.0), "right_knee": ("left_knee", 1.0)}


def term(function: str, joints: tuple[str, ...] = (), width: int = 3) -> ObservationTerm:
    return ObservationTerm("mine", function, 0, width, 0, "", joints)


def test_a_sensor_of_links_that_the_robot_lacks_is_one_sentence_and_other_faults_stay_whole(monkeypatch):
    """Isaac Lab raises RuntimeError because of the first, as PyTorch does where a GPU's memory is full."""
    fault, cause = "no contact sensor for /World/envs/env_[^/]+/Robot/.*_calf", ValueError("No bodies matched")

    def refuse(*arguments, **options):
        raise RuntimeError(fault) from cause

    monkeypatch.setitem(gymnasium.registry, "Mine", EnvSpec("Mine", entry_point="isaaclab.envs:ManagerBasedRLEnv"))
    monkeypatch.setattr("amp_helpers.env.make.IndexedEnv", refuse)
    with pytest.raises(InputError, match=r"'mine:Mine' does not fit its robot: .*_calf.*; correct its configuration"):
        _open("mine:Mine", None, recorded=False)
    fault, cause = "out of memory for a contact sensor", None
    with pytest.raises(RuntimeError, match=fault) as kept:
        _open("mine:Mine", None, recorded=False)
    assert not isinstance(kept.value, InputError)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: _term_mirror(term("my_sonar"), PAIRS, []),
        lambda: _joint_mirror(["left_knee", "waist"], PAIRS, "the actions"),
        lambda: _action_joints("mine", SimpleNamespace(IO_descriptor=SimpleNamespace())),
        lambda: _check_pose({"left_knee": 0.3, "right_knee": 0.2}, PAIRS),
        lambda: _check_pose({"left_knee": 0.3, "right_knee": 0.3, "toe": 0.0}, PAIRS),
    ],
    ids=["observation", "joint", "action", "pose", "robot"],
)
@pytest.mark.parametrize("given", ["--recipe locomotion", "--symmetry", ""])
def test_a_policy_without_a_mirror_image_trains_with_no_symmetry(wrong, given):
    """Whether the recipe or an option asks for symmetry; what has no mirror image is then never looked at."""
    with pytest.raises(InputError, match="--no_symmetry"):
        wrong()
    assert parse(given.split()).symmetry == bool(given)
    assert not parse([*given.split(), "--no_symmetry"]).symmetry


def test_a_symmetric_pose_has_a_mirror_image():
    assert _check_pose({"left_knee": 0.3, "right_knee": 0.3}, PAIRS) is None


@pytest.mark.parametrize(
    ("mine", "signs"),
    [
        (term("base_lin_vel"), [1, -1, 1]),
        (term("base_ang_vel"), [-1, 1, -1]),
        (term("projected_gravity"), [1, -1, 1]),
        (term("base_pos_z", width=1), [1]),
    ],
    ids=lambda value: getattr(value, "function", ""),
)
def test_a_vector_s_mirror_image_changes_the_sign_of_what_points_sideways(mine, signs):
    assert _term_mirror(mine, PAIRS, []) == (list(range(len(signs))), signs)


@pytest.mark.parametrize("mine", [term("anything", ("left_knee", "right_knee"), 2), term("last_action", width=2)])
def test_joints_and_actions_change_sides(mine):
    assert _term_mirror(mine, PAIRS, ["left_knee", "right_knee"]) == ([1, 0], [1, 1])


def commands(*names: str) -> SimpleNamespace:
    """Environment with velocity commands of these names, and a pose command."""
    kinds = dict.fromkeys(names, UniformVelocityCommandCfg(asset_name="robot", resampling_time_range=(1.0, 1.0)))
    cfg = SimpleNamespace(commands=kinds | {"pose": UniformPose2dCommandCfg(asset_name="robot")})
    manager = SimpleNamespace(get_command=lambda name: torch.full((2, 4), float(len(name))))
    return SimpleNamespace(cfg=cfg, command_manager=manager)


def test_the_command_that_is_shown_is_found_by_its_kind():
    assert velocity_command(commands("speed_and_heading")).tolist() == [[17.0] * 3] * 2


def test_a_clock_is_exported_with_a_command_that_has_one():
    env, cfg = commands("mine"), SimpleNamespace(params={"command_name": "mine"})
    with pytest.raises(InputError, match="has a command that is a UniformVelocityCommandCfg; use a Locomotion"):
        _clock(env, term("gait_clock"), cfg, LEGS)
    env.cfg.commands["mine"] = LocomotionCommandCfg(
        asset_name="robot",
        resampling_time_range=(1.0, 1.0),
        hip_joints=("l_hip", "r_hip"),
        knee_joints=("l_knee", "r_knee"),
    )
    exported = _clock(env, term("gait_clock"), cfg, LEGS)
    assert exported["hip_joints"] == LEGS[:2] and exported["stride"]["slowest"] == 0.3
    with pytest.raises(InputError, match="holds l_knee, r_knee, which no action drives"):
        _clock(env, term("gait_clock"), cfg, LEGS[:2])


@pytest.mark.parametrize("given", ["--recipe locomotion", "--condition_on_command", ""])
def test_a_task_without_one_velocity_command_trains_unconditioned(given):
    for names, found in (((), "no velocity command"), (("one", "other"), r"2 velocity commands \(one, other\)")):
        with pytest.raises(InputError, match=f"the task has {found}, .*; train with --no_condition_on_command"):
            velocity_command(commands(*names))
    assert parse(given.split()).condition_on_command == bool(given)
    assert not parse([*given.split(), "--no_condition_on_command"]).condition_on_command


def group(concatenated: bool = True, dims: tuple[tuple[int, ...], ...] = ((15,),)) -> SimpleNamespace:
    cfg = SimpleNamespace(func=lab.projected_gravity, params={}, noise=None, history_length=5)
    manager = SimpleNamespace(
        cfg={"policy": SimpleNamespace(enable_corruption=False, mine=cfg)},
        get_term_cfg=lambda name, term: cfg,
        _group_obs_term_cfgs={"policy": [cfg]},
        active_terms={"policy": ["mine"]},
        group_obs_concatenate={"policy": concatenated},
        group_obs_term_dim={"policy": list(dims)},
        _group_obs_term_names={"policy": ["mine"]},
    )
    return SimpleNamespace(observation_manager=manager)


def test_a_group_of_terms_in_a_dictionary():
    with pytest.raises(InputError, match="is a dictionary of terms; set concatenate_terms=True"):
        observation_terms(group(concatenated=False))
    with pytest.raises(InputError, match="a table of numbers in 'mine'; set flatten_history_dim=True"):
        observation_terms(group(dims=((5, 3),)))
    assert [term.stop for term in observation_terms(group())] == [15]


def test_a_share_of_reference_starts():
    cfg, own = Foreign(), G1AmpEnvCfg()
    with pytest.raises(InputError, match=r"cannot start in reference states; set the share to 0 or use Isaac-AMP-"):
        set_references(cfg, "T", None, 0.5)
    set_references(cfg, "T", None, 0.0)
    with pytest.raises(InputError, match=r"is 1.5; give one in 0\.\.1"):
        set_references(own, "T", None, 1.5)
    set_references(own, "T", None, 0.5)


def test_a_choice_of_randomizations():
    with pytest.raises(InputError, match="has no choice of randomizations; leave them out or use Isaac-AMP-Locomotion"):
        choose_randomizations(Foreign(), "T", ("mass",))
    choose_randomizations(Foreign(), "T", False)
    choose_randomizations(G1LocomotionEnvCfg(), "Isaac-AMP-Locomotion-Flat-G1", ("mass",))


def test_measuring_a_task_without_randomization():
    cfg = Foreign()
    cfg.events.material = cfg.events.shove = cfg.events.mine = None
    cfg.observations.policy.enable_corruption = cfg.observations.another.enable_corruption = False
    with pytest.raises(InputError, match="no event that randomizes anything; measure without randomization"):
        configure_for_measuring(cfg, MeasuringRules(randomize=True), "T")
    configure_for_measuring(cfg, MeasuringRules(randomize=False), "T")


def test_a_range_of_velocities():
    with pytest.raises(InputError, match=r"1\.2\.\.0\.3 m/s; give the lower speed first"):
        command_velocity(Foreign(), (1.2, 0.3))
    command_velocity(Foreign(), (0.3, 1.2))


def test_a_task_is_opened_with_the_physics_and_number_that_it_has():
    task = "Isaac-AMP-Velocity-Flat-G1"
    with pytest.raises(InputError, match=r"newton_mjwarp.*; choose another$"):
        load_task_cfg(task, 1, "cpu", "bullet")
    with pytest.raises(InputError, match="num_envs is 0; simulate at least 1 environment"):
        load_task_cfg(task, 0, "cpu", None)
    assert load_task_cfg(task, 1, "cpu", "newton_mjwarp").scene.num_envs == 1


def test_a_policy_needs_the_observations_that_it_was_trained_with(repo_root):
    spaces = gymnasium.spaces.Dict({"eyes": gymnasium.spaces.Box(-1, 1, (3,))})
    env = SimpleNamespace(single_observation_space=spaces, single_action_space=gymnasium.spaces.Box(-1, 1, (3,)))
    env.device = "cpu"
    with pytest.raises(InputError, match="no observation group 'policy'; evaluate on the task it was trained on"):
        load_policy(repo_root / "policies" / "g1_walk", env)


def test_a_reference_that_is_gone_or_another(repo_root):
    config = find_policy("g1_walk")[1]
    given = repo_root / "datasets" / "g1_walk.npz"
    with pytest.raises(InputError, match=r"gone\.npz: the dataset that the policy imitates is not there; name it with"):
        reference_dataset(config | {"dataset": "gone.npz"})
    assert reference_dataset(config | {"dataset": "gone.npz"}, given).num_motions == 1
    other = config | {"dataset": str(given), "dataset_sha256": ["0" * 64]}
    with pytest.raises(InputError, match="name the training data with --dataset, or this file, to compare with it all"):
        reference_dataset(other)
    assert reference_dataset(other, given).num_motions == 1


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("--dataset D --asset mine", "give --task ID too"),
        ("--dataset D --amp_group amp", "give --task ID too"),
        ("--run R --task No-Such-Task", "give --dataset D.npz too"),
    ],
)
def test_options_of_check_that_need_a_task_and_a_dataset(repo_root, given, remedy, monkeypatch):
    """With both, the task is looked for."""
    monkeypatch.chdir(repo_root)
    words = given.replace("D", "datasets/g1_walk.npz").replace("R", "policies/g1_walk").split()
    with pytest.raises(InputError, match=f"; {remedy}$"):
        check.main(words)
    also = ["--task", "No-Such-Task"] if "ID" in remedy else ["--dataset", "datasets/g1_walk.npz"]
    with pytest.raises(InputError, match="'No-Such-Task' not found"):
        check.main([*words, *also])


def test_a_checkpoint_is_a_file_written_by_training(repo_root, tmp_path):
    (tmp_path / "notes.pt").write_bytes(b"my notes")
    for wrong in (tmp_path / "gone.pt", tmp_path / "notes.pt"):
        with pytest.raises(InputError, match=r"; give a file written by training$"):
            load_checkpoint(wrong)
    assert load_checkpoint(repo_root / "policies" / "g1_walk" / "policy.pt")


def test_a_control_step_of_another_name_is_refused_before_the_simulator_starts():
    with pytest.raises(InputError, match="frontend 'captured' not found; available: auto, warp, torch"):
        make_env(frontend="captured").__enter__()
    assert get_args(get_type_hints(TrainCfg)["frontend"]) == FRONTENDS


@pytest.mark.parametrize("wrong", [{"turn": 0.3}, {"pushes": True}])
def test_turns_and_pushes_are_for_measuring(wrong):
    with pytest.raises(InputError, match="give play=True"), make_env("any", num_envs=1, device="cpu", **wrong):
        pass
