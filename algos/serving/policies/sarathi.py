"""Chunked prefill under a token budget: decodes first, prompts fill up the iteration (sarathi)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Parameter
from algos.engine import bitset
from algos.papers import AGRAWAL
from algos.serving.actions import (
    admit_part,
    decode,
    decode_all,
    first_waiting,
    may_admit,
    need,
    prefill,
    watermark_limit,
)
from algos.serving.cards import MAX_BATCH, WATERMARK, ServingCard
from algos.serving.state import NEVER
from kvratio.problem.compiled import inlined


def decide(v):
    """Spend the token budget on decodes, then on unfinished prompts, then on new ones, each time the oldest first."""
    s = v.st[0]
    limit, left = np.int64(v.param[0]), np.int64(v.param[2])
    left -= _decode(v, left)
    n = len(v.req)
    i = bitset.first(v.prefilling)
    while i >= 0 and left > 0:
        r = v.req[i]
        chunk = min(r.prompt + r.kept - r.done, left)
        prefill(v, i, chunk)
        left -= chunk
        i = bitset.following(v.prefilling, i + 1, n)
    i = first_waiting(v)
    while (
        i >= 0
        and left > 0
        and may_admit(v)
        and s.residents < limit
        and s.used + need(v, i) <= watermark_limit(v, v.param[1])
    ):
        chunk = min(v.req[i].prompt + v.req[i].kept, left)
        admit_part(v, i, chunk)
        left -= chunk
        i = first_waiting(v)
    s.heed = i < 0
    return NEVER


@inlined
def _decode(v, left):
    """Let the oldest requests decode, as many as the budget allows; return how many do."""
    s = v.st[0]
    if s.together:
        decode_all(v)
        return s.active
    i = bitset.first(v.decoding)
    while i >= 0 and s.decodes < left:
        decode(v, i)
        i = bitset.following(v.decoding, i + 1, len(v.req))
    return s.decodes


def together(settings: Mapping[str, Any]) -> bool:
    """Whether the budget never keeps a resident from decoding."""
    return settings["max_batch"] is not None and settings["max_batch"] <= settings["token_budget"]


CARDS = (
    ServingCard(
        id="sarathi",
        title="Sarathi, chunked prefill",
        information="none",
        about="Every iteration computes at most a budget of tokens: one for each resident that decodes, the rest for "
        "chunks of prompts, so that long prompts stall nobody.",
        reference="2403.02310",
        source=AGRAWAL,
        eviction="recompute",
        parameters=(
            MAX_BATCH,
            WATERMARK,
            Parameter("token_budget", 512, "most tokens computed in an iteration", low=1, high=2**53, whole=True),
        ),
        decide=decide,
        together=together,
    ),
)
