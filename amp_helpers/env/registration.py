"""Which registered task a name means: ``--task ID``, ``--task package.module:ID`` and aliases of this project's."""

import difflib
import importlib

import gymnasium
from gymnasium.envs.registration import EnvSpec

from amp_helpers.errors import InputError
from amp_helpers.utils.plugins import import_user_module
from amp_helpers.utils.task_ids import OWN_TASKS


def add_task(task: str, cfg: type) -> None:
    """Enter a task of Isaac Lab's manager-based environment in Gymnasium's registry, unless the ID is there already.

    Args:
        task: the ID.
        cfg: configuration class, at the top level of its module.
    """
    if task not in gymnasium.registry:
        gymnasium.register(
            id=task,
            entry_point="isaaclab.envs:ManagerBasedRLEnv",
            disable_env_checker=True,
            kwargs={"env_cfg_entry_point": f"{cfg.__module__}:{cfg.__qualname__}"},
        )


def register_task(task: str) -> EnvSpec:
    """Register a task with Gymnasium by importing the module before its colon, this project's tasks or Isaac Lab's.

    Args:
        task: ``ID`` or ``package.module:ID``.

    Returns:
        Its entry in Gymnasium's registry.

    Raises:
        InputError: nothing registers the task.
    """
    module, colon, name = task.rpartition(":")
    if colon:
        import_user_module(module, f"task '{task}'", "ID")
    else:
        _register_own()
        if name not in gymnasium.registry:
            import isaaclab_tasks  # noqa: F401 - registers Isaac Lab's own tasks
    if name not in gymnasium.registry:
        known = sorted(other for other in gymnasium.registry if colon or other.startswith("Isaac"))
        close = ", ".join(difflib.get_close_matches(name, known, n=5, cutoff=0.3) or known[:5])
        remedy = "name one of your own as package.module:ID"
        if colon:
            to_register = f"gymnasium.register(id='{name}', ...)"
            remedy = f"module '{module}' does not register it; choose another, or call {to_register} there"
        raise InputError(f"task '{name}' not found; close to it: {close}; {remedy}")
    return gymnasium.spec(name)


def canonical_task(task: str) -> str:
    """Return the bare ID of this project's task that ``task`` means; any other task is returned unchanged.

    A task is this project's when it is registered with the same environment and the same configuration, whatever it is
    called.

    Raises:
        InputError: nothing registers the task.
    """
    wanted = _registered(register_task(task))
    _register_own()
    return next((name for name in OWN_TASKS if _registered(gymnasium.spec(name)) == wanted), task)


def _register_own() -> None:
    for module in OWN_TASKS.values():
        importlib.import_module(module)


def _registered(spec: EnvSpec) -> tuple[str, str]:
    """Return the names of a task's environment and of its configuration, both ``module:name``."""
    return _name(spec.entry_point), _name(spec.kwargs.get("env_cfg_entry_point"))


def _name(entry: object) -> str:
    return f"{entry.__module__}:{entry.__qualname__}" if isinstance(entry, type) else str(entry)
