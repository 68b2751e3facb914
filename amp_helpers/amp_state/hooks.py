"""Callbacks before a method of an object that offers no hook of its own."""

from collections.abc import Callable
from typing import Any

import torch
from isaaclab.envs import ManagerBasedRLEnv


def before(owner: Any, method: str, callback: Callable[..., None]) -> Callable[[], None]:
    """Call ``callback`` before each call of a method of an object, with what the method is given.

    Returns:
        A function that takes the callback away again, in whatever order several are taken away.
    """
    original = getattr(owner, method)
    active = True

    def hooked(*args: Any, **kwargs: Any) -> Any:
        if active:
            callback(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(owner, method, hooked)

    def detach() -> None:
        nonlocal active
        active = False
        if getattr(owner, method) is hooked:  # else another hook is around this one, and goes on calling through it
            setattr(owner, method, original)

    return detach


def before_reset(env: ManagerBasedRLEnv, callback: Callable[[torch.Tensor], None]) -> Callable[[], None]:
    """Call ``callback(env_ids)`` whenever episodes end, while the simulator still holds their last state.

    Isaac Lab's own hook, a recorder term, would have it compute every observation a second time on every step, which a
    launch-bound environment pays for in full.

    Returns:
        As :func:`before`.
    """
    return before(env, "_reset_idx", callback)
