"""Several processes that train one agent: the same update as one process with all environments."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("skrl", reason="skrl is not installed; pip install -e '.[sim]'")

from amp_helpers.agent.normalizers import Scaler
from amp_helpers.agent.ranks import ALONE

SCRIPT = Path(__file__).parent / "rank_updates.py"


def learned(folder: Path, size: int, device: str) -> list[dict[str, torch.Tensor]]:
    """Run the ranks side by side and return what each has learned."""
    outputs = [folder / f"{rank}_of_{size}.pt" for rank in range(size)]
    line = [sys.executable, str(SCRIPT)]
    processes = [
        subprocess.Popen([*line, str(rank), str(size), str(folder / f"meet_{size}"), str(output), device])
        for rank, output in enumerate(outputs)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0] * size
    return [torch.load(output, weights_only=True) for output in outputs]


TWO_GPUS = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="this machine has no two GPUs")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=TWO_GPUS)])
def test_two_ranks_with_half_the_environments_each_make_the_same_updates_as_one(tmp_path, device):
    (alone,) = learned(tmp_path, 1, device)
    first, second = learned(tmp_path, 2, device)
    for name, value in alone.items():
        torch.testing.assert_close(
            first[name], value, rtol=2e-4, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
        assert torch.equal(first[name], second[name]), name


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_with_its_recordings_makes_the_same_updates_as_a_cpu(tmp_path):
    """Up to rounding; each part of an update is recorded by the fourth of them."""
    results = []
    for device in ("cpu", "cuda"):
        folder = tmp_path / device
        folder.mkdir()
        results += learned(folder, 1, device)
    cpu, gpu = results
    for name, value in cpu.items():
        torch.testing.assert_close(
            gpu[name], value, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_process_alone_computes_nothing():
    values = [torch.ones(2), torch.zeros(())]
    assert all(a is b for a, b in zip(ALONE.mean(values), values, strict=True))
    assert ALONE.any(True) and not ALONE.all(False) and ALONE.texts("run") == ["run"]
    rows = torch.randn(50, 3)
    scaler = Scaler(3, "cpu", ALONE)
    scaler(rows, train=True)
    assert torch.allclose(scaler.running_mean, 50 / 51 * rows.double().mean(0), atol=1e-6)


def test_a_normalizer_learns_in_place():
    """A recording goes on reading the tensors that it was recorded with."""
    scaler = Scaler(3, "cpu", ALONE)
    before = dict(scaler.named_buffers())
    scaler(torch.randn(50, 3), train=True)
    assert all(after is before[name] for name, after in scaler.named_buffers())
    assert before["running_mean"].abs().min() > 0 and before["current_count"] == 51
