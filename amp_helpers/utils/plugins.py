"""User modules, named on a command line as ``package.module:NAME``."""

import importlib
import shlex
from pathlib import Path
from types import ModuleType

from amp_helpers.errors import InputError, one_line, shown

OWN_PACKAGES = ("amp_helpers", "isaaclab", "isaaclab_tasks", "isaaclab_assets", "isaaclab_experimental")
"""Packages whose modules a file may name: importing them runs nothing that the user has not installed for that."""


def import_user_module(module: str, purpose: str, name: str) -> ModuleType:
    """Import a user's module from the working folder or the installed packages.

    Args:
        module: dotted name.
        purpose: beginning of an error message, such as ``task 'mine:Walk'``.
        name: part behind the colon, for the message.

    Raises:
        InputError: ``module`` is not a dotted name, or cannot be imported.
    """
    remedy = f"write package.module:{name}, and run from the folder that holds the module, or install it"
    if not all(part.isidentifier() for part in module.split(".")):
        raise InputError(f"{purpose}: '{module}' is not a module name; {remedy}")
    try:
        return importlib.import_module(module)
    except (ImportError, SyntaxError) as error:
        raise InputError(f"{purpose}: module '{module}' cannot be imported ({error}); {remedy}") from error


def check_recorded_name(file: Path, option: str, name: str) -> None:
    """Check a name ``package.module:NAME`` that a file asks for: importing a module runs its code.

    Only the user names modules to import, on a command line or in Python.

    Args:
        file: the file.
        option: option that takes such a name, such as ``--task``.
        name: what the file asks for; any other form than ``package.module:NAME`` imports nothing.

    Raises:
        InputError: the module is outside this package and Isaac Lab.
    """
    module, colon, _ = name.rpartition(":")
    if colon and module.split(".")[0] not in OWN_PACKAGES:
        raise InputError(
            f"{file}: asks for the {option.strip('-')} {shown(name)}, whose module would be imported and run, and only "
            f"you can ask for that; if you trust it, give {option} {shlex.quote(one_line(name, 200))}"
        )
