"""Columns of arrival times into integer nanoseconds, never through floating point.

Published stamps have at most 100 ns resolution. Digits beyond the ninth decimal of a second are binary noise (a
seconds column printed from floats reads ``5.8926549999999995``); they are rounded half up to the nanosecond.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.traces.cells import BadCell, IntArray, byte_matrix, one_by_one

#: decimals of one unit that fit a nanosecond
_PLACES = {"s": 9, "ms": 6, "us": 3, "ns": 0}
_LIMIT = 4 * 10**18  # differences of two stamps stay inside int64
_SECOND = 10**9
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.ASCII)
_STAMP = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?\s*",
    re.ASCII,
)
_WANTED_STAMP = "a time YYYY-MM-DD HH:MM:SS[.fraction][zone]"


class ArrivalColumn:
    """Reads the arrival column of one trace, block after block.

    Parameters
    ----------
    unit : {"s", "ms", "us", "ns", "datetime"}
        How the column is written. Wall-clock stamps without a zone are taken as UTC.
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._zoned: bool | None = None

    def read(self, values: Sequence[Any] | npt.NDArray[Any]) -> IntArray:
        """Return nanoseconds, int64[n]: since 1970 UTC for stamps, else since the column's own zero.

        Raises
        ------
        BadCell
            At the first value that is not a time in this unit.
        """
        if isinstance(values, np.ndarray) and values.dtype.kind == "M":
            return self._from_datetimes(values)
        cells = values.tolist() if isinstance(values, np.ndarray) else list(values)
        if self.unit == "datetime":
            return self._stamps(cells)
        return _numbers(cells, self.unit)

    def _from_datetimes(self, values: npt.NDArray[Any]) -> IntArray:
        missing = np.flatnonzero(np.isnat(values))
        if missing.size:
            raise BadCell(int(missing[0]), "NaT", _WANTED_STAMP)
        return values.astype("datetime64[ns]").astype(np.int64)

    def _stamps(self, cells: list[Any]) -> IntArray:
        if cells and all(type(cell) is str for cell in cells):
            fast = self._uniform_stamps(cells)
            if fast is not None:
                return fast
        return one_by_one(cells, self._stamp, _WANTED_STAMP)

    def _uniform_stamps(self, texts: list[str]) -> IntArray | None:
        """Read stamps of one layout at array speed; None when any text differs from it."""
        match = _ZONE.search(texts[0], 19)
        offset = 0
        if match:
            zone = match.group()
            if not all(text.endswith(zone) for text in texts):
                return None
            texts = [text[: -len(zone)] for text in texts]
            offset = _zone_seconds(zone)
        if self._zoned not in (None, match is not None):
            return None
        codes = byte_matrix(texts)
        if codes is None or not 19 <= codes.shape[1] <= 29 or (codes[:, 18] == 0).any():
            return None
        seconds, fraction = _whole_seconds(codes[:, :19]), _fraction(codes[:, 19:])
        if seconds is None or fraction is None or (abs(seconds) > _LIMIT // _SECOND - 86_400).any():
            return None
        self._zoned = match is not None
        return (seconds - offset) * _SECOND + fraction

    def _stamp(self, value: Any) -> int:
        match = _STAMP.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(_WANTED_STAMP)
        date, clock, fraction, zone = match.groups()
        try:
            moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
        except ValueError as fault:
            raise ValueError(f"a time on the calendar ({fault})") from fault
        if self._zoned is None:
            self._zoned = zone is not None
        elif self._zoned != (zone is not None):
            raise ValueError("like the stamps before it: some have a zone and some have none")
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        seconds = since.days * 86_400 + since.seconds - (_zone_seconds(zone) if zone else 0)
        return _checked(seconds * _SECOND + _rounded(Decimal(f"0.{fraction or 0}"), 9))


def _zone_seconds(zone: str) -> int:
    if zone == "Z":
        return 0
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)


