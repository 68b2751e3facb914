"""False alarms, missed mistakes and speed of the preflight: ``python benchmarks/false_alarms.py``.

Correct clips, the demo's and third-party ones ($AMP_GMR_SAMPLES, or a folder beside the repository), are checked
unchanged, mirrored, in halves, resampled and smoothed: every finding is a false alarm, except a file's known faults.
The same clips are then broken in known ways, one at a time: a mistake without a finding is missed. Last, checking ten
minutes at 50 fps is timed.
"""

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from provenance import provenance

from amp_helpers.checks import check_motion
from amp_helpers.checks.body_fit import body_model
from amp_helpers.errors import atomic_path
from amp_helpers.formats import read_motion
from amp_helpers.joints import JointOrder
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_23DOF, G1_29DOF, Kinematics, Robot, breadth_first, counterparts

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = Path(os.environ.get("AMP_GMR_SAMPLES", ROOT.parent / "shared" / "gmr_samples"))
KNOWN = {"gmt_basic_walk_23dof.pkl": {"quaternion norm"}, "protomotions_walk_wxyz.csv": {"missing frames"}}
"""Actual faults of a file: norms of 0.97, and a step twice as long as its neighbors."""


def correct_clips() -> dict[str, Motion]:
    """Read the clips; first frames that jump are trimmed, so that only known faults remain."""
    clips = {path.name: read_motion(path) for path in sorted((ROOT / "datasets").glob("*.pkl"))}
    if not SAMPLES.is_dir():
        return clips
    first_frames = {"0807_yanjie_walk_001.pkl": 1, "0807_yanjie_walk_004.pkl": 2}
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix not in (".pkl", ".csv") or path.name == "sub1_clothesstand_004_wxyz_23dof.pkl":
            continue  # the latter holds the same motion as another file
        fps = {"B_HandsUp.csv": 60.0, "protomotions_walk_wxyz.csv": 30.0}.get(path.name)
        order = "gmt_23" if path.name.startswith("gmt_") else None
        clip = read_motion(path, fps=fps, joint_names=order)
        clips[path.name] = clip.trim((first_frames.get(path.name, 0) - 0.5) * clip.dt)
    return clips


def variants(clip: Motion, kinematics: Kinematics) -> Iterator[tuple[str, Motion]]:
    """Yield a clip and changes that keep it correct."""
    yield "unchanged", clip
    yield "mirrored", kinematics.mirror(clip)
    half = clip.duration_s / 2
    yield "first half", clip.trim(0, half)
    yield "second half", clip.trim(half)
    yield "at 50 Hz", clip.resample(0.02)
    yield "at 120 Hz", clip.resample(1 / 120)
    yield "below 6 Hz", clip.smooth(6.0)


def mistakes(robot: Robot) -> Iterator[tuple[str, str, Callable[[Motion], Motion]]]:
    """Yield the check for a mistake, the mistake, and a function that makes it."""
    names = robot.joint_names
    other = counterparts(names)
    swap = [names.index(other.get(name, name)) for name in names]
    kinematics = body_model(robot).kinematics
    order = breadth_first(kinematics.model)
    physx = [names.index(name) for name in order]
    sorted_again = [order.index(name) for name in names]
    default = robot.default_pose()

    def columns(picks: list[int]) -> Callable[[Motion], Motion]:
        return lambda m: replace(m, joint_pos=m.joint_pos[:, picks])

    def shifted(times: int) -> Callable[[Motion], Motion]:
        return lambda m: replace(m, joint_pos=m.joint_pos + times * default)

    def turned(picks: list[int]) -> Callable[[Motion], Motion]:
        return lambda m: replace(m, root_quat=m.root_quat[:, picks])

    def flipped(chosen: tuple[str, ...]) -> Callable[[Motion], Motion]:
        sign = np.array([-1 if name in chosen else 1 for name in names], np.float32)
        return lambda m: replace(m, joint_pos=m.joint_pos * sign)

    yield "units", "degrees for radians", lambda m: replace(m, joint_pos=np.degrees(m.joint_pos))
    yield "quaternion order", "xyzw read as wxyz", turned([1, 2, 3, 0])
    yield "quaternion order", "wxyz read as xyzw", turned([3, 0, 1, 2])
    yield "column order", "breadth-first columns named depth-first", columns(physx)
    yield "column order", "depth-first columns named breadth-first", columns(sorted_again)
    yield "left and right", "left and right columns exchanged", columns(swap)
    yield "left and right", "joints mirrored, root not", lambda m: replace(m, joint_pos=kinematics.mirror(m).joint_pos)
    yield "default offset", "default pose already subtracted", shifted(-1)
    yield "default offset", "default pose subtracted twice", shifted(-2)
    yield "default offset", "default pose added", shifted(1)
    parts = dict.fromkeys(name.removeprefix("left_") for name in names if name.startswith("left_"))
    for part in parts:
        if "wrist" in part:
            continue
        label = part.removesuffix("_joint").replace("_", " ")
        yield "mirrored axes", f"sign of one side's {label}", flipped((f"left_{part}",))
        yield "mirrored axes", f"sign of both sides' {label}", flipped((f"left_{part}", f"right_{part}"))


