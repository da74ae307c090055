"""Joint laws of prompt and output: tables, independent marginals, samplers of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: lengths drawn to describe a law that is known by its sampler only
DESCRIBED_BY = 100_000


@dataclass(frozen=True, eq=False)
class Outputs:
    """A law of lengths as the theory sees it: one entry per distinct output.

    Attributes
    ----------
    output : int64[m]
        Increasing.
    prompt : float64[m]
        Mean prompt given the output.
    largest_prompt : float64[m]
        Largest prompt given the output.
    share : float64[m]
        Sums to 1.
    """

    output: IntArray
    prompt: FloatArray
    largest_prompt: FloatArray
    share: FloatArray

    @classmethod
    def of(cls, prompt: IntArray, output: IntArray, weight: FloatArray | None = None) -> Outputs:
        """Group pairs by output."""
        weight = np.ones(len(prompt)) if weight is None else weight
        values, place = np.unique(output, return_inverse=True)
        total = np.bincount(place, weight)
        largest = np.zeros(len(values))
        np.maximum.at(largest, place, prompt.astype(np.float64))
        return cls(values.astype(np.int64), np.bincount(place, weight * prompt) / total, largest, total / total.sum())


class Lengths(Protocol):
    """A law that can be drawn from."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return prompts and outputs, int64[n] each."""
        ...

    def outputs(self) -> Outputs | None:
        """Return the law grouped by output where it is known exactly, else None."""
        ...


class Table:
    """Pairs with weights; each request is one of the pairs.

    Parameters
    ----------
    prompt, output : array of int, shape (m,)
        Tokens, >= 1.
    weight : array of float, shape (m,), optional
        Above 0. Default: equal.
    """

    def __init__(self, prompt: npt.ArrayLike, output: npt.ArrayLike, weight: npt.ArrayLike | None = None) -> None:
        self.prompt, self.output = tokens("prompt", prompt), tokens("output", output)
        self.weight = np.ones(len(self.prompt)) if weight is None else np.array(weight, dtype=np.float64)
        if not len(self.prompt) == len(self.output) == len(self.weight) > 0:
            raise BadParameter(
                f"lengths: {len(self.prompt)} prompts, {len(self.output)} outputs, {len(self.weight)} weights: give as "
                "many of each, at least one"
            )
        if not (np.isfinite(self.weight) & (self.weight > 0)).all():
            raise BadParameter("lengths: a weight is not above 0: leave such pairs out")
        self._upto = np.cumsum(self.weight)

    def pick(self, n: int, rng: np.random.Generator) -> IntArray:
        """Return rows of the table, int64[n]; one uniform number each, so that fewer requests are a prefix of more."""
        return np.searchsorted(self._upto[:-1], rng.random(n) * self._upto[-1], side="right").astype(np.int64)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return prompts and outputs, int64[n] each."""
        rows = self.pick(n, rng)
        return self.prompt[rows], self.output[rows]

    def outputs(self) -> Outputs:
        """Return the law grouped by output."""
        return Outputs.of(self.prompt, self.output, self.weight)


class Independent:
    """Prompt and output independent, each from weights over values.

    Parameters
    ----------
    prompts, outputs : (array of int, array of float)
        Values in tokens and their weights.
    """

    def __init__(
        self, prompts: tuple[npt.ArrayLike, npt.ArrayLike], outputs: tuple[npt.ArrayLike, npt.ArrayLike]
    ) -> None:
        self._prompt = Table(prompts[0], np.ones(len(np.asarray(prompts[0])), np.int64), prompts[1])
        self._output = Table(np.ones(len(np.asarray(outputs[0])), np.int64), outputs[0], outputs[1])

    def draw(self, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return prompts and outputs, int64[n] each."""
        first, second = rng.spawn(2)
        return self._prompt.draw(n, first)[0], self._output.draw(n, second)[1]

    def outputs(self) -> Outputs:
        """Return the law grouped by output."""
        law = self._output.outputs()
        prompts = self._prompt
        mean = float(prompts.prompt @ prompts.weight / prompts.weight.sum())
        m = len(law.output)
        return Outputs(law.output, np.full(m, mean), np.full(m, float(prompts.prompt.max())), law.share)


class FromFunction:
    """A sampler of one's own.

    Parameters
    ----------
    function : callable
        ``function(n, rng) -> (prompts, outputs)``, tokens >= 1.
    """

    def __init__(self, function: Callable[[int, np.random.Generator], Any]) -> None:
        self.function = function

    def draw(self, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Return prompts and outputs, int64[n] each, checked."""
        try:
            prompt, output = self.function(n, rng)
        except (TypeError, ValueError) as fault:
            raise BadParameter(f"lengths: the sampler must return (prompts, outputs) for (n, rng): {fault}") from fault
        prompt, output = tokens("prompt", prompt), tokens("output", output)
        if len(prompt) != n or len(output) != n:
            raise BadParameter(f"lengths: asked for {n} requests, the sampler gave {len(prompt)} and {len(output)}")
        return prompt, output

    def outputs(self) -> None:
        """Return None: only the sampler is known."""
        return


def describe(lengths: Lengths, name: str) -> Outputs:
    """Return the law grouped by output as 100,000 draws show it, always the same ones."""
    return Outputs.of(*lengths.draw(DESCRIBED_BY, stream("description of lengths", name)))


def tokens(what: str, values: npt.ArrayLike) -> IntArray:
    """Return int64 tokens >= 1, or say which value is wrong."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 1) & (array == np.floor(array))))
    if array.ndim != 1 or bad.size:
        found = "is not a flat list" if array.ndim != 1 else f"{bad[0]} is {array[bad[0]]:g}"
        raise BadParameter(f"lengths: {what} {found}: give whole numbers of tokens, 1 or more")
    return array.astype(np.int64)
