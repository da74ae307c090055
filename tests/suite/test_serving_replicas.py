"""Several workers behind a router, and users who wait for answers."""

import numpy as np
import pytest

from algos.serving import simulate
from instances.workloads import Workload, workload
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.requests import Requests
from kvratio.suite.serving.closed_loop import alone, serve_closed_loop
from kvratio.suite.serving.contender import contender
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import open_load
from kvratio.suite.serving.replicas import ROUTERS, serve_replicas
from kvratio.suite.serving.single import serve_once

TIMES = ("admitted", "prefill_done", "first_token", "completion", "max_gap")


@pytest.fixture(scope="module")
def drawn():
    """Return requests that keep two workers busy."""
    return workload("mix_512").draw(240, 0, 35.0)


@pytest.mark.parametrize("policy", ["vllm", "sarathi", "wait", "nested_wait"])
@pytest.mark.parametrize("router", ROUTERS)
def test_one_replica_is_one_worker(policy, router):
    """With a single worker every router gives the plain run, bit for bit."""
    drawn = workload("mix_512").draw(150, 0, 15.0)
    hardware = Hardware.preset(memory=60_000)
    several = serve_replicas(drawn, policy, hardware, 1, router).together
    plain = simulate(drawn, policy, hardware.clock, hardware.memory)
    for name in TIMES:
        np.testing.assert_array_equal(getattr(several, name), getattr(plain, name))
    assert (several.end, several.busy, several.token_seconds) == (plain.end, plain.busy, plain.token_seconds)
    assert dict(several.counters) == dict(plain.counters)


@pytest.mark.parametrize("router", ROUTERS)
def test_every_request_is_served_once(drawn, router):
    """Workers share the requests out; nobody is lost, and the parts are what the whole says."""
    found = serve_replicas(drawn, "vllm", Hardware.preset(), 3, router, seed=4)
    assert sum(run.requests.n for run in found.runs) == drawn.n
    assert found.together.completed.all()
    for k, run in enumerate(found.runs):
        mine = np.flatnonzero(found.assigned == k)
        np.testing.assert_array_equal(found.together.completion[mine], run.completion)
        np.testing.assert_array_equal(run.requests.arrival, drawn.arrival[mine])
    assert found.together.counters["iterations"] == sum(run.counters["iterations"] for run in found.runs)
    assert 0 < found.measure().busy_fraction <= 1


def test_round_robin_is_what_each_worker_does_alone(drawn):
    """Worker k serves requests k, k+R, k+2R, ... and knows of no others."""
    found = serve_replicas(drawn, "sarathi", Hardware.preset(), 2, "round_robin")
    odd = np.arange(1, drawn.n, 2)
    mine = Requests(drawn.prompt[odd], drawn.output[odd], drawn.arrival[odd])
    plain = simulate(mine, "sarathi", "a100-llama2-7b-roofline", 137_000)
    np.testing.assert_array_equal(found.runs[1].completion, plain.completion)


def test_wait_is_told_the_rates_of_one_worker(drawn):
    """Thresholds are those of half the rate, under every router."""
    half = simulate(drawn, "wait", "a100-llama2-7b", 137_000, thresholds=(1, 1))
    assert half.params["thresholds"] == (1, 1)
    thresholds = {
        router: [run.params["thresholds"] for run in serve_replicas(drawn, "wait", router=router).runs]
        for router in ROUTERS
    }
    assert len({tuple(each) for each in thresholds.values()}) == 1


def test_least_memory_sends_to_the_emptier_worker():
    """Ties go to the first; waiting prompts count as well as held tokens."""
    requests = Requests([10, 4, 3, 9, 1], [5, 5, 5, 5, 5], [0.0, 0.0, 0.0, 0.0, 0.0])
    found = serve_replicas(requests, "fcfs", Hardware(Clock(1.0, 0.0), 100), 2, "least_memory")
    # 10 | 0, 10 | 4, 10 | 7, 10 | 16, 11 | 16
    assert found.assigned.tolist() == [0, 1, 1, 1, 0]


