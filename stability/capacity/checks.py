"""Numbers of a capacity question, taken or refused with one line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter

FloatArray = npt.NDArray[np.float64]


def number(name: str, value: Any, what: str, *, zero: bool = False) -> float:
    """Return a finite positive number as a float, or refuse it.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : number
    what : str
        What to give instead, for the message.
    zero : bool
        Whether 0 is fine.

    Raises
    ------
    BadParameter
    """
    fine = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not fine or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise BadParameter(f"{name} is {value!r}: give {what}")
    return float(value)


def memory_tokens(value: Any) -> float:
    """Return the memory M of one worker, tokens > 0."""
    return number("memory", value, "the KV memory of one worker, a positive number of tokens")


def chunk_tokens(value: Any) -> float:
    """Return the chunk c, a whole number of prompt tokens >= 1."""
    chunk = number("chunk", value, "the prompt tokens read per slot, a whole number of 1 or more")
    if chunk != math.floor(chunk):
        raise BadParameter(f"chunk is {value!r}: give the prompt tokens read per slot, a whole number of 1 or more")
    return chunk


def share_of_mu(value: Any) -> float:
    """Return the target utilisation, in (0, 1]."""
    target = number("utilisation", value, "the share of mu to plan for, above 0 and at most 1")
    if target > 1:
        raise BadParameter(f"utilisation is {value!r}: give the share of mu to plan for, above 0 and at most 1")
    return target


def arrival_rate(value: Any) -> float:
    """Return the arrival rate, requests per second > 0."""
    return number("rate", value, "requests per second above 0, or None for the rate of the trace")


def tokens(name: str, values: Any) -> FloatArray:
    """Return token counts as float64, of any shape, finite and >= 0.

    Raises
    ------
    BadParameter
        Names the first value that is no count of tokens.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadParameter(f"{name} is {_short(values)}: give numbers of tokens, 0 or more") from None
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        at = int(bad[0])
        where = f"{name}: entry {at} is" if array.ndim else f"{name} is"
        raise BadParameter(f"{where} {array.ravel()[at]:g}: give numbers of tokens, 0 or more")
    return array


def flat_tokens(name: str, values: Any) -> FloatArray:
    """Return token counts as float64[n] with n >= 1; a single number counts as one entry."""
    array = np.atleast_1d(tokens(name, values))
    if array.ndim != 1:
        raise BadParameter(f"{name} has {array.ndim} dimensions: give one flat list of tokens, one per request")
    if array.size == 0:
        raise BadParameter(f"{name} is empty: give at least one request")
    return array


def shares(name: str, values: Any, n: int) -> FloatArray:
    """Return weights as float64[n] that sum to 1; they are finite and >= 0, and not all 0.

    Raises
    ------
    BadParameter
    """
    try:
        array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise BadParameter(f"{name} is {_short(values)}: give numbers, 0 or more, one per request") from None
    if array.shape != (n,):
        raise BadParameter(f"{name} has {array.size} entries for {n} lengths: give one for each")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        raise BadParameter(f"{name}: entry {bad[0]} is {array[bad[0]]:g}: give finite numbers, 0 or more")
    largest = float(array.max())
    if largest == 0:
        raise BadParameter(f"{name} are all 0: give at least one a positive number")
    scaled = array / largest  # so that the sum cannot overflow
    return np.asarray(scaled / scaled.sum(), dtype=np.float64)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
