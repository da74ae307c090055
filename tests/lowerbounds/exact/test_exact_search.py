"""The exact search against brute force, on golden values, at its limits and on bad input."""

from __future__ import annotations

import numpy as np
import pytest
from exact_tiny import enumerate_optimum, random_tiny

from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter
from lowerbounds.exact import course, search
from lowerbounds.exact.driver import SearchResult

#: (arrival, prompt, output) lists with total-flow optima from the table of golden values
GOLDEN = {
    "A": (16, [(0, 1, 15)] + [(12, 1, 1)] * 8, 34),
    "B": (12, [(0, 1, 11)] + [(k, 11, 1) for k in range(1, 12)], 34),
    "C": (16, [(0, 15, 1)] * 4 + [(0, 1, 2)] * 8, 48),
    "D": (16, [(0, 1, 6)] * 2 + [(0, 7, 1)] * 8, 39),
    "E": (36, [(0, 1, 6)] + [(0, 35, 1)] * 4, 20),
    "F": (12, [(0, 1, 11), (0, 11, 1)] + [(0, 1, 1)] * 12, 35),
    "G": (20, [(0, 1, 4)] * 16, 151),
    "J": (14, [(0, 8, 6)] + [(6 * k - 1, 13, 1) for k in range(1, 7)], 13),
}


def confirm(inst: Instance, result: SearchResult) -> None:
    """Assert that the schedule is feasible and costs what the result says."""
    schedule = Schedule.from_starts(inst, result.starts)
    check(inst, schedule)
    assert schedule.total_completion == result.upper
    assert result.lower <= result.upper
    assert (result.status == "optimal") == (result.lower == result.upper)


@pytest.mark.parametrize("arrivals", [False, True])
def test_optimum_of_tiny_instances(arrivals: bool) -> None:
    """The search proves the optimum that an enumeration without horizon finds."""
    for k in range(60):
        inst = random_tiny(k, arrivals)
        result = search(inst, time_limit=60)
        confirm(inst, result)
        assert result.status == "optimal"
        assert result.upper == enumerate_optimum(inst), f"instance {k}"


@pytest.mark.parametrize("arrivals", [False, True])
def test_sweep_finds_the_optimum_from_a_poor_upper_bound(arrivals: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without order search, beams and LP the label search alone reaches and proves the optimum."""
    monkeypatch.setattr(course, "PHASES", ())
    for k in range(100, 150):
        inst = random_tiny(k, arrivals)
        serial = np.concatenate(([0], np.cumsum(inst.output)[:-1])) + int(inst.arrival.max())
        monkeypatch.setattr(course, "first_schedule", lambda inst, *_, s=serial: (int((s + inst.output).sum()), s))
        result = search(inst, time_limit=60)
        confirm(inst, result)
        assert result.lower == result.upper == enumerate_optimum(inst), f"instance {k}"


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_flow(name: str) -> None:
    """The total flow of the worked examples is proved."""
    M, requests, flow = GOLDEN[name]
    a, s, o = (list(column) for column in zip(*requests, strict=True))
    result = search(Instance(s, o, M, a), "flow", time_limit=60)
    assert (result.lower, result.upper) == (flow, flow)


def test_order_search_is_not_trusted() -> None:
    """Optima that no placement order decodes to, and that are not confined to completion rounds, are found."""
    assert search(Instance([2, 2, 2, 2, 3], [1, 4, 7, 9, 3], 13), time_limit=60).upper == 33
    assert search(Instance([1, 2, 2, 2], [4, 4, 4, 5], 10), time_limit=60).upper == 28
    assert search(Instance([4, 1, 2, 2, 1, 0], [3, 6, 4, 3, 4, 5], 8), time_limit=60).upper == 57


def draw(n: int, seed: int) -> Instance:
    """Draw memory, prompts and outputs with alpha near 1."""
    rng = np.random.default_rng([n, seed])
    M = int(rng.integers(30, 51))
    s = rng.integers(1, 6, n)
    return Instance(s, [int(rng.integers(1, M - x + 1)) for x in s], M)


def test_work_limit_repeats_and_gives_a_true_interval() -> None:
    """Two runs under one work limit agree in every byte, and the interval contains the optimum."""
    inst = draw(12, 1)
    full = search(inst, time_limit=60)
    assert full.status == "optimal"
    runs = [search(inst, time_limit=60, work_limit=40) for _ in range(2)]
    assert runs[0].lower == runs[1].lower
    assert runs[0].starts.tobytes() == runs[1].starts.tobytes()
    assert runs[0].lower <= full.lower <= runs[0].upper


def test_no_time_and_no_memory_give_true_intervals() -> None:
    """Time limit 0 and memory 0 end at once with an interval, never with a false optimum."""
    inst = draw(12, 2)
    full = search(inst, time_limit=60)
    for options in ({"time_limit": 0.0}, {"memory_mb": 0}):
        result = search(inst, **{"time_limit": 8.0, **options})  # type: ignore[arg-type]
        confirm(inst, result)
        assert result.lower <= full.lower <= result.upper


def test_extreme_instances() -> None:
    """One request, many copies, serial peaks, huge arrivals and more than 64 requests give true intervals."""
    one = search(Instance([3], [4], 7, [5]))
    assert (one.lower, one.upper) == (9, 9)
    serial = search(Instance([0] * 5, [4] * 5, 4))
    assert serial.lower == serial.upper == 60
    packed = search(Instance([0] * 9, [1] * 9, 4))
    assert packed.lower == packed.upper == 4 + 8 + 3
    far = Instance([1, 2], [3, 3], 6, [0, 10**12])
    result = search(far, time_limit=20)
    confirm(far, result)
    many = Instance(np.ones(100_000, np.int64), np.full(100_000, 5), 64)
    result = search(many, time_limit=1)
    assert result.status == "interval"
    assert result.lower <= result.upper
    full = search(Instance([0] * 64, [1] * 64, 8), time_limit=20)
    assert full.lower == full.upper == 8 * 36


def test_given_starts_are_checked() -> None:
    """A start vector handed in must be feasible; then it is never made worse."""
    inst = Instance([1, 1], [3, 3], 4)
    assert search(inst, upper=[0, 3]).upper <= 9
    with pytest.raises(BadParameter, match="not feasible"):
        search(inst, upper=[0, 0])
    with pytest.raises(BadParameter, match="objective"):
        search(inst, "makespan")
    with pytest.raises(BadParameter, match="time_limit"):
        search(inst, time_limit=-1)
