"""Real traces, one class per request; run where KVRATIO_TRACES names the folder."""

import os
from pathlib import Path

import numpy as np
import pytest

from kvratio import load_trace
from stability.congestion import equilibrium_rate, simulate, spectral_radius, unstable_modes

pytestmark = pytest.mark.skipif("KVRATIO_TRACES" not in os.environ, reason="KVRATIO_TRACES does not name a folder")

TABLE = [
    ("azure_2023_conv", 0, 0.997315, 0, 1.0),
    ("azure_2023_conv", 393, 1.000165, 2, 0.977),
    ("azure_2023_code", 0, 0.996339, 0, None),
    ("vtc_arena", 0, 0.999792, 0, 1.0),
    ("vtc_arena", 457, 1.002127, 442, 0.766),
    ("mooncake_synthetic", 0, 0.992584, 0, None),
]


def lengths(name, above):
    """Return prompts and outputs of the requests with outputs above a length."""
    inst = load_trace(Path(os.environ["KVRATIO_TRACES"]) / f"{name}.csv.gz", memory=10**6)
    mine = inst.output > above
    return np.asarray(inst.prompt)[mine], np.asarray(inst.output)[mine]


@pytest.mark.parametrize(("name", "above", "rho", "modes", "_"), TABLE)
def test_radius_of_traces(name, above, rho, modes, _):
    """Radius and unstable modes of each mix."""
    prompt, output = lengths(name, above)
    assert spectral_radius(prompt, output) == pytest.approx(rho, abs=6e-7)
    assert unstable_modes(prompt, output) == modes


@pytest.mark.slow
@pytest.mark.parametrize(("name", "above", "_", "__", "rate"), [row for row in TABLE if row[4]])
def test_long_run_of_traces(name, above, _, __, rate):
    """Long-run throughput over x*, 300,000 iterations from empty; chaotic mixes to .005."""
    prompt, output = lengths(name, above)
    run = simulate(prompt, output, 131_000, 300_000, record="totals")
    assert run.throughput(150_001) / equilibrium_rate(prompt, output, 131_000) == pytest.approx(rate, abs=0.005)


def test_rows_of_the_long_arena():
    """Outputs above 457: 375 rows."""
    assert len(lengths("vtc_arena", 457)[0]) == 375
