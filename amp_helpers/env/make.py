"""Open an Isaac Lab environment."""

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import gymnasium
from isaaclab.app.sim_launcher import launch_simulation
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.sim import SimulationContext
from isaaclab.utils.timer import Timer

from amp_helpers.amp_state.asset import name_robot
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.captured import CapturedEnv
from amp_helpers.env.command_range import command_velocity
from amp_helpers.env.contact_sensors import check_contact_sensors
from amp_helpers.env.faults import naming_terms
from amp_helpers.env.indexed import IndexedEnv
from amp_helpers.env.locomotion_terms import track_reference_pose
from amp_helpers.env.measuring import MeasuringRules, configure_for_measuring
from amp_helpers.env.obstacles import fixed_obstacle, obstacle
from amp_helpers.env.physx import plain_host_memory
from amp_helpers.env.solver import dropped
from amp_helpers.env.task_cfg import choose_randomizations, load_task_cfg, quiet_isaaclab, set_references
from amp_helpers.errors import InputError
from amp_helpers.metrics.grid import check_speeds
from amp_helpers.utils.devices import check_device
from amp_helpers.utils.task_ids import TASK

FRONTENDS = ("auto", "warp", "torch")
"""Choices of the environment's control step, see :func:`make_env`."""
_STOCK_ENVS = (ManagerBasedRLEnv, "isaaclab.envs:ManagerBasedRLEnv")


def _note(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)


@contextlib.contextmanager
def make_env(
    task: str = TASK,
    *,
    asset: str | None = None,
    num_envs: int = 16,
    device: str | None = "cpu",
    seed: int = 0,
    physics: str | None = None,
    dataset: MotionDataset | str | os.PathLike | None = None,
    reference_share: float | None = None,
    play: bool = False,
    velocity: float | tuple[float, float] | None = None,
    turn: float = 0.0,
    pushes: bool = False,
    randomize: bool | Collection[str] | None = None,
    frontend: str = "torch",
    quiet: bool = True,
    note: Callable[[str], None] = _note,
) -> Iterator[ManagerBasedRLEnv]:
    """Open a registered manager-based task, and close it on exit.

    A process can open several environments one after the other, also in a notebook.

    Args:
        task: id registered with Gymnasium, by this project, Isaac Lab or you; ``package.module:ID`` first imports the
            module that registers it.
        asset: name of the robot's articulation in the scene; ``None`` for ``robot``, or the only articulation.
        num_envs: environments simulated side by side.
        device: ``cpu`` or ``cuda:0``; ``None`` selects the first GPU, or the CPU where there is none.
        seed: random seed of the environment.
        physics: physics preset of the task, such as ``newton_mjwarp``; ``None`` for the task's default. ``physx`` is
            Isaac Sim's PhysX where that is installed, else the package ovphysx.
        dataset: reference states for resets, for a task with a ``reset_robot`` event, under any name.
        reference_share: share of episodes that start in a reference state.
        play: configure for measuring, on every task by the rules of :mod:`amp_helpers.env.measuring`: without noise,
            events at intervals and randomization, and with a command that stays.
        velocity: commanded forward speed, m/s, or the range (low, high) to draw it from; not sideways.
        turn: commanded turning speed, rad/s, left positive; with ``play`` and one ``velocity``.
        pushes: push the robots while measuring, see :class:`amp_helpers.env.measuring.MeasuringRules`; with ``play``.
        randomize: what the task randomizes: everything (``True``), nothing (``False``), or the names of some, for a
            task with a method ``randomize``; ``None`` for everything, with ``play`` nothing.
        frontend: ``torch`` for Isaac Lab's step, ``warp`` for one that is recorded on a GPU
            (:mod:`amp_helpers.env.captured`), ``auto`` for the latter on a GPU where the task allows it.
        quiet: suppress Isaac Lab's output while the environment opens, and its report of timings.
        note: called with each note, a sentence; by default, it is printed to stderr.

    Yields:
        The environment.

    Raises:
        InputError: the task is unknown, the device is missing, the task lacks an option or cannot be recorded, another
            environment is open, or one of the task's own terms fails.
    """
    device = check_device(device)
    if frontend not in FRONTENDS:
        raise InputError(f"frontend '{frontend}' not found; available: {', '.join(FRONTENDS)}")
    check_speeds(*(velocity if isinstance(velocity, tuple) else [0.0 if velocity is None else velocity]), turn or 0.0)
    if (turn or pushes) and not play:
        raise InputError("turn and pushes are of an environment for measuring; give play=True with them")
    if SimulationContext.instance() is not None:
        raise InputError("another environment is open in this process; close it first, one simulator runs at a time")

    def configured() -> tuple[Any, list[str]]:
        cfg = load_task_cfg(task, num_envs, device, physics, asset)
        cfg.seed = seed
        randomized = not play if randomize is None else randomize
        choose_randomizations(cfg, task, randomized)
        notes = []
        if play:
            forward = velocity if isinstance(velocity, float | int) else None
            rules = MeasuringRules(forward=forward, turn=turn, pushes=pushes, randomize=bool(randomized))
            notes = configure_for_measuring(cfg, rules, task, name_robot(cfg, asset, task))
        if isinstance(velocity, tuple) or (velocity is not None and not play):
            command_velocity(cfg, velocity if isinstance(velocity, tuple) else (velocity, velocity), task=task)
        set_references(cfg, task, dataset, reference_share)
        return cfg, notes

    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_terms())
        if quiet:  # Isaac Lab reports in the first step how long recording the physics took
            stack.callback(setattr, Timer, "enable_display_output", Timer.enable_display_output)
            Timer.enable_display_output = False
        with quiet_isaaclab() if quiet else contextlib.nullcontext():
            env, notes = stack.enter_context(_opened(task, configured, device, frontend))
        if env.num_envs != num_envs:
            raise InputError(
                f"task '{task}' opened {env.num_envs} environments, asked for {num_envs}; take that number"
            )
        for sentence in (*notes, *_reward_notes(env)):
            note(sentence)
        yield env
        for sentence in dropped():
            note(sentence)


