"""The congestion model with whole requests: against its slow twin, the published figures, and the continuous model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_workers import stage_rows

from kvratio.problem.errors import BadParameter
from stability import integer
from stability.congestion import simulate as continuous
from stability.request_stream import class_order


@given(
    classes=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=3),
    room=st.integers(0, 60),
    cap=st.sampled_from([(np.inf, 1.0), (0.4, 1.0), (1.25, 2.0)]),
    order=st.sampled_from(["rotation", "random"]),
    data=st.data(),
)
def test_compiled_equals_slow(classes, room, cap, order, data):
    """Every row and the last state are those of the slow worker, from empty or a given state, with and without end."""
    prompt, decode = (list(column) for column in zip(*classes, strict=True))
    memory, steps = max(a + b for a, b in classes) + room, 30
    start = None
    if data.draw(st.booleans()):
        start = [[0] * max(decode) for _ in classes]
        start[0][data.draw(st.integers(0, decode[0] - 1))] = 1
    queued = data.draw(st.none() | st.integers(0, 20))
    arrivals = None if queued is None else data.draw(st.lists(st.integers(0, 3), min_size=steps, max_size=steps))
    found = integer.simulate(
        prompt, decode, memory, steps, start=start, cap=cap[0], burst=cap[1], order=order, queued=queued,
        arrivals=arrivals, seed=4,
    )  # fmt: skip
    kinds = class_order(found.shares, 5000, order, "integer", "classes", 4)
    rows, state = stage_rows(
        prompt, decode, memory, steps, kinds, start=start, queued=queued, arrivals=arrivals, cap=cap[0], burst=cap[1]
    )
    columns = (found.used, found.admitted, found.evicted, found.completed, found.waiting)
    assert np.column_stack(columns).tolist() == [list(row) for row in rows]
    assert found.state.tolist() == state


def test_the_published_step():
    """(1, 1, 2) with 8 queued and 5 arriving admits 5; then 1 is evicted and 1 admitted."""
    run = integer.simulate(2, 3, 24, 2, start=[1, 1, 2], queued=8, arrivals=[5, 0], states=True)
    assert run.states[:, 0].tolist() == [[1, 1, 2], [5, 1, 1], [1, 4, 1]]
    assert run.waiting.tolist() == [8, 8, 8]
    assert run.admitted.tolist() == [0, 5, 1]
    assert run.evicted.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("decode", "memory", "ratio", "evicted"),
    [
        ((6, 10), 600, 0.955, 0.087),
        ((9, 15), 600, 0.921, 0.246),
        ((6, 9, 10, 15), 600, 0.961, 0.0),
        ((6, 10), 60_000, 0.985, 0.127),
        ((9, 15), 60_000, 0.973, 0.251),
        ((6, 9, 10, 15), 60_000, 0.9997, 0.0),
    ],
)
def test_published_mixes(decode, memory, ratio, evicted):
    """Completions and evictions over x* of classes in rotation, to the printed digits."""
    run = integer.simulate(30, decode, memory, 20_000)
    assert run.ratio == pytest.approx(ratio, abs=0.001)
    assert run.eviction_rate / run.equilibrium_rate == pytest.approx(evicted, abs=0.001)


def test_large_memory_is_the_continuous_model():
    """At M = 60,000 the throughput is that of divisible requests: to half a percent of mixes, to one and a half of one
    length, where each eviction of a whole request leaves room for a new one.
    """
    for decode, tolerance in (((6, 10), 0.005), ((6, 9, 10, 15), 0.005), ((20,), 0.015)):
        mass = continuous(30, decode, 60_000, 4000, record="totals").throughput(2001)
        assert integer.simulate(30, decode, 60_000, 4000).throughput == pytest.approx(mass, rel=tolerance)


@pytest.mark.parametrize(
    ("cap", "burst", "completed", "evicted"),
    [(0.9, 1, 1.475, 0), (0.97, 1, 1.590, 0), (1.0, 1, 1.600, 0), (None, 0, 1.50, 0.20)],
)
def test_published_caps(cap, burst, completed, evicted):
    """M = 1000, l0 = l1 = 20: caps up to x* leave no evictions; rounded up to 2 an iteration some come back."""
    rate = 2.0 if cap is None else cap * 1000 / (20 * 30.5)
    run = integer.simulate(20, 20, 1000, 20_000, cap=rate, burst=burst)
    assert run.throughput == pytest.approx(completed, abs=0.001)
    assert run.eviction_rate == pytest.approx(evicted, abs=0.001)


def test_a_cap_of_one_and_greedy_admission():
    """The same worker completes 1.00 under a cap of 1 and T_worst = 1.25, evicting 1.20, under none."""
    assert integer.simulate(20, 20, 1000, 8000, cap=1, burst=0).throughput == 1.0
    greedy = integer.simulate(20, 20, 1000, 8000)
    assert greedy.throughput == pytest.approx(1.25, abs=0.01)
    assert greedy.eviction_rate == pytest.approx(1.20, abs=0.01)


def test_whole_requests_can_overflow_at_the_cap_itself():
    """l0 = 10, l1 = 40, M = 2000: the bucket of x* still evicts now and then, that of .97 x* never."""
    x_star = integer.simulate(10, 40, 2000, 0).equilibrium_rate
    at, below = (integer.simulate(10, 40, 2000, 8000, cap=share * x_star) for share in (1.0, 0.97))
    assert 0 < at.evictions_per_completion < 0.05
    assert below.evicted.sum() == 0
    assert at.throughput > 1.5


def test_nothing_is_lost():
    """Admitted = completed + evicted + change of the state, class by class completions add up, and memory holds."""
    run = integer.simulate([3, 30], [7, 5], 500, 3000, shares=[0.3, 0.7], states=True)
    change = int(run.states[-1].sum() - run.states[0].sum())
    assert run.admitted.sum() == run.completed.sum() + run.evicted.sum() + change
    assert run.completed_by_class.sum(axis=0).tolist() == run.completed.tolist()
    assert run.used.max() <= 500
    assert run.states[-1].tolist() == run.state.tolist()


def test_rotation_follows_the_shares():
    """Classes come in their shares: after n admissions each is within one of n times its share."""
    shares = np.array([0.5, 0.3, 0.2])
    kinds = class_order(shares, 1000, "rotation")
    for k, share in enumerate(shares):
        ahead = np.cumsum(kinds == k) - share * np.arange(1, 1001)
        assert np.abs(ahead).max() <= 1
    assert class_order(np.full(4, 0.25), 8, "rotation").tolist() == [0, 1, 2, 3] * 2


def test_degenerate_classes():
    """A class without share is as if it were not there, one stage refills every iteration, no steps are no run."""
    with_none = integer.simulate([30, 5, 30], [6, 90, 10], 600, 500, shares=[0.5, 0.0, 0.5])
    assert with_none.used.tolist() == integer.simulate(30, [6, 10], 600, 500).used.tolist()
    one_stage = integer.simulate(3, 1, 21, 5)
    assert one_stage.completed.tolist() == [0, 5, 5, 5, 5, 5]
    assert integer.simulate(30, [6, 10], 600, 0).used.tolist() == [589]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"memory": 30}, "grows to 40 tokens and memory is 30"),
        ({"shares": [0.5, 0.6]}, "shares sum to 1.1"),
        ({"prompt": 2.5}, "whole tokens"),
        ({"start": [1, 2]}, "start has shape"),
        ({"start": [[0] * 6 + [1], [0]]}, "start has rows of different lengths"),
        ({"start": [[0] * 6 + [1], [0] * 7]}, "stages that their class does not have"),
        ({"start": [[0] * 7, [9] * 7]}, "start holds .* beyond memory"),
        ({"arrivals": [1] * 9}, "give queued"),
        ({"queued": 3, "arrivals": [1]}, "give 9 whole numbers"),
        ({"steps": -1}, "steps is -1"),
        ({"cap": float("nan")}, "cap is nan"),
        ({"order": "sorted"}, "rotation, random"),
    ],
)
def test_bad_input_is_one_line(given, message):
    """What has no meaning is refused, saying what and what to do."""
    values = {"prompt": 30, "decode": [6, 10], "memory": 600, "steps": 9, **given}
    with pytest.raises(BadParameter, match=message):
        integer.simulate(**values)
