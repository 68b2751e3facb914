"""Small training runs in the simulator on the CPU: the files of a run, resuming and stopping."""

import json
import math
import resource
from dataclasses import asdict, replace

import gymnasium
import numpy as np
import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from skrl.memories.torch import RandomMemory
from support import JOINTS, make_motion
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.checkpoint import load_checkpoint, load_parts, save_parts
from amp_helpers.agent.health import Health
from amp_helpers.agent.replay_buffer import ReplayBuffer
from amp_helpers.amp_state.state import FEATURE_DIMS
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.lessons.gaits import add_jitter
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.train import train
from amp_helpers.training.cfg import REFINED_DATASET, TrainCfg
from amp_helpers.training.command import parse
from amp_helpers.training.dropped_joints import drop_patterns
from amp_helpers.training.resolving import resolve
from amp_helpers.utils.task_ids import TASK

pytestmark = pytest.mark.sim


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "health.jsonl").read_text().splitlines()]


def weights(file) -> torch.Tensor:
    return torch.cat([value.flatten() for value in load_checkpoint(file)["policy"].values()])


def test_a_run_writes_its_files(small_run):
    files = {path.relative_to(small_run.folder).as_posix() for path in small_run.folder.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents")}
    assert files - events == {"config.json", "health.jsonl", "policy.pt", "checkpoints/agent_last.pt"}
    assert len(events) == 1


def test_each_update_writes_a_health_record_with_every_field(small_run):
    written = lines(small_run.folder)
    assert [line["update"] for line in written] == [1, 2, 3]
    assert [{k: v for k, v in line.items() if k != "wall_s"} for line in written] == [
        asdict(record) for record in small_run.records
    ]
    assert all(set(line) == {*Health.names(), "wall_s"} for line in written)
    assert all(math.isfinite(value) for line in written for value in line.values())
    assert written[0]["wall_s"] <= written[1]["wall_s"] <= written[2]["wall_s"]
    assert 0 < written[-1]["accuracy"] <= 1 and written[-1]["gradient_penalty"] > 0


def test_the_configuration_is_enough_to_repeat_the_run(small_run):
    config = json.loads((small_run.folder / "config.json").read_text())
    assert config["task"] == TASK and config["updates"] == 3 and config["wall_s"] > 0
    assert config["dataset"] == "datasets/g1_walk_refined.npz", "relative to the repository if it is in it"
    assert config["hidden"] == [32] and config["num_envs"] == 8 and config["seed"] == 0
    assert config["joint_names"] == list(G1_23DOF.joint_names)
    assert config["amp_state"]["features"] == list(small_run.cfg.features)
    assert config["amp_state"]["window"] == small_run.cfg.window
    assert all(len(digest) == 64 for digest in config["dataset_sha256"])
    assert str(small_run.folder.parent) not in json.dumps(config)


def test_tensorboard_shows_every_health_figure(small_run):
    events = EventAccumulator(str(small_run.folder)).Reload()
    for name in Health.names():
        shown = [scalar.value for scalar in events.Scalars(f"AMP / {name}")]
        assert shown == pytest.approx([getattr(record, name) for record in small_run.records], rel=1e-5, abs=1e-6)
    assert [scalar.step for scalar in events.Scalars("AMP / accuracy")] == [16, 32, 48]


def test_the_policy_file_equals_the_policy_of_the_checkpoint(small_run):
    policy, whole = load_checkpoint(small_run.folder / "policy.pt"), load_checkpoint(small_run.last)
    assert set(policy) == {"policy", "observation_preprocessor"}
    for part, state in policy.items():
        assert all(torch.equal(value, whole[part][name]) for name, value in state.items())
    assert whole["progress"] == {"updates": 3}
    assert whole["replay"]["windows"].shape[1] == 6 * (2 * 21 + 1 + 3 + 3 + 3), "wrists left out"


def test_a_run_resumes_from_a_checkpoint(small_run, tmp_path):
    seen = []
    folder = train(
        replace(small_run.cfg, checkpoint=small_run.last, seed=7, max_iterations=1, run_dir=tmp_path / "on"),
        on_update=seen.append,
        progress=False,
    )
    assert [record.update for record in seen] == [4]
    before, after = load_checkpoint(small_run.last), load_checkpoint(folder / "checkpoints" / "agent_last.pt")
    for optimizer in ("optimizer", "discriminator_optimizer"):
        steps = [saved[optimizer]["state"][0]["step"].item() for saved in (before, after)]
        assert steps[1] * 3 == steps[0] * 4, "the optimizer's step count continues"
    moved = (weights(folder / "policy.pt") - weights(small_run.last)).abs().mean()
    other = weights(small_run.last)[torch.randperm(len(weights(small_run.last)))]
    assert 0 < moved < 0.1 * (other - weights(small_run.last)).abs().mean(), "the weights start from the checkpoint's"
    assert len(after["replay"]["windows"]) > len(before["replay"]["windows"])
    assert json.loads((folder / "config.json").read_text())["updates"] == 4


def test_resuming_in_the_same_folder_appends_and_a_new_run_does_not_overwrite(small_run, tmp_path):
    cfg = replace(small_run.cfg, max_iterations=1, num_envs=2, run_dir=tmp_path / "run")
    last = train(cfg, progress=False) / "checkpoints" / "agent_last.pt"
    kept = last.read_bytes()
    with pytest.raises(InputError, match=f"already holds a run; .* --checkpoint {last}"):
        train(cfg, progress=False)
    assert last.read_bytes() == kept
    # Also with more environments, and thus a larger replay buffer.
    train(replace(cfg, checkpoint=last, num_envs=4), progress=False)
    assert [line["update"] for line in lines(cfg.run_dir)] == [1, 2]


def test_joints_that_never_move_are_dropped_by_default(small_run):
    """The wrists of the demo walk: by them alone, a discriminator would recognize every policy."""
    config = json.loads((small_run.folder / "config.json").read_text())
    assert config["drop_joints"] == ["still"]
    still = {"left_wrist_roll_joint", "right_wrist_roll_joint"}
    assert set(G1_23DOF.joint_names) - set(config["amp_state"]["joint_names"]) == still
    dataset = MotionDataset.load(REFINED_DATASET)
    assert set(drop_patterns(("still",), dataset=dataset)) == still
    jittery = add_jitter(dataset.clips()[0])
    moving = MotionDataset.from_motions([jittery], joint_names=jittery.joint_names, control_dt=jittery.dt)
    assert drop_patterns(("still", "feet", "x.*"), dataset=moving) == (".*ankle.*", "x.*")
    frozen = replace(jittery, joint_pos=jittery.joint_pos[:1].repeat(jittery.num_frames, axis=0))
    posing = MotionDataset.from_motions([frozen], joint_names=frozen.joint_names, control_dt=frozen.dt)
    assert drop_patterns(("still",), dataset=posing) == (), "a clip of a single pose keeps all joints"


def test_feet_without_ankles_need_their_robot():
    """The pattern that no joint matched was one that nobody had written."""
    dataset = MotionDataset.from_motions([make_motion()], joint_names=JOINTS, control_dt=0.02)
    with pytest.raises(InputError, match="is called ankle; name the robot whose feet are meant with --robot"):
        drop_patterns(("feet",), dataset=dataset)
    assert drop_patterns(("feet",), "g1_23dof", dataset) == G1_23DOF.feet_joints


def test_dropping_the_feet_narrows_the_discriminators_input(small_run, tmp_path):
    cfg = replace(small_run.cfg, features=("joint_pos",), window=2, stride=1, max_iterations=1)
    folder = train(replace(cfg, drop_joints=("feet",), run_dir=tmp_path / "no_feet"), progress=False)
    config = json.loads((folder / "config.json").read_text())
    kept = config["amp_state"]["joint_names"]
    assert kept == [name for name in G1_23DOF.joint_names if name not in G1_23DOF.feet_joints]
    saved = load_checkpoint(folder / "checkpoints" / "agent_last.pt")
    assert saved["discriminator"]["net.0.weight"].shape == (32, 2 * 19)
    assert saved["policy"]["net.0.weight"].shape == load_checkpoint(small_run.last)["policy"]["net.0.weight"].shape


def test_an_interrupted_run_keeps_its_policy(small_run, tmp_path, capsys):
    def stop_at_two(health: Health) -> None:
        if health.update == 2:
            raise KeyboardInterrupt

    cfg = replace(small_run.cfg, max_iterations=50, run_dir=tmp_path / "cut")
    folder = train(cfg, on_update=stop_at_two, progress=False)
    assert "interrupted after 2 updates" in capsys.readouterr().out
    assert [line["update"] for line in lines(folder)] == [1, 2]
    assert load_checkpoint(folder / "checkpoints" / "agent_last.pt")["progress"] == {"updates": 2}
    assert json.loads((folder / "config.json").read_text())["updates"] == 2
    assert torch.equal(weights(folder / "policy.pt"), weights(folder / "checkpoints" / "agent_last.pt"))


def test_a_run_stops_at_its_time_limit(small_run, tmp_path):
    folder = train(replace(small_run.cfg, max_iterations=50, max_seconds=0.01, run_dir=tmp_path / "short"))
    assert len(lines(folder)) == 1
    assert (folder / "policy.pt").is_file()


def test_the_same_seed_gives_the_same_policy(small_run, tmp_path):
    cfg = replace(small_run.cfg, max_iterations=1, num_envs=2)
    folders = [
        train(replace(cfg, seed=seed, run_dir=tmp_path / name), progress=False)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    first, second, third = (weights(folder / "policy.pt") for folder in folders)
    assert torch.equal(first, second)
    assert not torch.allclose(first, third, atol=1e-3)


def test_amp_states_can_come_from_an_observation_group(small_run, tmp_path, capsys):
    features = ("joint_pos", "joint_vel", "projected_gravity")
    cfg = replace(small_run.cfg, amp_group="policy", features=features, max_iterations=1, run_dir=tmp_path / "group")
    assert lines(train(cfg, progress=False))[0]["gradient_penalty"] > 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 6 and "note: joint_vel keeps 5 frames; the newest one is read" in notes
    assert any(note.startswith("note: joint_pos carries noise (") and "the dataset has none" in note for note in notes)


def test_a_diverging_run_stops_with_one_sentence_and_writes_no_policy(small_run, tmp_path):
    cfg = replace(
        small_run.cfg,
        agent=replace(small_run.cfg.agent, discriminator_learning_rate=1e30),
        max_iterations=9,
        run_dir=tmp_path / "wild",
    )
    with pytest.raises(InputError, match=r"update \d made .*discriminator_loss.* infinite or NaN"):
        train(cfg, progress=False)
    assert not (cfg.run_dir / "policy.pt").exists()


def replay(size: int, rows: int) -> ReplayBuffer:
    """Return a buffer to which the windows 1 to ``rows`` were added."""
    memory = RandomMemory(memory_size=size, num_envs=1, device="cpu")
    buffer = ReplayBuffer(memory, gymnasium.spaces.Box(-np.inf, np.inf, (1,)), share=1.0)
    for row in range(rows):
        buffer.add(torch.full((1, 1), row + 1.0), torch.tensor([0]))
    return buffer


@pytest.mark.parametrize(
    ("size", "rows", "into", "kept"),
    [
        (6, 4, 10, {1, 2, 3, 4}),
        (6, 9, 10, {4, 5, 6, 7, 8, 9}),
        (6, 9, 6, {4, 5, 6, 7, 8, 9}),
        (6, 9, 3, {7, 8, 9}),
        (6, 5, 3, {3, 4, 5}),
        (6, 6, 6, {1, 2, 3, 4, 5, 6}),
    ],
)
def test_replay_is_restored_into_a_buffer_of_another_size(size, rows, into, kept):
    """A run may resume with more environments and a larger buffer; rows never written are not sampled."""
    resumed = replay(into, 0)
    resumed.load_state_dict(replay(size, rows).state_dict())
    assert set(resumed.sample(500).flatten().tolist()) == kept
    resumed.add(torch.full((1, 1), 99.0), torch.tensor([0]))
    after = kept | {99} if len(kept) < into else (kept - {min(kept)}) | {99}
    assert set(resumed.sample(500).flatten().tolist()) == after, "the oldest window is replaced"


def test_a_checkpoint_is_loaded_completely_or_not_at_all(tmp_path):
    def parts() -> dict:
        network = torch.nn.Linear(2, 2)
        return {"network": network, "optimizer": torch.optim.Adam(network.parameters()), "replay": replay(4, 2)}

    saved, own = parts(), parts()
    save_parts(tmp_path / "good.pt", saved)
    before = {name: value.clone() for name, value in own["network"].state_dict().items()}
    damaged = torch.load(tmp_path / "good.pt", weights_only=True)
    damaged["replay"]["windows"] = torch.zeros(2, 7)
    torch.save(damaged, tmp_path / "damaged.pt")
    with pytest.raises(InputError, match=r"damaged.pt: its replay cannot be loaded \(windows of \(7,\) columns"):
        load_parts(tmp_path / "damaged.pt", own)
    assert all(torch.equal(value, before[name]) for name, value in own["network"].state_dict().items())
    load_parts(tmp_path / "good.pt", own)
    assert torch.equal(own["network"].weight, saved["network"].weight)


def test_a_full_disk_is_reported_and_written_files_are_kept(small_run, tmp_path):
    """A limit on file size stands in for a full disk, on which torch's writer raises an internal assertion."""
    cfg = replace(small_run.cfg, max_iterations=1, run_dir=tmp_path / "full")
    last = train(cfg, progress=False) / "checkpoints" / "agent_last.pt"
    kept = last.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(health: Health) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))

    try:
        with pytest.raises(InputError, match=r"agent_last.pt: cannot be written \(File too large\); free some space"):
            train(replace(cfg, checkpoint=last), on_update=fill_up, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert last.read_bytes() == kept
    assert [line["update"] for line in lines(cfg.run_dir)] == [1, 2]
    assert not [path for path in cfg.run_dir.rglob(".*")], "no incomplete file is left"


def test_the_command_line_is_the_configuration():
    assert parse([]) == TrainCfg()
    command = "--num_envs 4096 --headless --device cuda:0 --drop_joints feet --features joint_pos root_height"
    cfg = parse(f"{command} --velocity_range 0.4 1.2 --hidden 64 32 --seed 3 --max_iterations 9".split())
    assert cfg == TrainCfg(
        num_envs=4096,
        device="cuda:0",
        drop_joints=("feet",),
        features=("joint_pos", "root_height"),
        velocity_range=(0.4, 1.2),
        seed=3,
        max_iterations=9,
        agent=AmpAgentCfg(hidden=(64, 32)),
    )
    for choice, known in (("logger", "tensorboard, wandb"), ("frontend", "auto, warp, torch")):
        with pytest.raises(InputError, match=f"'mine' not found; available: {known}$"):
            resolve(replace(TrainCfg(), **{choice: "mine"}))
    assert set(TrainCfg().features) <= set(FEATURE_DIMS)
