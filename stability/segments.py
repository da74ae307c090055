"""Segments of Nested WAIT: where outputs are cut, who reaches each segment, and what a segment holds."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.batch_time import AnyClock, pieces
from stability.mix import FloatArray, IntArray, Mix, columns, largest_prompts, types_of


@dataclass(frozen=True, eq=False)
class Segments:
    """L segments of stages; segment k runs stages r_{k-1}+1..r_k, the first also the prefill.

    Attributes
    ----------
    cuts : int64[L]
        r_k, increasing; the last is the largest output.
    rate : float64[L]
        Lambda_k: requests per second with output > r_{k-1}.
    share : float64[L]
        p_k = Lambda_k / Lambda_{k-1}: who survives into segment k; the first is 1.
    prompt : float64[L]
        l_k: the largest prompt of those that can reach segment k.
    width : int64[L]
        Stages of the segment: r_1 + 1, then r_k - r_{k-1}.
    stage : float64[L]
        Mean stage: r_1 / 2, then (r_{k-1} + 1 + r_k) / 2.
    """

    cuts: IntArray
    rate: FloatArray
    share: FloatArray
    prompt: FloatArray
    width: IntArray
    stage: FloatArray

    def __len__(self) -> int:
        return len(self.cuts)

    @property
    def entry_tokens(self) -> FloatArray:
        """Tokens that a survivor holds while it waits at the entry of each segment, l_k + r_{k-1}; the first is 0."""
        return np.concatenate(([0.0], self.prompt[1:] + self.cuts[:-1]))

    @property
    def batch(self) -> FloatArray:
        """Tokens, prompt tokens and decodes of a full batch per unit of each threshold, float64[L, 3]."""
        first = np.arange(len(self)) == 0
        tokens = (self.prompt + self.stage) * self.width
        return np.stack([tokens, np.where(first, self.prompt, 0.0), self.width - first.astype(np.float64)], axis=1)

    def tokens(self, thresholds: Sequence[float] | FloatArray | IntArray) -> float:
        """M(n): tokens of a full batch."""
        return float(np.asarray(thresholds, dtype=np.float64) @ self.batch[:, 0])

    def seconds(self, thresholds: Sequence[float] | FloatArray | IntArray, clock: AnyClock) -> float:
        """D(n): seconds of a full batch."""
        work = pieces(clock)
        total = np.asarray(thresholds, dtype=np.float64) @ self.batch
        return float((work[:, 0] + work[:, 1:] @ total).max())


def segments(types: Mix, cuts: Sequence[int] | IntArray | None = None) -> Segments:
    """Cut a mix into segments.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
        Of `Requests`, the largest prompts are those of the requests themselves.
    cuts : sequence of int, optional
        Increasing stages r_1 < ... < r_L. Default: one per distinct output. Cuts that nobody passes are merged: the
        last cut becomes the largest output.

    Raises
    ------
    BadParameter
        Cuts that do not increase, or that end below the largest output.
    """
    mix = types_of(types)
    _, output, rate = columns(mix)
    longest = largest_prompts(types, mix)
    edge = _checked_cuts(cuts, output)
    before = np.concatenate(([0], edge[:-1]))
    order = np.argsort(output, kind="stable")
    upward = np.searchsorted(output[order], before, side="right")  # the first type, by output, that passes each cut
    alive = np.cumsum(rate[order][::-1])[::-1][upward]
    first = np.arange(len(edge)) == 0
    return Segments(
        cuts=edge,
        rate=alive,
        share=np.concatenate(([1.0], alive[1:] / alive[:-1])),
        prompt=np.maximum.accumulate(longest[order][::-1])[::-1][upward],
        width=np.where(first, edge + 1, edge - before),
        stage=np.where(first, edge / 2, (before + 1 + edge) / 2),
    )


def _checked_cuts(cuts: Sequence[int] | IntArray | None, output: FloatArray) -> IntArray:
    largest = int(output.max())
    if cuts is None:
        return np.unique(output).astype(np.int64)
    try:
        given = [operator.index(cut) for cut in cuts]
    except TypeError:
        raise BadParameter(f"cuts is {cuts!r}: give increasing whole numbers of tokens") from None
    if not given or given[0] < 1 or any(b <= a for a, b in pairwise(given)):
        raise BadParameter(f"cuts is {given}: give increasing whole numbers of tokens, the first 1 or more")
    if given[-1] < largest:
        raise BadParameter(f"cuts end at {given[-1]}, below the largest output {largest}: add it as the last cut")
    return np.array([*(cut for cut in given if cut < largest), largest], dtype=np.int64)
