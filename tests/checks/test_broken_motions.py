"""Correct clips, each broken in one way: the intended check reports it, and no other does unless listed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from amp_helpers.checks.body_fit import body_model
from amp_helpers.checks.preflight import check_motion
from amp_helpers.checks.registry import CHECKS, MOTION_CHECKS
from amp_helpers.checks.table import SEVERITY
from amp_helpers.formats.registry import read_motion
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import multiply, rotation_vector
from amp_helpers.robots.model import breadth_first
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.robots.symmetry import counterparts

JOINTS = G1_23DOF.joint_names
DEFAULT = G1_23DOF.default_pose()


@pytest.fixture(scope="module")
def walk(repo_root) -> Motion:
    return read_motion(repo_root / "datasets" / "g1_walk.pkl").select(JOINTS)


@pytest.fixture(scope="module")
def run(repo_root) -> Motion:
    return read_motion(repo_root / "datasets" / "g1_run.pkl").select(JOINTS)


def joints(motion: Motion, change: Callable[[np.ndarray], np.ndarray]) -> Motion:
    return replace(motion, joint_pos=change(motion.joint_pos.copy()))


def root(motion: Motion, change: Callable[[np.ndarray], np.ndarray]) -> Motion:
    return replace(motion, root_pos=change(motion.root_pos.copy()))


def column(name: str) -> int:
    return JOINTS.index(name)


def put(values: np.ndarray, at, number: float) -> np.ndarray:
    values[at] = number
    return values


def add(values: np.ndarray, at, number: float) -> np.ndarray:
    values[at] += number
    return values


def scale(values: np.ndarray, at, number: float) -> np.ndarray:
    values[at] *= number
    return values


def exchanged(motion: Motion) -> Motion:
    """Exchange left and right columns; keep signs and root."""
    other = counterparts(JOINTS)
    return joints(motion, lambda q: q[:, [column(other.get(name, name)) for name in JOINTS]])


def breadth_first_columns(motion: Motion) -> Motion:
    """Put the columns into PhysX's order, under names in the depth-first order."""
    order = breadth_first(body_model(G1_23DOF).kinematics.model)
    return joints(motion, lambda q: q[:, [column(name) for name in order]])


def depth_first_columns(motion: Motion) -> Motion:
    """The reverse: depth-first columns that were mistaken for breadth-first ones and sorted."""
    order = breadth_first(body_model(G1_23DOF).kinematics.model)
    return joints(motion, lambda q: q[:, [order.index(name) for name in JOINTS]])


def tilted(motion: Motion) -> Motion:
    half = np.sqrt(0.5)
    return replace(motion, root_quat=multiply(motion.root_quat, np.array([half, 0, 0, half])))


def repeated(motion: Motion) -> Motion:
    rows = np.sort(np.append(np.arange(motion.num_frames), [40, 80, 81]))
    return take(motion, rows)


def take(motion: Motion, rows: np.ndarray) -> Motion:
    return replace(
        motion, joint_pos=motion.joint_pos[rows], root_pos=motion.root_pos[rows], root_quat=motion.root_quat[rows]
    )


@dataclass(frozen=True)
class Broken:
    """One way to break a clip."""

    check: str
    """The check that must report it."""
    how: str
    make: Callable[[Motion], Motion]
    says: str = ""
    """Fragment of its evidence or remedy."""
    verdicts: tuple[str, ...] = ("fail",)
    beside: tuple[str, ...] = ()
    """Checks that may report it as well."""


WARN, EITHER = ("warn",), ("warn", "fail")
UP = (slice(None), 2)
LEFT_KNEE, RIGHT_ELBOW = column("left_knee_joint"), column("right_elbow_joint")
SEAM = ("joint speed", "missing frames")
FLOATS = ("ground height", "foot penetration", "foot skate")

