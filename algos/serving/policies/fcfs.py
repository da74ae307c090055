"""First come, first served by the memory of the moment, prompts and decodes in one batch (fcfs)."""

from __future__ import annotations

import numpy as np

from algos.papers import AO
from algos.serving.actions import admit, decode_all, first_waiting, fits, may_admit
from algos.serving.cards import MAX_BATCH, ServingCard
from algos.serving.state import NEVER


def decide(v):
    """Admit from the head of the queue while it fits; everybody who is resident takes part in the iteration.

    A head that does not fit waits for a completion or an eviction: between events memory only fills.
    """
    s = v.st[0]
    limit = np.int64(v.param[0])
    i = first_waiting(v)
    while i >= 0 and may_admit(v) and s.residents < limit and fits(v, i):
        admit(v, i)
        i = first_waiting(v)
    decode_all(v)
    s.heed = i < 0
    return NEVER


CARDS = (
    ServingCard(
        id="fcfs",
        title="First come, first served",
        information="none",
        about="Admits from the head of the queue while the present memory allows, in one mixed batch with all "
        "residents. The greedy rule of the WAIT paper.",
        reference="2504.11320",
        source=AO,
        eviction="restart",
        parameters=(MAX_BATCH,),
        decide=decide,
    ),
)
