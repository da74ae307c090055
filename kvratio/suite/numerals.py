"""Numbers as tables print them: proven ends are rounded outwards, so that what is printed is still proven."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from kvratio.suite.interval import Interval

INFINITE = "∞"
NOTHING = "-"


def decimals(value: float) -> int:
    """Digits after the point for about four significant ones."""
    size = abs(value)
    return 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0


def rounded(value: float, direction: str = ROUND_HALF_EVEN) -> str:
    """Write a number with about four significant digits, rounded in a given direction."""
    if math.isinf(value):
        return INFINITE
    if math.isnan(value):
        return NOTHING
    if abs(value) >= 1e6:
        exponent = math.floor(math.log10(abs(value)))
        return f"{rounded(value / 10**exponent, direction)}e{exponent}"
    step = Decimal(1).scaleb(-decimals(value))
    return str(Decimal(value).quantize(step, rounding=direction))


def down(value: float) -> str:
    """Write a proven lower end."""
    return rounded(value, ROUND_FLOOR)


def up(value: float) -> str:
    """Write a proven upper end."""
    return rounded(value, ROUND_CEILING)


def interval(value: Interval | None) -> str:
    """``[2.038, 2.391]``, ``= 2.038`` where the ends meet, ``<= 3.1`` without a lower end."""
    if value is None:
        return NOTHING
    if value.exact:
        return f"= {rounded(value.high)}"
    if value.low is None:
        return f"≤ {up(value.high)}"
    return f"[{down(value.low)}, {up(value.high)}]"


def short_interval(value: Interval | None) -> str:
    """The same in fewer characters, for a matrix: ``2.03–2.40``, ``=2.03``, ``≤3.10``."""
    if value is None:
        return NOTHING
    if value.exact:
        return f"={_short(value.high, ROUND_HALF_EVEN)}"
    if value.low is None:
        return f"≤{_short(value.high, ROUND_CEILING)}"
    return f"{_short(value.low, ROUND_FLOOR)}–{_short(value.high, ROUND_CEILING)}"


def spread(value: tuple[float, float] | None) -> str:
    """A bootstrap interval."""
    return NOTHING if value is None else f"[{down(value[0])}, {up(value[1])}]"


def plain(value: float | None, direction: str = ROUND_HALF_EVEN) -> str:
    """A number without trailing zeros: 32, 10.67, 0.5."""
    if value is None:
        return NOTHING
    text = rounded(value, direction)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def at_most(value: float) -> str:
    """A published guarantee: rounded up, as "at most 61.92" is, without trailing zeros."""
    return plain(value, ROUND_CEILING)


def _short(value: float, direction: str) -> str:
    if math.isinf(value):
        return INFINITE
    if value >= 1e6:
        return rounded(value, direction)
    places = 2 if value < 10 else 1 if value < 100 else 0
    return str(Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=direction))
