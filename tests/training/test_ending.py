"""A run that is told to end by a signal keeps all that it has learned."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import SMALL_RUN

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.training.checkpoints import find_checkpoint
from amp_helpers.training.run_folder import read_run

pytestmark = pytest.mark.sim


def started(folder: Path, *options: str, **process: object) -> subprocess.Popen:
    """Start a run and wait for its second update."""
    command = [sys.executable, "-m", "amp_helpers.train", *SMALL_RUN, "--max_iterations", "10000", *options]
    run = subprocess.Popen([*command, "--run_dir", str(folder)], stdout=subprocess.PIPE, text=True, **process)
    deadline = time.monotonic() + 120
    while not folder.is_dir() or len(read_run(folder).updates) < 2:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return run


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_every_update_is_kept(tmp_path, name):
    folder = tmp_path / "run"
    run = started(folder)
    assert read_run(folder).alive
    run.send_signal(signal.Signals[name])
    printed, _ = run.communicate(timeout=60)
    log = read_run(folder)
    assert run.returncode == 0 and log.state == "ended" and not log.alive
    updates = log.updates[-1].health.update
    last = folder / "checkpoints" / "agent_last.pt"
    assert f"interrupted after {updates} updates; they are kept in {last}\n" in printed
    assert find_checkpoint(folder).updates == updates == json.loads((folder / "config.json").read_text())["updates"]
    assert (folder / "policy.pt").is_file()


def test_a_killed_run_leaves_a_recent_checkpoint(tmp_path):
    folder = tmp_path / "run"
    run = started(folder, "--checkpoint_seconds", "0.001")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    assert find_checkpoint(folder).updates >= len(read_run(folder).updates) - 1
    assert not read_run(folder).alive


def test_nohup_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    run = started(folder, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run.send_signal(signal.SIGHUP)
    count = len(read_run(folder).updates)
    while len(read_run(folder).updates) < count + 2:
        assert run.poll() is None
        time.sleep(0.05)
    run.terminate()
    run.communicate(timeout=60)
    assert read_run(folder).state == "ended"
