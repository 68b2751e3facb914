"""A short run of ``benchmarks/fuzz.py``: damaged and unusual files of every registered format."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import fuzz
import motion_samples

from amp_helpers.errors import InputError
from amp_helpers.formats.registry import FORMATS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def summary(tmp_path_factory) -> fuzz.Summary:
    folder = tmp_path_factory.mktemp("fuzz")
    return fuzz.fuzz(fuzz.inputs(300, seed=20, folder=folder), folder, keep=folder / "faults")


def test_every_file_converts_or_is_refused_in_one_sentence(summary):
    assert summary.faults == []


def test_every_format_has_converted_and_refused_files(summary):
    """This includes formats added later: they write their own sample, or need a function in ``BUILT``."""
    assert set(summary.counts) == {kind.name for kind in FORMATS if kind.suffixes}
    for kind, counts in summary.counts.items():
        assert counts["converted"] > 0 and counts["refused"] > 2, kind


def test_it_is_quick_and_small(summary):
    assert summary.slowest.seconds < 5 and summary.hungriest.memory < 64 * 2**20


def test_different_mistakes_have_different_messages(summary):
    """There is not one sentence for everything."""
    kinds = sum((counts for counts in summary.sentences.values()), Counter())
    assert len(kinds) > 50 and kinds.most_common(1)[0][1] < sum(kinds.values()) / 3


def test_faults_are_detected(tmp_path, monkeypatch):
    folder = tmp_path / "judged"
    folder.mkdir()
    sound = motion_samples.samples(tmp_path)[0]
    assert fuzz.judge(sound, folder).how == "converted"
    assert fuzz.judge(replace(sound, first_pose=(0.5,) * 29), folder).how == "wrong"

    def vague(files, output, **_):
        raise InputError("something is wrong")

    monkeypatch.setattr(fuzz, "convert", vague)
    assert fuzz.judge(sound, folder).how == "no sentence"

    def careless(files, output, **_):
        output.with_suffix(".tmp").touch()
        raise InputError(f"{files[0]}: is damaged; export it again")

    monkeypatch.setattr(fuzz, "convert", careless)
    assert fuzz.judge(sound, folder).how == "litter"
