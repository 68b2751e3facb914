"""Test cells of the exercises: what a reader wrote is tried on known cases, and the result is a table."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amp_helpers.checks.table import Outcome
from amp_helpers.errors import atomic_path, one_line
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.table import Table

_WITHIN = 0.05
"""Largest difference between a metric and its known answer."""


def try_check(check: Callable[[Motion], Outcome | None], cases: Mapping[str, tuple[Motion, str]]) -> Table:
    """Run a reader's check on clips with a known verdict.

    Args:
        check: returns ``ok``, ``warn`` or ``fail`` of :mod:`amp_helpers.checks`.
        cases: label -> clip and the verdict that it deserves.
    """
    rows = []
    for label, (motion, wanted) in cases.items():
        outcome = check(motion)
        given = outcome.verdict if isinstance(outcome, Outcome) else "nothing"
        rows.append((label, wanted, given, "right" if given == wanted else "not yet"))
    return Table(("clip", "verdict it deserves", "your check says", ""), rows)


def try_metric[T](metric: Callable[[T], float], cases: Mapping[str, tuple[T, float]]) -> Table:
    """Run a reader's metric on inputs with a known answer, which it has to meet within 0.05.

    Args:
        metric: a number, or a yes or no, for a motion or anything else.
        cases: label -> input and answer.
    """
    rows = []
    for label, (shown, wanted) in cases.items():
        value = metric(shown)
        known = isinstance(value, int | float | np.number | np.bool_)
        right = known and abs(float(value) - wanted) < _WITHIN
        rows.append((label, wanted, value if known else "nothing", "right" if right else "not yet"))
    return Table(("", "known answer", "yours", ""), rows)


@dataclass(frozen=True)
class FootPath:
    """Where a foot is, and when it stands."""

    path: np.ndarray
    """(N, 2) m, over the ground."""
    stands: np.ndarray
    """(N,) bool."""
    dt: float
    """Seconds between frames."""


def known_feet() -> dict[str, tuple[FootPath, float]]:
    """Return feet that swing at 1.2 m/s and stand between; label -> foot and the speed at which it slides, m/s."""

    def foot(slide: float, rate: float = 50.0) -> tuple[FootPath, float]:
        stands = np.tile(np.arange(50) >= 20, 3)
        speed = np.where(stands[1:] & stands[:-1], slide, 1.2)
        forward = np.concatenate([[0.0], np.cumsum(speed) / rate])
        return FootPath(np.stack([0.6 * forward, 0.8 * forward], axis=1), stands, 1 / rate), slide

    return {"it stands still": foot(0.0), "it slides": foot(0.2), "it slides, filmed at 30 fps": foot(0.2, 30.0)}


def write_odd_file(path: Path, motion: Motion) -> Path:
    """Write a motion in a format that no program reads: JSON, joints reversed, degrees, millimeters, wxyz."""
    quat, joints = motion.root_quat[:, [3, 0, 1, 2]], np.degrees(motion.joint_pos[:, ::-1])
    frames = np.concatenate([1000 * motion.root_pos, quat, joints], axis=1)
    content = {"rate": motion.fps, "joints": motion.joint_names[::-1], "frames": frames.round(6).tolist()}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content))
    return path


def try_reader(reader: Callable[[Path], Motion | None], path: Path, truth: Motion) -> Table:
    """Compare what a reader's function makes of a file with the motion that is in it."""
    try:
        found = reader(path)
        said = "" if isinstance(found, Motion) else "it returned no Motion"
    except Exception as error:  # a reader's own code may raise anything
        found, said = None, f"{type(error).__name__}: {one_line(str(error), 80)}"
    facts: dict[str, Callable[[Motion], bool]] = {
        "frame rate": lambda motion: bool(np.isclose(motion.fps, truth.fps)),
        "frames": lambda motion: motion.num_frames == truth.num_frames,
        "joints by name": lambda motion: set(motion.joint_names) == set(truth.joint_names),
        "angles in radians, in their columns": lambda motion: _close(
            motion.select(truth.joint_names).joint_pos, truth.joint_pos
        ),
        "root in meters": lambda motion: _close(motion.root_pos, truth.root_pos),
        "quaternion xyzw": lambda motion: _close(motion.projected_gravity, truth.projected_gravity),
    }
    rows = []
    for fact, holds in facts.items():
        right = isinstance(found, Motion) and _holds(holds, found)
        rows.append((fact, "right" if right else f"not yet: {said}" if said else "not yet"))
    return Table(("", "your reader"), rows)


def _close(found: np.ndarray, truth: np.ndarray) -> bool:
    return found.shape == truth.shape and bool(np.allclose(found, truth, atol=1e-4))


def _holds(fact: Callable[[Motion], bool], motion: Motion) -> bool:
    try:
        return fact(motion)
    except Exception:  # for instance joints of other names
        return False
