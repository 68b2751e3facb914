"""amp-rsl-rl's ``.npy``: a dict of ``joints_list`` (D), ``joint_positions``, ``root_position`` and ``root_quaternion``
(xyzw), lists of one array per frame, and ``fps``, stored by ``np.save`` as an array of one Python object."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from amp_helpers.formats.format import Container, Format
from amp_helpers.formats.numpy_files import parse_npy
from amp_helpers.formats.pickles.load import MAX_PICKLE_BYTES
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.formats.values import find_rate

KEYS = ("joints_list", "joint_positions", "root_position", "root_quaternion")


def clips_of_amp_rsl_rl(path: Path, content: Mapping[str, object], options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the clip of an amp-rsl-rl file."""
    names, joint_pos, root_pos, root_rot = (content[key] for key in KEYS)
    yield StoredClip(
        joint_pos=joint_pos,
        root_pos=root_pos,
        root_rot=root_rot,
        fps=find_rate(content),
        joint_names=names,
        keys=dict(zip(("joint_names", "joint_pos", "root_pos", "root_rot"), KEYS, strict=True)),
        convention_of="amp-rsl-rl's",
    )


NPY = Container((".npy",), lambda head: head.startswith(b"\x93NUMPY"), MAX_PICKLE_BYTES, parse_npy)
"""Single numpy arrays, and what ``np.save`` makes of a dict; no code in them is executed."""

AMP_RSL_RL = Format("amp-rsl-rl npy", NPY, clips_of_amp_rsl_rl, keys=KEYS)
