"""A run folder stands for its newest whole checkpoint."""

import pytest

pytest.importorskip("torch", reason="torch is not installed; pip install -e '.[sim]'")

import torch

from amp_helpers.errors import InputError
from amp_helpers.training.checkpoints import find_checkpoint, newest_checkpoint


def write(folder, name: str, updates: object):
    file = folder / "checkpoints" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = {name: {"weight": torch.ones(300)} for name in ("policy", "value", "discriminator")}
    torch.save(parts | {"progress": {"updates": updates}}, file)
    return file


def test_the_newest_is_the_one_with_most_updates(tmp_path):
    newest = write(tmp_path, "agent_4800.pt", 200)
    write(tmp_path, "agent_last.pt", 150)  # newer on disk, as after copying the folder
    for path in (tmp_path, tmp_path / "checkpoints", newest):
        found = find_checkpoint(path)
        assert (found.file, found.updates, found.torn) == (newest, 200, ())
    last = write(tmp_path, "agent_last.pt", 200)
    assert find_checkpoint(tmp_path).file == last


@pytest.mark.parametrize("damage", ["cut", "zeros at the end", "one byte of a tensor", "empty"])
def test_a_torn_checkpoint_is_passed_over(tmp_path, damage):
    whole, torn = write(tmp_path, "agent_2400.pt", 100), write(tmp_path, "agent_last.pt", 137)
    raw = bytearray(torn.read_bytes())
    if damage == "one byte of a tensor":
        raw[raw.index(b"\x00\x00\x80\x3f" * 8) + 3] ^= 0x40
    cut = {"cut": raw[:-900], "zeros at the end": raw[:-900] + bytes(900), "empty": b""}
    torn.write_bytes(cut.get(damage, raw))
    found = find_checkpoint(tmp_path)
    assert (found.file, found.updates, found.torn) == (whole, 100, (torn,))


def test_a_folder_without_a_whole_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"holds no checkpoints/agent_\*\.pt; give the folder of a training run"):
        find_checkpoint(tmp_path)
    write(tmp_path, "agent_last.pt", 3).write_bytes(b"torn")
    with pytest.raises(InputError, match="its 1 checkpoints are damaged; give the folder"):
        find_checkpoint(tmp_path)
    assert newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize("updates", [-1, "7", None])
def test_a_count_of_updates_that_is_none(tmp_path, updates):
    file = write(tmp_path, "agent_last.pt", updates)
    with pytest.raises(InputError, match="give a whole checkpoint written by training"):
        find_checkpoint(file)
    assert newest_checkpoint(tmp_path) is None
