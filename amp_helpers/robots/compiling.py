"""Compile a robot file in a process of its own, within limits of time and memory.

A model of a few hundred bytes can make MuJoCo take any amount of either: replicas of replicas, height fields, textures
and grids by their size, thousands of jointed bodies. Some files crash it. The limits belong to the process, so they
hold for whatever a file asks for. :mod:`.compiler_process` is that process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from amp_helpers.errors import InputError, one_line

SECONDS, MEMORY = 4.0, 256 * 1024**2
"""Processor time and memory that any robot file may take to compile, s and bytes; a G1 takes 0.6 s."""
SECONDS_PER_MIB, MEMORY_PER_BYTE = 0.2, 16
"""More of both for each MiB and byte of its meshes; a G1's take 11 bytes each."""
_ALONE = "give a file of the robot alone, without terrain, replicas or thousands of bodies"
_EXHAUSTED = ("allocate", "unknown exception", "MemoryError")
"""What MuJoCo says without memory."""
UNREADABLE = 3
"""Exit code for a file that MuJoCo refuses."""
_PACKAGES = str(Path(__file__).parents[2])


def compile_apart(path: Path) -> tuple[bytes, str | None, tuple[str, ...], tuple[str, ...]]:
    """Compile an MJCF or URDF file in another process.

    Returns:
        The compiled model as MuJoCo saves it, and the rest as :func:`.model_file.compile_file` returns it.

    Raises:
        InputError: MuJoCo cannot read the file, or not within the limits.
    """
    # -P: the current folder may be somebody else's, with modules of any name.
    command = [sys.executable, "-P", "-m", "amp_helpers.robots.compiler_process", str(path.resolve())]
    known = (os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)
    paths = (_PACKAGES, *known)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with tempfile.TemporaryDirectory() as folder:  # MuJoCo writes a log of its errors to the current one
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    line, _, model = done.stdout.partition(b"\n")
    if done.returncode == 0 and model:
        facts = json.loads(line)
        return model, facts["text"], tuple(facts["missing"]), tuple(facts["links"])
    if done.returncode == UNREADABLE and line:
        reason = json.loads(line)["reason"]
        if any(words in reason for words in _EXHAUSTED):
            raise InputError(f"{path}: takes more memory than any robot to compile ({reason}); {_ALONE}")
        raise InputError(f"{path}: MuJoCo cannot read it ({reason}); correct the file or what it includes")
    if done.returncode == -signal.SIGXCPU:
        raise InputError(f"{path}: takes far longer to compile than any robot; {_ALONE}")
    last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    raise InputError(f"{path}: cannot be compiled, MuJoCo ends without a result ({one_line(last, 100)}); {_ALONE}")
