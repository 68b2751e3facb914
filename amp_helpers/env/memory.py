"""The memory that environments on a CPU take, checked before the simulator starts."""

from amp_helpers.errors import InputError
from amp_helpers.utils.hardware import memory_gib
from amp_helpers.utils.task_ids import OWN_TASKS

ENVIRONMENT_MIB = 0.29
"""Memory of an environment on a CPU, MiB; a lower bound.

The peak of the walk, opened for measuring and stepped twice, grew so: 1.10 GiB with 512 environments, 1.40 GiB with
1536, 2.13 GiB with 4096. The locomotion task takes more.
"""


def check_environments(
    num_envs: int, task: str, device: str, *, times: int = 1, mib: float = ENVIRONMENT_MIB
) -> str | None:
    """Check that environments on the CPU fit the machine's memory.

    Args:
        num_envs: what ``--num_envs`` says.
        task: ID of the task.
        device: ``cpu``, or a GPU, which is not checked.
        times: how often this machine simulates that many at the same time.
        mib: memory of each, MiB.

    Returns:
        A sentence where the environments of another task would not fit if they took as much as the G1's; else ``None``.

    Raises:
        InputError: those of this project's tasks do not fit.
    """
    each, present = times * mib / 1024, memory_gib()
    if device != "cpu" or num_envs * each <= present:
        return None
    many = f"{num_envs} environments" if times == 1 else f"{times} x {num_envs} environments"
    told = f"{many} take at least {num_envs * each:.0f} GiB of memory, of {present:.3g} here"
    if task in OWN_TASKS:
        raise InputError(f"{told}; give at most {int(present / each)} as --num_envs")
    return f"{told}, if each takes as much as one of the G1"
