"""What the two views in which a robot is driven have in common: the notebook's widget and the page."""

import math

DIRECTIONS = {"forward": 0.0, "left": math.pi / 2, "backward": math.pi, "right": -math.pi / 2}
"""Directions of a push, from the robot's heading to the left, rad."""
PICTURES_PER_S = 30.0
"""Poses shown a second, where the machine and the view keep up."""
FIGURES_PER_S = 4.0
"""Updates of speed, stride frequency and curves a second."""
