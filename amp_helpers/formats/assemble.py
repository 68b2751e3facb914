"""From a stored clip to a :class:`Motion` in one pass: check the tables, decide the columns, then the quaternions."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError, one_line
from amp_helpers.formats.column_order import decide_columns, read_names
from amp_helpers.formats.model_evidence import Evidence
from amp_helpers.formats.quaternion_order import decide_quaternion
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.up_axis import check_z_up, rotations_with_y_up, with_y_up
from amp_helpers.formats.values import HIGHEST_M, LARGEST, LARGEST_ANGLE, LONGEST_NAME, read_fps, read_table
from amp_helpers.motion.findings import NORM_TOLERANCE, Findings, flips
from amp_helpers.motion.motion import Motion


def assemble(path: Path, clip: StoredClip, options: ReadOptions, digest: str) -> Motion:
    """Make a motion of a stored clip; its ``findings`` tell what was decided, and on what evidence.

    Args:
        path: the file.
        clip: one of its clips.
        options: what the user says.
        digest: SHA-256 of the file.

    Raises:
        InputError: something in the clip is unusable, or is neither stated nor can be decided.
    """
    key = {field: clip.keys.get(field, field) for field in ("joint_pos", "root_pos", "root_rot")}
    rate = read_fps(path, clip.fps, options.fps, clip.usual_fps)
    root_pos = read_table(path, key["root_pos"], clip.root_pos, 3)
    root_rot = read_table(path, key["root_rot"], clip.root_rot, 4)
    joint_pos = read_table(path, key["joint_pos"], clip.joint_pos)
    counts = {key["root_pos"]: len(root_pos), key["root_rot"]: len(root_rot), key["joint_pos"]: len(joint_pos)}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"{path}: frame counts differ ({shown}); export the motion again")
    named = read_names(path, clip, options.robot, joint_pos.shape[1], key["joint_pos"])
    if named is not None and (named.scale != 1).any():
        joint_pos = joint_pos * named.scale
    unit, findings = _unit_quaternions(path, root_rot, key["root_rot"], options.repairs)
    bodies, notes = clip.bodies, clip.notes
    if options.up == "y":
        root_pos, notes = with_y_up(root_pos), ("y up as given, turned to z up", *notes)
        if bodies is not None and not bodies.in_root:
            bodies = replace(bodies, positions=with_y_up(bodies.positions))
    _check_units(path, key, root_pos, joint_pos)
    rotations = {"xyzw": unit, "wxyz": unit[:, [1, 2, 3, 0]]}
    preferred = clip.quaternion or clip.quaternion_convention
    if options.quaternion in rotations and not clip.quaternion_computed:
        preferred = options.quaternion
    if options.up == "y":
        rotations = rotations_with_y_up(rotations, preferred)
    evidence = Evidence.sample(joint_pos, root_pos, rotations, bodies)
    if evidence.bodies is not None and not (np.abs(evidence.bodies.positions) <= LARGEST).all():
        raise InputError(
            f"{path}: link positions are NaN or beyond {LARGEST:g} m in some frames; export the motion again"
        )
    columns = decide_columns(path, clip, options, evidence, named, key=key["joint_pos"])
    if options.up is None and options.robot and columns.order:
        check_z_up(path, evidence, columns.order, preferred)
    with np.errstate(over="ignore", invalid="ignore"):  # the preflight checks report implausible speeds
        velocity = np.diff(root_pos, axis=0) * rate.fps
    quaternion = decide_quaternion(clip, options, rotations, velocity, evidence, columns.order)
    findings = replace(
        findings,
        frame_rate=rate,
        joints=columns.finding,
        quaternion=quaternion,
        root_body=clip.root_body,
        notes=notes,
    )
    return Motion(
        fps=rate.fps,
        joint_names=columns.names,
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_quat=rotations[quaternion.order],
        name=one_line(f"{path.name}/{clip.name}" if clip.name else path.name, LONGEST_NAME),
        findings=_with_recorded(findings, clip.findings),
        sha256=digest,
        weight=clip.weight,
        command=clip.command,
    )


def _check_units(path: Path, key: Mapping[str, str], root_pos: np.ndarray, joint_pos: np.ndarray) -> None:
    """Check that numbers can be meters and radians.

    Raises:
        InputError: the root would be far above the ground, or most moving joints would turn more than once.
    """
    if (height := float(np.median(np.abs(root_pos[:, 2])))) > HIGHEST_M:
        raise InputError(
            f"{path}: {key['root_pos']} has the root {height:.4g} m high, so it is not in meters; divide it by 100 if "
            "it is in centimeters, by 1000 if in millimeters"
        )
    moving = np.ptp(joint_pos, axis=0) > 0
    largest = np.abs(joint_pos).max(axis=0)
    if moving.any() and (largest[moving] > LARGEST_ANGLE).mean() > 0.5:
        raise InputError(
            f"{path}: {key['joint_pos']} reaches {largest.max():.4g}, so it is not in radians; multiply it by pi / 180 "
            "if it is in degrees"
        )


def _with_recorded(now: Findings, recorded: Findings) -> Findings:
    """Merge the findings recorded in a file, as in a dataset, which know the original; what the user says now wins."""
    if recorded == Findings():
        return now
    rate, quaternion = now.frame_rate, now.quaternion
    return replace(
        recorded,
        frame_rate=recorded.frame_rate if rate is None or rate.ignored is None else rate,
        quaternion=quaternion if quaternion and quaternion.basis == "user" else recorded.quaternion or quaternion,
        repairs=(*recorded.repairs, *now.repairs),
        notes=now.notes,
    )


def _unit_quaternions(
    path: Path, root_rot: np.ndarray, key: str, repairs: Collection[str] | None
) -> tuple[np.ndarray, Findings]:
    """Scale quaternions to unit length, and record their norms and sign flips.

    Raises:
        InputError: they are too far from unit length for rotations.
    """
    with np.errstate(over="ignore"):  # the square of a damaged number may overflow, which the check below reports
        norm = np.linalg.norm(root_rot.astype(np.float64), axis=1)
    worst = int(np.argmax(np.abs(norm - 1)))
    if abs(norm[worst] - 1) > 0.2:
        raise InputError(
            f"{path}: {key} has norm {norm[worst]:.3f} at frame {worst}, so it holds no rotation; "
            "export the motion again"
        )
    wanted = repairs or ()
    findings = Findings(quaternion_norm=(round(float(norm.min()), 8), round(float(norm.max()), 8)))
    if abs(norm[worst] - 1) > NORM_TOLERANCE and "quaternion_norm" in wanted:
        findings = findings.with_repair("quaternion_norm", f"norms {norm.min():.3f} to {norm.max():.3f} made 1")
    unit = root_rot / norm[:, None]
    count = int(np.count_nonzero(np.einsum("ni,ni->n", unit[1:], unit[:-1]) < 0))
    if count and "quaternion_sign" in wanted:
        findings = findings.with_repair("quaternion_sign", f"{flips(count)} evened out")
    return unit, replace(findings, sign_flips=count)
