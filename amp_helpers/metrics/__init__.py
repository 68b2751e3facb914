"""Metrics of rollouts and clips, as pure functions of arrays; NaN means undefined, as when a policy always falls."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
