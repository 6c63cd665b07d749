"""Optional packages: imported when first needed, and named with their installing command when absent."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import MissingExtraError


def require(package: str, *, extra: str, feature: str) -> Any:
    """Import `package` and return it.

    Parameters
    ----------
    package : str
        The module's name, as in an import statement.
    extra : str
        The extra of ndx-cinac that installs it.
    feature : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name is not None and package.split(".")[0] != error.name.split(".")[0]:
            raise  # the package is there; something that it needs is not
        raise MissingExtraError(feature, extra, package.split(".")[0]) from error
