"""Velocity commands that cover standing, straight ahead and turning, and the errors of following them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.envs.mdp import UniformVelocityCommand, UniformVelocityCommandCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_apply_inverse, wrap_to_pi, yaw_quat

from amp_helpers.amp_state.asset import root_lin_vel_w
from amp_helpers.amp_state.state import COMMAND_BLUR, blur_commands
from amp_helpers.env.mdp import reset_robot
from amp_helpers.errors import InputError

_Pair = tuple[int, int]


@dataclass(frozen=True)
class StrideLaw:
    """Durations of a stride over the command: powers of the speed, one for walking and one for running."""

    walk_s: float
    """Of a stride at a walking speed of 1 m/s, s."""
    walk_exponent: float
    run_s: float
    """Of a running stride, taken back to 1 m/s, s."""
    run_exponent: float
    run_from: float
    """Forward speed from which the robot runs, m/s."""
    turn_radius: float
    """Turning at w rad/s takes as many steps as walking at ``turn_radius`` w m/s, m."""
    slowest: float
    """Speed whose strides slower commands have too, m/s."""
    knee_share: float
    """Weight of the knees beside the hips where the phase of a stride is read from the legs: turning on the spot, a
    robot lifts its knees and hardly swings its legs."""


STRIDES = StrideLaw(
    walk_s=1.1085,
    walk_exponent=-0.5,
    run_s=0.977,
    run_exponent=-0.2,
    run_from=1.8,
    turn_radius=0.8,
    slowest=0.3,
    knee_share=0.5,
)
"""Strides of the clips of ``g1_locomotion`` (``datasets/locomotion.py``). Walkers take steps in proportion to the root
of their speed (Sekiya & Nagasaki 1998), runners to its fifth root (Cavanagh & Kram 1989)."""


class LocomotionCommand(UniformVelocityCommand):
    """Isaac Lab's velocity command with a share of straight commands, turns that a robot can follow, and errors.

    An episode that starts in a reference state first gets the command which that clip is a reference for. Rewards and
    the value function get averaged errors: a gait sways and twists by more than its mean is off, and a reward for the
    velocity of each instant would pay for short, quick steps that neither sway nor twist.
    """

    cfg: "LocomotionCommandCfg"

    def __init__(self, cfg: "LocomotionCommandCfg", env: ManagerBasedRLEnv) -> None:
        super().__init__(cfg, env)
        self.mean_error = torch.zeros(self.num_envs, 3, device=self.device)
        """``velocity_error`` averaged over ``error_time_s``, exponentially."""
        self.heading_error = torch.zeros(self.num_envs, device=self.device)
        """Heading less the integral of the commanded turn since the command was drawn, rad, in -pi..pi."""
        self.mean_heading_error = torch.zeros(self.num_envs, device=self.device)
        """``heading_error`` averaged over ``error_time_s``, exponentially."""
        self.phase = torch.zeros(self.num_envs, device=self.device)
        """Part of the stride that has passed, in 0..1, (E,): the left foot comes down at 0, the right one at 0.5. While
        the robot is to stand, it stays where it is."""
        self._heading = torch.zeros(self.num_envs, device=self.device)
        self.legs = self._pair(cfg.hip_joints), self._pair(cfg.knee_joints)
        """Left and right hip joint, left and right knee joint, of the robot."""

    def _pair(self, names: tuple[str, str]) -> _Pair:
        (left, right), _ = self.robot.find_joints(list(names), preserve_order=True)
        return int(left), int(right)

    @property
    def velocity_error(self) -> torch.Tensor:
        """Forward and left velocity in the heading frame, and yaw rate, less the steered command, (E, 3) m/s, rad/s."""
        velocity = quat_apply_inverse(yaw_quat(self.robot.data.root_link_quat_w.torch), root_lin_vel_w(self.robot))
        turn = self.robot.data.root_ang_vel_w.torch[:, 2:]
        return torch.cat((velocity[:, :2], turn), dim=1) - self.steered

    @property
    def standing(self) -> torch.Tensor:
        """Environments that are told to stand still, (E,) bool."""
        return (self.vel_command_b == 0).all(dim=1)

    @property
    def calm(self) -> torch.Tensor:
        """Environments that are told to stand still and are not being thrown off their feet, (E,) bool."""
        speed = root_lin_vel_w(self.robot)[:, :2].norm(dim=1)
        return self.standing & (speed < self.cfg.calm_speed)

    @property
    def steered(self) -> torch.Tensor:
        """The command, its turn corrected by the heading error: what the policy observes, (E, 3).

        Within the fraction of a stride that a policy observes, a gait's sway hides a slow turn, so no policy without
        memory keeps a heading by itself. A robot knows its heading from its gyroscope.
        """
        correction = (-self.cfg.heading_gain * self.heading_error).clamp(
            -self.cfg.max_correction, self.cfg.max_correction
        )
        turn = self.vel_command_b[:, 2] + correction * ~self.standing
        return torch.cat((self.vel_command_b[:, :2], turn.unsqueeze(1)), dim=1)

    @property
    def clock(self) -> torch.Tensor:
        """Sine and cosine of the phase, (E, 2); a mirror image of the robot has both negated."""
        angle = 2 * math.pi * self.phase
        return torch.stack((angle.sin(), angle.cos()), dim=1)

    @property
    def stride_s(self) -> torch.Tensor:
        """Duration of a stride of the references at the command, (E,) s; see :func:`stride_duration`."""
        return stride_duration(self.vel_command_b[:, 0], self.vel_command_b[:, 2])

    def reset(self, env_ids: Sequence[int] | None = None) -> dict[str, torch.Tensor]:
        rows: Any = slice(None) if env_ids is None else env_ids
        extras = super().reset(env_ids)
        self.mean_error[rows] = 0.0
        if self.cfg.reset_event:
            self._follow_reference(rows)
        data = self.robot.data
        joints = data.joint_pos.torch[rows], data.joint_vel.torch[rows]
        self.phase[rows] = leg_phase(*joints, self.stride_s[rows], self.legs)
        return extras

    def _follow_reference(self, env_ids: Any) -> None:
        term = self._env.event_manager.get_term_cfg(self.cfg.reset_event).func
        if not isinstance(term, reset_robot) or term.commands is None:
            return
        commands, started = term.commands[env_ids], term.from_reference[env_ids]
        commands = blur_commands(commands, self.cfg.reference_jitter)
        velocity = torch.stack((commands[:, 0], torch.zeros_like(commands[:, 0]), commands[:, 1]), dim=1)
        self.vel_command_b[env_ids] = torch.where(started.unsqueeze(1), velocity, self.vel_command_b[env_ids])
        self.is_standing_env[env_ids] &= ~started

    def _resample_command(self, env_ids: Any) -> None:
        super()._resample_command(env_ids)
        command = self.vel_command_b[env_ids]
        forward, turn = self._slower(command[:, 0]), command[:, 2]
        straight = torch.rand_like(turn) < self.cfg.rel_straight_envs
        in_place = ~straight & (torch.rand_like(turn) < self.cfg.rel_in_place_envs)
        if _is_drawn(self.cfg.ranges.lin_vel_x):
            forward = torch.where(in_place | (forward < self.cfg.min_speed), 0.0, forward)
        if _is_drawn(self.cfg.ranges.ang_vel_z):
            # v w is the acceleration towards the center of the arc.
            most = self.cfg.max_lateral_acceleration / forward.clamp(min=1e-3)
            turn = torch.where(straight, 0.0, torch.minimum(torch.maximum(turn, -most), most))
        self.vel_command_b[env_ids] = torch.stack((forward, command[:, 1], turn), dim=1)
        self._heading[env_ids] = self.robot.data.heading_w.torch[env_ids]
        self.heading_error[env_ids] = 0.0
        self.mean_heading_error[env_ids] = 0.0

    def _slower(self, forward: torch.Tensor) -> torch.Tensor:
        """Uniform draws (n,) from the range of speeds, m/s, moved towards its lower end by ``speed_exponent``."""
        low, high = self.cfg.ranges.lin_vel_x
        if not _is_drawn((low, high)):
            return forward
        return low + (high - low) * ((forward - low) / (high - low)).clamp(0, 1) ** self.cfg.speed_exponent

    def _update_command(self) -> None:
        super()._update_command()
        dt = self._env.step_dt
        share = dt / self.cfg.error_time_s
        self.mean_error += share * (self.velocity_error - self.mean_error)
        self.heading_error[:] = wrap_to_pi(self.robot.data.heading_w.torch - self._heading)
        self.mean_heading_error += share * (self.heading_error - self.mean_heading_error)
        self._heading += self.vel_command_b[:, 2] * dt
        self.phase[:] = (self.phase + dt / self.stride_s * ~self.standing) % 1


@configclass
class LocomotionCommandCfg(UniformVelocityCommandCfg):
    """Configuration of :class:`LocomotionCommand`."""

    class_type: type = LocomotionCommand
    rel_straight_envs: float = 0.5
    """Share of commands without a turn."""
    rel_in_place_envs: float = 0.2
    """Share of the other commands that turn on the spot."""
    min_speed: float = 0.1
    """Slower forward commands become 0, m/s."""
    max_lateral_acceleration: float = 1.2
    """Limit of forward speed times turning speed, m/s^2."""
    heading_gain: float = 1.0
    """Correction of the turn for each radian of heading error, 1/s; 0 for none."""
    max_correction: float = 0.3
    """Limit of that correction, rad/s."""
    error_time_s: float = 1.0
    """Time constant of ``mean_error`` and ``mean_heading_error``, s."""
    speed_exponent: float = 1.25
    """Exponent of the uniform draw that a speed is made of; above 1, slow commands are drawn more often."""
    calm_speed: float = 0.25
    """Speed of the root from which a robot that is told to stand is being pushed and may step, m/s."""
    hip_joints: tuple[str, str] = ("left_hip_pitch_joint", "right_hip_pitch_joint")
    """Joints that swing the left and the right thigh, negative forwards."""
    knee_joints: tuple[str, str] = ("left_knee_joint", "right_knee_joint")
    """Joints that bend the left and the right knee. The phase of a first state is read from hips and knees."""
    reset_event: str = "reference"
    """Reset event whose reference states come with a command; empty for none."""
    reference_jitter: tuple[float, float] = COMMAND_BLUR
    """Largest difference of such a command from its clip's, m/s and rad/s; none for a clip that stands."""


