"""Generators fitted to published quantiles of real traces, so that realistic workloads need no download.

Shipped are facts about the traces (quantiles, one rank correlation, rate and burstiness), never rows of them.

Lengths: each marginal is drawn by its inverse distribution function, interpolated in the logarithm between the
published quantiles and rounded up, so that every published quantile is met; means come out within about 10 % of the
published ones. Prompt and output are joined by a Gaussian copula with correlation 2 sin(pi rho / 6), the value at which
its rank correlation is the published Spearman rho (Kruskal, "Ordinal measures of association", J. Am. Stat. Assoc. 53,
1958). Structure finer than one rank correlation is not reproduced.

Arrivals: independent gaps of the published coefficient of variation c. Where c is near 1 they are gamma (c = 1:
Poisson). Where c > 2 they are a mixture of two exponentials with balanced means, a crude on/off stream: the length of
the pauses is of the right order, but successive gaps are independent and the rate does not drift over the day.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from zlib import crc32

import numpy as np
import numpy.typing as npt

from instances.card import Parameter
from instances.traces.rounds import round_length, rounds_of
from instances.traces.rules import clip
from kvratio.problem.errors import BadParameter
from kvratio.problem.fields import as_memory
from kvratio.problem.instance import Instance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: probabilities at which quantiles are published, as they stand in the column names
_AT = ("0", "1", "5", "10", "25", "50", "75", "90", "95", "99", "99.9", "100")
_PROBABILITY = np.array([float(at) for at in _AT]) / 100
#: above this coefficient of variation, gaps are on/off rather than gamma
_BURSTY = 2.0
_MOST = 10**9  # requests; a count beyond it is a slip of the keyboard


@dataclass(frozen=True)
class Marginals:
    """Published facts about one trace.

    Attributes
    ----------
    trace : str
        Its name in the published summary.
    rate : float or None
        Requests/s; None for lengths without arrivals.
    cv : float
        Standard deviation over mean of the gaps; 1 where there are no arrivals.
    spearman : float
        Rank correlation of prompt and output.
    prompt_mean, output_mean : float
        Tokens.
    prompt, output : float64[12]
        Quantiles at 0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9 and 100 %.
    """

    trace: str
    rate: float | None
    cv: float
    spearman: float
    prompt_mean: float
    output_mean: float
    prompt: FloatArray
    output: FloatArray


@cache
def published(family: str) -> Marginals:
    """Return the facts that a fitted family is built on."""
    with files("instances.traces").joinpath("quantiles.csv").open(encoding="utf-8") as text:
        row = next(row for row in csv.DictReader(text) if row["family"] == family)
    quantiles = {kind: np.array([float(row[f"{kind}_p{at}"]) for at in _AT]) for kind in ("prompt", "output")}
    return Marginals(
        row["trace"],
        float(row["rate_per_s"]) if row["rate_per_s"] else None,
        float(row["iat_cv"]) if row["iat_cv"] else 1.0,
        float(row["spearman_prompt_output"]),
        float(row["prompt_mean"]),
        float(row["output_mean"]),
        quantiles["prompt"],
        quantiles["output"],
    )


def draw(
    family: str, count: int, memory: int, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw requests like those of a published trace.

    Parameters
    ----------
    family : str
        A key of `FITTED`.
    count : int
        Number of requests.
    memory : int
        The budget M, in tokens. A request that would not fit is cut as a context limit would cut it: the prompt to
        M - 1 at most, then the output; ``info["clipped"]`` counts them.
    rate : float, optional
        Requests per second; `Marginals.rate` is the published one. None: a batch.
    seed : int
        Prompts, outputs and gaps are drawn in that order, each as a whole array, so that lengths do not depend on rate.
    round_seconds : float
        Seconds of one round: arrival = floor(seconds / round_seconds).

    Returns
    -------
    Instance
        In order of arrival, the first at 0.

    Raises
    ------
    BadParameter, BadInstance
        A count, rate, seed or memory without meaning.
    """
    from scipy.special import ndtr  # here, since listing the families should not wait for it

    facts = published(family)
    count, seed = _whole("count", count, 1), _whole("seed", seed, 0)
    budget = as_memory(memory)
    if budget < 2:
        raise BadParameter(
            f"{family}: memory is {budget}: a request needs a prompt and an output token, give at least 2"
        )
    length = round_length(round_seconds)
    rng = np.random.default_rng(np.random.SeedSequence([seed, crc32(family.encode())]))
    first = rng.standard_normal(count)
    pearson = 2 * math.sin(math.pi * facts.spearman / 6)
    second = pearson * first + math.sqrt(1 - pearson**2) * rng.standard_normal(count)
    wanted_prompt, wanted_output = quantile(ndtr(first), facts.prompt), quantile(ndtr(second), facts.output)
    prompt, output = clip(wanted_prompt, wanted_output, budget)
    arrival, seconds = None, None
    if rate is not None:
        since = _nanoseconds(rng, count, _positive(family, rate), facts.cv)
        arrival, seconds = rounds_of(since, length), since / 1e9
    info = {
        "family": family,
        "seed": seed,
        "parameters": {"count": count, "memory": budget, "rate": rate, "round_seconds": float(length)},
        "clipped": int(((prompt != wanted_prompt) | (output != wanted_output)).sum()),
        "ratio": None,
    }
    return Instance(prompt, output, budget, arrival, name=family, arrival_seconds=seconds, info=info)  # type: ignore[arg-type]


