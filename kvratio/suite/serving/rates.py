"""Arrival rates as people write them: a list, or first:last:count."""

from __future__ import annotations

import numpy as np

from kvratio.problem.errors import BadParameter


def parse_rates(text: str) -> tuple[float, ...]:
    """Read ``10,20,25`` or ``5:25:9`` (9 rates from 5 to 25), requests per second.

    Raises
    ------
    BadParameter
        Something that is not a number, or a grid without meaning.
    """
    try:
        if ":" in text:
            first, last, count = text.split(":")
            low, high, points = float(first), float(last), int(count)
        else:
            return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise BadParameter(f"rates {text!r}: give numbers such as 10,20 or first:last:count such as 5:25:9") from None
    if not (0 < low < high and points >= 2):
        raise BadParameter(f"rates {text!r}: give first:last:count with 0 < first < last and count >= 2")
    return tuple(float(f"{rate:.6g}") for rate in np.linspace(low, high, points))
