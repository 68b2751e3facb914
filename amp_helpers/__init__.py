"""Adversarial Motion Priors on a humanoid: from a GMR motion file to a measured policy in Isaac Lab.

Data flows one way: file -> ``formats`` -> ``Motion`` -> ``MotionDataset`` -> ``AmpState`` -> agent. Modules are imported
one by one; importing the package itself imports nothing else.
"""
