"""Make the trainings of a study and compare them: ``python -m amp_helpers.study FILE.toml --output DIR``.

The file is described in :mod:`amp_helpers.training.study`. ``DIR`` gains ``runs/`` (a folder and a log for each
training), ``options.json``, ``results.json`` (:mod:`amp_helpers.training.comparisons`), ``metrics.png`` and
``curves.png``. Started again, a study goes on: what is recorded is not repeated, and a training that was cut off
continues from its newest checkpoint. Its file may have gained groups and seeds since, and measure otherwise.
"""

import functools
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from amp_helpers import evaluate
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError, atomic_path, file_remedy, folder_fault, one_line, run_cli
from amp_helpers.measure.setup import MeasuringSetup
from amp_helpers.metrics.grid import check_speeds
from amp_helpers.metrics.tables import study_table
from amp_helpers.training.background import PARENT
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.comparisons import RecordedRun, Results, read_results, record_run, write_results
from amp_helpers.training.config_file import users_names
from amp_helpers.training.resolving import check_settings
from amp_helpers.training.run_folder import CONFIG_FILE, HEALTH_FILE, read_run, write_json
from amp_helpers.training.study import Study, StudyRun, of_group, parse_groups, read_study
from amp_helpers.training.study_machine import locked, places, side_by_side_on_gpus, visible
from amp_helpers.utils.command_line import given, option_words
from amp_helpers.utils.hardware import describe_device
from amp_helpers.utils.json_data import fits, read_json
from amp_helpers.utils.tyro_options import parse_options

_DELETE = "delete it, if the study's file has not changed"


@dataclass(frozen=True, kw_only=True)
class StudyCfg:
    """A study and where it runs."""

    study: tyro.conf.Positional[Path]
    """The TOML file."""
    output: Path
    """Folder of the study; the same again goes on with it."""
    device: Literal["cuda", "cpu"] | None = None
    """By default the GPUs, or the CPU where there is none."""
    gpus: int | None = None
    """GPUs to use; by default all."""
    parallel: int = 1
    """Trainings side by side on each GPU, or on the CPU."""
    program: tuple[str, ...] = ()
    """NAME=FILE.py for each program that a group names; it takes train's options and writes such a run folder."""

    def programs(self) -> dict[str, str]:
        """Name -> file of the programs.

        Raises:
            InputError: one is not of the form NAME=FILE, or the file does not exist.
        """
        found = {}
        for entry in self.program:
            name, _, file = entry.partition("=")
            if not (name and Path(file).is_file()):
                raise InputError(f"--program {entry}: names no file; write NAME=FILE.py")
            found[name] = file
        return found


def run_study(cfg: StudyCfg, say: Callable[[str], None] = print) -> Results:
    """Make the trainings that are not recorded yet, and draw the figures.

    Args:
        cfg: the study.
        say: called with each note, with a line for each training that ends, and with the table.

    Returns:
        All recorded runs.

    Raises:
        InputError: the file or an option cannot be used, before anything is trained; or trainings failed, after the
            others have been made.
    """
    study, groups, notes = parse_groups(read_study(cfg.study))
    programs = cfg.programs()
    if fault := folder_fault(cfg.output):
        raise InputError(f"{fault}; give a folder for the study")
    _check_groups(groups, _check(cfg, study, programs))
    workers = places(cfg.device, gpus=cfg.gpus, parallel=cfg.parallel)
    for note in notes:
        say(f"note: {note}")
    cfg.output.mkdir(parents=True, exist_ok=True)
    with locked(cfg.output) as lock:
        return _run(_Work(cfg, study, programs, say, lock), workers)


def _run(work: "_Work", workers: Sequence[int | None]) -> Results:
    cfg, comparison = work.cfg, work.study.comparison
    with side_by_side_on_gpus(cfg.parallel > 1 and workers[0] is not None):
        threads = [threading.Thread(target=work.make_all, args=(place,)) for place in workers]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            work.stop()
            for thread in threads:
                thread.join()
            raise
    if work.results.runs:
        _draw(cfg.output, work.results, comparison.name)
        measured = {run.name: (run.group, run.metrics) for run in work.results.runs}
        work.say(str(study_table(comparison.groups, measured)))
        files = ", ".join(str(cfg.output / name) for name in ("results.json", "metrics.png", "curves.png"))
        work.say(f"results: {files}")
    if work.failed:
        raise InputError("; ".join(work.failed))
    return work.results


