"""response: stages over requests whose prompt the slice has reached (arXiv 2607.09248, docs/policies.md 7)."""

from __future__ import annotations

import numpy as np

from algos.card import Card
from algos.papers import FENG_ROUTING
from algos.timetable.guarantees import RESPONSE_GUARANTEE
from algos.timetable.plans import largest_prompt
from algos.timetable.run import Timetable
from algos.timetable.state import ALONE, PHASE
from kvratio.problem.compiled import inlined


@inlined
def _join(v, reach):
    """Merge into the survivors jobs[0:hi], by index, those of own[0:u] whose prompt is at most ``reach``."""
    s = v.st[0]
    joining = v.own[len(v.own) // 2 :]
    held, fresh = 0, 0
    for r in range(s.u):
        i = v.own[r]
        if v.prompt[i] <= reach:
            joining[fresh] = i
            fresh += 1
        else:
            v.own[held] = i
            held += 1
    s.u = held
    old, place = s.hi - 1, s.hi + fresh - 1
    s.hi += fresh
    # From the back, so that nothing is overwritten before it has moved.
    while fresh > 0:
        if old >= 0 and v.jobs[old] > joining[fresh - 1]:
            v.jobs[place] = v.jobs[old]
            old -= 1
        else:
            fresh -= 1
            v.jobs[place] = joining[fresh]
        place -= 1


def plan_response(v):
    """Stage r: one phase of slice 2^r over the unfinished with prompt <= 2^r; after the last, the others alone."""
    s = v.st[0]
    if s.fresh == 1:
        for r in range(s.hi):
            v.own[r] = v.jobs[r]
        s.u = s.hi
        s.v = 1
        s.lo = 0
        s.hi = 0
    while s.v < 2 * s.memory:
        reach = np.int64(s.v)
        s.v = 2 * reach
        _join(v, reach)
        if s.hi > 0:
            s.prompt = largest_prompt(v)
            s.tau = min(reach, s.memory - s.prompt)
            return PHASE
    return ALONE


CARDS = (
    Card(
        id="response",
        title="Response-heavy stages",
        family="unequal prompts",
        information="none",
        arrivals="batch rule",
        evicts="at the end of each slice, by design",
        allowed_evictions=("restart",),
        about="For small prompts with long answers. Stage r runs a staggered pipeline of slices 2^r over the "
        "unfinished requests whose prompt is at most 2^r: before that they could not finish in such a slice.",
        reference="2607.09248",
        source=FENG_ROUTING,
        guarantee=RESPONSE_GUARANTEE,
        run=Timetable(plan_response, scratch=lambda n, boundaries: 2 * n),
    ),
)
