"""The path of a clip: where the root travels without the sway of its steps, and the same path scaled and bent."""

from dataclasses import dataclass

import numpy as np

from amp_helpers.motion.motion import Motion
from amp_helpers.motion.rotations import conjugate, multiply, rotation_vector, yaw_part


@dataclass(frozen=True, eq=False)
class Path:
    """A frame of reference that travels with a clip: its x axis points in the direction of travel."""

    position: np.ndarray
    """(N, 2) m, world frame."""
    heading: np.ndarray
    """(N,) rad, direction of travel; continuous, not wrapped."""

    @classmethod
    def of(cls, motion: Motion, stride_s: float, cyclic: bool) -> "Path":
        """Compute the path of a clip from its root.

        Args:
            motion: clip of at least two frames.
            stride_s: duration of a stride, s; a Gaussian of half of it takes the steps out of the root's velocity.
            cyclic: the clip is a whole number of repetitions of a cycle, so that its path has the same shape in each.
        """
        # scipy.ndimage takes a tenth of a second to import, and reading files does not need it.
        from scipy.ndimage import gaussian_filter1d

        def smooth(values: np.ndarray) -> np.ndarray:
            mode = "wrap" if cyclic else "nearest"
            return gaussian_filter1d(values, 0.5 * stride_s * motion.fps, axis=0, mode=mode)

        yaw = yaw_part(motion.root_quat)
        turn = rotation_vector(multiply(yaw[1:], conjugate(yaw[:-1])))[:, 2]
        first = rotation_vector(yaw[:1])[0, 2]
        facing = first + np.append(0.0, np.cumsum(turn))
        heading = np.append(0.0, np.cumsum(smooth(turn)))
        heading += (facing - heading)[:-1].mean()
        step = smooth(_turned(np.diff(motion.root_pos[:, :2], axis=0), -_between(heading)))
        mean = step.mean(axis=0)
        # A clip that stands has no direction of travel.
        sideways = np.arctan2(mean[1], mean[0]) if np.linalg.norm(mean) * motion.fps > 0.05 else 0.0
        heading = heading + sideways
        position = _integrated(_turned(step, np.full(len(step), -sideways)), heading)
        apart = motion.root_pos[:, :2] - position
        # Velocities of a long clip do not add up to its path; in a cycle they do, by symmetry.
        return cls(position + (apart[:-1].mean(axis=0) if cyclic else smooth(apart)), heading)

    def changed(self, stride: float, turn: float) -> "Path":
        """Scale the path's length, and bend it.

        Args:
            stride: factor of the length; 0: the path stays in place.
            turn: added to its heading, rad a frame.
        """
        step = _turned(np.diff(self.position, axis=0), -_between(self.heading)) * (stride, 1.0)
        heading = self.heading + turn * np.arange(len(self.heading))
        return Path(_integrated(step, heading), heading)

    @property
    def speed(self) -> float:
        """Mean forward travel, m a frame."""
        return float(_turned(np.diff(self.position, axis=0), -_between(self.heading))[:, 0].mean())

    @property
    def turn(self) -> float:
        """Mean turn, rad a frame."""
        return float((self.heading[-1] - self.heading[0]) / (len(self.heading) - 1))

    def at(self, frames: np.ndarray) -> "Path":
        """Position and heading at fractional frames (M,)."""
        every = np.arange(len(self.heading))
        columns = [np.interp(frames, every, column) for column in (*self.position.T, self.heading)]
        return Path(np.stack(columns[:2], axis=1), columns[2])

    def to_local(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) m in the frame of the path at the same row: forward and left."""
        return _turned(points - self.position, -self.heading)

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) m in the world frame, from forward and left of :meth:`to_local`."""
        return self.position + _turned(points, self.heading)


def _turned(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotate vectors (N, 2) by angles (N,) rad."""
    x, y = vectors.T
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def _between(heading: np.ndarray) -> np.ndarray:
    return (heading[1:] + heading[:-1]) / 2


def _integrated(step: np.ndarray, heading: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((1, 2)), np.cumsum(_turned(step, _between(heading)), axis=0)])
