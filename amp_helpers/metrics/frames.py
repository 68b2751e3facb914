"""Which frames of a rollout are measured."""

import numpy as np


def settled_frames(fell: np.ndarray, dt: float, warmup_s: float) -> np.ndarray:
    """Mask (E, T) bool of frames at least ``warmup_s`` after the start and after the last fall, without the falls."""
    steps = np.arange(fell.shape[1])
    started = np.maximum.accumulate(np.where(fell, steps, 0), axis=1)
    return ((steps - started) * dt >= warmup_s - 1e-9) & ~fell


def stretches(keep: np.ndarray, shortest: int) -> list[tuple[int, list[tuple[int, int]]]]:
    """Unbroken runs of kept frames as (length, [(environment, first frame)]), grouped by length."""
    padded = np.pad(keep, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=1)
    envs, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    by_length: dict[int, list[tuple[int, int]]] = {}
    for env, begin, end in zip(envs, begins, ends, strict=True):
        if end - begin >= shortest:
            by_length.setdefault(int(end - begin), []).append((int(env), int(begin)))
    return sorted(by_length.items())


def mean(values: np.ndarray) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")
