"""How many candidates a second the search screens; measured, never asserted."""

import time

import pytest

from kvratio.suite.search.conduct import conduct
from kvratio.suite.search.island import Island, Task, evolve
from kvratio.suite.search.space import Space
from kvratio.suite.search.target import Target

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("arrivals", [False, True], ids=["batch", "arrivals"])
@pytest.mark.parametrize("policy", ["fcfs", "mc_sf", "svf", "gsa", "svf_sps"])
def test_screening_on_one_core(benchmark, policy, arrivals):
    """Breeding, policy runs and bounds of 65,536 candidates of up to 8 requests, in one process, from a warm pool."""
    task = Task(Target(policy), Space(n=8, arrivals=arrivals), "flow" if arrivals else "completion")
    island = evolve(task, Island.empty(0, 8), 0, 16_384)
    benchmark.group = "search, one core"
    benchmark.extra_info.update(policy=policy, candidates=65_536)
    bred = benchmark.pedantic(lambda: evolve(task, island, 1, 65_536), rounds=3, iterations=1)
    assert bred.screened >= 65_536


@pytest.mark.parametrize("policy", ["fcfs", "mc_sf"])
def test_search_on_two_cores(benchmark, policy):
    """A whole search of 10^6 candidates in two processes that are already there; screened a second in the report."""
    task = Task(Target(policy), Space(n=8), "completion")
    conduct(task, None, 40_000, 2)
    benchmark.group = "search, two cores"

    def run():
        begun = time.monotonic()
        out = conduct(task, None, 10**6, 2)
        benchmark.extra_info.update(policy=policy, per_second=round(out.screened / (time.monotonic() - begun)))
        return out

    assert benchmark.pedantic(run, rounds=1, iterations=1).screened >= 10**6
