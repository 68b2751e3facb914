"""What Isaac Lab's managers do to some of the environments, done by mask (:mod:`amp_helpers.env.masking`)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
import warp as wp
from isaaclab.envs.mdp import UniformVelocityCommand
from isaaclab.managers import CommandTerm, ManagerTermBase

from amp_helpers.env.masking import EVERY, MaskedEnv, NoMaskError, keep_unmasked


def apply_event(env: Any, term: Any, mask: torch.Tensor) -> None:
    """Apply an event term of a :class:`.CapturedEnv` to the environments in ``mask``."""

    def apply() -> None:
        term.func(MaskedEnv(env, mask), env.all_ids, **term.params)

    if isinstance(term.func, ManagerTermBase):
        keep_unmasked(term.func, mask, apply)
    else:
        apply()


def draw_interval(time_left: torch.Tensor, term: Any, mask: torch.Tensor) -> None:
    """Draw the time to the next event anew in the environments in ``mask``."""
    low, high = term.interval_range_s
    time_left.copy_(torch.where(mask, torch.rand_like(time_left) * (high - low) + low, time_left))


def step_command(term: CommandTerm, dt: float) -> None:
    """Do what :meth:`CommandTerm.compute` does, by mask."""
    term._update_metrics()
    term.time_left -= dt
    resample_command(term, term.time_left <= 0.0)
    term._update_command()


def resample_command(term: CommandTerm, mask: torch.Tensor) -> None:
    """Draw a command anew in the environments in ``mask``."""
    keep_unmasked(term, mask, lambda: _for_all(term._resample, mask))


def episode_metrics(term: CommandTerm) -> dict[str, torch.Tensor]:
    """The figures (E,) of the present episodes that a command logs when they end."""
    if not isinstance(term, UniformVelocityCommand):
        return term.metrics
    steps = term._step_count.clamp(min=1.0)
    errors = {"error_vel_xy": term._error_xy_sum / steps, "error_vel_yaw": term._error_yaw_sum / steps}
    good = (errors["error_vel_xy"] < term.cfg.vel_xy_success_threshold) & (
        errors["error_vel_yaw"] < term.cfg.vel_yaw_success_threshold
    )
    return term.metrics | errors | {"success_rate": good.float()}


def reset_term(term: Any, mask: torch.Tensor) -> None:
    """Reset a term's own tensors in the environments in ``mask``."""
    if type(term).reset is ManagerTermBase.reset:
        return  # it keeps nothing
    keep_unmasked(term, mask, lambda: _for_all(term.reset, mask))


def reset_scene(scene: Any, mask: torch.Tensor) -> None:
    """Reset what assets and sensors keep, such as external forces and contact times."""
    by_mask = wp.from_torch(mask, dtype=wp.bool)
    for asset in (*scene.articulations.values(), *scene.rigid_objects.values(), *scene.sensors.values()):
        asset.reset(env_mask=by_mask)


def reset_observations(manager: Any, mask: torch.Tensor) -> None:
    """Reset histories, noise models and terms of the observation manager."""
    for group, terms in manager._group_obs_class_term_cfgs.items():
        for term in terms:
            reset_term(term.func, mask)
        for history in manager._group_obs_term_history_buffer[group].values():
            history.reset(batch_ids=mask)  # fills by mask
    for instance in manager._group_obs_class_instances:
        keep_unmasked(instance, mask, lambda instance=instance: _for_all(instance.reset, mask))


def _for_all(method: Callable[[Any], object], mask: torch.Tensor) -> object:
    """Call a method that takes environments, for all those that a mask is of.

    By a slice: a number that is assigned by indices is copied from the host, which a recording cannot contain.
    """
    try:
        return method(EVERY)
    except (AttributeError, TypeError) as error:
        with suppress(AttributeError, TypeError):  # which are then not because of the slice
            method(torch.arange(len(mask), device=mask.device))
            raise NoMaskError(
                f"it takes env_ids by index alone, and gets slice(None) for all environments ({error}); count them "
                "with len(tensor[env_ids]), of a tensor with a row for each"
            ) from error
        raise
