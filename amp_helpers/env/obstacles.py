"""What of a task keeps its control step from being recorded (:mod:`amp_helpers.env.captured`), found by trying it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import torch
import warp as wp
from isaaclab.actuators import ActuatorBase
from isaaclab.managers import CommandTerm
from isaaclab_newton.physics import NewtonCfg

from amp_helpers.env.by_mask import (
    apply_event,
    resample_command,
    reset_observations,
    reset_scene,
    reset_term,
    step_command,
)
from amp_helpers.env.captured import CapturedEnv
from amp_helpers.env.host_work import HostWork, no_host_work
from amp_helpers.env.kept import kept, settings, tensors, unread
from amp_helpers.env.masking import NoMaskError
from amp_helpers.env.named_terms import named_terms, term_name
from amp_helpers.errors import one_line

_SUCCESS = "['Metrics/success_rate']"
"""What Isaac Lab's velocity command logs in the environment itself, and a step by mask in its own way."""
_KEEPS_NOTHING = ("ActuatorBase", "ImplicitActuator", "IdealPDActuator")


def obstacle(env: CapturedEnv) -> str | None:
    """Name the first thing in a task that a recorded step cannot contain, and why; ``None`` where there is none.

    Each term is called, so the environment has to be reset afterwards, and opened anew where there is an obstacle: a
    term may have changed what a reset leaves, such as a weight. Random numbers are drawn as if it had not been.
    """
    if found := fixed_obstacle(env):
        return found
    devices = [env.device] if str(env.device).startswith("cuda") else []
    env.trying = True
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            return _called(env, list(_calls(env))) or _past_the_mask(env)
    finally:
        env.trying = False


def fixed_obstacle(env: CapturedEnv) -> str | None:
    """Name the first thing in the configuration of a task that cannot be recorded, without calling its terms."""
    return next(_unrecordable(env), None)


def _called(env: CapturedEnv, calls: Sequence[tuple[str, Callable[[], object]]]) -> str | None:
    """Name the first call that makes the host wait, raises, or changes what the host keeps."""
    for what, call in calls:  # once before, because first calls allocate and compile
        if reason := _raised(call):
            return f"{what}: {reason}"
    if drawing := _drawing(env):
        return drawing
    configured = _configured(env)
    if found := _watched(calls, partial(_kept, env)):
        return found
    if changed := _changed(configured, _configured(env)):
        return _watched(calls, partial(_configured, env)) or f"the task: it changes {changed}, which the host keeps"
    return None


def _watched(calls: Sequence[tuple[str, Callable[[], object]]], look: Callable[[], dict[str, object]]) -> str | None:
    """Name the first call that makes the host wait, raises, or changes what ``look`` returns."""
    before = look()
    for what, call in calls:
        with no_host_work():
            reason = _raised(call)
        if reason:
            return f"{what}: {reason}"
        now = look()
        if changed := _changed(before, now):
            return f"{what}: it changes {changed}, which the host keeps"
        before = now
    return None


def _raised(call: Callable[[], object]) -> str | None:
    try:
        call()
    except (HostWork, NoMaskError) as error:
        return str(error)
    except Exception as error:  # of a user's term, which Isaac Lab's step may call in another way
        return f"called for all environments, it raises {one_line(f'{type(error).__name__}: {error}', 150)}"
    return None


def _kept(env: CapturedEnv) -> dict[str, object]:
    terms = list(_terms(env))
    parameters = {name: value for _, _, named in terms for name, value in named.items()}
    found = kept(env.term_objects(), [function for _, function, _ in terms], parameters)
    return {name: value for name, value in found.items() if _SUCCESS not in name}


def _changed(before: dict[str, object], now: dict[str, object]) -> str | None:
    def differs(name: str) -> bool:
        then, later = before.get(name), now.get(name)
        return then is not later and then != later  # NaN is not equal to itself

    return min(filter(differs, before.keys() | now.keys()), default=None)


