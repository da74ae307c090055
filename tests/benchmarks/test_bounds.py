"""How long proofs take and how fast intervals close; measured, never asserted. `make bench` writes the tables."""

import time
from itertools import pairwise

import numpy as np
import pytest

from kvratio import Instance, generate
from lowerbounds import bound

pytestmark = pytest.mark.benchmark

#: seconds that each method gets for one small instance
LIMIT = 20.0
SIZES = (8, 12, 16, 20)
#: a solver that proved nothing at one size is not asked at larger ones
METHODS = {"exact": {}, "highs": {"solver": "highs"}, "cbc": {"solver": "cbc"}}


def study(n, alpha, seed):
    """Instance of the small study: M ~ U{30..50}, s ~ U{1..5}, o ~ U{1..alpha M - s}."""
    rng = np.random.default_rng([n, round(100 * alpha), seed])
    M = int(rng.integers(30, 51))
    prompt = rng.integers(1, 6, n)
    return Instance(prompt, [int(rng.integers(1, max(2, int(alpha * M) - s + 1))) for s in prompt], M)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("alpha", [0.4, 1.0])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("method", METHODS)
def test_proof(benchmark, method, n, alpha, seed):
    """Time until the optimum is proved, for our search and for two solvers on the same instances."""
    inst = study(n, alpha, seed)
    benchmark.group = "proof"
    name = "exact" if method == "exact" else "milp"
    found = []

    def prove():
        found.append(bound(inst, name, time_limit=LIMIT, **METHODS[method]))

    benchmark.pedantic(prove, rounds=1, iterations=1)
    last = found[-1]
    assert last.lower <= last.upper
    benchmark.extra_info.update(
        method=method, n=n, alpha=alpha, seed=seed, proved=last.status == "optimal", gap=last.upper / last.lower - 1
    )


def conversations():
    """Batch of 10^4 requests with the lengths of a public chat trace, M = 131,072."""
    return generate("azure_conv_like", count=10**4, memory=131_072, seed=0, witness=False)


def arriving():
    """The same requests with Poisson arrivals at nine tenths of what the memory can serve."""
    inst = conversations()
    mean = float(inst.volume.sum()) / (0.9 * inst.memory * inst.n)
    gaps = np.random.default_rng(1).exponential(mean, inst.n)
    return inst.replace(arrival=np.floor(np.cumsum(gaps)).astype(np.int64))


@pytest.mark.parametrize("shape", ["batch", "arrivals"])
def test_gap(benchmark, shape):
    """The interval of a large instance against time."""
    inst = conversations() if shape == "batch" else arriving()
    bound(inst, "best", time_limit=1.0)
    benchmark.group = "gap"
    track = []

    def close():
        began = time.perf_counter()
        bound(
            inst,
            "best",
            "flow",
            time_limit=30.0,
            progress=lambda lower, upper: track.append((time.perf_counter() - began, lower, upper)),
        )

    benchmark.pedantic(close, rounds=1, iterations=1)
    known = [entry for entry in track if None not in entry]
    assert all(before[1] <= after[1] <= after[2] <= before[2] for before, after in pairwise(known))
    benchmark.extra_info.update(shape=shape, requests=inst.n, track=known)
