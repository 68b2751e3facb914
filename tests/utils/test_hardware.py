"""The machine that a program runs on."""

import pytest

from amp_helpers.utils import hardware


@pytest.mark.parametrize("stated, gib", [("2147483648\n", 2.0), ("max\n", None), ("9223372036854771712\n", None)])
def test_a_container_with_a_limit_has_less_memory_than_its_machine(tmp_path, monkeypatch, stated, gib):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(hardware, "CONTAINER_LIMITS", (limit, tmp_path / "missing"))
    machine = hardware.memory_gib()
    limit.write_text(stated)
    assert hardware.memory_gib() == (gib or machine)
