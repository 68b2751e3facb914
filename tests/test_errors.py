"""A user's mistake is one line on stderr, and a traceback before it when ``AMP_DEBUG`` is set."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amp_helpers.errors import InputError, debugging, folder_fault, run_cli
from amp_helpers.training.run_folder import writing


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


def allocate() -> None:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")


def allocate_an_array() -> None:
    raise MemoryError


def loop() -> None:
    raise RuntimeError("Symlink loop from '/tmp/link'")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            allocate,
            "error: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.; take "
            "fewer environments, or shorter or fewer motions\n",
        ),
        (allocate_an_array, "error: the memory is full; take fewer environments, or shorter or fewer motions\n"),
        (loop, "error: Symlink loop from '/tmp/link'; check the path\n"),
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


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "change the permissions"),
        (errno.EROFS, "make the file system writable"),
        (errno.ENOENT, "check the path"),
        (errno.EMFILE, "close other programs, or raise the limit on open files (ulimit -n)"),
        (errno.EPIPE, "keep the program that reads this output running"),
    ],
)
def test_not_every_error_of_the_system_is_a_full_disk(capsys, number, remedy):
    def fail() -> None:
        raise OSError(number, os.strerror(number), "walk.pkl")

    assert run_cli(fail) == 2
    assert capsys.readouterr().err == f"error: walk.pkl: {os.strerror(number)}; {remedy}\n"


@pytest.mark.parametrize(("options", "length", "code"), [([], 10**6, 141), (["-u"], 1, 141), ([], 1, 0)])
def test_a_command_whose_reader_has_ended_ends_without_a_word(options, length, code):
    """As in ``| head``; a command whose last words are still buffered has done its work."""
    program = f"import sys; from amp_helpers.errors import run_cli; sys.exit(run_cli(lambda: print({length} * 'x')))"
    reader, writer = os.pipe()
    os.close(reader)
    command, buffered = [sys.executable, *options, "-c", program], os.environ | {"PYTHONUNBUFFERED": ""}
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=buffered, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (code, b"")


def test_errors_about_files_of_a_run_name_them_and_others_pass_through(tmp_path):
    run = tmp_path / "run"
    denied = r"run/a\.pt: cannot be written \(denied\); change the permissions or choose another --run_dir"
    with pytest.raises(InputError, match=denied), writing(run):
        raise PermissionError(errno.EACCES, "denied", str(run / "a.pt"))
    full = r"run: cannot be written \(full\); free some space or choose another --run_dir"
    with pytest.raises(InputError, match=full), writing(run):  # of a file handle, which has no name
        raise OSError(errno.ENOSPC, "full")
    gone = r"run: was deleted or moved during the training, which has stopped; train again, or go on with --checkpoint"
    for name in (run / "events", os.fsencode(run / "events")):  # TensorBoard names its files by bytes
        with pytest.raises(InputError, match=gone), writing(run):
            raise FileNotFoundError(errno.ENOENT, "gone", name)
    run.mkdir()
    with pytest.raises(InputError, match=r"run/events: cannot be written \(gone\); check the path"), writing(run):
        raise FileNotFoundError(errno.ENOENT, "gone", os.fsencode(run / "events"))
    with pytest.raises(OSError, match="closed"), writing(run):
        raise OSError(errno.EBADF, "closed", 3)
    for other in (BrokenPipeError(errno.EPIPE, "closed"), PermissionError(errno.EACCES, "closed", "/elsewhere")):
        with pytest.raises(OSError, match="closed"), writing(run):
            raise other


@pytest.mark.parametrize(("words", "what"), [(["--output", ""], "an argument"), (["x", "--output="], "--output")])
def test_an_empty_argument_does_not_stand_for_the_current_folder(words, what, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["command", *words])
    assert run_cli(lambda: 0) == 2
    sentence = "is empty, as is a shell variable that is not set; give a value, or leave it out"
    assert capsys.readouterr().err == f"error: {what} {sentence}\n"
    monkeypatch.setattr(sys, "argv", ["command", "--output", "x", "--name=a=", "-p", "joint_order", ""])
    assert run_cli(lambda: 0) == 0


def test_a_folder_that_cannot_be_written_to_is_told_before(tmp_path):
    (tmp_path / "file").touch()
    assert folder_fault(tmp_path / "new" / "folder") is folder_fault(tmp_path) is None
    assert not (tmp_path / "new").exists()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert folder_fault(folder) == f"{tmp_path / 'file'}: is a file"
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert folder_fault(tmp_path / "link" / "below") == f"{tmp_path / 'link'}: is no folder"
