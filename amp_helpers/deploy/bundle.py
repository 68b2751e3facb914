"""Describe a policy's task for a controller: ``deploy.json``, read from an environment's own managers."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from isaaclab.actuators import IdealPDActuatorCfg, ImplicitActuatorCfg, resolve_joint_parameter
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.envs.mdp import JointPositionAction

from amp_helpers.amp_state.asset import robot_name, scene_robot
from amp_helpers.amp_state.commands import COMPONENTS, velocity_commands
from amp_helpers.amp_state.observation_group import ObservationTerm, observation_terms
from amp_helpers.amp_state.terms import function_name
from amp_helpers.deploy.limits import LATERAL_LIMIT
from amp_helpers.deploy.network import InputColumns
from amp_helpers.env.commands import LocomotionCommandCfg
from amp_helpers.errors import InputError
from amp_helpers.joints import JointOrder

FORMAT = 1
"""Of ``deploy.json``."""
NAMES = {
    "base_lin_vel": "base_lin_vel",
    "base_ang_vel": "base_ang_vel",
    "projected_gravity": "projected_gravity",
    "generated_commands": "velocity_commands",
    "steered_commands": "velocity_commands",
    "gait_clock": "gait_clock",
    "joint_pos_rel": "joint_pos_rel",
    "joint_pos": "joint_pos_rel",
    "joint_vel_rel": "joint_vel_rel",
    "joint_vel": "joint_vel_rel",
    "last_action": "last_action",
}
"""Function of an observation term -> its name in a bundle. A term is recognized by its function; its name is free."""
_FALLS = {"bad_orientation": ("tilt", "limit_angle"), "root_height_below_minimum": ("root_height", "minimum_height")}
"""Function of a termination -> its key in a bundle, and its parameter."""


def deploy_facts(env: ManagerBasedRLEnv) -> tuple[dict[str, Any], list[str]]:
    """Read what ``deploy.json`` states about the task from an environment, and warnings, a sentence each.

    Args:
        env: an open environment whose physics is not randomized, so that gains are the nominal ones.

    Raises:
        InputError: an observation cannot be computed on a robot, or an action is not a joint position target.
    """
    names, scale, offset = _actions(env)
    robot = scene_robot(env)
    fall, untold = _fall(env)
    index = JointOrder(tuple(names)).indices_from(tuple(robot.joint_names))
    default = robot.data.default_joint_pos.torch[0].cpu().numpy()[index]
    limits = robot.data.joint_pos_limits.torch[0].cpu().numpy()[index]
    gains, notes = _gains(robot)
    observation, seen = _observation(env, names)
    facts = {
        "format": FORMAT,
        "control_dt": round(float(env.step_dt), 9),
        "physics_dt": round(float(env.physics_dt), 9),
        "joint_names": names,
        "default_joint_pos": _numbers(default),
        **{name: _numbers(values[index]) for name, values in gains.items()},
        "action_scale": _numbers(scale),
        "action_offset": _numbers(offset),
        "joint_limits": [[_finite(low), _finite(high)] for low, high in limits],
        "observation": observation,
        "commands": _ranges(env),
        **_lateral_limit(env),
        "root_height": _numbers(robot.data.default_root_pose.torch[0, 2:3].cpu().numpy())[0],
        "fall": fall,
    }
    return facts, notes + seen + untold


def input_columns(env: ManagerBasedRLEnv) -> InputColumns:
    """Return what turns a bundle's observation, in SI units and unscaled, into the one that the task computes."""
    shift, low, high, scale = ([] for _ in range(4))
    default = scene_robot(env).data.default_joint_pos.torch[0].cpu()
    order = tuple(scene_robot(env).joint_names)
    for term in observation_terms(env):
        cfg, width = _term_cfg(env, term), term.width
        moved = torch.zeros(width)
        if term.function == "joint_pos":
            moved = default[list(JointOrder(term.joint_names).indices_from(order))]
        limits = cfg.clip or (-math.inf, math.inf)
        factor = torch.as_tensor(1.0 if cfg.scale is None else cfg.scale, dtype=torch.float32).cpu().expand(width)
        for _ in range(term.frames):
            shift.append(moved)
            low.append(torch.full((width,), float(limits[0])))
            high.append(torch.full((width,), float(limits[1])))
            scale.append(factor)
    return InputColumns(*(torch.cat(parts) for parts in (shift, low, high, scale)))


def action_limits(env: ManagerBasedRLEnv) -> torch.Tensor | None:
    """Return what the task clips its joint position targets to, (A, 2) rad; None where it does not."""
    terms: list[Any] = [env.action_manager.get_term(name) for name in env.action_manager.active_terms]
    if all(term.cfg.clip is None for term in terms):
        return None
    free = torch.tensor([[-math.inf, math.inf]])
    return torch.cat([free.expand(t.action_dim, 2) if t.cfg.clip is None else t._clip[0].cpu() for t in terms])


