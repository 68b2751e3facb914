"""ASAP's and PHC's pickles, written by joblib: a dict of clips, each a dict of ``root_trans_offset`` (N, 3), ``dof``
(N, D), ``root_rot`` (N, 4) xyzw, ``pose_aa`` (N, B, 3) axis-angle of each body, and ``fps``.

PHC's files for the H1 lack ``root_rot``; the first body of ``pose_aa`` gives it. A dict of GMR's dicts is read too.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from amp_helpers.errors import InputError
from amp_helpers.formats.format import PICKLE, Format
from amp_helpers.formats.gmr import gmr_clip
from amp_helpers.formats.joint_names import listed, shown
from amp_helpers.formats.name_lists import find_names, table_width
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import find_rate
from amp_helpers.motion.rotations import from_rotation_vector

KEYS = {"joint_pos": "dof", "root_pos": "root_trans_offset"}


def clips_of_phc(path: Path, content: dict, options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clips of an ASAP or PHC file, in the file's order."""
    if not all(isinstance(clip, dict) for clip in content.values()):
        yield _clip(path, content, "")
        return
    for name, clip in content.items():
        yield gmr_clip(path, clip, str(name)) if "dof_pos" in clip else _clip(path, clip, str(name))


def _clip(path: Path, content: dict, name: str) -> StoredClip:
    where = f"clip '{shown(name)}' " if name else ""
    missing = [key for key in ("dof", "root_trans_offset") if content.get(key) is None]
    if missing:
        raise InputError(
            f"{path}: {where}lacks {', '.join(missing)} (found: {listed(content)}); give clips as ASAP, PHC or "
            "GMR have them"
        )
    dof = content["dof"]
    if isinstance(dof, np.ndarray) and dof.ndim == 3 and dof.shape[2] == 1:
        dof = dof[:, :, 0]
    rotation, stated, notes = content.get("root_rot"), None, ()
    if rotation is None:
        pose = content.get("pose_aa")
        if not isinstance(pose, np.ndarray) or pose.ndim != 3 or pose.shape[2] != 3 or pose.dtype.kind != "f":
            raise InputError(f"{path}: {where}has neither root_rot nor pose_aa; export it with one of them")
        rotation, stated, notes = from_rotation_vector(pose[:, 0]), "xyzw", ("root rotation from pose_aa",)
    names_key, names = find_names(path, content, table_width(dof))
    return StoredClip(
        joint_pos=dof,
        root_pos=content["root_trans_offset"],
        root_rot=rotation,
        fps=find_rate(content),
        joint_names=names,
        name=name,
        keys={**KEYS, "joint_names": names_key},
        convention_of="ASAP's",
        quaternion=stated,
        quaternion_computed=stated is not None,
        notes=notes,
    )


PHC = Format("ASAP/PHC pickle", PICKLE, clips_of_phc, keys=("dof", "root_trans_offset"), nested=True)
