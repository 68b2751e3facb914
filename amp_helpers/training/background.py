"""Training in a process of its own, the very command of a terminal, started from a notebook that stays usable."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TrainCfg, command_line
from amp_helpers.training.run_folder import LOG_FILE

_PARENT = "AMP_HELPERS_TRAINED_FOR"


@dataclass(frozen=True)
class TrainingProcess:
    """A training run that goes on beside the notebook."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise :class:`InputError` with what the process said last, when it ended in an error."""
        if self.process.poll():
            words = (self.folder / LOG_FILE).read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise InputError(f"training ended with code {self.process.returncode}: {words[-1].removeprefix('error: ')}")


def abandoned() -> bool:
    """Whether this process trains for a notebook whose kernel is gone: nobody would see it or stop it."""
    return os.environ.get(_PARENT, str(os.getppid())) != str(os.getppid())


def start_training(cfg: TrainCfg) -> TrainingProcess:
    """Start ``python -m amp_helpers.train`` with these settings; what it prints goes to ``output.txt`` in its folder.

    It ends with the process that started it, keeping what was learnt.

    Raises:
        InputError: ``cfg`` names no folder for the run.
    """
    if cfg.run_dir is None:
        raise InputError("run_dir is not set; a run in the background needs a folder that is known before it starts")
    cfg.run_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "amp_helpers.train", *command_line(cfg)]
    environment = os.environ | {_PARENT: str(os.getpid())}
    with (cfg.run_dir / LOG_FILE).open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    return TrainingProcess(cfg.run_dir, process)
