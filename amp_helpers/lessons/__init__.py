"""Small experiments of the notebooks: discriminators that train in seconds, and altered gaits to test them on."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
