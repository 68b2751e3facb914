"""A run that a notebook started knows when the notebook is gone."""

import os
import subprocess
import sys
import time

from support import PATIENCE_S

CHILD = """
import pathlib, sys, time
from amp_helpers.training.background import abandoned
pathlib.Path(sys.argv[1]).write_text("kept" if not abandoned() else "lost")
while not abandoned():
    time.sleep(0.05)
pathlib.Path(sys.argv[1]).write_text("ended")
"""
PARENT = """
import os, pathlib, subprocess, sys, time
environment = os.environ | {"AMP_HELPERS_TRAINED_FOR": str(os.getpid())}
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], env=environment)
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.05)
os.kill(os.getpid(), 9)
"""


def test_it_ends_when_the_notebook_is_killed(repo_root, tmp_path):
    said = tmp_path / "said"
    subprocess.run([sys.executable, "-c", PARENT, CHILD, str(said)], cwd=repo_root, timeout=PATIENCE_S, check=False)
    deadline = time.time() + PATIENCE_S
    while said.read_text() != "ended" and time.time() < deadline:
        time.sleep(0.05)
    assert said.read_text() == "ended"


def test_a_run_from_a_terminal_belongs_to_nobody(repo_root):
    command = [sys.executable, "-c", "from amp_helpers.training.background import abandoned; print(abandoned())"]
    environment = {name: value for name, value in os.environ.items() if name != "AMP_HELPERS_TRAINED_FOR"}
    said = subprocess.run(command, cwd=repo_root, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
