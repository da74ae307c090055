"""How fast the congestion dynamics and the spectrum are; measured, never asserted."""

import numpy as np
import pytest

from stability.congestion import simulate, spectral_radius

pytestmark = pytest.mark.benchmark


def measure(benchmark, run, rounds=3):
    """Time a call after one call that is not timed (compilation, page faults)."""
    return benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=1)


@pytest.mark.parametrize("record", ["totals", "states"])
@pytest.mark.parametrize("decode", [(64,), (48, 64), (61, 64)])
def test_million_iterations(benchmark, record, decode):
    """10^6 iterations of 64 stages on one core; "states" runs again to write all 512 MB of them."""
    benchmark.group = "congestion"
    benchmark.extra_info.update(policy=f"{record} {decode}", requests=10**6)
    run = measure(benchmark, lambda: (found := simulate(64, decode, 100_000, 10**6, record=record), found.y.shape))
    assert run[1] == (10**6 + 1 if record == "states" else 1, 64)


@pytest.mark.parametrize("d", [100, 1000, 10_000])
def test_radius(benchmark, d):
    """Spectral radius of a mix of all lengths up to d, by winding."""
    decode = np.arange(1, d + 1)
    benchmark.group = "spectrum"
    benchmark.extra_info.update(policy="winding", requests=d)
    rho = measure(benchmark, lambda: spectral_radius(500, decode, method="winding"))
    assert 0 < rho < 1
