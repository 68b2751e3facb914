from .sources import AmpSource as AmpSource
from .sources import ObservationSource as ObservationSource
from .sources import ObservationTerm as ObservationTerm
from .sources import SimulatorSource as SimulatorSource
from .sources import observation_terms as observation_terms
from .state import FEATURE_DIMS as FEATURE_DIMS
from .state import AmpState as AmpState
from .table import observation_table as observation_table
