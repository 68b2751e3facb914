"""Small experiments that the notebooks show: discriminators trained in seconds, and gaits for them to judge."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
