"""Things to move and watch in a notebook: pure functions make what is shown, a thin layer of ipywidgets shows it."""

from .feet_comparison import FeetComparison
from .joint_inspector import JointInspector
from .joint_rows import BY_NAME, DATASET_AS_SIMULATOR, ORDERS, SIMULATOR_AS_DATASET, joint_rows, read_in_order
from .motion_refiner import MotionRefiner
from .offset_inspector import OffsetInspector
from .picture import FramePlayer, Panel, png
from .training_panel import TrainingPanel

__all__ = [
    "BY_NAME",
    "DATASET_AS_SIMULATOR",
    "ORDERS",
    "SIMULATOR_AS_DATASET",
    "FeetComparison",
    "FramePlayer",
    "JointInspector",
    "MotionRefiner",
    "OffsetInspector",
    "Panel",
    "TrainingPanel",
    "joint_rows",
    "png",
    "read_in_order",
]
