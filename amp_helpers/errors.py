"""Errors as a user sees them: one sentence with a remedy; and files that are written whole or not at all."""

import errno
import hashlib
import io
import math
import numbers
import os
import re
import reprlib
import select
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

_EXTRAS = {
    "sim": (
        "isaaclab",
        "isaaclab_tasks",
        "skrl",
        "torch",
        "warp",
        "gymnasium",
        "tensorboard",
        "mujoco_usd_converter",
        "onnx",
        "yaml",
    ),
    "deploy": ("onnxruntime",),
    "drive": ("viser", "trimesh"),
    "notebooks": ("ipywidgets", "anywidget", "IPython", "nbformat", "nbconvert", "papermill"),
}
"""Extra of this package -> modules that a command needs from it."""

_NO_MEMORY = re.compile("out of memory|can(no|')t allocate memory|failed to allocate", re.IGNORECASE)
"""What torch and Warp say where there is not enough of a CPU's or a GPU's memory."""
_LONGEST_MESSAGE = 2000
"""Characters of an error message; a list of names from a damaged file could fill the screen."""


class InputError(ValueError):
    """A user's input cannot be used.

    The message is one sentence of the form ``FILE: what is wrong; what to do`` and lists the valid names. Parts of it
    may come from files, so it is brought to one line without control characters.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message), _LONGEST_MESSAGE))

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints for this error: the message, or the traceback when ``AMP_DEBUG`` is set."""
        return full_traceback(self) if debugging() else [f"error: {self}"]


def debugging() -> bool:
    """Whether tracebacks are shown: the environment variable ``AMP_DEBUG`` is neither empty nor 0.

    Commands, notebooks and widgets otherwise reduce a user's mistake to one sentence.
    """
    return os.environ.get("AMP_DEBUG", "") not in ("", "0")


