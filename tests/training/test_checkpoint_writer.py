"""Checkpoints of a run, written so that it never lacks a whole one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers.errors import atomic_path
from amp_helpers.training.checkpoint_writer import CheckpointWriter
from amp_helpers.training.checkpoints import find_checkpoint

STEPS = 24


class Agent:
    """What the writer needs of an agent: its count of updates and its files."""

    def __init__(self) -> None:
        self.updates = 0
        self.amp = SimpleNamespace(rollouts=STEPS)

    def save(self, path: str) -> None:
        parts: dict[str, Any] = {name: {"weight": torch.ones(9)} for name in ("policy", "value", "discriminator")}
        with atomic_path(path) as temporary:
            torch.save(parts | {"progress": {"updates": self.updates}}, temporary)

    save_rank = save


def names(folder: Path) -> set[str]:
    return {file.name for file in (folder / "checkpoints").iterdir()}


@pytest.fixture
def run(tmp_path):
    """A function that takes two ranks to an update and lets them write a checkpoint there."""

    def ranks(rank: int) -> Any:
        return SimpleNamespace(first=rank == 0, rank=rank, all=lambda flag: flag)

    def write(updates: int, last: bool = False, by: tuple[int, ...] = (1, 0)) -> set[str]:
        for rank in by:
            agents[rank].updates = updates
            (writers[rank].write_last if last else writers[rank].write)(agents[rank])  # type: ignore[arg-type]
        return names(tmp_path)

    agents = {rank: Agent() for rank in (0, 1)}
    writers = {rank: CheckpointWriter(tmp_path, interval=10, keep=2, ranks=ranks(rank)) for rank in agents}
    return write


def test_between_two_numbers_the_last_and_the_one_before_stay(run):
    assert run(3) == {"agent_last.pt", "rank1_update3.pt"}
    assert run(5) == {"agent_last.pt", "agent_previous.pt", "rank1_update3.pt", "rank1_update5.pt"}
    assert run(7) == {"agent_last.pt", "agent_previous.pt", "rank1_update5.pt", "rank1_update7.pt"}


def test_the_newest_numbered_ones_stay(run):
    assert run(10) == {"agent_240.pt", "rank1_update10.pt"}
    run(20)
    assert run(30) == {"agent_480.pt", "agent_720.pt", "rank1_update20.pt", "rank1_update30.pt"}
    assert run(30, last=True) == {"agent_480.pt", "agent_720.pt", "agent_last.pt"} | {
        "rank1_update20.pt",
        "rank1_update30.pt",
    }
    assert "rank1_update20.pt" not in run(40) and "rank1_update30.pt" in run(50), "agent_last.pt is of update 30"


def test_a_run_that_ends_between_the_parts_has_its_last_whole_checkpoint(run, tmp_path):
    run(3)
    run(5, by=(1,))  # the first rank was killed before it wrote its own
    found = find_checkpoint(tmp_path)
    assert (found.updates, found.torn) == (3, ()) and "rank1_update3.pt" in names(tmp_path)


@pytest.mark.parametrize("damaged", ["agent_last.pt", "rank1_update5.pt"])
def test_a_checkpoint_with_a_damaged_part_is_passed_over(run, tmp_path, damaged):
    run(3)
    run(5)
    file = tmp_path / "checkpoints" / damaged
    file.write_bytes(file.read_bytes()[:-200])
    found = find_checkpoint(tmp_path)
    last = tmp_path / "checkpoints" / "agent_last.pt"
    assert (found.file.name, found.updates, found.torn) == ("agent_previous.pt", 3, (last,))


def test_a_run_that_goes_back_has_no_checkpoint_of_the_updates_that_it_makes_again(run, tmp_path):
    for updates in (10, 20, 30, 33, 35):
        run(updates)
    writer = CheckpointWriter(tmp_path, interval=10, keep=2)
    assert writer.set_aside_others(35, STEPS) == 0
    assert writer.set_aside_others(20, STEPS) == 3
    found = find_checkpoint(tmp_path)
    assert (found.file.name, found.updates, found.torn) == ("agent_480.pt", 20, ())
    aside = {"replaced_agent_720.pt", "replaced_agent_last.pt", "replaced_agent_previous.pt"}
    assert aside < names(tmp_path)
    assert "agent_480.pt" in run(30), "of the newest two"


def test_a_damaged_checkpoint_does_not_replace_the_one_before(run, tmp_path):
    """The run goes on from that one, and may be killed while it writes its first."""
    run(3)
    run(5)
    last = tmp_path / "checkpoints" / "agent_last.pt"
    last.write_bytes(last.read_bytes()[:-200])
    assert CheckpointWriter(tmp_path, interval=10).set_aside_others(3, STEPS) == 1
    assert find_checkpoint(tmp_path).file.name == "agent_previous.pt" and not last.exists()


def test_a_disk_without_links_gets_a_copy(run, monkeypatch):
    def fails(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", fails)
    run(3)
    assert "agent_previous.pt" in run(5)


def test_what_a_killed_process_left_unfinished_goes(run, tmp_path):
    whole = run(3)
    for name in (".agent_last-x1y2.pt", ".rank1_update3-x1y2.pt"):
        (tmp_path / "checkpoints" / name).write_bytes(b"half")
    CheckpointWriter(tmp_path, interval=10).remove_unfinished()
    assert names(tmp_path) == whole
