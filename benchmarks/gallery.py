"""What notebook 4's gallery shows: policies that were trained with one mistake each, and a few seconds of their walk.

The datasets with a mistake, the trainings, and the shipped policy under the same evaluation::

    python benchmarks/gallery.py datasets
    python -m amp_helpers.study benchmarks/studies/gallery.toml --output runs/gallery --parallel 5 \\
        --program skrl=benchmarks/rivals.py
    python -m amp_helpers.evaluate --checkpoint policies/g1_walk --output runs/gallery/runs/ours-0/evaluation ...
    python benchmarks/gallery.py keep runs/gallery --output benchmarks/results

The last one writes ``gallery.json`` (the form of :mod:`amp_helpers.training.comparisons`: command, commit, hardware and
metrics of each policy) and ``gallery.npz``, a :class:`amp_helpers.MotionDataset` with a motion for each policy: its
first environment, from the end of the warm-up on.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers import G1_23DOF, Motion, MotionDataset
from amp_helpers.errors import run_cli
from amp_helpers.metrics import WARMUP_S
from amp_helpers.robots import Kinematics, breadth_first
from amp_helpers.training import read_results, record_run, write_results

CONTROL_DT = 0.02
FILE_FPS = 30.0
"""Rate at which the demo clip was captured."""
SHOWN_S = 7.0
"""Length of a recorded walk, s: the clip, and a stride to choose the phase from."""
SHIPPED = Path("policies/g1_walk")
OURS = "ours-0"


def wrong_order(clip: Motion) -> Motion:
    """The clip's columns, which are in MuJoCo's order, taken for PhysX's."""
    misread = replace(clip, joint_names=breadth_first(Kinematics(G1_23DOF).model), name="wrong joint order")
    return misread.select(clip.joint_names)


def read_at_50(clip: Motion) -> Motion:
    """The frames of the file, 30 a second, taken for one frame a control step."""
    return replace(clip.resample(1 / FILE_FPS), fps=1 / CONTROL_DT, name="30 fps read as 50")


def write_datasets(folder: Path) -> None:
    """Write the walk with each mistake; training does not notice either."""
    clip = MotionDataset.load("datasets/g1_walk_refined.npz").clips()[0]
    folder.mkdir(parents=True, exist_ok=True)
    for mistake in (wrong_order, read_at_50):
        broken = MotionDataset.from_motions([mistake(clip)], joint_names=clip.joint_names, control_dt=CONTROL_DT)
        broken.save(folder / f"{mistake.__name__}.npz")
        print(folder / f"{mistake.__name__}.npz")


def recorded_walk(rollout: Path, name: str) -> Motion:
    """The first environment of a ``rollout.npz`` after the warm-up."""
    with np.load(rollout) as content:
        frames = slice(round(WARMUP_S / CONTROL_DT), round((WARMUP_S + SHOWN_S) / CONTROL_DT) + 1)
        return Motion(
            fps=1 / float(content["dt"]),
            joint_names=tuple(map(str, content["joint_names"])),
            joint_pos=content["joint_pos"][0, frames],
            root_pos=content["root_pos"][0, frames],
            root_quat=content["root_quat"][0, frames],
            name=name,
        )


def keep(study: Path, output: Path) -> None:
    """Write what the gallery needs of a study and of the shipped policy's evaluation beside it."""
    results = read_results(study / "results.json")
    evaluation = study / "runs" / OURS / "evaluation"
    if (evaluation / "metrics.json").is_file():
        config = json.loads((SHIPPED / "config.json").read_text())
        ours = record_run(
            SHIPPED,
            name=OURS,
            group="ours",
            command=f"python -m amp_helpers.train --num_envs {config['num_envs']} --headless --seed {config['seed']}",
            hardware="one NVIDIA H200, alone",
            evaluation="python -m amp_helpers.evaluate --checkpoint policies/g1_walk"
            + results.runs[0].evaluation.removeprefix("python -m amp_helpers.evaluate"),
            metrics=evaluation / "metrics.json",
            note="the policy of policies/g1_walk",
        )
        comparison = replace(results.comparisons[0], groups={"ours": "ours"} | results.comparisons[0].groups)
        results = replace(results, comparisons=(comparison,), runs=(ours, *results.runs))
    walks = [recorded_walk(study / "runs" / run.name / "evaluation" / "rollout.npz", run.group) for run in results.runs]
    order = MotionDataset.load("datasets/g1_walk.npz").joint_names
    output.mkdir(parents=True, exist_ok=True)
    MotionDataset.from_motions(walks, joint_names=order, control_dt=CONTROL_DT).save(output / "gallery.npz")
    write_results(output / "gallery.json", results)
    print(f"{output / 'gallery.npz'}: {', '.join(walk.name for walk in walks)}")


def main() -> int:
    """Make the broken datasets, or keep what the gallery needs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("datasets").add_argument("--output", type=Path, default=Path("build/gallery"))
    kept = commands.add_parser("keep")
    kept.add_argument("study", type=Path)
    kept.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "datasets":
        write_datasets(options.output)
    else:
        keep(options.study, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))
