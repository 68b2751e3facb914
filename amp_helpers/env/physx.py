"""PhysX: from Isaac Sim where it is installed, else from the package ovphysx, which needs no Isaac Sim."""

import contextlib
import ctypes
import importlib.util
from collections.abc import Iterator
from typing import Any

import warp
from isaaclab.physics import PhysxAutoCfg
from isaaclab_ov.physics import OvPhysxCfg
from isaaclab_physx.physics import PhysxCfg

from amp_helpers.errors import InputError

PACKAGES = ("ovphysx==0.6.4.72118723", "ovstage==0.2.1.385922")
"""What the extra ``physx`` installs: the versions that Isaac Lab 3.0.0 asks for. They need nothing else that Isaac Lab
does not bring, but ovphysx asks for an older ``packaging`` than pytest takes, so without their requirements."""
INSTALL = f"pip install --no-deps {' '.join(PACKAGES)}"
_LIBRARY = "libGL.so.1"
"""Library of the system that ovphysx loads."""


def choose_physx(cfg: Any, task: str, given: str | None) -> None:
    """Decide which PhysX a task runs on, if it runs on PhysX, and refuse one that this machine lacks.

    On a GPU, Isaac Lab's own models compute the explicit actuators, launch by launch. The default records their
    kernels as a CUDA graph, for which Warp first compiles every module that was imported: 126, where a step of PhysX
    needs 5.

    Args:
        cfg: the task's configuration; ``sim.physics`` is replaced where it leaves the choice open.
        task: name of the task, for messages.
        given: the physics that the user asked for, for messages.

    Raises:
        InputError: that PhysX, or a library that it needs, is not installed.
    """
    physics = cfg.sim.physics
    if isinstance(physics, PhysxAutoCfg):
        with_isaac_sim = physics.isaacsim_physx is not None and (_has("isaacsim") or physics.ovphysx is None)
        physics = cfg.sim.physics = physics.isaacsim_physx if with_isaac_sim else physics.ovphysx
    if physics is not None and not isinstance(physics, PhysxCfg | OvPhysxCfg):
        return
    if str(cfg.sim.device).startswith("cuda"):
        cfg.sim.use_newton_actuators = False
    otherwise = "leave --physics or --simulator out" if given else "set sim.physics to a NewtonCfg in its configuration"
    if not isinstance(physics, OvPhysxCfg):
        if not _has("isaacsim"):
            unset = " (sim.physics is not set)" if physics is None else ""
            raise InputError(
                f"task '{task}' would run on Isaac Sim's PhysX{unset}, and Isaac Sim is not installed; {otherwise}"
            )
        return
    if not (_has("ovphysx") and _has("ovstage")):
        raise InputError(f"task '{task}' would run on PhysX, and ovphysx is not installed; {INSTALL}, or {otherwise}")
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise InputError(
            f"task '{task}' would run on PhysX, which needs {_LIBRARY}; apt-get install libgl1, or {otherwise}"
        ) from error


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@contextlib.contextmanager
def plain_host_memory(cfg: Any) -> Iterator[None]:
    """Give an environment on ovphysx plain memory where it asks for pinned memory and no GPU driver can pin any.

    Isaac Lab 3.0.0 asks Warp for pinned memory also when it simulates on a CPU, and Warp has none without CUDA. Warp's
    ``set_device_allocator`` serves GPUs only, so the CPU's allocator of pinned memory is set directly, for as long as
    the environment is open. Without CUDA, nothing else can use that allocator.
    """
    if not isinstance(cfg.sim.physics, OvPhysxCfg) or warp.is_cuda_available():
        yield
        return
    cpu = warp.get_device("cpu")
    pinned = cpu.pinned_allocator
    cpu.pinned_allocator = cpu.default_allocator  # pyright: ignore[reportAttributeAccessIssue]  (has the same methods)
    try:
        yield
    finally:
        cpu.pinned_allocator = pinned
