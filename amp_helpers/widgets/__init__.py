"""Things to move and watch in a notebook: pure functions make what is shown, a thin layer of ipywidgets shows it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
