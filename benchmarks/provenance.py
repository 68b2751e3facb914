"""The origin of a measurement: command, commit and hardware, recorded by every benchmark."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from amp_helpers.utils.hardware import describe_device
from amp_helpers.utils.resources import present_commit, short_commit


def provenance(device: str = "cpu") -> dict[str, str]:
    """Return ``command`` (without its ``--output``), ``commit`` and ``hardware`` of the running script."""
    arguments = sys.argv[1:]
    if "--output" in arguments:
        at = arguments.index("--output")
        arguments = arguments[:at] + arguments[at + 2 :]
    return {
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *arguments]),
        "commit": short_commit(present_commit()),
        "hardware": describe_device(device),
    }


def report(result: dict[str, Any], output: Path | None) -> None:
    """Print a result, and write it to a file where one is given."""
    text = json.dumps(result, indent=2)
    print(text)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")