def _check(cfg: StudyCfg, study: Study, programs: dict[str, str]) -> MeasuringSetup:
    """Check the options of this command and of the evaluations, and that every program is named and used.

    Returns:
        What every evaluation measures with.
    """
    if cfg.parallel < 1 or (cfg.gpus is not None and cfg.gpus < 1):
        raise InputError("parallel and gpus count from 1; give at least 1")
    if cfg.gpus and cfg.device == "cpu":
        raise InputError(f"--gpus {cfg.gpus}: --device cpu trains on none; leave out --gpus, or --device")
    if unused := sorted(set(programs) - {run.program for run in study.runs}):
        raise InputError(f"--program {unused[0]}: no group of {cfg.study} names it; leave it out, or correct the name")
    for run in study.runs:
        if run.program is not None and run.program not in programs:
            raise InputError(
                f"{cfg.study}: a group asks for the program '{run.program}', which runs its code; if you trust it, "
                f"give --program {shlex.quote(run.program)}=FILE.py"
            )
    measuring = evaluate.parse(["--checkpoint", "P", "--output", "O", *study.evaluate])
    measuring.check()
    check_speeds(measuring.velocity or 0.0, measuring.turn)
    return measuring


def _check_groups(groups: Mapping[str, TrainCfg], measuring: MeasuringSetup) -> None:
    """Check the settings of every group as its training and its evaluation will before the simulator starts."""
    for label, settings in groups.items():
        with of_group(label):
            check_settings(settings)
    if groups:
        from amp_helpers.env.task_cfg import check_task  # Isaac Lab takes seconds to load
        from amp_helpers.training.run import amp_state

        load, check = functools.cache(MotionDataset.load), functools.cache(check_task)
        for label, settings in groups.items():
            with of_group(label):
                amp_state(settings, load(settings.dataset))
                check(settings.task, settings.asset, settings.physics, settings.randomize)
                measuring.check_memory(load(measuring.dataset or settings.dataset))
                asset = measuring.asset or settings.asset
                check(measuring.task or settings.task, asset, "physx" if measuring.simulator == "physx" else None)


