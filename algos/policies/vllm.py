"""First come, first served by the memory of the next round, latest evicted: vLLM's default scheduler (vllm_fcfs)."""

from __future__ import annotations

from algos.card import Card, Parameter
from algos.engine.actions import evict, first_waiting, last_running, need, room, start
from algos.engine.state import NEVER
from algos.papers import KWON


def decide(v):
    """Evict the last in rank while the next round overflows, then start by rank while one more round fits.

    Wake times: where an eviction forbids starts at this epoch, the next epoch. Otherwise none: between events the
    demand of the next round only grows, so a misfit stays one.
    """
    s = v.st[0]
    evicted = False
    while need(v) > s.memory:
        evict(v, last_running(v))
        evicted = True
    if evicted and v.param[0] == 0.0:
        return s.now + 1
    i = first_waiting(v)
    while i >= 0 and room(v, i):
        start(v, i)
        i = first_waiting(v)
    return NEVER


CARDS = (
    Card(
        id="vllm_fcfs",
        title="vLLM's first come, first served",
        family="engine",
        information="none",
        evicts="yes",
        about="Starts by rank while the next round fits and evicts the latest when it does not. Engines recompute "
        'and start nothing in a step with a preemption: eviction="recompute", admit_after_evict=False. Its ratio '
        "is unbounded.",
        reference="2309.06180",
        source=KWON,
        parameters=(Parameter("admit_after_evict", True, "start requests at an epoch that evicted some"),),
        decide=decide,
    ),
)
