"""OpenMP's threads spin briefly in every command and notebook, unless the user has set how they wait."""

import os
import subprocess
import sys

import pytest

from amp_helpers.utils.threads import spin_briefly

WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
COMMANDS = {
    "train": "-m amp_helpers.train --device nowhere",
    "evaluate": "-m amp_helpers.evaluate --checkpoint g1_walk --output . --device nowhere",
    "notebook": "-c 'from amp_helpers.notebook import start; start(\"results\", needs=()); import torch'",
}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("given", [{"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "ACTIVE"}], ids=WAITING)
def test_what_the_user_set_is_kept(monkeypatch, given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    spin_briefly()
    assert {name: os.environ[name] for name in WAITING if name in os.environ} == given


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_it_is_set_before_torch_is_loaded(tmp_path, command):
    """OpenMP prints how its threads wait when it is loaded."""
    pytest.importorskip("torch")
    environment = os.environ | {"OMP_DISPLAY_ENV": "VERBOSE"}
    line = f"{sys.executable} {command}"
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "GOMP_SPINCOUNT = '3000'" in done.stderr
