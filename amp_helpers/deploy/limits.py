"""Limits of joint position targets, and of commands."""

from collections.abc import Mapping
from typing import Any

import numpy as np

LATERAL_LIMIT = "max_lateral_acceleration"
"""Optional key of ``deploy.json``: limit of forward speed times turn, m/s^2, which is the acceleration towards the
center of the arc."""


def command_ranges(facts: Mapping[str, Any]) -> np.ndarray:
    """Return the lowest and highest forward m/s, left m/s and turn rad/s that were trained, (3, 2).

    Args:
        facts: content of ``deploy.json``.
    """
    return np.array([facts["commands"].get(name, (0.0, 0.0)) for name in ("forward", "left", "turn")], float)


def limit_command(facts: Mapping[str, Any], command: Any) -> np.ndarray:
    """Return a command within what was trained: each part in its range, then a turn that the speed allows.

    Args:
        facts: content of ``deploy.json``.
        command: forward m/s, left m/s and turn rad/s, (..., 3).
    """
    limited = np.clip(np.asarray(command, float), *command_ranges(facts).T)
    if LATERAL_LIMIT in facts:
        most = facts[LATERAL_LIMIT] / np.maximum(np.abs(limited[..., 0]), 1e-3)
        limited[..., 2] = np.clip(limited[..., 2], -most, most)
    return limited


def joint_limits(facts: Mapping[str, Any]) -> np.ndarray:
    """Return the joints' lower and upper limits, (A, 2) rad; infinite for a joint without.

    Args:
        facts: content of ``deploy.json``.
    """
    limits = facts.get("joint_limits") or [[None, None]] * len(facts["joint_names"])
    return np.array([[-np.inf if low is None else low, np.inf if high is None else high] for low, high in limits])


def target_limits(facts: Mapping[str, Any]) -> np.ndarray:
    """Return what targets are limited to, (A, 2) rad: the joint limits, widened by ``effort_limit / stiffness``.

    A joint at its limit then still gets all of its torque. Policies send targets beyond the limits to press a joint
    against its load: clipped at the joint limits, ``g1_run`` runs at 2.25 m/s in place of 2.77, on Newton as in MuJoCo
    (``benchmarks/results/simulators.json``).

    Args:
        facts: content of ``deploy.json``.
    """
    effort, stiffness = np.asarray(facts["effort_limit"], float), np.asarray(facts["stiffness"], float)
    reach = np.divide(effort, stiffness, out=np.full_like(effort, np.inf), where=stiffness > 0)
    return joint_limits(facts) + np.stack([-reach, reach], axis=1)
