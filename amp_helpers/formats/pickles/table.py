"""The content of a pickled motion as a table."""

from collections.abc import Mapping

import numpy as np

from amp_helpers.utils.table import Table


def pickle_table(content: Mapping[str, object]) -> Table:
    """Content of a GMR dictionary, one row per key."""

    def shape(value: object) -> str:
        if isinstance(value, np.ndarray):
            return f"{value.dtype} {value.shape}"
        return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | tuple) else type(value).__name__

    def begin(item: object) -> str:
        if isinstance(item, np.floating):
            return np.format_float_positional(item, precision=6, trim="0")
        return str(item)[:9]

    meaning = {
        "fps": "frames per second",
        "root_pos": "pelvis in the world, m, z up",
        "root_rot": "pelvis orientation, quaternion xyzw",
        "dof_pos": "joint positions, rad, one column per joint",
        "joint_names": "joints of the columns (most files lack this)",
        "local_body_pos": "link positions in the root frame, m: evidence for the joint order",
        "link_body_list": "names of these links",
    }
    rows = []
    for key, value in content.items():
        array = np.asarray(value) if isinstance(value, np.ndarray | list) else None
        first = str(value) if array is None else " ".join(map(begin, array[0:1].ravel()[:4])) + " …"
        rows.append((key, shape(value), first, meaning.get(key, "")))
    return Table(("key", "type", "begins with", "meaning"), rows)
