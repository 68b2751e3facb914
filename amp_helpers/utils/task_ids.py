"""The Gymnasium IDs of this project's tasks, for modules that do not load Isaac Lab; the one list of them."""

TASK = "Isaac-AMP-Velocity-Flat-G1"
"""The G1 walks; the default."""
LOCOMOTION_TASK = "Isaac-AMP-Locomotion-Flat-G1"
"""The G1 stands, walks, runs and turns."""
STYLE_TASK = "Isaac-AMP-Style-Flat-G1"
"""The G1 moves as the dataset does, without a command."""

OWN_TASKS = {
    TASK: "amp_helpers.env.task",
    LOCOMOTION_TASK: "amp_helpers.env.locomotion",
    STYLE_TASK: "amp_helpers.env.style",
}
"""This project's tasks: ID -> the module that registers it."""
