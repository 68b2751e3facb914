"""Jupyter widgets to inspect joint orders and offsets, compare and edit clips, and monitor training.

Pure functions compute what is shown; a thin layer of ipywidgets shows it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
