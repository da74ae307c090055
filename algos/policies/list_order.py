"""List policies: a fixed order, and a check that no future round overflows (fcfs, mc_sf, tsf, svf)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algos.card import Card, Guarantee, Known, Parameter
from algos.engine.actions import age, evict, latest_started, need, start_in_order
from algos.papers import JAILLET, KONG, WANG
from kvratio.problem.instance import Instance

SKIP = Parameter("skip", False, "go on past a request that does not fit instead of stopping at it")


def decide(v):
    """Evict the latest while the next round overflows, then start in order while the future-peak check holds."""
    s = v.st[0]
    for k in range(s.n_arrived):
        r = v.req[v.arrived[k]]
        r.a = r.estimate
    while need(v) > s.memory:
        i = latest_started(v)
        # Only a prediction that was too low leads here: it has proved longer than believed.
        r = v.req[i]
        r.a = max(r.a, min(age(v, i) + 1, s.memory - r.prompt))
        evict(v, i)
    return start_in_order(v, int(v.param[0]))


def svf_ratio(inst: Instance, params: Mapping[str, Any]) -> float | None:
    """1 + 2/(1 - alpha) (Kong et al., arXiv 2606.22327)."""
    return 1 + 2 / (1 - inst.alpha) if inst.alpha < 1 else None


def _exact_batch(inst: Instance, params: Mapping[str, Any]) -> bool:
    exact = bool((inst.clamp(inst.predicted) == inst.output).all())
    return inst.is_batch and exact and inst.alpha < 1 and not params.get("skip", False)


SVF_GUARANTEE = Guarantee(
    text="1 + 2/(1-alpha)",
    ratio=svf_ratio,
    holds=_exact_batch,
    hypotheses="batch, exact lengths, alpha < 1, no overtaking",
    reference="2606.22327",
)
MC_SF_GUARANTEE = Guarantee(
    text="1 + 2/(1-alpha)",
    ratio=svf_ratio,
    holds=lambda inst, params: inst.equal_prompts and _exact_batch(inst, params),
    hypotheses="batch, equal prompts, exact lengths, alpha < 1, no overtaking (then the order is svf's)",
    reference="derived from 2606.22327; 2502.07115 first proved a constant",
)


def volume(known: Known) -> Any:
    """Believed volume s e + e (e + 1) / 2 of each request, int64[n]."""
    e = known.estimate
    return known.prompt * e + e * (e + 1) // 2


def _list_card(**about: Any) -> Card:
    common: dict[str, Any] = {"family": "list", "information": "prediction", "evicts": "if a prediction is too low"}
    return Card(parameters=(SKIP,), decide=decide, **common, **about)


CARDS = (
    _list_card(
        id="fcfs",
        title="First come, first served",
        about="Order of arrival with the future-peak check: the benchmark that every paper starts from. "
        "A batch in an unlucky order costs it a factor of order M.",
        key=lambda known, params: known.arrival,
        reference="2502.07115",
        source=JAILLET,
    ),
    _list_card(
        id="mc_sf",
        aliases=("sf",),
        title="Memory-constrained shortest first",
        about="Shortest predicted output first, admitted only while no future round overflows.",
        key=lambda known, params: known.estimate,
        guarantee=MC_SF_GUARANTEE,
        reference="2502.07115",
        source=JAILLET,
    ),
    _list_card(
        id="tsf",
        title="Total shortest first",
        about="Smallest peak (prompt plus predicted output) first. Loses a factor of order sqrt(M) on mixed prompts.",
        key=lambda known, params: known.prompt + known.estimate,
        reference="2508.06133",
        source=WANG,
    ),
    _list_card(
        id="svf",
        title="Smallest volume first",
        about="Order of token-rounds s o + o(o+1)/2, admitted only while no future round overflows.",
        key=lambda known, params: volume(known),
        guarantee=SVF_GUARANTEE,
        reference="2606.22327",
        source=KONG,
    ),
)
