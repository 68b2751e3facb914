"""The process in which a robot file is compiled, within limits of time and memory: see :mod:`.compiling`.

python -m amp_helpers.robots.compiler_process FILE      prints a line of JSON, then the compiled model
"""

import json
import resource
import sys
from pathlib import Path

import mujoco
import numpy as np

from amp_helpers.errors import one_line
from amp_helpers.robots.compiling import MEMORY, MEMORY_PER_BYTE, SECONDS, SECONDS_PER_MIB, UNREADABLE
from amp_helpers.robots.model_file import compile_file


def allow(mesh_bytes: int) -> None:
    """Set the limits of this process for a file with that many bytes of meshes."""
    seconds = SECONDS + SECONDS_PER_MIB * mesh_bytes / 1024**2
    statistics = Path("/proc/self/statm")  # Linux's, as is a limit of memory that holds
    used = int(statistics.read_text().split()[5]) * resource.getpagesize() if statistics.exists() else 2**40
    for kind, limit in (
        (resource.RLIMIT_CPU, int(seconds)),
        (resource.RLIMIT_DATA, used + MEMORY + MEMORY_PER_BYTE * mesh_bytes),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def main() -> int:
    """Compile the file named on the command line."""
    allow(0)
    try:
        model, text, missing, links = compile_file(Path(sys.argv[1]), allow)
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # for a copy of it
        content = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
        mujoco.mj_saveModel(model, None, content)
    except (ValueError, MemoryError, RuntimeError, mujoco.FatalError) as error:
        reason = one_line(" ".join(str(error).split()), 300) or type(error).__name__
        print(json.dumps({"reason": reason}))
        return UNREADABLE
    sys.stdout.buffer.write(json.dumps({"text": text, "missing": missing, "links": links}).encode() + b"\n")
    sys.stdout.buffer.write(content.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
