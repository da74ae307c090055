"""One cell of a trace that does not say what its column should: the fault, before it knows file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import TraceError

IntArray = npt.NDArray[np.int64]


class BadCell(Exception):
    """A value that cannot be read.

    Attributes
    ----------
    index : int
        Position in the block of rows being read.
    value : object
        What was found.
    wanted : str
        What the column should hold.
    """

    def __init__(self, index: int, value: object, wanted: str) -> None:
        super().__init__(wanted)
        self.index, self.value, self.wanted = index, value, wanted

    def at(self, where: str, place: str, number: int, column: str) -> TraceError:
        """Return the error for the user, with file, line, column and value."""
        return TraceError(f"{where}, {place} {number}, column {column!r}: {shown(self.value)} is not {self.wanted}")


def shown(value: object) -> str:
    """Return the value as an error message quotes it, never longer than a line."""
    text = str(value) if isinstance(value, (int, float)) or type(value).__name__ == "Decimal" else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def one_by_one(values: Iterable[Any], read: Callable[[Any], int], wanted: str) -> IntArray:
    """Read cells one at a time; the first that ``read`` refuses with ValueError becomes a `BadCell`."""
    out = []
    for index, value in enumerate(values):
        try:
            out.append(read(value))
        except ValueError as fault:
            raise BadCell(index, value, str(fault) or wanted) from fault
    return np.array(out, dtype=np.int64)


def byte_matrix(texts: list[str]) -> npt.NDArray[np.uint8] | None:
    """Return the texts as rows of ASCII codes padded by 0, shape (n, width), or None if they do not fit that shape."""
    try:
        packed = np.array(texts, dtype="S")
    except UnicodeEncodeError:
        return None
    width = packed.dtype.itemsize
    if not 0 < width <= 40:
        return None
    codes = packed.view(np.uint8).reshape(len(texts), width)
    inner_gap = (codes[:, :-1] == 0) & (codes[:, 1:] != 0)
    return None if inner_gap.any() else codes
