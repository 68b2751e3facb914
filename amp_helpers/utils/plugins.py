"""Modules of the user's own, named on a command line as ``package.module:NAME``."""

import importlib
from types import ModuleType

from amp_helpers.errors import InputError


def import_user_module(module: str, asked_for: str, name: str) -> ModuleType:
    """Import a module that lies in the working folder, or is installed.

    Args:
        module: dotted name.
        asked_for: what it is wanted for, which opens the message, such as ``task 'mine:Walk'``.
        name: what stands behind the colon, for the message.

    Raises:
        InputError: it is no such name, or cannot be imported.
    """
    remedy = f"write package.module:{name}, and run from the folder that holds the module, or install it"
    if not all(part.isidentifier() for part in module.split(".")):
        raise InputError(f"{asked_for}: '{module}' is not the name of a module; {remedy}")
    try:
        return importlib.import_module(module)
    except (ImportError, SyntaxError) as error:
        raise InputError(f"{asked_for}: module '{module}' cannot be imported ({error}); {remedy}") from error
