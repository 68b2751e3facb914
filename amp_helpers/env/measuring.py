"""The rules by which a policy is measured, on any manager-based task.

Every environment gets the same constant command and no disturbance, so that two policies, or two tasks, can be
compared. Isaac Lab's own ``play_mode`` is for watching a policy: it caps the number of environments at 50, and what
else it switches off is up to the task.
"""

import math
from dataclasses import dataclass
from typing import Any

import isaaclab.envs.mdp as lab
import torch
from isaaclab.envs import ManagerBasedEnv
from isaaclab.managers import EventTermCfg, SceneEntityCfg

from amp_helpers.amp_state.commands import velocity_commands
from amp_helpers.amp_state.terms import function_name, set_term, terms
from amp_helpers.env.command_range import command_velocity
from amp_helpers.env.held_command import held
from amp_helpers.env.mdp import reset_robot
from amp_helpers.errors import InputError
from amp_helpers.metrics.conditions import PUSH_INTERVAL_S, PUSH_MPS, START_NOISE_RAD

NEVER_S = 1e9
"""Resampling time of a command that stays, s."""

_DISTURBANCES = ("apply_external_force_torque", "push_by_setting_velocity")


@dataclass(frozen=True, kw_only=True)
class MeasuringRules:
    """What :func:`configure_for_measuring` sets."""

    forward: float | None = None
    """Commanded forward speed, m/s; ``None`` leaves the task's commands as they are."""
    turn: float = 0.0
    """Commanded turning speed, rad/s, left positive; with ``forward`` only."""
    pushes: bool = False
    """Push every robot by ``PUSH_MPS`` in a random horizontal direction every ``PUSH_INTERVAL_S``."""
    randomize: bool = False
    """Keep what the task randomizes in training: masses, friction, gains and the like, observation noise, and its own
    events at intervals, such as pushes."""


def configure_for_measuring(
    cfg: Any, rules: MeasuringRules = MeasuringRules(), task: str = "", asset: str = "robot"
) -> list[str]:
    """Configure an environment for measuring: changes ``cfg`` in place.

    - Every event at an interval is off, and so are curricula; ``rules.pushes`` adds the same push on every task.
    - Events that randomize (``randomize_...``) or disturb are off, and observations have no noise.
    - With ``rules.randomize``, events that randomize, noise, and events at intervals stay as the task has them; with
      ``rules.pushes`` too, the pushes are those of the rules alone.
    - Episodes start in the default state, joints within ``START_NOISE_RAD`` of it where the task draws them.
    - The velocity command is (``forward``, 0, ``turn``) in every environment for the whole episode: no standing
      share, no heading control, no resampling. It is recognized by its kind; its name is free.

    Args:
        cfg: configuration of a manager-based environment.
        rules: what to measure under.
        task: the task's name, for messages.
        asset: the robot's name in the scene.

    Returns:
        What these rules could not set, a sentence each.

    Raises:
        InputError: the task has no velocity command to set, or nothing to randomize.
    """
    notes = _set_events(cfg, rules, task, asset)
    if getattr(cfg, "curriculum", None) is not None:
        cfg.curriculum = None
    for _, group in terms(cfg.observations):
        if hasattr(group, "enable_corruption") and not rules.randomize:
            group.enable_corruption = False
    if rules.forward is not None:
        notes += command_velocity(cfg, (rules.forward, rules.forward), rules.turn, task)
        for _, command in velocity_commands(cfg):
            _hold(command)
    return notes


def reference_event(cfg: Any) -> EventTermCfg | None:
    """Return the event that resets to reference states, recognized by its class; its name is free."""
    for _, event in terms(cfg.events):
        if _is_reset_robot(event):
            return event
    return None


def push_robot(env: ManagerBasedEnv, env_ids: torch.Tensor, speed: float, asset_cfg: SceneEntityCfg) -> None:
    """Add a horizontal velocity of this size, m/s, in a random direction to the root: an event term."""
    asset = env.scene[asset_cfg.name]
    velocity = asset.data.root_vel_w.torch[env_ids]
    angle = torch.rand(len(velocity), device=velocity.device) * 2 * math.pi
    velocity[:, :2] += speed * torch.stack((angle.cos(), angle.sin()), dim=-1)
    asset.write_root_velocity_to_sim_index(root_velocity=velocity, env_ids=env_ids)


