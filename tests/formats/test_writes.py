"""Writing is atomic: when killed at any moment, on a full disk, in a read-only folder.

One process imports everything and forks a writer for every trial, because importing takes seconds and writing does not.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import PATIENCE_S

from amp_helpers.formats.gmr import write_gmr
from amp_helpers.motion.motion import Motion
from amp_helpers.robots.robot import G1_23DOF

DRIVER = """
import json, os, pickle, resource, signal, sys, time
from pathlib import Path

import numpy as np
import torch
from amp_helpers import convert
from amp_helpers.agent.checkpoint import load_checkpoint, save_parts
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import run_cli
from amp_helpers.formats import read_motion, write_gmr
from amp_helpers.measure.results import write_metrics

torch.set_num_threads(1)
SOURCES = sys.argv[1:3]
MOTIONS = [read_motion(path) for path in SOURCES]
WRITERS = {
    "dataset.npz": lambda path, turn: convert.convert([SOURCES[turn]], path, verbose=False),
    "motion.pkl": lambda path, turn: write_gmr(path, MOTIONS[turn]),
    "metrics.json": lambda path, turn: write_metrics(path, {f"metric {n}": float(turn) for n in range(20000)}),
    "policy.pt": lambda path, turn: save_parts(path, {"policy": torch.nn.Linear(600, 600 + turn)}),
}
READERS = {
    "dataset.npz": lambda path: len(MotionDataset.load(path)),
    "motion.pkl": lambda path: read_motion(path).num_frames,
    "metrics.json": lambda path: {len(found := json.loads(path.read_text())), *found.values()} and found["metric 0"],
    "policy.pt": lambda path: len(load_checkpoint(path)["policy"]["bias"]),
}

def forked(work):
    child = os.fork()
    if child == 0:
        os._exit(work())
    return child
"""

KILLED = """
random = np.random.default_rng(0)
folder = Path(sys.argv[3])
for name, write in WRITERS.items():
    path = folder / name
    valid = set()
    for turn in (0, 1):
        start = time.perf_counter()
        write(path, turn)
        took = time.perf_counter() - start
        valid.add(READERS[name](path))
    assert len(valid) == 2, "the two contents differ"

    def forever():
        while True:
            for turn in (0, 1):
                write(path, turn)

    for trial in range(12):
        child = forked(forever)
        time.sleep(random.uniform(0, 3 * took))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert READERS[name](path) in valid, name
    stale = [file.name for file in folder.iterdir() if file.name != name and not file.name.startswith(".")]
    assert set(stale) <= set(WRITERS), stale
    for file in folder.glob(".*"):
        file.unlink()
print("whole")
"""

REFUSED = """
folder, way = Path(sys.argv[3]), sys.argv[4]
(folder / "old").mkdir()
for name, write in WRITERS.items():
    write(folder / "old" / name, 0)
before = {path.name: path.read_bytes() for path in (folder / "old").iterdir()}

def limited(write, name):
    if way == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    elif os.geteuid() == 0:
        os.seteuid(65534)  # root may write anywhere
    return run_cli(lambda: write(folder / "old" / name, 1) and None)

if way == "read-only":
    (folder / "old").chmod(0o555)
codes = {}
for name, write in WRITERS.items():
    _, status = os.waitpid(forked(lambda: limited(write, name)), 0)
    codes[name] = os.waitstatus_to_exitcode(status)
after = {path.name: path.read_bytes() for path in (folder / "old").iterdir()}
(folder / "old").chmod(0o755)
print(json.dumps([codes, before == after]))
"""


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter; those of pytest are closed to them, and every further pytest closes them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def sources(open_folder) -> list[Path]:
    paths = []
    for frames in (1500, 1600):
        time_s = np.arange(frames) / 30
        clip = Motion(
            fps=30.0,
            joint_names=G1_23DOF.joint_names,
            joint_pos=0.1 * np.sin(time_s[:, None] + np.arange(23)),
            root_pos=np.stack([0.5 * time_s, 0 * time_s, 0 * time_s + 0.8], axis=1),
            root_quat=np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1)),
        )
        paths.append(open_folder / f"clip {frames} ö.pkl")
        write_gmr(paths[-1], clip)
    return paths


def drive(script: str, sources: list[Path], *arguments: object) -> subprocess.CompletedProcess:
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    command = [sys.executable, "-c", DRIVER + script, *map(str, (*sources, *arguments))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_killed_at_random_moments_a_file_is_the_old_or_the_new_one(sources, tmp_path):
    assert drive(KILLED, sources, tmp_path).stdout.strip() == "whole"


@pytest.mark.slow
@pytest.mark.parametrize(("way", "reason"), [("full", "File too large"), ("read-only", "Permission denied")])
def test_where_nothing_can_be_written_the_old_files_stay(sources, open_folder, way, reason):
    folder = open_folder / way
    folder.mkdir()
    done = drive(REFUSED, sources, folder, way)
    codes, same = json.loads(done.stdout)
    assert set(codes.values()) == {2} and len(codes) == 4 and same, "and nothing was left beside them"
    sentences = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for name, sentence in zip(codes, sentences, strict=True):
        assert sentence.startswith(f"error: {folder / 'old' / name}: ") and reason in sentence, sentence


def command(*arguments: object, folder: Path, **options: object) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "amp_helpers.convert", *map(os.fsdecode, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, timeout=PATIENCE_S, check=False, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mein Gang ü.pkl", "歩く.pkl", "[1]*?.pkl", "a;b'c\".pkl", "new\nline.pkl", "\udcff.pkl", ".hidden.pkl"]
)
def test_files_may_have_any_name(sources, tmp_path, name):
    folder = tmp_path / name.removesuffix(".pkl")
    folder.mkdir()
    (folder / name).write_bytes(sources[0].read_bytes())
    output = folder / f"{name}.npz"
    done = command(folder / name, "--output", output, folder=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    with np.load(output) as data:
        assert data["states"].shape[1] == 23
    (folder / name).write_bytes(b"damaged")
    done = command(folder / name, "--output", output, folder=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("suffix", [".pkl", ".csv", ".npz", ".bin"])
def test_a_file_of_two_gigabytes_is_refused_at_once(tmp_path, suffix):
    """The file is sparse and takes no disk space; the process is limited to a quarter of its size."""
    path = tmp_path / f"long{suffix}"
    with path.open("wb") as file:
        file.write(b"\x80\x04" if suffix != ".csv" else b"0,0,0,0,0,0,1\n")
        file.truncate(2 * 1024**3)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = command(path, "--output", tmp_path / "out.npz", "--fps", "30", folder=tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 2 and said.startswith(f"error: {path}: ") and said.count("\n") == 1, said
    assert not (tmp_path / "out.npz").exists()
    # A forked child counts its parent's memory as its own until it runs another program.
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert max(before, parent, 512 * 1024) >= resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
