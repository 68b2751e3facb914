"""Feet on the ground: when they stand, how to hold them there, and how far a clip is from that."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
