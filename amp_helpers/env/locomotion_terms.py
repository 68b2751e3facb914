"""Observations and rewards of a :class:`.commands.LocomotionCommand`."""

from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import ManagerTermBase, RewardTermCfg, SceneEntityCfg

from amp_helpers.env.commands import LocomotionCommand
from amp_helpers.env.mdp import reference_states
from amp_helpers.env.stride import keeps_to_strides, poses_by_phase
from amp_helpers.errors import InputError
from amp_helpers.metrics.feet import CONTACT_FORCE_N


def steered_commands(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Observe the command with its turn corrected by the heading error, (E, 3) m/s and rad/s."""
    return _command(env, command_name).steered


def mean_velocity_error(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Observe the averaged forward, left and yaw velocity error, (E, 3) m/s and rad/s."""
    return _command(env, command_name).mean_error


def heading_error(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Observe the heading error and its average, (E, 2) rad."""
    command = _command(env, command_name)
    return torch.stack((command.heading_error, command.mean_heading_error), dim=1)


def gait_clock(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Observe sine and cosine of the phase of the stride, (E, 2)."""
    return _command(env, command_name).clock


def track_clock(env: ManagerBasedRLEnv, command_name: str, sensor_cfg: SceneEntityCfg) -> torch.Tensor:
    """Reward a foot in the air in its half of the stride, and penalize it in the other, (E,) in -1..1.

    The right foot's half is the first, the left foot's the second. The weight is the sine of the phase, so that it
    does not matter when exactly a foot lands; standing still is worth 0.

    Args:
        env: the environment.
        command_name: a :class:`LocomotionCommand`.
        sensor_cfg: contact sensor with the left and the right foot, in this order.
    """
    command = _command(env, command_name)
    in_air = _in_air(env, sensor_cfg).float()
    return command.clock[:, 0] * (in_air[:, 1] - in_air[:, 0]) * ~command.standing


def track_speed_exp(env: ManagerBasedRLEnv, std: float, relative: float, command_name: str) -> torch.Tensor:
    """Reward a small error ``e`` of the forward speed at a command ``v``: ``exp(-e^2 / (std + relative |v|)^2)``, (E,).

    Isaac Lab's term has one width for all commands: a width that tells 0.3 m/s from standing gives no gradient to a
    robot that walks where it should run. Its term also counts the velocity to the left at each instant, which favors
    gaits that do not sway.

    Args:
        env: the environment.
        std: width at command 0, m/s.
        relative: additional width, as a share of the commanded speed.
        command_name: a :class:`LocomotionCommand`.
    """
    command = _command(env, command_name)
    return _kernel(command.velocity_error[:, :1], _width(command, std, relative))


def track_mean_velocity_exp(env: ManagerBasedRLEnv, std: float, relative: float, command_name: str) -> torch.Tensor:
    """Reward a small averaged error of forward and left velocity, as :func:`track_speed_exp` does, (E,)."""
    command = _command(env, command_name)
    return _kernel(command.mean_error[:, :2], _width(command, std, relative))


def track_mean_turn_exp(env: ManagerBasedRLEnv, std: float, command_name: str) -> torch.Tensor:
    """Reward a small averaged error of the yaw rate, ``exp(-e^2 / std^2)``, (E,); ``std`` in rad/s.

    The pelvis of a person who runs at 2.5 m/s twists at up to 1.5 rad/s to either side, so the yaw rate of each instant
    is no measure of the turn.
    """
    return _kernel(_command(env, command_name).mean_error[:, 2:], std)


def track_heading_exp(env: ManagerBasedRLEnv, std: float, command_name: str) -> torch.Tensor:
    """Reward a small averaged heading error, ``exp(-e^2 / std^2)``, (E,); ``std`` in rad."""
    return _kernel(_command(env, command_name).mean_heading_error.unsqueeze(1), std)


class track_reference_pose(ManagerTermBase):
    """Reward the reference's pose at the command and the phase of the clock, ``exp(-e^2 / std^2)``, (E,).

    ``e`` is the RMS difference of the joint positions, rad, and the reference is the clip nearest to the command, as in
    the metrics. A discriminator only tells that a pose is none of the clips'; this reward tells which one it should be.
    It is the pose reward of DeepMimic (Peng et al. 2018) with the phase of a clock in place of the time. It is 0
    without reference states, as while a policy is measured.

    The clips come from :class:`.mdp.reset_robot`. Each holds whole strides and ends in the pose in which it begins:
    :func:`.stride.poses_by_phase` averages its strides. ``notes`` names other clips.

    Params:
        command_name: a :class:`LocomotionCommand`.
        std: width, rad.
        asset_cfg: the joints to compare.

    Raises:
        InputError: the task has no such event, or the command is of another class.
    """

    PHASES = 100
    """Poses for each clip; between neighbors, a joint at 10 rad/s turns by 0.1 rad in a stride of 1 s."""

    def __init__(self, cfg: RewardTermCfg, env: ManagerBasedRLEnv) -> None:
        super().__init__(cfg, env)
        params: dict[str, Any] = cfg.params
        self._command = _command(env, params["command_name"])
        joints = params["asset_cfg"].joint_ids  # a slice stands for all joints
        self._joints = joints if isinstance(joints, slice) else torch.as_tensor(joints, device=env.device)
        states = reference_states(env)
        if states is None:
            raise InputError(
                "reward track_reference_pose: the task has no clips; add an event with mode='reset' and "
                "func=amp_helpers.env.mdp.reset_robot, or remove the reward"
            )
        law, legs = self._command.cfg.strides, self._command.legs
        self.notes: list[str] = []
        """Sentences for the user, which :func:`.make.make_env` reports once the environment is open."""
        if odd := [clip.label for clip in states.clips if not keeps_to_strides(clip, law, legs)]:
            self.notes.append(
                f"reward track_reference_pose: {', '.join(odd[:4])}{', ...' if odd[4:] else ''} hold no whole "
                "strides as long as the command's 'strides' say, so different poses are averaged; close the clips with "
                "refine --loop, or measure your StrideLaw as the cookbook does"
            )
        tables = [poses_by_phase(clip, law, legs, self.PHASES) for clip in states.clips]
        self._poses = torch.stack(tables).to(env.device)[..., self._joints] if tables else None
        self._commands = torch.tensor([clip.command for clip in states.clips], device=env.device)

    def __call__(
        self, env: ManagerBasedRLEnv, command_name: str, std: float, asset_cfg: SceneEntityCfg
    ) -> torch.Tensor:
        if self._poses is None:
            return torch.zeros(env.num_envs, device=env.device)
        forward_and_turn = self._command.vel_command_b[:, None, 0::2]
        clip = (forward_and_turn - self._commands).square().sum(dim=-1).argmin(dim=1)
        phase = (self._command.phase * self.PHASES).round().long() % self.PHASES
        error = env.scene[asset_cfg.name].data.joint_pos.torch[:, self._joints] - self._poses[clip, phase]
        return torch.exp(-error.square().mean(dim=1) / std**2)


def steps_while_standing(env: ManagerBasedRLEnv, command_name: str, sensor_cfg: SceneEntityCfg) -> torch.Tensor:
    """Count the feet in the air of robots that are to stand and are not pushed, (E,)."""
    return _in_air(env, sensor_cfg).sum(dim=1) * _command(env, command_name).calm


def motion_while_standing(env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg) -> torch.Tensor:
    """Sum the squared joint velocities of robots that are to stand and are not pushed, (E,) rad^2/s^2."""
    velocity = env.scene[asset_cfg.name].data.joint_vel.torch
    return velocity.square().sum(dim=1) * _command(env, command_name).calm


def cost_of_transport(
    env: ManagerBasedRLEnv, command_name: str, asset_cfg: SceneEntityCfg, most: float
) -> torch.Tensor:
    """Penalize the energy per meter: absolute joint power over 0.5 m/s plus the commanded speed, (E,) N.

    Divided by the robot's weight, it would be the dimensionless cost of transport. The 0.5 m/s keep it finite at
    command 0.

    Args:
        env: the environment.
        command_name: a :class:`LocomotionCommand`.
        asset_cfg: the robot.
        most: largest value, N.
    """
    robot = env.scene[asset_cfg.name]
    power = (robot.actuators.applied_effort.torch * robot.data.joint_vel.torch).abs().sum(dim=1)
    speed = _command(env, command_name).vel_command_b[:, 0].abs()
    return (power / (0.5 + speed)).clamp(max=most)


def _width(command: LocomotionCommand, std: float, relative: float) -> torch.Tensor:
    """Width of a reward at the commanded speeds, (E, 1) m/s."""
    return (std + relative * command.vel_command_b[:, 0].abs()).unsqueeze(1)


def _in_air(env: ManagerBasedRLEnv, sensor_cfg: SceneEntityCfg) -> torch.Tensor:
    """Feet without contact, (E, F) bool."""
    forces = env.scene.sensors[sensor_cfg.name].data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]  # pyright: ignore[reportAttributeAccessIssue]
    return forces.norm(dim=-1) < CONTACT_FORCE_N


def _kernel(error: torch.Tensor, width: torch.Tensor | float) -> torch.Tensor:
    """Reward errors (E, n) by ``exp(-|error / width|^2)``, (E,)."""
    return torch.exp(-(error / width).square().sum(dim=1))


def _command(env: ManagerBasedRLEnv, name: str) -> LocomotionCommand:
    term = env.command_manager.get_term(name)
    if not isinstance(term, LocomotionCommand):
        raise InputError(f"command '{name}' is a {type(term).__name__}; use a LocomotionCommandCfg for it")
    return term
