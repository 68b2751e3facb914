"""Mismatched joint orders: which joint receives which joint's angles, and a table of all joints."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder
from amp_helpers.motion.motion import Motion
from amp_helpers.plots.style import short
from amp_helpers.robots.robot import Robot

BY_NAME = "by name"
DATASET_AS_SIMULATOR = "dataset read as simulator"
SIMULATOR_AS_DATASET = "simulator read as dataset"
ORDERS = (BY_NAME, DATASET_AS_SIMULATOR, SIMULATOR_AS_DATASET)
"""Ways to map columns from one joint order to another; only the first is correct."""
_TABLE_STYLE = """<style>
.amp-joints { font-size: 11px; line-height: 15px; width: 100%; border-spacing: 0; white-space: nowrap; }
.amp-joints th, .amp-joints td { padding: 0 3px; text-align: right; font-variant-numeric: tabular-nums; }
.amp-joints :is(th, td):nth-child(-n + 2) { text-align: left; }
.amp-joints .wrong { color: var(--amp-wrong, #a34500); }
.amp-joints .selected { background: rgba(0, 114, 178, .16); }
.amp-joints :is(th, td):first-child { position: sticky; left: 0; background: var(--jp-layout-color0, #fff); }
.amp-joints .selected td:first-child { background: #d6e6f1; color: #1d2733; }
</style>"""
_TOLERANCE = 0.02  # rad beyond a limit, left by rounding and retargeting


def joint_sources(dataset_names: Sequence[str], simulator_names: Sequence[str], order: str) -> dict[str, str]:
    """Map each joint, in the dataset's order, to the joint whose angles it receives.

    Args:
        dataset_names: joints in the dataset's order.
        simulator_names: the same joints in the simulator's order.
        order: with ``by name``, every joint receives its own angles. ``dataset read as simulator`` assigns the
            dataset's columns to the simulator's joints by index; ``simulator read as dataset`` is the reverse.

    Raises:
        InputError: ``order`` is unknown, or the two orders differ in their joints.
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
    """Return a clip whose columns were mapped between joint orders; arguments and errors as :func:`joint_sources`."""
    source = joint_sources(motion.joint_names, simulator_names, order)
    moved = motion.select([source[name] for name in motion.joint_names])
    return replace(moved, joint_names=motion.joint_names)


def default_positions(robot: Robot, names: Sequence[str], given: Mapping[str, float] | None) -> Mapping[str, float]:
    """Return the default positions given, or else the robot's, rad by joint name.

    Raises:
        InputError: those given lack one of ``names``.
    """
    default = given or robot.default_positions()
    if missing := [name for name in names if name not in default]:
        raise InputError(f"the default pose lacks {missing[0]}; it has: {', '.join(sorted(default))}")
    return default


@dataclass(frozen=True)
class JointRow:
    """One joint of a clip whose columns were mapped between joint orders. Angles in rad, over the whole clip."""

    joint: str
    source: str
    """Joint whose angles it receives."""
    dataset_column: int
    simulator_column: int
    low: float
    high: float
    """Joint limits."""
    default: float
    """Default position."""
    mean: float
    minimum: float
    maximum: float
    outside: float
    """Share of frames outside the limits."""

    @property
    def ok(self) -> bool:
        """Whether the joint receives its own angles and they stay within its limits."""
        return self.source == self.joint and self.outside == 0

    @property
    def status(self) -> str:
        """``ok``, or what is wrong in a few words."""
        if self.source != self.joint:
            return f"gets {short(self.source)}"
        return f"{self.outside:.0%} outside limits" if self.outside else "ok"


def joint_table(rows: Sequence[JointRow], selected: str) -> str:
    """Write rows as an HTML table; rows that are not ok are red, and that of the joint ``selected`` is shaded."""
    header = ("joint", "status", "dataset", "simulator", "limits, rad", "default", "mean", "range")
    lines = [f"<tr>{''.join(f'<th>{name}</th>' for name in header)}</tr>"]
    for row in rows:
        cells = (
            short(row.joint),
            row.status,
            str(row.dataset_column),
            str(row.simulator_column),
            f"{_angle(row.low)} to {_angle(row.high)}",
            _angle(row.default),
            _angle(row.mean),
            f"{_angle(row.minimum)} to {_angle(row.maximum)}",
        )
        classes = " ".join(["wrong"] * (not row.ok) + ["selected"] * (row.joint == selected))
        lines.append(f'<tr class="{classes}">{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>')
    return f'{_TABLE_STYLE}<table class="amp-joints">{"".join(lines)}</table>'


def _angle(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # no -0.00


def joint_rows(
    motion: Motion,
    robot: Robot,
    simulator_names: Sequence[str],
    default_pose: Mapping[str, float],
    order: str = BY_NAME,
) -> tuple[JointRow, ...]:
    """Make a row for each joint of a clip, in the clip's order, after its columns were mapped between joint orders.

    Args:
        motion: the clip; its joints are joints of the robot.
        robot: gives the joint limits.
        simulator_names: the same joints in the simulator's order.
        default_pose: default positions by joint name, rad.
        order: as in :func:`joint_sources`.

    Raises:
        InputError: as :func:`joint_sources`.
    """
    source = joint_sources(motion.joint_names, simulator_names, order)
    simulator = JointOrder(tuple(simulator_names))
    angles = read_in_order(motion, simulator_names, order).joint_pos
    limits = robot.joint_limits()[JointOrder(motion.joint_names).indices_from(robot.joint_names)]
    beyond = (angles < limits[:, 0] - _TOLERANCE) | (angles > limits[:, 1] + _TOLERANCE)
    columns = zip(*limits.T, angles.mean(0), angles.min(0), angles.max(0), beyond.mean(0), strict=True)
    return tuple(
        JointRow(
            name,
            source[name],
            column,
            simulator.index(name),
            *(float(value) for value in (low, high, default_pose[name], mean, minimum, maximum, outside)),
        )
        for (column, name), (low, high, mean, minimum, maximum, outside) in zip(
            enumerate(motion.joint_names), columns, strict=True
        )
    )
