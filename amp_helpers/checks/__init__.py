"""Preflight checks of motions, datasets, environments and training runs, each with evidence and a remedy."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
