"""How fast the policies run; measured, never asserted. `make bench` turns the numbers into docs/performance.md."""

import numpy as np
import pytest

import algos
from kvratio import Instance, InstanceBatch, generate, schedule

pytestmark = pytest.mark.benchmark

#: policies of the speed table, in its order
POLICIES = ("fcfs", "vllm_fcfs", "gba", "gsa", "mc_sf", "svf", "svf_sps", "sjf", "alpha_protection", "orca")
SIZES = (10**3, 10**4, 10**5, 10**6)


def conversations(count):
    """Batch with the lengths of a public chat trace (Azure 2023, fitted to its published quantiles), M = 131,072."""
    return generate("azure_conv_like", count=count, memory=131_072, seed=0, witness=False)


def measure(benchmark, run, rounds=3):
    """Time a call after one call that is not timed (compilation, page faults); return what it returned."""
    return benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=1)


def finished(sch, inst):
    """Whether every request ended, none before it could."""
    return bool((sch.completion >= inst.arrival + inst.output).all())


@pytest.mark.parametrize("policy", POLICIES)
def test_million(benchmark, policy):
    """A batch of 10^6 requests on one core."""
    inst = conversations(10**6)
    benchmark.group = "million"
    benchmark.extra_info.update(policy=policy, requests=inst.n)
    assert finished(measure(benchmark, lambda: schedule(inst, policy)), inst)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("policy", ["fcfs", "svf", "gsa"])
def test_growth(benchmark, policy, size):
    """Time against the number of requests."""
    inst = conversations(size)
    benchmark.group = "growth"
    benchmark.extra_info.update(policy=policy, requests=size)
    assert finished(measure(benchmark, lambda: schedule(inst, policy)), inst)


@pytest.mark.parametrize("policy", ["fcfs", "svf", "gsa"])
def test_packed(benchmark, policy):
    """100,000 instances of 8 requests in one call."""
    rng = np.random.default_rng(0)
    count, n = 10**5, 8
    batch = InstanceBatch.from_arrays(
        rng.integers(1, 6, count * n), rng.integers(1, 25, count * n), rng.integers(30, 51, count), np.full(count, n)
    )
    benchmark.group = "packed"
    benchmark.extra_info.update(policy=policy, requests=count * n)
    done = measure(benchmark, lambda: algos.schedule_batch(batch, policy))
    assert (done.completion >= batch.output).all()


@pytest.mark.parametrize("policy", ["fcfs", "svf", "vllm_fcfs"])
def test_online(benchmark, policy):
    """10^5 requests that arrive over time at about nine tenths of what the memory can serve."""
    inst = conversations(10**5)
    rate = 0.9 * inst.memory * inst.n / float(inst.volume.sum())
    gaps = np.random.default_rng(1).exponential(1 / rate, inst.n)
    online = inst.replace(arrival=np.floor(np.cumsum(gaps)).astype(np.int64))
    benchmark.group = "online"
    benchmark.extra_info.update(policy=policy, requests=inst.n)
    assert finished(measure(benchmark, lambda: schedule(online, policy)), online)


def test_one_small_call(benchmark):
    """One call on eight requests, all of Python's overhead included."""
    inst = Instance([2] * 8, [5, 1, 3, 8, 2, 1, 4, 2], 14)
    benchmark.group = "small"
    benchmark.extra_info.update(policy="svf", requests=8)
    benchmark(lambda: schedule(inst, "svf"))
