"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def gmr_samples(repo_root) -> Path:
    """A folder of GMR pickles as other people wrote them: $AMP_GMR_SAMPLES, or one beside the repository."""
    folder = Path(os.environ.get("AMP_GMR_SAMPLES", repo_root.parent / "shared" / "gmr_samples"))
    if not any(folder.glob("*.pkl")):
        pytest.skip(f"no GMR pickles in {folder}; name a folder of them in AMP_GMR_SAMPLES")
    return folder
