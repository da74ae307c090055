"""Smallest volume first from one bit per request: is the output longer than sqrt(T)? (one_bit_svf)."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from algos.card import Card, Known, Parameter
from algos.engine.actions import need, start_in_order
from algos.engine.relief import evict_latest
from algos.papers import KONG
from algos.policies.list_order import SKIP
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance

# Places in the vector of settings; theta is computed.
SKIPS, LONGEST, THETA = 0, 1, 5


def decide(v):
    """Run the list loop with the upper end of its class as every request's believed length."""
    s = v.st[0]
    for k in range(s.n_arrived):
        r = v.req[v.arrived[k]]
        length = int(v.param[LONGEST]) if r.estimate == 1 else int(v.param[THETA])
        r.a = max(1, min(length, s.memory - r.prompt))
    while need(v) > s.memory:
        evict_latest(v)
    return start_in_order(v, int(v.param[SKIPS]))


def resolve(inst: Instance, params: dict[str, Any]) -> dict[str, Any]:
    """Fill in the longest possible output T (default: the largest clamped prediction) and theta = floor(sqrt T)."""
    if params["max_output"] is None:
        params["max_output"] = int(inst.clamp(inst.predicted).max())
    if params["representative"] == "mean":
        for name in ("mean_short", "mean_long"):
            if params[name] is None:
                raise BadParameter(
                    f"one_bit_svf: {name} is missing: representative='mean' needs the mean of each class"
                )
    params["theta"] = isqrt(params["max_output"])
    return params


def class_volume(known: Known, params: Mapping[str, Any]) -> Any:
    """Volume s R + (R^2 + R)/2 with the class's representative length R, float64[n]; the estimate is the one bit."""
    longest = float(params["max_output"])
    short, long = longest**0.25, longest**0.75
    if params["representative"] == "mean":
        short, long = float(params["mean_short"]), float(params["mean_long"])
    is_long = known.estimate == 1
    volume = known.prompt * short + (short * short + short) / 2
    volume[is_long] = known.prompt[is_long] * long + (long * long + long) / 2
    return volume


CARDS = (
    Card(
        id="one_bit_svf",
        title="Smallest volume first from one bit",
        family="list",
        information="one_bit",
        evicts="if a prediction is too low",
        about="Knows of each request only whether its prediction exceeds theta = floor(sqrt T), T the longest possible "
        "output. Orders by the volume of the class's representative length and plans with the class's upper end. "
        "The source bounds its ratio by a power of T; which one is uncertain, so no guarantee is printed.",
        reference="2606.22327",
        source=KONG,
        parameters=(
            SKIP,
            Parameter(
                "max_output", None, "T, the longest possible output; none: the largest prediction", low=1, whole=True
            ),
            Parameter(
                "representative",
                "geometric",
                "length that stands for a class: T^(1/4) and T^(3/4), or the given means",
                choices=("geometric", "mean"),
            ),
            Parameter("mean_short", None, "mean output of the short class, for representative=mean", low=0),
            Parameter("mean_long", None, "mean output of the long class, for representative=mean", low=0),
        ),
        decide=decide,
        key=class_volume,
        resolve=resolve,
    ),
)
