"""Checkpoints: files of tensors and plain values, read without executing anything, loaded whole or not at all."""

import copy
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from amp_helpers.errors import InputError, atomic_path, one_line
from amp_helpers.formats.torch_file import parse_torch

_UNFIT = (RuntimeError, ValueError, TypeError, LookupError)
"""What torch and the parts raise on a state of another shape, type or set of keys."""


class Slot:
    """A part of the agent that is not a module, with the interface that checkpoints use."""

    def __init__(self, state_dict: Callable[[], dict], load_state_dict: Callable[[dict], None]) -> None:
        self.state_dict = state_dict
        self.load_state_dict = load_state_dict


def random_state() -> dict[str, Any]:
    """Return the state of torch's random generators."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def set_random_state(state: dict[str, Any]) -> None:
    """Restore a state of :func:`random_state`; that of CUDA only where the number of GPUs is the same."""
    torch.set_rng_state(state["cpu"].cpu())
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


def load_checkpoint(path: str | Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """Read a file of tensors and plain values; nothing in it is executed.

    ``torch.load(weights_only=True)`` executes nothing either, but a few hundred bytes can keep it busy for hours
    (nested tuples as keys) or make it take any amount of memory, and it makes tensors that no network can use (meta,
    sparse, quantized). So the file is read as motion files are, within four times its size.

    Raises:
        InputError: it does not exist, or is something else.
    """
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such checkpoint; give a file written by training") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder; give one of the checkpoints/agent_*.pt in it") from error
    try:
        saved = _tensors(parse_torch(Path(path), raw), device)
    except (InputError, TypeError) as error:  # a TypeError for arrays of text
        reason = str(error).removeprefix(f"{path}: ").partition(";")[0]
        raise InputError(
            f"{path}: is not a checkpoint of tensors ({reason}); give a file written by training"
        ) from error
    if not isinstance(saved, dict):
        raise InputError(f"{path}: holds no named parts; give a file written by training")
    return saved


def _tensors(content: Any, device: str | torch.device) -> Any:
    """Convert the arrays in nested containers to tensors."""
    if isinstance(content, np.ndarray):
        native = np.array(content, dtype=content.dtype.newbyteorder("="))
        return torch.from_numpy(native).to(device)
    if isinstance(content, dict):
        return {key: _tensors(value, device) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_tensors(value, device) for value in content)
    return content


def check_fit(path: str | Path, name: str, module: nn.Module, state: Mapping[str, Any]) -> None:
    """Check that a state has a module's parameters, and usable numbers in them.

    Raises:
        InputError: a parameter is missing, has another shape or type, or holds NaN, infinity or a negative variance;
            the message names the first.
    """
    own = module.state_dict()
    for key in dict.fromkeys([*own, *state]):
        told = one_line(str(key), 80)
        shapes = [tuple(t.shape) if isinstance(t, torch.Tensor) else "absent" for t in (state.get(key), own.get(key))]
        if "absent" in shapes or shapes[0] != shapes[1]:
            raise InputError(
                f"{path}: made for another network, {name} {told} is {shapes[0]} in the file and {shapes[1]} "
                "here; use the task, dataset, features, symmetry and network sizes that it was trained with"
            )
        value = state[key]
        if value.is_floating_point() != own[key].is_floating_point() or value.is_complex():
            kind = str(value.dtype).removeprefix("torch.")
            fault = f"is of type {kind} in place of {str(own[key].dtype).removeprefix('torch.')}"
        elif not torch.isfinite(value).all():
            fault = "is NaN or infinite"
        elif key.endswith("variance") and (value < 0).any():
            fault = "is a negative variance"
        elif key.endswith("index") and not ((value >= 0) & (value < len(value))).all():
            fault = "names columns that do not exist"
        else:
            continue
        raise InputError(f"{path}: {name} {told} {fault}; give another checkpoint of the run")


def check_held(path: str | Path, names: Iterable[str], saved: Mapping[str, Any]) -> None:
    """Check that a checkpoint holds these parts; whether they fit, :func:`check_fit` tells.

    Args:
        path: the file, for the message.
        names: of the parts.
        saved: content of the file.

    Raises:
        InputError: one is missing; the message names all that are.
    """
    missing = [name for name in names if not isinstance(saved.get(name), dict)]
    if missing:
        raise InputError(f"{path}: holds no {', '.join(missing)}; give a whole checkpoint written by training")


def check_modules(path: str | Path, modules: Mapping[str, nn.Module], saved: Mapping[str, Any]) -> None:
    """Check that a checkpoint holds the state of every module, by :func:`check_fit`."""
    check_held(path, modules, saved)
    for name, module in modules.items():
        check_fit(path, name, module, saved[name])


def save_parts(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Write the ``state_dict`` of every part to one file, as :func:`save_states` does."""
    save_states(path, {name: part.state_dict() for name, part in parts.items()})


