"""The training panel, driven by values and buttons, on finished, growing and damaged runs."""

import asyncio
import io
import json
import re
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support import PATIENCE_S

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.training.background import start_training
from amp_helpers.training.cfg import RECIPES, TrainCfg
from amp_helpers.training.command import command_line, parse
from amp_helpers.training.gait_probe import GaitProbe
from amp_helpers.training.run_folder import LOG_FILE, open_health, read_run, request_stop, stop_requested
from amp_helpers.widgets import TrainingPanel
from amp_helpers.widgets.training_panel import status_text


@pytest.fixture
def growing(tmp_path, repo_root):
    """A run folder during training, its health file, and all lines of that file."""
    lines = (repo_root / "policies" / "g1_walk" / "health.jsonl").read_text().splitlines(keepends=True)[:20]
    gait = {"falls_per_env_10s": 3.5, "gait_frequency_ratio": None, "pose_rmse_rad": 0.31, "coverage_rmse_rad": 0.2}
    lines[4] = json.dumps(json.loads(lines[4]) | {"gait": gait}) + "\n"
    (tmp_path / "config.json").write_text(json.dumps({"max_iterations": 20}))
    file = tmp_path / "health.jsonl"
    file.write_text("".join(lines[:5]))
    return tmp_path, file, lines


def end(folder) -> None:
    (folder / "config.json").write_text(json.dumps({"max_iterations": 20, "updates": 20, "wall_s": 80.0}))


# --- reading a run --------------------------------------------------------------------------------------------------


def test_an_incomplete_line_is_read_later(growing):
    folder, file, lines = growing
    with file.open("a") as log:
        log.write(lines[5][:40])
        log.flush()
        assert len(read_run(folder).updates) == 5
        log.write(lines[5][40:])
        log.flush()
        assert len(read_run(folder).updates) == 6


def test_a_damaged_line_is_named(growing):
    folder, file, lines = growing
    file.write_text(lines[0] + '{"update": 2}\n' + lines[2])
    with pytest.raises(InputError, match=r"health\.jsonl: line 2 is no health record"):
        read_run(folder)
    with pytest.raises(InputError, match="no such run folder"):
        read_run(folder / "none")


def test_the_state_of_a_run(growing, monkeypatch):
    folder = growing[0]
    assert read_run(folder).state == "running"
    request_stop(folder)
    assert read_run(folder).state == "stopping"
    now = time.time()
    monkeypatch.setattr("amp_helpers.training.run_folder.time.time", lambda: now + 300)
    silent = read_run(folder)
    assert silent.state == "silent"
    assert "go on with another run: it left no checkpoint" in status_text(silent)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "agent_last.pt").touch()
    assert f"the process has probably died; go on with --checkpoint {folder}" in status_text(silent)
    with open_health(folder):
        assert read_run(folder).state == "stopping", "a process holds the folder, however silent"
    end(folder)
    assert read_run(folder).state == "ended"


@pytest.mark.slow
def test_a_run_that_compiles_its_kernels_has_not_died(tmp_path, monkeypatch):
    (tmp_path / "output.txt").touch()  # as a background run begins
    now = time.time()
    monkeypatch.setattr("amp_helpers.training.run_folder.time.time", lambda: now + 90)
    assert re.match(
        r"silent: no update yet for 9\d s; the simulator may still compile", status_text(read_run(tmp_path))
    )
    panel = TrainingPanel(tmp_path)
    process = SimpleNamespace(running=True, check=lambda: None)

    async def watch_a_moment() -> str:
        task = asyncio.create_task(panel.watch(process))
        await asyncio.sleep(0.3)
        shown = panel.status.value
        process.running = False
        await task
        return shown

    assert "running: no update yet for 9" in asyncio.run(watch_a_moment())


@pytest.mark.slow
def test_an_interrupted_cell_stops_the_run_and_ends_with_a_sentence(growing):
    folder = growing[0]
    panel = TrainingPanel(folder)
    process = SimpleNamespace(running=True, check=lambda: None)
    process.process = SimpleNamespace(wait=lambda: (setattr(process, "running", False), end(folder)))

    async def interrupt() -> None:
        task = asyncio.create_task(panel.watch(process))
        await asyncio.sleep(0.1)
        task.cancel()
        await task

    asyncio.run(interrupt())
    assert stop_requested(folder)
    assert "ended: 5 updates" in panel.status.value and "The cell was interrupted" in panel.status.value


# --- the panel ------------------------------------------------------------------------------------------------------


def image(panel) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(panel.curves.value)))


def test_a_finished_run_is_shown(repo_root):
    panel = TrainingPanel(repo_root / "policies" / "g1_walk")
    assert np.ptp(image(panel)[..., :3]) > 100
    assert re.search(r"ended: \d+ updates in \d+ s", panel.status.value)
    assert "of the reward" in panel.diagnosis.value
    assert panel.stop_button.disabled, "the run has ended"
    assert panel.update_slider.value == panel.update_slider.max == len(read_run(panel.folder).updates)


