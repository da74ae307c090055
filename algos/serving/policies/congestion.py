"""Rules against service-induced congestion: a cap on admissions, and length classes in turn (rate_capped, mixed)."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.card import Parameter
from algos.engine import bitset
from algos.papers import AO_CONGESTION
from algos.policies.mixed import FIRST, TAKEN, meet, next_class, place_of
from algos.policies.rate_capped import TICKS, earned, rounds_until, ticks
from algos.serving.actions import admit, decode_all, first_waiting, fits, may_admit
from algos.serving.cards import MAX_BATCH, Case, ServingCard
from algos.serving.state import NEVER
from algos.serving.tables import clamped

# mixed: r.a is 1 once a request has been met. Scratch as in the unit-round policy.


def decide_capped(v):
    """As fcfs, with admissions paid from a bucket that earns with every iteration; an empty worker admits one anyway.

    Scalars: u ticks are left after iteration v - 1.
    """
    s = v.st[0]
    limit, rate, burst = np.int64(v.param[0]), max(np.int64(1), ticks(v.param[1])), ticks(v.param[3])
    credit = earned(s.u, s.iterations + 1 - s.v, rate, burst) if s.iterations + 1 > s.v else s.u
    i = first_waiting(v)
    open_for_more = may_admit(v)
    while i >= 0 and open_for_more and s.residents < limit and fits(v, i) and (credit >= TICKS or s.residents == 0):
        admit(v, i)
        credit = max(credit - TICKS, np.int64(0))
        i = first_waiting(v)
    s.u, s.v = credit, s.iterations + 1
    decode_all(v)
    s.heed = i < 0
    if i >= 0 and open_for_more and credit < TICKS and s.residents < limit and fits(v, i):
        return rounds_until(credit, rate)
    return NEVER


def resolve_rate(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in a share of x* = C / (mean predicted area), with the areas of (o + 1) passes of l .. l + o tokens."""
    fine = ~case.refused
    if values["rate"] is None and fine.any():
        prompt, length = case.requests.prompt[fine], clamped(case)[fine]
        area = (length + 1) * prompt + length * (length + 1) // 2
        values["rate"] = values["share"] * case.memory * len(prompt) / float(area.sum(dtype=np.float64))
    elif values["rate"] is None:
        values["rate"] = 1.0
    return values


def decide_mixed(v):
    """Admit the next of the class whose turn it is while it fits; everybody who is resident takes part."""
    s = v.st[0]
    n, limit, width = len(v.req), np.int64(v.param[0]), np.int64(v.param[1])
    for k in range(s.joiners):
        r = v.req[v.joiners[k]]
        kind = (r.estimate - 1) // width
        if r.a == 0:
            s.u = meet(v.own, n, s.u, kind, r.rank)
            r.a = 1
        else:
            v.own[TAKEN * n + place_of(v.own, n, s.u, kind)] -= 1
    s.joiners = 0
    k = next_class(v.own, n, s.u)
    while k >= 0 and may_admit(v) and s.residents < limit:
        i = v.order[bitset.following(v.waiting, v.own[FIRST * n + k], len(v.order))]
        if not fits(v, i):
            break
        admit(v, i)
        v.own[TAKEN * n + k] += 1
        k = next_class(v.own, n, s.u)
    decode_all(v)
    s.heed = s.residents < limit
    return NEVER


CARDS = (
    ServingCard(
        id="rate_capped",
        title="First come, first served, admissions capped at x*",
        information="none",
        about="As fcfs, with at most x* = C / (mean area) admissions an iteration on average, by a token bucket. An "
        "empty worker admits one request in any case.",
        reference="2606.15555",
        source=AO_CONGESTION,
        eviction="restart",
        parameters=(
            MAX_BATCH,
            Parameter(
                "rate",
                None,
                "admissions earned an iteration; none: share x C / (mean predicted area), taken as public",
                low=0.0,
                high=float(1 << 32),
                above=True,
            ),
            Parameter("share", 1.0, "of x*, where no rate is given", low=0.0, high=1e9, above=True),
            Parameter("burst", 1.0, "unused admissions that are kept for later", low=1.0, high=float(1 << 32)),
        ),
        resolve=resolve_rate,
        decide=decide_capped,
    ),
    ServingCard(
        id="mixed",
        title="Length classes in rotation",
        information="prediction",
        about="As fcfs, but classes of predicted output take turns in proportion to their arrivals.",
        reference="2606.15555",
        source=AO_CONGESTION,
        eviction="restart",
        parameters=(MAX_BATCH, Parameter("width", 1, "lengths in a class", low=1, high=float(2**53), whole=True)),
        key=lambda predicted, prompt: predicted,
        decide=decide_mixed,
        scratch=lambda n: 4 * n,
        tell=True,
    ),
)
