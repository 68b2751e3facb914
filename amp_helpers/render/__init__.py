"""Images and videos of a robot, with OpenGL or without."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
