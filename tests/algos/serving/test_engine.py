"""The compiled serving engine: worked examples, laws of the model, and runs that stop and go on."""

import math

import numpy as np
import pytest

from algos.serving import card, policy_ids, simulate
from algos.serving.advance import COMPLETED
from algos.serving.machine import Machine
from algos.serving.run import make_case
from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.requests import Requests, Type
from kvratio.problem.service import Run

THEORY = Clock.preset("a100-llama2-7b-theory")
#: policies that serve any load without being told thresholds
PLAIN = tuple(p for p in policy_ids() if p not in ("wait", "nested_wait", "wait_capped"))
FIELDS = ("admitted", "prefill_done", "first_token", "completion", "max_gap", "evictions", "end", "busy")


def drawn(n: int, seed: int, gap: float, longest: int = 12, types: int = 2) -> Requests:
    """Return a Poisson load with noisy predictions; kinds do not tell lengths."""
    rng = np.random.default_rng(seed)
    output = rng.integers(1, longest + 1, n)
    return Requests(
        rng.integers(1, longest + 1, n),
        output,
        np.cumsum(rng.exponential(gap, n)),
        kind=rng.integers(0, types, n),
        types=[Type(longest / 2, longest, 1 / gap / types)] * types,
        predicted=np.maximum(1, np.rint(output * rng.uniform(0.5, 1.5, n))),
    )


