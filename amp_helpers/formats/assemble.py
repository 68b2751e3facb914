"""What every motion file is made of, whatever its format: frame rate, tables, joint names, root rotations.

A format's reader brings a :class:`Clip` as it is stored; :func:`assemble` checks it, and decides or asks for what the
file leaves open.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.column_order import column_names
from amp_helpers.formats.model_evidence import Sample, order_of
from amp_helpers.formats.quaternion_order import quaternion_order
from amp_helpers.formats.stored_clip import Clip, Reading
from amp_helpers.formats.values import LARGEST, read_fps, read_table
from amp_helpers.motion.findings import NORM_TOLERANCE, Findings, flips
from amp_helpers.motion.motion import Motion


def assemble(path: Path, clip: Clip, reading: Reading, digest: str) -> Motion:
    """The motion that a stored clip is; ``findings`` says what was decided, and on what evidence.

    Raises:
        InputError: something in it cannot be used, or is not said and cannot be decided.
    """
    called = {key: clip.called.get(key, key) for key in ("joint_pos", "root_pos", "root_rot", "joint_names")}
    rate = read_fps(path, clip.fps, reading.fps)
    tables = {
        called[key]: read_table(path, called[key], getattr(clip, key), width)
        for key, width in (("root_pos", 3), ("root_rot", 4), ("joint_pos", None))
    }
    if len({len(table) for table in tables.values()}) > 1:
        shown = ", ".join(f"{key} {len(table)}" for key, table in tables.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    root_pos, root_rot, joint_pos = tables.values()
    stored, measured = _unit_quaternions(path, root_rot, called["root_rot"], reading.repairs)
    readings = {"xyzw": stored, "wxyz": stored[:, [1, 2, 3, 0]]}
    sample = Sample.of(joint_pos, root_pos, readings, clip.bodies)
    if clip.bodies is not None and not (np.abs(sample.bodies.positions) <= LARGEST).all():
        raise InputError(f"{path}: its links are nowhere, or beyond {LARGEST:g} m, in some frames; export it again")
    names, columns = column_names(
        path,
        sample,
        stored=clip.joint_names,
        told=reading.joint_names,
        robot=reading.robot,
        key=called["joint_pos"],
        names_key=called["joint_names"],
    )
    with np.errstate(over="ignore", invalid="ignore"):  # too fast to be true, which the preflight says
        velocity = np.diff(root_pos, axis=0) * rate.fps
    order = order_of(names, reading.robot)
    in_world = clip.bodies is not None and not clip.bodies.in_root
    turned = quaternion_order(
        readings,
        velocity,
        told=None if reading.quaternion == "auto" else reading.quaternion,
        said=clip.quaternion_said,
        convention=clip.convention,
        whose=clip.whose,
        feet={name: sample.feet_off(order, name) for name in readings} if order and reading.robot else None,
        links={name: sample.links_off(order, name) for name in readings} if order and in_world else None,
    )
    earlier = clip.findings
    findings = replace(
        measured,
        frame_rate=earlier.frame_rate if earlier.frame_rate and rate.ignored is None else rate,
        joints=earlier.joints or columns,
        quaternion=turned if turned.basis == "user" or earlier.quaternion is None else earlier.quaternion,
        quaternion_norm=earlier.quaternion_norm or measured.quaternion_norm,
        sign_flips=earlier.sign_flips or measured.sign_flips,
        root_body=earlier.root_body or clip.root_body,
        speed=earlier.speed,
        repairs=(*earlier.repairs, *measured.repairs),
        notes=clip.notes,
    )
    return Motion(
        fps=rate.fps,
        joint_names=names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=readings[turned.order],
        name=f"{path.name}/{clip.name}" if clip.name else path.name,
        findings=findings,
        sha256=digest,
        weight=clip.weight,
    )


def _unit_quaternions(
    path: Path, root_rot: np.ndarray, key: str, repairs: Collection[str] | None
) -> tuple[np.ndarray, Findings]:
    """The quaternions at unit length, and the findings on norms and signs.

    Raises:
        InputError: they are too far from it to be rotations, or to be repaired unasked.
    """
    with np.errstate(over="ignore"):  # a damaged file may hold numbers whose square is none; the check below says so
        norm = np.linalg.norm(root_rot.astype(np.float64), axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: {key} has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
            "export the motion again"
        )
    asked = repairs or ()
    found = Findings(quaternion_norm=(round(float(norm.min()), 8), round(float(norm.max()), 8)))
    if abs(norm[worst] - 1) > NORM_TOLERANCE:
        between = f"norms {norm.min():.3f} to {norm.max():.3f}"
        if repairs is not None and "quaternion_norm" not in asked:
            raise InputError(
                f"{path}: {key} holds no unit quaternions ({between}, furthest at frame {worst}); bring them to unit "
                "length with --repair quaternion_norm"
            )
        if asked:
            found = found.with_repair("quaternion_norm", f"{between} made 1")
    unit = root_rot / norm[:, None]
    count = int(np.count_nonzero(np.einsum("ni,ni->n", unit[1:], unit[:-1]) < 0))
    if count and "quaternion_sign" in asked:
        found = found.with_repair("quaternion_sign", f"{flips(count)} evened out")
    return unit, replace(found, sign_flips=count)
