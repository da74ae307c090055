"""First come, first served with a cap on admissions: a token bucket of x* a round (rate_capped)."""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.card import Card, Parameter
from algos.engine.actions import evict, first_waiting, last_running, need, room, start
from algos.engine.state import NEVER
from algos.papers import AO_CONGESTION
from kvratio.problem.compiled import inlined
from kvratio.problem.instance import Instance

#: the bucket is counted in whole ticks: so many make one admission
TICKS = 1 << 20


@inlined
def earned(left, rounds, rate, burst):
    """Ticks after some rounds, each of which keeps at most ``burst`` of what was left and adds ``rate``."""
    left = min(left, burst)
    before_last = rounds - 1
    if before_last > (burst - left) // rate:
        return burst + rate
    return min(left + before_last * rate, burst) + rate


@inlined
def ticks(number):
    """A number of admissions in ticks, rounded down."""
    return np.int64(number * TICKS)


@inlined
def rounds_until(credit, rate):
    """Rounds until a bucket with ``credit`` < `TICKS` holds one admission."""
    return (TICKS - credit + rate - 1) // rate


def decide(v):
    """Evict the last in rank while the next round overflows; start by rank while the round fits and the bucket lasts.

    Scalars: u ticks are left after the epoch v - 1. The bucket is empty before epoch 0.
    """
    s = v.st[0]
    rate, burst = max(np.int64(1), ticks(v.param[0])), ticks(v.param[2])
    credit = earned(s.u, s.now + 1 - s.v, rate, burst) if s.now + 1 > s.v else s.u
    while need(v) > s.memory:
        evict(v, last_running(v))
    i = first_waiting(v)
    while i >= 0 and room(v, i) and (credit >= TICKS or s.running == 0):
        start(v, i)
        credit = max(credit - TICKS, np.int64(0))
        i = first_waiting(v)
    s.u, s.v = credit, s.now + 1
    if i >= 0 and credit < TICKS and room(v, i):
        return s.now + rounds_until(credit, rate)
    return NEVER


def resolve(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in a share of x* = M / (mean predicted volume), the rate at which memory would just be full."""
    if settings["rate"] is None:
        length = inst.clamp(inst.predicted)
        volume = inst.prompt * length + length * (length + 1) // 2
        settings["rate"] = settings["share"] * inst.memory * inst.n / float(volume.sum(dtype=np.float64))
    return settings


CARDS = (
    Card(
        id="rate_capped",
        title="First come, first served, admissions capped at x*",
        family="engine",
        information="none",
        evicts="yes",
        about="As vllm_fcfs, with at most x* = M / (mean volume) starts a round on average, by a token bucket. Then no "
        "age holds much more than x*, and the worker does not fall into the cycle of overfilling and killing. An empty "
        "worker starts one request in any case.",
        reference="2606.15555",
        source=AO_CONGESTION,
        parameters=(
            Parameter(
                "rate",
                None,
                "starts earned a round; none: share x M / (mean predicted volume), taken as public",
                low=0.0,
                high=float(1 << 32),
                above=True,
            ),
            Parameter("share", 1.0, "of x*, where no rate is given", low=0.0, high=1e9, above=True),
            Parameter("burst", 1.0, "unused starts that are kept for later rounds", low=1.0, high=float(1 << 32)),
        ),
        resolve=resolve,
        decide=decide,
    ),
)