def _set_events(cfg: Any, rules: MeasuringRules, task: str, asset: str) -> list[str]:
    notes: list[str] = []
    randomized = _is_noisy(cfg)
    for name, event in list(terms(cfg.events)):
        function = function_name(event.func)
        if event.mode == "interval":
            if not rules.randomize or (rules.pushes and function in _DISTURBANCES):
                set_term(cfg.events, name, None)
            else:
                randomized = True
        elif function.startswith("randomize_") or function in _DISTURBANCES:
            randomized |= function.startswith("randomize_")
            if not rules.randomize:
                set_term(cfg.events, name, None)
        elif event.mode != "reset" or not _start_at_rest(event, function):
            notes.append(f"event '{name}' ({function}, at {event.mode}) stays as the task has it")
    if rules.randomize and not randomized:
        raise InputError(
            f"task '{task}' has no noise and no event that randomizes anything; measure without randomization"
        )
    if rules.pushes:
        push = EventTermCfg(
            func=push_robot,
            mode="interval",
            interval_range_s=(PUSH_INTERVAL_S, PUSH_INTERVAL_S),
            params={"speed": PUSH_MPS, "asset_cfg": SceneEntityCfg(asset)},
        )
        cfg.events = {} if cfg.events is None else cfg.events
        set_term(cfg.events, "measuring_push", push)
    return notes


def _is_noisy(cfg: Any) -> bool:
    """Whether an observation has noise."""
    groups = (group for _, group in terms(cfg.observations) if getattr(group, "enable_corruption", False))
    return any(getattr(term, "noise", None) is not None for group in groups for _, term in terms(group))


def _start_at_rest(event: EventTermCfg, function: str) -> bool:
    """Make a reset term start in the default state; False for a term that is not known."""
    params: dict[str, Any] = event.params
    if _is_reset_robot(event):
        rest = {"share": 0.0, "yaw": 0.0, "forward": (0.0, 0.0), "sideways": (0.0, 0.0), "joint_noise": START_NOISE_RAD}
        params.update({key: value for key, value in rest.items() if key in params})
    elif function in ("reset_joints_by_scale", "reset_joints_by_offset", "reset_joints_within_limits_range"):
        kept = {key: value for key, value in params.items() if key == "asset_cfg"}
        event.func = lab.reset_joints_by_offset
        event.params = kept | {"position_range": (-START_NOISE_RAD, START_NOISE_RAD), "velocity_range": (0.0, 0.0)}
    elif function in ("reset_root_state_uniform", "reset_root_state_with_random_orientation"):
        low, high = params["pose_range"].get("z", (0.0, 0.0))
        event.func = lab.reset_root_state_uniform  # pyright: ignore[reportAttributeAccessIssue]  (a class is taken too)
        params |= {"pose_range": {"z": ((low + high) / 2,) * 2}, "velocity_range": {}}
    elif function == "reset_root_state_from_terrain":
        params |= {"pose_range": {}, "velocity_range": {}}
    else:
        return function == "reset_scene_to_default"
    return True


def _is_reset_robot(event: EventTermCfg) -> bool:
    return isinstance(event.func, type) and issubclass(event.func, reset_robot)


def _hold(command: Any) -> None:
    """Leave a velocity command nothing to draw: no heading control, no standing share, no resampling."""
    command.class_type = held(command.class_type)
    command.resampling_time_range = (NEVER_S, NEVER_S)
    if hasattr(command, "heading_command"):
        command.heading_command = False
    if type(command) is lab.UniformVelocityCommandCfg:  # which would warn about it; a user's class may read it
        command.ranges.heading = None
    for name in vars(command):
        if name.startswith("rel_") and name.endswith("_envs"):
            setattr(command, name, 0.0)
