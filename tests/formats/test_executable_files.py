"""Files that run code when loaded without precautions: refused in one sentence, and not run.

To show that they do, every file is first loaded by an unsafe loader in a process of its own, and leaves a mark.
"""

import functools
import io
import json
import os
import pickle
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
from support import PATIENCE_S

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch", reason="torch comes with the sim extra")


class Calls:
    """An object that pickles as a call."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def system(name: str) -> Calls:
    return Calls(os.system, f"touch {name}")


def code(name: str) -> str:
    return f"open('{name}', 'w').close()"


def motion(**changes: object) -> dict[str, object]:
    time = np.arange(10.0)
    content = {
        "fps": 30,
        "root_pos": np.stack([time, 0 * time, 0 * time + 0.8], axis=1),
        "root_rot": np.tile([0.0, 0, 0, 1], (10, 1)),
        "dof_pos": np.zeros((10, 29)),
    }
    return content | changes


def objects(gadget: object) -> np.ndarray:
    boxed = np.empty(1, dtype=object)
    boxed[0] = gadget
    return boxed


def stored(store: Callable[..., None], *content: object, **options: object) -> bytes:
    """Bytes that ``store(stream, ...)`` writes."""
    stream = io.BytesIO()
    store(stream, *content, **options)
    return stream.getvalue()


def dumped(content: object, compress: object = 0) -> bytes:
    return stored(lambda stream: joblib.dump(content, stream, compress=compress))


def saved(content: object, zipped: bool) -> bytes:
    return stored(lambda stream: torch.save(content, stream, _use_new_zipfile_serialization=zipped))


GADGETS: dict[str, tuple[str, Callable[[str], bytes]]] = {
    **{f"reduce{p}.pkl": ("pickle", lambda name, p=p: pickle.dumps(system(name), p)) for p in range(6)},
    "inst.pkl": ("pickle", lambda name: f"(S'touch {name}'\nios\nsystem\n.".encode()),
    "obj.pkl": ("pickle", lambda name: f"(cos\nsystem\nS'touch {name}'\no.".encode()),
    "old_builtins.pkl": ("pickle", lambda name: f'c__builtin__\neval\n(S"{code(name)}"\ntR.'.encode()),
    "eval.pkl": ("pickle", lambda name: pickle.dumps(Calls(eval, code(name)), 4)),
    "exec.pkl": ("pickle", lambda name: pickle.dumps(Calls(exec, code(name)))),
    "partial.pkl": ("pickle", lambda name: pickle.dumps(Calls(functools.partial(os.system, f"touch {name}")))),
    "popen.pkl": ("pickle", lambda name: pickle.dumps(Calls(subprocess.Popen, ["touch", name]))),
    "timeit.pkl": ("pickle", lambda name: pickle.dumps(Calls(timeit.timeit, code(name), "0", timeit.default_timer, 1))),
    "numpy_runs.pkl": (
        "pickle",
        lambda name: pickle.dumps(Calls(np.testing._private.utils.runstring, code(name), {})),
    ),
    "nested.pkl": ("pickle", lambda name: pickle.dumps(Calls(pickle.loads, pickle.dumps(system(name))))),
    "beside_a_motion.pkl": ("pickle", lambda name: pickle.dumps(motion(note=system(name)))),
    "as_fps.pkl": ("pickle", lambda name: pickle.dumps(motion(fps=system(name)))),
    "as_key.pkl": ("pickle", lambda name: pickle.dumps(motion() | {system(name): 1})),
    "objects.pkl": ("pickle", lambda name: pickle.dumps(motion(dof_pos=objects(system(name))))),
    "joblib.pkl": ("joblib", lambda name: dumped(motion(note=system(name)))),
    "joblib_zlib.pkl": ("joblib", lambda name: dumped(motion(note=system(name)), ("zlib", 3))),
    "joblib_gzip.pkl": ("joblib", lambda name: dumped(motion(note=system(name)), ("gzip", 3))),
    "joblib_xz.pkl": ("joblib", lambda name: dumped(motion(note=system(name)), ("xz", 3))),
    "joblib_objects.pkl": ("joblib", lambda name: dumped({"clip": motion(dof_pos=objects(system(name)))})),
    "objects.npz": ("numpy", lambda name: stored(np.savez, **motion(fps=objects(system(name))))),
    "names.npz": ("numpy", lambda name: stored(np.savez_compressed, **motion(joint_names=objects(system(name))))),
    "torch.pkl": ("torch", lambda name: saved({"policy": system(name)}, zipped=True)),
    "torch_old.pkl": ("torch", lambda name: saved({"policy": system(name)}, zipped=False)),
}
"""File name, also that of its mark -> the unsafe loader that runs it, and its content."""

UNSAFE = """
import json, os, pickle, sys
import joblib, numpy, torch
OPEN = {
    "pickle": lambda path: pickle.load(open(path, "rb")),
    "joblib": joblib.load,
    "numpy": lambda path: dict(numpy.load(path, allow_pickle=True)),
    "torch": lambda path: torch.load(path, weights_only=False),
}
for kind, path in json.loads(sys.argv[1]):
    OPEN[kind](path)
try:
    os.wait()  # for what Popen started
except ChildProcessError:
    pass
"""
SAFE = """
import contextlib, io, json, sys
from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import run_cli

def watch(event, arguments):
    if event in ("os.system", "subprocess.Popen", "os.posix_spawn", "os.exec"):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(watch)
for kind, path in json.loads(sys.argv[1]):
    for read in (lambda: convert([path], "out.npz"), lambda: MotionDataset.load(path), lambda: load_checkpoint(path)):
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = run_cli(read)
        print(json.dumps([path, code, said.getvalue()]))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("gadgets")
    for name, (_, build) in GADGETS.items():
        (folder / name).write_bytes(build(name))
    return [(kind, str(folder / name)) for name, (kind, _) in GADGETS.items()]


def run(script: str, files: list[tuple[str, str]], folder: Path) -> str:
    command = [sys.executable, "-c", script, json.dumps(files)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_unsafe_loaders_run_every_file(files, tmp_path):
    run(UNSAFE, files, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(GADGETS)


@pytest.fixture(scope="module")
def outcomes(files, tmp_path_factory) -> list[tuple[str, int, str]]:
    """Path, exit code and message of each file in each reader."""
    folder = tmp_path_factory.mktemp("safe")
    found = [json.loads(line) for line in run(SAFE, files, folder).splitlines()]
    assert not list(folder.iterdir()), "neither marks nor outputs"
    return found


def test_no_file_runs_and_each_is_refused_in_one_sentence(outcomes):
    assert len(outcomes) == 3 * len(GADGETS)
    for path, code, said in outcomes:
        assert code == 2 and said.startswith(f"error: {path}: ") and said.count("\n") == 1 and "; " in said, said


def test_the_refused_call_is_named(outcomes):
    said = {Path(path).name: sentence for path, _, sentence in outcomes[::3]}
    for name in ("reduce0.pkl", "reduce4.pkl", "inst.pkl", "beside_a_motion.pkl"):
        assert "system'" in said[name] and "so it was not loaded" in said[name], said[name]
    assert "eval'" in said["eval.pkl"] and "system'" in said["objects.pkl"]