def test_the_slider_reads_any_update(growing):
    panel = TrainingPanel(growing[0])
    record = json.loads(growing[2][2])
    panel.update_slider.value = 3
    assert "update 3<" in panel.table.value and f"{record['weighted_task']:.3g}" in panel.table.value
    assert "not yet measured" in panel.table.value
    panel.update_slider.value = 5
    assert "at update 5" in panel.table.value and "3.5" in panel.table.value
    assert "undefined" in panel.table.value, "the gait of a falling robot"


@pytest.mark.slow
def test_refresh_reads_new_updates(growing):
    folder, file, lines = growing
    panel = TrainingPanel(folder)
    assert "update 5 of 20" in panel.status.value
    before = panel.curves.value
    file.write_text("".join(lines[:9]))
    panel.refresh_button.click()
    assert "update 9 of 20" in panel.status.value and panel.curves.value != before
    assert panel.update_slider.value == 9, "at the newest update it follows the run"
    panel.update_slider.value = 4
    file.write_text("".join(lines[:12]))
    panel.refresh_button.click()
    assert (panel.update_slider.value, panel.update_slider.max) == (4, 12), "elsewhere it stays"


@pytest.mark.slow
def test_the_stop_button_requests_a_stop(growing):
    panel = TrainingPanel(growing[0])
    assert not stop_requested(growing[0]) and not panel.stop_button.disabled
    panel.stop_button.click()
    assert stop_requested(growing[0])
    assert "saves its policy" in panel.status.value


@pytest.mark.slow
def test_follow_refreshes_until_the_run_has_ended(growing):
    folder, file, lines = growing

    async def watch_it_grow():
        panel = TrainingPanel(folder, interval_s=0.0)
        panel.follow.value = True
        await asyncio.sleep(0)
        file.write_text("".join(lines))
        end(folder)
        while panel.follow.value:
            await asyncio.sleep(0.1)
        return panel

    panel = asyncio.run(asyncio.wait_for(watch_it_grow(), 30))
    assert "ended: 20 updates" in panel.status.value and panel.update_slider.value == 20
    assert panel.stop_button.disabled


@pytest.mark.slow
def test_the_folder_may_be_missing_at_first(tmp_path):
    panel = TrainingPanel(tmp_path / "run")
    assert "no update yet" in panel.status.value and "Waiting" in panel.diagnosis.value
    assert panel.update_slider.disabled
    assert image(panel).shape == image(TrainingPanel(tmp_path / "other")).shape


@pytest.mark.slow
def test_sizes_are_fixed_and_controls_are_labeled(growing, repo_root):
    panel = TrainingPanel(growing[0])
    assert image(panel).shape == image(TrainingPanel(repo_root / "policies" / "g1_walk")).shape
    labels = [
        control.description for control in (panel.stop_button, panel.refresh_button, panel.follow, panel.update_slider)
    ]
    assert labels == ["Stop and save", "Refresh", "Follow", "Update"]
    assert all(
        control.tooltip for control in (panel.stop_button, panel.refresh_button, panel.follow, panel.update_slider)
    )
    assert panel.diagnosis.layout.min_height, "room is kept, and a narrow page may need more"
    assert panel.table.layout.height, "its height is fixed"


def test_an_unreadable_run_raises(growing):
    panel = TrainingPanel(growing[0])
    growing[1].write_text("nonsense\n")
    with pytest.raises(InputError, match="line 1"):
        panel.refresh()
    assert panel.messages in panel.children, "the exceptions of callbacks are shown"


# --- training in the background -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cfg",
    [
        TrainCfg(),
        TrainCfg(num_envs=8, device="cpu", drop_joints=("feet", ".*wrist.*"), velocity_range=(0.0, 1.2), seed=3),
        replace(RECIPES["published"], max_seconds=12.5, agent=AmpAgentCfg(entropy=0.0, time_limit_bootstrap=False)),
    ],
)
def test_settings_survive_the_command_line(cfg):
    assert parse(command_line(cfg)) == cfg


def test_settings_without_effect_are_no_options():
    recipe = RECIPES["locomotion"]
    cfg = replace(recipe, match_commands=False, condition_on_command=False, agent=replace(recipe.agent, final_std=0.0))
    words = command_line(cfg)
    assert not {"--no_match_commands", "--final_std_updates"} & {*words}
    assert (parse(words).condition_on_command, parse(words).agent.final_std) == (False, 0.0)


def test_a_background_run_needs_a_run_dir():
    with pytest.raises(InputError, match="run_dir is not set"):
        start_training(TrainCfg())


@pytest.mark.slow
def test_errors_of_a_background_run_are_raised_in_the_notebook(tmp_path):
    training = start_training(TrainCfg(run_dir=tmp_path / "run", dataset=tmp_path / "none.npz", device="cpu"))
    with pytest.raises(InputError, match=r"none\.npz"):
        asyncio.run(asyncio.wait_for(TrainingPanel(tmp_path / "run").watch(training), 60))


