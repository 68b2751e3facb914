"""Isaac Lab environments: the task, opening, the skrl wrapper for AMP, rollouts, and replaying a clip."""

import lazy_loader

from amp_helpers.env.quiet_warp import start_warp_quietly

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# Here, because every module of this package imports Isaac Lab or skrl, which would start Warp with output.
start_warp_quietly()
