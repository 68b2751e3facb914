"""A user's mistake is one line on stderr, and a traceback before it when ``AMP_DEBUG`` is set."""

from pathlib import Path

import pytest

from amp_helpers.errors import InputError, debugging, run_cli


def read_gone() -> None:
    try:
        {}["walk.pkl"]
    except KeyError:
        raise InputError("walk.pkl: no such file;\n check the path") from None


def open_gone() -> None:
    Path("/gone/walk.pkl").read_bytes()


def interrupt() -> None:
    raise KeyboardInterrupt


def lack_isaaclab() -> None:
    raise ModuleNotFoundError("No module named 'isaaclab'", name="isaaclab")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (read_gone, "error: walk.pkl: no such file; check the path\n"),
        (open_gone, "error: /gone/walk.pkl: No such file or directory; check the path\n"),
        (lack_isaaclab, "error: isaaclab is not installed; pip install 'amp_helpers[sim]'\n"),
        (interrupt, "error: interrupted; files written before are kept\n"),
    ],
)
def test_a_mistake_is_one_line_unless_debugging(monkeypatch, capsys, command, line):
    monkeypatch.delenv("AMP_DEBUG", raising=False)
    assert run_cli(command) == 2
    error = capsys.readouterr().err
    assert error.startswith(line) and error.count("\n") == 1
    monkeypatch.setenv("AMP_DEBUG", "1")
    assert run_cli(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback ") and f"in {command.__name__}" in error
    assert error.splitlines(keepends=True)[-1].startswith(line)


@pytest.mark.parametrize("value", ["1", "true"])
def test_a_bug_passes_through_with_and_without_debugging(monkeypatch, value):
    def bug() -> None:
        raise RuntimeError("ours")

    for setting in ("", value):
        monkeypatch.setenv("AMP_DEBUG", setting)
        assert debugging() is bool(setting)
        with pytest.raises(RuntimeError, match="ours"):
            run_cli(bug)
    monkeypatch.setenv("AMP_DEBUG", "0")
    assert not debugging()


def test_a_missing_module_that_no_extra_installs_is_a_bug():
    with pytest.raises(ModuleNotFoundError, match=r"amp_helpers\.gone"):
        run_cli(lambda: __import__("amp_helpers.gone") and None)


def test_a_notebook_shows_the_line_or_the_traceback(monkeypatch):
    with pytest.raises(InputError) as caught:
        read_gone()
    monkeypatch.delenv("AMP_DEBUG", raising=False)
    assert caught.value._render_traceback_() == ["error: walk.pkl: no such file; check the path"]
    monkeypatch.setenv("AMP_DEBUG", "1")
    shown = "".join(caught.value._render_traceback_())
    assert "in read_gone" in shown and "KeyError: 'walk.pkl'" in shown, "with the cause"
