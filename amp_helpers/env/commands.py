"""A velocity command for standing, going straight and turning, with the errors of following it and a gait clock."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.envs.mdp import UniformVelocityCommand, UniformVelocityCommandCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_apply_inverse, wrap_to_pi, yaw_quat

from amp_helpers.amp_state.asset import root_lin_vel_w
from amp_helpers.amp_state.state import COMMAND_BLUR, blur_commands
from amp_helpers.env.mdp import reference_states
from amp_helpers.env.stride import G1_STRIDES, leg_phase, stride_duration
from amp_helpers.motion.stride import Pair, StrideLaw


class LocomotionCommand(UniformVelocityCommand):
    """Isaac Lab's velocity command with a share of straight commands, turns that a robot can follow, and errors.

    No command is to stand or to turn on the spot where the ranges leave out the speeds below ``min_speed``, as for a
    dataset of one run.

    An episode that starts in a reference state first gets the command which that clip is a reference for. Rewards and
    the value function get averaged errors: a gait sways and twists by more than its mean is off, and a reward for the
    velocity of each instant would pay for short, quick steps that neither sway nor twist.
    """

    cfg: "LocomotionCommandCfg"

    def __init__(self, cfg: "LocomotionCommandCfg", env: ManagerBasedRLEnv) -> None:
        super().__init__(cfg, env)
        self.mean_error = torch.zeros(self.num_envs, 3, device=self.device)
        """Exponential average of ``velocity_error`` over ``error_time_s``, (E, 3) m/s, rad/s."""
        self.heading_error = torch.zeros(self.num_envs, device=self.device)
        """Heading less the integral of the commanded turn since the command was drawn, (E,) rad in -pi..pi."""
        self.mean_heading_error = torch.zeros(self.num_envs, device=self.device)
        """Exponential average of ``heading_error`` over ``error_time_s``, (E,) rad."""
        # In double precision: rounding adds up over an episode, and a controller counts in double precision too.
        self.phase = torch.zeros(self.num_envs, dtype=torch.float64, device=self.device)
        """Part of the stride that has passed, (E,) in 0..1: the left foot comes down at 0, the right one at 0.5. It
        does not change while the command is to stand."""
        self._heading = torch.zeros(self.num_envs, device=self.device)
        self.legs = self._pair(cfg.hip_joints), self._pair(cfg.knee_joints)
        """Columns of the left and right hip joint, and of the left and right knee joint."""

    def _pair(self, names: tuple[str, str]) -> Pair:
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
        """Environments that are to stand still, (E,) bool."""
        return (self.vel_command_b == 0).all(dim=1)

    @property
    def calm(self) -> torch.Tensor:
        """Environments that are to stand and whose root is slower than ``calm_speed``, (E,) bool."""
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
        return torch.stack((angle.sin(), angle.cos()), dim=1).float()

    @property
    def stride_s(self) -> torch.Tensor:
        """Duration of a stride of the references at the command, (E,) s."""
        forward, turn = self.vel_command_b[:, 0].double(), self.vel_command_b[:, 2].double()
        return stride_duration(forward, turn, self.cfg.strides)

    def reset(self, env_ids: Sequence[int] | None = None) -> dict[str, torch.Tensor]:
        rows: Any = slice(None) if env_ids is None else env_ids
        extras = super().reset(env_ids)
        self.mean_error[rows] = 0.0
        self._follow_reference(rows)
        data = self.robot.data
        joints = data.joint_pos.torch[rows], data.joint_vel.torch[rows]
        self.phase[rows] = leg_phase(*joints, self.stride_s[rows], self.legs, self.cfg.strides.knee_share)
        return extras

    def _follow_reference(self, env_ids: Any) -> None:
        """Give episodes that started in a reference state the command of that clip, blurred."""
        term = reference_states(self._env)
        if term is None or term.commands is None:
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
        if self.cfg.slowest():  # every command moves
            self.is_standing_env[env_ids] = False
        elif _is_drawn(self.cfg.ranges.lin_vel_x):
            forward = torch.where(in_place | (forward.abs() < self.cfg.min_speed), 0.0, forward)
        if _is_drawn(self.cfg.ranges.ang_vel_z):
            # v w is the acceleration towards the center of the arc.
            most = self.cfg.max_lateral_acceleration / forward.abs().clamp(min=1e-3)
            turn = torch.where(straight, 0.0, torch.minimum(torch.maximum(turn, -most), most))
        self.vel_command_b[env_ids] = torch.stack((forward, command[:, 1], turn), dim=1)
        self._heading[env_ids] = self.robot.data.heading_w.torch[env_ids]
        self.heading_error[env_ids] = 0.0
        self.mean_heading_error[env_ids] = 0.0

    def _slower(self, forward: torch.Tensor) -> torch.Tensor:
        """Uniform draws (n,) from the range of speeds, m/s, moved towards its slowest one by ``speed_exponent``."""
        low, high = self.cfg.ranges.lin_vel_x
        if not _is_drawn((low, high)):
            return forward
        slowest = min(max(0.0, low), high)
        most = torch.where(forward < slowest, low - slowest, high - slowest)
        share = torch.where(most == 0, 0.0, (forward - slowest) / most).clamp(0, 1)
        return slowest + most * share**self.cfg.speed_exponent

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
    """Slower commands, forward or backward, become 0, m/s. Where the ranges leave them out, ``rel_standing_envs`` and
    ``rel_in_place_envs`` have no effect."""
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
    """Joints that swing the left and the right thigh, negative forwards; the right one first where positive is
    forwards. The phase of an episode's first state is read from hips and knees."""
    knee_joints: tuple[str, str] = ("left_knee_joint", "right_knee_joint")
    """Joints that bend the left and the right knee, positive bent; the right one first where negative is bent."""
    strides: StrideLaw = G1_STRIDES
    """Durations of the references' strides, by which the clock runs."""
    reference_jitter: tuple[float, float] = COMMAND_BLUR
    """Largest difference between the command of an episode that starts in a reference state and that of its clip, m/s
    and rad/s; a clip that stands keeps its command."""

    def slowest(self) -> float:
        """Size of the slowest forward or backward speed that is drawn, m/s; 0 where a command may be to stand."""
        low, high = self.ranges.lin_vel_x
        least = max(low, -high)
        return least if least >= self.min_speed else 0.0

    def drawn_turns(self) -> tuple[float, float]:
        """Lowest and highest turning speed that is drawn at any speed, rad/s."""
        low, high = self.ranges.ang_vel_z
        if not _is_drawn((low, high)) or not self.slowest():
            return low, high
        most = self.max_lateral_acceleration / self.slowest()
        return max(low, -most), min(high, most)

    def lateral_limit(self) -> float | None:
        """``max_lateral_acceleration`` where it leaves out some commands within the ranges, or None."""
        if not _is_drawn(self.ranges.ang_vel_z):
            return None
        most = max(map(abs, self.ranges.lin_vel_x)) * max(map(abs, self.drawn_turns()))
        return self.max_lateral_acceleration if most > self.max_lateral_acceleration else None


def _is_drawn(interval: tuple[float, float]) -> bool:
    """Whether values differ between draws; an exact command stays exact."""
    return interval[0] < interval[1]
