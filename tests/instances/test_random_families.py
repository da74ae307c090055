"""Random families: the seeding rule, the order of draws, the ranges, determinism."""

from zlib import crc32

import numpy as np
import pytest

from instances import generate
from instances.drawing import OUTPUT_LAW, clipped_lognormal, clipped_lognormal_chances
from kvratio.problem.errors import BadParameter

SEEDS = range(12)


def rng_of(family, seed):
    """Return the generator of the seeding rule."""
    return np.random.default_rng(np.random.SeedSequence([seed, crc32(family.encode())]))


@pytest.mark.parametrize("seed", SEEDS)
def test_jaillet_batch_follows_the_seeding_rule(seed):
    """Scalars M, n, then prompts, then outputs, from the generator of (seed, crc32 of the id)."""
    rng = rng_of("jaillet_batch", seed)
    memory, n = rng.integers(30, 51), rng.integers(40, 61)
    prompt = rng.integers(1, 6, n)
    output = rng.integers(1, memory - prompt + 1)
    inst = generate("jaillet_batch", seed=seed)
    assert (inst.memory, inst.n, inst.is_batch) == (memory, n, True)
    assert np.array_equal(inst.prompt, prompt)
    assert np.array_equal(inst.output, output)


@pytest.mark.parametrize("seed", SEEDS)
def test_jaillet_online_follows_the_seeding_rule(seed):
    """Scalars M, T, rate and the arrival counts, which fix n, then prompts, then outputs."""
    rng = rng_of("jaillet_online", seed)
    memory, horizon, rate = rng.integers(30, 51), rng.integers(40, 61), rng.uniform(0.5, 1.5)
    counts = rng.poisson(rate, horizon)
    prompt = rng.integers(1, 6, counts.sum())
    output = rng.integers(1, memory - prompt + 1)
    inst = generate("jaillet_online", seed=seed)
    assert (inst.memory, inst.n) == (memory, counts.sum())
    assert np.array_equal(np.bincount(inst.arrival, minlength=horizon + 1)[1:], counts)
    assert np.array_equal(inst.prompt, prompt)
    assert np.array_equal(inst.output, output)
    assert (inst.info["horizon"], inst.info["rate"]) == (horizon, rate)


@pytest.mark.parametrize("seed", SEEDS)
def test_lognormal_follows_the_seeding_rule(seed):
    """With memory to spare: prompts, outputs, then gaps of the Poisson process, each as a whole array."""
    rng = rng_of("lognormal", seed)
    prompt = np.clip(np.floor(rng.lognormal(4.5, 1.0, 50)), 1, 1000)
    output = np.clip(np.floor(rng.lognormal(5.0, 0.8, 50)), 1, 1000)
    arrival = np.floor(np.cumsum(rng.exponential(1 / 0.25, 50)))
    inst = generate("lognormal", count=50, memory=2000, rate=0.25, seed=seed)
    for drawn, stored in ((prompt, inst.prompt), (output, inst.output), (arrival, inst.arrival)):
        assert np.array_equal(drawn, stored)
    assert inst.info["redrawn"] == 0
    assert generate("lognormal", count=50, memory=2000, seed=seed).is_batch


def test_the_other_random_families_follow_the_seeding_rule():
    """Outputs of two_point, geometric and powers_of_two, prompts then outputs of uniform."""
    two = generate("two_point", count=40, memory=100, prompt=3, short=2, long=90, share=0.3, seed=5)
    assert np.array_equal(two.output, np.where(rng_of("two_point", 5).random(40) < 0.3, 90, 2))
    geometric = generate("geometric", count=40, memory=10**4, prompt=3, mu=0.1, seed=5)
    assert np.array_equal(geometric.output, rng_of("geometric", 5).geometric(0.1, 40))
    powers = generate("powers_of_two", count=40, memory=2000, prompt=3, scales=7, seed=5)
    drawn = np.clip(np.floor(rng_of("powers_of_two", 5).lognormal(5.0, 0.8, 40)), 1, 1000)
    assert np.array_equal(powers.output, np.minimum(2 ** np.ceil(np.log2(drawn)), 128))
    rng = rng_of("uniform", 5)
    prompt, output = rng.integers(0, 10, 40), rng.integers(2, 6, 40)
    uniform = generate("uniform", count=40, memory=99, prompt=(0, 9), output=(2, 5), seed=5)
    assert np.array_equal(uniform.prompt, prompt)
    assert np.array_equal(uniform.output, output)


