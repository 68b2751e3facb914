"""The memory that a training on the CPU takes, checked before the simulator starts."""

import os

from amp_helpers.env.memory import ENVIRONMENT_MIB, check_environments
from amp_helpers.training.cfg import TrainCfg

LEARNING_MIB, STEP_MIB = 0.02, 0.013
"""Memory that training takes for each environment, and for each of its steps in a rollout, MiB; a lower bound.

The peak of the walk grew so from 1536 to 4096 environments: from 1.75 to 2.72 GiB with rollouts of 6 steps, from 2.24
to 3.80 GiB with 24.
"""


def check_training(cfg: TrainCfg) -> str | None:
    """Check that the environments of a resolved run on the CPU fit the machine's memory.

    With ``--distributed``, those of all processes that torchrun started on this machine count.

    Returns:
        A sentence about the environments of another task, see :func:`.env.memory.check_environments`; or ``None``.

    Raises:
        InputError: those of this project's tasks do not fit.
    """
    assert cfg.num_envs is not None and cfg.device is not None, "resolve() sets both"
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if cfg.distributed else 1
    each = ENVIRONMENT_MIB + LEARNING_MIB + STEP_MIB * cfg.agent.rollouts
    return check_environments(cfg.num_envs, cfg.task, cfg.device, times=processes, mib=each)
