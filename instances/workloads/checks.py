"""Numbers that a workload is given, checked once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter


def positive(what: str, value: Any, unit: str) -> float:
    """Return a finite number above 0, or refuse it."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise BadParameter(f"{what} is {value!r}: give {unit} above 0")
    return float(value)


def whole(what: str, value: Any, low: int) -> int:
    """Return an integer of at least ``low``, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise BadParameter(f"{what} is {value!r}: give an integer >= {low}")
    return int(value)


def share(what: str, value: Any) -> float:
    """Return a number in [0, 1], or refuse it."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise BadParameter(f"{what} is {value!r}: give a number between 0 and 1")
    return float(value)
