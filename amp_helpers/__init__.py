"""Adversarial Motion Priors on a humanoid: from a GMR motion file to a measured policy in Isaac Lab.

Data flows one way: file -> ``formats`` -> ``Motion`` -> ``MotionDataset`` -> ``AmpState`` -> agent.
Importing the package imports nothing else: the names that it hands on are loaded at their first use.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
