"""Times and counts: exact integers, the fast readers equal to the slow ones, and floor without floating point."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.traces.cells import BadCell, one_by_one
from instances.traces.counts import read_counts
from instances.traces.rounds import round_length, rounds_of
from instances.traces.stamps import ArrivalColumn
from kvratio.problem.errors import BadParameter

EXACT = settings(deadline=None, derandomize=True)
TICKS = st.integers(0, 30 * 365 * 86_400 * 10**7)  # 100 ns since 2000


def stamp(ticks, digits, zone="", separator=" "):
    """Write a wall-clock stamp with so many fraction digits."""
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=ticks // 10**7)
    fraction = f".{ticks % 10**7:07d}00"[: digits + 1] if digits else ""
    return moment.strftime(f"%Y-%m-%d{separator}%H:%M:%S") + fraction + zone


@EXACT
@given(st.lists(TICKS, min_size=1, max_size=8), st.sampled_from(["", "Z", "+00:00"]), st.sampled_from([" ", "T"]))
def test_seven_digit_stamps_are_exact(ticks, zone, separator):
    """Stamps with 100 ns resolution come out as exact nanoseconds, with or without a zone."""
    base = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    texts = [stamp(tick, 7, zone, separator) for tick in ticks]
    assert ArrivalColumn("datetime").read(texts).tolist() == [base + tick * 100 for tick in ticks]


@EXACT
@given(st.lists(st.tuples(TICKS, st.sampled_from([0, 1, 3, 6, 7, 9])), min_size=1, max_size=8))
def test_fast_and_slow_stamp_readers_agree(pairs):
    """Stamps of mixed fraction lengths read the same one by one and as an array."""
    texts = [stamp(tick, digits) for tick, digits in pairs]
    slow = ArrivalColumn("datetime")
    assert ArrivalColumn("datetime").read(texts).tolist() == [slow._stamp(text) for text in texts]


def test_zone_offsets_move_the_clock():
    """+02:00 is two hours earlier in UTC, in uniform and in mixed columns."""
    uniform = ArrivalColumn("datetime").read(["2024-05-12 02:00:00.5+02:00", "2024-05-12 02:00:01+02:00"])
    mixed = ArrivalColumn("datetime").read(["2024-05-12 00:00:00.5Z", "2024-05-11 19:30:01-0430"])
    assert uniform.tolist() == mixed.tolist()


def test_zone_must_be_on_all_stamps_or_none():
    """A zone that appears or vanishes in a later block is refused, since an hour could be lost unseen."""
    column = ArrivalColumn("datetime")
    column.read(["2024-05-12 00:00:00"])
    with pytest.raises(BadCell, match="some have a zone"):
        column.read(["2024-05-12 00:00:01", "2024-05-12 00:00:02Z"])
    with pytest.raises(BadCell, match="some have a zone"):
        column.read(["2024-05-12 00:00:02Z"])


@EXACT
@given(
    st.lists(st.decimals(min_value=0, max_value=10**9, places=9, allow_nan=False), min_size=1, max_size=8),
    st.integers(0, 9),
)
def test_decimal_seconds_are_exact(numbers, places):
    """Seconds written in decimal are read to the nanosecond with no float in between."""
    cut = [number.quantize(Decimal(1).scaleb(-places)) for number in numbers]
    found = ArrivalColumn("s").read([f"{number:f}" for number in cut])
    assert found.tolist() == [int(number * 10**9) for number in cut]


@EXACT
@given(st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=8))
def test_printed_floats_round_half_up_to_the_nanosecond(numbers):
    """The seventeen digits and exponents that floats print with are rounded to the nearest nanosecond."""
    found = ArrivalColumn("s").read([repr(number) for number in numbers])
    exact = [Fraction(repr(number)) * 10**9 for number in numbers]
    assert found.tolist() == [int(value + Fraction(1, 2)) for value in exact]


@pytest.mark.parametrize(("unit", "scale"), [("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)])
def test_units(unit, scale):
    """Integers, text and floats of each unit give the same nanoseconds."""
    for values in ([0, 7, 12], ["0", "7", "12"], [0.0, 7.0, 12.0], np.array([0, 7, 12])):
        assert ArrivalColumn(unit).read(values).tolist() == [0, 7 * scale, 12 * scale]


@EXACT
@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=8))
def test_counts_agree_with_int(values):
    """Counts read from text equal Python's own integers, by the fast and by the slow reader."""
    texts = [str(value) for value in values]
    assert read_counts(texts).tolist() == values
    assert read_counts([" " + text + ".0" for text in texts]).tolist() == values


def test_no_reader_takes_underscores_signs_or_other_digits():
    """What Python's int() would forgive is refused: it is not what a trace writes."""
    for text in ("1_0", "+5", "٣", "0x10", "", " ", "1e3", "5\x006"):
        with pytest.raises(BadCell):
            read_counts(["1", text])


def test_bad_cell_is_the_first_one():
    """The fault reported is the first in the column."""
    with pytest.raises(BadCell) as fault:
        one_by_one(["1", "x", "y"], int, "a number")
    assert fault.value.index == 1


@EXACT
@given(
    st.lists(st.integers(0, 10**15), min_size=1, max_size=8),
    st.decimals(min_value="0.000001", max_value=1000, places=6, allow_nan=False),
)
def test_rounds_are_the_exact_floor(times, seconds):
    """floor(time / round) equals the quotient of integers for every length of round."""
    length = round_length(str(seconds))
    assert rounds_of(np.array(times), length).tolist() == [Fraction(time, 10**9) // length for time in times]


def test_round_lengths_mean_what_they_say():
    """0.1 as a float, text, decimal or fraction is 1/10: three rounds of it are 0.3 s, where floats would say two."""
    assert 0.3 // 0.1 == 2
    for seconds in (0.1, "0.1", Decimal("0.1"), Fraction(1, 10), np.float64(0.1)):
        assert rounds_of(np.array([300_000_000]), round_length(seconds)).tolist() == [3]


def test_rounds_beyond_int64_are_refused():
    """A round so short that arrivals leave int64 is refused; one that needs wide integers on the way is not."""
    with pytest.raises(BadParameter, match="longer rounds"):
        rounds_of(np.array([10**18]), round_length("1e-12"))
    assert rounds_of(np.array([10**18]), Fraction(10**9, 10**9 + 7)).tolist() == [(10**18 * (10**9 + 7)) // 10**18]
