"""Room for the longest possible output is reserved on admission (orca, faster_transformer)."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.card import Parameter
from algos.papers import YU
from algos.serving.actions import admit, decode_all, first_waiting, may_admit, rounded
from algos.serving.cards import MAX_BATCH, Case, ServingCard
from algos.serving.state import NEVER
from kvratio.problem.compiled import inlined
from kvratio.problem.errors import BadParameter


def decide_orca(v):
    """Admit from the head while the reservations fit; everybody who is resident takes part in the iteration."""
    _admit_reserving(v)
    decode_all(v)
    v.st[0].heed = first_waiting(v) < 0
    return NEVER


def decide_faster_transformer(v):
    """Admit a new group when the last one has ended; until then nobody joins."""
    s = v.st[0]
    if s.residents == 0:
        _admit_reserving(v)
    decode_all(v)
    s.heed = s.residents == 0
    return NEVER


@inlined
def _admit_reserving(v):
    """Admit from the head while all reservations fit; alone, a request always fits."""
    s = v.st[0]
    limit, longest = np.int64(v.param[0]), np.int64(v.param[1])
    i = first_waiting(v)
    if i < 0 or s.residents >= limit or not may_admit(v):
        return
    reserved = np.int64(0)
    j = s.oldest
    while j >= 0:
        reserved += rounded(v, v.req[j].prompt + longest)
        j = v.req[j].after
    while i >= 0 and s.residents < limit:
        reserved += rounded(v, v.req[i].prompt + longest)
        if s.residents > 0 and reserved > s.memory:
            break
        admit(v, i)
        i = first_waiting(v)


def resolve(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the largest output, below which a reservation may not lie."""
    fine = case.requests.output[~case.refused]
    largest = int(fine.max()) if len(fine) else 1
    if values["max_tokens"] is None:
        values["max_tokens"] = largest
    if values["max_tokens"] < largest:
        raise BadParameter(
            f"max_tokens is {values['max_tokens']}, but a request has {largest} output tokens: reserve at least these"
        )
    return values


MAX_TOKENS = Parameter(
    "max_tokens", None, "output tokens reserved for each; none: the largest output", low=1, high=2**53, whole=True
)

CARDS = (
    ServingCard(
        id="orca",
        title="Orca, reserving the longest output",
        information="none",
        about="Reserves prompt + max_tokens for each resident and batches by iteration, prompts and decodes mixed. "
        "Never evicts.",
        reference="OSDI 2022",
        source=YU,
        eviction="recompute",
        parameters=(MAX_BATCH, MAX_TOKENS),
        decide=decide_orca,
        resolve=resolve,
    ),
    ServingCard(
        id="faster_transformer",
        title="FasterTransformer, whole batches",
        information="none",
        about="Batches by request: a group is admitted when the one before has ended, and its reservations are kept "
        "until its last request ends. Never evicts.",
        reference="2504.11320",
        source="NVIDIA FasterTransformer, as a baseline of Vidur (Agrawal et al., arXiv 2405.05465)",
        eviction="recompute",
        parameters=(MAX_BATCH, MAX_TOKENS),
        decide=decide_faster_transformer,
        resolve=resolve,
    ),
)
