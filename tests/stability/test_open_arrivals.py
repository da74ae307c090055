"""Open arrivals: against requests counted by stage, the hysteresis of the published table, and conservation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_workers import stage_rows

from kvratio.problem.errors import BadParameter
from stability import integer, open_arrivals
from stability.request_stream import arrivals_of


@given(
    prompt=st.integers(0, 8),
    decode=st.integers(1, 8),
    room=st.integers(0, 60),
    rate=st.floats(0, 3),
    backlog=st.integers(0, 20),
    cap=st.sampled_from([math.inf, 0.7]),
    seed=st.integers(0, 99),
)
def test_compiled_equals_slow(prompt, decode, room, rate, backlog, cap, seed):
    """With one class the requests in a list are those counted by stage, iteration by iteration."""
    steps, memory = 40, prompt + decode + room
    run = open_arrivals.simulate(prompt, decode, memory, rate, steps, backlog=backlog, cap=cap, seed=seed)
    joins = arrivals_of(rate, steps, backlog, "open_arrivals", "arrivals", seed).tolist()
    kinds = [0] * 9999
    rows, _ = stage_rows([prompt], [decode], memory, steps, kinds, queued=joins[0], arrivals=[*joins[1:], 0], cap=cap)
    used, _, evicted, completed, waiting = (list(column) for column in zip(*rows, strict=True))
    assert run.used.tolist() == used[:-1]
    assert run.evicted.tolist() == evicted[:-1]
    # A row counts what completes at its start; here it is what completes at the end of the iteration before.
    assert run.completed.tolist() == completed[1:]
    assert run.waiting.tolist() == waiting[:-1]


def test_saturated_is_the_integer_model():
    """With an infinite rate a single class goes through the same states as with an endless backlog."""
    run = open_arrivals.simulate(10, 40, 2000, math.inf, 3000)
    same = integer.simulate(10, 40, 2000, 3000)
    assert run.used.tolist() == same.used[:-1].tolist()
    assert run.completed.tolist() == same.completed[1:].tolist()
    assert run.queue_end == 0


#: T_worst = 1.00, x* = 1.639
WORKER = (10, 40, 2000)


@pytest.mark.parametrize("seed", range(3))
def test_below_the_worst_cycle_every_start_drains(seed):
    """At .90 the empty start keeps up, and 3000 queued go down to none."""
    empty = open_arrivals.simulate(*WORKER, 0.90, seed=seed)
    assert empty.queue_end == 0
    assert empty.throughput == pytest.approx(0.90, abs=0.02)
    loaded = open_arrivals.simulate(*WORKER, 0.90, backlog=3000, seed=seed)
    assert loaded.drained
    assert loaded.queue_end < 100


@pytest.mark.parametrize("seed", range(3))
def test_in_the_band_a_loaded_worker_stays_congested(seed):
    """At 1.05 and 1.4, between T_worst and x*, a loaded worker serves T_worst to within 2 % and never recovers."""
    for rate in (1.05, 1.4):
        run = open_arrivals.simulate(*WORKER, rate, backlog=3000, seed=seed)
        assert run.throughput == pytest.approx(1.0, abs=0.02)
        assert run.growth > 0
        assert not run.drained


def test_in_the_band_an_empty_worker_keeps_up():
    """At 1.05 from empty the same worker serves what comes: hysteresis."""
    run = open_arrivals.simulate(*WORKER, 1.05)
    assert run.queue_end < 50
    assert run.throughput == pytest.approx(1.05, abs=0.03)


@pytest.mark.parametrize("backlog", [0, 3000])
def test_above_the_equilibrium_every_start_grows(backlog):
    """At 1.75 > x* no start keeps up."""
    run = open_arrivals.simulate(*WORKER, 1.75, backlog=backlog)
    assert run.growth > 0.1
    assert run.queue_end > 3000
    assert run.throughput <= run.equilibrium_rate


def test_the_cap_lets_a_loaded_worker_recover():
    """At 1.2 and 3000 queued, a cap of .97 x* drains what greedy admission never would."""
    x_star = open_arrivals.simulate(*WORKER, 0.1, 10).equilibrium_rate
    run = open_arrivals.simulate(*WORKER, 1.2, backlog=3000, cap=0.97 * x_star)
    assert run.drained
    assert run.queue_end < 100


def test_work_that_survives_knows_no_congestion():
    """With swap the loaded worker drains at 1.4, where with restart it is stuck at 1."""
    run = open_arrivals.simulate(*WORKER, 1.4, backlog=3000, eviction="swap")
    assert run.drained


def test_nothing_is_lost():
    """Arrivals are completed, resident or waiting; completions of the classes add up."""
    run = open_arrivals.simulate(30, [6, 10], 600, 2.0, 2000, shares=[0.25, 0.75], by_class=True, seed=2)
    came = arrivals_of(2.0, 2000, 0, "open_arrivals", "arrivals", 2).sum()
    assert came == run.completed.sum() + run.waiting[-1] + run.resident[-1] - run.completed[-1]
    assert run.completed_by_class.sum(axis=0).tolist() == run.completed.tolist()
    assert run.completed_by_class[0].sum() / run.completed.sum() == pytest.approx(0.25, abs=0.05)
    assert run.used.max() <= 600


def test_no_arrivals_are_no_work():
    """At rate 0 nothing happens, and no figure is made up."""
    run = open_arrivals.simulate(*WORKER, 0.0, 100)
    assert run.throughput == 0
    assert np.isnan(run.evictions_per_completion)
    assert run.emptied == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": -1}, "rate is -1"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"backlog": 1.5}, "backlog is 1.5"),
        ({"memory": 40}, "grows to 50 tokens and memory is 40"),
        ({"eviction": "x"}, "swap, recompute, restart"),
        ({"steps": 1}, "steps is 1"),
        ({"decode": []}, "no classes"),
    ],
)
def test_bad_input_is_one_line(given, message):
    """What has no meaning is refused, saying what and what to do."""
    values = {"prompt": 10, "decode": 40, "memory": 2000, "rate": 1.0, "steps": 50, **given}
    with pytest.raises(BadParameter, match=message):
        open_arrivals.simulate(**values)
