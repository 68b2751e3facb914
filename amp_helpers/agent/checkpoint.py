"""Checkpoints: files of tensors and plain values, read without executing anything, loaded whole or not at all."""

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amp_helpers.errors import InputError, atomic_path


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

    Raises:
        InputError: it does not exist, or is something else.
    """
    try:
        content = io.BytesIO(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such checkpoint; give a file written by training") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder; give one of the checkpoints/agent_*.pt in it") from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of another pickle protocol: it is refused anyway
            saved = torch.load(content, map_location=device, weights_only=True)
    # In a damaged file torch can also seek to an impossible position, which is an OSError.
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{path}: is not a checkpoint of tensors; give a file written by training") from error
    if not isinstance(saved, dict):
        raise InputError(f"{path}: holds no named parts; give a file written by training")
    return saved


def check_fit(path: str | Path, name: str, module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Raise :class:`InputError` when ``state`` does not fit ``module``, naming the first parameter that differs."""
    own = module.state_dict()
    for key in [*own, *state]:
        shapes = [tuple(t.shape) if isinstance(t, torch.Tensor) else "absent" for t in (state.get(key), own.get(key))]
        if "absent" in shapes or shapes[0] != shapes[1]:
            raise InputError(
                f"{path}: made for another network, {name} {key} is {shapes[0]} in the file and {shapes[1]} here; "
                "use the task, features and network sizes that it was trained with"
            )


def save_parts(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Write the ``state_dict`` of every part to one file, which is replaced only once all of it is written."""
    # In memory first: on a full disk torch's own writer fails an internal assertion.
    content = io.BytesIO()
    torch.save({name: part.state_dict() for name, part in parts.items()}, content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def check_parts(path: str | Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file of :func:`save_parts` and compare its networks with ``parts``, which stay unchanged.

    Raises:
        InputError: the file is no such checkpoint, lacks a part, or holds a network of another shape.
    """
    saved = load_checkpoint(path)
    missing = [name for name in parts if not isinstance(saved.get(name), dict)]
    if missing:
        raise InputError(f"{path}: holds no {', '.join(missing)}; give a whole checkpoint written by training")
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            check_fit(path, name, part, saved[name])
    return saved


def load_parts(path: str | Path, parts: Mapping[str, Any]) -> None:
    """Load the state of every part from a file of :func:`save_parts`, or leave all of them unchanged.

    Raises:
        InputError: as in :func:`check_parts`, or another part does not fit.
    """
    saved = check_parts(path, parts)
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    for name, part in parts.items():
        try:
            part.load_state_dict(saved[name])
        except (ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            for changed, state in before.items():
                parts[changed].load_state_dict(state)
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: its {name} cannot be loaded ({reason}); give another checkpoint") from error
