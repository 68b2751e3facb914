"""Isaac Lab environments: the task, opening one, the wrapper for AMP, and replaying a clip in it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
