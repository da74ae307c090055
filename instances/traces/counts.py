"""Columns of token counts: text, JSON values or arrays into int64, exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.traces.cells import BadCell, IntArray, byte_matrix, one_by_one

#: no service counts this many tokens; the bound keeps prompt + output inside int64
LARGEST = 10**18
_WHOLE = re.compile(r"\s*(\d{1,19})(?:\.0*)?\s*", re.ASCII)
_WANTED = f"a whole number of tokens from 0 to {LARGEST:.0e}"


def read_counts(values: Sequence[Any] | npt.NDArray[Any]) -> IntArray:
    """Read a column of token counts.

    Parameters
    ----------
    values : list of str, list of JSON values, or array, shape (n,)
        Whole numbers >= 0; ``"12.0"`` and ``12.0`` are whole too.

    Returns
    -------
    int64[n]

    Raises
    ------
    BadCell
        At the first value that is not a whole number >= 0.
    """
    if isinstance(values, np.ndarray):
        return _from_array(values)
    if values and all(type(value) is str for value in values):
        fast = _from_digits(list(values))
        if fast is not None:
            return fast
    return one_by_one(values, _count, _WANTED)


def _from_array(values: npt.NDArray[Any]) -> IntArray:
    if values.dtype.kind != "i" or (len(values) and (values.min() < 0 or values.max() > LARGEST)):
        return one_by_one(values.tolist(), _count, _WANTED)
    return values.astype(np.int64)


def _from_digits(texts: list[str]) -> IntArray | None:
    """Read plain digits at array speed; None when any text is anything else."""
    codes = byte_matrix(texts)
    if codes is None or codes.shape[1] > 18:
        return None
    total = np.zeros(len(texts), dtype=np.int64)
    for column in codes.T:
        digit = (column >= 48) & (column <= 57)
        if not (digit | (column == 0)).all():
            return None
        total = np.where(digit, total * 10 + column.astype(np.int64) - 48, total)
    return None if (codes[:, 0] == 0).any() else total


def _count(value: Any) -> int:
    """Read one count of any kind, or raise ValueError."""
    number: int
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value)
        if match is None:
            raise ValueError(_WANTED)
        number = int(match.group(1))
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError(_WANTED)
    else:
        # NaN fails every comparison; the bound comes before int() so that 1e999999 is never expanded.
        if not 0 <= value <= LARGEST or value != int(value):
            raise ValueError(_WANTED)
        number = int(value)
    if number > LARGEST:
        raise ValueError(_WANTED)
    return number


__all__ = ["LARGEST", "BadCell", "read_counts"]
