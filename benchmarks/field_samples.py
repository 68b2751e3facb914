"""Other people's files: ``python benchmarks/field_samples.py [--field DIR] [--gmr DIR] [--output FILE]``.

Every file of the two folders is converted and checked without options, then with the options that its error names. What
a file is known to hold decides whether the conversion is right. The folders are not part of the project.
"""

import argparse
import contextlib
import io
import json
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from provenance import provenance

from amp_helpers.checks.files import check_motion_files
from amp_helpers.convert import convert
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import InputError
from amp_helpers.formats import read_motion
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.resources import find_data

SHARED = Path(__file__).parents[2] / "shared"


@dataclass(frozen=True)
class Case:
    """A file, and what is true of it."""

    name: str
    robot: str = "g1_29dof"
    like: str = ""
    """Demo clip with the same poses by name."""
    options: dict[str, Any] = field(default_factory=dict)
    """What the user has to say, by the error without it."""
    refused: str = ""
    """The sentence of a file that cannot be used."""


FIELD = (
    Case("bones_seed.csv", like="walk", options={"fps": 30}),
    Case("g1_crouch_to_run.motion"),
    Case("g1_run_amp_xyzw.npz", like="run"),
    Case("g1_run_dof_names_right_first.pkl", like="run"),
    Case("g1_run_legged_lab.pkl", like="run"),
    Case("lfs_pointer.pkl", refused="is a Git LFS pointer"),
    Case("motiondecode.csv", like="walk", options={"fps": 30}),
    Case("n3_walk_30fps.csv", "N3.xml", options={"fps": 30}),
    Case("pi_plus_right_big_kick_cut.csv", "pi_22dof_0826.xml", options={"fps": 30}),
    Case("sonic_deploy.pkl", like="walk"),
    Case("sonic_motion_lib.pkl", like="walk"),
    Case("sonic_ref/walk_a", like="walk"),
    Case("t1_accad_cartwheel.npz", "T1_serial.xml", options={"joint_order": "robot"}),
    Case("tienkung_amp_run.txt", "tienkung.xml", refused="and no root"),
    Case("tienkung_vis_walk.txt", "tienkung.xml", options={"joint_order": "robot"}),
    Case("ufo_time.csv", like="walk"),
)
GMR = (
    Case("0807_yanjie_walk_001.pkl"),
    Case("0807_yanjie_walk_004.pkl"),
    Case("B_HandsUp.csv", options={"fps": 60}),
    Case("gmt_basic_walk_23dof.pkl", "g1_29dof", options={"fill_missing": True}),
    Case("protomotions_walk_wxyz.csv", options={"fps": 30}),
    Case("sub1_clothesstand_004.pkl"),
    Case("sub1_clothesstand_004_wxyz_23dof.pkl", options={"fill_missing": True}),
)


@dataclass(frozen=True)
class Row:
    """What became of a file."""

    file: str
    first: str
    """Without options: ``converted``, or the sentence."""
    options: str
    outcome: str
    """``right``, ``refused`` or ``wrong``."""
    note: str
    """What was found, or the sentence."""
    checks: str
    """Verdicts of the preflight."""


def main() -> int:
    """Print the table, and the JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--field", type=Path, default=SHARED / "field_samples")
    parser.add_argument("--gmr", type=Path, default=SHARED / "gmr_samples")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    rows = rows_of(arguments.field, FIELD) + rows_of(arguments.gmr, GMR)
    for row in rows:
        options = f" {row.options}" if row.options else ""
        print(f"{row.outcome:8}{row.file}{options}\n        {row.note}\n        check: {row.checks}")
    if arguments.output:
        result = provenance() | {"rows": [asdict(row) for row in rows]}
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if any(row.outcome == "wrong" for row in rows) else 0


def rows_of(folder: Path, cases: tuple[Case, ...]) -> list[Row]:
    """Try every case whose file is there."""
    with tempfile.TemporaryDirectory() as scratch:
        return [_try(case, folder, Path(scratch)) for case in cases if (folder / case.name).exists()]


def _try(case: Case, folder: Path, scratch: Path) -> Row:
    path = folder / case.name
    robot = str(folder / "robots" / case.robot) if case.robot.endswith(".xml") else case.robot
    first, options = _converted(path, scratch, robot, {}), {}
    if isinstance(first, str):
        options = case.options
    dataset = _converted(path, scratch, robot, options) if options else first
    said = first.replace(f"{path}: ", "") if isinstance(first, str) else "converted"
    shown = " ".join(f"--{key} {value}" for key, value in options.items()).replace(" True", "")
    checks = _checks(path, robot, options)
    if isinstance(dataset, str):
        sentence = dataset.replace(f"{path}: ", "")
        expected = bool(case.refused) and case.refused in sentence
        return Row(case.name, said, shown, "refused" if expected else "wrong", sentence, checks)
    fault = "" if not case.refused else "converted, and should not be"
    fault = fault or _fault(dataset, case)
    return Row(case.name, said, shown, "wrong" if fault else "right", fault or dataset.source[0], checks)


def _converted(path: Path, scratch: Path, robot: str, options: dict[str, Any]) -> MotionDataset | str:
    try:
        return convert([path], scratch / "d.npz", robot=robot, verbose=False, **options)
    except InputError as error:
        return str(error)


def _fault(dataset: MotionDataset, case: Case) -> str:
    """Say what is wrong with a conversion: angles and root of the demo clip, where it was made from one, and a pelvis
    that is upright on average otherwise."""
    clip = dataset.clips()[0]
    if case.like:
        truth = _resampled(read_motion(find_data(f"datasets/g1_{case.like}.pkl")), dataset, clip.num_frames)
        shared = min(clip.num_frames, truth.num_frames)
        angle = np.abs(clip.joint_pos[:shared] - truth.select(clip.joint_names).joint_pos[:shared]).max()
        turn = 1 - np.abs(np.einsum("ni,ni->n", clip.root_quat[:shared], truth.root_quat[:shared])).min()
        place = np.abs(clip.root_pos[:shared] - truth.root_pos[:shared]).max()
        return "" if max(angle, turn, place) < 2e-3 else f"off by {angle:.3f} rad, {place:.3f} m, {turn:.3f} of a turn"
    up = float(np.mean(1 - 2 * (clip.root_quat[:, 0] ** 2 + clip.root_quat[:, 1] ** 2)))
    tilted = "cartwheel" in case.name or "crouch" in case.name
    return "" if up > (0.3 if tilted else 0.9) else f"the pelvis is up by {up:.2f}"


def _resampled(motion: Motion, dataset: MotionDataset, frames: int) -> Motion:
    return MotionDataset.from_motions([motion], joint_names=motion.joint_names, control_dt=dataset.dt).clips()[0]


def _checks(path: Path, robot: str, options: dict[str, Any]) -> str:
    known = {key: options[key] for key in ("joint_order", "fps") if key in options}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            tables = check_motion_files([path], robot, **known)
    except InputError as error:
        return f"refused: {re.sub(r'^.*?: ', '', str(error).replace(str(path), '', 1))[:160]}"
    results = [result for table in tables.values() for result in table]
    found = [f"{result.verdict} {result.name}" for result in results if result.verdict in ("fail", "warn")]
    return f"{len(results)} checks, {sum(result.verdict == 'fail' for result in results)} failed" + (
        f" ({', '.join(found)})" if found else ""
    )


if __name__ == "__main__":
    raise SystemExit(main())
