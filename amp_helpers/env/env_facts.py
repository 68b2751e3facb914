"""What a dataset has to match in an open environment."""

from dataclasses import dataclass

from isaaclab.envs import ManagerBasedRLEnv

from amp_helpers.amp_state.asset import scene_robot


@dataclass(frozen=True)
class EnvFacts:
    """Properties of an environment that a dataset has to match."""

    joint_names: tuple[str, ...]
    """Joints in the simulator's order."""
    default_pose: dict[str, float]
    """rad by joint name."""
    step_dt: float
    """Duration of a control step, s."""


def facts(env: ManagerBasedRLEnv) -> EnvFacts:
    """Read the properties of an open environment that a dataset has to match."""
    return EnvFacts(tuple(scene_robot(env).joint_names), default_pose(env), float(env.step_dt))


def default_pose(env: ManagerBasedRLEnv) -> dict[str, float]:
    """Return the robot's default joint positions, rad by joint name: the offset between dataset and AMP state."""
    robot = scene_robot(env)
    return dict(zip(robot.joint_names, robot.data.default_joint_pos.torch[0].tolist(), strict=True))
