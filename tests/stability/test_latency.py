"""Latency formulas against the published example, the Lindley recursion and a sum of gamma probabilities."""

import numpy as np
import pytest
from scipy.special import gammainc

from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream
from stability.latency import latency_guide, latency_nested, latency_wait, mean_wait
from stability.thresholds import wait_batch

THEORY = Clock.preset("a100-llama2-7b-theory")


def test_published_example():
    """Prompt 59, output 147, rate 20, n = 1: busy 36.9 % of the time, latency 7.37 s."""
    assert 20 * wait_batch([(59, 147, 20)], [1], THEORY)[1] == pytest.approx(0.369, abs=5e-4)
    assert latency_wait([(59, 147, 20)], 1, THEORY) == pytest.approx(7.37, abs=0.005)


@pytest.mark.parametrize("u", [0.1, 0.5, 0.9, 0.99])
def test_closed_form_for_one(u):
    """With n = 1, W = u D / (2 (1 - u))."""
    assert mean_wait(1, 4.0, u / 4) == pytest.approx(u * u / 4 / (2 * (1 - u)))


@pytest.mark.parametrize(("n", "u"), [(2, 0.3), (2, 0.9), (5, 0.95), (17, 0.8), (40, 0.97)])
def test_spitzer(n, u):
    """The roots give the same mean as Spitzer's identity, sum over i of E[(i D - time of i n arrivals)+] / i."""
    rate, i = 3.0, np.arange(1, 40_000)
    seconds = u * n / rate
    terms = seconds * gammainc(i * n, i * u * n) - n / rate * gammainc(i * n + 1, i * u * n)
    assert mean_wait(n, rate, seconds) == pytest.approx(terms.sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "u"), [(1, 0.7), (3, 0.8), (8, 0.9)])
def test_lindley(n, u):
    """A simulated Lindley recursion of 200,000 batches agrees within 3 %."""
    gaps = stream("test lindley", n).standard_gamma(n, 200_000) / 2.0
    seconds = u * n / 2.0
    steps = np.cumsum(seconds - gaps)
    waits = steps - np.minimum(0, np.minimum.accumulate(steps))
    assert waits.mean() == pytest.approx(mean_wait(n, 2.0, seconds), rel=0.03)


def test_guides():
    """(o+1) n/r per type; nested: passes in each segment at that segment's pace."""
    assert latency_guide([(10, 9, 2.0), (10, 19, 4.0)], [1, 2]).tolist() == [5.0, 10.0]
    guide = latency_nested([(10, 10, 3.0), (10, 20, 1.0)], [4, 2])
    assert guide.tolist() == [11 * 4 / 4, 11 * 4 / 4 + 10 * 2 / 1]
    one = [(10, 9, 2.0)]
    assert latency_nested(one, [3]).tolist() == latency_guide(one, [3]).tolist()


def test_refusals():
    """Overload and several types are refused in one line."""
    with pytest.raises(BadParameter, match="not below n = 1"):
        latency_wait([(512, 20, 30.0)], 1, Clock.preset("a100-llama2-7b"))
    with pytest.raises(BadParameter, match="2 types"):
        latency_wait([(10, 9, 2.0), (10, 19, 4.0)], 1, THEORY)
    with pytest.raises(BadParameter, match="2 thresholds for 1 segments"):
        latency_nested([(10, 9, 2.0)], [1, 2])
