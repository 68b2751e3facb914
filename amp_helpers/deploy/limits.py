"""Limits of joint position targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np


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
