"""False alarms, missed mistakes and speed of the preflight: ``python benchmarks/false_alarms.py``.

Correct clips, the demo's and third-party ones ($AMP_GMR_SAMPLES and $AMP_FIELD_SAMPLES, or folders beside the
repository), are checked unchanged, mirrored, in halves, resampled and smoothed: every finding is a false alarm, except
a file's known faults. Those of the G1 are then broken in known ways, one at a time: a mistake without a finding is
missed. Last, checking ten minutes at 50 fps and a dataset of 2,000 clips is timed, and how often one broken clip among
the 2,000 is one of those that are diagnosed because they fit the robot worst.
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
from typing import Any

import numpy as np
from provenance import provenance

from amp_helpers.checks import check_dataset, check_motion
from amp_helpers.checks.body_fit import body_model
from amp_helpers.checks.checked_motion import CheckedMotion
from amp_helpers.checks.odd_signs import ODD_GAIN, sign_gains
from amp_helpers.checks.sampling import WORST, misfit
from amp_helpers.dataset import MotionDataset
from amp_helpers.errors import atomic_path
from amp_helpers.formats import read_motion
from amp_helpers.joints import JointOrder
from amp_helpers.motion import Motion
from amp_helpers.robots import G1_23DOF, G1_29DOF, ROBOTS, Kinematics, Robot, breadth_first, counterparts, get_robot

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = Path(os.environ.get("AMP_GMR_SAMPLES", ROOT.parent / "shared" / "gmr_samples"))
FIELD_SAMPLES = Path(os.environ.get("AMP_FIELD_SAMPLES", ROOT.parent / "shared" / "field_samples"))
FIELD: dict[str, tuple[str, dict[str, Any]]] = {
    "g1_crouch_to_run.motion": ("g1_29dof", {}),
    "pi_plus_right_big_kick_cut.csv": ("robots/pi_22dof_0826.xml", {"fps": 30.0}),
    "t1_accad_cartwheel.npz": ("robots/T1_serial.xml", {"joint_names": "robot"}),
    "tienkung_vis_walk.txt": ("robots/tienkung.xml", {"joint_names": "robot"}),
}
"""Recordings of other people among the field samples -> robot, and the options that reading them takes. The other field
samples hold the demo's clips."""
KNOWN = {
    "gmt_basic_walk_23dof.pkl": {"quaternion norm"},
    "protomotions_walk_wxyz.csv": {"missing frames"},
    "g1_crouch_to_run.motion": {"foot penetration", "ground height"},
    "pi_plus_right_big_kick_cut.csv": {"ground height"},
    "t1_accad_cartwheel.npz": {"missing frames", "joint speed", "foot penetration"},
    "tienkung_vis_walk.txt": {"ground height"},
}
"""Actual faults of a file: norms of 0.97; a step twice as long as its neighbors; feet 10 cm in the ground; a robot
without its meshes; a frame lost in a cartwheel whose feet sink in; a root 17 cm too low."""


def correct_clips() -> dict[str, tuple[Motion, Robot]]:
    """Read the clips; first frames that jump are trimmed, so that only known faults remain."""
    clips = {path.name: _on_a_robot(read_motion(path)) for path in sorted((ROOT / "datasets").glob("*.pkl"))}
    return clips | _gmr_clips() | _field_clips()


def _field_clips() -> dict[str, tuple[Motion, Robot]]:
    clips = {}
    for name, (named, options) in FIELD.items() if FIELD_SAMPLES.is_dir() else ():
        robot = get_robot(str(FIELD_SAMPLES / named) if named.endswith(".xml") else named)
        clips[name] = read_motion(FIELD_SAMPLES / name, robot=robot, **options).select(robot.joint_names), robot
    return clips


def _gmr_clips() -> dict[str, tuple[Motion, Robot]]:
    clips: dict[str, tuple[Motion, Robot]] = {}
    if not SAMPLES.is_dir():
        return clips
    first_frames = {"0807_yanjie_walk_001.pkl": 1, "0807_yanjie_walk_004.pkl": 2}
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix not in (".pkl", ".csv") or path.name == "sub1_clothesstand_004_wxyz_23dof.pkl":
            continue  # the latter holds the same motion as another file
        fps = {"B_HandsUp.csv": 60.0, "protomotions_walk_wxyz.csv": 30.0}.get(path.name)
        order = "gmt_23" if path.name.startswith("gmt_") else None
        clip = read_motion(path, fps=fps, joint_names=order)
        clips[path.name] = _on_a_robot(clip.trim((first_frames.get(path.name, 0) - 0.5) * clip.dt))
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
    clips = correct_clips()
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
    of_the_g1 = [(clip, robot) for clip, robot in clips.values() if robot.name in ROBOTS]
    for clip, robot in of_the_g1:
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
        "two_thousand_clips": two_thousand_clips([clip for clip, _ in of_the_g1]),
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


def two_thousand_clips(sources: list[Motion]) -> dict[str, Any]:
    """Time the check of a dataset of 2,000 pieces of clips, s, and count how many mistakes in one of them it diagnoses.

    A mistake counts where the broken piece is one of those that fit the robot worst; a wrong sign is also compared with
    the other pieces.
    """
    robot, random = G1_23DOF, np.random.default_rng(0)
    sources = [clip.select(robot.joint_names).resample(0.02) for clip in sources]
    pieces = []
    for index in range(2000):
        clip = sources[index % len(sources)]
        length = min(clip.duration_s, random.uniform(1.5, 4.0))
        start = random.uniform(0, clip.duration_s - length)
        pieces.append(clip.trim(start, start + length))
    dataset = MotionDataset.from_motions(pieces, joint_names=robot.joint_names, control_dt=0.02)
    started = time.perf_counter()
    table = check_dataset(dataset, robot)
    seconds = round(time.perf_counter() - started, 2)

    def misfit_of(motion: Motion) -> float:
        return misfit(CheckedMotion(motion, robot))

    threshold = sorted(map(misfit_of, pieces))[-WORST]
    broken = random.choice(2000, 40, replace=False)
    chances = {
        f"{check}: {mistake}": round(float(np.mean([misfit_of(make(pieces[i])) > threshold for i in broken])), 2)
        for check, mistake, make in mistakes(robot)
        if check != "units"  # every clip is checked for it
    }
    signs = {
        mistake: round(float(np.mean([_odd(pieces, int(i), make) for i in broken])), 2)
        for check, mistake, make in mistakes(robot)
        if check == "mirrored axes"
    }
    return {
        "check_s": seconds,
        "note": table.note,
        "largest_gain_of_a_sound_clip": round(float(sign_gains(pieces).max()), 1),
        "one_broken_clip_is_among_the_worst": chances,
        "one_wrong_sign_is_named": signs,
    }


def _odd(pieces: list[Motion], index: int, make: Callable[[Motion], Motion]) -> bool:
    """Whether the broken piece is the one that moves most against the others, and more than any sound one."""
    gains = sign_gains([*pieces[:index], make(pieces[index]), *pieces[index + 1 :]]).max(axis=1)
    return int(gains.argmax()) == index and gains[index] > ODD_GAIN


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
