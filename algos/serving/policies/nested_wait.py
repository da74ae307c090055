"""Nested WAIT: thresholds at the boundaries of segments of output lengths that are not known (nested_wait)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Parameter
from algos.papers import AO
from algos.serving import forming
from algos.serving.cards import Case, Layout, ServingCard
from algos.serving.policies.wait import FLUSH, MARGIN
from algos.serving.settings import Counts, nested_thresholds


def decide(v):
    """Run the longest run of segments from the first on whose entries all hold their thresholds."""
    s = v.st[0]
    s.u = 0
    flush = forming.is_flushing(v, v.param[4] == 1.0)
    for k in range(len(v.group)):
        g = v.group[k]
        fresh = v.queue[g.first].count
        if fresh < g.bound and not flush:
            break
        if k == 0:
            forming.propose(v, 0, min(g.bound, fresh))
        else:
            forming.decode_entry(v, g.first, g.bound)
        forming.decode_interior(v, k, g.bound)
    forming.admit_candidates(v)
    return forming.make_room(v)


def segments(case: Case, cuts: tuple[int, ...], bounds: tuple[int, ...]) -> Layout:
    """Give every stage a queue; stages are grouped into segments, of which all but the first begin with a boundary."""
    stops = np.array(cuts, np.int64) + 1
    firsts = np.concatenate([[0], stops[:-1]])
    entry = np.zeros(int(stops[-1]), np.int64)
    entry[firsts[1:]] = 1
    groups = [
        {"bound": int(bound), "first": int(first), "stop": int(stop), "width": int(stop - first)}
        for bound, first, stop in zip(bounds, firsts, stops, strict=True)
    ]
    group = np.repeat(np.arange(len(stops)), stops - firsts)
    return Layout(np.zeros(case.requests.n, np.int64), np.zeros(1, np.int64), entry, group, groups, False)


def layout(case: Case, settings: Mapping[str, Any]) -> Layout:
    """Lay out the segments with their thresholds."""
    return segments(case, settings["cuts"], settings["thresholds"])


CUTS = Counts("cuts", None, "last stage of each segment, rising; none: the output lengths of the mix")

CARDS = (
    ServingCard(
        id="nested_wait",
        title="Nested WAIT",
        information="none",
        about="Stages form segments; a segment runs only if its entry, and that of every segment before it, holds its "
        "threshold. Survivors of a segment queue at the next boundary with their memory.",
        reference="2504.11320",
        source=AO,
        eviction="restart",
        parameters=(
            CUTS,
            Counts("thresholds", None, "n of each segment; none: the least that the fluid model allows"),
            MARGIN,
            Parameter(
                "delta", 0.01, "probability of overflow that the thresholds may leave", low=0.0, high=1.0, above=True
            ),
            FLUSH,
        ),
        decide=decide,
        resolve=nested_thresholds,
        layout=layout,
        scratch=lambda n: n,
    ),
)
