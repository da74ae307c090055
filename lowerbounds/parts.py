"""Instances with long gaps between arrivals: parts that cannot meet are bounded one by one and added up.

A gap between arrivals that is longer than all outputs since the last such gap separates independent parts (gaps.py).
For the lower side no gap is needed at all: the requests of a part, in an optimal schedule of everything, form a
feasible schedule of the part, so the optimum is at least the sum of the parts' bounds. The certificate is that sum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Certificate, Instance
from kvratio.problem.compiled import compiled
from lowerbounds.closed_form import best_closed_form, latency
from lowerbounds.exact_sums import exact_sum
from lowerbounds.interval import Evidence

IntArray = npt.NDArray[np.int64]

#: idle rounds for certain from which a gap is worth a cut
LEAST_GAP = 100_000
#: parts at most: the longest gaps are cut
MOST_PARTS = 256

Method = Callable[..., Any]


@compiled
def _idle_before(arrival, output, idle):
    """Fill in, for each of the ascending arrivals, how long before it all is over that came after the last gap.

    Whatever arrived by A, with outputs o, is over by A + sum of o in every optimal schedule (rule T1 of horizon.py).
    """
    previous = np.int64(0)
    together = np.int64(0)
    for k in range(len(arrival)):
        idle[k] = arrival[k] - previous - together
        if idle[k] > 0:
            together = np.int64(0)
        previous = arrival[k]
        together += output[k]


def find_cuts(inst: Instance) -> list[int]:
    """Return ascending epochs at which independent parts begin; [0] when there is no long gap.

    Each part but perhaps the first begins with an arrival. Of many gaps the longest `MOST_PARTS` - 1 are cut.
    """
    order = np.argsort(inst.arrival, kind="stable")
    idle = np.empty(inst.n, np.int64)
    _idle_before(inst.arrival[order], inst.output[order], idle)
    long = np.flatnonzero(idle >= LEAST_GAP)
    if len(long) >= MOST_PARTS:
        long = np.sort(long[np.argsort(-idle[long], kind="stable")[: MOST_PARTS - 1]])
    cuts = inst.arrival[order][long].tolist()
    return cuts if len(long) and long[0] == 0 else [0, *cuts]


def part_of(inst: Instance, cut: int, stop: int | None) -> tuple[IntArray, Instance]:
    """Return the requests that arrive from ``cut`` on, before ``stop``, and their instance with ``cut`` as epoch 0."""
    inside = inst.arrival >= cut
    if stop is not None:
        inside &= inst.arrival < stop
    index = np.flatnonzero(inside)
    return index, inst.replace(
        prompt=inst.prompt[index],
        output=inst.output[index],
        arrival=inst.arrival[index] - cut,
        predicted=None,
        predicted_low=None,
        predicted_high=None,
        arrival_seconds=None,
        witness=None,
    )


def run_in_parts(evidence: Evidence, run: Method, **options: Any) -> None:
    """Run a method on each independent part and put the results together; on the whole where there is one part.

    ``run(evidence, **options)`` fills the evidence of a part. Time is shared out by the number of requests.
    """
    inst = evidence.inst
    cuts = find_cuts(inst)
    if cuts == [0]:
        run(evidence, **options)
        return
    starts = np.empty(inst.n, np.int64)
    parts: list[tuple[int, int, Evidence]] = []
    to_come = inst.n
    for cut, stop in zip(cuts, [*cuts[1:], None], strict=True):
        index, part = part_of(inst, cut, stop)
        inner = Evidence(part, evidence.seed, time.monotonic() + evidence.left * len(index) / to_come)
        to_come -= len(index)
        if not _trivial(inner):
            run(inner, **options)
        if inner.certified is None:
            inner.prove_closed_form(best_closed_form(part))
        parts.append((cut, len(index), inner))
        starts[index] = _before(inner, None if stop is None else stop - cut) + cut
    evidence.incumbent.offer(exact_sum(starts + inst.output), starts)
    _add_up(evidence, parts)


def _before(evidence: Evidence, end: int | None) -> IntArray:
    """Return the starts of the part's best schedule that is over by ``end``, where the next part begins."""
    starts = evidence.incumbent.starts
    assert starts is not None
    if end is not None and int((starts + evidence.inst.output).max()) > end:
        # Not an optimal one. Earliest fits leave no idle round that would let them reach so far.
        _, starts = evidence.incumbent.decoder.decode(np.argsort(starts, kind="stable"))
    return starts


def _trivial(evidence: Evidence) -> bool:
    """Settle a part in which everything can start as it arrives; return whether it is so."""
    evidence.prove_closed_form(latency(evidence.inst))
    evidence.incumbent.try_order(np.argsort(evidence.inst.arrival, kind="stable"))
    return evidence.closed


def _add_up(evidence: Evidence, parts: list[tuple[int, int, Evidence]]) -> None:
    """Prove the sum of what is certified of the parts, and pass on what solvers said."""
    shift = sum(cut * count for cut, count, _ in parts)
    listed, total = [], shift
    for cut, _, part in parts:
        assert part.certified is not None
        lower, certificate = part.certified
        total += lower
        listed.append({"from": cut, "kind": certificate.kind, "data": dict(certificate.data)})
    evidence.prove(total, Certificate("parts", "lower", {"objective": "completion", "parts": listed}))
    for name in sorted({name for _, _, part in parts for name, _, _ in part.words}):
        said = shift
        words = []
        for _, _, part in parts:
            assert part.certified is not None
            own = [(value, c) for who, value, c in part.words if who == name]
            said += max([part.certified[0], *(value for value, _ in own)])
            words += [c.data for _, c in own]
        if said <= total:
            continue
        evidence.hear(
            said,
            {
                "solver": name,
                "version": words[0]["version"],
                "options": {**words[0]["options"], "parts": len(parts)},
                "program": "",
                "status": "optimal" if said == evidence.upper else "feasible",
                "bound": said,
                "cost": evidence.upper,
            },
        )
