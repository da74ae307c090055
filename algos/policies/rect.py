"""rect: attempts of doubling length, each inside a reserved rectangle (arXiv 2607.09248; docs/policies.md 7)."""

from __future__ import annotations

from algos.card import Card
from algos.engine import queue
from algos.engine.state import DONE, NEVER
from algos.papers import FENG_ROUTING
from algos.timetable.guarantees import RECT_GUARANTEE
from algos.timetable.rectangles import set_cap, start_rectangles, wait_for_rectangle


def decide(v):
    """Release the reservations of attempts that ended, then start by (area, rank) while reservations fit.

    No wake times: reserved memory changes only when an attempt ends.
    """
    s = v.st[0]
    waiting = queue.Queue(v.own, 0, len(v.order))
    for k in range(s.n_ended + s.n_arrived):
        i = v.ended[k] if k < s.n_ended else v.arrived[k - s.n_ended]
        r = v.req[i]
        exponent = 0
        if k < s.n_ended:
            s.u -= r.d
            exponent = r.b + 1
        if r.status != DONE:
            set_cap(v, i, exponent)
            wait_for_rectangle(v, waiting, i)
    s.u = start_rectangles(v, waiting, s.u, NEVER)
    return NEVER


CARDS = (
    Card(
        id="rect",
        title="Rectangles",
        family="unequal prompts",
        information="none",
        evicts="at the end of each attempt, by design",
        allowed_evictions=("restart",),
        about="Each attempt has a cap and reserves memory for all of it; an attempt that reaches its cap is void and "
        "its request waits with the next, about twice as long. The smallest rectangle goes first.",
        reference="2607.09248",
        source=FENG_ROUTING,
        guarantee=RECT_GUARANTEE,
        decide=decide,
        scratch=lambda n, memory, settings, known: queue.words_needed(n),
    ),
)
