"""A run of two processes that is killed, or whose newest checkpoint is damaged, goes on as if nothing had happened."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("skrl", reason="skrl is not installed; pip install -e '.[sim]'")


@pytest.mark.slow
def test_a_disturbed_run_goes_on_to_the_bit(repo_root, tmp_path):
    kinds = ["kill one", "full disk", "cut checkpoint"]
    options = ["--faults", "1", "--updates", "16", "--output", str(tmp_path / "faults.json")]
    script = str(repo_root / "benchmarks" / "faults.py")
    subprocess.run([sys.executable, script, "--kinds", *kinds, *options], check=True, capture_output=True, timeout=300)
    for fault in json.loads((tmp_path / "faults.json").read_text())["faults"]:
        assert fault["identical"] and fault["lost"] <= 4, fault
