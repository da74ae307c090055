"""Waiting requests by predicted output, admitted by the memory of the moment (sjf, ltr)."""

from __future__ import annotations

import numpy as np

from algos.card import Parameter
from algos.engine import queue
from algos.papers import FU
from algos.serving.actions import admit, decode_all, first_waiting, fits, may_admit
from algos.serving.cards import MAX_BATCH, ServingCard
from algos.serving.state import NEVER
from kvratio.problem.compiled import inlined

# ltr: r.a is 1 + the decision at which a request was promoted, 0 before. Scratch: waiting requests that are not
# promoted by the iteration after which they joined; waiting promoted ones by (promotion, index).


def decide_sjf(v):
    """Admit in sorted order while the first fits; everybody who is resident takes part in the iteration."""
    s = v.st[0]
    limit = np.int64(v.param[0])
    i = first_waiting(v)
    while i >= 0 and may_admit(v) and s.residents < limit and fits(v, i):
        admit(v, i)
        i = first_waiting(v)
    decode_all(v)
    s.heed = s.residents < limit
    return NEVER


def decide_ltr(v):
    """As sjf, with those that have waited ``starvation`` iterations in front, in the order of their promotion.

    A promotion lasts until completion, through evictions.
    """
    s = v.st[0]
    limit, starvation = np.int64(v.param[0]), np.int64(v.param[1])
    patient, promoted = _queue(v, 0), _queue(v, 1)
    for k in range(s.joiners):
        i = v.joiners[k]
        if v.req[i].a > 0:
            queue.push(promoted, i, v.req[i].a, 0)
        else:
            queue.push(patient, i, s.iterations, 0)
    s.joiners = 0
    while queue.size(patient) > 0 and queue.top_key(patient) + starvation <= s.iterations:
        i = queue.pop(patient)
        v.req[i].a = s.decision + 1
        queue.push(promoted, i, v.req[i].a, 0)
    while may_admit(v) and s.residents < limit:
        i = queue.top(promoted)
        if i < 0:
            i = first_waiting(v)
        if i < 0 or not fits(v, i):
            break
        queue.remove(promoted, i)
        queue.remove(patient, i)
        admit(v, i)
    decode_all(v)
    return queue.top_key(patient) + starvation - s.iterations if queue.size(patient) > 0 else NEVER


@inlined
def _queue(v, number):
    n = len(v.req)
    return queue.Queue(v.own, number * (1 + n + queue.ENTRY * n), n)


CARDS = (
    ServingCard(
        id="sjf",
        title="Shortest predicted output first",
        information="prediction",
        about="As fcfs, with waiting requests sorted by predicted output.",
        reference="derived",
        source="the greedy rule of arXiv 2504.11320 with a sorted queue",
        eviction="restart",
        parameters=(MAX_BATCH,),
        key=lambda predicted, prompt: predicted,
        decide=decide_sjf,
    ),
    ServingCard(
        id="ltr",
        title="Learning to rank",
        information="prediction",
        about="Uses the order of predictions only, in a mixed batch like fcfs. Who has waited many iterations is "
        "promoted to the front until it completes. Overflow evicts by the engine's rule, the latest admission.",
        reference="2408.15792",
        source=FU,
        eviction="recompute",
        parameters=(
            MAX_BATCH,
            Parameter(
                "starvation", 256, "iterations of waiting after which promotion comes", low=1, high=2**53, whole=True
            ),
        ),
        key=lambda predicted, prompt: predicted,
        decide=decide_ltr,
        scratch=lambda n: 2 * queue.words_needed(n),
        tell=True,
    ),
)