BROKEN = [
    Broken(
        "joint set", "two joints left out", lambda m: m.select([n for n in JOINTS if "elbow" not in n]), "right_elbow"
    ),
    Broken("units", "degrees", lambda m: joints(m, np.degrees), "pi / 180", beside=("joint limits", "joint speed")),
    Broken("units", "converted twice", lambda m: joints(m, np.radians), "180 / pi", WARN, ("movement", *FLOATS)),
    Broken(
        "quaternion norm",
        "interpolated without normalization",
        lambda m: replace(m, findings=Findings(quaternion_norm=(0.947, 0.997))),
        "0.947",
        WARN,
    ),
    Broken("quaternion order", "xyzw read as wxyz", lambda m: replace(m, root_quat=m.root_quat[:, [1, 2, 3, 0]])),
    Broken("quaternion order", "wxyz read as xyzw", lambda m: replace(m, root_quat=m.root_quat[:, [3, 0, 1, 2]])),
    Broken("quaternion order", "another axis up", tilted, "points up", beside=("default offset", "column order")),
    Broken("frame rate", "seconds for milliseconds", lambda m: replace(m, fps=m.fps / 1000), "0.03 fps", WARN, FLOATS),
    Broken("frame rate", "a fifth of a second", lambda m: m.trim(0, 0.2), "0.20 s", WARN),
    Broken("repeated frames", "three held frames", repeated, "3 at frames", WARN),
    Broken(
        "missing frames",
        "three lost frames",
        lambda m: take(m, np.delete(np.arange(m.num_frames), [30, 31, 100])),
        "--repair missing_frames",
        WARN,
    ),
    Broken(
        "joint limits",
        "a wrist turned round",
        lambda m: joints(m, lambda q: add(q, (slice(None), column("left_wrist_roll_joint")), 2.3)),
        "left_wrist_roll_joint",
        WARN,
    ),
    Broken(
        "joint speed",
        "a spike in one frame",
        lambda m: joints(m, lambda q: add(q, (40, RIGHT_ELBOW), 0.5)),
        "right_elbow_joint jumps 0.5",
        WARN,
    ),
    Broken(
        "joint speed",
        "a joint thrown about",
        lambda m: joints(m, lambda q: add(q, (40, RIGHT_ELBOW), -1.5)),
        "frame",
        beside=("joint limits",),
    ),
    Broken("root jumps", "a teleport in the middle", lambda m: root(m, lambda p: add(p, (slice(70, None), 0), 3.0))),
    Broken(
        "root jumps",
        "a first frame elsewhere",
        lambda m: root(m, lambda p: add(p, (0, 2), 1.0)),
        "--repair first_jump",
    ),
    Broken(
        "movement",
        "standing still",
        lambda m: take(m, np.full(m.num_frames, 10)),
        "never moved",
        WARN,
    ),
    Broken(
        "loop seam",
        "cycles joined in mid-stride",
        lambda m: m.trim(0, 0.5).loop(6),
        "after frame 15",
        WARN,
        beside=SEAM,
    ),
    Broken("column order", "breadth-first columns", breadth_first_columns, "breadth-first", beside=("joint limits",)),
    Broken("column order", "sorted once too often", depth_first_columns, "breadth-first", beside=("joint limits",)),
    Broken("left and right", "columns exchanged", exchanged, "exchanged"),
    Broken(
        "mirrored axes",
        "both knees",
        lambda m: joints(m, lambda q: scale(q, (slice(None), [LEFT_KNEE, column("right_knee_joint")]), -1)),
        "left_knee_joint and right_knee_joint",
        beside=("joint limits",),
    ),
    Broken(
        "mirrored axes",
        "one hip",
        lambda m: joints(m, lambda q: scale(q, (slice(None), column("left_hip_pitch_joint")), -1)),
        "negate left_hip_pitch_joint",
    ),
    Broken(
        "mirrored axes",
        "one shoulder",
        lambda m: joints(m, lambda q: scale(q, (slice(None), column("right_shoulder_roll_joint")), -1)),
        "negate right_shoulder_roll_joint",
        EITHER,
    ),
    Broken(
        "mirrored axes",
        "one shoulder's yaw",
        lambda m: joints(m, lambda q: scale(q, (slice(None), column("left_shoulder_yaw_joint")), -1)),
        "left_shoulder_yaw_joint",
        WARN,
    ),
    Broken(
        "default offset",
        "already subtracted",
        lambda m: joints(m, lambda q: q - DEFAULT),
        "already subtracted",
        EITHER,
        ("joint limits",),
    ),
    Broken(
        "default offset",
        "subtracted twice",
        lambda m: joints(m, lambda q: q - 2 * DEFAULT),
        "subtracted twice",
        EITHER,
        ("joint limits",),
    ),
    Broken("default offset", "added", lambda m: joints(m, lambda q: q + DEFAULT), "is added", WARN, ("ground height",)),
    Broken("ground height", "8 cm up", lambda m: root(m, lambda p: add(p, UP, 0.08)), "-0.080 m", WARN),
    Broken("ground height", "8 cm down", lambda m: root(m, lambda p: add(p, UP, -0.08)), "+0.080 m", WARN),
    Broken("ground height", "another floor", lambda m: root(m, lambda p: add(p, UP, 0.8)), "-0.800 m"),
    Broken(
        "foot penetration",
        "a step into the ground",
        lambda m: root(m, lambda p: add(p, (slice(60, 75), 2), -0.08)),
        "cm below",
        WARN,
    ),
    Broken("foot skate", "on a treadmill", lambda m: root(m, lambda p: scale(p, (slice(None), 0), 0)), "slides", WARN),
]


