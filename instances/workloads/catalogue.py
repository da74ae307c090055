"""Workloads by name: those of published experiments, and laws fitted to real traces."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from functools import partial

import numpy as np

from instances.traces.fitted import FITTED, draw, published
from instances.workloads.lengths import FloatArray, FromFunction, Independent, IntArray
from instances.workloads.load import Workload
from kvratio.problem.errors import BadParameter, UnknownName

#: outputs of the chat set by bins of 50 tokens: (0, 50], (50, 100], ..., (450, 500]
_CHAT_OUTPUTS = (272435, 134325, 96860, 93667, 87955, 67646, 49363, 35064, 23568, 18930)
#: its prompts: logarithm's mean and standard deviation, and the bound below which they are kept
_CHAT_PROMPTS = (3.2, 1.8, 500)
#: memory beyond every request, so that the fitted laws are not cut
_UNCUT = 2**26

_TYPES: dict[str, tuple[tuple[int, int, float], ...]] = {
    "p512d20": ((512, 20, 1.0),),
    "mix_512": ((512, 20, 0.7), (512, 50, 0.3)),
    "p512d1000": ((512, 1000, 1.0),),
    "two_l10": ((10, 10, 1.0), (10, 20, 1.0)),
    "three_l20": ((20, 100, 3.0), (20, 200, 2.0), (20, 300, 1.0)),
    "clusters10": tuple((60, 50 * (k + 1), float(rate)) for k, rate in enumerate((23, 11, 8, 7, 6, 4, 3, 2, 1, 1))),
}


def workload(name: str, rate: float | None = None) -> Workload:
    """Return a workload by name.

    Parameters
    ----------
    name : str
        One of `workload_names`. ``p512d20``, ``mix_512``, ``p512d1000``, ``lmsys_like``, ``two_l10``, ``three_l20`` and
        ``clusters10`` are those of Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320);
        ``..._like`` of traces are the fitted laws of `instances.traces.fitted`.
    rate : float, optional
        Total requests per second. Default: the rates as published (types: as listed; fitted laws: of the trace), and 1
        for ``lmsys_like``.

    Raises
    ------
    UnknownName
        With the nearest name.
    BadParameter
        No rate for a law whose trace has no arrivals.
    """
    if name in _TYPES:
        return Workload(_TYPES[name], rate, name)
    if name == "lmsys_like":
        return Workload(rate=1.0 if rate is None else rate, name=name, lengths=lmsys_lengths())
    if name in FITTED:
        pace = published(name).rate if rate is None else rate
        if pace is None:
            raise BadParameter(f"workload {name!r} has no published rate: give rate=, requests per second")
        return Workload(rate=pace, name=name, lengths=FromFunction(partial(_fitted, name)))
    near = difflib.get_close_matches(str(name), workload_names(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(workload_names())}"
    raise UnknownName(f"no workload {name!r}: {hint}")


def workload_names() -> tuple[str, ...]:
    """Return every name that `workload` takes."""
    return (*_TYPES, "lmsys_like", *FITTED)


def lmsys_lengths() -> Independent:
    """Return a law like that of a public chat set: outputs by a histogram, prompts log-normal, independent.

    Outputs are uniform inside bins of 50 tokens. Prompts are ``round(exp(3.2 + 1.8 z))``, redrawn above 499, which is
    the same as drawing from the values by their probabilities; what rounds to 0 counts as 1. This gives the published
    mean 58.5 and median 22 (redrawing what rounds to 0 as well would give 59.5 and 23).
    """
    mean, sigma, bound = _CHAT_PROMPTS
    below: Callable[[float], float] = lambda x: (1 + math.erf((math.log(x) - mean) / sigma / math.sqrt(2))) / 2  # noqa: E731
    edges = np.array([0.0, *(below(k + 0.5) for k in range(1, bound))])
    weights: FloatArray = np.repeat(np.array(_CHAT_OUTPUTS, dtype=np.float64), 50)
    return Independent((np.arange(1, bound), np.diff(edges)), (np.arange(1, 501), weights))


def _fitted(family: str, n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Draw lengths of a fitted family; the stream gives its seed."""
    drawn = draw(family, n, _UNCUT, seed=int(rng.integers(2**62)))
    return np.maximum(drawn.prompt, 1), drawn.output
