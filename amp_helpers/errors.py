"""What a user sees when something is wrong: one sentence with the remedy, and never half a file."""

import hashlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence of the form ``FILE: what is wrong; what to do``; names that would have been
    valid are listed in it.
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback: the sentence."""
        return [f"error: {' '.join(str(self).split())}"]


def run_cli(main: Callable[[], int | None]) -> int:
    """Run a command's ``main`` and turn what a user can cause into ``error: ...`` and exit code 2.

    Covers :class:`InputError` and the operating system's refusals (no such file, no space, no permission). A fault
    of our own still ends in a traceback, because hiding it would help nobody.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files and joints need not be valid text
    try:
        return main() or 0
    except InputError as error:
        message = " ".join(str(error).split())
    except KeyboardInterrupt:
        message = "interrupted; what was already written is kept"
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        message = f"{where}{error.strerror or error}; check the path, the free space and the permissions"
    print(f"error: {message}", file=sys.stderr)
    return 2


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it only when the block ends without an error.

    The suffix is kept, because writers such as ``np.savez`` and video encoders choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        yield temporary
        # mkstemp creates private files; a result is as readable as any other file the user makes.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        # A refused write names no file, or the temporary one, which tells a user nothing.
        error.filename = str(path)
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sha256(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """:func:`amp_helpers.errors.atomic_path`, where a refusal of the operating system names the file."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}), what stood there is kept; "
            "free space or choose another place"
        ) from None