def _configured(env: CapturedEnv) -> dict[str, object]:
    objects = {f"{what}.cfg": term.cfg for what, term in _objects(env)}
    return settings(dict(_configurations(env)) | objects)


def _drawing(env: CapturedEnv) -> str | None:
    """Name the first term that can advance an iterator, whether or not it has done so."""
    objects = env.term_objects()
    terms = ((what, [function], parameters) for what, function, parameters in _terms(env))
    for what, parts, parameters in (("the environment", [env], {}), *terms, ("the task", objects, {})):
        owners = [part for part in parts if any(part is owner for owner in objects)]
        if names := unread(owners, parts, parameters):
            return f"{what}: it can draw on {names[0]}, whose next value only the host knows"
    return None


def _terms(env: CapturedEnv) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Everything that a step is made of: its name, the function or object, and its parameters by name."""
    for what, term in _configurations(env):
        yield what, term.func, {f"{what}.params[{key!r}]": value for key, value in term.params.items()}
    for what, term in _objects(env):
        yield what, term, {}


def _configurations(env: CapturedEnv) -> Iterator[tuple[str, Any]]:
    """The configurations of terms that are functions, or called like one, by the names of the terms."""
    yield from named_terms(env.termination_manager, env.reward_manager)
    yield from _events(env)
    yield from named_terms(env.observation_manager)


def _objects(env: CapturedEnv) -> Iterator[tuple[str, Any]]:
    """The terms that are always objects by name."""
    return named_terms(env.action_manager, env.command_manager)


def _events(env: CapturedEnv, modes: Collection[str] = ("reset", "interval")) -> Iterator[tuple[str, Any]]:
    """The events that a step applies, by name."""
    return ((what, term) for what, term in named_terms(env.event_manager) if term.mode in modes)


def _unrecordable(env: CapturedEnv) -> Iterator[str]:
    """Yield what the configuration has that cannot be recorded."""
    if not isinstance(env.cfg.sim.physics, NewtonCfg):
        yield "the physics: it is not Newton's"
    for what, _ in named_terms(env.curriculum_manager):
        yield f"{what}: a curriculum is computed by the host"
    for what, _ in named_terms(env.recorder_manager):
        yield f"{what}: a recorder writes from the host"
    for kind in ("deformable_objects", "surface_grippers", "cable_objects", "rigid_object_collections"):
        for name in getattr(env.scene, kind, {}):
            yield f"'{name}' of the scene: {kind.replace('_', ' ')} cannot be reset by mask"
    for name, asset in env.scene.articulations.items():
        native = getattr(asset, "newton_actuator_adapter", None)
        for group, actuator in asset.actuators.items():
            if _keeps_state(actuator) or (native is not None and native.is_stateful):
                yield f"actuator '{group}' of '{name}': what it remembers cannot be reset by mask"
    for what, term in _events(env, ["reset"]):
        if term.min_step_count_between_reset:
            yield f"{what}: its min_step_count_between_reset is counted by the host"
    for what, term in _events(env, ["interval"]):
        if term.is_global_time:
            yield f"{what}: its time is global, and counted by the host"
    for group, buffers in env.observation_manager._group_obs_term_delay_buffer.items():
        for name in buffers:
            yield f"{term_name(env.observation_manager, name, group)}: its delay cannot be reset by mask"
    for what, command in named_terms(env.command_manager):
        if type(command).compute is not CommandTerm.compute:
            yield f"{what}: its class has a compute() of its own"


def _keeps_state(actuator: Any) -> bool:
    own = isinstance(actuator, ActuatorBase)  # otherwise Newton computes it
    return own and type(actuator).reset.__qualname__.split(".")[0] not in _KEEPS_NOTHING


def _calls(env: CapturedEnv) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that a step calls, each with the name of its term."""
    yield from _computations(env)
    yield "the actuators", env.scene.write_data_to_sim
    yield "the scene", lambda: reset_scene(env.scene, torch.zeros_like(env.reset_buf))
    yield from _masked_calls(env)
    for what, command in named_terms(env.command_manager):
        yield what, lambda command=command: step_command(command, env.step_dt)
    for group in env.observation_manager.active_terms:
        yield f"observations '{group}'", lambda group=group: env.observation_manager.compute_group(group)


