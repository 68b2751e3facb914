from .lock import Feet as Feet
from .lock import FootLockCfg as FootLockCfg
from .lock import find_stance as find_stance
from .lock import ground as ground
from .lock import lock_feet as lock_feet
from .report import FeetReport as FeetReport
from .report import feet_report as feet_report
