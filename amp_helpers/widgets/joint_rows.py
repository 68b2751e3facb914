"""Joint orders and what comes of them: which joint gets whose angles, and a table of all joints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.motion import short
from amp_helpers.robots.robot import Robot

BY_NAME = "by name"
DATASET_AS_SIMULATOR = "dataset read as simulator"
SIMULATOR_AS_DATASET = "simulator read as dataset"
ORDERS = (BY_NAME, DATASET_AS_SIMULATOR, SIMULATOR_AS_DATASET)
"""What can be done with columns on their way from one order to another; only the first is right."""
_TOLERANCE = 0.02  # rad beyond a limit that rounding and retargeting may leave


def arriving(dataset_names: Sequence[str], simulator_names: Sequence[str], order: str) -> dict[str, str]:
    """Whose angles each joint gets: joint -> joint, in the dataset's order.

    Args:
        dataset_names: joints in the dataset's order.
        simulator_names: the same joints in the simulator's order.
        order: ``by name`` gives every joint its own. ``dataset read as simulator`` gives the first column to the
            simulator's first joint, and so on. ``simulator read as dataset`` is the way back: the simulator's first
            value is taken for the dataset's first joint.

    Raises:
        InputError: no such order, or the joints are not the same.
    """
    if order not in ORDERS:
        raise InputError(f"order '{order}' not found; available: {', '.join(ORDERS)}")
    dataset, simulator = JointOrder(tuple(dataset_names)), JointOrder(tuple(simulator_names))
    report = simulator.compare(dataset)
    if report.missing or report.extra:
        raise InputError(f"the motion's joints are not the simulator's ({report}); select them first")
    if order == BY_NAME:
        return {name: name for name in dataset}
    if order == DATASET_AS_SIMULATOR:
        return {name: dataset.names[simulator.index(name)] for name in dataset}
    return dict(zip(dataset, simulator, strict=True))


def read_in_order(motion: Motion, simulator_names: Sequence[str], order: str) -> Motion:
    """A clip after its columns went from one joint order to another, as :func:`arriving` says and raises."""
    source = arriving(motion.joint_names, simulator_names, order)
    moved = motion.select([source[name] for name in motion.joint_names])
    return replace(moved, joint_names=motion.joint_names)


@dataclass(frozen=True)
class JointRow:
    """One joint in a table of joints. Angles in rad, over the whole clip, as they arrive."""

    joint: str
    source: str
    """The joint whose angles it gets."""
    dataset_column: int
    simulator_column: int
    low: float
    high: float
    """Its limits."""
    default: float
    mean: float
    least: float
    most: float
    beyond: float
    """Share of frames outside the limits."""

    @property
    def ok(self) -> bool:
        """Whether the joint gets its own angles, within its limits."""
        return self.source == self.joint and self.beyond == 0

    @property
    def verdict(self) -> str:
        """A word or two on it."""
        if self.source != self.joint:
            return f"gets {short(self.source)}"
        return f"{self.beyond:.0%} beyond limits" if self.beyond else "ok"

    @staticmethod
    def header(rows: Sequence["JointRow"]) -> str:
        """The line above those of :meth:`line`."""
        name = "Joint".ljust(_name_width(rows))
        return f"{name} data sim{'limits':>12} default  mean{'range':>12}  verdict"

    def line(self, rows: Sequence["JointRow"]) -> str:
        """The row as text whose columns stand below each other in a font of equal widths."""
        numbers = self.low, self.high, self.default, self.mean, self.least, self.most
        low, high, default, mean, least, most = (round(number, 2) + 0.0 for number in numbers)  # no -0.00
        return (
            f"{short(self.joint).ljust(_name_width(rows))} {self.dataset_column:4d} {self.simulator_column:3d}"
            f"{low:6.2f}{high:6.2f}{default:8.2f}{mean:6.2f}{least:6.2f}{most:6.2f}  {self.verdict}"
        )


def _name_width(rows: Sequence[JointRow]) -> int:
    return max(len(short(row.joint)) for row in rows)


def joint_rows(
    motion: Motion,
    robot: Robot,
    simulator_names: Sequence[str],
    default_pose: Mapping[str, float],
    order: str = BY_NAME,
) -> tuple[JointRow, ...]:
    """A row for each joint of a clip, in the clip's order, as its angles arrive in a joint order.

    Args:
        motion: the clip, its joints a selection of the robot's.
        robot: whose limits are meant.
        simulator_names: the same joints in the simulator's order.
        default_pose: rad by joint name.
        order: as in :func:`arriving`.

    Raises:
        InputError: as :func:`arriving`.
    """
    source = arriving(motion.joint_names, simulator_names, order)
    simulator = JointOrder(tuple(simulator_names))
    angles = read_in_order(motion, simulator_names, order).joint_pos
    limits = robot.joint_limits()[JointOrder(motion.joint_names).indices_from(robot.joint_names)]
    outside = (angles < limits[:, 0] - _TOLERANCE) | (angles > limits[:, 1] + _TOLERANCE)
    columns = zip(*limits.T, angles.mean(0), angles.min(0), angles.max(0), outside.mean(0), strict=True)
    return tuple(
        JointRow(
            name,
            source[name],
            column,
            simulator.index(name),
            *(float(value) for value in (low, high, default_pose[name], mean, least, most, beyond)),
        )
        for (column, name), (low, high, mean, least, most, beyond) in zip(
            enumerate(motion.joint_names), columns, strict=True
        )
    )
