"""The search for schedules of many requests: keys, windows in time, limits of work."""

from __future__ import annotations

import time

import numpy as np
import pytest
from bounds_cases import instances
from hypothesis import given, settings

from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter
from lowerbounds import bound
from lowerbounds import rolling as module
from lowerbounds.decode import Incumbent
from lowerbounds.keys import FIRST_WEIGHTS, search_keys, weighted_key
from lowerbounds.rolling import improve_windows


def varied(n: int, memory: int, seed: int = 0, online: bool = False) -> Instance:
    """Return requests with lognormal lengths."""
    rng = np.random.default_rng(seed)
    prompt = 1 + rng.lognormal(3.0, 1.0, n).astype(int) % (memory // 2)
    output = 1 + rng.lognormal(3.0, 0.8, n).astype(int) % (memory // 2)
    work = int((prompt * output + output * (output + 1) // 2).sum()) // memory
    return Instance(
        prompt=prompt, output=output, memory=memory, arrival=np.sort(rng.integers(0, work, n)) if online else None
    )


def first_schedule(inst: Instance) -> Incumbent:
    """Return an incumbent that holds the volume order."""
    incumbent = Incumbent(inst)
    incumbent.try_order(np.argsort(inst.arrival + inst.volume / inst.memory, kind="stable"))
    return incumbent


@settings(max_examples=30)
@given(instances(max_requests=25, max_memory=40, latest=60))
def test_windows_only_improve(inst):
    """On any instance the windows keep a feasible schedule of the stated cost, no dearer than before."""
    incumbent = first_schedule(inst)
    before = incumbent.cost
    improve_windows(incumbent, 0, float("inf"), work=30 * inst.n)
    check(inst, Schedule.from_starts(inst, incumbent.starts))
    assert incumbent.cost == int((incumbent.starts + inst.output).sum()) <= before


@pytest.mark.parametrize("online", [False, True])
def test_windows_gain(online):
    """On varied requests the windows lower the cost."""
    inst = varied(1500, 1500, online=online)
    incumbent = first_schedule(inst)
    before = incumbent.cost
    improve_windows(incumbent, 0, float("inf"), 100 * inst.n)
    check(inst, Schedule.from_starts(inst, incumbent.starts))
    assert incumbent.cost < before


def test_windows_repeat():
    """With limited work the result is the same whatever the number of threads; another seed gives another one."""
    inst = varied(700, 1000)
    found = []
    for seed, workers in ((1, 1), (1, 2), (1, 3), (2, 2)):
        incumbent = first_schedule(inst)
        improve_windows(incumbent, seed, float("inf"), 900 * inst.n, workers)
        found.append(incumbent.starts.tolist())
    assert found[0] == found[1] == found[2] != found[3]


def test_windows_stop():
    """A deadline in the past and a price list that is too long leave the schedule; so does an empty incumbent."""
    inst = varied(400, 1000)
    incumbent = first_schedule(inst)
    before = incumbent.cost
    improve_windows(incumbent, 0, time.monotonic() - 1)
    assert incumbent.cost <= before
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_ROUNDS", 1)
        kept = first_schedule(inst)
        improve_windows(kept, 0, float("inf"), 100 * inst.n)
    assert kept.cost == before
    empty = Incumbent(inst)
    improve_windows(empty, 0, float("inf"), 100)
    assert empty.cost is None


def test_keys():
    """The key search returns weights whose order has the cost it keeps; no work leaves the first weights."""
    inst = varied(500, 1000)
    incumbent = Incumbent(inst)
    assert search_keys(incumbent, 0, float("inf"), 0).tolist() == list(FIRST_WEIGHTS)
    first = incumbent.cost
    weights = search_keys(incumbent, 0, float("inf"), 30 * inst.n)
    cost, _ = incumbent.decoder.decode(np.argsort(weighted_key(inst, weights), kind="stable"))
    assert cost == incumbent.cost <= first


@pytest.mark.parametrize("method", ["best", "lagrangian"])
def test_work_limit(method):
    """Equal work limits give equal bounds under any time limit, under both names; too little work is no error."""
    inst = varied(3100, 2000)
    limit = 70 * inst.n
    first = bound(inst, method, work_limit=limit, time_limit=500)
    assert first == bound(inst, method, work=limit, time_limit=900)
    little = bound(inst, method, work_limit=0)
    little.verify()
    assert first.lower == little.lower
    assert first.upper <= little.upper


def test_some_hundred_requests():
    """Below the size from which time limits the search, work limits it: equal calls give equal, true intervals."""
    inst = varied(150, 300, seed=4)
    first, second = (bound(inst, "lagrangian", work_limit=80 * inst.n, time_limit=limit) for limit in (400, 800))
    first.verify()
    assert first == second


def test_bad_work_limit():
    """Both names at once and negative limits are one clear line."""
    inst = varied(5, 1000)
    with pytest.raises(BadParameter, match="same option"):
        bound(inst, work=1, work_limit=1)
    with pytest.raises(BadParameter, match=">= 0"):
        bound(inst, work_limit=-1)
