"""Files made to exhaust a reader: each is converted or refused in a sentence, within ten seconds and 256 MiB."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_no_file_of_any_kind_exhausts_or_breaks_a_reader(repo_root):
    done = subprocess.run(
        [sys.executable, "tests/hostile_files.py"], cwd=repo_root, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith(" 0 faults\n"), done.stdout + done.stderr
