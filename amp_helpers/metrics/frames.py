"""Which frames of a rollout are measured."""

import numpy as np


def episode_starts(fell: np.ndarray) -> np.ndarray:
    """Frame (E, T) at which the episode of each frame began: the first one, or that of the last fall."""
    return np.maximum.accumulate(np.where(fell, np.arange(fell.shape[1]), 0), axis=1)


def settled_frames(fell: np.ndarray, dt: float, warmup_s: float) -> np.ndarray:
    """Mask (E, T) bool of frames at least ``warmup_s`` after the start and after the last fall, without the falls."""
    return ((np.arange(fell.shape[1]) - episode_starts(fell)) * dt >= warmup_s - 1e-9) & ~fell


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


def moving_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean over each ``length`` neighboring frames: (..., T) to (..., T - length + 1); empty if T is shorter."""
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    if total.shape[-1] < length:
        return total[..., :0]
    total = np.concatenate([np.zeros_like(total[..., :1]), total], axis=-1)
    return (total[..., length:] - total[..., :-length]) / length


def unbroken(keep: np.ndarray, length: int) -> np.ndarray:
    """Mask (E, T - length + 1) of the windows of :func:`moving_mean` that hold kept frames alone."""
    return moving_mean(keep, length) > 1 - 0.5 / length


def mean(values: np.ndarray) -> float:
    """Mean of all values, NaN without any."""
    return float(values.mean(dtype=np.float64)) if values.size else float("nan")


def rms(values: np.ndarray) -> float:
    """Root mean square of all values, NaN without any."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else float("nan")