def findings(motion: Motion) -> dict[str, str]:
    return {check.name: check.verdict for check in check_motion(motion, G1_23DOF).findings}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.check}: {broken.how}")
def test_a_broken_walk(walk, broken):
    table = check_motion(broken.make(walk), G1_23DOF)
    found = {check.name: check for check in table.findings}
    assert broken.check in found, str(table)
    check = found.pop(broken.check)
    assert check.verdict in broken.verdicts, str(table)
    assert broken.says in check.evidence + check.remedy, str(table)
    assert set(found) <= set(broken.beside), str(table)
    assert all(SEVERITY[result.verdict] <= SEVERITY[CHECKS[result.name].severity] for result in table)


def test_every_motion_check_has_a_broken_clip(walk):
    assert {check.name for check in check_motion(walk, G1_23DOF)} == {broken.check for broken in BROKEN}
    assert {broken.check for broken in BROKEN} == {check.name for check in MOTION_CHECKS}


def test_missing_legs_are_not_checked(walk):
    table = check_motion(walk.select(JOINTS[2:]), G1_23DOF)
    assert [check.name for check in table.findings] == ["joint set"]
    assert "foot skate" not in {check.name for check in table}


@pytest.mark.slow
def test_correct_clips_have_no_finding(walk, run):
    mirror = body_model(G1_23DOF).kinematics.mirror
    for clip in (walk, run):
        for variant in (clip, mirror(clip), clip.resample(0.02), clip.trim(0.5, 3.5), clip.loop(3)):
            assert findings(variant) == {}


def test_the_joints_mirrored_without_the_root(run):
    """A mirrored clip is correct; mirrored joints on an unmirrored root are not."""
    half = replace(run, joint_pos=body_model(G1_23DOF).kinematics.mirror(run).joint_pos)
    table = {check.name: check for check in check_motion(half, G1_23DOF).findings}
    assert set(table) - {"foot skate"} == {"left and right"}
    assert "the root is not" in table["left and right"].evidence


def test_a_cause_is_reported_with_its_improvement(walk):
    table = {check.name: check for check in check_motion(exchanged(walk), G1_23DOF)}
    assert re.search(r"corrected, links overlap by \d mm instead of 1\d\d", table["left and right"].evidence)
    assert table["mirrored axes"].verdict == table["column order"].verdict == "ok"


def test_the_remedy_of_an_offset_works(walk):
    assert np.allclose(rotation_vector(walk.root_quat)[:, :2], 0, atol=0.3)  # the walk hardly leans
    subtracted = joints(walk, lambda q: q - DEFAULT)
    assert "default offset" in findings(subtracted)
    assert findings(joints(subtracted, lambda q: q + DEFAULT)) == {}


def test_a_real_clip_broken_the_same_way(gmr_samples):
    clip = read_motion(gmr_samples / "sub1_clothesstand_004.pkl").select(JOINTS)
    assert findings(clip) == {}
    assert "left and right" in findings(exchanged(clip))
    assert "column order" in findings(breadth_first_columns(clip))
    assert "quaternion order" in findings(replace(clip, root_quat=clip.root_quat[:, [3, 0, 1, 2]]))
    assert "default offset" in findings(joints(clip, lambda q: q - DEFAULT))


def test_a_deep_crouch_is_no_failure(walk):
    """The pelvis leans far over and thighs overlap the torso, which captured people do and a robot's links do not."""
    names = G1_23DOF.joint_names
    angles = walk.joint_pos.copy()
    angles[:, [names.index(f"{side}_hip_pitch_joint") for side in ("left", "right")]] -= 1.9
    angles[:, [names.index(f"{side}_knee_joint") for side in ("left", "right")]] += 0.7
    lean = np.array([0, np.sin(0.6), 0, np.cos(0.6)])
    crouched = replace(walk, joint_pos=angles, root_quat=multiply(walk.root_quat, np.tile(lean, (walk.num_frames, 1))))
    verdicts = {check.name: check.verdict for check in check_motion(crouched, G1_23DOF)}
    assert verdicts["quaternion order"] == "warn"
    assert verdicts["mirrored axes"] != "fail"
