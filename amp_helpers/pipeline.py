"""Execute the notebooks in order, and turn what they leave behind into pages to read."""

import argparse
import ast
import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from amp_helpers.errors import InputError, run_cli
from amp_helpers.notebook import pages
from amp_helpers.notebook.execute import (
    NOTEBOOK_FOLDER,
    NOTEBOOKS,
    NotebookError,
    check_parameters,
    execute,
    notebook_parameters,
    read_notebook,
)

# What kernels would otherwise say on every start, none of which a reader of a notebook can act on.
QUIET_ENVIRONMENT = {
    "JUPYTER_PLATFORM_DIRS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
_NOT_WRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def run(
    names: Iterable[str] = NOTEBOOKS,
    output: str | os.PathLike = "outputs",
    parameters: Mapping[str, object] | None = None,
    *,
    folder: Path = NOTEBOOK_FOLDER,
    report: Callable[[str], None] = print,
) -> Path:
    """Execute the named notebooks in order into ``output`` and return the path of its ``index.html``.

    Each parameter goes to the notebooks that have it, and has to be known to at least one. All parameters
    of all notebooks are checked before the first one starts, and the index is written also when a
    notebook fails.
    """
    output, names, parameters = Path(output), list(names), dict(parameters or {})
    if "output_dir" in parameters:
        raise InputError("output_dir: set by the runner; give the folder with --output")
    known = {name: _parameters_of(folder / f"{name}.ipynb") for name in names}
    for key, value in parameters.items():
        users = {name: has for name, has in known.items() if key in has}
        if not users:
            check_parameters(", ".join(names), {key: value}, {k: v for has in known.values() for k, v in has.items()})
        for name, has in users.items():
            check_parameters(name, {key: value}, has)
    with _writing_to(output):
        _make_writable(output)
        return _run_checked(names, output, parameters, known, folder, report)


def _run_checked(
    names: list[str],
    output: Path,
    parameters: Mapping[str, object],
    known: Mapping[str, Mapping[str, object]],
    folder: Path,
    report: Callable[[str], None],
) -> Path:
    for variable, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    os.environ.pop("MPLBACKEND", None)  # a backend chosen for scripts would keep figures out of the notebook
    order = [*NOTEBOOKS, *(name for name in names if name not in NOTEBOOKS)]
    width = max(map(len, names), default=0)
    try:
        for number, name in enumerate(names, 1):
            start, verdict = time.monotonic(), "FAILED"
            try:
                chosen = {key: value for key, value in parameters.items() if key in known[name]}
                execute(folder / f"{name}.ipynb", output, chosen, order)
                verdict = "ok"
            finally:
                seconds = time.monotonic() - start
                report(f"[{number}/{len(names)}] {name:{width}}  {seconds:5.0f} s  {verdict}")
    finally:
        index = pages.write_index(output, order)
    return index


def _parameters_of(path: Path) -> dict[str, object]:
    try:
        return notebook_parameters(read_notebook(path))
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(str(path)) else f"{path.name}: {message}") from None


@contextmanager
def _writing_to(output: Path) -> Iterator[None]:
    """Say which folder it is that is full or closed; the system's own words often leave the name out."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise InputError(
            f"{output}: cannot be written ({error.strerror}); make room or name another folder with --output"
        ) from error


def _make_writable(output: Path) -> None:
    probe = output / ".writable"
    output.mkdir(parents=True, exist_ok=True)
    probe.write_bytes(b"x" * 4096)
    probe.unlink()


def parse_value(text: str) -> object:
    """A parameter from the command line: a Python literal (``true``, ``false`` too), else the text itself."""
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, SyntaxError):
        return text


def main(argv: list[str] | None = None) -> int:
    """Command line of this module; returns 0, or 1 when a notebook failed through no fault of its input."""
    parser = argparse.ArgumentParser(prog="python -m amp_helpers.pipeline", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--notebooks", nargs="+", metavar="NAME", default=list(NOTEBOOKS), help="default: all, in order"
    )
    parser.add_argument("--output", default="outputs", help="folder for pages, figures, videos and metrics.json")
    parser.add_argument(
        "-p", nargs=2, action="append", metavar=("NAME", "VALUE"), default=[], dest="parameters",
        help="a notebook parameter other than its default, which is the size a CPU can bear",
    )  # fmt: skip
    args = parser.parse_args(argv)
    names = [name.removesuffix(".ipynb") for name in args.notebooks]
    if unknown := [name for name in names if name not in NOTEBOOKS]:
        raise InputError(f"{unknown[0]}: no such notebook; available: {', '.join(NOTEBOOKS)}")
    try:
        index = run(names, args.output, {name: parse_value(value) for name, value in args.parameters})
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"\nEverything is in {index.parent}/; start with {index.resolve().as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(run_cli(main))
