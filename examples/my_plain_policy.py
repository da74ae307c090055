"""A policy in plain Python: sets, sorting and text where one likes; slow, and right for trying an idea."""

from algos.card import Card
from algos.engine.actions import evict, latest_started, need, room, start
from algos.engine.state import NEVER, WAITING


def decide(v):
    """Start waiting requests in pairs of a small and a large prompt; evict the newest on overflow."""
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, latest_started(v))
    waiting = sorted((i for i in range(s.n) if v.req[i].status == WAITING), key=lambda i: (v.req[i].prompt, i))
    pairs = [pick for pair in zip(waiting, reversed(waiting), strict=True) for pick in pair]
    for i in dict.fromkeys(pairs):
        if room(v, i):
            start(v, i)
    return NEVER


CARD = Card(
    id="pairs", title="Small and large in turn", family="examples", information="none", evicts="yes",
    about="Shows a policy that numba need not compile.", reference="none", source="this example",
    decide=decide, plain=True,
)  # fmt: skip
