"""Two updates of each recipe, recorded before the agent and its loop were rewritten: a seed gives the same numbers.

Recorded anew when the physics' solver was told to stop earlier; with its former settings they were the same to the bit.
And anew when the discriminator's windows of an epoch were drawn at once; with one mini-batch an epoch, nothing changed.
To the bit on the kind of CPU, and with the torch, that they were recorded on; elsewhere within rounding.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from support import PATIENCE_S

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

pytestmark = pytest.mark.sim

RECORD = Path(__file__).with_name("recorded_updates.json")
NETWORKS = ("policy", "value", "discriminator")
SCALERS = tuple(f"{name}_preprocessor" for name in ("observation", "state", "value", "amp_observation"))


def train_two_updates(recipe: str, folder: Path) -> dict:
    """Health records, and a digest of every network and scaler."""
    import torch

    from amp_helpers.train import train
    from amp_helpers.training.cfg import RECIPES

    torch.set_num_threads(1)  # sums depend on the number of threads
    cfg = RECIPES[recipe]
    cfg = replace(
        cfg,
        device="cpu",
        num_envs=8,
        max_iterations=2,
        run_dir=folder,
        agent=replace(cfg.agent, rollouts=16, hidden=(32,), discriminator_hidden=(32,)),
    )
    records = []
    train(cfg, on_update=records.append, progress=False)
    saved = torch.load(folder / "checkpoints" / "agent_last.pt", weights_only=True)
    digests = {}
    for part in (*NETWORKS, *SCALERS):
        digest = hashlib.sha256()
        for name in sorted(saved[part]):
            digest.update(name.encode())
            digest.update(saved[part][name].contiguous().numpy().tobytes())
        digests[part] = digest.hexdigest()
    return {"health": [asdict(record) for record in records], "sha256": digests}


def machine() -> dict[str, str]:
    """What the last bits depend on."""
    import torch

    models = [line.split(":", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {"cpu": models[0].strip() if models else "", "torch": torch.__version__}


@pytest.mark.parametrize("recipe", ["walk", "published"])
def test_the_same_seed_makes_the_recorded_updates(recipe, tmp_path):
    recorded = json.loads(RECORD.read_text())
    # In a process of its own: other tests choose other numbers of threads.
    code = (
        "import json, sys; from pathlib import Path; import test_recorded_updates as t\n"
        "result = t.train_two_updates(sys.argv[1], Path(sys.argv[2]))\n"
        "Path(sys.argv[2], 'result.json').write_text(json.dumps(result))"
    )
    command = [sys.executable, "-c", code, recipe, str(tmp_path / "run")]
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    search = os.pathsep.join(folders)
    environment = os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2], timeout=PATIENCE_S)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    if machine() == recorded["made_on"]:
        assert result == recorded[recipe]
    for made, expected in zip(result["health"], recorded[recipe]["health"], strict=True):
        assert made == pytest.approx(expected, rel=2e-2, abs=2e-3)
