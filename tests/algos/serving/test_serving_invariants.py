"""The ten invariants of section 12 of the serving model, for the slow simulator and for the compiled one."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from serving_cases import EVICTIONS, NO_SWAP, differences, parameters, workloads

from algos import serving
from algos.serving import reference
from kvratio.problem.clock import Clock
from kvratio.problem.requests import Requests, Type

QUICK = settings(max_examples=settings().max_examples // 5)
POLICIES = sorted(reference.POLICIES)
QUEUES = ("wait", "nested_wait", "wait_capped")
BY_POLICY = pytest.mark.parametrize("policy", POLICIES)


@pytest.fixture(scope="module", params=["compiled", "slow"])
def engine(request):
    """Return a simulator: everything here holds for both."""
    return {"compiled": serving.simulate, "slow": reference.simulate}[request.param]


def drawn(data, policy, **kind):
    """Return a case, an eviction rule that the policy allows, and parameters."""
    case = data.draw(workloads(**kind))
    eviction = data.draw(st.sampled_from(EVICTIONS[:2] if policy in NO_SWAP else EVICTIONS))
    return case, eviction, data.draw(parameters(policy, case.requests))


def arrived_by(load, t):
    """Return how many have arrived by time t."""
    return int((load.arrival <= t).sum())


@BY_POLICY
@QUICK
@given(data=st.data())
def test_conservation(engine, policy, data):
    """1. Who has arrived waits, is resident, has completed or was refused; who completed ran all its passes."""
    case, eviction, params = drawn(data, policy)
    run = case.run(engine, policy, eviction, **params)
    load = case.requests
    for row in run.iterations:
        gone = int((run.completion <= row["start"]).sum()) + int((run.refused & (load.arrival <= row["start"])).sum())
        assert arrived_by(load, row["start"]) == row["waiting"] + row["resident"] + gone
    count = run.counters
    assert count["emitted_tokens"] == int((run.iterations["decodes"] * run.iterations["repeats"]).sum())
    if not run.cut:
        served = ~run.refused
        assert run.completed[served].all()
        assert count["emitted_tokens"] == int(load.output[served].sum()) + count["wasted_decode_tokens"]
        if run.eviction == "restart":
            read = int((run.iterations["prompt_tokens"] * run.iterations["repeats"]).sum())
            assert read == int(load.prompt[served].sum()) + count["wasted_prefill_tokens"]


@BY_POLICY
@QUICK
@given(data=st.data())
def test_memory(engine, policy, data):
    """2. The footprint never exceeds C, at the end of every stretch of alike iterations either."""
    case, eviction, params = drawn(data, policy)
    run = case.run(engine, policy, eviction, **params)
    log = run.iterations
    assert (log["footprint"] <= case.memory).all()
    if case.block == 1:
        assert (log["footprint"] + log["decodes"] * (log["repeats"] - 1) <= case.memory).all()
        assert (log["cached"] <= log["footprint"]).all()
    assert run.counters["peak_footprint"] <= case.memory
    assert (run.completed <= ~run.refused).all()


@BY_POLICY
@QUICK
@given(data=st.data())
def test_time(engine, policy, data):
    """3. Time is monotone, iterations and idle time add up to the clock, no iteration is empty."""
    case, eviction, params = drawn(data, policy)
    run = case.run(engine, policy, eviction, **params)
    log = run.iterations
    assert (log["stop"] > log["start"]).all()
    assert (log["start"][1:] >= log["stop"][:-1]).all()
    assert (log["decodes"] + log["prefills"] >= 1).all()
    assert run.counters["iterations"] == log["repeats"].sum()
    assert run.busy == pytest.approx((log["stop"] - log["start"]).sum())
    assert 0 <= run.busy <= run.end * (1 + 1e-12)
    done = run.completed
    order = [case.requests.arrival, run.admitted, run.prefill_done, run.first_token, run.completion]
    for earlier, later in pairwise(order):
        assert (earlier[done] <= later[done]).all()


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - set(QUEUES)))
@QUICK
@given(
    prompt=st.integers(1, 512),
    output=st.integers(1, 40),
    arrival=st.floats(0, 100),
    clock=st.sampled_from((Clock(0.0106, 4.01e-7, 6.4e-5), Clock(1.0, 0.1, 0.5), Clock(1.0, 0.0))),
)
def test_alone(engine, policy, prompt, output, arrival, clock):
    """4. One request alone takes (o+1) d0 + d1 A + d2 l seconds."""
    load = Requests([prompt], [output], [arrival])
    run = engine(load, policy, clock, prompt + output)
    work = (output + 1) * (prompt + output / 2)
    alone = (output + 1) * clock.d0 + clock.d1 * work + clock.d2 * prompt
    assert run.latency[0] == pytest.approx(alone, rel=1e-9)
    assert run.busy == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("policy", ["fcfs", "mc_sf", "orca", "sarathi", "vllm", "wait_capped"])
def test_stable(engine, policy):
    """5. At half the largest rate, tokens complete as they arrive, and Little's law holds to the last request."""
    rng = np.random.default_rng(5)
    n, rate, clock, memory = 300, 0.4, Clock(0.2, 0.002, 0.01), 80
    load = Requests([4] * n, rng.integers(2, 7, n), np.cumsum(rng.exponential(1, n)) / rate)
    params = {"cuts": [6], "caps": [14], "wait_gate": False} if policy == "wait_capped" else {}
    run = engine(load, policy, clock, memory, log=True, **params)
    assert run.completed.all()
    log = run.iterations
    inside = sum(float(row["waiting"] + row["resident"]) * float(row["stop"] - row["start"]) for row in log)
    for row in log:  # arrivals in the course of these iterations
        late = load.arrival[(load.arrival > row["start"]) & (load.arrival <= row["stop"])]
        inside += float((row["stop"] - late).sum())
    assert inside == pytest.approx(run.latency.sum(), rel=1e-9)
    early, late = load.arrival[60], load.arrival[239]
    window = (run.completion >= early) & (run.completion <= late)
    due = (load.arrival >= early) & (load.arrival <= late)
    assert load.output[window].sum() == pytest.approx(load.output[due].sum(), rel=0.05)


