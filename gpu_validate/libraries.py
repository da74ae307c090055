"""torch and transformers, asked for only when a model is about to run."""

from __future__ import annotations

import importlib
from typing import Any

from gpu_validate.faults import MissingLibrary

#: what is needed to run a model, in the order in which it is asked for
NEEDED = ("torch", "transformers")


def torch() -> Any:
    """Return the module torch, or raise `MissingLibrary`."""
    return _module("torch")


def transformers() -> Any:
    """Return the module transformers, or raise `MissingLibrary`."""
    return _module("transformers")


def require() -> None:
    """Raise `MissingLibrary` unless everything is there that runs a model."""
    for name in NEEDED:
        _module(name)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0] != name:
            raise
        raise MissingLibrary(
            f"{name} is not installed, and a replay runs a real model: pip install 'kvratio[gpu]'"
        ) from fault
