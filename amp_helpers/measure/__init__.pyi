from .results import write_metrics as write_metrics
from .results import write_metrics_by_policy as write_metrics_by_policy
from .setup import SIMULATORS as SIMULATORS
from .setup import Measured as Measured
from .setup import MeasuringSetup as MeasuringSetup
