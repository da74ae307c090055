"""Prices for labels: bounds below every completion, optima unchanged, results independent of the threads."""

from __future__ import annotations

import numpy as np
import pytest
from exact_tiny import enumerate_optimum, random_tiny

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter
from lowerbounds.exact import course, reprice, search
from lowerbounds.exact import sweep as sweep_module
from lowerbounds.exact.jobs import Jobs, arrange
from lowerbounds.exact.layers import HEAD
from lowerbounds.exact.pool import Pool
from lowerbounds.exact.tables import Row, all_completions, tabulate

Q = 1 << 20


def draw(n: int, seed: int) -> Instance:
    """Draw memory, prompts and outputs with alpha near 1."""
    rng = np.random.default_rng([n, seed])
    M = int(rng.integers(30, 51))
    s = rng.integers(1, 6, n)
    return Instance(s, [int(rng.integers(1, M - x + 1)) for x in s], M)


def random_completions(jobs: Jobs, rng: np.random.Generator) -> np.ndarray:
    """Place requests in random order, each at a random one of its first feasible rounds; return completions."""
    serial = int(jobs.arrival.max() + jobs.output.sum()) + 5 * jobs.n
    use = np.zeros(serial + 1, np.int64)
    completion = np.zeros(jobs.n, np.int64)
    for j in rng.permutation(jobs.n).tolist():
        o, ramp = int(jobs.output[j]), jobs.prompt[j] + np.arange(1, jobs.output[j] + 1)
        skip = int(rng.integers(0, 3))
        for start in range(int(jobs.arrival[j]), serial):
            if start + o > serial or (use[start + 1 : start + o + 1] + ramp <= jobs.memory).all():
                if skip == 0:
                    break
                skip -= 1
        use[start + 1 : start + o + 1] += ramp
        completion[j] = start + o
    assert (use <= jobs.memory).all()
    return completion


def labels_of(jobs: Jobs, completion: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Return head and body of the label that fixes the part of a schedule after round t."""
    head, body = np.zeros((1, HEAD), np.int64), np.zeros((1, jobs.n), np.int32)
    placed = completion > t
    active = [j for j in range(jobs.n) if placed[j] and completion[j] - jobs.output[j] < t]
    head[0, 0] = sum(1 << j for j in range(jobs.n) if not placed[j])
    head[0, 2] = completion[placed].sum()
    head[0, 3] = len(active)
    head[0, 6] = -(1 << 62)
    body[0, : len(active)] = [(completion[j] << 7) | (j << 1) for j in active]
    return head, body


@pytest.mark.parametrize("arrivals", [False, True])
def test_bound_is_below_every_completion(arrivals: bool) -> None:
    """Under random prices no schedule costs less than the bound of any of its labels, and the first label is exact."""
    rng = np.random.default_rng(3)
    for k in range(25):
        jobs = arrange(random_tiny(k, arrivals))
        last = int(jobs.arrival.max() + jobs.output.sum()) + 5 * jobs.n
        allowed = all_completions(jobs, last)
        rows = [Row(t, jobs.state_memory, jobs.memory) for t in range(1, last + 1)]
        pool = Pool(jobs, rows, allowed, Q)
        prices = [np.zeros(last), rng.exponential(0.1, last) * (rng.random(last) < 0.7)]
        assert all(pool.add(p) for p in prices)
        for _ in range(8):
            completion = random_completions(jobs, rng)
            for t in range(int(completion.max()) + 1):
                head, body = labels_of(jobs, completion, t)
                for v in range(2):
                    head[0, 6] = -(1 << 62)
                    pool.screen(t, pool.view(t, [v]), head, body, 1, 1 << 60, np.zeros(1, np.int64), drop=False)
                    # Leaving out requests costs 2**56 each in the tables: no schedule at all.
                    assert head[0, 6] <= Q * completion.sum()
                    if t == 0:
                        assert head[0, 6] == Q * completion.sum()
        head, body = labels_of(jobs, np.full(jobs.n, -1), last)
        pool.screen(last, pool.view(last, [1]), head, body, 1, 1 << 60, np.zeros(1, np.int64), drop=False)
        assert head[0, 6] == tabulate(jobs, rows, prices[1], allowed, Q).value


def test_prices_too_large_are_refused() -> None:
    """Prices whose sums could leave 64 bits do not enter the pool."""
    jobs = arrange(Instance([1, 1], [3, 4], 6))
    rows = [Row(t, jobs.state_memory, jobs.memory) for t in range(1, 8)]
    pool = Pool(jobs, rows, all_completions(jobs, 7), Q)
    assert not pool.add(np.full(7, 1e12))
    assert len(pool) == 0
    assert pool.add(np.full(7, 0.1))


@pytest.mark.parametrize("arrivals", [False, True])
def test_pool_changes_no_optimum(arrivals: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With prices for every layer, from a poor upper bound, the label search proves the enumerated optimum."""
    monkeypatch.setattr(course, "PHASES", ())
    monkeypatch.setattr(course, "RECORDED", 0)
    monkeypatch.setattr(reprice, "LARGE", 2)
    monkeypatch.setattr(reprice, "EXCHANGE", 0.0)
    solved = 0
    for k in range(200, 230):
        inst = random_tiny(k, arrivals)
        serial = np.concatenate(([0], np.cumsum(inst.output)[:-1])) + int(inst.arrival.max())
        monkeypatch.setattr(course, "first_schedule", lambda inst, *_, s=serial: (int((s + inst.output).sum()), s))
        result = search(inst, time_limit=60)
        solved += result.statistics.get("priced", 0)
        assert result.lower == result.upper == enumerate_optimum(inst), f"instance {k}"
    assert solved > 20


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small instances go from closed-form prices straight to a sweep with prices for labels."""
    monkeypatch.setattr(course, "PHASES", ())
    monkeypatch.setattr(course, "HOPEFUL", np.inf)
    monkeypatch.setattr(course, "RECORDED", 0)
    monkeypatch.setattr(reprice, "LARGE", 500)


def test_pool_drops_labels(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search with prices for labels proves an optimum for which ten times as many labels do not suffice without."""
    inst = draw(10, 1)
    plenty = search(inst, work_limit=1_000_000)
    monkeypatch.setattr(course.Course, "repricer", lambda *_: None)
    none = search(inst, work_limit=10 * plenty.statistics["expanded"])
    assert plenty.status == "optimal"
    assert plenty.statistics["priced"] > 0
    assert none.status == "interval"
    assert none.lower < plenty.lower <= none.upper


def test_threads_change_nothing(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """One and two workers expand the same labels and return the same bytes, complete or cut by the work limit."""
    monkeypatch.setattr(sweep_module, "SHARED", 0)
    inst = draw(10, 1)
    for limit in (3_000, 3_000_000):
        one, two = (search(inst, work_limit=limit, workers=k) for k in (1, 2))
        assert (one.lower, one.upper, one.status) == (two.lower, two.upper, two.status)
        assert one.starts.tobytes() == two.starts.tobytes()
        assert one.statistics["passes"] == two.statistics["passes"]


def test_workers_are_checked() -> None:
    """A search without any thread is refused."""
    with pytest.raises(BadParameter, match="workers"):
        search(Instance([1], [3], 4), workers=0)
