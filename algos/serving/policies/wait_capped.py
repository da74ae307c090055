"""WAIT with thresholds below one: integer caps on segments, entries spread over rotating turns (wait_capped)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Parameter
from algos.papers import AO
from algos.serving import forming
from algos.serving.cards import Case, Layout, ServingCard
from algos.serving.policies.nested_wait import CUTS, segments
from algos.serving.policies.wait import FLUSH
from algos.serving.settings import Counts, segment_caps
from algos.serving.state import NEVER
from kvratio.problem.compiled import inlined


def decide(v):
    """Let every segment take its turn whose gate is open: the interior moves, and its share of entries joins."""
    s = v.st[0]
    s.u = 0
    gate = v.param[4] == 1.0
    open_anyway = forming.is_flushing(v, v.param[5] == 1.0)
    for k in range(len(v.group)):
        g = v.group[k]
        if g.interior == 0:
            while _entry_limit(g) == 0:
                g.turn += 1
        fresh = v.queue[g.first].count
        limit = _entry_limit(g)
        if gate and not open_anyway and g.interior + fresh < g.bound and fresh < limit:
            continue
        entries = max(min(limit, g.bound - g.interior, fresh), 0)
        if k == 0:
            forming.propose(v, 0, entries)
        else:
            forming.decode_entry(v, g.first, entries)
        forming.decode_interior(v, k, NEVER)
    forming.admit_candidates(v)
    answer = forming.make_room(v)
    _count_turns(v)
    return answer


@inlined
def _entry_limit(g):
    """Entries of the present turn: any ``width`` turns in a row give the cap exactly."""
    return (g.turn + 1) * g.bound // g.width - g.turn * g.bound // g.width


@inlined
def _count_turns(v):
    """Count a turn of every segment that has a request in the batch."""
    s = v.st[0]
    before = np.int64(-1)
    if s.prefills > 0:
        v.group[0].turn += 1
        before = np.int64(0)
    for k in range(s.decodes):
        # The batch is sorted by segment.
        segment = v.queue[v.req[v.chosen[k]].offset].group
        if segment > before:
            v.group[segment].turn += 1
            before = segment


def layout(case: Case, settings: Mapping[str, Any]) -> Layout:
    """Lay out the segments with their caps."""
    return segments(case, settings["cuts"], settings["caps"])


CARDS = (
    ServingCard(
        id="wait_capped",
        title="WAIT with capped segments",
        information="none",
        about="Fractional thresholds as integer caps on the number of requests in a segment: entries are spread evenly "
        "over turns, and a segment takes a turn when it would be full. Without the gate it is a plain cap.",
        reference="2504.11320",
        source=AO,
        eviction="restart",
        parameters=(
            CUTS,
            Counts("caps", None, "most requests in each segment; none: from the budget"),
            Parameter("tokens", None, "requests in a full batch; none: the fewest that keep up", low=0.0, above=True),
            Parameter("eta", 0.05, "by how much thresholds fall less from segment to segment than requests", low=0.0),
            Parameter("wait_gate", True, "wait until a turn would fill the segment; false: never wait"),
            FLUSH,
        ),
        decide=decide,
        resolve=segment_caps,
        layout=layout,
        scratch=lambda n: n,
    ),
)
