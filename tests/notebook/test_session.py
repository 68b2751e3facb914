"""The first cell of every notebook: its checks, its folders, and what it shows."""

import os
import re
import sys

import numpy as np
import pytest

from amp_helpers.errors import InputError
from amp_helpers.notebook.session import EMBED_BYTES, quiet, start
from amp_helpers.plots.motion import pictures


def test_start_makes_folders_and_refuses_a_wrong_environment(tmp_path, monkeypatch):
    space = start(tmp_path / "out", needs=("numpy",))
    assert space.figures.is_dir() and space.videos.is_dir()
    with pytest.raises(InputError, match=r"no_such_module is not installed; run 'make setup'"):
        start(tmp_path, needs=("numpy", "no_such_module"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        start(tmp_path / "file", needs=())
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(InputError, match=r"Python 3\.13 .* needs 3\.12"):
        start(tmp_path, needs=())


def test_another_working_folder_is_named_with_the_command_that_leaves_it(tmp_path, monkeypatch, repo_root):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"the working folder is .*; run '%cd (.*)' first, or give .*") as refused:
        start("../outputs", needs=())
    assert start(tmp_path / "out", needs=()).figures.is_dir(), "an absolute path"
    folder = re.search("%cd (.*?)'", str(refused.value))[1]
    assert folder == str(repo_root / "notebooks")
    (tmp_path / "datasets").mkdir()  # as in that folder
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert start("../outputs", needs=()).output == tmp_path / "outputs"


def test_a_fresh_folder_replaces_a_run_and_nothing_else(tmp_path):
    space = start(tmp_path, needs=())
    run = space.fresh_folder("run")
    (run / "health.jsonl").write_text("{}")
    assert list(space.fresh_folder("run").iterdir()) == []
    (run / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="other than a training run"):
        space.fresh_folder("run")
    assert (run / "thesis.tex").exists()


def test_a_run_takes_the_place_of_an_earlier_one_only_when_it_is_complete(tmp_path):
    space = start(tmp_path, needs=())
    for text in ("first", "second"):
        draft = space.draft_folder("run")
        assert list(draft.iterdir()) == [] and draft != tmp_path / "run"
        (draft / "health.jsonl").write_text(text)
        assert text == "first" or (tmp_path / "run" / "health.jsonl").read_text() == "first"
        run = space.keep(draft)
        assert run == tmp_path / "run" and (run / "health.jsonl").read_text() == text and not draft.exists()
    (space.draft_folder("run") / "output.txt").write_text("error: out of memory")  # a run that failed
    assert (run / "health.jsonl").read_text() == "second"
    assert list(space.draft_folder("run").iterdir()) == []
    (run / "health.jsonl").rename(run / "thesis.tex")
    for blocked in (lambda: space.draft_folder("run"), lambda: space.keep(tmp_path / "run_new")):
        with pytest.raises(InputError, match="other than a training run"):
            blocked()
    assert (run / "thesis.tex").read_text() == "second"


def test_figures_and_videos_are_shown_and_kept(tmp_path, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    space = start(tmp_path, needs=())
    space.show(pictures([np.zeros((8, 8, 3), np.uint8)], [""]), "04_curves", alt="curves")
    assert (space.figures / "04_curves.png").read_bytes() == shown[0].data
    assert shown[0].alt == "curves"
    small, large = space.videos / "small.mp4", space.videos / "large.mp4"
    small.write_bytes(b"0" * 10)
    large.write_bytes(b"0" * (EMBED_BYTES + 1))
    space.play({"a <b>": small, "large": large})
    assert "data:video/mp4;base64," in shown[1].data and 'src="videos/large.mp4"' in shown[1].data
    assert "a &lt;b&gt;" in shown[1].data
    space.play({"a": small, "b": small}, min_width=150, columns=3)
    assert "minmax(max(150px,calc((100% - 24px) / 3)),1fr)" in shown[2].data
    space.play({"a": small, "b": small}, sentences={"a": "a < b"})
    assert shown[3].data.index("<video") < shown[3].data.index("<strong>a</strong><br>a &lt; b")


def test_native_output_stays_off_the_page(capfd):
    with quiet():
        os.write(1, b"solver iterations limit reached\n")
        os.write(2, b"no CUDA\n")
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "")
