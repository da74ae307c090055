"""Shortest job first by the memory of the next round (sjf)."""

from __future__ import annotations

from algos.card import Card
from algos.engine.actions import evict, first_waiting, last_running, need, room, start
from algos.engine.state import NEVER
from algos.papers import WANG


def decide(v):
    """Evict the longest while the next round overflows, then start the shortest while one more round fits.

    No wake times: between events the demand of the next round only grows, so a misfit stays one.
    """
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, last_running(v))
    i = first_waiting(v)
    while i >= 0 and room(v, i):
        start(v, i)
        i = first_waiting(v)
    return NEVER


CARDS = (
    Card(
        id="sjf",
        title="Shortest job first",
        family="list",
        information="prediction",
        evicts="yes",
        about="Engine practice: shortest prediction first, admitted by the memory of the next round alone; the longest "
        "is evicted when that overflows.",
        reference="engine practice; the order is discussed in 2508.06133",
        source=WANG,
        decide=decide,
        key=lambda known, params: known.estimate,
    ),
)
