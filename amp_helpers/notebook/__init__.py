"""Notebooks: what each starts with, executing them, and the pages they become."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
