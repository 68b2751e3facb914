"""What of a task keeps its control step from being recorded (:mod:`amp_helpers.env.captured`), found by trying it."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from isaaclab.actuators import ActuatorBase
from isaaclab.managers import CommandTerm

from amp_helpers.env.captured import CapturedEnv, apply_event, reset_observations, reset_scene, reset_term, step_command
from amp_helpers.env.host_work import HostWork, NoHostWork
from amp_helpers.env.masking import NoMaskError

MODES = ("reset", "interval")
_PLAIN = (bool, int, float, str, type(None))
_KEEPS_NOTHING = ("ActuatorBase", "ImplicitActuator", "IdealPDActuator")


def obstacle(env: CapturedEnv) -> str | None:
    """Name the first thing in a task that a recorded step cannot contain, and why; ``None`` where there is none.

    Each term is called, so the environment has to be reset afterwards. Random numbers are drawn as if it had not been.
    """
    settings = next(_settings(env), None)
    if settings:
        return settings
    devices = [env.device] if str(env.device).startswith("cuda") else []
    env.trying = True
    try:
        with torch.no_grad(), torch.random.fork_rng(devices):
            return next(filter(None, (_try(env, *named) for named in _calls(env))), None) or _past_the_mask(env)
    finally:
        env.trying = False


def _try(env: CapturedEnv, what: str, call: Callable[[], object]) -> str | None:
    try:
        call()  # once before, because first calls allocate and compile
        before = _kept(env)
        with NoHostWork():
            call()
    except (HostWork, NoMaskError) as error:
        return f"{what}: {error}"
    changed = {name for name, value in _kept(env).items() if before.get(name) != value}
    return f"{what}: it changes {min(changed)}, which the host keeps" if changed else None


def _kept(env: CapturedEnv) -> dict[str, object]:
    """What a step could leave outside of tensors that it changes in place, by name.

    Of the environment and its terms: numbers, texts, and collections of them. Of the modules that its terms come from,
    whose global variables may count too: the same, and which tensors they are.
    """
    owners = env.term_objects()
    modules = {_module(what) for what in (*owners, *_functions(env))}
    holders = [(type(owner).__name__, vars(owner)) for owner in owners]
    holders += [(name, vars(sys.modules[name])) for name in modules if name in sys.modules]
    kept = {}
    for where, holder in holders:
        for name, value in list(holder.items()):
            parts = (*value, *value.values()) if isinstance(value, dict) else value
            if isinstance(value, list | tuple | dict | set | deque) and all(isinstance(part, _PLAIN) for part in parts):
                kept[f"{where}.{name}"] = repr(value)
            elif isinstance(value, _PLAIN):
                kept[f"{where}.{name}"] = value
            elif isinstance(value, torch.Tensor) and where in modules:
                kept[f"{where}.{name}"] = (id(value), value)  # with the tensor, so that no other can get its id
    return kept


def _functions(env: CapturedEnv) -> Iterator[Any]:
    """The functions of all terms."""
    groups = (
        env.reward_manager._term_cfgs,
        env.termination_manager._term_cfgs,
        *env.event_manager._mode_term_cfgs.values(),
        *env.observation_manager._group_obs_term_cfgs.values(),
    )
    yield from (term.func for group in groups for term in group)


def _module(what: Any) -> str:
    """Name of the module that a function, or the class of an object, comes from."""
    return (what.func if isinstance(what, partial) else what).__module__


def _settings(env: CapturedEnv) -> Iterator[str]:
    """Yield what the configuration has that cannot be recorded."""
    if not env.sim.physics_manager.__module__.startswith("isaaclab_newton"):
        yield "the physics: it is not Newton's"
    for name in env.curriculum_manager.active_terms:
        yield f"curriculum '{name}': a curriculum is computed by the host"
    for name in env.recorder_manager.active_terms:
        yield f"recorder '{name}': a recorder writes from the host"
    for kind in ("deformable_objects", "surface_grippers", "cable_objects", "rigid_object_collections"):
        for name in getattr(env.scene, kind, {}):
            yield f"'{name}' of the scene: {kind.replace('_', ' ')} cannot be reset by mask"
    for name, asset in env.scene.articulations.items():
        native = getattr(asset, "newton_actuator_adapter", None)
        for group, actuator in asset.actuators.items():
            if _keeps_state(actuator) or (native is not None and native.is_stateful):
                yield f"actuator '{group}' of '{name}': what it remembers cannot be reset by mask"
    for name, term in _events(env, "reset"):
        if term.min_step_count_between_reset:
            yield f"event '{name}': its min_step_count_between_reset is counted by the host"
    for name, term in _events(env, "interval"):
        if term.is_global_time:
            yield f"event '{name}': its time is global, and counted by the host"
    for group, buffers in env.observation_manager._group_obs_term_delay_buffer.items():
        for name in buffers:
            yield f"observation '{group}/{name}': its delay cannot be reset by mask"
    for name in env.command_manager.active_terms:
        if type(env.command_manager.get_term(name)).compute is not CommandTerm.compute:
            yield f"command '{name}': its class has a compute() of its own"


def _keeps_state(actuator: Any) -> bool:
    own = isinstance(actuator, ActuatorBase)  # otherwise Newton computes it
    return own and type(actuator).reset.__qualname__.split(".")[0] not in _KEEPS_NOTHING


def _events(env: CapturedEnv, mode: str) -> Iterator[tuple[str, Any]]:
    events = env.event_manager
    yield from zip(events.active_terms.get(mode, ()), events._mode_term_cfgs.get(mode, ()), strict=True)


def _calls(env: CapturedEnv) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that a step calls, each with the name of its term."""
    nowhere = torch.zeros_like(env.reset_buf)

    def calling(term: Any) -> Callable[[], object]:
        return lambda: term.func(env, **term.params)

    for name in env.action_manager.active_terms:
        action: Any = env.action_manager.get_term(name)
        yield f"action '{name}'", lambda action=action: action.process_actions(torch.zeros_like(action.raw_actions))
        yield f"action '{name}'", action.apply_actions
        yield f"action '{name}'", lambda action=action: reset_term(action, nowhere)
    yield "the actuators", env.scene.write_data_to_sim
    for kind, manager in (("termination", env.termination_manager), ("reward", env.reward_manager)):
        for name, term in zip(manager.active_terms, manager._term_cfgs, strict=True):
            yield f"{kind} '{name}'", calling(term)
        for term in manager._class_term_cfgs:
            yield f"{kind} {type(term.func).__name__}", lambda term=term: reset_term(term.func, nowhere)
    yield "the scene", lambda: reset_scene(env.scene, nowhere)
    for mode in MODES:
        for name, term in _events(env, mode):
            yield f"event '{name}'", lambda term=term: apply_event(env, term, nowhere)
    for name in env.command_manager.active_terms:
        command = env.command_manager.get_term(name)
        yield f"command '{name}'", lambda command=command: reset_term(command, nowhere)
        yield f"command '{name}'", lambda command=command: step_command(command, env.step_dt)
    observations = env.observation_manager
    yield "the observations", lambda: reset_observations(observations, nowhere)
    for group, terms in observations._group_obs_term_cfgs.items():
        for name, term in zip(observations.active_terms[group], terms, strict=True):
            yield f"observation '{group}/{name}'", calling(term)
        yield f"observations '{group}'", lambda group=group: observations.compute_group(group)


def _past_the_mask(env: CapturedEnv) -> str | None:
    """Name an event that, applied to no environment, has changed the simulator nevertheless."""

    def state() -> torch.Tensor:
        assets = (*env.scene.articulations.values(), *env.scene.rigid_objects.values())
        parts = [array for asset in assets for array in (asset.data.root_link_pose_w, asset.data.root_com_vel_w)]
        for asset in env.scene.articulations.values():
            parts += [asset.data.joint_pos, asset.data.joint_vel]
        return torch.cat([part.torch.flatten() for part in parts])

    for mode in MODES:
        for name, term in _events(env, mode):
            before = state()
            apply_event(env, term, torch.zeros_like(env.reset_buf))
            if not torch.equal(before, state()):
                return f"event '{name}': it writes to the simulator past the environment that it is called with"
    return None
