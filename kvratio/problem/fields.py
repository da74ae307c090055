"""Turning user input into int64, or saying which value stands in the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadInstance

INT64_MAX = np.iinfo(np.int64).max


def as_int64(name: str, values: Any, n: int | None = None, low: int | None = None) -> npt.NDArray[np.int64]:
    """Return a read-only int64 copy of a one-dimensional array of integers.

    Parameters
    ----------
    name : str
        The field, for the message.
    values : array-like
        Integers, or floats that are whole numbers.
    n : int, optional
        The length it must have.
    low : int, optional
        The smallest value allowed.

    Raises
    ------
    BadInstance
        Names the field, the first offending request and its value.
    """
    try:
        array = np.asarray(values)
    except ValueError as fault:
        raise BadInstance(f"{name} is not a flat list of integers ({fault})") from fault
    if array.ndim != 1:
        raise BadInstance(f"{name} has {array.ndim} dimensions: give one flat list of integers")
    if n is not None and len(array) != n:
        raise BadInstance(f"{name} has {len(array)} entries but prompt has {n}: give one per request")
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind == "O":
        array = _from_objects(name, array)
    elif array.dtype.kind == "f":
        bad = np.flatnonzero(~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2.0**63)))
        if bad.size:
            raise BadInstance(f"{name}: request {bad[0]} has {array[bad[0]].item()!r}, not an integer in int64")
    elif array.dtype.kind == "u":
        bad = np.flatnonzero(array > np.uint64(INT64_MAX))
        if bad.size:
            raise BadInstance(f"{name}: request {bad[0]} has {array[bad[0]]}, beyond int64")
    elif array.dtype.kind != "i":
        raise BadInstance(f"{name}: request 0 has {array[0].item()!r} of type {array.dtype}, not an integer")
    out = array.astype(np.int64, copy=True)
    if low is not None:
        bad = np.flatnonzero(out < low)
        if bad.size:
            raise BadInstance(f"{name}: request {bad[0]} has {out[bad[0]]}, less than {low}")
    out.flags.writeable = False
    return out


def _from_objects(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    for i, value in enumerate(array):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if isinstance(value, float) and value.is_integer():
            whole = True
        if not whole:
            raise BadInstance(f"{name}: request {i} has {value!r}, not an integer")
        if not -INT64_MAX <= int(value) <= INT64_MAX:
            raise BadInstance(f"{name}: request {i} has {value}, beyond int64")
    return np.array([int(value) for value in array], dtype=np.int64)


def as_memory(value: Any) -> int:
    """Return the budget as a Python int >= 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or value != value:
        raise BadInstance(f"memory is {value!r}: give an integer >= 1")
    if value in (float("inf"), float("-inf")) or value != int(value) or int(value) < 1:
        raise BadInstance(f"memory is {value!r}: give an integer >= 1")
    if int(value) > INT64_MAX // 4:
        raise BadInstance(f"memory is {value}: beyond int64 / 4; use coarser units")
    return int(value)
