"""The robot out of its file; what is not given here is found in it."""

from amp_helpers.robots import Robot, go1_mjcf

ROBOT = Robot.from_file(
    go1_mjcf(),  # yours: the path of your MJCF or URDF
    name="go1",
    default_joint_pos={".*_hip_joint": 0.0, ".*_thigh_joint": 0.9, ".*_calf_joint": -1.8},
)
