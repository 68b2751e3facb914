"""The AMP agent: losses, networks, optimizers, replay buffer, checkpoints, and the health of an update."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
