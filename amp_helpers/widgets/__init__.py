"""Things to move and watch in a notebook: pure functions make what is shown, a thin layer of ipywidgets shows it."""

from .joint_inspector import (
    BY_NAME,
    DATASET_AS_SIMULATOR,
    ORDERS,
    SIMULATOR_AS_DATASET,
    JointInspector,
    Reading,
    Selection,
    read_in_order,
    read_joint,
)
from .picture import png
from .training_panel import LiveCurves

__all__ = [
    "BY_NAME",
    "DATASET_AS_SIMULATOR",
    "ORDERS",
    "SIMULATOR_AS_DATASET",
    "JointInspector",
    "LiveCurves",
    "Reading",
    "Selection",
    "png",
    "read_in_order",
    "read_joint",
]
