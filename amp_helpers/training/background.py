"""Training in the background: the same command as in a terminal, started from a notebook that stays responsive."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.command import command_line
from amp_helpers.training.run_folder import LOG_FILE

PARENT = "AMP_HELPERS_TRAINED_FOR"
"""Environment variable with the process that started a run; without that process, the run stops and saves."""


@dataclass(frozen=True)
class TrainingProcess:
    """A training run in a process of its own."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """Whether the process is still running."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise :class:`InputError` with the last line of its output when the process ended in an error."""
        if self.process.poll():
            lines = (self.folder / LOG_FILE).read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
            raise InputError(f"training ended with code {self.process.returncode}: {lines[-1].removeprefix('error: ')}")


def abandoned() -> bool:
    """Whether the notebook kernel or the study that started this process is gone, and nobody can watch or stop it."""
    return os.environ.get(PARENT, str(os.getppid())) != str(os.getppid())


def start_training(cfg: TrainCfg) -> TrainingProcess:
    """Start ``python -m amp_helpers.train`` with this configuration; its output goes to ``output.txt`` in its folder.

    It stops, and saves its policy, when the process that started it ends.

    Raises:
        InputError: ``cfg.run_dir`` is not set.
    """
    if cfg.run_dir is None:
        raise InputError("run_dir is not set; a background run needs a folder that is known before it starts")
    cfg.run_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "amp_helpers.train", *command_line(cfg)]
    environment = os.environ | {PARENT: str(os.getpid())}
    with (cfg.run_dir / LOG_FILE).open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    return TrainingProcess(cfg.run_dir, process)
