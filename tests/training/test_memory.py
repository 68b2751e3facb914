"""More environments than the memory holds are refused, or told, before the simulator opens."""

import re
from dataclasses import replace

import pytest

from amp_helpers.env import memory
from amp_helpers.errors import InputError
from amp_helpers.training.cfg import TrainCfg
from amp_helpers.training.memory import check_training
from amp_helpers.utils.task_ids import OWN_TASKS

MANY = TrainCfg(num_envs=3_000_000, device="cpu")


@pytest.mark.parametrize("task", OWN_TASKS)
def test_more_environments_than_the_memory_holds_are_refused_with_a_number_that_fits(task, monkeypatch):
    monkeypatch.setattr(memory, "memory_gib", lambda: 16.0)
    many = replace(MANY, task=task)
    with pytest.raises(
        InputError, match=r"3000000 environments take at least 18\d\d GiB of memory, of 16 here; give at most \d"
    ) as told:
        check_training(many)
    most = int(re.search(r"at most (\d+)", str(told.value))[1])
    assert 4096 < most < 3_000_000
    assert check_training(replace(many, num_envs=most)) is None
    with pytest.raises(InputError, match="give at most"):
        check_training(replace(many, num_envs=most + 1))


def test_of_another_task_it_is_a_note_and_a_gpu_has_a_memory_of_its_own(monkeypatch):
    monkeypatch.setattr(memory, "memory_gib", lambda: 16.0)
    note = check_training(replace(MANY, task="Mine"))
    assert note and note.endswith("of 16 here, if each takes as much as one of the G1")
    assert check_training(replace(MANY, task="Mine", num_envs=4096)) is None
    assert check_training(replace(MANY, device="cuda:0")) is None


def test_longer_rollouts_take_more(monkeypatch):
    monkeypatch.setattr(memory, "memory_gib", lambda: 16.0)
    few = replace(MANY, num_envs=4096)
    assert check_training(few) is None
    with pytest.raises(InputError, match="4096 environments take"):
        check_training(replace(few, agent=replace(few.agent, rollouts=2400)))


def test_the_processes_of_a_distributed_run_on_this_machine_count_together(monkeypatch):
    monkeypatch.setattr(memory, "memory_gib", lambda: 16.0)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    many = replace(MANY, num_envs=8192, distributed=True)
    with pytest.raises(InputError, match=r"^4 x 8192 environments take at least 20 GiB .* give at most 65\d\d as"):
        check_training(many)
    assert check_training(replace(many, num_envs=6500)) is None
    assert check_training(replace(many, distributed=False)) is None, "a variable that torchrun left behind"
