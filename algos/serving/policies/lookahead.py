"""Admission by looking ahead to the believed ends of all residents (lightllm, mc_sf, svf)."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.card import Parameter
from algos.papers import AGRAWAL_VIDUR, JAILLET, KONG
from algos.serving import believed
from algos.serving.actions import admit, decode_all, first_waiting, may_admit
from algos.serving.cards import MAX_BATCH, Case, ServingCard
from algos.serving.policies.reserving import MAX_TOKENS
from algos.serving.state import NEVER
from kvratio.problem.compiled import inlined


def decide_lightllm(v):
    """Prefill all who fit if all ran to the longest output, at most every so many decodes; else decode all.

    A head that does not fit may fit one decode later, since the others will then be nearer to their ends.
    """
    s = v.st[0]
    limit, longest, every = np.int64(v.param[0]), np.int64(v.param[1]), np.int64(v.param[2])
    i = first_waiting(v)
    patience = np.int64(1)
    # s.u: number of iterations up to the last prefill. All since were decodes.
    if i < 0 or not may_admit(v) or s.residents >= limit:
        patience = NEVER
    elif s.residents > 0 and s.iterations - s.u < every:
        patience = every - (s.iterations - s.u)
    else:
        _admit_looking_ahead(v, i, limit, longest, s.residents == 0)
    if s.prefills > 0:
        s.u = s.iterations + 1
    else:
        decode_all(v)
    s.heed = i < 0
    return patience


def decide_predicted(v):
    """Admit in sorted order while all are believed to fit until their ends; all residents take part."""
    s = v.st[0]
    limit = np.int64(v.param[0])
    i = first_waiting(v)
    if i >= 0 and may_admit(v) and s.residents < limit:
        i = _admit_looking_ahead(v, i, limit, np.int64(-1), False)
    decode_all(v)
    s.heed = s.residents < limit
    return np.int64(1) if i >= 0 and may_admit(v) and s.residents < limit else NEVER


@inlined
def _admit_looking_ahead(v, i, limit, longest, alone):
    """Admit from the head i on; return the first that was not admitted. Alone, a request may pass in any case."""
    believed.mend(v, longest)
    while i >= 0 and v.st[0].residents < limit and (alone or believed.fits_until_end(v, i, longest)):
        alone = False
        admit(v, i)
        believed.include(v, i, longest)
        i = first_waiting(v)
    return i


def resolve(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the largest output."""
    if values["max_tokens"] is None:
        fine = case.requests.output[~case.refused]
        values["max_tokens"] = int(fine.max()) if len(fine) else 1
    return values


CARDS = (
    ServingCard(
        id="lightllm",
        title="LightLLM, future peak",
        information="none",
        about="Admits when the peak of the memory, if all residents ran to max_tokens, fits; prompts form batches of "
        "their own, at most one in so many decodes. The peak takes it that all advance together, but a prefill moves "
        "only the newcomers, so a full memory can still overflow by a few tokens.",
        reference="2405.05465",
        source=f"LightLLM, as a baseline of {AGRAWAL_VIDUR}",
        eviction="recompute",
        parameters=(
            MAX_BATCH,
            MAX_TOKENS,
            Parameter("prefill_every", 10, "decode iterations between prefills", low=0, high=2**53, whole=True),
        ),
        decide=decide_lightllm,
        resolve=resolve,
        scratch=believed.words_needed,
    ),
    ServingCard(
        id="mc_sf",
        title="Shortest predicted output first, with look-ahead",
        information="prediction",
        about="Waiting requests by predicted output; one is admitted if all residents fit until their predicted ends.",
        reference="2502.07115",
        source=JAILLET,
        eviction="restart",
        parameters=(MAX_BATCH,),
        key=lambda predicted, prompt: predicted,
        decide=decide_predicted,
        scratch=believed.words_needed,
    ),
    ServingCard(
        id="svf",
        title="Smallest predicted volume first, with look-ahead",
        information="prediction",
        about="As mc_sf, with waiting requests by predicted volume l p + p (p + 1) / 2.",
        reference="2606.22327",
        source=KONG,
        eviction="restart",
        parameters=(MAX_BATCH,),
        key=lambda predicted, prompt: prompt * predicted + predicted * (predicted + 1) // 2,
        decide=decide_predicted,
        scratch=believed.words_needed,
    ),
)
