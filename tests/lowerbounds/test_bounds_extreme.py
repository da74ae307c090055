"""Bad and extreme input: every method gives a true interval with certificates that hold, or one clear line."""

from __future__ import annotations

import numpy as np
import pytest
from bounds_cases import instances, optimum_twin
from hypothesis import given, settings

from kvratio.problem import Bound, Instance, Schedule, check
from kvratio.problem.errors import BadInstance, BadParameter, SolverError
from lowerbounds import CLOSED_FORMS, METHODS, bound, brute_force
from lowerbounds.classes import group
from lowerbounds.closed_form import closed_form, latency, squashed_area
from lowerbounds.decode import Decoder
from lowerbounds.events import fit_by_events, one_by_one
from lowerbounds.horizon import _rest_at_least, latest_completions, shift_horizon
from lowerbounds.parts import LEAST_GAP, find_cuts

#: these must answer whatever the instance is; the others may refuse
ALWAYS = set(METHODS) - {"brute", "lp", "milp"}


def _peaks_of_all(n: int, memory: int, step: int) -> Instance:
    """Return an instance in which each request needs all memory at its end."""
    prompt = np.arange(n) % (memory // 2)
    return Instance(prompt=prompt, output=memory - prompt, memory=memory, arrival=step * np.arange(n))


def _draw(n: int, longest: int, memory: int, arrival: np.ndarray | None = None) -> Instance:
    rng = np.random.default_rng([n, longest % 1009])
    return Instance(rng.integers(0, 9, n), rng.integers(1, longest + 1, n), memory, arrival)


CASES = {
    "n=1": Instance([3], [4], 7, [5]),
    "M=1": Instance([0] * 5, [1] * 5, 1),
    "M=2": Instance([0, 1, 0, 1, 0], [2, 1, 1, 1, 2], 2, [0, 0, 3, 1, 7]),
    "two, one after the other": Instance([2, 3], [6, 5], 8, [0, 1]),
    "all of p = M": _peaks_of_all(12, 20, 0),
    "all of p = M, arrivals": _peaks_of_all(30, 30, 3),
    "copies": Instance([5] * 20_000, [3] * 20_000, 400),
    "copies, one at a time": Instance([5] * 20_000, [3] * 20_000, 8),
    "far apart": Instance([1] * 20, [4] * 20, 9, np.random.default_rng(5).integers(0, 10**12, 20)),
    "far bursts": _draw(24, 19, 40, np.repeat([0, 10**12, 10**12 + 7], 8)),
    "one far burst": _draw(20, 19, 40, np.full(20, 10**12)),
    "10^9 tokens": Instance([3], [10**9], 10**9 + 5),
    "long outputs": Instance([1, 2, 3], [5 * 10**8, 6 * 10**8, 5 * 10**8], 10**9 + 7),
    "long and short": _draw(40, 10**8, 2 * 10**8),
    "long prompts": Instance([10**12, 10**12 - 5, 7], [1, 2, 3], 10**12 + 1),
    "many brute force cannot end": Instance([2, 3, 1, 4, 5, 2, 1, 3], [30, 17, 25, 9, 33, 21, 14, 28], 41),
}


def holds(answer: Bound) -> bool:
    """Recheck a bound from its certificates and return whether its sides are in order."""
    answer.verify()
    return answer.upper is None or answer.lower <= answer.upper


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_extreme_instances(name, method):
    """A true interval without time and with little, for both objectives; refusals are one line with advice."""
    for limit, objective in ((0.0, "flow"), (0.05, "completion")):
        said = None
        try:
            assert holds(bound(CASES[name], method, objective=objective, time_limit=limit))
        except (BadParameter, SolverError) as fault:
            said = str(fault)
        if said is not None:
            assert method not in ALWAYS
            assert "\n" not in said
            assert any(word in said for word in ("'exact'", "'best'", "'lagrangian'"))


@pytest.mark.parametrize("method", ["lagrangian", "exact", "best"])
def test_no_work(method):
    """Work limit 0 gives a true interval."""
    for name in ("n=1", "M=2", "all of p = M, arrivals", "far bursts", "one far burst", "long and short"):
        assert holds(bound(CASES[name], method, work_limit=0, time_limit=0.2))


def test_no_requests():
    """An instance without requests is refused in one line, so no bound can be asked for."""
    with pytest.raises(BadInstance, match="at least one request"):
        Instance([], [], 5)


def test_parts_are_solved_one_by_one():
    """Bursts far apart have the optima of the bursts, certified, even where one method alone refuses the whole."""
    burst = Instance([1, 2, 0, 3, 2], [4, 3, 5, 2, 6], 8)
    times = np.array([3, 10**6, 10**12])
    whole = Instance(np.tile(burst.prompt, 3), np.tile(burst.output, 3), 8, np.repeat(times, 5))
    optimum = 3 * brute_force(burst)[0] + 5 * int(times.sum())
    assert find_cuts(whole) == [0, 10**6, 10**12]
    for method in ("brute", "exact", "best", "milp"):
        answer = bound(whole, method)
        assert holds(answer)
        assert (answer.lower, answer.upper) == (optimum, optimum)
    assert [c.kind for c in bound(whole, "exact").certificates] == ["starts", "parts"]


def test_cuts_need_gaps():
    """A gap counts only beyond all outputs since the last one."""
    near = Instance([0, 0], [10, 1], 20, [0, LEAST_GAP + 9])
    far = Instance([0, 0], [10, 1], 20, [0, LEAST_GAP + 10])
    assert find_cuts(near) == [0]
    assert find_cuts(far) == [0, LEAST_GAP + 10]
    many = Instance([0] * 600, [1] * 600, 2, np.arange(600) * 10**7)
    assert len(find_cuts(many)) == 256


@settings(max_examples=60)
@given(instances(max_requests=7, max_memory=16))
def test_events_decode_as_rounds_do(inst):
    """Placing by events gives the starts that a table of rounds gives, for any order."""
    rng = np.random.default_rng(inst.n)
    decoder = Decoder(inst)
    for _ in range(5):
        order = rng.permutation(inst.n)
        starts = np.empty(inst.n, np.int64)
        cost = fit_by_events(order, inst.arrival, inst.prompt, inst.output, inst.memory, starts)
        expected, there = decoder.decode(order)
        assert (cost, starts.tolist()) == (expected, there.tolist())
        serial, alone = one_by_one(order, inst.arrival, inst.output)
        check(inst, Schedule.from_starts(inst, alone))
        assert serial == int((alone + inst.output).sum()) >= cost


def test_quick_horizon():
    """The quick form of rule T2 is LB0 and LB1 of all requests but one; rule T3 does not leave int64."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        M, n = int(rng.integers(3, 40)), int(rng.integers(2, 12))
        s = rng.integers(0, M, n)
        inst = Instance(s, [int(rng.integers(1, M - x + 1)) for x in s], M, rng.integers(0, 9, n))
        for i, found in enumerate(_rest_at_least(inst).tolist()):
            others = inst.subset(np.delete(np.arange(n), i))
            assert found == max(latency(others).integer, squashed_area(others).integer)
    large = Instance(np.arange(1200), np.arange(1, 1201), 3000)
    assert (latest_completions(large, 10**9, ("T2",)) < 10**9).all()
    long = CASES["long outputs"]
    assert (shift_horizon(group(long)) >= long.output.max()).all()


def test_random_tiny_instances():
    """On random tiny instances every lower side is at most the optimum, and every upper side at least that."""
    rng = np.random.default_rng(11)
    for k in range(80):
        n, M = int(rng.integers(1, 6)), int(rng.integers(2, 31))
        top = max(1, round(float(rng.uniform(0.17, 1.0)) * M))
        s = rng.integers(0, top, n)
        o = [int(rng.integers(1, top - x + 1)) for x in s]
        inst = Instance(s, o, M, rng.integers(0, 12, n) * (k % 2) + 10**7 * rng.integers(0, 2, n) * (k % 10 == 1))
        optimum, _ = brute_force(inst)
        assert all(closed_form(inst, name).integer <= optimum for name in CLOSED_FORMS)
        for method, options in (("lagrangian", {}), ("best", {"work_limit": 20}), ("exact", {})):
            answer = bound(inst, method, time_limit=20, **options)
            assert holds(answer)
            assert answer.lower <= optimum <= answer.upper
            assert method != "exact" or answer.status == "optimal"


@settings(max_examples=15)
@given(instances(max_requests=3, max_memory=5, latest=4))
def test_exact_is_exhaustive(inst):
    """The exact method equals the least cost over all start times."""
    assert bound(inst, "exact").upper == bound(inst, "exact").lower == optimum_twin(inst)