def save_states(path: str | Path, states: Mapping[str, Any]) -> None:
    """Write the states of parts to one file, which is replaced only once all of it is written.

    Its folder has to exist: a run whose folder is moved meanwhile would write on in half a folder.
    """
    # In memory first: on a full disk torch's own writer fails an internal assertion.
    content = io.BytesIO()
    torch.save(dict(states), content)
    with atomic_path(path, parents=False) as temporary:
        temporary.write_bytes(content.getbuffer())


def check_parts(path: str | Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file of :func:`save_parts` and compare its networks with ``parts``, which stay unchanged.

    Raises:
        InputError: the file is no such checkpoint, lacks a part, or holds a network of another shape.
    """
    saved = load_checkpoint(path)
    check_held(path, parts, saved)
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            check_fit(path, name, part, saved[name])
        elif not _alike(part.state_dict(), saved[name]) or not _moments_fit(part, saved[name]):
            raise InputError(f"{path}: its {name} is not that of a run like this one; give another checkpoint")
    return saved


def load_parts(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Load the state of every part from a file of :func:`save_parts`, or leave all of them unchanged.

    Raises:
        InputError: as in :func:`check_parts`, or another part does not fit.
    """
    set_parts(path, parts, check_parts(path, parts))


def set_parts(path: str | Path, parts: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Load what :func:`check_parts` read into every part, or leave all of them unchanged.

    Raises:
        InputError: a part does not fit.
    """
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    for name, part in parts.items():
        try:
            part.load_state_dict(saved[name])
        except BaseException as error:
            for changed, state in before.items():
                parts[changed].load_state_dict(state)
            if not isinstance(error, _UNFIT):
                raise
            raise InputError(
                f"{path}: its {name} cannot be loaded ({one_line(str(error), 200)}); give another checkpoint"
            ) from error


def _alike(own: object, saved: object) -> bool:
    """Whether a saved state has the keys and types of one's own; shapes may differ, and a number may be a tensor."""
    if isinstance(own, dict):
        return isinstance(saved, dict) and all(key in saved and _alike(own[key], saved[key]) for key in own)
    if isinstance(own, list | tuple):
        # Of another length where the numbers of GPUs differ.
        return isinstance(saved, list | tuple) and all(map(_alike, own, saved))
    if isinstance(own, torch.Tensor):
        number = type(saved) in (int, float) and own.numel() == 1
        return number or (isinstance(saved, torch.Tensor) and saved.is_floating_point() == own.is_floating_point())
    if isinstance(own, float):
        return isinstance(saved, float | int) or (isinstance(saved, torch.Tensor) and saved.numel() == 1)
    return type(saved) is type(own) or own is None or (saved is None and isinstance(own, bool))


def _moments_fit(part: object, saved: dict[str, Any]) -> bool:
    """Whether an optimizer's saved moments have the shapes of its parameters, which torch does not check."""
    if not isinstance(part, torch.optim.Optimizer):
        return True
    parameters = [parameter for group in part.param_groups for parameter in group["params"]]
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    state = saved["state"]
    if len(numbers) != len(parameters) or not isinstance(state, dict):
        return False
    return all(
        isinstance(value, torch.Tensor) and value.shape in (parameter.shape, torch.Size([]))
        for number, parameter in zip(numbers, parameters, strict=True)
        for value in state.get(number, {}).values()
    )
