from .results import write_metrics as write_metrics
from .setup import SIMULATORS as SIMULATORS
from .setup import Measured as Measured
from .setup import MeasuringSetup as MeasuringSetup
