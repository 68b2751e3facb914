from .amp_state.state import AmpState as AmpState
from .dataset import MotionDataset as MotionDataset
from .errors import InputError as InputError
from .formats.registry import read_motion as read_motion
from .joints import JointOrder as JointOrder
from .metrics.tables import column_names as column_names
from .metrics.tables import grid_table as grid_table
from .metrics.tables import metrics_table as metrics_table
from .motion.motion import Motion as Motion
from .robots.lookup import get_robot as get_robot
from .robots.robot import G1_23DOF as G1_23DOF
from .robots.robot import Robot as Robot
from .utils.table import Table as Table

__version__: str
