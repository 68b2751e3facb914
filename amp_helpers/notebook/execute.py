"""One notebook: read it, check its parameters, execute it, and find what went wrong in it.

papermill does the executing. This module adds what it lacks: parameters are checked before anything runs,
errors that hide in widgets are found, a kernel that dies or a cell that leaves early counts as a failure,
and what an earlier run wrote is never overwritten by a run that failed.
"""

import ast
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat

from amp_helpers.errors import InputError
from amp_helpers.notebook import pages
from amp_helpers.utils.resources import checkout

# A cell that ended in one of these ran out of room or of permission: something the user can mend.
_SYSTEM_REFUSALS = ("[Errno 13]", "[Errno 28]", "[Errno 30]", "[Errno 122]")
_TRACEBACK = "Traceback (most recent call last)"
_SEEN_ERRORS = "errors_seen"


class NotebookError(RuntimeError):
    """A notebook did not run to its end, and not because of what the user gave it."""


def notebook_parameters(notebook: nbformat.NotebookNode) -> dict[str, object]:
    """Names and default values of the cell tagged ``parameters``; empty when there is none.

    Raises :class:`InputError` when the cell holds anything but assignments of literals: papermill replaces
    these values after the cell has run, so whatever is computed from them there would keep the default.
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
                    f"parameters cell: only assignments of literals may stand in it, not {error}; "
                    "compute derived values in the next cell"
                ) from error
            return found
    return {}


def check_parameters(name: str, given: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Raise :class:`InputError` for a parameter that the notebook does not have, or one of another type.

    An integer may stand for a float, and anything for a default of ``None``.
    """
    for key, value in given.items():
        if key not in known:
            valid = ", ".join(sorted(known)) or "none"
            raise InputError(f"{name}: unknown parameter '{key}'; available: {valid}")
        default = known[key]
        same = type(value) is type(default) or (type(default) is float and type(value) is int)
        if default is not None and not same:
            raise InputError(
                f"{name}: parameter '{key}' is {value!r}; give a {type(default).__name__} such as {default!r}"
            )


def hidden_errors(notebook: nbformat.NotebookNode) -> list[str]:
    """One line for every exception in an executed notebook that did not stop its cell.

    Looks at cell outputs, at the outputs kept in the widget state (where a callback's exception ends), at
    tracebacks on stderr (threads, asyncio tasks), and at the errors the runner saw pass by, because a
    widget that is drawn again wipes the exception it showed before.
    """
    found = list(notebook.metadata.get(_SEEN_ERRORS, []))
    for cell in notebook.cells:
        found += _errors_in(cell.get("outputs", []))
    for model in pages.widget_state(notebook).values():
        found += _errors_in(model.get("state", {}).get("outputs", []))
    return list(dict.fromkeys(found))


def _errors_in(outputs: Iterable[Mapping]) -> list[str]:
    found = []
    for output in outputs:
        if output["output_type"] == "error":
            found.append(_one_line(output["ename"], output["evalue"]))
        elif output["output_type"] == "stream" and _TRACEBACK in (text := "".join(output["text"])):
            found.append(text.rsplit(_TRACEBACK, 1)[1].strip().splitlines()[-1].strip())
    return found


def _one_line(ename: str, evalue: str) -> str:
    lines = [line.strip() for line in evalue.splitlines() if line.strip()]
    return f"{ename}: {lines[-1]}" if lines else ename


