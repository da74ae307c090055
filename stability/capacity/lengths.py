"""Who arrives, as prompts and outputs with probabilities: a joint sample, independent marginals, or a mix of parts.

Every area is a sum of products of a term in the prompt and a term in the output, so a source only has to know the
expectation of such products. A joint sample keeps the dependence of the two; independent marginals never build the
table of all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests
from stability.capacity.areas import chunks, prefill_area
from stability.capacity.checks import FloatArray, flat_tokens, shares
from stability.capacity.distributions import Marginal, distribution

Term: TypeAlias = Callable[[FloatArray], FloatArray]


def one(values: FloatArray) -> FloatArray:
    """Return 1 for every length."""
    return np.ones_like(values)


def same(values: FloatArray) -> FloatArray:
    """Return the length itself."""
    return values


def triangle(values: FloatArray) -> FloatArray:
    """Return o(o+1)/2."""
    return values * (values + 1) / 2


@dataclass(frozen=True, eq=False)
class Joint:
    """Requests with their lengths as pairs, such as those of a trace.

    Parameters
    ----------
    prompt, output : array of numbers, shape (n,)
        Tokens >= 0.
    weight : array of numbers, shape (n,), optional
        >= 0, not all 0; brought to sum 1. Requests of weight 0 are left out. Default: equal.
    seconds : array of numbers, shape (n,), optional
        When each arrived, in any order.
    name : str
    """

    prompt: FloatArray
    output: FloatArray
    weight: FloatArray = None  # type: ignore[assignment]
    seconds: FloatArray | None = None
    name: str = ""

    def __post_init__(self) -> None:
        prompt, output = flat_tokens("prompt", self.prompt), flat_tokens("output", self.output)
        if prompt.shape != output.shape:
            raise BadParameter(f"prompt has {len(prompt)} entries and output {len(output)}: give one of each a request")
        weight = shares("weights", np.ones(len(prompt)) if self.weight is None else self.weight, len(prompt))
        kept = weight > 0
        for name, column in (("prompt", prompt), ("output", output), ("weight", weight)):
            object.__setattr__(self, name, column[kept])
        if self.seconds is not None:
            seconds = np.asarray(self.seconds, dtype=np.float64)
            if seconds.shape != kept.shape or not np.isfinite(seconds).all():
                raise BadParameter(f"seconds has shape {seconds.shape}: give {len(kept)} finite numbers")
            object.__setattr__(self, "seconds", seconds[kept])

    @property
    def n(self) -> int:
        """Requests of positive weight."""
        return len(self.prompt)

    def mean(self, of_prompt: Term, of_output: Term) -> float:
        """Return E[of_prompt(s) of_output(o)]."""
        return float(self.weight @ (of_prompt(self.prompt) * of_output(self.output)))

    @property
    def largest(self) -> float:
        """Return max(s + o) in tokens."""
        return float((self.prompt + self.output).max())

    def longest_stay(self, chunk: float) -> float:
        """Return the most slots that a request needs, its chunks and its tokens."""
        return float((chunks(self.prompt, chunk) + self.output).max())

    def outputs(self) -> Marginal:
        """Return the marginal of the outputs."""
        return _gathered(self.output, self.weight)

    def prompts(self) -> Marginal:
        """Return the marginal of the prompts."""
        return _gathered(self.prompt, self.weight)

    def heavier(self, beyond: float) -> Joint:
        """Return the same with outputs >= ``beyond`` twice as frequent."""
        return replace(self, weight=self.weight * np.where(self.output >= beyond, 2.0, 1.0))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw requests with replacement."""
        at = rng.choice(self.n, size=count, p=self.weight)
        return self.prompt[at], self.output[at]


