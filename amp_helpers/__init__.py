"""Adversarial Motion Priors on a humanoid: from a GMR motion file to a measured policy in Isaac Lab.

Data flows one way: file -> ``formats`` -> ``Motion`` -> ``MotionDataset`` -> ``AmpState`` -> agent.
Importing the package itself imports nothing else.
"""

__version__ = "0.2.0"