def quantile(probability: FloatArray, quantiles: FloatArray) -> IntArray:
    """Return whole tokens at these probabilities, int64[n]: log-linear between the published quantiles, rounded up."""
    logs = np.interp(probability, _PROBABILITY, np.log(quantiles))
    # The small step down keeps exp(log(q)) from being rounded up past q itself.
    return np.ceil(np.exp(logs) * (1 - 1e-12)).astype(np.int64)


def _nanoseconds(rng: np.random.Generator, count: int, rate: float, cv: float) -> IntArray:
    """Return arrival times of a renewal stream, the first at 0."""
    if cv > _BURSTY:
        often = (1 + math.sqrt((cv**2 - 1) / (cv**2 + 1))) / 2
        short = rng.random(count) < often
        gaps = rng.standard_exponential(count) / np.where(short, 2 * often, 2 * (1 - often))
    else:
        shape = 1 / cv**2
        gaps = rng.standard_gamma(shape, count) / shape
    seconds = np.cumsum(gaps) / rate
    since = seconds - seconds[0]
    if since[-1] > 4e9:
        raise BadParameter(f"rate is {rate!r}: {count} requests would take {since[-1]:.3g} s, beyond int64 nanoseconds")
    return np.rint(since * 1e9).astype(np.int64)


def _whole(name: str, value: int, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value < 2**63:
        raise BadParameter(f"{name} is {value!r}: give an integer >= {low}")
    return int(value)


def _positive(family: str, rate: float) -> float:
    number = isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool)
    if not number or not math.isfinite(rate) or rate <= 0:
        raise BadParameter(f"{family}: rate is {rate!r}: give requests per second above 0, or None for a batch")
    return float(rate)


