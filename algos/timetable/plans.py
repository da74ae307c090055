"""Words that the plans of timetable policies share."""

from __future__ import annotations

from kvratio.problem.compiled import inlined


@inlined
def largest_prompt(v):
    """S, the largest prompt among jobs[lo:hi]."""
    s = v.st[0]
    most = v.prompt[v.jobs[s.lo]]
    for r in range(s.lo + 1, s.hi):
        most = max(most, v.prompt[v.jobs[r]])
    return most
