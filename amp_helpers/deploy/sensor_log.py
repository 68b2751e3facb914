"""A rollout as a robot's sensors saw it, and its replay through a controller: is the observation put together right?

Needs numpy alone; :func:`amp_helpers.deploy.recording.record_sensors` records one in Isaac Lab.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from amp_helpers.deploy.controller import Controller


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorLog:
    """T control steps of one environment: what was measured, and what the policy made of it."""

    sensors: Mapping[str, np.ndarray]
    """Argument of :meth:`Controller.step` -> its values, (T, ...); joints in the bundle's order."""
    observations: np.ndarray
    """(T, O), as the simulator's own observation manager computed them."""
    actions: np.ndarray
    """(T, A), before scale and offset."""
    targets: np.ndarray
    """(T, A) rad, joint position targets before their limits."""

    def __len__(self) -> int:
        return len(self.observations)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replayed:
    """What a controller computed from the sensors of a :class:`SensorLog`; shapes as there."""

    observations: np.ndarray
    actions: np.ndarray
    targets: np.ndarray


def replay(controller: Controller, log: SensorLog, *, own_actions: bool = True) -> Replayed:
    """Replay a log's sensors through a controller, from its start.

    Args:
        controller: it is started anew.
        log: what the sensors measured.
        own_actions: remember the controller's own actions as the last ones. With False, the recorded ones, so that a
            wrong action does not show in later observations.
    """
    controller.start()
    rows = []
    for step in range(len(log)):
        targets = controller.step(**{name: values[step] for name, values in log.sensors.items()})
        rows.append((controller.observed, controller.action, targets))
        if not own_actions:
            controller.action = log.actions[step]
    controller.stop()
    observations, actions, targets = (np.stack(part) for part in zip(*rows, strict=True))
    return Replayed(observations=observations, actions=actions, targets=targets)


def term_differences(controller: Controller, log: SensorLog, replayed: Replayed) -> dict[str, float]:
    """Return the largest difference between replayed and recorded observations: name of a term -> its own unit."""
    apart = np.abs(replayed.observations - log.observations)
    differences: dict[str, float] = {}
    for term, columns in controller.observation.columns:
        differences[term.name] = max(float(apart[:, columns].max()), differences.get(term.name, 0.0))
    return differences