@contextlib.contextmanager
def _opened(
    task: str, configured: Callable[[], tuple[Any, list[str]]], device: str, frontend: str
) -> Iterator[tuple[ManagerBasedRLEnv, list[str]]]:
    """Open a task, recorded where that is asked and possible; yield it and notes.

    Whether a step can be recorded is found by calling the task's terms, which may change what they keep on the host.
    Where it cannot, the task is opened anew, as configured.

    Raises:
        InputError: the task does not fit its robot, or cannot be recorded.
    """
    recorded = _recorded(frontend, device)
    cfg, notes = configured()
    with _launched(task, cfg, device, recorded) as env:
        fixed = _fixed_obstacle(env) if recorded else None
        tried = obstacle(env) if isinstance(env, CapturedEnv) and not fixed else None
        if reason := fixed or tried:
            if frontend == "warp":
                raise InputError(f"task '{task}' cannot be recorded: {reason}; use --frontend torch")
            notes.append(f"the step is not recorded ({reason}); it is Isaac Lab's own, as with --frontend torch")
        if isinstance(env, CapturedEnv):
            env.by_mask = reason is None
        if not tried:
            yield env, notes
            return
    with _launched(task, configured()[0], device, recorded=False) as env:
        yield env, notes


def _recorded(frontend: str, device: str) -> bool:
    """Whether the step is to be recorded."""
    return frontend == "warp" or (frontend == "auto" and device.startswith("cuda"))


@contextlib.contextmanager
def _launched(task: str, cfg: Any, device: str, recorded: bool) -> Iterator[ManagerBasedRLEnv]:
    """Start the simulator and open a configured task."""
    with contextlib.ExitStack() as stack:
        # A stack of its own, whose close() passes on no exception: the launcher would print the traceback.
        launcher = contextlib.ExitStack()
        stack.callback(launcher.close)
        launcher.enter_context(launch_simulation(cfg, Namespace(device=device, headless=True)))
        stack.enter_context(plain_host_memory(cfg))
        check_contact_sensors(cfg, task)
        env = _open(task, cfg, recorded)
        stack.callback(env.close)
        yield env


def _open(task: str, cfg: Any, recorded: bool) -> ManagerBasedRLEnv:
    try:
        if gymnasium.spec(task.rpartition(":")[2]).entry_point in _STOCK_ENVS:
            return CapturedEnv(cfg) if recorded else IndexedEnv(cfg)
        return cast(ManagerBasedRLEnv, gymnasium.make(task, cfg=cfg).unwrapped)
    except FileNotFoundError as error:
        raise InputError(
            f"task '{task}': {error}; download the task's assets, and set ISAACSIM_ASSET_ROOT to the folder that holds "
            "them if they are Isaac's"
        ) from error
    except InputError:  # a ValueError too, with a remedy already
        raise
    except (ValueError, RuntimeError) as error:  # names in the configuration that the robot does not have
        # A sensor raises the second because of the first; a GPU without memory raises the second alone.
        if not isinstance(error, ValueError) and not isinstance(error.__cause__, ValueError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"task '{task}' does not fit its robot: {reason}; correct its configuration") from error


def _reward_notes(env: ManagerBasedRLEnv) -> list[str]:
    """Collect the notes of this project's rewards in an open environment; ``notes`` of others may mean anything."""
    manager = env.reward_manager
    functions = [manager.get_term_cfg(name).func for name in manager.active_terms]
    return [note for function in functions if isinstance(function, track_reference_pose) for note in function.notes]


def _fixed_obstacle(env: ManagerBasedRLEnv) -> str | None:
    """Say what in the class or the configuration of an environment keeps its step from being recorded."""
    if not isinstance(env, CapturedEnv):
        return f"its environment class {type(env).__name__}, which may step in another way"
    return fixed_obstacle(env)