@pytest.mark.sim
def test_a_real_run_is_watched_and_stopped_and_saves_its_policy(tmp_path, small_run):
    cfg = replace(small_run.cfg, run_dir=tmp_path / "run", max_iterations=10_000)

    async def watch_and_stop():
        panel = TrainingPanel(cfg.run_dir, interval_s=0.2)
        task = asyncio.create_task(panel.watch(training))
        while not panel.update_slider.value >= 2:
            assert training.running, (cfg.run_dir / LOG_FILE).read_text()
            await asyncio.sleep(0.1)
        panel.stop_button.click()
        await task
        return panel

    training = start_training(cfg)
    try:
        panel = asyncio.run(asyncio.wait_for(watch_and_stop(), PATIENCE_S))
    finally:
        training.process.kill()
    run = read_run(cfg.run_dir)
    assert run.state == "ended" and 2 <= len(run.updates) < 10_000
    assert f"ended: {len(run.updates)} updates" in panel.status.value
    assert (cfg.run_dir / "policy.pt").is_file() and (cfg.run_dir / "checkpoints" / "agent_last.pt").is_file()


# --- the gait while training ----------------------------------------------------------------------------------------


def test_the_probe_measures_the_clip_itself_and_counts_falls(repo_root):
    torch = pytest.importorskip("torch")
    clip = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0].loop(8)
    names = tuple(reversed(clip.joint_names))
    probe = GaitProbe(names, clip, clip.dt, num_envs=3)
    frames = torch.tensor(clip.joint_pos[:, ::-1].copy())
    nobody = torch.zeros(5, dtype=torch.bool)
    for step in range(200):
        assert probe.measure() is None
        envs = torch.stack([frames[step + 7 * env] for env in range(5)])
        fell = torch.tensor([step == 120, False, False, True, True])
        probe.record(envs, fell, nobody)
    numbers = probe.measure()
    assert numbers["gait_frequency_ratio"] == pytest.approx(1.0, abs=0.02)
    assert numbers["pose_rmse_rad"] < 1e-3
    assert numbers["falls_per_env_10s"] == pytest.approx(1 / 3 / 4 * 10, rel=1e-3), "one of three, in 4 s"
    assert probe.measure() is None, "the buffer is empty again"


def test_the_probe_compares_with_all_clips(repo_root):
    """A policy that does the second of two clips is near a pose, and covers a part of both."""
    torch = pytest.importorskip("torch")
    walk, run = (
        MotionDataset.load(repo_root / "datasets" / f"g1_{name}.npz").clips()[0].loop(8) for name in ("walk", "run")
    )
    measured = []
    for clips in ([walk], [walk, run], [walk, replace(run, weight=3.0)]):
        probe = GaitProbe(run.joint_names, clips, run.dt, num_envs=1)
        for pose in run.joint_pos[:200]:
            probe.record(torch.tensor(pose)[None], torch.tensor([False]), torch.tensor([False]))
        measured.append(probe.measure())
    assert measured[0]["pose_rmse_rad"] > 0.05 and measured[1]["pose_rmse_rad"] < 0.01
    assert measured[1]["coverage_rmse_rad"] < measured[0]["coverage_rmse_rad"], "of both clips together"
    assert (
        measured[0]["gait_frequency_ratio"] > measured[1]["gait_frequency_ratio"] > measured[2]["gait_frequency_ratio"]
    )


def test_the_probe_reports_undefined_metrics(repo_root):
    torch = pytest.importorskip("torch")
    clip = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0]
    probe = GaitProbe(clip.joint_names, clip, clip.dt, num_envs=1)
    for step in range(200):
        probe.record(torch.zeros(1, 23), torch.tensor([step % 25 == 0]), torch.tensor([False]))
    numbers = probe.measure()
    assert numbers["falls_per_env_10s"] == pytest.approx(20.0)
    assert numbers["gait_frequency_hz"] is None and numbers["pose_rmse_rad"] is None


@pytest.mark.slow
def test_the_panel_says_whether_the_run_learns_and_not_only_that_its_rewards_are_sound(growing, repo_root):
    folder, file, lines = growing
    panel = TrainingPanel(folder)
    assert panel.diagnosis.value.startswith("Too early to tell whether it learns (1 measurement of falls).")
    level = {"falls_per_env_10s": 13.0}
    file.write_text("".join(json.dumps(json.loads(line) | {"gait": level}) + "\n" for line in lines[4:9]))
    panel.refresh()
    assert panel.diagnosis.value.startswith("No clear progress since update 5: a robot falls 13 times in 10 s")
    shipped = TrainingPanel(repo_root / "policies" / "g1_walk")
    assert shipped.diagnosis.value.startswith("Learning: a robot falls 0 times in 10 s, 13 at first.")
