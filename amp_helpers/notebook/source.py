"""Source code on a page: a function as it is, without its docstring."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import Markdown


def code_of(function: Callable) -> str:
    """Return the source of a function or class without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.FunctionDef | ast.ClassDef)
    lines, first = text.splitlines(), definition.body[0]
    if ast.get_docstring(definition) is not None:
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def show_code(*functions: Callable) -> "Markdown":
    """Show functions without their docstrings, highlighted."""
    from IPython.display import Markdown

    return Markdown("```python\n{}\n```".format("\n\n\n".join(map(code_of, functions))))