def stride_duration(forward: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Duration of a stride at a command, by :data:`STRIDES`, (n,) s.

    Args:
        forward: (n,) m/s.
        turn: (n,) rad/s.
    """
    law = STRIDES
    walk = torch.hypot(forward, law.turn_radius * turn).clamp(min=law.slowest)
    run = forward.clamp(min=law.run_from)
    return torch.where(forward < law.run_from, law.walk_s * walk**law.walk_exponent, law.run_s * run**law.run_exponent)


def leg_phase(
    joint_pos: torch.Tensor, joint_vel: torch.Tensor, stride_s: torch.Tensor, legs: tuple[_Pair, _Pair]
) -> torch.Tensor:
    """Phase of a stride that the legs are at, (n,) in 0..1: when a foot comes down, thighs are farthest apart.

    Turning on the spot hardly swings the thighs, but it bends a knee in the middle of each step.

    Args:
        joint_pos: (n, J) rad.
        joint_vel: (n, J) rad/s.
        stride_s: duration of a stride, (n,) s.
        legs: columns of the left and the right hip joint, negative forwards, and of the left and the right knee joint.
    """
    hips, knees = legs
    joint_vel = joint_vel * (stride_s / (2 * math.pi)).unsqueeze(1)

    def apart(values: torch.Tensor, joints: _Pair) -> torch.Tensor:
        left, right = joints
        return values[:, right] - values[:, left]

    sine = STRIDES.knee_share * apart(joint_pos, knees) - apart(joint_vel, hips)
    cosine = apart(joint_pos, hips) + STRIDES.knee_share * apart(joint_vel, knees)
    return torch.atan2(sine, cosine) / (2 * math.pi) % 1


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


def track_clock(env: ManagerBasedRLEnv, command_name: str, sensor_cfg: Any, force_n: float = 1.0) -> torch.Tensor:
    """Reward each foot in the air in its half of the stride, and penalize it in the other, (E,) in -1..1.

    Args:
        env: the environment.
        command_name: a :class:`LocomotionCommand`.
        sensor_cfg: the left and the right foot.
        force_n: force from which a foot is on the ground, N.
    """
    command = _command(env, command_name)
    forces = env.scene.sensors[sensor_cfg.name].data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]  # pyright: ignore[reportAttributeAccessIssue]
    in_air = (forces.norm(dim=-1) < force_n).float()
    return command.clock[:, 0] * (in_air[:, 1] - in_air[:, 0]) * ~command.standing


def track_speed_exp(env: ManagerBasedRLEnv, std: float, relative: float, command_name: str) -> torch.Tensor:
    """Reward a small error ``e`` of the forward speed at a command ``v``: ``exp(-e^2 / (std + relative |v|)^2)``, (E,).

    Isaac Lab's term has one width for all commands: one that tells 0.3 m/s from standing gives a robot that walks when
    it should run nothing to climb. And it rewards the velocity to the left at each instant, so a gait that does not
    sway.

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

    The pelvis of somebody who runs at 2.5 m/s twists at up to 1.5 rad/s to either side.
    """
    return _kernel(_command(env, command_name).mean_error[:, 2:], std)


def track_heading_exp(env: ManagerBasedRLEnv, std: float, command_name: str) -> torch.Tensor:
    """Reward a small averaged heading error, ``exp(-e^2 / std^2)``, (E,); ``std`` in rad."""
    return _kernel(_command(env, command_name).mean_heading_error.unsqueeze(1), std)


def steps_while_standing(
    env: ManagerBasedRLEnv, command_name: str, sensor_cfg: Any, force_n: float = 1.0
) -> torch.Tensor:
    """Count the feet in the air of robots that are told to stand and have no reason to step, (E,)."""
    forces = env.scene.sensors[sensor_cfg.name].data.net_normal_forces_w.torch[:, sensor_cfg.body_ids]  # pyright: ignore[reportAttributeAccessIssue]
    in_air = (forces.norm(dim=-1) < force_n).sum(dim=1)
    return in_air * _command(env, command_name).calm


def motion_while_standing(env: ManagerBasedRLEnv, command_name: str, asset_cfg: Any) -> torch.Tensor:
    """Sum the squared joint velocities of robots that are told to stand and are not pushed, (E,) rad^2/s^2."""
    velocity = env.scene[asset_cfg.name].data.joint_vel.torch
    return velocity.square().sum(dim=1) * _command(env, command_name).calm


def mechanical_power(env: ManagerBasedRLEnv, asset_cfg: Any) -> torch.Tensor:
    """Sum the joints' mechanical power, positive and negative alike, (E,) W."""
    robot = env.scene[asset_cfg.name]
    return (robot.actuators.applied_effort.torch * robot.data.joint_vel.torch).abs().sum(dim=1)


def _width(command: LocomotionCommand, std: float, relative: float) -> torch.Tensor:
    return (std + relative * command.vel_command_b[:, 0].abs()).unsqueeze(1)


def _kernel(error: torch.Tensor, width: torch.Tensor | float) -> torch.Tensor:
    """Reward errors (E, n) by ``exp(-|error / width|^2)``, (E,)."""
    return torch.exp(-(error / width).square().sum(dim=1))


def _is_drawn(interval: tuple[float, float]) -> bool:
    """Whether values differ between draws; an exact command stays exact."""
    return interval[0] < interval[1]


def _command(env: ManagerBasedRLEnv, name: str) -> LocomotionCommand:
    term = env.command_manager.get_term(name)
    if not isinstance(term, LocomotionCommand):
        raise InputError(f"command '{name}' is a {type(term).__name__}; use a LocomotionCommandCfg for it")
    return term
