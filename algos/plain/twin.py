"""Plain Python twins of compiled functions: the same byte code, bound to names that are plain Python again.

A twin is made of a function and of everything that it calls, whether compiled or not, so that no machine code is left
in it. It stops at kvratio's own borders only: numpy and the standard library stay what they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CellType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from numba.core.dispatcher import Dispatcher
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros

from kvratio.problem.compiled import OUR_PACKAGES

_MASK = (1 << 64) - 1


def _leading_zeros(word: int) -> int:
    return 64 - (int(word) & _MASK).bit_length()


def _trailing_zeros(word: int) -> int:
    word = int(word) & _MASK
    return (word & -word).bit_length() - 1 if word else 64


#: what has no Python body of its own
_INTRINSICS: dict[Any, Callable[..., Any]] = {leading_zeros: _leading_zeros, trailing_zeros: _trailing_zeros}


class Twins:
    """Makes twins; functions that call each other, and variables of a module, meet again among the twins."""

    def __init__(self) -> None:
        self._functions: dict[int, tuple[Any, Any]] = {}
        self._names: dict[int, dict[str, Any]] = {}

    def of(self, function: Any) -> Any:
        """Return the twin of a function, compiled or not."""
        known = self._functions.get(id(function))
        if known is not None:
            return known[1]
        body = getattr(function, "py_func", function)
        twin = FunctionType(body.__code__, self._globals(body), body.__name__, body.__defaults__, _cells(body))
        twin.__kwdefaults__ = body.__kwdefaults__
        twin.__module__ = body.__module__
        # The original is kept alive, so that its id stays its own.
        self._functions[id(function)] = (function, twin)
        for cell, kept in zip(twin.__closure__ or (), body.__closure__ or (), strict=True):
            if _filled(kept):
                cell.cell_contents = self._value(kept.cell_contents)
        return twin

    def _globals(self, body: FunctionType) -> dict[str, Any]:
        """Return a copy of a module's variables in which functions are twins."""
        original = body.__globals__
        if id(original) not in self._names:
            names = dict(original)
            self._names[id(original)] = names
            for name, value in original.items():
                names[name] = self._value(value)
        return self._names[id(original)]

    def _value(self, value: Any) -> Any:
        try:
            if value in _INTRINSICS:
                return _INTRINSICS[value]
        except TypeError:
            return value  # not hashable, so no function
        if isinstance(value, Dispatcher) or (isinstance(value, FunctionType) and _is_a_users(value.__module__)):
            return self.of(value)
        if isinstance(value, ModuleType) and (_is_engine(value.__name__) or _is_a_users(value.__name__)):
            names = {name: self._shallow(item) for name, item in vars(value).items() if not name.startswith("__")}
            return SimpleNamespace(**names)
        return value

    def _shallow(self, value: Any) -> Any:
        """The twin of a function in a module that is named; modules in it stay as they are."""
        return value if isinstance(value, ModuleType) else self._value(value)


def _cells(body: FunctionType) -> tuple[CellType, ...] | None:
    return None if body.__closure__ is None else tuple(CellType() for _ in body.__closure__)


def _filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _is_engine(module: str) -> bool:
    return module.startswith(("algos.engine", "algos.policies"))


def _is_a_users(module: str | None) -> bool:
    """Whether a module was loaded as (part of) a plug-in, or is a user's own that was imported the ordinary way."""
    loaded = sys.modules.get(module or "")
    if loaded is None or getattr(loaded, "__kvratio_sources__", None) is not None:
        return loaded is not None
    top, file = loaded.__name__.partition(".")[0], getattr(loaded, "__file__", None)
    if top in OUR_PACKAGES or top in sys.stdlib_module_names:
        return False
    return top == "__main__" or (file is not None and file.endswith(".py") and "-packages" not in file)