def azure_conv_like(
    count: int = 1000, memory: int = 131_072, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw conversation requests like those of Azure 2023; see `draw`."""
    return draw("azure_conv_like", count, memory, rate, seed, round_seconds)


def azure_code_like(
    count: int = 1000, memory: int = 131_072, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw code completion requests like those of Azure 2023: long prompts, short outputs, bursts; see `draw`."""
    return draw("azure_code_like", count, memory, rate, seed, round_seconds)


def mooncake_like(
    count: int = 1000, memory: int = 262_144, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw long-context requests like those of Mooncake's synthetic trace; see `draw`."""
    return draw("mooncake_like", count, memory, rate, seed, round_seconds)


def arena_like(
    count: int = 1000, memory: int = 131_072, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw chat requests like those of Chatbot Arena; see `draw`."""
    return draw("arena_like", count, memory, rate, seed, round_seconds)


def arxiv_like(
    count: int = 1000, memory: int = 131_072, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw summarization requests like vidur's arXiv lengths (no arrivals published: Poisson); see `draw`."""
    return draw("arxiv_like", count, memory, rate, seed, round_seconds)


def reasoning_like(
    count: int = 1000, memory: int = 131_072, rate: float | None = None, seed: int = 0, round_seconds: float = 0.03
) -> Instance:
    """Draw reasoning requests like ServeGen's deepseek-r1: long outputs; see `draw`."""
    return draw("reasoning_like", count, memory, rate, seed, round_seconds)


@dataclass(frozen=True)
class Fitted:
    """What a fitted family says of itself.

    Attributes
    ----------
    id, title : str
        Name and one line.
    source : str
        The trace whose quantiles these are, and where it was published.
    function : callable
        ``function(count, memory, rate, seed, round_seconds) -> Instance``.
    parameters : tuple of Parameter
        All but the seed.
    about : str
        A few sentences for people.
    """

    id: str
    title: str
    source: str
    function: Callable[..., Instance]
    parameters: tuple[Parameter, ...]
    about: str

    @property
    def published(self) -> Marginals:
        """The facts it is built on."""
        return published(self.id)


_SPLITWISE = 'Patel et al., "Splitwise: Efficient generative LLM inference using phase splitting" (arXiv 2311.18677)'
_CARDS: tuple[tuple[Callable[..., Instance], str, str, str, str], ...] = (
    (
        azure_conv_like,
        "production conversation, Azure 2023",
        f"quantiles of azure_2023_conv; {_SPLITWISE}, CC-BY-4.0",
        "5.91",
        "Prompts cluster near 1,000 and 4,080 tokens, outputs near 100 and 400; arrivals close to Poisson.",
    ),
    (
        azure_code_like,
        "production code completion, Azure 2023",
        f"quantiles of azure_2023_code; {_SPLITWISE}, CC-BY-4.0",
        "3.13",
        "Long prompts, median output 13. With a rate, gaps alternate between bursts and pauses of a minute (cv 12.6): "
        "two exponentials stand in for the on/off process of the service.",
    ),
    (
        mooncake_like,
        "long context, Mooncake synthetic",
        'quantiles of mooncake_synthetic; Qin et al., "Mooncake: A KVCache-centric Disaggregated Architecture for LLM '
        'Serving" (arXiv 2407.00079), Apache-2.0',
        "3.91",
        "Prompts up to 191,378 tokens, so the default memory is larger; outputs fall with prompts (Spearman -0.52). "
        "The original is semi-synthetic; shared prefixes are not modelled.",
    ),
    (
        arena_like,
        "chat, Chatbot Arena",
        'quantiles of vtc_arena; Sheng et al., "Fairness in Serving Large Language Models" (arXiv 2401.00588), '
        "Apache-2.0",
        "2.50",
        "Short prompts, outputs up to 977. The original was resampled, so its rate is not the service's.",
    ),
    (
        arxiv_like,
        "summarization lengths, arXiv",
        "quantiles of vidur's arXiv summarization lengths, Llama-2 tokenizer; Agrawal et al., \"Vidur: A Large-Scale "
        'Simulation Framework For LLM Inference" (arXiv 2405.05465), MIT',
        "none",
        "Long prompts, moderate outputs, prompt + output at most 4k in the original; the copula does not keep it. "
        "No arrivals are published: with a rate they are Poisson.",
    ),
    (
        reasoning_like,
        "production reasoning, ServeGen deepseek-r1",
        'quantiles of a draw from the marginals of Xiang et al., "ServeGen: Workload Characterization and Generation '
        'of Large Language Model Serving in Production" (arXiv 2505.09999), Apache-2.0',
        "19.9",
        "Outputs are long (1 % above 7,032 tokens) and heavy-tailed up to 32,768; prompts reach 43,955.",
    ),
)


def _parameters(function: Callable[..., Instance], rate: str) -> tuple[Parameter, ...]:
    """Return the parameters of one family, with the defaults of its function."""
    defaults = function.__defaults__ or ()
    return (
        Parameter("count", defaults[0], "number of requests n", low=1, high=_MOST),
        Parameter("memory", defaults[1], "memory budget M, tokens; longer requests are cut to it and counted", low=2),
        Parameter(
            "rate", None, f"requests per second (published: {rate}); none: a batch", "float", low=0, open_low=True
        ),
        Parameter(
            "round_seconds", defaults[4], "seconds of one round, used with a rate", "float", low=0, open_low=True
        ),
    )


#: the fitted families by id
FITTED: dict[str, Fitted] = {
    function.__name__: Fitted(function.__name__, title, source, function, _parameters(function, rate), about)
    for function, title, source, rate, about in _CARDS
}
