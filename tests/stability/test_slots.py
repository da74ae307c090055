"""The slot simulator: against its slow twin, against the published table, and on input without meaning."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_workers import slot_rows

from kvratio import Instance
from kvratio.problem.errors import BadParameter
from stability import slots
from stability.capacity import Independent, Joint, Mixed
from stability.request_stream import law_of, requests_of
from stability.whole_requests import MODES, ROWS, Limits, run_slots


def rows_of(lengths, memory, chunk, eviction, count, arrivals=None, cap=np.inf, burst=1.0):
    """Rows of the compiled loop."""
    prompt, output = (np.array(column, np.int64) for column in zip(*lengths, strict=True))
    rows = np.zeros((count, len(ROWS)), np.int64)
    joining = np.zeros(0, np.int64) if arrivals is None else np.array(arrivals, np.int64)
    limits = Limits(memory, chunk, MODES.index(eviction), arrivals is None, float(cap), float(burst))
    kinds = np.zeros(len(prompt), np.int64)
    done = run_slots(prompt, output, kinds, joining, limits, rows, np.zeros((1, count), np.int64))
    return rows[:done].tolist()


@given(
    lengths=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=1, max_size=25),
    room=st.integers(0, 40),
    chunk=st.integers(1, 15),
    eviction=st.sampled_from(MODES),
    bucket=st.sampled_from([(np.inf, 1.0), (0.25, 1.0), (1.5, 2.0)]),
    data=st.data(),
)
def test_compiled_equals_slow(lengths, room, chunk, eviction, bucket, data):
    """Every number of every slot is that of the slow worker: saturated or open, all evictions, capped or not."""
    memory = max(s + o for s, o in lengths) + room
    cap, burst = bucket
    fast = rows_of(lengths, memory, chunk, eviction, 40, None, cap, burst)
    # A saturated run stops where the stream is used up; until then the slow worker had somebody waiting too.
    slow = slot_rows(lengths, memory, chunk, eviction, len(fast), None, cap, burst)
    assert fast == [list(row) for row in slow]
    joins = data.draw(st.lists(st.integers(0, len(lengths)), min_size=len(lengths), max_size=len(lengths)))
    arrivals = np.bincount(joins, minlength=40).tolist()
    fast = rows_of(lengths, memory, chunk, eviction, 40, arrivals, cap, burst)
    assert fast == [list(row) for row in slot_rows(lengths, memory, chunk, eviction, 40, arrivals, cap, burst)]


def test_longer_runs_equal_slow():
    """The same over hundreds of slots with many evictions of each kind."""
    rng = np.random.default_rng(5)
    lengths = list(zip(rng.integers(0, 40, 400).tolist(), rng.integers(1, 40, 400).tolist(), strict=True))
    for eviction in MODES:
        fast = rows_of(lengths, 150, 16, eviction, 250)
        assert len(fast) == 250
        assert sum(row[2] for row in fast) > 50
        assert fast == [list(row) for row in slot_rows(lengths, 150, 16, eviction, 250)]


@pytest.mark.parametrize(
    ("prompt", "output", "eviction", "ratio", "tolerance"),
    [
        ("uniform:10:1600", "uniform:10:1600", "swap", 0.985, 0.03),
        ("uniform:10:1600", "uniform:10:1600", "recompute", 0.986, 0.03),
        ("uniform:10:1600", "uniform:10:1600", "restart", 0.980, 0.03),
        (805, 805, "swap", 0.999, 0.01),
        (805, 805, "recompute", 0.996, 0.01),
        (805, 805, "restart", 0.762, 0.01),
        (64, 805, "swap", 0.984, 0.01),
        (64, 805, "recompute", 0.986, 0.01),
        (64, 805, "restart", 0.538, 0.01),
    ],
)
def test_published_ratios(prompt, output, eviction, ratio, tolerance):
    """Work that survives evictions, or spread lengths, reach the capacity; equal lengths that restart do not."""
    run = slots.simulate(Independent(prompt, output), 65_500, eviction=eviction)
    assert run.ratio == pytest.approx(ratio, abs=tolerance)
    assert 0.97 < run.mean_fill <= 1


def test_a_hand_checked_run():
    """Two requests of 5 + 2 tokens in chunks of 2: the second is swapped out with its first chunk and goes on later."""
    run = slots.simulate((5, 2), 7, 10, warmup=0, chunk=2, rate=0.0, backlog=2)
    assert run.used.tolist() == [4, 4, 5, 6, 7, 4, 5, 6, 7, 0]
    assert run.evicted.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert run.waiting.tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert run.completed.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert run.throughput == 0.2
    assert run.mean_area == 5 * (1 + 5 / 2) / 2 + 10 + 3
    again = slots.simulate((5, 2), 7, 10, warmup=0, chunk=2, rate=0.0, backlog=2, eviction="restart")
    assert again.used.tolist() == [4, 6, 7, 6, 7, 2, 4, 5, 6, 7]


def test_exact_areas_change_the_ratio_only():
    """With exact areas the same run has a ratio larger by the areas' quotient."""
    closed, exact = (slots.simulate((5, 2), 7, 10, warmup=0, chunk=2, exact=flag) for flag in (False, True))
    assert exact.mean_area == 2 + 4 + 5 + 6 + 7
    assert exact.ratio == pytest.approx(closed.ratio * exact.mean_area / closed.mean_area)
    assert exact.used.tolist() == closed.used.tolist()


