"""MotionDataset: the discriminator's expert data, pairs of states one control step apart, and their file."""

import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import STANDING, Motion
from amp_helpers.utils.npz import read_npz, write_npz
from amp_helpers.utils.resources import find_data

FORMAT_VERSION = 1

_DT_TOLERANCE_S = 1e-6
_SAME_SPEED = 1e-3
"""Difference, m/s and rad/s, of a speed that was measured once more, at another control step."""


@dataclass(frozen=True, eq=False)
class MotionDataset:
    """M pairs (state, next state) of K motions, one control step apart; no pair crosses two motions.

    The states are absolute joint positions. The default pose is the environment's and is subtracted when the dataset is
    used, so that a file cannot hold an outdated one.
    """

    states: np.ndarray
    """(M, J) float32, rad, columns as ``joint_names``."""
    next_states: np.ndarray
    """(M, J) float32, rad, one ``dt`` later."""
    joint_names: tuple[str, ...]
    """(J)."""
    dt: float
    """Control step, s."""
    motion_id: np.ndarray
    """(M,) int32, 0..K-1, not decreasing."""
    fps_source: np.ndarray
    """(K,) float64, frames per second before resampling."""
    root_pos: np.ndarray
    """(M, 3) float64, m, world frame."""
    root_quat: np.ndarray
    """(M, 4) float64, xyzw, unit."""
    next_root_pos: np.ndarray
    """(M, 3) float64, m, world frame."""
    next_root_quat: np.ndarray
    """(M, 4) float64, xyzw, unit."""
    source: tuple[str, ...]
    """(K), each motion's :attr:`Motion.source`: its name and findings in words."""
    sha256: tuple[str, ...]
    """(K), of the source files; an empty string for a computed motion."""
    weight: np.ndarray = field(default_factory=lambda: np.empty(0))
    """(K,) float64, frequency with which a frame of the motion is drawn in training, relative to weight 1.
    Empty: 1 for every motion."""
    name: tuple[str, ...] = ()
    """(K), each motion's :attr:`Motion.name`. Empty, as in files without names: ``source``."""
    findings: tuple[str, ...] = ()
    """(K), each motion's findings as JSON. Empty, as in files without findings: no findings."""
    command: np.ndarray = field(default_factory=lambda: np.empty(0))
    """(K, 2) float64, forward speed, m/s, and turning speed, rad/s, left positive, that each motion is a reference for.
    Empty, as in files without commands: each motion's :attr:`Motion.measured_command`."""
    format_version: int = FORMAT_VERSION
    path: str = "dataset"
    """Path that it was loaded from, for messages; not stored."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "joint_names", JointOrder(tuple(self.joint_names)).names)
        put(self, "dt", float(self.dt))
        put(self, "source", tuple(one_line(str(source)) for source in self.source))
        put(self, "sha256", tuple(map(str, self.sha256)))
        put(self, "weight", self.weight if np.size(self.weight) else np.ones(len(self.source)))
        put(self, "name", tuple(one_line(str(name)) for name in self.name) or self.source)
        put(self, "findings", tuple(map(str, self.findings)) or (Findings().to_json(),) * len(self.source))
        for name, dtype in _ARRAY_DTYPES.items():
            put(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        self._validate()
        if not self.command.size:
            put(self, "command", self._measured_commands())

    @classmethod
    def from_motions(
        cls, motions: Iterable[Motion], *, joint_names: Sequence[str], control_dt: float
    ) -> "MotionDataset":
        """Resample motions to the control step, select joints by name, and pair neighboring frames.

        Args:
            motions: clips at their own frame rates, each longer than one control step.
            joint_names: the dataset's columns, (J).
            control_dt: the environment's control step, s.

        Raises:
            InputError: there is no motion, or one lacks a joint or is shorter than a control step.
        """
        clips, fps_source = [], []
        for motion in motions:
            clip = motion.select(joint_names).resample(control_dt)
            if clip.num_frames < 2:
                raise InputError(
                    f"{motion.label}: lasts {motion.duration_s:.3f} s, less than one "
                    f"control step of {control_dt} s; give a longer clip"
                )
            clips.append(clip)
            fps_source.append(motion.fps)
        if not clips:
            raise InputError("no motion given; name at least one file")

        def rows(name: str, part: slice) -> np.ndarray:
            return np.concatenate([getattr(clip, name)[part] for clip in clips])

        here, there = slice(None, -1), slice(1, None)
        return cls(
            states=rows("joint_pos", here),
            next_states=rows("joint_pos", there),
            joint_names=tuple(joint_names),
            dt=control_dt,
            motion_id=np.repeat(np.arange(len(clips)), [clip.num_frames - 1 for clip in clips]),
            fps_source=np.array(fps_source),
            root_pos=rows("root_pos", here),
            root_quat=rows("root_quat", here),
            next_root_pos=rows("root_pos", there),
            next_root_quat=rows("root_quat", there),
            source=tuple(clip.source for clip in clips),
            sha256=tuple(clip.sha256 for clip in clips),
            weight=np.array([clip.weight for clip in clips]),
            name=tuple(clip.name for clip in clips),
            findings=tuple(clip.findings.to_json() for clip in clips),
            command=np.array([clip.reference_command for clip in clips]),
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the dataset as an npz file, atomically; it holds a plain array per field and no Python objects.

        Commands that are those measured are left out.
        """
        arrays = {entry.name: np.asarray(getattr(self, entry.name)) for entry in fields(self) if entry.name != "path"}
        if np.array_equal(self.command, self._measured_commands()):
            del arrays["command"]
        write_npz(path, arrays)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike,
        *,
        joint_names: Sequence[str] | None = None,
        control_dt: float | None = None,
    ) -> "MotionDataset":
        """Read and check a dataset.

        Args:
            path: the npz file; ``datasets/NAME`` is the demo dataset if the current folder has no such file.
            joint_names: the robot's joints; the dataset must hold exactly these, and its columns are brought to this
                order by name.
            control_dt: the environment's control step, s; the dataset must have been made for it.

        Raises:
            InputError: the file is unreadable or inconsistent, or was made for another robot or control step.
        """
        path = find_data(path)
        return cls._read(path).for_environment(joint_names=joint_names, control_dt=control_dt)

    def for_environment(
        self, *, joint_names: Sequence[str] | None = None, control_dt: float | None = None
    ) -> "MotionDataset":
        """Check the dataset against an environment, and bring its columns to the order of ``joint_names``.

        Args:
            joint_names: see :meth:`load`.
            control_dt: see :meth:`load`.

        Raises:
            InputError: it was made for another robot or control step.
        """
        if control_dt is not None and abs(self.dt - control_dt) > _DT_TOLERANCE_S:
            raise InputError(
                f"{self.path}: was made for a control step of {self.dt:g} s but the environment steps "
                f"{control_dt:g} s; convert the motion with --control_dt {control_dt:g}"
            )
        if joint_names is None:
            return self
        report = JointOrder(tuple(joint_names)).compare(self.joint_names)
        if report.missing or report.extra:
            lacks = f"lacks {_listed(report.missing)}" if report.missing else ""
            has = f"also has {_listed(report.extra)}" if report.extra else ""
            apart = " and ".join(filter(None, (lacks, has)))
            raise InputError(
                f"{self.path}: was made for another robot than the task's, it {apart}; "
                "name a task of that robot with --task, or convert the motion with --robot set to the task's"
            )
        return self.select(joint_names)

    @classmethod
    def from_bytes(cls, path: Path, raw: bytes) -> "MotionDataset":
        """Read a dataset from an npz file's bytes; the path is for error messages.

        Raises:
            InputError: the file is unreadable or inconsistent.
        """
        return cls._read(path, raw)

    @classmethod
    def _read(cls, path: Path, raw: bytes | None = None) -> "MotionDataset":
        if raw is None and path.is_file() and not zipfile.is_zipfile(path):
            raise InputError(f"{path}: is no dataset; make a dataset with 'python -m amp_helpers.convert'")
        required = [entry.name for entry in fields(cls) if entry.name not in (*_OPTIONAL, "path")]
        content = read_npz(path, required, raw=raw, also=_OPTIONAL)
        try:
            version = int(content["format_version"])
            if version != FORMAT_VERSION:
                raise InputError(f"format version {version} is not {FORMAT_VERSION}")
            texts = {
                key: tuple(map(str, np.atleast_1d(content[key])))
                for key in ("joint_names", "source", "sha256", "name", "findings")
                if key in content
            }
            facts = {"dt": float(content["dt"]), "format_version": version, "path": str(path)}
            return cls(**{**content, **texts, **facts})._with_stands()
        except (InputError, TypeError, ValueError) as error:
            raise InputError(f"{path}: {one_line(str(error), 300)}; convert the motion again") from None

    def __len__(self) -> int:
        return len(self.states)

    @property
    def num_motions(self) -> int:
        """K."""
        return len(self.source)

    def clips(self) -> list[Motion]:
        """The motions as clips at 1/dt frames per second; a motion of M_i pairs has M_i + 1 frames."""
        return [self._clip(motion) for motion in range(self.num_motions)]

    def nearest(self, command: tuple[float, float]) -> Motion:
        """The motion that is the reference for a command: the nearest one, 1 m/s counting as much as 1 rad/s.

        Args:
            command: forward speed, m/s, and turning speed, rad/s, left positive.
        """
        return self._clip(int(np.linalg.norm(self.command - np.asarray(command), axis=1).argmin()))

    def _measured_commands(self) -> np.ndarray:
        return np.array([self._clip(motion).measured_command for motion in range(self.num_motions)])

    def _with_stands(self) -> "MotionDataset":
        """Command standing where an earlier version stored what the root of a clip does that sways in place.

        It stored them where another clip has a command of its own; a command of the user's stays.
        """
        command = self.command.copy()
        for motion in np.flatnonzero(command.any(axis=1) & (np.abs(command) < STANDING).all(axis=1)).tolist():
            if np.allclose(command[motion], self._clip(motion).mean_speeds, rtol=0, atol=_SAME_SPEED):
                command[motion] = 0.0
        return self if np.array_equal(command, self.command) else replace(self, command=command)

    def middle(self) -> Motion:
        """The motion of the median forward speed among those that go straight ahead; the first one where none does."""
        forward, turn = np.abs(self.command).T
        straight = np.flatnonzero((forward > STANDING) & (turn < STANDING))
        order = straight[np.argsort(self.command[straight, 0], kind="stable")]
        return self._clip(int(order[len(order) // 2]) if len(order) else 0)

    def _clip(self, motion: int) -> Motion:
        # motion_id does not decrease; numbers of its own type, because searchsorted would otherwise convert all of it.
        first, end = np.searchsorted(self.motion_id, np.array((motion, motion + 1), self.motion_id.dtype))

        def frames(key: str) -> np.ndarray:
            return np.concatenate([getattr(self, key)[first:end], getattr(self, _NEXT[key])[end - 1 : end]])

        return Motion(
            fps=1.0 / self.dt,
            joint_names=self.joint_names,
            joint_pos=frames("states"),
            root_pos=frames("root_pos"),
            root_quat=frames("root_quat"),
            name=self.name[motion],
            findings=Findings.from_json(self.findings[motion]),
            sha256=self.sha256[motion],
            weight=self.weight[motion],
            command=tuple(self.command[motion]) if self.command.size else None,
        )

    def select(self, joint_names: Sequence[str]) -> "MotionDataset":
        """The dataset with exactly these joints in this order.

        Raises:
            InputError: there is no joint, or one is not in the dataset; the message lists those that are.
        """
        order = JointOrder(tuple(joint_names))
        if not order.names:
            raise InputError("no joints selected; keep at least one")
        return replace(
            self,
            states=order.reorder(self.states, self.joint_names),
            next_states=order.reorder(self.next_states, self.joint_names),
            joint_names=order.names,
        )

    def _validate(self) -> None:
        pairs, motions = len(self.states), len(self.source)
        shapes = {
            "states": (pairs, len(self.joint_names)),
            "next_states": (pairs, len(self.joint_names)),
            "motion_id": (pairs,),
            "fps_source": (motions,),
            "weight": (motions,),
            **({"command": (motions, 2)} if self.command.size else {}),
            "root_pos": (pairs, 3),
            "root_quat": (pairs, 4),
            "next_root_pos": (pairs, 3),
            "next_root_quat": (pairs, 4),
        }
        if len(self.name) != motions or len(self.findings) != motions:
            raise InputError(f"has {len(self.name)} names and {len(self.findings)} findings for {motions} motions")
        for text in self.findings:
            Findings.from_json(text)
        if pairs == 0 or motions == 0 or len(self.sha256) != motions:
            raise InputError(f"has {pairs} pairs and {len(self.sha256)} checksums for {motions} motions")
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"dt is {self.dt}, not a positive number of seconds")
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise InputError(f"{name} has shape {values.shape}, expected {shape}")
            if not np.isfinite(values).all():
                first = np.argwhere(~np.isfinite(values))[0][0]
                raise InputError(f"{name} is NaN or infinite at row {first}")
        if self.weight.min() <= 0:
            raise InputError(
                f"weight is {self.weight.min():g} for motion {self.weight.argmin()}, not a positive number"
            )
        for name in ("root_quat", "next_root_quat"):
            with np.errstate(over="ignore"):
                error = np.abs(np.linalg.norm(getattr(self, name), axis=1) - 1)
            if error.max() > 1e-3:
                raise InputError(f"{name} is not a unit quaternion at row {error.argmax()}")
        steps = np.diff(self.motion_id)
        if self.motion_id[0] != 0 or self.motion_id[-1] != motions - 1 or not np.isin(steps, (0, 1)).all():
            raise InputError(f"motion_id does not number the {motions} motions from 0 upward")
        inside = steps == 0
        for name, following in _NEXT.items():
            same = np.isclose(getattr(self, following)[:-1], getattr(self, name)[1:], rtol=0, atol=1e-6)
            broken = inside & ~same.all(axis=1)
            if broken.any():
                raise InputError(f"{following} is not the following row of {name} at row {np.argmax(broken)}")


_OPTIONAL = ("weight", "name", "findings", "command")  # files of earlier releases lack them
_NEXT = {"states": "next_states", "root_pos": "next_root_pos", "root_quat": "next_root_quat"}
_ARRAY_DTYPES = {
    "states": np.float32,
    "next_states": np.float32,
    "motion_id": np.int32,
    "fps_source": np.float64,
    "weight": np.float64,
    "command": np.float64,
    "root_pos": np.float64,
    "root_quat": np.float64,
    "next_root_pos": np.float64,
    "next_root_quat": np.float64,
}


def check_joints(dataset: MotionDataset, robot: Any) -> None:
    """Check that the environment's robot has every joint of a dataset.

    Args:
        dataset: the dataset.
        robot: anything with ``joint_names``.

    Raises:
        InputError: the robot lacks a joint; the message lists them.
    """
    missing = [name for name in dataset.joint_names if name not in robot.joint_names]
    if missing:
        raise InputError(
            f"{dataset.path}: was made for another robot than the task's, which has no {_listed(missing)}; "
            "name a task of that robot with --task, or convert the motion with --robot set to the task's"
        )


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
