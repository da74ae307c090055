"""Where a capacity question gets its lengths and its memory: named distributions, quantiles, GPU bytes."""

import numpy as np
import pytest

from kvratio.problem.errors import KvratioError
from stability.capacity import distribution, kv_memory
from stability.capacity.distributions import from_quantiles
from stability.capacity.gpu_memory import bytes_of


def mean(text):
    """Return the mean of a distribution."""
    return distribution(text).mean(lambda values: values)


def test_named_distributions():
    """Means and ends of each form; a number stands for itself."""
    assert mean("uniform:10:1600") == 805
    assert mean("fixed:805") == mean("805") == mean(805) == 805
    assert mean("geometric:200:20000") == pytest.approx(200, rel=1e-6)
    assert mean("geometric:200:300") < 200
    assert distribution("geometric:1:5").values.tolist() == [1.0]
    wide = distribution("lognormal:300:0.9:1000000")
    assert wide.mean(lambda v: v) == pytest.approx(300 * np.exp(0.405) + 0.5, rel=1e-3)
    assert distribution("lognormal:300:0.9:500").values.max() == 500


def test_quantiles_are_straight_lines():
    """Halves of a uniform law put together are the uniform law; equal quantiles are an atom."""
    whole, halves = distribution("quantiles:0=0,1=100"), distribution("quantiles:0=0,0.5=50,1=100")
    assert halves.weight.sum() == pytest.approx(1)
    assert np.allclose(whole.weight, halves.weight)
    atom = from_quantiles([(0, 7), (0.25, 7), (1, 9)])
    assert atom.values.tolist() == [7, 8, 9]
    assert atom.weight.tolist() == pytest.approx([0.25 + 0.75 / 4, 0.75 / 2, 0.75 / 4])


@pytest.mark.parametrize(
    "text",
    [
        "gamma:3:4",
        "uniform:10",
        "uniform:20:10",
        "uniform:a:b",
        "uniform:1.5:3",
        "geometric:0.5:9",
        "lognormal:0:1:9",
        "lognormal:1e9:0.1:9",
        "quantiles:0=1,0.5=3",
        "quantiles:0=5,1=3",
        "quantiles:0,1",
        "fixed:-3",
        "nan",
        "uniform:0:1e12",
    ],
)
def test_bad_distributions_are_one_line(text):
    """What cannot be read is refused with the text itself."""
    with pytest.raises(KvratioError) as told:
        distribution(text)
    assert "\n" not in str(told.value)


def test_draws_follow_the_weights():
    """Draws have the frequencies of the law."""
    drawn = distribution("quantiles:0=7,0.25=7,1=9").draw(40_000, np.random.default_rng(1))
    assert [(drawn == k).mean() for k in (7, 8, 9)] == pytest.approx([0.4375, 0.375, 0.1875], abs=0.01)


def test_memory_of_a_gpu():
    """80 GB with an 8B model: 131072 bytes a token beside 16.06 GB of weights; the last line is the sum."""
    found = kv_memory("80GB", "llama-3-8b")
    assert found.bytes_per_token == 2 * 32 * 8 * 128 * 2 == 131_072
    assert found.tokens == int((72e9 - 16.06e9) / 131_072)
    assert found.lines[-1].endswith(f"{found.tokens} tokens")
    half = kv_memory("80GB", "llama-3-8b", kv_dtype="fp8")
    assert half.tokens == pytest.approx(2 * found.tokens, abs=1)
    pair = kv_memory("80GB", "llama-3-8b", tensor_parallel=2)
    assert pair.tokens == int((72e9 - 8.03e9) / 65_536)
    assert kv_memory("80GB", "32:8:128:8.03e9").tokens == found.tokens
    # More GPUs than heads: each still holds one head.
    assert kv_memory("80GB", "llama-3-8b", tensor_parallel=16).bytes_per_token == 2 * 32 * 128 * 2
    assert bytes_of("40GiB") == 40 * 2**30


@pytest.mark.parametrize(
    ("gpu", "model", "options"),
    [
        ("80", "gpt", {}),
        ("10GB", "llama-3-8b", {}),
        ("80XB", "llama-3-8b", {}),
        ("-80GB", "llama-3-8b", {}),
        ("80GB", "1:2:3", {}),
        ("80GB", "1:2:x:4", {}),
        ("80GB", "0:2:3:4", {}),
        ("80GB", "llama-3-8b", {"dtype": "fp7"}),
        ("80GB", "llama-3-8b", {"share": 1.2}),
        ("80GB", "llama-3-8b", {"tensor_parallel": 0}),
        ("80GB", "llama-3-8b", {"activations": "much"}),
    ],
)
def test_bad_memory_is_one_line(gpu, model, options):
    """What gives no tokens is refused."""
    with pytest.raises(KvratioError) as told:
        kv_memory(gpu, model, **options)
    assert "\n" not in str(told.value)