def test_nothing_is_lost():
    """Requests that were admitted completed, were evicted, or are resident; swap never needs more slots than work."""
    for eviction in MODES:
        run = slots.simulate(Independent("uniform:1:30", "uniform:1:30"), 300, 2000, warmup=0, eviction=eviction)
        assert run.admitted.sum() == run.completed.sum() + run.evicted.sum() + run.resident[-1] - run.completed[-1]
        assert run.used.max() <= 300


def test_poisson_arrivals_and_a_backlog():
    """Below capacity the queue empties and the rate is served; a backlog stands in the queue at first."""
    law = Independent("uniform:1:60", "uniform:1:60")
    run = slots.simulate(law, 5000, 4000, warmup=1000, rate=1.0, backlog=500, seed=3)
    assert run.waiting[0] > 300
    assert run.waiting[-1] == 0
    assert run.throughput == pytest.approx(1.0, abs=0.05)


def test_a_cap_below_the_cycle_removes_evictions():
    """A cap of .9 M/E[g] leaves no evictions of equal lengths, where greedy admission completes three quarters."""
    x_star = 65_500 / slots.simulate((805, 805), 65_500, 1, warmup=0).mean_area
    run = slots.simulate((805, 805), 65_500, eviction="restart", cap=0.9 * x_star)
    assert run.evicted[run.warmup :].sum() == 0
    assert run.ratio == pytest.approx(0.9, abs=0.01)


def test_lengths_of_a_trace_are_drawn():
    """An instance is a law: every drawn pair is one of its requests."""
    inst = Instance([1, 2, 3], [4, 5, 6], 20)
    prompt, output = requests_of(law_of(inst), 500, "test")
    assert set(zip(prompt.tolist(), output.tolist(), strict=True)) == {(1, 4), (2, 5), (3, 6)}


def test_a_stream_does_not_depend_on_its_length():
    """The first requests of a stream are the same however many are drawn; the parts of a mix are shuffled."""
    law = Mixed((Joint([1], [1]), Joint([2], [2])), [0.5, 0.5])
    short, long = (requests_of(law, n, "test", 1)[0] for n in (100, 9000))
    assert short.tolist() == long[:100].tolist()
    assert 20 < (short == 1).sum() < 80


def test_the_simulators_are_named_by_the_package():
    """``import stability`` is enough to say ``stability.slots.simulate``, and loads nothing before."""
    code = (
        "import sys, stability; assert 'numba' not in sys.modules; "
        "print(stability.integer.simulate(3, 1, 21, 5).throughput, stability.slots.simulate((5, 2), 7, 10).throughput, "
        "stability.open_arrivals.simulate(3, 1, 21, 0.0, 5).throughput, 'slots' in dir(stability))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "5.0 0.3 0.0 True\n"


def test_same_seed_same_run():
    """Equal seeds give equal trajectories, other seeds others."""
    law = Independent("uniform:1:30", "uniform:1:30")
    first, again, other = (slots.simulate(law, 300, 200, warmup=0, seed=seed) for seed in (1, 1, 2))
    assert first.used.tolist() == again.used.tolist() != other.used.tolist()


@pytest.mark.parametrize(
    ("lengths", "memory", "given", "message"),
    [
        ((5, 6), 10, {}, "grows to 11 tokens and memory is 10"),
        (([], []), 10, {}, "empty|no requests|at least one"),
        ((5, 0), 10, {}, "output: 0 .. 0 tokens"),
        ((2.5, 3), 10, {}, "whole"),
        ((5, 3), 10, {"eviction": "drop"}, "choose one of swap, recompute, restart"),
        ((5, 3), 10, {"chunk": 0}, "chunk is 0"),
        ((5, 3), 10, {"slots": 0}, "slots is 0"),
        ((5, 3), 10, {"rate": -1.0}, "rate is -1"),
        ((5, 3), 10, {"cap": 0}, "cap is 0"),
        ((5, 3), float("nan"), {}, "memory is nan"),
        ("azure", 10, {}, "azure"),
    ],
)
def test_bad_input_is_one_line(lengths, memory, given, message):
    """What has no meaning is refused, saying what and what to do."""
    with pytest.raises(BadParameter, match=message) as fault:
        slots.simulate(lengths, memory, **given)
    assert "\n" not in str(fault.value)