@QUICK
@given(
    rows=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=2),
    seed=st.integers(0, 999),
)
def test_wait_within_its_conditions(engine, rows, seed):
    """6. Under its conditions WAIT never evicts and peaks at M(n) at most, with one type at M(n) exactly."""
    clock = Clock(0.5, 0.01, 0.02)
    thresholds = [row[2] for row in rows]
    full = sum(n * (o + 1) * (p + o / 2) for p, o, n in rows)
    longest = clock.d0 + clock.d1 * full + clock.d2 * sum(n * p for p, _, n in rows)
    types = [Type(p, o, 0.9 * n / longest) for p, o, n in rows]
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(rows), 60)
    arrival = np.cumsum(rng.exponential(1 / sum(t.rate for t in types), 60))
    load = Requests([rows[k][0] for k in kind], [rows[k][1] for k in kind], arrival, kind=kind, types=types)
    run = engine(load, "wait", clock, int(full), thresholds=thresholds)
    assert run.counters["evictions"] == 0
    assert run.counters["peak_footprint"] <= full
    assert run.completed.all()
    if len(rows) == 1:
        assert run.counters["peak_footprint"] == full


@QUICK
@given(prompt=st.integers(1, 20), output=st.integers(1, 20))
def test_wait_with_threshold_one(engine, prompt, output):
    """6. Deterministic arrivals further apart than D: latency is o/r + D, exactly."""
    clock, gap, n = Clock(0.25, 0.0, 0.0), 0.5, 45
    load = Requests([prompt] * n, [output] * n, gap * np.arange(1, n + 1))
    run = engine(load, "wait", clock, 10_000, thresholds=[1])
    assert run.latency[: n - output].tolist() == [output * gap + 0.25] * (n - output)


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"wait"}))
@QUICK
@given(data=st.data())
def test_no_look_at_what_is_hidden(engine, policy, data):
    """7. Longer outputs of unfinished requests leave the past as it was."""
    case, eviction, params = drawn(data, policy, may_refuse=False)
    load = case.requests
    room = case.memory // case.block * case.block - load.prompt
    params.update({"max_tokens": int(room.max()) + 9} if "max_tokens" in params else {})
    if "cuts" in params:
        params["cuts"][-1] = max(int(room.max()), params["cuts"][-1])
    whole = case.run(engine, policy, eviction, **params)
    cut = data.draw(st.integers(1, 8)) / 8 * whole.end
    assume(cut > 0)
    past = case.run(engine, policy, eviction, cut=cut, **params)
    longer = np.where(past.completed | past.refused, load.output, room)
    other = replace(case, requests=replace(load, output=np.maximum(longer, load.output)))
    again = other.run(engine, policy, eviction, cut=cut, **params)
    assert differences(again, past) == []


