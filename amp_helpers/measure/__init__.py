"""Measure a policy in a simulator: Isaac Lab's, or plain MuJoCo from its bundle alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