@dataclass(frozen=True, eq=False)
class Independent:
    """Prompts and outputs drawn independently of each other.

    Parameters
    ----------
    prompt, output : Marginal, or what `distribution` reads
    name : str
    """

    prompt: Marginal
    output: Marginal
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", distribution(self.prompt))
        object.__setattr__(self, "output", distribution(self.output))

    def mean(self, of_prompt: Term, of_output: Term) -> float:
        """Return E[of_prompt(s)] E[of_output(o)]."""
        return self.prompt.mean(of_prompt) * self.output.mean(of_output)

    @property
    def largest(self) -> float:
        """Return max(s + o) in tokens."""
        return float(self.prompt.values.max() + self.output.values.max())

    def longest_stay(self, chunk: float) -> float:
        """Return the most slots that a request needs, its chunks and its tokens."""
        return float(chunks(self.prompt.values, chunk).max() + self.output.values.max())

    def outputs(self) -> Marginal:
        """Return the marginal of the outputs."""
        return self.output

    def prompts(self) -> Marginal:
        """Return the marginal of the prompts."""
        return self.prompt

    def heavier(self, beyond: float) -> Independent:
        """Return the same with outputs >= ``beyond`` twice as frequent."""
        weight = self.output.weight * np.where(self.output.values >= beyond, 2.0, 1.0)
        return replace(self, output=Marginal(self.output.values, weight))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw requests."""
        return self.prompt.draw(count, rng), self.output.draw(count, rng)


@dataclass(frozen=True, eq=False)
class Mixed:
    """Parts of the traffic, each with its share of the requests.

    Parameters
    ----------
    parts : sequence of Joint, Independent or Mixed
    weight : array of numbers, shape (len(parts),)
        >= 0, not all 0; brought to sum 1. Parts of weight 0 are left out.
    name : str
    """

    parts: tuple[Lengths, ...]
    weight: FloatArray
    name: str = ""

    def __post_init__(self) -> None:
        if not len(self.parts):
            raise BadParameter("a mix without parts: give at least one")
        weight = shares("shares of the mix", self.weight, len(self.parts))
        kept = np.flatnonzero(weight > 0)
        object.__setattr__(self, "parts", tuple(self.parts[k] for k in kept))
        object.__setattr__(self, "weight", weight[kept])

    def mean(self, of_prompt: Term, of_output: Term) -> float:
        """Return E[of_prompt(s) of_output(o)] over all parts."""
        return float(self.weight @ np.array([part.mean(of_prompt, of_output) for part in self.parts]))

    @property
    def largest(self) -> float:
        """Return max(s + o) in tokens."""
        return max(part.largest for part in self.parts)

    def longest_stay(self, chunk: float) -> float:
        """Return the most slots that a request needs, its chunks and its tokens."""
        return max(part.longest_stay(chunk) for part in self.parts)

    def outputs(self) -> Marginal:
        """Return the marginal of the outputs."""
        return self._pooled([part.outputs() for part in self.parts])

    def prompts(self) -> Marginal:
        """Return the marginal of the prompts."""
        return self._pooled([part.prompts() for part in self.parts])

    def _pooled(self, marginals: Sequence[Marginal]) -> Marginal:
        values = np.concatenate([marginal.values for marginal in marginals])
        return _gathered(
            values, np.concatenate([w * marginal.weight for w, marginal in zip(self.weight, marginals, strict=True)])
        )

    def heavier(self, beyond: float) -> Mixed:
        """Return the same with outputs >= ``beyond`` twice as frequent, over all parts."""
        above = np.array([part.mean(one, lambda o: np.where(o >= beyond, 1.0, 0.0)) for part in self.parts])
        return replace(self, parts=tuple(part.heavier(beyond) for part in self.parts), weight=self.weight * (1 + above))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw requests, those of a part one after another."""
        counts = rng.multinomial(count, self.weight)
        drawn = [part.draw(int(k), rng) for part, k in zip(self.parts, counts, strict=True) if k]
        return np.concatenate([s for s, _ in drawn]), np.concatenate([o for _, o in drawn])


Lengths: TypeAlias = Joint | Independent | Mixed


