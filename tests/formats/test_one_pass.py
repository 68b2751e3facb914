"""A file is opened once, hashed from the bytes that were parsed, and no model is compiled twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import PATIENCE_S

from amp_helpers.formats.registry import FORMATS

SCRIPT = """
import json, sys
from collections import Counter
from pathlib import Path

import motion_samples
from amp_helpers.errors import sha256
from amp_helpers.formats import read_motions
from amp_helpers.robots import G1_29DOF, ROBOTS, model_file

folder = Path(sys.argv[1])
opened = Counter()
sys.addaudithook(lambda event, details: event == "open" and opened.update([str(details[0])]))
found = {}
for number, sample in enumerate(motion_samples.samples(folder)):
    path = folder / f"{number}{sample.suffix}"
    path.write_bytes(sample.data)
    opened.clear()
    motions = read_motions(path, fps=30.0, robot=G1_29DOF)
    found.setdefault(sample.kind, []).append(opened[str(path)])
    assert {motion.sha256 for motion in motions} == {sha256(path)}
compiled = model_file._bare_model.cache_info().misses
assert compiled <= len(ROBOTS), compiled
print(json.dumps(found))
"""


@pytest.mark.slow
def test_reading_opens_a_file_once_and_compiles_a_model_once(repo_root, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    # An audit hook cannot be removed, so it gets a process of its own.
    done = subprocess.run(
        command, cwd=Path(repo_root) / "benchmarks", capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {known.name for known in FORMATS if known.suffixes}
    assert {count for counts in found.values() for count in counts} == {1}, found
