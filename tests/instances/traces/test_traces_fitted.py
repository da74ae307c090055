"""Fitted generators: published quantiles, means, correlation and arrivals; same seed, same bytes."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from instances.traces import FITTED
from instances.traces.fitted import _AT, _PROBABILITY, quantile
from kvratio.problem.errors import BadInstance, BadParameter

LARGE = 300_000


@pytest.mark.parametrize("family", FITTED)
def test_quantiles_and_means_are_the_published_ones(family):
    """In 200,000 draws every published quantile lies where it should, and means are within 12 %."""
    inst, facts = FITTED[family].function(200_000, LARGE), FITTED[family].published
    for values, quantiles, mean in (
        (inst.prompt, facts.prompt, facts.prompt_mean),
        (inst.output, facts.output, facts.output_mean),
    ):
        assert values.min() >= quantiles[0]
        assert values.max() <= quantiles[-1]
        for p, q in zip(_PROBABILITY, quantiles, strict=True):
            assert (values <= q).mean() >= p - 0.005
            assert (values < q).mean() <= p + 0.005
        assert abs(values.mean() / mean - 1) < 0.12


@pytest.mark.parametrize("family", FITTED)
def test_rank_correlation_is_the_published_one(family):
    """Spearman's rho of prompt and output is the published one within 0.02."""
    inst, facts = FITTED[family].function(100_000, LARGE), FITTED[family].published
    assert abs(spearmanr(inst.prompt, inst.output).statistic - facts.spearman) < 0.02


@pytest.mark.parametrize("family", FITTED)
def test_arrivals_have_rate_and_burstiness(family):
    """With a rate, gaps have mean 1 / rate and the published coefficient of variation; the first arrival is at 0."""
    inst, facts = FITTED[family].function(200_000, LARGE, rate=5.0, seed=3), FITTED[family].published
    gaps = np.diff(inst.arrival_seconds)
    assert inst.arrival[0] == 0
    assert (np.diff(inst.arrival) >= 0).all()
    assert abs(gaps.mean() * 5 - 1) < 0.02 * facts.cv + 0.01
    assert abs(gaps.std() / gaps.mean() / facts.cv - 1) < 0.06


def test_batch_by_default_and_rate_leaves_lengths_alone():
    """Without a rate all arrive at 0; with one, prompts and outputs are the same requests."""
    function = FITTED["azure_conv_like"].function
    batch, online = function(500, 131_072, seed=4), function(500, 131_072, rate=6, seed=4)
    assert batch.is_batch
    assert batch.arrival_seconds is None
    assert not online.is_batch
    assert np.array_equal(batch.prompt, online.prompt)
    assert np.array_equal(batch.output, online.output)


def test_rounds_follow_seconds():
    """Arrival rounds are the floor of seconds over round_seconds."""
    inst = FITTED["arena_like"].function(2000, 131_072, rate=2.5, round_seconds=0.5)
    assert np.array_equal(inst.arrival, np.floor(inst.arrival_seconds / 0.5).astype(int))


@pytest.mark.parametrize("family", FITTED)
def test_seeds(family):
    """The same seed gives the same key, another seed or family another."""
    function = FITTED[family].function
    assert function(50, LARGE, 3.0, 7).key == function(50, LARGE, 3.0, 7).key
    assert function(50, LARGE, 3.0, 7).key != function(50, LARGE, 3.0, 8).key


def test_requests_larger_than_memory_are_cut_and_counted():
    """A small budget cuts long requests as a context limit would, and info counts them."""
    inst = FITTED["mooncake_like"].function(1000, 5000)
    assert inst.peak.max() == 5000
    whole = FITTED["mooncake_like"].function(1000, LARGE)
    assert inst.info["clipped"] == (whole.peak > 5000).sum() > 0
    assert whole.info["clipped"] == 0


def test_default_memory_holds_every_request():
    """With its default memory no family ever cuts a request."""
    for fitted in FITTED.values():
        memory = next(parameter.default for parameter in fitted.parameters if parameter.name == "memory")
        assert fitted.published.prompt[-1] + fitted.published.output[-1] <= memory


def test_records_are_complete():
    """Each record has its id, title, source, about, and the parameters of its function in order."""
    assert list(FITTED) == [
        "azure_conv_like",
        "azure_code_like",
        "mooncake_like",
        "arena_like",
        "arxiv_like",
        "reasoning_like",
    ]
    for key, fitted in FITTED.items():
        assert key == fitted.id == fitted.function.__name__
        assert fitted.title
        assert fitted.source
        assert fitted.about
        assert [parameter.name for parameter in fitted.parameters] == ["count", "memory", "rate", "round_seconds"]


def test_quantile_function_meets_the_knots():
    """At each published probability the inverse distribution function gives the published value."""
    for fitted in FITTED.values():
        for quantiles in (fitted.published.prompt, fitted.published.output):
            assert len(quantiles) == len(_AT)
            assert np.array_equal(quantile(_PROBABILITY, quantiles), quantiles)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"count": 0}, "count is 0"),
        ({"count": 2.5}, "count is 2.5"),
        ({"rate": 0}, "rate is 0"),
        ({"rate": float("inf")}, "rate is inf"),
        ({"rate": 1e-12}, "beyond int64"),
        ({"seed": -1}, "seed is -1"),
        ({"memory": 1}, "at least 2"),
        ({"round_seconds": -1}, "round_seconds is -1"),
    ],
)
def test_bad_parameters(options, text):
    """A parameter without meaning is refused by name and value."""
    with pytest.raises(BadParameter) as fault:
        FITTED["azure_conv_like"].function(**options)
    assert text in str(fault.value)


def test_bad_memory_is_the_instances_own_error():
    """Memory 0 is refused as everywhere else."""
    with pytest.raises(BadInstance, match="memory is 0"):
        FITTED["azure_conv_like"].function(memory=0)
