"""Motion: one clip in memory, and operations on it. Quaternions are xyzw throughout."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from amp_helpers.errors import InputError, brief_repr, is_number
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.rotations import (
    conjugate,
    continuous,
    multiply,
    normalize,
    projected_gravity,
    rotate,
    rotate_inverse,
    rotation_vector,
    slerp,
    yaw_part,
)

STANDING = 0.05
"""Speed, m/s and rad/s, below which a clip goes nowhere."""
MAX_STEPS = 10_000_000
"""Largest number of frames after resampling: 55 hours at 50 Hz."""
FEW_STEPS, MAX_STRETCH = 300_000, 8
"""Frames that any clip may be resampled to, and above that, the largest multiple of its own: a small file with a wrong
frame rate would otherwise become hours."""


def check_control_step(dt: object, name: str = "control step") -> None:
    """Check a control step, s.

    Raises:
        InputError: not a positive number, or more than a second, as a rate in its place would be.
    """
    if not is_number(dt) or not 0 < dt <= 1:  # type: ignore[operator]  # a number
        raise InputError(f"{name} {brief_repr(dt)}: not a time from 0 to 1 s; give seconds, such as 0.02 for 50 Hz")


@dataclass(frozen=True, eq=False)
class Motion:
    """One clip of a floating-base robot; every method returns a new one. The arrays are read-only."""

    fps: float
    """Frames per second; not necessarily an integer."""
    joint_names: tuple[str, ...]
    """(J), the columns of ``joint_pos``."""
    joint_pos: np.ndarray
    """(N, J) float32, rad, absolute (no default pose subtracted)."""
    root_pos: np.ndarray
    """(N, 3) float64, m, world frame, z up."""
    root_quat: np.ndarray
    """(N, 4) float64, xyzw, unit; rotates root-frame vectors to the world frame."""
    name: str = ""
    """File name, with the clip's name after a slash in a file of several; any name for a computed clip."""
    findings: Findings = field(default_factory=Findings)
    """What reading the file measured, decided or assumed, and the repairs made."""
    sha256: str = ""
    """SHA-256 of the file it was read from; empty for a computed clip."""
    weight: float = 1.0
    """How often each of its frames is drawn when training, against those of a clip of weight 1."""
    command: tuple[float, float] | None = None
    """Forward speed, m/s, and turning speed, rad/s, left positive, that the clip is a reference for; ``None``: none was
    stated, and ``measured_command`` tells what the root does."""

    def __post_init__(self) -> None:
        label = self.label
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"{label}: fps is {self.fps}; give the frames per second as a positive number")
        if not (np.isfinite(self.weight) and self.weight > 0):
            raise InputError(f"{label}: weight is {self.weight}; give a positive number")
        put = object.__setattr__
        if self.command is not None:
            command = np.asarray(self.command, dtype=np.float64)
            if command.shape != (2,) or not np.isfinite(command).all():
                raise InputError(f"{label}: command is {self.command}; give a forward speed in m/s and a turn in rad/s")
            put(self, "command", (float(command[0]), float(command[1])))
        put(self, "fps", float(self.fps))
        put(self, "weight", float(self.weight))
        put(self, "joint_names", JointOrder(tuple(self.joint_names)).names)
        frames = len(self.joint_pos)
        expected = {
            "joint_pos": ((frames, len(self.joint_names)), np.float32),
            "root_pos": ((frames, 3), np.float64),
            "root_quat": ((frames, 4), np.float64),
        }
        if frames == 0:
            raise InputError(f"{label}: has no frames; give a clip of at least one frame")
        for key, (shape, dtype) in expected.items():
            with np.errstate(over="ignore"):  # values beyond float32 become infinite and are reported below
                values = np.array(getattr(self, key), dtype=dtype)
            if values.shape != shape:
                raise InputError(f"{label}: {key} has shape {values.shape}; expected {shape}")
            finite = np.isfinite(values).all(axis=1)
            if not finite.all():
                raise InputError(f"{label}: {key} is NaN or infinite at frame {np.argmin(finite)}; repair the clip")
            put(self, key, values)
        norm = np.linalg.norm(self.root_quat, axis=1)
        worst = int(np.argmax(np.abs(norm - 1)))
        if abs(norm[worst] - 1) > 1e-3:
            raise InputError(f"{label}: root_quat has norm {norm[worst]:.3f} at frame {worst}; normalize it first")
        put(self, "root_quat", continuous(self.root_quat / norm[:, None]))
        for key in expected:
            getattr(self, key).setflags(write=False)

    @property
    def label(self) -> str:
        """Name for messages: the clip's name, with its playback speed where that differs from 1."""
        speed = self.findings.speed
        return (self.name or "motion") + ("" if speed == 1 else f" at {speed:g} times its speed")

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks of the format's reader."""
        return self.findings.notes

    @property
    def source(self) -> str:
        """The label and the findings as a sentence for people; programs use ``name`` and ``findings``."""
        found = self.findings.sentence()
        return f"{self.label} ({found})" if found else self.label

    @property
    def num_frames(self) -> int:
        """Number of frames, N."""
        return len(self.joint_pos)

    @property
    def dt(self) -> float:
        """Seconds between frames."""
        return 1.0 / self.fps

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last frame: (N - 1) / fps."""
        return (self.num_frames - 1) / self.fps

    @property
    def forward_speed(self) -> float:
        """Horizontal distance between the first and the last frame over the time between them, m/s.

        At least the mean velocity along the heading (``measured_command``), which a clip on a circle has too.
        """
        self._needs_two_frames()
        distance = float(np.linalg.norm(self.root_pos[-1, :2] - self.root_pos[0, :2]))
        return max(distance / self.duration_s, self.measured_command[0])

    @property
    def mean_speeds(self) -> tuple[float, float]:
        """Forward and turning speed of the root, m/s and rad/s, left positive.

        The forward speed is the mean of the root's horizontal velocity along its heading, which is the length of the
        path over the time where the root moves straight ahead or on an arc. The turning speed is the net change of the
        heading over the time, full turns included. Sideways travel is not in it.
        """
        self._needs_two_frames()
        heading, step = yaw_part(self.root_quat), np.diff(self.root_pos, axis=0)
        forward = rotate_inverse(slerp(heading[:-1], heading[1:], np.full(self.num_frames - 1, 0.5)), step)
        turn = rotation_vector(multiply(heading[1:], conjugate(heading[:-1])))[:, 2]
        return float(forward[:, 0].sum() / self.duration_s), float(turn.sum() / self.duration_s)

    @property
    def measured_command(self) -> tuple[float, float]:
        """The command that the clip is a reference for by what its root does, m/s and rad/s.

        Its :attr:`mean_speeds`, or 0 where both are smaller than :data:`STANDING`: such a clip sways in place, and is a
        reference for standing.
        """
        speeds = self.mean_speeds
        return speeds if max(map(abs, speeds)) >= STANDING else (0.0, 0.0)

    @property
    def reference_command(self) -> tuple[float, float]:
        """The command that the clip is a reference for, m/s and rad/s: as stated, else as measured."""
        return self.measured_command if self.command is None else self.command

    @property
    def times(self) -> np.ndarray:
        """Times of the frames, (N,) s, the first frame at 0."""
        return np.arange(self.num_frames) / self.fps

    @property
    def joint_vel(self) -> np.ndarray:
        """Joint velocities, (N, J) float32, rad/s: central differences, one-sided at both ends."""
        return self._derivative(self.joint_pos).astype(np.float32)

    @property
    def root_lin_vel(self) -> np.ndarray:
        """Linear velocity of the root in its own frame, (N, 3) m/s: central differences, one-sided at both ends."""
        return rotate_inverse(self.root_quat, self._derivative(self.root_pos))

    @property
    def root_ang_vel(self) -> np.ndarray:
        """Angular velocity of the root in its own frame, (N, 3) rad/s: central differences of the rotation."""
        self._needs_two_frames()
        before = np.maximum(np.arange(self.num_frames) - 1, 0)
        after = np.minimum(np.arange(self.num_frames) + 1, self.num_frames - 1)
        turn = multiply(conjugate(self.root_quat[before]), self.root_quat[after])
        return rotation_vector(turn) / ((after - before)[:, None] * self.dt)

    @property
    def projected_gravity(self) -> np.ndarray:
        """Direction of gravity in the root frame, (N, 3), unit; (0, 0, -1) when upright."""
        return projected_gravity(self.root_quat)

    @property
    def root_height(self) -> np.ndarray:
        """Height of the root, (N,) m."""
        return self.root_pos[:, 2]

    def resample(self, dt: float) -> "Motion":
        """Resample to ``dt`` seconds a frame: joints and root position linearly, root rotation by slerp.

        The first frame is kept; time beyond the last whole step is cut, so nothing is extrapolated.

        Raises:
            InputError: ``dt`` is no control step, see :func:`check_control_step`, or gives too many frames.
        """
        check_control_step(dt)
        # The tolerance keeps the last frame when the duration is a whole number of steps up to rounding.
        steps = np.floor(self.duration_s / dt + 1e-6)
        most = min(MAX_STEPS, max(FEW_STEPS, MAX_STRETCH * self.num_frames))
        if steps > most:
            raise InputError(
                f"{self.label}: {self.duration_s:.4g} s at steps of {dt:.4g} s would be {steps:.2g} frames, more than "
                f"{most}; check its frame rate, or take longer steps"
            )
        position = np.minimum(np.arange(int(steps) + 1) * dt * self.fps, self.num_frames - 1)
        before = np.minimum(position.astype(int), max(self.num_frames - 2, 0))
        after = np.minimum(before + 1, self.num_frames - 1)
        share = (position - before)[:, None]
        return replace(
            self,
            fps=1.0 / dt,
            joint_pos=self.joint_pos[before] * (1 - share) + self.joint_pos[after] * share,
            root_pos=self.root_pos[before] * (1 - share) + self.root_pos[after] * share,
            root_quat=slerp(self.root_quat[before], self.root_quat[after], share[:, 0]),
        )

    def at_speed(self, factor: float) -> "Motion":
        """Play the clip ``factor`` times as fast, poses and step lengths unchanged.

        Standing feet stay in place. People walk faster also by longer steps, so this approximates a captured walk only
        near the clip's own speed.

        Raises:
            InputError: the factor is not a positive number.
        """
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"{self.label}: cannot be played {factor} times as fast; give a positive number")
        if factor == 1:
            return self
        findings = replace(self.findings, speed=self.findings.speed * factor)
        command = self.command and (self.command[0] * factor, self.command[1] * factor)
        return replace(self, fps=self.fps * factor, findings=findings, command=command)

    def select(self, joint_names: Sequence[str], fill: np.ndarray | None = None) -> "Motion":
        """Select exactly these joints, in this order.

        Args:
            joint_names: the joints, (K).
            fill: (K,) rad, constant value of joints that the clip lacks; without it they are an error.

        Raises:
            InputError: a joint is not in the clip and no ``fill`` is given; the message lists the clip's joints.
        """
        order = JointOrder(tuple(joint_names))
        missing = order.compare(self.joint_names).missing
        if missing and fill is None:
            raise InputError(
                f"{self.label}: joints {', '.join(missing)} are not in the clip; "
                f"available: {', '.join(self.joint_names)}"
            )
        if not missing:
            return replace(self, joint_names=order.names, joint_pos=order.reorder(self.joint_pos, self.joint_names))
        joint_pos = np.tile(np.asarray(fill, dtype=np.float32), (self.num_frames, 1))
        here = [name for name in order.names if name not in missing]
        joint_pos[:, [order.index(name) for name in here]] = JointOrder(tuple(here)).reorder(
            self.joint_pos, self.joint_names
        )
        return replace(self, joint_names=order.names, joint_pos=joint_pos)

    def trim(self, start_s: float = 0.0, end_s: float | None = None) -> "Motion":
        """Keep the frames from ``start_s`` to ``end_s`` seconds, both included (``None``: to the end).

        Raises:
            InputError: no frame lies between them.
        """
        end_s = self.duration_s if end_s is None else end_s
        keep = (self.times >= start_s - 1e-9) & (self.times <= end_s + 1e-9)
        if not keep.any():
            raise InputError(
                f"{self.label}: no frame lies between {start_s} and {end_s} s; "
                f"the clip runs from 0 to {self.duration_s:.2f} s"
            )
        return self.at_frames(keep)

    def at_frames(self, frames: np.ndarray | slice) -> "Motion":
        """Keep these frames, one after the other at the clip's frame rate.

        Args:
            frames: indices (M), a mask (N,) bool, or a slice.
        """
        return replace(
            self,
            joint_pos=self.joint_pos[frames],
            root_pos=self.root_pos[frames],
            root_quat=self.root_quat[frames],
        )

    def loop(self, n: int) -> "Motion":
        """Repeat a clip whose last frame has the pose of its first ``n`` times; n (N - 1) + 1 frames.

        Each cycle starts where the previous one ended: horizontal travel and yaw accumulate, height does not.
        """
        if n < 1:
            raise InputError(f"{self.label}: cannot loop {n} times; give at least 1")
        self._needs_two_frames()
        turn = yaw_part(multiply(self.root_quat[-1], conjugate(self.root_quat[0])))
        first, last = self.root_pos[0] * (1, 1, 0), self.root_pos[-1] * (1, 1, 0)
        height = self.root_pos * (0, 0, 1)
        positions, quats = [self.root_pos], [self.root_quat]
        origin, yaw = first, np.array([0.0, 0.0, 0.0, 1.0])
        for _ in range(n - 1):
            origin = origin + rotate(yaw, last - first)
            yaw = multiply(turn, yaw)
            positions.append((origin + rotate(yaw, self.root_pos * (1, 1, 0) - first) + height)[1:])
            quats.append(multiply(yaw, self.root_quat)[1:])
        joints = [self.joint_pos] + [self.joint_pos[1:]] * (n - 1)
        return replace(
            self,
            joint_pos=np.concatenate(joints),
            root_pos=np.concatenate(positions),
            root_quat=np.concatenate(quats),
        )

    def smooth(self, cutoff_hz: float) -> "Motion":
        """Filter out motion above ``cutoff_hz``: Butterworth, order 4, forward and backward (no delay).

        Raises:
            InputError: the cutoff is not between 0 and half the frame rate.
        """
        if not 0 < cutoff_hz < self.fps / 2:
            raise InputError(
                f"{self.label}: cutoff {cutoff_hz} Hz cannot be used at {self.fps:g} fps; "
                f"give a value between 0 and {self.fps / 2:g}"
            )
        self._needs_two_frames()
        # scipy.signal takes half a second to import and only smoothing needs it.
        from scipy.signal import butter, sosfiltfilt

        sections = butter(4, cutoff_hz, fs=self.fps, output="sos")
        pad = min(int(3 * self.fps / cutoff_hz), self.num_frames - 1)

        def low_pass(values: np.ndarray) -> np.ndarray:
            return sosfiltfilt(sections, values, axis=0, padlen=pad)

        return replace(
            self,
            joint_pos=low_pass(self.joint_pos),
            root_pos=low_pass(self.root_pos),
            root_quat=normalize(low_pass(self.root_quat)),
        )

    def _derivative(self, values: np.ndarray) -> np.ndarray:
        self._needs_two_frames()
        return np.gradient(values.astype(np.float64), self.dt, axis=0)

    def _needs_two_frames(self) -> None:
        if self.num_frames < 2:
            raise InputError(f"{self.label}: has one frame; velocities and loops need at least two")
