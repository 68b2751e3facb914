"""A training run: its configuration, its folder, its policy, and comparisons of several."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