@BY_POLICY
@QUICK
@given(data=st.data(), factor=st.sampled_from((0.25, 2.0, 8.0)))
def test_scaled(engine, policy, data, factor):
    """8. Scaling the clock and all arrivals scales every time and changes no decision."""
    case, eviction, params = drawn(data, policy)
    load = case.requests
    run = case.run(engine, policy, eviction, **params)
    slower = replace(case, requests=replace(load, arrival=load.arrival * factor), clock=case.clock.scaled(factor))
    other = slower.run(engine, policy, eviction, **params)
    for name in ("admitted", "prefill_done", "first_token", "completion", "max_gap", "end", "busy"):
        assert np.array_equal(getattr(run, name) * factor, getattr(other, name), equal_nan=True), name
    assert dict(run.counters) == dict(other.counters)
    assert run.evictions.tolist() == other.evictions.tolist()


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - set(NO_SWAP)))
@QUICK
@given(data=st.data())
def test_eviction_rules_agree_where_there_is_none(engine, policy, data):
    """9. Without evictions the three rules give identical runs; the same seed gives the same bytes."""
    case, _, params = drawn(data, policy, roomy=True)
    if policy in QUEUES:
        params["flush"] = True
    runs = [case.run(engine, policy, eviction, seed=7, **params) for eviction in EVICTIONS]
    assert runs[0].counters["evictions"] == 0
    assert differences(runs[0], runs[1]) == differences(runs[0], runs[2]) == []
    again = case.run(engine, policy, EVICTIONS[0], seed=7, **params)
    assert again.iterations.tobytes() == runs[0].iterations.tobytes()
    assert again.completion.tobytes() == runs[0].completion.tobytes()


@QUICK
@given(data=st.data(), n=st.integers(1, 3), output=st.integers(1, 5), flush=st.booleans())
def test_caps_of_whole_thresholds(engine, data, n, output, flush):
    """10. With one segment, a cap of n times the width is the threshold n, in all three waiting policies."""
    case = data.draw(workloads(largest=9, may_refuse=False))
    load = replace(case.requests, output=np.full(case.requests.n, output))
    case = replace(case, requests=load, memory=case.memory + output + case.block)
    single = Requests(load.prompt, load.output, load.arrival, types=[Type(1, output, 1.0)])
    case = replace(case, requests=single)
    wait = case.run(engine, "wait", "restart", thresholds=[n], flush=flush)
    nested = case.run(engine, "nested_wait", "restart", cuts=[output], thresholds=[n], flush=flush)
    capped = case.run(engine, "wait_capped", "restart", cuts=[output], caps=[n * (output + 1)], flush=flush)
    assert differences(wait, nested) == []
    assert differences(wait, capped) == []
