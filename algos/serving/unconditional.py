"""Parameters of the WAIT family for recorded requests on which no parameters meet the conditions of the theory.

A mix that is declared can be refused: it is the theory's question. A recorded trace has none; its lengths are hundreds,
and integers of one per length would need many times the memory. It is run all the same, and a warning says that nothing
is guaranteed.
"""

from __future__ import annotations

import warnings

import numpy as np

from algos.serving.cards import Case
from kvratio.problem.requests import IntArray, Requests
from stability.conditions import NoThresholds
from stability.mix import tokens_of_memory
from stability.segments import segments


class OutsideConditions(UserWarning):
    """A policy runs with parameters that do not meet the conditions of its guarantee."""


def is_recorded(requests: Requests) -> bool:
    """Whether the requests are those of a recorded trace, whose mix is read off themselves."""
    return requests.info.get("family") == "trace"


def quantile_cuts(case: Case, count: int) -> tuple[int, ...]:
    """Return at most so many cuts, each at a quantile of the mix, the last at its largest output."""
    kinds = sorted((kind.output, kind.rate) for kind in case.requests.mix)
    share = np.cumsum([rate for _, rate in kinds]) / sum(rate for _, rate in kinds)
    at = np.searchsorted(share, np.arange(1, count) / count, side="left")
    return tuple(sorted({kinds[k][0] for k in at.tolist()} | {kinds[-1][0]}))


def group_of_type(requests: Requests, cuts: tuple[int, ...]) -> IntArray:
    """Return the group of each entry of the mix: the first cut that its output does not exceed, int64[m]."""
    return np.searchsorted(cuts, [kind.output for kind in requests.mix]).astype(np.int64)


def one_for_all(policy: str, case: Case, fault: NoThresholds) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return a single cut and the threshold 1: one pass for everybody whenever somebody new waits.

    Of all cuts with thresholds 1 this one serves fastest, since nobody waits at a boundary.
    """
    _tell(policy, "with one group and n = 1", fault)
    return quantile_cuts(case, 1), (1,)


def caps_of_memory(policy: str, case: Case, count: int, fault: NoThresholds) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return cuts and the caps that fill the memory: of equal thresholds per survivor, on average."""
    _tell(policy, "with caps that fill the memory", fault)
    kinds = case.requests.mix
    mean = sum(kind.prompt * kind.rate for kind in kinds) / sum(kind.rate for kind in kinds)
    parts = segments([(mean, kind.output, kind.rate) for kind in kinds], quantile_cuts(case, count))
    alive = np.cumprod(parts.share).astype(np.float64)
    wanted = alive * tokens_of_memory(case.memory) / parts.tokens(alive)
    caps = np.maximum(1, np.floor(wanted * parts.width + 0.5)).astype(int)
    return tuple(parts.cuts.tolist()), tuple(caps.tolist())


def _tell(policy: str, how: str, fault: NoThresholds) -> None:
    warnings.warn(f"{policy} runs {how}, outside its guarantee: {fault}", OutsideConditions, stacklevel=2)