def full_traceback(error: BaseException) -> list[str]:
    """Lines of an error's traceback, with the causes that ``raise ... from None`` hides."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__suppress_context__ = False
        cause = cause.__cause__ or cause.__context__
    return traceback.format_exception(error)


def run_cli(main: Callable[[], int | None], told: Callable[[str], object] = lambda sentence: None) -> int:
    """Run a command's ``main`` and report a user's mistake as ``error: ...`` on stderr.

    :class:`InputError`, :class:`OSError` (no such file, no space, no permission), too little memory, a package that an
    extra would install, and Ctrl-C end in one line; with ``AMP_DEBUG=1`` the traceback precedes it. SIGTERM, and SIGHUP
    of a terminal that closes, end like Ctrl-C. Where the reader of the output has ended, as in ``| head``, the command
    ends without a word. Any other exception is a bug and passes through.

    Args:
        main: the command; returns its exit code, or None for 0.
        told: called with what is printed of a mistake.

    Returns:
        The exit code: that of ``main``, 2 after a mistake, or 141 where the reader has ended, as of other programs.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file and joint names may not be valid text
    try:
        with handled_signals(("SIGTERM", "SIGHUP"), _interrupt):
            _check_words(sys.argv[1:])
            return main() or 0
    except (InputError, KeyboardInterrupt, OSError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and _extra(error) is None:
            raise
        if isinstance(error, RuntimeError) and _runtime_remedy(error) is None:
            raise
        if isinstance(error, BrokenPipeError) and _drop_unread():
            return 128 + signal.SIGPIPE
        if debugging():
            print("".join(full_traceback(error)), file=sys.stderr)
        sentence = f"error: {_message(error)}"
        print(sentence, file=sys.stderr)
        told(sentence)
    finally:
        _drop_unread()
    return 2


def _check_words(words: Iterable[str]) -> None:
    """Refuse an empty argument, which would stand for the current folder where a path is expected.

    The value in ``-p NAME VALUE``, a parameter of a notebook, may be empty.
    """
    words = list(words)
    for before, word in zip(["", "", *words], words, strict=False):
        if before == "-p":
            continue
        option, equals, value = word.partition("=")
        if not word or (equals and not value and option.startswith("--")):
            given = f"{option} is" if option else "an argument is"
            raise InputError(f"{given} empty, as is a shell variable that is not set; give a value, or leave it out")


def _drop_unread() -> bool:
    """Drop what is buffered for standard output if that is a pipe that nobody reads any more; return whether it is."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, OSError):  # there is none, or no file
        return False
    pipe = select.poll()
    pipe.register(output, select.POLLOUT)
    if not any(event & select.POLLERR for _, event in pipe.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def _message(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; files written before are kept"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}; {file_remedy(error)}"
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; pip install 'amp_helpers[{_extra(error)}]'"
    if isinstance(error, MemoryError | RuntimeError):
        reason = one_line(str(error), 200) or "the memory is full"
        return f"{reason}; {_runtime_remedy(error)}"
    return one_line(str(error), _LONGEST_MESSAGE)


def _runtime_remedy(error: BaseException) -> str | None:
    """Return what to do about an error that Python, torch or Warp raise without a class of its own."""
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return "take fewer environments, or shorter or fewer motions"
    return "check the path" if str(error).startswith("Symlink loop") else None


def _interrupt(_: str) -> None:
    raise KeyboardInterrupt


@contextmanager
def handled_signals(names: Iterable[str], handler: Callable[[str], None]) -> Iterator[None]:
    """Call ``handler`` with the name of each of these signals that arrives within the block.

    A signal that is ignored stays ignored, as SIGHUP under ``nohup``. Outside the main thread nothing changes.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in names:
            number = signal.Signals[name]
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: a handler that only C could restore
                before[number] = signal.signal(number, lambda number, _: handler(signal.Signals(number).name))
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors of a full disk and of limits on what may be written."""
_FILE_REMEDIES = {
    "free some space": (errno.ENOSPC, errno.EDQUOT),
    "free some space, or raise the limit on the size of files (ulimit -f)": (errno.EFBIG,),
    "change the permissions": (errno.EACCES, errno.EPERM),
    "make the file system writable": (errno.EROFS,),
    "take a shorter name": (errno.ENAMETOOLONG,),
    "close other programs, or raise the limit on open files (ulimit -n)": (errno.EMFILE, errno.ENFILE),
    "keep the program that reads this output running": (errno.EPIPE,),
    "check the drive or the terminal": (errno.EIO,),
    "check the network": (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.ENETUNREACH),
    "choose another port, or end the program that uses this one": (errno.EADDRINUSE,),
}


def file_remedy(error: OSError) -> str:
    """Return what to do about an error of the operating system, by its number."""
    return next((remedy for remedy, numbers in _FILE_REMEDIES.items() if error.errno in numbers), "check the path")


def _extra(error: ModuleNotFoundError) -> str | None:
    """Return the extra that installs the missing module, or None if no extra does."""
    return next((extra for extra, modules in _EXTRAS.items() if error.name in modules), None)


def one_line(text: str, most: int | None = None) -> str:
    """Bring text to one line: white space becomes a space, other control characters are escaped, the middle is cut.

    Args:
        text: any text, also from a file: a terminal would obey its control characters.
        most: most characters to keep.
    """
    if most is not None and len(text) > most:
        text = f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, and neither text nor a truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


class _Repr(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < 10_000 else f"{hex(x)[:20]}…"  # Python refuses decimals


def brief_repr(value: object, most: int = 80) -> str:
    """Return a value from a file as Python writes it, cut to one short line, for a message."""
    brief = _Repr()
    brief.maxstring = brief.maxother = brief.maxlong = most
    return one_line(brief.repr(value), most)


def folder_fault(folder: str | os.PathLike) -> str | None:
    """Say, before a long computation, why files cannot be written to a folder, which need not exist yet.

    Returns:
        The beginning of an error message: it is a file, lies below one, or is not writable; ``None`` where it is sound.
    """
    path = Path(folder).absolute()
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not there.is_dir():
        return f"{there}: is {'a file' if there.is_file() else 'no folder'}"
    return None if os.access(there, os.W_OK | os.X_OK) else f"{there}: is not writable"


@contextmanager
def atomic_path(path: str | os.PathLike, parents: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it only if the block ends without an error.

    The suffix is kept, because writers such as ``np.savez`` and video encoders choose their format by it.

    Args:
        path: the file.
        parents: make its folder where there is none.

    Raises:
        OSError: the file cannot be written; ``filename`` is ``path``, for callers with a remedy of their own.
    """
    path = Path(path)
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        # mkstemp creates private files; a result gets the permissions of an ordinary new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        # The error otherwise carries no file name, or the temporary one.
        error.filename = str(path)
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path as :func:`atomic_path` does, and report a failure as :class:`InputError`."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}), the old file is kept; "
            f"{file_remedy(error)} or choose another path"
        ) from error


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
