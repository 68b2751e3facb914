"""The joints that a discriminator does not see."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError
from amp_helpers.robots.lookup import named_robot

if TYPE_CHECKING:
    from amp_helpers.dataset import MotionDataset


STILL_RAD = 1e-3
"""A joint whose positions have a smaller standard deviation than this does not move."""


def drop_patterns(
    names: Sequence[str],
    robot: str | None = None,
    dataset: "MotionDataset | None" = None,
    links: Sequence[str] = (),
) -> tuple[str, ...]:
    """Turn the names of ``--drop_joints`` into regular expressions.

    Args:
        names: ``feet`` stands for the robot's feet joints; ``still`` for the joints that do not move in the dataset, by
            which a discriminator recognizes any policy; everything else is a regular expression already.
        robot: the robot whose feet are meant; without one, the joints called ankle.
        dataset: the dataset in which joints are still.
        links: links that are the feet of a robot named by its file; by default they are found in it.

    Raises:
        InputError: feet are meant, no robot is named, and the dataset has no joint called ankle.
    """
    named = named_robot(robot, links)
    if "feet" in names and not named and dataset and not any("ankle" in joint for joint in dataset.joint_names):
        raise InputError(
            f"--drop_joints feet: no joint of {dataset.path} is called ankle; name the robot whose feet are meant with "
            "--robot"
        )
    feet = named.feet_joints if named else (".*ankle.*",)
    meant = {"feet": feet, "still": _still(dataset) if dataset else ()}
    return tuple(pattern for name in names for pattern in meant.get(name, (name,)))


def _still(dataset: "MotionDataset") -> tuple[str, ...]:
    spread = zip(dataset.joint_names, dataset.states.std(axis=0), strict=True)
    still = tuple(re.escape(name) for name, std in spread if std < STILL_RAD)
    return still if len(still) < len(dataset.joint_names) else ()  # a clip of one pose is seen whole
