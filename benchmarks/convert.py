"""Time and memory for converting many motions: ``python benchmarks/convert.py [--output FILE]``.

Writes synthetic 29-dof GMR pickles with link positions, and converts them by the command in a process of its own, so
that start-up and imports count. Subsets show whether the cost is linear. Then a clip of ten minutes, the demo walk
repeated, is checked without the simulator.
"""

import argparse
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from provenance import provenance, report

from amp_helpers.checks import check_dataset
from amp_helpers.dataset import MotionDataset
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_23DOF, G1_29DOF, Kinematics
from amp_helpers.robots.robot import JOINT_ORDERS

DEMO = Path(__file__).parents[1] / "datasets" / "g1_walk.npz"


def write_clip(path: Path, frames: int, seed: int, kinematics: Kinematics) -> None:
    """Write one smooth random motion as GMR stores it: float64 tables and float32 link positions."""
    random = np.random.default_rng(seed)
    time_s = np.arange(frames)[:, None] / 30
    phase, rate = random.uniform(0, 6, 29), random.uniform(0.3, 2, 29)
    yaw = np.cumsum(random.normal(0, 0.01, frames))
    zero = np.zeros(frames)
    content = {
        "fps": np.float64(29.7),
        "root_pos": np.stack([time_s[:, 0], zero, zero + 0.8], axis=1),
        "root_rot": np.stack([zero, zero, np.sin(yaw / 2), np.cos(yaw / 2)], axis=1),
        "dof_pos": 0.3 * np.sin(time_s * rate + phase),
    }
    # Link positions in the root's frame that fit the joints, or the file would be refused as another robot's.
    upright = np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1))
    posed = Motion(30.0, JOINT_ORDERS["g1_29dof"], content["dof_pos"], np.zeros((frames, 3)), upright)
    content["local_body_pos"] = kinematics.body_positions(posed).astype(np.float32)
    content["link_body_list"] = list(kinematics.body_names)
    assert content["dof_pos"].shape[1] == len(JOINT_ORDERS["g1_29dof"])
    path.write_bytes(pickle.dumps(content))


def convert(files: list[Path], output: Path) -> dict[str, float]:
    """Measure one conversion in a process of its own."""
    return {"clips": len(files)} | measure("convert", *files, "--output", output)


def preflight(folder: Path, minutes: float = 10.0) -> dict[str, float]:
    """Measure the checks of one long clip at 50 Hz: as a command, and without start-up and imports."""
    walk = MotionDataset.load(DEMO).clips()[0]
    clip = walk.loop(int(np.ceil(60 * minutes / walk.duration_s))).trim(0, 60 * minutes)
    dataset = MotionDataset.from_motions([clip], joint_names=clip.joint_names, control_dt=0.02)
    dataset.save(folder / "long.npz")
    start = time.perf_counter()
    check_dataset(dataset, G1_23DOF)
    alone = time.perf_counter() - start
    command = measure("check", "--dataset", folder / "long.npz")
    return {"minutes": minutes, "frames": clip.num_frames, "checks_alone_s": round(alone, 2)} | command


def measure(module: str, *arguments: object) -> dict[str, float]:
    """Measure wall-clock seconds and peak resident memory of a command in a process of its own."""
    command = [sys.executable, "-m", f"amp_helpers.{module}", *map(str, arguments)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{module} failed")
    # Linux reports kibibytes, macOS bytes.
    unit = 1 if platform.system() == "Darwin" else 1024
    return {"seconds": round(seconds, 2), "peak_mib": round(usage.ru_maxrss * unit / 1024**2)}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"clip_{index:03d}.pkl" for index in range(arguments.clips)]
        kinematics = Kinematics(G1_29DOF)
        for index, file in enumerate(files):
            write_clip(file, arguments.frames, index, kinematics)
        sizes = sorted({max(1, arguments.clips // part) for part in (8, 4, 2, 1)})
        runs = [convert(files[:size], Path(folder) / "out.npz") for size in sizes]
        ten_minutes = preflight(Path(folder))
    result = provenance() | {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "frames_per_clip": arguments.frames,
        "joints": 29,
        "budget": {"clips": 100, "frames": 1_000_000, "seconds": 20, "peak_mib": 2048, "preflight_s": 2},
        "runs": runs,
        "preflight": ten_minutes,
    }
    report(result, arguments.output)


if __name__ == "__main__":
    main()
