"""A run folder belongs to one training process at a time."""

import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.resolving import check_unused, resolve
from amp_helpers.training.run_folder import HEALTH_FILE, check_free, open_health

HOLD = """
import sys
from pathlib import Path
from amp_helpers.training.run_folder import open_health
log = open_health(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_writes(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None and first.stdin is not None
        first.stdout.readline()
        for refused in (lambda: open_health(tmp_path), lambda: check_free(tmp_path)):
            with pytest.raises(InputError, match=r"another run is being written .* choose another --run_dir, or wait"):
                refused()
        with pytest.raises(InputError, match="another run is being written"):
            resolve(TrainCfg(device="cpu", run_dir=tmp_path))
        first.kill()
    check_free(tmp_path)  # a killed process holds nothing
    open_health(tmp_path).close()


def test_looking_for_a_run_writes_nothing(tmp_path):
    check_free(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_began_in_the_meantime_is_not_overwritten(tmp_path):
    check_unused(tmp_path, None)
    (tmp_path / HEALTH_FILE).touch()  # made by the lock
    check_unused(tmp_path, None)
    (tmp_path / HEALTH_FILE).write_text("{}\n")
    check_unused(tmp_path, tmp_path / "checkpoints" / "agent_last.pt")
    with pytest.raises(InputError, match="already holds a run"):
        check_unused(tmp_path, None)


def test_two_runs_of_one_second_get_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = TrainCfg(device="cpu")
    folders = {resolve(replace(cfg)).run_dir for _ in range(5)}
    assert len(folders) == 5
    assert not any(tmp_path.iterdir())


def test_a_suggested_command_quotes_its_paths(tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / HEALTH_FILE).write_text("{}\n")
    with pytest.raises(InputError, match=r"already holds a run; choose another --run_dir$"):
        check_unused(folder, None)
    (folder / "checkpoints").mkdir()
    parts = {name: {"weight": torch.ones(3)} for name in ("policy", "value", "discriminator")}
    torch.save(parts | {"progress": {"updates": 1}}, folder / "checkpoints" / "agent_last.pt")
    with pytest.raises(InputError, match=r"--checkpoint '[^']*/my run/checkpoints/agent_last\.pt'"):
        check_unused(folder, None)
