"""Latency of the widgets from a control to the new image: ``python benchmarks/widgets.py [--output FILE]``.

Values are new, so no image comes from the cache, except in the row "shown before". The time is that of this process,
from setting a value to the encoded image; the browser's part is not included.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import mujoco
import numpy as np
from provenance import provenance, report

from amp_helpers.dataset import MotionDataset
from amp_helpers.render import shared_renderer
from amp_helpers.render.gl import gl_available
from amp_helpers.robots import G1_23DOF
from amp_helpers.widgets import FeetComparison, JointInspector, MotionRefiner, OffsetInspector

BUDGET_MS = 150
SIZE = 480, 360
DATASETS = Path(__file__).resolve().parents[1] / "datasets"


def measure(label: str, change: Callable[[object], None], values: Iterable[object]) -> dict[str, object]:
    """Measure the milliseconds from a change to its image for each value."""
    taken = []
    for value in values:
        start = time.perf_counter()
        change(value)
        taken.append(1000 * (time.perf_counter() - start))
    shown = {"median_ms": np.median(taken), "p95_ms": np.percentile(taken, 95), "max_ms": max(taken)}
    return {"change": label, "changes": len(taken), **{name: round(float(value), 1) for name, value in shown.items()}}


def measure_widgets(gl: bool) -> list[dict[str, object]]:
    """Measure the controls that are dragged, on the demo walk, with OpenGL or with the matplotlib drawing."""
    clip = MotionDataset.load(DATASETS / "g1_walk.npz").clips()[0]
    joints = list(clip.joint_names)
    simulator = sorted(joints)
    inspector = JointInspector(clip, G1_23DOF, simulator, width=SIZE[0], height=SIZE[1], gl=gl)
    offsets = OffsetInspector(clip, G1_23DOF, gl=gl)
    without = clip.select([name for name in joints if name not in G1_23DOF.feet_joints])
    feet = FeetComparison({"original": clip, "without the ankles": without}, G1_23DOF, gl=gl)
    refiner = MotionRefiner(DATASETS / "g1_walk.pkl", output=os.devnull, gl=gl)
    refiner.apply("mirror")

    def setter(control: object) -> Callable[[object], None]:
        return lambda value: setattr(control, "value", value)

    rows = [
        measure("joint inspector: frame", setter(inspector.frame), range(1, 61)),
        measure("joint inspector: frame, shown before", setter(inspector.frame), range(1, 60)),
        measure("joint inspector: joint", setter(inspector.joint), joints[1:]),
        measure("joint inspector: order", setter(inspector.order), inspector.order.options[:0:-1]),
        measure("offset inspector: frame (five images)", setter(offsets.frame), range(1, 41)),
        measure("offset inspector: offset (five images)", setter(offsets.offset), np.linspace(-0.6, 0.6, 41)),
    ]
    rows.append(measure("feet comparison: frame (two robots, curves)", setter(feet.player.frame), range(1, 41)))
    rows.append(measure("motion refiner: frame (two robots, curves)", setter(refiner.player.frame), range(1, 41)))
    renderer = shared_renderer(G1_23DOF, *SIZE, "quarter", gl)
    rows.append(measure("one image alone", lambda frame: renderer.frame(clip, frame), range(100, 160)))
    return rows


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    measured = {"with GL": True} if gl_available() else {}
    result = provenance() | {
        "python": platform.python_version(),
        "mujoco": mujoco.__version__,
        "image": f"{SIZE[0]} x {SIZE[1]}; smaller where a widget shows several",
        "budget_ms": BUDGET_MS,
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "runs": {name: measure_widgets(gl) for name, gl in {**measured, "without GL": False}.items()},
    }
    report(result, arguments.output)


if __name__ == "__main__":
    main()
