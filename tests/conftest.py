"""Fixtures that several test modules share."""

import os
import shutil
from pathlib import Path

import pytest

from amp_helpers.utils.threads import spin_briefly

spin_briefly()  # before any test loads torch, so that tests take about as long beside another busy process
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):  # they share the cores
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))

LONGEST_FIRST = ("notebook", "sim", "browser", "slow")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL without a GPU
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put PhysX last: its threads poll until their process ends, and so take time from every test after it.

    Where several processes share the modules, those that take longest begin, so that all end at about one time.
    """
    place = dict.fromkeys((item.path for item in items), len(LONGEST_FIRST))
    if "PYTEST_XDIST_WORKER" in os.environ:
        for item in items:
            marks = {mark.name for mark in item.iter_markers()}
            place[item.path] = min([place[item.path], *(i for i, name in enumerate(LONGEST_FIRST) if name in marks)])
    items.sort(key=lambda item: (item.path.name == "test_physx.py", place[item.path]))


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def gmr_samples(repo_root) -> Path:
    """Folder of GMR pickles from public sources: $AMP_GMR_SAMPLES, or one beside the repository."""
    folder = Path(os.environ.get("AMP_GMR_SAMPLES", repo_root.parent / "shared" / "gmr_samples"))
    if not any(folder.glob("*.pkl")):
        pytest.skip(f"no GMR pickles in {folder}; set AMP_GMR_SAMPLES to a folder of them")
    return folder


@pytest.fixture(scope="session")
def field_samples(repo_root) -> Path:
    """Folder of other people's motion files and robots: $AMP_FIELD_SAMPLES, or one beside the repository."""
    folder = Path(os.environ.get("AMP_FIELD_SAMPLES", repo_root.parent / "shared" / "field_samples"))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}; set AMP_FIELD_SAMPLES to one with field samples")
    return folder


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> str:
    """Torch device: the CPU, and also the GPU where there is one."""
    if request.param == "cuda" and not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("no GPU")
    return request.param


@pytest.fixture(scope="module")
def browser():
    """Chromium, headless. Not for the whole session: while Playwright runs, asyncio.run() in another test fails."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on the path; install it (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=BROWSER_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Training run of three updates on the CPU: its folder, configuration and health records."""
    pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
    from types import SimpleNamespace

    from amp_helpers.agent.cfg import AmpAgentCfg
    from amp_helpers.train import train
    from amp_helpers.training.cfg import TrainCfg

    cfg = TrainCfg(
        device="cpu",
        num_envs=8,
        max_iterations=3,
        agent=AmpAgentCfg(rollouts=16, hidden=(32,), discriminator_hidden=(32,)),
        run_dir=tmp_path_factory.mktemp("runs") / "small",
    )
    records = []
    folder = train(cfg, on_update=records.append, progress=False)
    return SimpleNamespace(folder=folder, cfg=cfg, records=records, last=folder / "checkpoints" / "agent_last.pt")


@pytest.fixture(scope="session")
def metric_names() -> frozenset[str]:
    """The keys of ``metrics.json``, which other tools read."""
    return frozenset(
        {
            "falls_per_env_10s",
            "velocity_error_mps",
            "tracking_rmse_mps",
            "turn_error_radps",
            "drift_mps",
            "response_s",
            "gait_frequency_hz",
            "gait_frequency_ratio",
            "pose_rmse_rad",
            "tilt_rmse_rad",
            "coverage_rmse_rad",
            "foot_skate_mps",
            "action_rate",
            "mechanical_power_w",
        }
    )
