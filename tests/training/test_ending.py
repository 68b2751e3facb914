"""A run that is told to end by a signal keeps all that it has learned."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import PATIENCE_S, SMALL_RUN

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.training.checkpoints import find_checkpoint
from amp_helpers.training.run_folder import read_run

pytestmark = pytest.mark.sim


SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def as_in_a_terminal() -> None:
    """Undo what nohup, or a shell that starts this suite in the background, made children ignore."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def started(tmp_path):
    """A function that starts a run in a folder and waits for its second update; at the end, all are killed."""
    runs: list[subprocess.Popen] = []

    def start(folder: Path, *options: str, prepare: Callable[[], None] = as_in_a_terminal) -> subprocess.Popen:
        command = [sys.executable, "-m", "amp_helpers.train", *SMALL_RUN, "--max_iterations", "10000", *options]
        command += ["--run_dir", str(folder)]
        pipe = subprocess.PIPE
        run = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, preexec_fn=prepare)
        runs.append(run)
        deadline = time.monotonic() + PATIENCE_S
        while not folder.is_dir() or len(read_run(folder).updates) < 2:
            assert run.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        return run

    yield start
    for run in runs:
        run.kill()


def test_a_folder_that_is_moved_ends_the_run_and_is_gone_on_with_where_it_is(started, tmp_path):
    """The next checkpoint would make a folder of half a run in its old place."""
    run = started(tmp_path / "run", "--checkpoint_interval", "1")
    (tmp_path / "run").rename(tmp_path / "moved")
    printed, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 2 and not (tmp_path / "run").exists()
    assert "run: was deleted or moved during the training, which has stopped; train again, or" in printed
    assert find_checkpoint(tmp_path / "moved").updates >= 1


@pytest.mark.parametrize("number", SIGNALS)
def test_every_update_is_kept(started, tmp_path, number):
    folder = tmp_path / "run"
    run = started(folder)
    assert read_run(folder).alive
    run.send_signal(number)
    printed, _ = run.communicate(timeout=PATIENCE_S)
    log = read_run(folder)
    assert run.returncode == 0 and log.state == "ended" and not log.alive
    updates = log.updates[-1].health.update
    last = folder / "checkpoints" / "agent_last.pt"
    told = f"interrupted after {updates} updates; they are kept in {last}"
    assert told in printed.splitlines(), "on a line of its own, not behind the progress bar"
    assert find_checkpoint(folder).updates == updates == json.loads((folder / "config.json").read_text())["updates"]
    assert (folder / "policy.pt").is_file()


def test_a_killed_run_leaves_a_recent_checkpoint(started, tmp_path):
    folder = tmp_path / "run"
    run = started(folder, "--checkpoint_seconds", "0.001")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=PATIENCE_S)
    assert find_checkpoint(folder).updates >= len(read_run(folder).updates) - 1
    assert not read_run(folder).alive


def test_nohup_is_left_alone(started, tmp_path):
    folder = tmp_path / "run"
    run = started(folder, prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.send_signal(signal.SIGHUP)
    count = len(read_run(folder).updates)
    while len(read_run(folder).updates) < count + 2:
        assert run.poll() is None
        time.sleep(0.05)
    run.terminate()
    run.communicate(timeout=PATIENCE_S)
    assert read_run(folder).state == "ended"