def _computations(env: CapturedEnv) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a step computes of all environments, each with the name of its term."""

    def calling(term: Any) -> Callable[[], object]:
        return lambda: term.func(env, **term.params)

    for what, action in named_terms(env.action_manager):
        yield what, lambda action=action: action.process_actions(torch.zeros_like(action.raw_actions))
        yield what, action.apply_actions
    for what, term in named_terms(env.termination_manager, env.reward_manager, env.observation_manager):
        yield what, calling(term)


def _masked_calls(env: CapturedEnv) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a step does to some of the environments, done to none, each with the name of its term."""
    nowhere = torch.zeros_like(env.reset_buf)
    for what, action in named_terms(env.action_manager):
        yield what, lambda action=action: reset_term(action, nowhere)
    for manager in (env.termination_manager, env.reward_manager):
        for what, term in named_terms(manager):
            if term in manager._class_term_cfgs:
                yield what, lambda term=term: reset_term(term.func, nowhere)
    for what, term in _events(env):
        yield what, lambda term=term: apply_event(env, term, nowhere)
    for term in (term for terms in env.event_manager._mode_class_term_cfgs.values() for term in terms):
        yield f"event {type(term.func).__name__}", lambda term=term: reset_term(term.func, nowhere)
    for what, command in named_terms(env.command_manager):
        yield what, lambda command=command: reset_term(command, nowhere)
        yield what, lambda command=command: resample_command(command, nowhere)
    yield "the observations", lambda: reset_observations(env.observation_manager, nowhere)


_WRITTEN = (
    "_default_",
    "_sim_bind_joint_",
    "_sim_bind_body_mass",
    "_sim_bind_body_inertia",
    "_sim_bind_body_com_pos_b",
)
"""Beginnings of the names of an asset's arrays that only terms write to."""


def _past_the_mask(env: CapturedEnv) -> str | None:
    """Name a term that, called for no environment, has changed something nevertheless."""
    for _, compute in _computations(env):  # so that a reset has something to change
        compute()
    before = {name: value.clone() for name, value in _values(env).items()}
    for what, call in _masked_calls(env):
        call()
        now = _values(env)
        for name, value in now.items():
            if name in before and not torch.equal(*(part.nan_to_num(1e9) for part in (before[name], value))):
                return f"{what}: it changes {name} of environments that it is not called with"
        before |= {name: value.clone() for name, value in now.items() if name not in before}
    return None


def _values(env: CapturedEnv) -> dict[str, torch.Tensor]:
    """Every tensor that a term could write to by indices: the simulator's, the terms' and the managers'."""
    found = tensors(_kept(env))
    assets: dict[str, Any] = {**env.scene.articulations, **env.scene.rigid_objects}
    for name, asset in assets.items():
        data = asset.data
        read = {"pose": data.root_link_pose_w, "velocity": data.root_com_vel_w}
        if name in env.scene.articulations:
            read |= {"joint positions": data.joint_pos, "joint velocities": data.joint_vel}
        found |= {f"the {part} of '{name}'": array.torch for part, array in read.items()}
        for attribute, array in vars(data).items():
            if isinstance(array, wp.array) and attribute.startswith(_WRITTEN) and array.size:
                found[f"'{name}'.{attribute}"] = wp.to_torch(array)
    holders = [env.action_manager, env.reward_manager, env.termination_manager, env.command_manager]
    for holder in (*holders, *filter(None, [env.scene.terrain])):
        for attribute, value in vars(holder).items():
            if isinstance(value, torch.Tensor):
                found[f"{type(holder).__name__}.{attribute}"] = value
    return found
