"""MotionDataset: transition pairs at the control rate, as the discriminator's expert data are stored on disk."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.findings import Findings
from amp_helpers.motion.motion import Motion
from amp_helpers.utils.npz import read_npz, write_npz
from amp_helpers.utils.resources import find_data

FORMAT_VERSION = 1

_DT_TOLERANCE_S = 1e-6


@dataclass(frozen=True, eq=False)
class MotionDataset:
    """M pairs (state, next state) of K motions, one control step apart; no pair crosses two motions.

    The states are absolute joint positions. The default pose belongs to the environment and is subtracted when the
    dataset is used, so that it cannot go stale here.
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
    """(M,) int32, 0..K-1, never decreasing."""
    fps_source: np.ndarray
    """(K,) float64, frames per second of the files before resampling."""
    root_pos: np.ndarray
    """(M, 3) float64, m, world frame."""
    root_quat: np.ndarray
    """(M, 4) float64, xyzw, unit."""
    next_root_pos: np.ndarray
    """(M, 3) float64, m."""
    next_root_quat: np.ndarray
    """(M, 4) float64, xyzw, unit."""
    source: tuple[str, ...]
    """(K), each motion's :attr:`Motion.source`: for readers, where it came from and what reading it decided."""
    sha256: tuple[str, ...]
    """(K), of the source files; empty for a motion that was computed."""
    weight: np.ndarray | None = None
    """(K,) float64, how often each frame of a motion is drawn when training, against those of a motion of weight 1.
    None gives all motions weight 1."""
    name: tuple[str, ...] | None = None
    """(K), each motion's :attr:`Motion.name`. None, as in files without names, takes ``source``."""
    findings: tuple[str, ...] | None = None
    """(K), each motion's findings as JSON. None, as in files without findings, takes empty ones."""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "joint_names", JointOrder(tuple(self.joint_names)).names)
        put(self, "dt", float(self.dt))
        put(self, "source", tuple(map(str, self.source)))
        put(self, "sha256", tuple(map(str, self.sha256)))
        put(self, "weight", np.ones(len(self.source)) if self.weight is None else self.weight)
        put(self, "name", self.source if self.name is None else tuple(map(str, self.name)))
        none = (Findings().to_json(),) * len(self.source)
        put(self, "findings", none if self.findings is None else tuple(map(str, self.findings)))
        for name, dtype in _ARRAY_DTYPES.items():
            put(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        self._validate()

    @classmethod
    def from_motions(
        cls, motions: Iterable[Motion], *, joint_names: Sequence[str], control_dt: float
    ) -> "MotionDataset":
        """Resample motions to the control step, select joints by name, and pair neighbouring frames.

        Args:
            motions: clips at their own frame rates, each longer than one control step.
            joint_names: the dataset's columns.
            control_dt: seconds between a state and its next state; the environment's step.

        Raises:
            InputError: no motion, a motion lacks a joint, or is shorter than one control step.
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
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the npz atomically: arrays only, no Python objects, ``states`` and ``next_states`` ready to use."""
        write_npz(path, {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)})

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
            path: the npz file; ``datasets/NAME`` is the demo dataset where the current folder has no such file.
            joint_names: the joints that the user's robot has; the dataset must hold exactly these, and its columns
                are brought to this order by name.
            control_dt: the environment's step in seconds, which the dataset must have been made for.

        Raises:
            InputError: the file is unreadable or inconsistent, or was made for another robot or control step.
        """
        path = find_data(path)
        required = [field.name for field in fields(cls) if field.name not in _OPTIONAL]
        content = read_npz(path, required, also=_OPTIONAL)
        try:
            version = int(content["format_version"])
            if version != FORMAT_VERSION:
                raise InputError(f"format version {version} is not {FORMAT_VERSION}")
            texts = {
                key: tuple(map(str, np.atleast_1d(content[key])))
                for key in ("joint_names", "source", "sha256", "name", "findings")
                if key in content
            }
            dataset = cls(
                **{
                    **content,
                    **texts,
                    "dt": float(content["dt"]),
                    "format_version": version,
                }
            )
        except (InputError, TypeError, ValueError) as error:
            raise InputError(f"{path}: {error}; convert the motion again") from None
        return dataset.for_environment(path, joint_names=joint_names, control_dt=control_dt)

    def for_environment(
        self,
        path: str | os.PathLike,
        *,
        joint_names: Sequence[str] | None = None,
        control_dt: float | None = None,
    ) -> "MotionDataset":
        """Check the dataset against an environment, and bring its columns to the order of ``joint_names``.

        Args:
            path: where it was loaded from, for messages.
            joint_names: see :meth:`load`.
            control_dt: see :meth:`load`.

        Raises:
            InputError: it was made for another robot or control step.
        """
        if control_dt is not None and abs(self.dt - control_dt) > _DT_TOLERANCE_S:
            raise InputError(
                f"{path}: was made for a control step of {self.dt:g} s but the environment steps {control_dt:g} s; "
                f"convert the motion with --control_dt {control_dt:g}"
            )
        return self if joint_names is None else self._for_joints(Path(path), JointOrder(tuple(joint_names)))

    def __len__(self) -> int:
        return len(self.states)

    @property
    def num_motions(self) -> int:
        """K."""
        return len(self.source)

    def clips(self) -> list[Motion]:
        """The motions back as clips at 1/dt frames per second; a motion of M_i pairs has M_i + 1 frames."""
        clips = []
        for motion, (name, findings, digest) in enumerate(zip(self.name, self.findings, self.sha256, strict=True)):
            rows = self.motion_id == motion

            def frames(field: str, rows: np.ndarray = rows) -> np.ndarray:
                return np.concatenate([getattr(self, field)[rows], getattr(self, _NEXT[field])[rows][-1:]])

            clips.append(
                Motion(
                    fps=1.0 / self.dt,
                    joint_names=self.joint_names,
                    joint_pos=frames("states"),
                    root_pos=frames("root_pos"),
                    root_quat=frames("root_quat"),
                    name=name,
                    findings=Findings.from_json(findings),
                    sha256=digest,
                    weight=self.weight[motion],
                )
            )
        return clips

    def without(self, joints: Iterable[str]) -> "MotionDataset":
        """The dataset without the joints that the names or regular expressions match.

        Raises:
            InputError: a pattern matches no joint, or no joint would be left.
        """
        order = JointOrder(self.joint_names).without(joints)
        if not order.names:
            raise InputError("dropping these joints leaves none; keep at least one")
        return self._ordered(order)

    def _ordered(self, order: JointOrder) -> "MotionDataset":
        return replace(
            self,
            states=order.reorder(self.states, self.joint_names),
            next_states=order.reorder(self.next_states, self.joint_names),
            joint_names=order.names,
        )

    def _for_joints(self, path: Path, order: JointOrder) -> "MotionDataset":
        report = order.compare(self.joint_names)
        if report.missing or report.extra:
            lacks = f"lacks {', '.join(report.missing)}" if report.missing else ""
            has = f"has {', '.join(report.extra)} besides" if report.extra else ""
            raise InputError(
                f"{path}: was made for another robot, it {' and '.join(filter(None, (lacks, has)))}; "
                "convert the motion with --robot set to yours"
            )
        return self._ordered(order)

    def _validate(self) -> None:
        pairs, motions = len(self.states), len(self.source)
        shapes = {
            "states": (pairs, len(self.joint_names)),
            "next_states": (pairs, len(self.joint_names)),
            "motion_id": (pairs,),
            "fps_source": (motions,),
            "weight": (motions,),
            "root_pos": (pairs, 3),
            "root_quat": (pairs, 4),
            "next_root_pos": (pairs, 3),
            "next_root_quat": (pairs, 4),
        }
        if len(self.name) != motions or len(self.findings) != motions:
            raise InputError(f"names {len(self.name)} and has findings on {len(self.findings)} of {motions} motions")
        for text in self.findings:
            Findings.from_json(text)
        if pairs == 0 or motions == 0 or len(self.sha256) != motions:
            raise InputError(f"holds {pairs} pairs of {motions} motions with {len(self.sha256)} checksums")
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
            raise InputError(f"motion_id does not count the {motions} motions from 0 upwards")
        inside = steps == 0
        for name, following in _NEXT.items():
            same = np.isclose(getattr(self, following)[:-1], getattr(self, name)[1:], rtol=0, atol=1e-6)
            broken = inside & ~same.all(axis=1)
            if broken.any():
                raise InputError(f"{following} is not the following row of {name} at row {np.argmax(broken)}")


_OPTIONAL = ("weight", "name", "findings")
"""Fields that files of earlier releases lack."""

_NEXT = {"states": "next_states", "root_pos": "next_root_pos", "root_quat": "next_root_quat"}

_ARRAY_DTYPES = {
    "states": np.float32,
    "next_states": np.float32,
    "motion_id": np.int32,
    "fps_source": np.float64,
    "weight": np.float64,
    "root_pos": np.float64,
    "root_quat": np.float64,
    "next_root_pos": np.float64,
    "next_root_quat": np.float64,
}


def check_joints(path: Path, dataset: "MotionDataset", robot: Any) -> None:
    """Raise :class:`InputError` when the dataset holds joints that the environment's robot has not."""
    strangers = [name for name in dataset.joint_names if name not in robot.joint_names]
    if strangers:
        raise InputError(
            f"{path}: was made for another robot, this one has no {', '.join(strangers)}; "
            "convert the motion with --robot set to yours"
        )