def thresholds(policy: str, longest: int = 12) -> dict:
    """Return what the policies that wait need."""
    half = {"cuts": (longest // 2, longest)}
    return {
        "wait": {"thresholds": (2, 1)},
        "nested_wait": half | {"thresholds": (2, 1)},
        "wait_capped": half | {"caps": (9, 4)},
    }.get(policy, {})


def same(left: Run, right: Run) -> bool:
    """Whether two runs agree to the last bit, but for the integral over time, which depends on how they were cut."""
    return (
        all(np.array_equal(getattr(left, f), getattr(right, f), equal_nan=True) for f in FIELDS)
        and dict(left.counters) == dict(right.counters)
        and math.isclose(left.token_seconds, right.token_seconds, rel_tol=1e-9)
    )


def durations(run: Run) -> list[float]:
    """Return the seconds of every iteration, by their ends: a row may stand for several."""
    log = run.iterations
    assert (log["repeats"] == 1).all()
    return [round(float(x), 9) for x in log["stop"] - log["start"]]


# -- worked examples ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("eviction", "ends"), [("restart", [3, 5]), ("recompute", [3, 4]), ("swap", [3, 4])])
def test_two_requests_first_come_first_served(eviction, ends):
    """Section 1.5, first example: the second of two requests is evicted at time 2."""
    run = simulate(Requests([2, 2], [2, 2], [0, 0]), "fcfs", Clock(1, 0), 7, eviction)
    assert run.completion.tolist() == ends
    assert run.evictions.tolist() == [0, 1]


def test_two_requests_prefill_first():
    """Section 1.5, second example: iterations and completions under both rules of eviction."""
    load, clock = Requests([2, 2], [3, 3], [0, 0]), Clock(1, 0.1, 0.5)
    kept = simulate(load, "vllm", clock, 8, watermark=0.0, log=True)
    assert kept.eviction == "recompute"
    np.testing.assert_allclose(kept.completion, [8.3, 13.2], rtol=1e-12)
    starts = np.concatenate([kept.iterations["start"], [13.2]])
    np.testing.assert_allclose(starts, [0, 3.4, 6.8, 8.3, 11.7, 13.2], rtol=1e-12)
    assert kept.iterations["repeats"].tolist() == [1, 2, 1, 1, 1]
    lost = simulate(load, "vllm", clock, 8, "restart", watermark=0.0)
    np.testing.assert_allclose(lost.completion, [10.8, 13.7], rtol=1e-12)
    assert lost.counters["wasted_decode_tokens"] == 2
    assert lost.counters["wasted_prefill_tokens"] == 2


def test_memory_of_the_third_example_is_full():
    """Section 1.5, third example: four prefills and four decodes take 12 tokens and one second, again and again."""
    load = Requests([1] * 40, [1] * 40, np.repeat(np.arange(10.0), 4))
    run = simulate(load, "wait", Clock(0.5, 0.5 / 12), 12, thresholds=(4,), flush=False, log=True)
    np.testing.assert_allclose(durations(run)[1:], 1.0, rtol=1e-12)
    assert set(run.iterations["footprint"][1:]) == {12}
    assert run.counters["evictions"] == 0


def test_greedy_rule_loses_throughput_when_memory_is_just_enough():
    """Section 4: from 6 prefills and 3 decodes, C = M* = 12, fcfs completes fewer than 4 requests an iteration."""
    arrival = np.concatenate([np.zeros(3), np.full(6, 0.1), np.arange(1, 2000) / 4 + 0.6])
    load = Requests(np.ones(len(arrival)), np.ones(len(arrival)), arrival)
    run = simulate(load, "fcfs", Clock(0.5, 0.5 / 12), 12, cut=450.0)
    # The first iterations complete nobody.
    assert 2.98 <= run.completed.sum() / run.counters["iterations"] < 3.5


# -- laws -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("policy", PLAIN)
def test_one_request_alone(policy):
    """Invariant 4: latency of a lone request is (o+1) d0 + d1 A + d2 l."""
    clock = Clock(0.25, 0.125, 0.5)
    run = simulate(Requests([7], [5], [3.0]), policy, clock, 100)
    assert run.latency[0] == 6 * 0.25 + 0.125 * 6 * (7 + 2.5) + 0.5 * 7
    assert run.end == run.completion[0]
    assert run.busy == run.latency[0]


@pytest.mark.parametrize("policy", policy_ids())
def test_scaling_all_times(policy):
    """Invariant 8: a machine half as fast and arrivals half as dense give the same run in slow motion, bit by bit."""
    load = drawn(60, 5, 0.2)
    clock = Clock(0.1, 0.01, 0.02, swap=0.005)
    slow = Requests(load.prompt, load.output, load.arrival * 4, load.kind, load.types, load.predicted)
    one = simulate(load, policy, clock, 60, **thresholds(policy))
    four = simulate(slow, policy, clock.scaled(4), 60, **thresholds(policy))
    assert np.array_equal(one.completion * 4, four.completion, equal_nan=True)
    assert np.array_equal(one.max_gap * 4, four.max_gap, equal_nan=True)
    assert dict(one.counters) == dict(four.counters)


@pytest.mark.parametrize("policy", policy_ids())
def test_evictions_differ_only_where_there_are_some(policy):
    """Invariant 9: with memory for all, the rule of eviction does not matter."""
    load = drawn(60, 6, 0.2)
    runs = [
        simulate(load, policy, Clock(0.1, 0.01, 0.02), 5000, eviction, **thresholds(policy))
        for eviction in card(policy).allowed_evictions
        if policy not in ("trail", "srpt")
    ]
    assert all(run.counters["evictions"] == 0 and same(run, runs[0]) for run in runs)


@pytest.mark.parametrize("policy", policy_ids())
@pytest.mark.parametrize("block", [1, 4])
def test_books_balance(policy, block):
    """Invariants 1 to 3 on a crowded run: memory holds, times rise, iterations and idle times add up to the clock."""
    load = drawn(80, 7, 0.1)
    run = simulate(load, policy, Clock(0.1, 0.01, 0.02), 48, block=block, log=True, **thresholds(policy))
    log = run.iterations
    assert (log["footprint"] <= 48).all()
    assert (log["footprint"] % block == 0).all()
    assert (log["decodes"] + log["prefills"] >= 1).all()
    assert (log["start"][1:] >= log["stop"][:-1]).all()
    assert math.isclose((log["stop"] - log["start"]).sum(), run.busy, rel_tol=1e-9)
    assert log["repeats"].sum() == run.counters["iterations"]
    done = run.completed
    assert run.cut == bool((~done & ~run.refused).any())
    assert (load.arrival[done] <= run.admitted[done]).all()
    assert (run.admitted[done] < run.prefill_done[done]).all()
    assert (run.first_token[done] <= run.completion[done]).all()
    kept = 0 if run.eviction == "restart" and run.counters["evictions"] else load.output[done].sum()
    assert run.counters["emitted_tokens"] >= kept


@pytest.mark.parametrize("policy", ["nested_wait", "wait_capped", "vllm", "sarathi", "fcfs", "orca"])
def test_longer_outputs_change_nothing_in_the_past(policy):
    """Invariant 7: what is not told of a length decides nothing before the request would have ended."""
    load = drawn(50, 8, 0.15)
    more = (
        {"max_tokens": 30}
        if policy == "orca"
        else thresholds(policy, 12) | ({} if policy in PLAIN else {"cuts": (6, 30)})
    )
    run = simulate(load, policy, Clock(0.1, 0.01, 0.02), 90, **more)
    at = float(np.nanmedian(run.completion))
    output = np.where(run.completion <= at, load.output, load.output + 15)
    longer = Requests(load.prompt, output, load.arrival, load.kind, load.types, load.predicted)
    cut = [simulate(q, policy, Clock(0.1, 0.01, 0.02), 90, cut=at, **more) for q in (load, longer)]
    assert same(*cut)


def test_fluid_limit_of_greedy_service():
    """Section 4, self-check: mean memory within 5 % of M* and mean iteration within 3 % of dT*."""
    rate, n = 400.0, 20_000
    rng = np.random.default_rng(1)
    load = Requests(np.full(n, 10), np.full(n, 10), np.cumsum(rng.exponential(1 / rate, n)))
    run = simulate(load, "fcfs", Clock(0.01, 1e-5), 10**9, max_batch=None)
    slack = 1 - 1e-5 * rate * 165
    assert run.token_seconds / run.end == pytest.approx(0.01 / slack * rate * 165, rel=0.05)
    assert run.busy / run.counters["iterations"] == pytest.approx(0.01 / slack, rel=0.03)


@pytest.mark.parametrize("clock", ["a100-llama2-7b", "a100-llama2-7b-theory", "a100-llama2-7b-roofline"])
@pytest.mark.parametrize(("gap", "memory"), [(0.5, 20_000), (8.0, 20_000), (2.0, 5_000)])
def test_leaps_are_exact(clock, gap, memory):
    """Leaping over quiet stretches gives the bits of walking, request by request, through them.

    With more residents allowed than the token budget, sarathi chooses its decodes one by one; it never needs to.
    """
    rng = np.random.default_rng(13)
    load = Requests(rng.integers(1, 900, 300), rng.integers(1, 900, 300), np.cumsum(rng.exponential(gap, 300)))
    leaping, walking = (simulate(load, "sarathi", clock, memory, max_batch=most) for most in (300, 513))
    assert same(leaping, walking)
    assert leaping.completed.all()


def test_one_endless_answer():
    """A million decodes take as long as their closed form says."""
    clock = Clock(0.01, 1e-7, 1e-4)
    run = simulate(Requests([1000], [10**6], [5.0]), "fcfs", clock, 2 * 10**6)
    passes = 10**6 + 1
    assert run.latency[0] == pytest.approx(passes * 0.01 + 1e-7 * passes * (1000 + 5e5) + 0.1, rel=1e-12)
    assert run.max_gap[0] == pytest.approx(0.01 + 1e-7 * 1_001_000, rel=1e-6)
    assert run.counters["iterations"] == passes


# -- waiting --------------------------------------------------------------------------------------------------------
def test_wait_for_every_arrival():
    """Invariant 6: n = 1 and arrivals rarer than D give latency o/r + D and peak memory A."""
    rate, D = 20.0, THEORY.d0 + THEORY.d1 * 148 * (59 + 73.5)
    load = Requests([59] * 400, [147] * 400, np.arange(1, 401) / rate, types=[Type(59, 147, rate)], kind=[0] * 400)
    run = simulate(load, "wait", THEORY, 137_000, thresholds=1, flush=False)
    np.testing.assert_allclose(run.latency[:200], 147 / rate + D, rtol=2e-3)
    np.testing.assert_allclose(run.latency[150:250], 147 / rate + D, rtol=1e-12)
    assert run.counters["peak_footprint"] == 148 * (59 + 73.5)


def test_wait_latency_of_random_arrivals():
    """Section 5: latency o n/r + (n-1)/(2r) + W + D within 2 %, and the busy share u = r D / n."""
    rate, n = 20.0, 20_000
    D = THEORY.d0 + THEORY.d1 * 148 * (59 + 73.5)
    u = rate * D
    rng = np.random.default_rng(2)
    load = Requests(np.full(n, 59), np.full(n, 147), np.cumsum(rng.exponential(1 / rate, n)))
    run = simulate(load, "wait", THEORY, 137_000, thresholds=1)
    middle = slice(n // 5, -n // 5)
    assert run.latency[middle].mean() == pytest.approx(147 / rate + u * D / (2 * (1 - u)) + D, rel=0.02)
    assert run.busy / run.end == pytest.approx(u, rel=0.02)


def test_nested_wait_of_one_segment_is_wait():
    """Section 6.1: with one segment and equal outputs the two rules agree event for event."""
    load = drawn(60, 9, 0.3, types=1)
    load = Requests(load.prompt, np.full(60, 6), load.arrival)
    clock = Clock(0.1, 0.01, 0.02)
    for eviction in ("restart", "recompute", "swap"):
        plain = simulate(load, "wait", clock, 70, eviction, thresholds=(2,))
        assert plain.counters["evictions"] > 0
        assert same(plain, simulate(load, "nested_wait", clock, 70, eviction, thresholds=(2,)))


def test_capped_segment_with_a_whole_threshold():
    """Invariant 10: with a cap of n widths a turn takes n entries, as WAIT does."""
    load = Requests([3] * 60, [5] * 60, np.arange(60) / 4)
    clock = Clock(0.05, 0.001)
    capped = simulate(load, "wait_capped", clock, 500, caps=(12,), log=True)
    assert capped.iterations["prefills"].max() == 2
    assert same(capped, simulate(load, "wait", clock, 500, thresholds=(2,)))


def test_frozen_type():
    """Section 5: a type without enough fresh requests does not move, decodes included, and keeps its memory."""
    load = Requests([2, 2, 2], [1, 1, 1], [0, 5, 9], kind=[0, 1, 0], types=[Type(2, 1, 1.0), Type(2, 1, 1.0)])
    run = simulate(load, "wait", Clock(1, 0), 20, thresholds=(1, 1), flush=False, log=True)
    np.testing.assert_array_equal(run.completion, [10, math.nan, math.nan])
    assert run.iterations["footprint"].tolist() == [2, 5, 8]
    assert run.cut


# -- runs that stop and go on ---------------------------------------------------------------------------------------
def machine(
    load: Requests, policy: str, memory: int = 60, *, opened: bool = False, eviction: str | None = None
) -> Machine:
    """Return a worker that has not begun."""
    made = make_case(load, Clock(0.1, 0.01, 0.02, swap=0.01), memory, 1)
    chosen = card(policy)
    settings = chosen.settings(made, thresholds(policy))
    return Machine(chosen, made, settings, chosen.check_eviction(eviction), open=opened)


@pytest.mark.parametrize("policy", policy_ids())
def test_a_run_can_stop_and_go_on(policy):
    """Advancing in small steps, with requests fed as they come, gives the bits of the run in one piece."""
    load = drawn(60, 11, 0.2)
    whole = machine(load, policy)
    whole.advance(math.inf, 40.0)
    pieces = machine(load, policy, opened=True)
    for arrival in load.arrival:
        pieces.advance(float(arrival), 40.0)
        pieces.advance(float(arrival), 40.0)
        pieces.feed()
    pieces.close()
    pieces.advance(math.inf, 40.0)
    assert same(whole.run(), pieces.run())


def test_requests_sent_elsewhere():
    """Two workers that share the requests do what each would do with its own."""
    load = drawn(60, 12, 0.2)
    for who in (0, 1):
        mine = np.flatnonzero(load.kind == who)
        worker = machine(load, "vllm", opened=True)
        for i, arrival in enumerate(load.arrival):
            worker.advance(float(arrival))
            worker.feed(here=bool(load.kind[i] == who))
        worker.close()
        worker.advance(math.inf)
        own = machine(Requests(load.prompt[mine], load.output[mine], load.arrival[mine]), "vllm")
        own.advance(math.inf)
        assert np.array_equal(worker.run().completion[mine], own.run().completion)


def test_closed_loop():
    """One user who sends the next request a second after the last has completed."""
    load = Requests([2, 2, 2], [1, 1, 1], [0, 0, 0])
    worker = Machine(card("fcfs"), make_case(load, Clock(1, 0), 10, 1), {"max_batch": 4}, "restart", open=True)
    worker.watch()
    worker.feed(arrival=0.0)
    for _ in range(2):
        assert worker.advance(math.inf) == COMPLETED
        worker.feed(arrival=worker.now + 1.0)
    worker.close()
    worker.advance(math.inf)
    worker.advance(math.inf)
    assert worker.run().completion.tolist() == [2, 5, 8]


def test_long_log():
    """A log outgrows its first room without a change to the run."""
    n = 3000
    load = Requests(np.full(n, 3), np.full(n, 3), np.arange(n) * 1.0)
    logged = simulate(load, "vllm", Clock(0.1, 0.01), 100, log=True)
    assert len(logged.iterations) == 2 * n
    assert same(logged, simulate(load, "vllm", Clock(0.1, 0.01), 100))


def test_cut():
    """The world ends at the cut: the iteration under way does not end, and its requests are resident."""
    load = Requests([2, 2], [3, 3], [0, 1.5])
    run = simulate(load, "fcfs", Clock(1, 0), 100, cut=2.5)
    assert run.end == 2.5
    assert run.busy == 2.0
    assert run.admitted.tolist() == [0, 2]
    assert run.first_token.tolist()[0] == 2
    assert run.token_seconds == 2 + 3 + 0.5 * (4 + 2)
    assert run.cut


def test_refused():
    """A request that can never fit is refused and changes nothing for the others, a block counted as a whole."""
    load = Requests([2, 5, 2], [2, 6, 2], [0, 0, 0])
    run = simulate(load, "fcfs", Clock(1, 0), 10)
    assert run.refused.tolist() == [False, True, False]
    assert math.isnan(run.completion[1])
    assert not run.cut
    blocks = simulate(Requests([3], [3], [0]), "fcfs", Clock(1, 0), 7, block=4)
    assert blocks.refused.all()


def test_roofline_clock():
    """Tokens up to the knee are free under the floor; a long prompt is charged in full."""
    clock = RooflineClock(floor=1.0, base=0.25, token=0.125, fixed=0.25, decode=0.0625, cached=0.03125)
    run = simulate(Requests([4, 10], [1, 1], [0, 100]), "fcfs", clock, 100)
    assert run.prefill_done.tolist() == [1.25, 100 + 0.5 + 10 * 0.125]
    assert run.completion[0] == 1.25 + 1.25 + 0.0625 + 5 * 0.03125


# -- what is refused ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"policy": "vlm"}, UnknownName, "did you mean 'vllm'"),
        ({"clock": "a100"}, UnknownName, "a100-llama2-7b"),
        ({"memory": 0}, BadParameter, "memory is 0"),
        ({"memory": 2.5}, BadParameter, "memory is 2.5"),
        ({"block": 0}, BadParameter, "block is 0"),
        ({"cut": -1}, BadParameter, "cut is -1"),
        ({"seed": 0.5}, BadParameter, "seed is 0.5"),
        ({"eviction": "forget"}, UnknownName, "restart, recompute, swap"),
        ({"policy": "trail", "eviction": "swap"}, BadParameter, "no meaning"),
        ({"max_batch": 0}, BadParameter, "max_batch is 0"),
        ({"speed": 3}, BadParameter, "no parameter 'speed'"),
        ({"policy": "wait", "thresholds": (1, 1)}, BadParameter, "2 thresholds for 1 types"),
        ({"policy": "wait", "thresholds": (0,)}, BadParameter, "whole numbers"),
        ({"policy": "nested_wait", "cuts": (3, 2), "thresholds": (1, 1)}, BadParameter, "do not rise"),
        ({"policy": "nested_wait", "cuts": (1,), "thresholds": (1,)}, BadParameter, "below the largest output"),
        ({"policy": "wait_capped", "caps": (1, 1)}, BadParameter, "one for each cut"),
        ({"policy": "orca", "max_tokens": 1}, BadParameter, "max_tokens is 1"),
    ],
)
def test_bad_input(change, error, words):
    """Every mistake is answered by one line that names it."""
    given = {"policy": "vllm", "clock": Clock(1, 0), "memory": 50} | change
    with pytest.raises(error, match=words) as caught:
        simulate(Requests([2], [2], [0]), given.pop("policy"), given.pop("clock"), given.pop("memory"), **given)
    assert "\n" not in str(caught.value)


def test_many_lengths_get_few_segments():
    """Where a segment for each output length cannot fit, `wait_capped` falls back to quantiles of the mix."""
    rng = np.random.default_rng(3)
    n = 400
    load = Requests(rng.integers(20, 400, n), rng.integers(1, 600, n), np.sort(rng.uniform(0, 400.0, n)))
    run = simulate(load, "wait_capped", "a100-llama2-7b", 60_000)
    assert len(run.params["cuts"]) <= 8 < len(np.unique(load.output))
    assert run.params["cuts"][-1] == load.output.max()
    assert run.completed.all()
