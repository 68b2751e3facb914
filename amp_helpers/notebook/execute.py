"""Execute one notebook: read it, check its parameters, run it, and find errors that papermill misses.

papermill injects parameters, runs the cells, and saves the notebook after each one. The rest of this module makes up
for what papermill lacks:

- it accepts an unknown parameter, or one of another type, without an error;
- it takes the kernel from the ``python3`` kernelspec, which on many machines is another environment, and may wait for
  ever for a reply that has arrived (:mod:`amp_helpers.notebook.engine`);
- it misses exceptions in widget callbacks and threads (:mod:`amp_helpers.notebook.hidden_errors`), and a cell that
  exits the kernel;
- it overwrites the result of an earlier run when the new one fails.
"""

import ast
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, brief_repr
from amp_helpers.notebook import pages
from amp_helpers.notebook.hidden_errors import ERRORS_SEEN, exception_line, hidden_errors
from amp_helpers.utils.resources import checkout

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK_FOLDER = (checkout() or Path.cwd()) / "notebooks"
NOTEBOOKS = (
    "00_amp_in_ten_minutes",
    "01_joint_order",
    "02_gmr_conversion",
    "03_feet_removal",
    "04_amp_training",
    "05_play_and_evaluate",
    "06_deploy_and_drive",
)
# Permission denied, disk full, read-only file system, quota exceeded: the user can repair these.
_REPAIRABLE = ("[Errno 13]", "[Errno 28]", "[Errno 30]", "[Errno 122]")


class NotebookError(RuntimeError):
    """A notebook failed for a reason other than the user's input."""


def notebook_parameters(notebook: "NotebookNode") -> dict[str, object]:
    """Return names and default values from the cell tagged ``parameters``; empty when there is none.

    Raises:
        InputError: the cell holds anything but assignments of literals. papermill sets the values in a new cell after
            this one, so that a value computed here would keep the default.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            found = {}
            try:
                for statement in ast.parse(cell.source).body:
                    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                        raise ValueError(ast.unparse(statement))
                    found[statement.targets[0].id] = ast.literal_eval(statement.value)
            except (ValueError, SyntaxError) as error:
                raise InputError(
                    f"parameters cell: holds {error}; only assignments of literals are allowed, "
                    "so compute other values in the next cell"
                ) from error
            return found
    return {}


def check_parameters(name: str, given: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Check parameters against a notebook's names and default values.

    An integer is accepted for a float, and any JSON value for a default of ``None``: papermill writes values of other
    types into the generated cell unescaped, where they would run as code.

    Raises:
        InputError: an unknown name, or a value of another type.
    """
    for key, value in given.items():
        if key not in known:
            valid = ", ".join(sorted(known)) or "none"
            raise InputError(f"{name}: unknown parameter '{key}'; available: {valid}")
        if not _is_json(value):
            raise InputError(
                f"{name}: parameter '{key}' is {brief_repr(value)}; give text, a number, true, false, null, or a list "
                "or object of these, as in JSON"
            )
        default = known[key]
        same = type(value) is type(default) or (type(default) is float and type(value) is int)
        if default is not None and not same:
            raise InputError(
                f"{name}: parameter '{key}' is {brief_repr(value)}; give a value of type {type(default).__name__}, "
                f"such as {default!r}"
            )


def _is_json(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool)


