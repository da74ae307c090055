"""Prefill first, then decode: the scheduler of vLLM as simulators have it (vllm)."""

from __future__ import annotations

import numpy as np

from algos.card import Parameter
from algos.papers import KWON
from algos.serving.actions import admit, decode_all, first_waiting, may_admit, need, watermark_limit
from algos.serving.cards import MAX_BATCH, WATERMARK, ServingCard
from algos.serving.state import NEVER


def decide(v):
    """Admit a batch of prompts that leaves the watermark free and keeps the token budget; else decode all.

    The budget bounds the product of number and longest prompt (or their sum); one prompt alone may exceed it.
    """
    s = v.st[0]
    limit, budget, padded = np.int64(v.param[0]), v.param[2], v.param[3]
    longest, total = np.int64(0), np.int64(0)
    i = first_waiting(v)
    while i >= 0 and may_admit(v) and s.residents < limit and s.used + need(v, i) <= watermark_limit(v, v.param[1]):
        tokens = v.req[i].prompt + v.req[i].kept
        longest, total = max(longest, tokens), total + tokens
        if s.prefills > 0 and (
            (padded == 1.0 and (s.prefills + 1) * longest > budget) or (padded == 0.0 and total > budget)
        ):
            break
        admit(v, i)
        i = first_waiting(v)
    if s.prefills == 0:
        decode_all(v)
    s.heed = i < 0
    return NEVER


CARDS = (
    ServingCard(
        id="vllm",
        title="vLLM, prefill first",
        information="none",
        about="Prompts wait for no decode: whenever some can be admitted they form a batch of their own, and all "
        "others pause. Decodes run when nobody can be admitted.",
        reference="2309.06180",
        source=KWON,
        eviction="recompute",
        parameters=(
            MAX_BATCH,
            WATERMARK,
            Parameter("token_budget", 4096, "most tokens of a prefill batch; a longer prompt goes alone", low=1),
            Parameter("padded_budget", True, "count number x longest prompt; false: the sum of prompts"),
        ),
        decide=decide,
    ),
)