def _gathered(values: FloatArray, weight: FloatArray) -> Marginal:
    """Return the distinct values with their weights added up."""
    distinct, place = np.unique(values, return_inverse=True)
    return Marginal(distinct, np.bincount(place, weights=weight).astype(np.float64))


def as_lengths(source: Any) -> Lengths:
    """Return who arrives, from what a caller has at hand.

    Parameters
    ----------
    source : Instance, Requests, Joint, Independent, Mixed, or (prompt, output[, weight])
        Arrays of tokens, one entry per request, or any object with ``prompt`` and ``output``. Arrival seconds of a
        trace are kept. Requests of the two models differ by one pass; here an output is the tokens that are emitted.

    Raises
    ------
    BadParameter
        Nothing to read lengths from, an empty one, or lengths and weights without meaning.
    """
    if isinstance(source, (Joint, Independent, Mixed)):
        return source
    if isinstance(source, Instance):
        return Joint(source.prompt, source.output, seconds=source.arrival_seconds, name=source.name)  # type: ignore[arg-type]
    if isinstance(source, Requests):
        return Joint(source.prompt, source.output, seconds=source.arrival, name=source.name)  # type: ignore[arg-type]
    if isinstance(source, str):
        raise BadParameter(f"lengths is the text {source!r}: read the trace first, kvratio.load_trace(path, memory)")
    if hasattr(source, "prompt") and hasattr(source, "output"):
        return Joint(source.prompt, source.output, seconds=getattr(source, "arrival_seconds", None))
    try:
        columns = list(source)
    except TypeError:
        columns = []
    if len(columns) not in (2, 3):
        raise BadParameter("lengths: give an Instance, a trace that was read, or (prompt, output[, weight]) arrays")
    return Joint(*columns)


def independent(lengths: Lengths) -> Independent:
    """Return the product of the marginals: what is left when the dependence of prompt and output is thrown away."""
    return Independent(lengths.prompts(), lengths.outputs())


@dataclass(frozen=True)
class Means:
    """What capacity asks of the lengths.

    Attributes
    ----------
    prefill : float
        Mean area of the slots that read a prompt, token-slots.
    decode : float
        Mean area of the slots that emit tokens, E[o s + o(o+1)/2] token-slots.
    prompt, output : float
        Mean tokens.
    """

    prefill: float
    decode: float
    prompt: float
    output: float

    @property
    def area(self) -> float:
        """Return E[g], token-slots."""
        return self.prefill + self.decode


def means(lengths: Lengths, chunk: float, exact: bool) -> Means:
    """Return the means of a source, of the closed or the exact area.

    Raises
    ------
    BadParameter
        The mean area is 0: no request holds a token for a slot.
    """
    found = Means(
        prefill=lengths.mean(lambda s: prefill_area(s, chunk, exact), one),
        decode=lengths.mean(same, same) + lengths.mean(one, triangle),
        prompt=lengths.mean(same, one),
        output=lengths.mean(one, same),
    )
    if not found.area > 0 or not np.isfinite(found.area):
        raise BadParameter(f"the mean area is {found.area:g} token-slots: give requests with prompt or output tokens")
    return found


def spread(lengths: Lengths) -> tuple[float, float]:
    """Return standard deviation over mean of the outputs and of s + o (0 where the mean is 0)."""
    s, o = lengths.mean(same, one), lengths.mean(one, same)
    second = lengths.mean(one, np.square)
    total = lengths.mean(np.square, one) + 2 * lengths.mean(same, same) + second
    return _variation(o, second), _variation(s + o, total)


def _variation(first: float, second: float) -> float:
    return 0.0 if first == 0 else float(np.sqrt(max(second - first**2, 0.0)) / first)


def top_tenth(outputs: Marginal) -> float:
    """Return the 90th percentile of the outputs: the smallest length that at least 90 % do not exceed."""
    order = np.argsort(outputs.values)
    reached = np.cumsum(outputs.weight[order]) >= 0.9 * (1 - 1e-12) * outputs.weight.sum()
    return float(outputs.values[order][np.argmax(reached)])
