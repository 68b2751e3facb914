"""Execute the notebooks in order and write pages of their results."""

import ast
import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from amp_helpers.errors import InputError, file_remedy, run_cli
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
from amp_helpers.utils.command_line import OneLineParser

# Silences messages of every kernel start that do not concern a reader of the notebooks.
_KERNEL_ENVIRONMENT = {
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

    All parameters of all notebooks are checked before the first one starts. The index is written also when a notebook
    fails.

    Args:
        names: notebooks, without ``.ipynb``.
        output: folder of the results.
        parameters: values by name; each goes to the notebooks that have it.
        folder: where the notebooks are.
        report: called with a line for each notebook.

    Raises:
        InputError: no such notebook, a parameter that none of them has, or a folder that cannot be written.
        NotebookError: a notebook failed for another reason.
    """
    output, names, parameters = Path(output), list(names), dict(parameters or {})
    if "output_dir" in parameters:
        raise InputError("output_dir: set by the command; name the folder with --output")
    known = {name: _parameters_of(folder / f"{name}.ipynb") for name in names}
    for key, value in parameters.items():
        users = {name: defaults for name, defaults in known.items() if key in defaults}
        everything = {name: default for defaults in known.values() for name, default in defaults.items()}
        for name, defaults in (users or {", ".join(names): everything}).items():
            check_parameters(name, {key: value}, defaults)
    for variable, value in _KERNEL_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    os.environ.pop("MPLBACKEND", None)  # with a backend for scripts, no figure would appear in a notebook
    order = [*NOTEBOOKS, *(name for name in names if name not in NOTEBOOKS)]
    width = max(map(len, names), default=0)
    with _writing_to(output):
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
    notebook = read_notebook(path)
    try:
        return notebook_parameters(notebook)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None


@contextmanager
def _writing_to(output: Path) -> Iterator[None]:
    """Make the folder, try to write to it, and name it when it is full or not writable.

    The system's own message often lacks the name of the folder.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / ".writable"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise InputError(
            f"{output}: cannot be written ({error.strerror}); {file_remedy(error)} or name another folder with --output"
        ) from error


_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}


def parse_value(text: str) -> object:
    """Parse a parameter of the command line: a Python or JSON literal, else the text itself.

    :func:`~amp_helpers.notebook.execute.check_parameters` refuses literals of types that JSON lacks.
    """
    try:
        return ast.literal_eval(_WORDS.get(text.lower(), text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 when a notebook failed for a reason other than its input."""
    parser = OneLineParser(
        prog="python -m amp_helpers.pipeline",
        description="Execute the notebooks in order and write pages of their results.",
    )
    parser.add_argument("--notebooks", nargs="+", metavar="NAME", default=list(NOTEBOOKS), help="default: all in order")
    parser.add_argument("--output", default="outputs", help="folder for pages, figures, videos and metrics.json")
    parser.add_argument(
        "-p",
        nargs=2,
        action="append",
        metavar=("NAME", "VALUE"),
        default=[],
        dest="parameters",
        help="set a notebook parameter; the defaults suit a CPU",
    )
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