def test_ranges_are_inclusive():
    """Both ends of every published range are drawn."""
    batches = [generate("jaillet_batch", seed=seed, witness=False) for seed in range(300)]
    assert {inst.memory for inst in batches} == set(range(30, 51))
    assert {inst.n for inst in batches} == set(range(40, 61))
    assert {s for inst in batches for s in inst.prompt.tolist()} == {1, 2, 3, 4, 5}
    assert max(inst.alpha for inst in batches) == 1
    horizons = {generate("jaillet_online", seed=seed, witness=False).info["horizon"] for seed in range(300)}
    assert horizons == set(range(40, 61))
    times = {int(generate("randomised_start", memory=6, seed=seed).arrival[1]) for seed in range(100)}
    assert times == set(range(7))


def test_what_does_not_fit_is_drawn_again_and_counted():
    """Small memory truncates the laws; the number of rejected draws is reported."""
    tight = generate("lognormal", count=300, memory=300, seed=1)
    assert (tight.peak <= 300).all()
    assert tight.info["redrawn"] > 0
    geometric = generate("geometric", count=300, memory=20, prompt=5, mu=0.05, seed=1)
    assert geometric.output.max() <= 15
    assert geometric.info["redrawn"] > 0


def test_chances_of_the_lognormal_law_are_those_of_its_draws():
    """The probabilities behind the refusal sum to one and agree with frequencies."""
    chances = clipped_lognormal_chances(OUTPUT_LAW)
    assert chances.sum() == pytest.approx(1)
    drawn = clipped_lognormal(np.random.default_rng(0), OUTPUT_LAW, 100_000)
    frequency = np.bincount(drawn, minlength=1001)[1:] / len(drawn)
    assert np.abs(np.cumsum(frequency) - np.cumsum(chances)).max() < 0.01


@pytest.mark.parametrize(
    ("family", "parameters", "word"),
    [
        ("lognormal", {"count": 5, "memory": 20}, "fits with probability"),
        ("geometric", {"count": 5, "memory": 20, "prompt": 20, "mu": 0.5}, "fits with probability"),
        ("geometric", {"count": 5, "memory": 20, "prompt": 2, "mu": 0}, "mu is 0"),
        (
            "uniform",
            {"count": 5, "memory": 20, "prompt": (0, 11), "output": (1, 10)},
            "11 \\+ output 10 = 21 > memory 20",
        ),
        ("uniform", {"count": 5, "memory": 20, "prompt": (4, 3), "output": (1, 10)}, "must not exceed"),
        ("uniform", {"count": 5, "memory": 20, "prompt": 4, "output": (1, 10)}, "give two integers"),
        ("uniform", {"count": 5, "memory": 20, "prompt": (0, 3), "output": (0, 10)}, "output is 0"),
        ("two_point", {"count": 5, "memory": 20, "prompt": 4, "short": 1, "long": 17, "share": 0.0}, "> memory 20"),
        ("two_point", {"count": 5, "memory": 20, "prompt": 4, "short": 1, "long": 9, "share": 1.5}, "share is 1.5"),
        ("powers_of_two", {"count": 5, "memory": 1000, "prompt": 4, "scales": 10}, "> memory 1000"),
        ("powers_of_two", {"count": 5, "memory": 1000, "scales": 3}, "count, memory and prompt, or base"),
        ("powers_of_two", {"count": 5, "memory": 1000, "prompt": 1, "scales": 3, "mu": 1}, "no parameter 'mu'"),
        ("lognormal", {"count": 5, "memory": 2000, "rate": 0}, "rate is 0"),
        ("lognormal", {"count": 5, "memory": 2000, "rate": 1e-300}, "take it larger"),
        ("lognormal", {"count": 2.5, "memory": 2000}, "count is 2.5"),
        ("azure_conv_like", {"count": 0}, "count is 0"),
    ],
)
def test_parameters_without_meaning_are_refused(family, parameters, word):
    """A range, probability or memory that makes no instance is one clear line, whatever the seed."""
    with pytest.raises(BadParameter, match=word) as caught:
        generate(family, **parameters)
    assert "\n" not in str(caught.value)