def measure() -> dict:
    """Measure everything and return the content of the results file."""
    clips = {name: _on_a_robot(clip) for name, clip in correct_clips().items()}
    alarms, checked = [], 0
    for name, (clip, robot) in clips.items():
        for variant, motion in variants(clip, body_model(robot).kinematics):
            table = check_motion(motion, robot)
            checked += len(table)
            known = KNOWN.get(name, set())
            alarms += [
                {"clip": name, "variant": variant, "check": c.name, "verdict": c.verdict, "evidence": c.evidence}
                for c in table.findings
                if c.name not in known
            ]
    found: dict[str, Counter] = {}
    for clip, robot in clips.values():
        for check, mistake, make in mistakes(robot):
            findings = {c.name for c in check_motion(make(clip), robot).findings}
            how = "named" if check in findings else "otherwise found" if findings else "not found"
            found.setdefault(f"{check}: {mistake}", Counter())[how] += 1
    return provenance() | {
        "clips": list(clips),
        "variants_per_clip": 7,
        "checks": checked,
        "false_alarms": len(alarms),
        "false_alarm_rate": round(len(alarms) / checked, 5),
        "false_failures": sum(alarm["verdict"] == "fail" for alarm in alarms),
        "alarms": alarms,
        "broken": {what: dict(count) for what, count in found.items()},
        "ten_minutes": ten_minutes(),
        "python": platform.python_version(),
    }


def _on_a_robot(clip: Motion) -> tuple[Motion, Robot]:
    robot = G1_23DOF if len(clip.joint_names) == G1_23DOF.num_joints else G1_29DOF
    robot = robot if set(clip.joint_names) <= set(robot.joint_names) else G1_29DOF
    still = JointOrder(robot.joint_names).compare(clip.joint_names).missing
    return clip.select(robot.joint_names, fill=robot.default_pose() if still else None), robot


def ten_minutes() -> dict[str, float]:
    """Time the check of 30,000 frames, in seconds: the first time in a process, and again."""
    walk = read_motion(ROOT / "datasets" / "g1_walk.pkl").resample(0.02)
    clip = walk.loop(30_000 // (walk.num_frames - 1) + 1).trim(0, 29_999 * 0.02)
    body_model.cache_clear()
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        check_motion(clip, G1_29DOF)
        seconds.append(round(time.perf_counter() - started, 2))
    return {"frames": clip.num_frames, "first_s": seconds[0], "again_s": seconds[1]}


def main() -> None:
    """Measure, print, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "false_alarms.json")
    output = parser.parse_args().output
    result = measure()
    for alarm in result["alarms"]:
        print(f"{alarm['clip']}, {alarm['variant']}: {alarm['verdict']} {alarm['check']}: {alarm['evidence']}")
    for what, count in result["broken"].items():
        print(f"{what}: {', '.join(f'{number} {how}' for how, number in count.items())}")
    print(f"{result['false_alarms']} false alarms in {result['checks']} checks; ten minutes: {result['ten_minutes']}")
    with atomic_path(output) as path:
        path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