def _whole_seconds(codes: npt.NDArray[np.uint8]) -> IntArray | None:
    """Read ``YYYY-MM-DD HH:MM:SS`` rows, shape (n, 19), as seconds since 1970."""
    for at, allowed in ((4, b"-"), (7, b"-"), (10, b" T"), (13, b":"), (16, b":")):
        if not np.isin(codes[:, at], list(allowed)).all():
            return None
    digits = codes[:, [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]]
    if ((digits < 48) | (digits > 57)).any():
        return None
    try:
        return np.ascontiguousarray(codes).view("S19")[:, 0].astype("datetime64[s]").astype(np.int64)
    except ValueError:
        return None


def _fraction(codes: npt.NDArray[np.uint8]) -> IntArray | None:
    """Read ``.fffffff`` rows of up to nine digits, or none, as nanoseconds."""
    total = np.zeros(len(codes), dtype=np.int64)
    if codes.shape[1] == 0:
        return total
    has_point = codes[:, 0] == 46
    if not (has_point | (codes[:, 0] == 0)).all() or (codes.shape[1] > 1 and (has_point & (codes[:, 1] == 0)).any()):
        return None
    for place, column in enumerate(codes[:, 1:].T):
        digit = (column >= 48) & (column <= 57)
        if not (digit | (column == 0)).all():
            return None
        total += np.where(digit, (column.astype(np.int64) - 48) * 10 ** (8 - place), 0)
    return total


def _numbers(cells: list[Any], unit: str) -> IntArray:
    places = _PLACES[unit]
    if cells and all(type(cell) is int for cell in cells):
        reach = max(abs(min(cells)), abs(max(cells))) * 10**places
        if reach <= _LIMIT:
            return np.array(cells, dtype=np.int64) * 10**places
    if cells and all(type(cell) is str for cell in cells):
        fast = _from_decimals(cells, places)
        if fast is not None:
            return fast
    wanted = f"a time in {unit}"
    return one_by_one(cells, lambda cell: _number(cell, places, wanted), wanted)


def _from_decimals(texts: list[str], places: int) -> IntArray | None:
    """Read ``123.456`` rows at array speed; None when any needs the slow reader."""
    codes = byte_matrix(texts)
    if codes is None or codes.shape[1] > 18 or not ((codes[:, 0] >= 48) & (codes[:, 0] <= 57)).all():
        return None
    whole = np.zeros(len(texts), dtype=np.int64)
    decimals = np.zeros(len(texts), dtype=np.int64)
    after_point = np.zeros(len(texts), dtype=bool)
    for column in codes.T:
        digit = (column >= 48) & (column <= 57)
        point = column == 46
        if not (digit | point | (column == 0)).all() or (point & after_point).any():
            return None
        whole = np.where(digit, whole * 10 + column.astype(np.int64) - 48, whole)
        decimals += digit & after_point
        after_point |= point
    # At most 18 characters, so `whole` cannot overflow before it is scaled; the scaled value is checked here.
    scale = 10.0 ** (places - decimals)
    if (decimals > places).any() or (whole * scale > _LIMIT).any():
        return None
    return whole * 10 ** (places - decimals)


def _number(cell: Any, places: int, wanted: str) -> int:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal, str)):
        raise ValueError(wanted)
    try:
        number = Decimal(repr(cell) if isinstance(cell, float) else cell)
    except InvalidOperation as fault:
        raise ValueError(wanted) from fault
    if not number.is_finite() or (isinstance(cell, str) and "_" in cell):
        raise ValueError(wanted)
    if abs(number) > 10**19:
        raise ValueError(f"{wanted} (it is beyond int64 nanoseconds)")
    return _checked(_rounded(number, places))


def _rounded(number: Decimal, places: int) -> int:
    return int(number.scaleb(places).to_integral_value(rounding=ROUND_HALF_UP))


def _checked(nanoseconds: int) -> int:
    if abs(nanoseconds) > _LIMIT:
        raise ValueError("a time within int64 nanoseconds (about 126 years around 1970)")
    return nanoseconds
