"""Utilities that any other package uses: npz files, tables, devices, plugins, resources, deferred work."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