def _actions(env: ManagerBasedRLEnv) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return joint names, scale and offset of each action."""
    names: list[str] = []
    scales, offsets = [], []
    for name in env.action_manager.active_terms:
        term: Any = env.action_manager.get_term(name)
        if not isinstance(term, JointPositionAction) or term.cfg.asset_name != robot_name(env):
            raise InputError(
                f"action '{name}' is a {type(term).__name__}, and a bundle holds joint position targets of the robot; "
                "export a policy of a task with JointPositionActionCfg"
            )
        names += term._joint_names
        for found, value in ((scales, term._scale), (offsets, term._offset)):
            row = value[0] if isinstance(value, torch.Tensor) else torch.tensor(float(value))
            found.append(row.cpu().expand(term.action_dim).numpy())
    if len(set(names)) != len(names):
        raise InputError("the actions drive a joint twice; export a policy of a task that drives each joint once")
    return names, np.concatenate(scales), np.concatenate(offsets)


def _gains(robot: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return gains, armature and effort limits in the simulator's order of joints."""
    data, notes = robot.data, []
    gains = {
        "stiffness": data.joint_stiffness,
        "damping": data.joint_damping,
        "armature": data.joint_armature,
        "effort_limit": data.joint_effort_limits,
    }
    gains = {name: values.torch[0].cpu().numpy().copy() for name, values in gains.items()}
    for group, cfg in robot.cfg.actuators.items():
        if isinstance(cfg, ImplicitActuatorCfg):
            continue
        # The simulator knows nothing of the gains of explicit actuators: their torques are computed outside it.
        ids, joints = robot.find_joints(cfg.joint_names_expr)
        limits = (cfg.actuator_effort_limit, cfg.joint_effort_limit, cfg.effort_limit, cfg.effort_limit_sim)
        limit = next((value for value in limits if value is not None), None)
        for name, value in (("stiffness", cfg.stiffness), ("damping", cfg.damping), ("effort_limit", limit)):
            if value is not None:
                row = resolve_joint_parameter(value, None, joints, 1, "cpu")
                gains[name][np.asarray(ids)] = row[0].cpu().numpy()
        if type(cfg) is not IdealPDActuatorCfg:
            notes.append(
                f"actuators '{group}' ({type(cfg).__name__}) do more than stiffness and damping say; model the rest on "
                "your side, or train with ImplicitActuatorCfg"
            )
    return gains, notes


