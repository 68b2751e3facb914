"""Pickles read by an allow-list; nothing in them is executed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
