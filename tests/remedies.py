"""Every remedy that the package's errors propose, read from its source."""

import ast
import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "amp_helpers"


def proposed(package: Path = PACKAGE) -> dict[str, list[str]]:
    """What each ``InputError`` says after its last semicolon -> places that raise it.

    ``{}`` stands for what is filled in at run time. A message without a semicolon counts as a whole: it is a fact that
    a caller completes, or is itself made of another message.
    """
    found: dict[str, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = _constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "InputError" and node.args:
                place = f"{file.relative_to(package.parent)}:{node.lineno}"
                found.setdefault(_template(node.args[0], constants).rpartition("; ")[2], []).append(place)
    return found


def matches(remedy: str, message: str) -> bool:
    """Whether a message ends in a remedy."""
    pattern = ".*".join(map(re.escape, remedy.split("{}")))
    return re.search(f"(?:^|; ){pattern}$", message) is not None


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names at its top level."""
    return {
        _name(target): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
    }


def _template(node: ast.expr, constants: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part, constants) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _template(node.value, constants)
    return constants.get(_name(node), "{}") if isinstance(node, ast.Name) else "{}"
