"""The configuration of a registered task, before its environment is opened."""

import contextlib
import io
import os
import warnings
from collections.abc import Collection, Iterator
from typing import Any

from isaaclab_tasks.utils import parse_env_cfg

from amp_helpers.amp_state.asset import name_robot
from amp_helpers.amp_state.terms import terms
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.command_range import has_velocity_command
from amp_helpers.env.locomotion_terms import track_reference_pose
from amp_helpers.env.measuring import reference_event
from amp_helpers.env.physx import choose_physx
from amp_helpers.env.registration import register_task
from amp_helpers.errors import InputError
from amp_helpers.utils.task_ids import LOCOMOTION_TASK, TASK


def load_task_cfg(task: str, num_envs: int, device: str, physics: str | None, asset: str | None = None) -> Any:
    """Load the configuration of a registered task; arguments as of :func:`amp_helpers.env.make_env`.

    Raises:
        InputError: the task or its physics is unknown, it lacks the asset, or it is not manager-based.
    """
    if num_envs < 1:
        raise InputError(f"num_envs is {num_envs}; simulate at least 1 environment")
    register_task(task)
    overrides = [f"physics={physics}"] if physics else []
    try:
        cfg = parse_env_cfg(task, device=device, num_envs=num_envs, overrides=overrides)
    except (ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"task '{task}' with physics '{physics or 'default'}': {reason}; choose another") from error
    if not hasattr(cfg, "scene") or not hasattr(cfg, "observations"):
        raise InputError(
            f"task '{task}' is not a manager-based one; AMP reads its states through managers, so give a task with a "
            "ManagerBasedRLEnvCfg"
        )
    name_robot(cfg, asset, task)
    choose_physx(cfg, task, physics)
    return cfg


def check_task(
    task: str, asset: str | None = None, physics: str | None = None, randomize: Collection[str] | None = None
) -> None:
    """Check names that a task gets, without opening it; arguments as of :func:`amp_helpers.env.make_env`.

    Raises:
        InputError: the task is unknown, or lacks one of the others.
    """
    with quiet_isaaclab():
        cfg = load_task_cfg(task, 1, "cpu", physics, asset)
        choose_randomizations(cfg, task, True if randomize is None else randomize)


def takes_velocity(task: str) -> bool:
    """Whether a task has a velocity command, under any name.

    Raises:
        InputError: the task is unknown.
    """
    with quiet_isaaclab():
        return has_velocity_command(load_task_cfg(task, 1, "cpu", None))


def rewards_poses(task: str) -> bool:
    """Whether a task has a reward that compares with the dataset's clips, wherever episodes start.

    Raises:
        InputError: the task is unknown.
    """
    with quiet_isaaclab():
        rewards = load_task_cfg(task, 1, "cpu", None).rewards
    functions = [getattr(term, "func", None) for _, term in terms(rewards)]
    return any(isinstance(func, type) and issubclass(func, track_reference_pose) for func in functions)


def set_references(cfg: Any, task: str, dataset: MotionDataset | str | os.PathLike | None, share: float | None) -> None:
    """Set the reference states of resets and the share of episodes that start in one, where they are given.

    Raises:
        InputError: the share is no share, or the task has no event that resets to reference states.
    """
    if dataset is None and share is None:
        return
    event = reference_event(cfg)
    if event is None:
        if share:
            raise InputError(f"task '{task}' cannot start in reference states; set the share to 0 or use {TASK}")
        return
    if share is not None and not 0 <= share <= 1:
        raise InputError(f"the share of episodes that start in a reference state is {share}; give one in 0..1")
    if dataset is not None:
        event.params["dataset"] = dataset if isinstance(dataset, MotionDataset) else MotionDataset.load(dataset)
    if share is not None:
        event.params["share"] = share


def choose_randomizations(cfg: Any, task: str, randomize: bool | Collection[str]) -> None:
    """Choose what a task with a method ``randomize`` randomizes; the measuring rules serve every other task.

    Raises:
        InputError: some are named, and the task has no choice.
    """
    names = () if isinstance(randomize, bool) else tuple(randomize)
    if randomize is not True and hasattr(cfg, "randomize"):
        cfg.randomize(names)
    elif names:
        raise InputError(f"task '{task}' has no choice of randomizations; leave them out or use {LOCOMOTION_TASK}")


@contextlib.contextmanager
def quiet_isaaclab() -> Iterator[None]:
    """Suppress Isaac Lab's tables, and its warning that it recolors shapes."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Newton shape color", category=FutureWarning)
        yield
