"""Damaged and odd motion files: ``python benchmarks/fuzz.py --inputs 10000 [--output FILE]``.

Files of every registered format are mutated in their bytes, in their archives, and by Hypothesis in their content.
Every file must convert to a correct dataset or be refused in one sentence that starts with its name: no traceback, no
hang, no leftover files, and no more memory than four times the file plus a constant. The seed determines the inputs.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import re
import resource
import sys
import tempfile
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from provenance import provenance

from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import run_cli

sys.path.insert(0, str(Path(__file__).parent))
import motion_mutations
import motion_samples

MEMORY_FACTOR, MEMORY_CONSTANT = 4, 64 * 1024**2
"""Memory limit in bytes: the factor times the file size, plus the constant."""
PATIENCE_S = 10.0
"""Processor time after which a file counts as hanging, s."""
SENTENCE = re.compile(r"[^\n]{10,1000}; [^\n]+")


@dataclass(frozen=True)
class Outcome:
    """Result for one file."""

    kind: str
    how: str
    """``converted``, ``refused``, or a fault: one of ``FAULTS``."""
    sentence: str = ""
    seconds: float = 0.0
    """Processor time, s."""
    memory: int = 0
    """Peak of the memory allocated by Python and numpy, bytes."""
    size: int = 0
    """Size of the file, bytes."""


FAULTS = ("traceback", "hang", "memory", "no sentence", "wrong", "litter")
"""``no sentence``: the error is not one sentence about the file; ``wrong``: the dataset differs from the file;
``litter``: files were left over."""


@dataclass
class Summary:
    """Results for all files."""

    counts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[dict[str, object]] = field(default_factory=list)
    sentences: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    slowest: Outcome | None = None
    hungriest: Outcome | None = None

    def add(self, outcome: Outcome, data: bytes, keep: Path | None) -> None:
        self.counts[outcome.kind][outcome.how] += 1
        if outcome.how == "refused":
            self.sentences[outcome.kind][re.sub(r"[-+]?\d[\d.e+-]*", "N", outcome.sentence)] += 1
        if outcome.how in FAULTS:
            self.faults.append(asdict(outcome))
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{len(self.faults):03d}_{outcome.how.replace(' ', '_')}").write_bytes(data)
        self.slowest = max(filter(None, (self.slowest, outcome)), key=lambda one: one.seconds)
        self.hungriest = max(filter(None, (self.hungriest, outcome)), key=lambda one: one.memory)

    def as_json(self) -> dict[str, object]:
        """Return the summary as JSON-compatible data."""
        total = sum(self.counts.values(), Counter())
        return {
            "inputs": total.total(),
            "converted": total["converted"],
            "refused": total["refused"],
            "faults": {name: total[name] for name in FAULTS},
            "by_format": {kind: dict(sorted(counts.items())) for kind, counts in sorted(self.counts.items())},
            "slowest": {"seconds": round(self.slowest.seconds, 2), "format": self.slowest.kind},
            "hungriest": {
                "mib": round(self.hungriest.memory / 2**20, 1),
                "file_mib": round(self.hungriest.size / 2**20, 3),
                "format": self.hungriest.kind,
            },
            "different_sentences": sum(map(len, self.sentences.values())),
            "sentences": {
                kind: [text for text, _ in counts.most_common(3)] for kind, counts in sorted(self.sentences.items())
            },
            "first_faults": self.faults[:5],
        }


def judge(sample: motion_samples.Sample, folder: Path) -> Outcome:
    """Convert one file in this process, which a crash ends."""
    path, output = folder / f"input{sample.suffix}", folder / "output.npz"
    path.write_bytes(sample.data)
    said, printed = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    tracemalloc.reset_peak()
    before, start = tracemalloc.get_traced_memory()[0], time.process_time()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(printed):
        code = run_cli(lambda: 0 if convert([path], output, robot="g1_29dof", fps=30.0) else 1)
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1] - before
    sentence = said.getvalue().removeprefix("error: ").rstrip("\n")
    how = "refused" if code else "converted"
    if code and not (sentence.startswith((str(path), path.name)) and SENTENCE.fullmatch(sentence)):
        how = "no sentence"
    elif not code:
        dataset = MotionDataset.load(output)
        pose = dataset.states[0] if sample.first_pose is None else np.float32(sample.first_pose)
        if not (np.isfinite(dataset.states).all() and np.array_equal(dataset.states[0], pose)):
            how = "wrong"
        output.unlink()
    path.unlink()
    if left := [rest.name for rest in folder.iterdir()]:
        how, sentence = "litter", ", ".join(left)
    if peak > MEMORY_FACTOR * len(sample.data) + MEMORY_CONSTANT:
        how = "memory"
    if seconds > PATIENCE_S:
        how = "hang"
    return Outcome(sample.kind, how, sentence.replace(f"{folder}/", ""), seconds, peak, len(sample.data))


def _work(pipe: Connection, folder: Path) -> None:
    # A file that requests too much memory must not exhaust the machine's.
    resource.setrlimit(resource.RLIMIT_AS, (12 * 1024**3, resource.RLIM_INFINITY))
    sys.stderr = open(folder.with_suffix(".err"), "w", buffering=1)  # noqa: SIM115 - until the process ends
    tracemalloc.start()
    judge(motion_samples.samples(folder.parent)[0], folder)  # warm-up: imports and caches count for no file
    pipe.send(None)
    while True:
        pipe.send(judge(pipe.recv(), folder))


class Judge:
    """Judge files in a worker process; after a crash or a hang, a new one is started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "judged"
        self._folder.mkdir(parents=True)
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.Process | None = None

    def __call__(self, sample: motion_samples.Sample) -> Outcome:
        if self._process is None:
            for rest in self._folder.iterdir():
                rest.unlink()
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_work, args=(theirs, self._folder), daemon=True)
            self._process.start()
            theirs.close()
            self._pipe.recv()  # ready: importing takes seconds
        start = time.perf_counter()
        self._pipe.send(sample)
        try:
            if self._pipe.poll(10 * PATIENCE_S):  # other processes may share the cores
                return self._pipe.recv()
            how, said = "hang", ""
        except EOFError:
            how, said = "traceback", self._folder.with_suffix(".err").read_text()[-1500:]
        self.close()
        return Outcome(sample.kind, how, said, time.perf_counter() - start, 0, len(sample.data))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def fuzz(inputs: Iterable[motion_samples.Sample], folder: Path, keep: Path | None = None) -> Summary:
    """Judge every input in a worker process; files that cause faults are saved in the folder ``keep``."""
    summary, judge_one = Summary(), Judge(folder)
    try:
        for sample in inputs:
            summary.add(judge_one(sample), sample.data, keep)
    finally:
        judge_one.close()
    return summary


def inputs(count: int, seed: int, folder: Path) -> Iterator[motion_samples.Sample]:
    """Yield ``count`` files: valid samples, up to a third drawn by Hypothesis, and damaged samples."""
    sound = motion_samples.samples(folder)
    yield from sound[:count]
    made_up = motion_mutations.made_up(count // 3, seed)
    yield from made_up
    random = np.random.default_rng(seed)
    for index in range(count - len(made_up) - len(sound)):
        yield motion_mutations.damaged(sound[index % len(sound)], sound, random)


def main() -> int:
    """Fuzz and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    parser.add_argument("--keep", type=Path, help="folder for the files that cause faults")
    arguments = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        summary = fuzz(inputs(arguments.inputs, arguments.seed, Path(folder)), Path(folder), arguments.keep)
    result = provenance() | {
        "seed": arguments.seed,
        "wall_s": round(time.perf_counter() - start, 1),
        "allowed": {"memory": "4 x file + 64 MiB", "seconds": PATIENCE_S},
    }
    result |= summary.as_json()
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 1 if summary.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
