"""Motion of people, which a robot cannot follow as it is: recognized, to say what to do with it."""

from collections.abc import Collection
from pathlib import Path

from amp_helpers.errors import InputError

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "SMPL or AMASS": (
        ("poses", "trans"),
        ("poses", "betas"),
        ("pose_body", "root_orient"),
        ("body_pose", "global_orient"),
        ("smpl_poses", "smpl_trans"),
        ("fullpose", "transl"),
        ("pose", "betas"),
        ("pose_world", "trans_world"),
        ("pose_aa", "trans_orig"),
        ("smpl_params_global",),
        ("person1", "person2"),
        ("smpl", "track"),
    ),
    "poselib": (("skeleton_tree", "rotation"), ("skeleton_tree", "root_translation"), ("rotation", "root_translation")),
    "DeepMimic": (("Loop", "Frames"),),
}
"""Name of a kind of human motion -> sets of keys by which its files are known."""
_STARTS = {
    b"hierarchy": "BVH",
    b"kaydara fbx": "FBX",
    b"; fbx": "FBX",
    b"# ast/asf": "ASF",
    b":version": "ASF",
    b":asf": "ASF",
    b"#!oml:asf": "AMC",
    b":fully-specified": "AMC",
    b"gltf": "GLB",
    b"pathfiletype": "TRC",
    b"coordinates\nversion": "OpenSim",
    b"coordinates\r\nversion": "OpenSim",
    b"vocaloid motion data": "VMD",
    b"#usda": "USD",
    b"pxr-usdc": "USD",
    b"blender": "Blender",
}
"""First bytes in lower case -> name of a kind of human motion."""
_TAGS = {b"<mvnx": "MVNX", b"<collada": "Collada", b'"asset"': "glTF"}
"""What stands early in other files of human motion."""
_ROBOT = ("dof", "dof_pos", "joint_pos", "qpos", "joint_positions", "dof_positions")
"""Keys of a robot's joint angles, beside which a file may hold the person that it was retargeted from."""
_SHAPES = ((22, 3), (24, 3), (52, 3), (55, 3), (156,), (263,), (251,), (322,))
"""Shapes of a frame of SMPL's joints or angles, or of their features in HumanML3D, KIT and Motion-X."""


def refuse_human_bytes(path: Path, head: bytes) -> None:
    """Refuse a file that begins as one of human motion does.

    Raises:
        InputError: it does.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    kind = next((name for begin, name in _STARTS.items() if start.startswith(begin)), None)
    if start.startswith((b"<", b"{")):
        kind = next((name for tag, name in _TAGS.items() if tag in start), None)
    if head[1:2] == b"\x50" and 0 < head[0] < 32 and b"\x00" in head:
        kind = "C3D"
    if kind:
        raise _error(path, kind)


def refuse_human_keys(path: Path, keys: Collection[object]) -> None:
    """Refuse content with the keys of human motion.

    Raises:
        InputError: it has them.
    """
    if any(key in keys for key in _ROBOT):
        return
    for kind, sets in _KEYS.items():
        if any(all(key in keys for key in needed) for needed in sets):
            raise _error(path, kind)


def refuse_human_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse an array of the shape of a person's joints.

    Raises:
        InputError: it has such a shape.
    """
    if shape[1:] in _SHAPES:
        raise _error(path, f"an array of shape {shape}")


def _error(path: Path, kind: str) -> InputError:
    return InputError(
        f"{path}: holds the motion of a person ({kind}), not a robot's joint angles; retarget it to your robot first, "
        "with GMR for instance (https://github.com/YanjieZe/GMR), and convert the pickle that this writes"
    )
