"""This project's own datasets as motion files: each motion of the dataset is a clip at the control rate."""

from collections.abc import Iterator
from pathlib import Path

from amp_helpers.dataset import MotionDataset
from amp_helpers.formats.format import NPZ, Format
from amp_helpers.formats.stored_clip import ReadOptions, StoredClip
from amp_helpers.utils.npz import NpzFile


def clips_of_dataset(path: Path, content: NpzFile, options: ReadOptions) -> Iterator[StoredClip]:
    """Extract the motions of a dataset, with the findings recorded in it."""
    for clip in MotionDataset.from_bytes(path, content.raw).clips():
        yield StoredClip(
            joint_pos=clip.joint_pos,
            root_pos=clip.root_pos,
            root_rot=clip.root_quat,
            fps=clip.fps,
            joint_names=list(clip.joint_names),
            name=clip.name,
            quaternion="xyzw",
            quaternion_computed=True,
            weight=clip.weight,
            command=clip.command,
            notes=tuple(dict.fromkeys((*clip.notes, "read from a dataset"))),
            findings=clip.findings,
        )


DATASET = Format("dataset npz", NPZ, clips_of_dataset, keys=("states", "next_states"), anywhere=False)
