"""Smallest volume first with a tuned key (svf_tuned), and the same with equal lengths kept apart (svf_tuned_sps)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.papers import KONG
from algos.policies import paced
from algos.policies.list_order import SKIP, decide, volume

#: weights that the search for schedules found good on most workloads (docs/optimum.md)
OUTPUT_WEIGHT, PEAK_WEIGHT = 0.2, 0.4

# Both at least 0: then of two requests of equal length the one with the shorter prompt comes first, as `paced` assumes.
WEIGHTS = (
    Parameter("output_weight", OUTPUT_WEIGHT, "weight of log o beside log volume", low=0.0, high=100.0),
    Parameter("peak_weight", PEAK_WEIGHT, "weight of log (s + o) beside log volume", low=0.0, high=100.0),
)


def tuned_key(known: Known, params: Mapping[str, Any]) -> Any:
    """Return log v + a log o + b log (s + o) of each request, by its believed length, float64[n]."""
    v, o, peak = (np.log(x.astype(np.float64)) for x in (volume(known), known.estimate, known.prompt + known.estimate))
    return v + params["output_weight"] * o + params["peak_weight"] * peak


_COMMON: dict[str, Any] = {
    "family": "list",
    "information": "prediction",
    "evicts": "if a prediction is too low",
    "reference": "derived in docs/optimum.md",
    "source": f"This project; svf is from {KONG}",
    "parameters": (SKIP, *WEIGHTS),
}

CARDS = (
    Card(
        id="svf_tuned",
        title="Smallest volume first, tuned",
        about="svf by log volume + 0.2 log output + 0.4 log peak, the key that the search for offline schedules "
        "settled on: of equal volumes the shorter and the lower go first. New here; nothing is proved.",
        decide=decide,
        key=tuned_key,
        **_COMMON,
    ),
    Card(
        id="svf_tuned_sps",
        title="Smallest volume first, tuned and staggered",
        about="svf_tuned that starts requests of equal predicted length v/M rounds apart, as svf_sps does. New here; "
        "nothing is proved.",
        decide=paced.decide,
        key=paced.class_order,
        scratch=paced.scratch,
        **_COMMON,
    ),
)
