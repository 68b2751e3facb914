"""Resets and resampling by mask: the terms of a task, which take indices, for a step whose work never differs.

Isaac Lab's managers find the environments to reset with ``nonzero``, whose result the host has to wait for. Here a term
handles all environments at once, and what it changed is taken back outside the mask: its own tensors by
:func:`keep_unmasked`, and its writes to the simulator by :class:`MaskedEnv`, which writes by mask. The term's code
stays the same, so a user's own terms work too.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from amp_helpers.errors import InputError

EVERY = slice(None)


class NoMaskError(InputError):
    """A term does what cannot be done by mask."""


def keep_unmasked[T](owner: Any, mask: torch.Tensor, change: Callable[[], T]) -> T:
    """Call ``change``, then restore the rows outside ``mask`` of every tensor of ``owner`` with a row an environment.

    Args:
        owner: object whose attributes, or dictionaries of tensors among them, ``change`` changes.
        mask: (E,) bool, environments whose change stays.
        change: changes all environments.
    """
    alike: dict[tuple[torch.Size, torch.dtype], list[tuple[dict[str, Any], str, torch.Tensor]]] = {}
    for row in _rows(owner, len(mask)):
        alike.setdefault((row[2].shape, row[2].dtype), []).append(row)
    saved = [torch.stack([tensor for *_, tensor in rows]) for rows in alike.values()]  # one kernel for all of a shape
    result = change()
    for ((shape, dtype), rows), before in zip(alike.items(), saved, strict=True):
        present = [holder[name] for holder, name, _ in rows]
        for (_, name, _), now in zip(rows, present, strict=True):
            if not isinstance(now, torch.Tensor) or (now.shape, now.dtype) != (shape, dtype):
                raise NoMaskError(f"it replaces '{name}' by something of another shape or type")
        kept = torch.where(mask.view(-1, *[1] * (len(shape) - 1)), torch.stack(present), before)
        for (holder, name, tensor), now in zip(rows, present, strict=True):
            holder[name] = tensor if now is tensor else torch.empty_like(tensor)
        copy_all: Any = torch._foreach_copy_  # pyright: ignore[reportPrivateImportUsage]
        copy_all([holder[name] for holder, name, _ in rows], kept.unbind())
    return result


def _rows(owner: Any, num_envs: int) -> Iterator[tuple[dict[str, Any], str, torch.Tensor]]:
    """The tensors (E, ...) among an object's attributes and their dictionaries: holder, name, tensor."""
    for holder in _holders(owner):
        for name, value in list(holder.items()):
            if isinstance(value, torch.Tensor) and value.dim() and len(value) == num_envs and not _repeats(value):
                yield holder, name, value


def _holders(owner: Any) -> list[dict[Any, Any]]:
    """The attributes of an object, and the dictionaries among them."""
    attributes = vars(owner)
    return [attributes, *(value for value in attributes.values() if isinstance(value, dict))]


def _repeats(tensor: torch.Tensor) -> bool:
    """Whether a tensor is one row or number that is shown several times, so that nothing can be written to it."""
    return any(step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape, strict=True))


def in_place(owners: Iterable[Any], function: Callable[[], object]) -> None:
    """Call ``function``, and write tensors that it put in the place of others into those others.

    A recording holds on to the tensors that it found: one that reads ``self.previous`` and ends with
    ``self.previous = now`` would read the same numbers for ever.

    Args:
        owners: objects whose attributes, or dictionaries of tensors among them, ``function`` may replace.
        function: called once.
    """
    found = [
        (holder, name, value)
        for owner in owners
        for holder in _holders(owner)
        for name, value in holder.items()
        if isinstance(value, torch.Tensor) and value._base is None
    ]
    shared = Counter(value.untyped_storage().data_ptr() for _, _, value in found)
    function()
    replaced = []
    for holder, name, value in found:
        present = holder.get(name)
        if present is value or not isinstance(present, torch.Tensor) or present.shape != value.shape:
            continue
        # A tensor under two names stays as it is: writing to one would change the other.
        if present.dtype == value.dtype and shared[value.untyped_storage().data_ptr()] == 1:
            replaced.append((holder, name, value, present.clone()))
    for holder, name, value, present in replaced:
        value.copy_(present)
        holder[name] = value


class MaskedEnv:
    """An environment as an event term sees it, whose writes to the simulator reach the masked environments alone."""

    def __init__(self, env: Any, mask: torch.Tensor) -> None:
        vars(self).update(_env=env, scene=_MaskedScene(env.scene, mask))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NoMaskError(f"it sets '{name}' of the environment")


class _MaskedScene:
    def __init__(self, scene: Any, mask: torch.Tensor) -> None:
        self._scene, self._mask = scene, mask

    def __getitem__(self, name: str) -> Any:
        entity = self._scene[name]
        writes = any(attribute.startswith("write_") for attribute in dir(type(entity)))
        return _MaskedAsset(entity, self._mask) if writes else entity

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scene, name)


class _MaskedAsset:
    """An asset whose methods ``*_index`` write with its methods ``*_mask``."""

    _DIRECT = ("actuators", "permanent_wrench_composer", "instantaneous_wrench_composer", "root_view")

    def __init__(self, asset: Any, mask: torch.Tensor) -> None:
        self._asset, self._mask = asset, mask

    def __getattr__(self, name: str) -> Any:
        if name in self._DIRECT:
            raise NoMaskError(f"it uses the robot's '{name}', which cannot be done by mask")
        if not name.startswith(("write_", "set_")):
            return getattr(self._asset, name)
        twin = getattr(self._asset, f"{name.removesuffix('_index')}_mask", None)
        if twin is None or not name.endswith("_index"):
            raise NoMaskError(f"it calls '{name}', which cannot be done by mask")

        def write(env_ids: Any = None, **arguments: Any) -> None:
            if not (env_ids is None or env_ids == EVERY if isinstance(env_ids, slice | None) else _all(env_ids, self)):
                raise NoMaskError(f"it calls '{name}' for a part of the environments")
            for part, count in (("joint", "num_joints"), ("body", "num_bodies")):
                ids = arguments.pop(f"{part}_ids", None)
                if isinstance(ids, torch.Tensor):
                    arguments = _spread(arguments, part, ids, getattr(self._asset, count))
                elif ids is not None and ids != EVERY:
                    raise NoMaskError(f"it calls '{name}' with a list of {part}_ids, which are copied from the host")
            twin(env_mask=self._mask, **arguments)

        return write


def _spread(arguments: dict[str, Any], part: str, ids: torch.Tensor, count: int) -> dict[str, Any]:
    """Turn values of some joints or bodies (E, n, ...) into values of all (E, count, ...) and a mask of them."""

    def whole(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.shape[1:2] != ids.shape:
            return value
        return value.new_zeros(len(value), count, *value.shape[2:]).index_copy(1, ids, value)

    chosen = torch.zeros(count, dtype=torch.bool, device=ids.device).index_fill(0, ids, True)
    return {name: whole(value) for name, value in arguments.items()} | {f"{part}_mask": chosen}


def _all(env_ids: Any, asset: _MaskedAsset) -> bool:
    return len(env_ids) == len(asset._mask)