@contextmanager
def _working_files(output: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield paths for the running notebook and for its kernel's own output; delete both at the end."""
    running, log = output / f".{name}.running.ipynb", output / f".{name}.log"
    try:
        yield running, log
    finally:
        running.unlink(missing_ok=True)
        log.unlink(missing_ok=True)


def execute(
    path: Path,
    output: Path,
    parameters: Mapping[str, object] | None = None,
    siblings: Sequence[str] = (),
) -> Path:
    """Execute one notebook and write ``NAME.ipynb`` and ``NAME.html`` to ``output``; return the page.

    The kernel runs in the notebook's folder. When the notebook fails, its results so far are kept as
    ``NAME.failed.ipynb`` and ``.html``, and the files of an earlier complete run stay.

    Args:
        path: the notebook.
        output: folder of the results; also the default of a parameter ``output_dir``.
        parameters: values by name.
        siblings: names of all notebooks in order, for the links of the page.

    Raises:
        InputError: a wrong parameter, or a cell that stopped with an :class:`InputError`, a full disk or a lack of
            permission.
        NotebookError: any other failure, including exceptions that did not stop their cell.
    """
    import nbformat  # not above, because it is an extra: without it, a command ends in one sentence

    # Absolute paths, because papermill changes the working folder while the notebook runs.
    path, output = path.resolve(), output.resolve()
    name, parameters = path.stem, dict(parameters or {})
    notebook = read_notebook(path)
    known = notebook_parameters(notebook)
    check_parameters(name, parameters, known)
    if "output_dir" in known:
        parameters.setdefault("output_dir", str(output))
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.pop(ERRORS_SEEN, None)

    with _working_files(output, name) as (running, log):
        failure = _run(notebook, path, parameters, running, log)
        executed = nbformat.read(running, as_version=4)
        if failure is None:
            failure = _hidden_failure(name, executed)
        if failure is not None:
            kept = output / f"{name}.failed.ipynb"
            os.replace(running, kept)
            pages.write_page(executed, kept.with_suffix(".html"), (), path.parent)
            raise type(failure)(f"{failure}; the results so far are in {kept.with_suffix('.html')}") from None
        os.replace(running, output / f"{name}.ipynb")
        page = pages.write_page(executed, output / f"{name}.html", siblings, path.parent)
    for stale in (output / f"{name}.failed.ipynb", output / f"{name}.failed.html"):
        stale.unlink(missing_ok=True)
    return page


def _run(
    notebook: "NotebookNode", path: Path, parameters: Mapping[str, object], running: Path, log: Path
) -> Exception | None:
    """Execute a notebook in its folder and write it to ``running``; return what stopped it, or None."""
    from papermill import PapermillExecutionError, execute_notebook

    from amp_helpers.notebook.engine import register_engine

    name = path.stem
    try:
        execute_notebook(
            notebook,
            str(running),
            parameters=parameters,
            engine_name=register_engine(),
            log=log,
            kernel_name="python3",
            cwd=str(path.parent),
            start_timeout=300,  # s; on a busy machine, a kernel takes long to start
            # papermill hands a dictionary on to tqdm; its type hint says bool.
            progress_bar={"desc": f"  {name}", "leave": False} if sys.stderr.isatty() else False,  # type: ignore
        )
    except PapermillExecutionError as error:
        message = f"{name}: cell In [{error.exec_count}] stopped with {exception_line(error.ename, error.evalue)}"
        refused = error.ename == "InputError" or error.evalue.startswith(_REPAIRABLE)
        return InputError(message) if refused else NotebookError(message)
    except RuntimeError:  # what nbclient raises when the kernel dies, at its start or in a cell
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no message"]
        return NotebookError(f"{name}: its kernel died ({last[0]}), often because memory ran out")
    return None


def _hidden_failure(name: str, executed: "NotebookNode") -> NotebookError | None:
    """Return the failure of a notebook that papermill reports as complete, or None."""
    for cell in executed.cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            first = cell.source.strip().splitlines()[0]
            return NotebookError(f"{name}: the kernel exited early, the cell starting '{first}' never ran")
    if hidden := hidden_errors(executed):
        return NotebookError(f"{name}: exceptions in widgets or threads: {len(hidden)}, the first {hidden[0]}")
    return None


def read_notebook(path: Path) -> "NotebookNode":
    """Read a notebook.

    Raises:
        InputError: no such file, or not a notebook of format 4.
    """
    import nbformat  # an extra, as in execute

    try:
        text = path.read_text(encoding="utf-8")
        nbformat.validate(json.loads(text))
        return nbformat.reads(text, as_version=4)
    except FileNotFoundError:
        available = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        hint = "" if checkout() else "; the notebooks are in the repository, so run this in its folder"
        raise InputError(f"{path}: no such notebook; available: {available}{hint}") from None
    except (ValueError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a Jupyter notebook of format 4 ({reason}); restore the file") from None
