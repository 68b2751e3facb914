"""The Gymnasium IDs of this project's tasks, for modules that do not load Isaac Lab."""

TASK = "Isaac-AMP-Velocity-Flat-G1"
"""The G1 walks; the default."""
LOCOMOTION_TASK = "Isaac-AMP-Locomotion-Flat-G1"
"""The G1 stands, walks, runs and turns."""
STYLE_TASK = "Isaac-AMP-Style-Flat-G1"
"""The G1 moves as the dataset does, without a command."""
