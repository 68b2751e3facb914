"""User modules, named on a command line as ``package.module:NAME``."""

import importlib
from types import ModuleType

from amp_helpers.errors import InputError

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


def imports_users_module(name: str) -> bool:
    """Whether a name is ``package.module:NAME`` with a module outside this package and Isaac Lab."""
    module, colon, _ = name.rpartition(":")
    return bool(colon) and module.split(".")[0] not in OWN_PACKAGES
