"""Named distributions of lengths: whole tokens with their probabilities, from a short text or from quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.capacity.checks import FloatArray, flat_tokens, shares

#: most distinct lengths of one distribution: beyond, the units are too fine for the purpose
MOST = 10_000_000
#: how each distribution is written
FORMS = {
    "fixed": "fixed:TOKENS",
    "uniform": "uniform:LOW:HIGH",
    "geometric": "geometric:MEAN:LARGEST",
    "lognormal": "lognormal:MEDIAN:SIGMA:LARGEST",
    "quantiles": "quantiles:0=LOW,0.5=MEDIAN,1=LARGEST",
}


@dataclass(frozen=True, eq=False)
class Marginal:
    """Lengths in tokens with their probabilities.

    Parameters
    ----------
    values : array of numbers, shape (m,)
        Tokens >= 0.
    weight : array of numbers, shape (m,), optional
        >= 0, not all 0; brought to sum 1. Values of weight 0 are left out. Default: equal.
    name : str
        As it was written.
    """

    values: FloatArray
    weight: FloatArray = None  # type: ignore[assignment]
    name: str = ""

    def __post_init__(self) -> None:
        values = flat_tokens("values", self.values)
        given = np.ones(len(values)) if self.weight is None else self.weight
        weight = shares("weights", given, len(values))
        kept = weight > 0
        object.__setattr__(self, "values", values[kept])
        object.__setattr__(self, "weight", weight[kept])

    def mean(self, of: Callable[[FloatArray], FloatArray]) -> float:
        """Return the expectation of a function of the length."""
        return float(self.weight @ of(self.values))

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draw lengths, float64[count]."""
        at = np.searchsorted(np.cumsum(self.weight), rng.random(count) * self.weight.sum(), side="right")
        return self.values[np.minimum(at, len(self.values) - 1)]


def distribution(text: str | float | Marginal) -> Marginal:
    """Return the distribution that a text describes.

    Parameters
    ----------
    text : str, number or Marginal
        A number or ``fixed:805``; ``uniform:10:1600`` (whole numbers, both ends included);
        ``geometric:200:4000`` (on 1, 2, ... with that mean, given that it is at most the last number);
        ``lognormal:300:0.9:8000`` (median, sigma of the logarithm, rounded up to whole tokens, given that it is at most
        the last); ``quantiles:0=10,0.5=300,0.9=900,1=4000`` (straight lines between, rounded to whole tokens).

    Raises
    ------
    BadParameter
        One line with the form to use.

    Notes
    -----
    Unbounded laws must name a largest length: delta and the floor depend on it, so it is never chosen silently.
    """
    if isinstance(text, Marginal):
        return text
    if not isinstance(text, str):
        return Marginal(flat_tokens("length", text)[:1], name=f"{text:g}" if isinstance(text, (int, float)) else "")
    kind, _, rest = text.strip().partition(":")
    if not rest:
        return Marginal(np.array([_number(kind, text)]), name=text)
    if kind not in FORMS:
        raise BadParameter(f"no distribution {kind!r} in {text!r}: choose one of {', '.join(FORMS.values())}")
    if kind == "quantiles":
        return _quantiles(_pairs(rest, text), text)
    given = [_number(word, text) for word in rest.split(":")]
    if len(given) != FORMS[kind].count(":"):
        raise BadParameter(f"{text!r} has {len(given)} numbers: write {FORMS[kind]}")
    return {"fixed": _fixed, "uniform": _uniform, "geometric": _geometric, "lognormal": _lognormal}[kind](given, text)


def from_quantiles(points: Sequence[tuple[float, float]]) -> Marginal:
    """Return the distribution whose quantile function runs in straight lines through (probability, tokens) points."""
    name = "quantiles:" + ",".join(f"{p:g}={v:g}" for p, v in points)
    return _quantiles([(float(p), float(v)) for p, v in points], name)


def _number(word: str, text: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise BadParameter(f"{word!r} in {text!r} is no length: write one of {', '.join(FORMS.values())}")
    return value


def _whole(low: float, high: float, text: str) -> FloatArray:
    """Return the whole numbers from low to high."""
    if low != math.floor(low) or high != math.floor(high):
        raise BadParameter(f"{text!r}: give whole numbers of tokens")
    if high < low:
        raise BadParameter(f"{text!r}: the largest length {high:g} is below the smallest {low:g}")
    if high - low >= MOST:
        raise BadParameter(f"{text!r} has more than {MOST} different lengths: count in thousands of tokens")
    return np.arange(low, high + 1)


def _fixed(given: list[float], text: str) -> Marginal:
    return Marginal(np.array(given), name=text)


def _uniform(given: list[float], text: str) -> Marginal:
    return Marginal(_whole(given[0], given[1], text), name=text)


def _geometric(given: list[float], text: str) -> Marginal:
    mean, largest = given
    if mean < 1:
        raise BadParameter(f"{text!r}: the mean {mean:g} of a geometric length is at least 1")
    values = _whole(1, largest, text)
    return Marginal(values, (1 - 1 / mean) ** (values - 1), name=text)


def _lognormal(given: list[float], text: str) -> Marginal:
    median, sigma, largest = given
    if median <= 0 or sigma <= 0:
        raise BadParameter(f"{text!r}: median and sigma are above 0")
    from scipy.special import ndtr  # slow to import

    values = _whole(1, largest, text)
    below = ndtr(np.log(np.arange(1, largest + 1) / median) / sigma)
    weight = np.diff(below, prepend=0.0)
    if not weight.any():
        raise BadParameter(f"{text!r}: no length up to {largest:g} has a probability: take the largest length larger")
    return Marginal(values, weight, name=text)


def _pairs(rest: str, text: str) -> list[tuple[float, float]]:
    pairs = []
    for word in rest.split(","):
        p, equals, value = word.partition("=")
        if not equals:
            raise BadParameter(f"{word!r} in {text!r} is no quantile: write {FORMS['quantiles']}")
        pairs.append((_number(p, text), _number(value, text)))
    return pairs


def _quantiles(points: list[tuple[float, float]], text: str) -> Marginal:
    points = sorted(points)
    p, value = (np.array(column) for column in zip(*points, strict=True))
    if len(points) < 2 or p[0] != 0 or p[-1] != 1 or (np.diff(p) <= 0).any():
        raise BadParameter(f"{text!r}: give quantiles at 0 and 1, and others between: write {FORMS['quantiles']}")
    if not np.isfinite(value).all() or value[0] < 0 or (np.diff(value) < 0).any():
        raise BadParameter(f"{text!r}: quantiles are lengths that never fall")
    edges = np.round(value)
    lengths = _whole(edges[0], edges[-1], text)
    return Marginal(lengths, _masses(p, value, lengths), name=text)


def _masses(p: FloatArray, value: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return the probability of each whole length: of (k - 1/2, k + 1/2], pieces of one value as atoms."""
    masses: Any = np.zeros(len(lengths))
    for k in range(len(p) - 1):
        share, low, high = p[k + 1] - p[k], value[k], value[k + 1]
        if high == low:
            masses[int(round(low) - lengths[0])] += share
        else:
            cut = np.clip((np.append(lengths, lengths[-1] + 1) - 0.5 - low) / (high - low), 0, 1)
            cut[0], cut[-1] = 0.0, 1.0
            masses += share * np.diff(cut)
    return masses
