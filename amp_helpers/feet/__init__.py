"""Feet on the ground: stance detection, foot locking, contact quality, and the edits that refine a clip."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