def _observation(env: ManagerBasedRLEnv, names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return ``observation``, and warnings."""
    entries, notes = [], []
    for term in observation_terms(env):
        cfg = _term_cfg(env, term)
        if term.function not in NAMES or (term.function != "last_action" and term.asset != robot_name(env)):
            raise InputError(
                f"observation '{term.name}' ({term.function} of '{term.asset}') cannot be computed on a robot; export "
                f"a policy that observes {', '.join(NAMES)}"
            )
        if getattr(cfg, "modifiers", None):
            raise InputError(f"observation '{term.name}' has modifiers, which a bundle lacks; train without them")
        entry: dict[str, Any] = {"name": NAMES[term.function], "size": term.width, "history": term.frames}
        joints = list(term.joint_names) or _acting_joints(env, term, cfg, names)
        _check_driven(term, joints, names)
        if joints and joints != names:
            entry["joint_names"] = joints
        if entry["name"] == "velocity_commands":
            entry |= _steering(env, term, cfg, entry["size"])
        if entry["name"] == "gait_clock":
            entry |= _clock(env, term, cfg, names)
        if entry["name"] == "base_lin_vel":
            notes.append(
                f"the policy observes the base's linear velocity ('{term.name}'), which no sensor measures: the robot "
                "needs a state estimator, and step() takes its estimate as base_lin_vel"
            )
        entries.append(entry)
    return entries, notes


def _check_driven(term: ObservationTerm, joints: Sequence[str], names: Sequence[str]) -> None:
    if undriven := [name for name in joints if name not in names]:
        raise InputError(
            f"observation '{term.name}' holds {', '.join(undriven)}, which no action drives; export a policy that "
            "observes the joints it drives"
        )


def _acting_joints(env: ManagerBasedRLEnv, term: ObservationTerm, cfg: Any, names: list[str]) -> list[str]:
    """Joints of a ``last_action`` term; none of any other."""
    if term.function != "last_action":
        return []
    chosen = cfg.params.get("action_name")
    return names if chosen is None else list(env.action_manager.get_term(chosen)._joint_names)  # pyright: ignore


def _steering(env: ManagerBasedRLEnv, term: ObservationTerm, cfg: Any, size: int) -> dict[str, float]:
    """Check that a term is a velocity command, and return how its turn is corrected."""
    command = _velocity_cfg(env, cfg.params.get("command_name"))
    if command is None or size != 3:
        raise InputError(
            f"observation '{term.name}' is no velocity command (forward, left, turn); export a policy of a task that "
            "is commanded by a UniformVelocityCommandCfg"
        )
    if term.function != "steered_commands":
        return {}
    command = _locomotion_cfg(env, term, cfg)
    return {"heading_gain": command.heading_gain, "max_correction": command.max_correction}


def _clock(env: ManagerBasedRLEnv, term: ObservationTerm, cfg: Any, names: list[str]) -> dict[str, Any]:
    """Return how the phase of a stride is counted, and the joints that its first value is read from."""
    command = _locomotion_cfg(env, term, cfg)
    _check_driven(term, (*command.hip_joints, *command.knee_joints), names)
    return {
        "stride": asdict(command.strides),
        "hip_joints": list(command.hip_joints),
        "knee_joints": list(command.knee_joints),
    }


def _locomotion_cfg(env: ManagerBasedRLEnv, term: ObservationTerm, cfg: Any) -> LocomotionCommandCfg:
    command = _velocity_cfg(env, cfg.params.get("command_name"))
    if not isinstance(command, LocomotionCommandCfg):
        raise InputError(
            f"observation '{term.name}' ({term.function}) has a command that is a {type(command).__name__}; "
            "use a LocomotionCommandCfg for it"
        )
    return command


def _velocity_cfg(env: ManagerBasedRLEnv, name: str | None) -> Any:
    return dict(velocity_commands(env.cfg)).get(name or "")


def _ranges(env: ManagerBasedRLEnv) -> dict[str, list[float]]:
    """The commands that the task draws; of normal distributions, those within two standard deviations.

    Turns are those at the slowest speed; at a higher one, :func:`_lateral_limit` leaves less.
    """
    commands = list(velocity_commands(env.cfg))
    if not commands:
        return {"forward": [0.0, 0.0], "turn": [0.0, 0.0]}
    ranges = commands[0][1].ranges
    if hasattr(ranges, "lin_vel_x"):
        intervals = [getattr(ranges, part) for part in COMPONENTS]
        if isinstance(commands[0][1], LocomotionCommandCfg):
            intervals[2] = commands[0][1].drawn_turns()
    else:  # NormalVelocityCommand flips the sign of half of its draws
        farthest = [abs(mean) + 2 * std for mean, std in zip(ranges.mean_vel, ranges.std_vel, strict=True)]
        intervals = [(-speed, speed) for speed in farthest]
    forward, left, turn = ([float(value) for value in interval] for interval in intervals)
    return {"forward": forward, "turn": turn} | ({"left": left} if any(left) else {})


def _lateral_limit(env: ManagerBasedRLEnv) -> dict[str, float]:
    """The limit of forward speed times turn, m/s^2, by its key, where the task draws only a part of the ranges."""
    command = next((cfg for _, cfg in velocity_commands(env.cfg)), None)
    limit = command.lateral_limit() if isinstance(command, LocomotionCommandCfg) else None
    return {} if limit is None else {LATERAL_LIMIT: float(limit)}


def _fall(env: ManagerBasedRLEnv) -> tuple[dict[str, float], list[str]]:
    """Return what ends an episode, the root's ``tilt``, rad, or ``root_height``, m; and warnings."""
    fall, notes = {}, []
    manager = env.termination_manager
    for name in manager.active_terms:
        cfg: Any = manager.get_term_cfg(name)
        function = function_name(cfg.func)
        if function in _FALLS:
            key, parameter = _FALLS[function]
            fall[key] = float(cfg.params[parameter])
        elif not cfg.time_out:
            notes.append(
                f"termination '{name}' ({function}) is not in the bundle: plain MuJoCo tells falls by the root's tilt "
                "and height"
            )
    return fall, notes


def _term_cfg(env: ManagerBasedRLEnv, term: ObservationTerm) -> Any:
    cfg: Any = env.observation_manager.cfg
    return getattr((cfg if isinstance(cfg, dict) else vars(cfg))["policy"], term.name)


def _finite(value: float) -> float | None:
    """A limit as JSON has it: null where there is none."""
    return _numbers(np.array([value]))[0] if abs(value) < 1e6 else None


def _numbers(values: np.ndarray) -> list[float]:
    """Numbers that JSON prints as briefly as float32 allows."""
    return [float(str(np.float32(value))) for value in values]