def test_least_memory_sees_completions():
    """A worker that has emptied meanwhile gets the next request."""
    requests = Requests([10, 4, 4], [1, 50, 1], [0.0, 0.0, 5.0])
    found = serve_replicas(requests, "fcfs", Hardware(Clock(1.0, 0.0), 100), 2, "least_memory")
    assert found.assigned.tolist() == [0, 1, 0]


def test_bad_replicas_are_one_line(drawn):
    """Routers and numbers of workers are checked."""
    with pytest.raises(UnknownName, match="round_robin"):
        serve_replicas(drawn, "vllm", router="rr")
    with pytest.raises(BadParameter, match="replicas is 0"):
        serve_replicas(drawn, "vllm", replicas=0)


# -- closed loops -------------------------------------------------------------------------------------------------
UNITS = Workload([(20, 6, 1.0)])
SLOW = Hardware(Clock(0.1, 0.001, 0.002), 500)


def test_a_lone_user_gets_the_latency_of_a_lone_request():
    """With one user who never thinks requests follow each other without a gap."""
    found = serve_closed_loop(UNITS, "vllm", SLOW, users=1, think=0.0, n=8)
    lone = alone(open_load(UNITS), SLOW)
    assert lone == pytest.approx(7 * 0.1 + 0.001 * 7 * 23 + 0.002 * 20)
    np.testing.assert_allclose(found.run.latency, lone)
    np.testing.assert_allclose(found.run.requests.arrival, lone * np.arange(8), atol=1e-12)
    assert not found.stalled


def test_no_more_requests_than_users_are_under_way():
    """A user asks again only after the answer, and never before having thought."""
    found = serve_closed_loop(UNITS, "sarathi", SLOW, users=5, think=0.4, n=60, seed=3)
    run = found.run
    assert run.completed.all()
    for who in range(5):
        mine = np.flatnonzero(found.user == who)
        assert (run.requests.arrival[mine][1:] > run.completion[mine][:-1]).all()
    assert len(set(found.user.tolist())) == 5
    assert found.cycle_rate > 0


def test_a_longer_think_time_only_lowers_the_load():
    """The same lengths and the same thinking, drawn out: fewer requests a second, shorter waits."""
    busy = serve_closed_loop(UNITS, "vllm", SLOW, users=12, think=0.5, n=120)
    calm = serve_closed_loop(UNITS, "vllm", SLOW, users=12, think=8.0, n=120)
    assert calm.cycle_rate < busy.cycle_rate
    assert calm.run.latency.mean() < busy.run.latency.mean()


def test_wait_stalls_when_all_users_wait():
    """WAIT moves only when requests come, so a few users stop it; the run says so and ends."""
    found = serve_closed_loop(UNITS, "wait", SLOW, users=2, think=0.1, n=50)
    assert found.stalled
    assert found.run.requests.n < 50
    assert found.run.completed.all()


@pytest.mark.parametrize("options", [{"users": 0}, {"think": -1.0}, {"n": 0}])
def test_bad_closed_loops_are_one_line(options):
    """What is wrong is named."""
    with pytest.raises(BadParameter, match=next(iter(options))):
        serve_closed_loop(UNITS, "vllm", SLOW, **options)


@pytest.mark.parametrize("router", ROUTERS)
def test_every_replica_keeps_its_logs(drawn, router, tmp_path):
    """Iterations and gaps of every worker are those of its run; the folders bear the workers' numbers."""
    found = serve_replicas(drawn, "sarathi", Hardware.preset(), 3, router, log=True)
    for run in found.runs:
        log = run.iteration_log()
        assert (log["repeats"].sum(), log["stop"].max()) == (run.counters["iterations"], pytest.approx(run.end))
        assert len(run.token_gaps()) == (run.requests.output - 1).sum()
    every = np.concatenate([run.token_gaps() for run in found.runs])
    np.testing.assert_array_equal(np.sort(found.together.token_gaps()), np.sort(every))
    assert found.together.counters["largest_cached"] == max(run.counters["largest_cached"] for run in found.runs)
    served = serve_once(
        open_load("p512d20"), contender("vllm"), Hardware.preset(), rate=5.0, n=40, replicas=3, router=router, log=True
    )
    served.save_logs(tmp_path, "csv")
    assert {f"replica{k}" for k in served.workers} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / f"replica{served.workers[-1]}" / "iterations.csv").stat().st_size > 0
