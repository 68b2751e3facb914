"""The memory that a training on the CPU takes, checked before the simulator starts."""

import os

from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TASK_DEFAULTS, TrainCfg
from amp_helpers.utils.hardware import memory_gib

ENVIRONMENT_MIB, STEP_MIB = 0.31, 0.013
"""Memory of an environment on a CPU, and of each of its steps in a rollout, MiB; a lower bound.

The peak of the walk grew so from 1536 to 4096 environments: from 1.75 to 2.72 GiB with rollouts of 6 steps, from 2.24
to 3.80 GiB with 24. The locomotion task takes more.
"""


def check_memory(cfg: TrainCfg) -> str | None:
    """Check that the environments of a resolved run on the CPU fit the machine's memory.

    With ``--distributed``, those of all processes that torchrun started on this machine count.

    Returns:
        A sentence where those of another task would not fit if they took as much as the G1's; else ``None``.

    Raises:
        InputError: those of this project's tasks do not fit.
    """
    assert cfg.num_envs is not None, "resolve() sets the number"
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if cfg.distributed else 1
    each, present = processes * (ENVIRONMENT_MIB + STEP_MIB * cfg.agent.rollouts) / 1024, memory_gib()
    if cfg.device != "cpu" or cfg.num_envs * each <= present:
        return None
    many = f"{cfg.num_envs} environments" if processes == 1 else f"{processes} x {cfg.num_envs} environments"
    told = f"{many} take at least {cfg.num_envs * each:.0f} GiB of memory, of {present:.3g} here"
    if cfg.task in TASK_DEFAULTS:
        raise InputError(f"{told}; give at most {int(present / each)} as --num_envs")
    return f"{told}, if each takes as much as one of the G1"