@dataclass
class _Work:
    """The trainings still to be made, shared by the threads that make them."""

    cfg: StudyCfg
    study: Study
    programs: dict[str, str]
    say: Callable[[str], None]
    lock: int | None = None
    """File that trainings keep open, see :func:`locked`."""
    failed: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _stopped: bool = False

    def __post_init__(self) -> None:
        file = self.cfg.output / "results.json"
        found = read_results(file).runs if file.exists() else ()
        self._check_options({run.name for run in found})
        evaluation = self._evaluation()
        old = tuple(run for run in found if run.evaluation == evaluation)
        if count := len(found) - len(old):
            self.say(f"note: {count} trainings are measured again, because the options of [evaluate] have changed")
        self.results = Results((self.study.comparison,), old)
        recorded = {run.name for run in old}
        self._todo: queue.SimpleQueue[StudyRun] = queue.SimpleQueue()
        for run in self.study.runs:
            if run.name not in recorded:
                self._todo.put(run)

    def _check_options(self, recorded: Collection[str]) -> None:
        """Refuse to go on with a training whose options have changed; keep the options of all.

        Raises:
            InputError: the options of a training that has begun are not those that it began with.
        """
        file = self.cfg.output / "options.json"
        kept = read_json(file, _DELETE) if file.exists() else {}
        if not fits(kept, dict[str, list[str]]):
            raise InputError(f"{file}: holds no lists of options; {_DELETE}")
        for run in self.study.runs:
            before, now = kept.get(run.name), list(run.train)
            begun = run.name in recorded or (self.cfg.output / "runs" / run.name).exists()
            if begun and before not in (None, now):
                raise InputError(
                    f"{self.cfg.study}: '{run.name}' was made with {_options(before)} and would now have "
                    f"{_options(now)}; give another --output, or the group another name"
                )
        write_json(file, kept | {run.name: list(run.train) for run in self.study.runs})

    def make_all(self, gpu: int | None) -> None:
        """Make one training after the other until none is left."""
        while not self._stopped:
            try:
                run = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                recorded = self._make(run, gpu)
                with self._lock:
                    self.results = Results(self.results.comparisons, (*self.results.runs, recorded))
                    self.say(f"{run.name}: {recorded.updates} updates in {recorded.wall_s:.0f} s")
                    write_results(self.cfg.output / "results.json", self.results)
            except (InputError, OSError) as error:  # the others go on
                if not self._stopped:
                    remedy = f"; {file_remedy(error)}" if isinstance(error, OSError) else ""
                    self.failed.append(f"{error}{remedy}")

    def stop(self) -> None:
        """End the trainings, which keep what they learned."""
        self._stopped = True
        for process in list(self._running):
            process.terminate()

    def _make(self, run: StudyRun, gpu: int | None) -> RecordedRun:
        runs = self.cfg.output.resolve() / "runs"
        folder, log, device = runs / run.name, runs / f"{run.name}.log", "cpu" if gpu is None else "cuda:0"
        runs.mkdir(exist_ok=True)
        train = self._train_line(run, folder, device)
        if train:
            self._call(train, log, gpu)
        self._call(self._measure_line(run, folder, device), log, gpu)
        shared = f", {self.cfg.parallel} side by side" if self.cfg.parallel > 1 else ""
        return record_run(
            folder,
            name=run.name,
            group=run.group,
            command=_typed([*self._program(run), "--seed", str(run.seed), *run.train]),
            hardware=describe_device("cpu" if gpu is None else f"cuda:{gpu}") + shared,
            evaluation=self._evaluation(),
            metrics=folder / "evaluation" / "metrics.json",
        )

    def _evaluation(self) -> str:
        return _typed(["-m", "amp_helpers.evaluate", *self.study.evaluate])

    def _program(self, run: StudyRun) -> list[str]:
        return ["-m", "amp_helpers.train"] if run.program is None else [self.programs[run.program]]

    def _train_line(self, run: StudyRun, folder: Path, device: str) -> list[str]:
        """The command that makes, or goes on with, a training; empty if it has ended."""
        line = [*self._program(run), "--device", device, "--seed", str(run.seed), *run.train, "--run_dir", str(folder)]
        if not (folder / CONFIG_FILE).exists() and not (folder / HEALTH_FILE).exists():
            return line
        before = read_run(folder)
        if before.ended and before.updates and before.updates[-1].health.update >= (before.planned or 0):
            return []
        if run.program is None and before.has_checkpoint and before.planned and before.updates:
            left = before.planned - before.updates[-1].health.update
            return [*line, "--checkpoint", str(folder), "--max_iterations", str(max(left, 1))]
        shutil.rmtree(folder)  # it was cut off before its first checkpoint
        return line

    def _measure_line(self, run: StudyRun, folder: Path, device: str) -> list[str]:
        """The command that measures a training, in the task and with the robot that the study's file names."""
        line = ["-m", "amp_helpers.evaluate", "--checkpoint", str(folder), "--device", device]
        named = users_names({key: given(run.train, key) for key in ("task", "robot")})
        named = {key: name for key, name in named.items() if given(self.study.evaluate, key) is None}
        return [*line, "--output", str(folder / "evaluation"), *option_words(named), *self.study.evaluate]

    def _call(self, line: Sequence[str], log: Path, gpu: int | None) -> None:
        """Run a Python command and append its output to ``log``; a training stops when this process is gone."""
        environment = os.environ | {PARENT: str(os.getpid())}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = visible(gpu)
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, *line],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment,
                pass_fds=() if self.lock is None else (self.lock,),
            )
            self._running.add(process)
            if self._stopped:
                process.terminate()
            code = process.wait()
            self._running.discard(process)
        if code or self._stopped:
            raise InputError(f"{_typed(line)}: ended with code {code}{_last_error(log)}; see {log}")


def _last_error(log: Path) -> str:
    """What a command that failed said last, if it is an error of ours."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
    return f" ({one_line(lines[-1], 300)})" if lines[-1].startswith("error: ") else ""


def _options(words: Sequence[str]) -> str:
    return one_line(shlex.join(words), 200) or "no option"


def _typed(line: Sequence[str]) -> str:
    """A command as typed in a shell."""
    return f"python {shlex.join(line)}"


def _draw(folder: Path, results: Results, comparison: str) -> None:
    from amp_helpers.plots.training import learning_curves, metric_dots

    for name, draw in {"metrics.png": metric_dots, "curves.png": learning_curves}.items():
        with atomic_path(folder / name) as temporary:
            draw(results, comparison).savefig(temporary, dpi=110, format="png")


def main() -> int:
    """Make a study from the command line."""
    about = "Make the trainings of a study, several side by side, and compare them."
    cfg = parse_options(StudyCfg, "amp_helpers.study", about)
    run_study(cfg, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
