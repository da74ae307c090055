"""Public names of a package, each loaded from its module on first use, so that importing the package stays cheap."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def loaded_on_use(
    package: str, homes: Mapping[str, str], also: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the module functions ``__getattr__`` and ``__dir__`` (PEP 562) of a package.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    homes : mapping
        Public name to the module that defines it, whole or relative to the package (``".module"``).
    also : tuple of str
        Public names that the package defines itself.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted((*homes, *also))

    return load, names