def _engine(log: Path) -> str:
    """Name of a papermill engine that runs this interpreter as the kernel and remembers every error it sees.

    The notebook's kernelspec is not looked up: on many machines ``python3`` points at another environment.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class ThisInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

        async def start_kernel(self, **options) -> None:
            with log.open("wb") as stream:
                await super().start_kernel(stdout=stream, stderr=stream, **options)

    class Client(PapermillNotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] == "error":
                seen = self.nb.metadata.setdefault(_SEEN_ERRORS, [])
                seen.append(_one_line(msg["content"]["ename"], msg["content"]["evalue"]))
            return super().process_message(msg, cell, cell_index)

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, **ignored):
            Client(
                nb_man,
                kernel_name=kernel_name,
                kernel_manager_class=ThisInterpreter,
                startup_timeout=start_timeout,
                coalesce_streams=True,
                # A cell that computes for minutes without printing is at work, not lost.
                raise_on_iopub_timeout=False,
            ).execute()

    papermill_engines.register("amp_helpers", Engine)
    return "amp_helpers"


@contextmanager
def _working_files(output: Path, name: str):
    """Paths of the notebook while it runs and of its kernel's own output; gone when the block ends."""
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

    The kernel runs in the notebook's folder. ``output_dir`` is filled in where the notebook has that
    parameter, and ``siblings`` are the notebooks that its page links to. When the notebook fails, what it
    got to is kept as ``NAME.failed.ipynb`` and ``.html``, and an earlier good run of it stays where it
    is.

    Raises :class:`InputError` for a wrong parameter and for what a cell refused with one (or for want of
    space or permission), :class:`NotebookError` for any other failure, hidden exceptions included.
    """
    from papermill import PapermillExecutionError, execute_notebook

    # papermill changes the working folder while the notebook runs.
    path, output = path.resolve(), output.resolve()
    name, parameters = path.stem, dict(parameters or {})
    notebook = read_notebook(path)
    known = notebook_parameters(notebook)
    check_parameters(name, parameters, known)
    if "output_dir" in known:
        parameters.setdefault("output_dir", str(output))
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.pop(_SEEN_ERRORS, None)

    with _working_files(output, name) as (running, log):
        failure: Exception | None = None
        try:
            execute_notebook(
                notebook,
                str(running),
                parameters=parameters,
                engine_name=_engine(log),
                kernel_name="python3",
                cwd=str(path.parent),
                progress_bar={"desc": f"  {name}", "leave": False} if sys.stderr.isatty() else False,
            )
        except PapermillExecutionError as error:
            reason = _one_line(error.ename, error.evalue)
            message = f"{name}: cell In [{error.exec_count}] stopped with {reason}"
            refused = error.ename == "InputError" or error.evalue.startswith(_SYSTEM_REFUSALS)
            failure = InputError(message) if refused else NotebookError(message)
        except RuntimeError:  # what nbclient raises for a kernel that died, at its start or in a cell
            last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word from it"]
            failure = NotebookError(f"{name}: its kernel died ({last[0]}), often for want of memory")
        executed = nbformat.read(running, as_version=4)
        if failure is None:
            failure = _silent_failure(name, executed)
        if failure is not None:
            kept = output / f"{name}.failed.ipynb"
            os.replace(running, kept)
            pages.write_page(executed, kept.with_suffix(".html"), (), path.parent)
            raise type(failure)(f"{failure}; what ran up to there is in {kept.with_suffix('.html')}") from None
        os.replace(running, output / f"{name}.ipynb")
        page = pages.write_page(executed, output / f"{name}.html", siblings, path.parent)
    for stale in (output / f"{name}.failed.ipynb", output / f"{name}.failed.html"):
        stale.unlink(missing_ok=True)
    return page


def _silent_failure(name: str, executed: nbformat.NotebookNode) -> NotebookError | None:
    """What papermill reports as success and is not."""
    for cell in executed.cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            first = cell.source.strip().splitlines()[0]
            return NotebookError(f"{name}: it left early, the cell starting '{first}' never ran")
    if hidden := hidden_errors(executed):
        return NotebookError(f"{name}: {len(hidden)} hidden in a widget or thread, the first {hidden[0]}")
    return None


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook in ``path``; :class:`InputError` when the file is not one of format 4."""
    try:
        text = path.read_text(encoding="utf-8")
        nbformat.validate(json.loads(text))
        return nbformat.reads(text, as_version=4)
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise InputError(f"{path}: no such notebook; available: {there}") from None
    except (ValueError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a Jupyter notebook of format 4 ({reason}); restore the file") from None


NOTEBOOKS = (
    "01_joint_order",
    "02_gmr_conversion",
    "03_feet_removal",
    "04_amp_training",
    "05_play_and_evaluate",
)


NOTEBOOK_FOLDER = (checkout() or Path.cwd()) / "notebooks"
