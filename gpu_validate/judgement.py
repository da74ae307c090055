"""What a comparison says: ratios to the best policy, to the best schedule known, to the bound; and rank agreement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gpu_validate.contest import OFFLINE

#: the two simulated orders that are held against the measured one
SIMULATED = ("rounds", "predicted")


def judge(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per policy and instance with its ratios, from the results of one model.

    Columns: latencies in rounds, by the clock and measured; ``to_best`` and ``to_offline``: measured mean latency over
    that of the best policy and of the replayed best known schedule; ``to_bound``: measured total latency over the
    certified bound in seconds (None with arrivals); ``rounds_low``, ``rounds_high``: the certified ratio in rounds.
    """
    rows = []
    for label, about in model["instances"].items():
        here = [row for row in model["rows"] if row["instance"] == label]
        policies = [row for row in here if row["policy"] != OFFLINE]
        if not policies:
            continue
        best = min(row["measured"]["mean"] for row in policies)
        offline = next((row["measured"]["mean"] for row in here if row["policy"] == OFFLINE), None)
        rows += [_judged(row, about, best, offline) for row in here]
    return rows


def _judged(row: Mapping[str, Any], about: Mapping[str, Any], best: float, offline: float | None) -> dict[str, Any]:
    mean = row["measured"]["mean"]
    floor = about["bound_seconds"]
    cost = row["rounds"]["mean"] * about["n"]
    lower, upper = about["lower"] - about["arrivals"], about["upper"] - about["arrivals"]
    comparable = row["eviction"] == "restart"
    return {
        "instance": row["instance"],
        "policy": row["policy"],
        "rounds_mean": row["rounds"]["mean"],
        "predicted_mean": row["predicted"]["mean"],
        "measured_mean": mean,
        "measured_p99": row["measured"]["p99"],
        "ttft_mean": row["measured"]["ttft_mean"],
        "error": row["predicted"]["mean"] / mean - 1,
        "to_best": mean / best,
        "to_offline": None if offline is None else mean / offline,
        "to_bound": None if floor is None else mean * about["n"] / floor,
        "rounds_low": cost / upper if comparable and upper > 0 else None,
        "rounds_high": cost / lower if comparable and lower > 0 else None,
        "kills": row["counts"]["kills"],
        "guarantee": row["guarantee"],
    }


def agreements(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return Kendall's tau between simulated and measured mean latency, per instance and simulated order.

    The policies of an instance are ranked; the offline schedule is left out. ``tau`` is None with fewer than two
    policies, or where one order ties them all. ``pairs``: pairs of policies ordered one way by both, the other way,
    and tied in one of them.
    """
    found = []
    for label in model["instances"]:
        here = [row for row in model["rows"] if row["instance"] == label and row["policy"] != OFFLINE]
        for simulated in SIMULATED:
            told = [row[simulated]["mean"] for row in here]
            seen = [row["measured"]["mean"] for row in here]
            agree, differ, tied = count_pairs(told, seen)
            found.append(
                {
                    "instance": label,
                    "simulated": simulated,
                    "policies": len(here),
                    "tau": kendall(told, seen),
                    "agree": agree,
                    "differ": differ,
                    "tied": tied,
                }
            )
    return found


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two orders, None where it has no value."""
    from scipy.stats import kendalltau  # slow to import

    if len(first) < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    tau = float(kendalltau(first, second).statistic)
    return tau if math.isfinite(tau) else None


def count_pairs(first: Sequence[float], second: Sequence[float]) -> tuple[int, int, int]:
    """Count pairs that both order alike, that they order differently, and that one of them ties."""
    agree = differ = tied = 0
    for i in range(len(first)):
        for j in range(i):
            product = (first[i] - first[j]) * (second[i] - second[j])
            agree, differ, tied = agree + (product > 0), differ + (product < 0), tied + (product == 0)
    return agree, differ, tied
