"""Tables of a sweep: every cell, means with intervals, and paired differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.naming import canonical
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.serving.verdict import REPLICATIONS, stability_verdict

if TYPE_CHECKING:
    import pandas as pd

#: metrics of `Measure` that are averaged over replications, in the order of the tables
METRICS = (
    *("latency_mean", "latency_p50", "latency_p90", "latency_p99"),
    *("ttft_mean", "ttft_p50", "ttft_p90", "ttft_p99", "prefill_mean"),
    *("tpot_mean", "tpot_p50", "tpot_p90", "tpot_p99"),
    *("tbt_mean", "tbt_p50", "tbt_p90", "tbt_p99", "max_gap_p99"),
    *("effective_throughput", "token_rate", "request_rate", "goodput", "attainment", "completion_rate"),
    *("restarts", "restarted_share", "wasted_prefill_tokens", "wasted_decode_tokens"),
    *("memory_mean", "memory_peak", "busy_fraction", "mean_iteration", "queue_growth"),
)
#: metrics of which paired differences are taken
PAIRED = ("latency_mean", "latency_p99", "ttft_mean", "tpot_mean", "effective_throughput")
TOO_FEW = "too few replications"


def cells_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per cell; metrics are empty where the cell is not ok."""
    import pandas as pd

    flat = []
    for row in rows:
        cell = row["cell"]
        about = {key: value for key, value in row.items() if key not in ("cell", "order")}
        about |= {"status": cell.status, "note": cell.note, "settings": canonical(cell.settings)}
        flat.append({**about, **{name: cell.metrics.get(name, math.nan) for name in METRICS}})
    return pd.DataFrame(flat)


def summary_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per (policy, setting, rate) with means, half widths and the verdict on stability."""
    import pandas as pd

    groups: dict[tuple[int, float], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["order"], row["rate"]), []).append(row)
    return pd.DataFrame([_summary(group) for group in groups.values()])


def _summary(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, cells = group[0], [row["cell"] for row in group]
    failed = next((cell for cell in cells if cell.status != "ok"), None)
    row = {key: first[key] for key in ("workload", "policy", "setting", "rate", "given", "eviction")}
    row |= {"replications": len(cells), "status": failed.status if failed else "ok"}
    row |= dict(zip(("verdict", "verdict_reason"), _verdict(cells), strict=True))
    for name in METRICS:
        values = [math.nan] if failed else [float(cell.metrics[name]) for cell in cells]
        row[name], row[f"{name}_half"] = _interval(values)
    row["lower_bound"] = bool(row["completion_rate"] < 1)
    row["note"] = failed.note if failed else next((cell.note for cell in cells if cell.note), "")
    return row


def _verdict(cells: Sequence[Any]) -> tuple[str, str]:
    """Return the verdict of section 11 on these replications, and why."""
    missing = next((cell for cell in cells if cell.evidence is None), None)
    if missing is not None:
        return missing.status, missing.note
    if len(cells) < REPLICATIONS:
        return TOO_FEW, f"{len(cells)} replications, a verdict needs {REPLICATIONS}"
    found = stability_verdict([cell.evidence for cell in cells])
    return found.verdict, found.reason


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and half width; without an interval for one value, nan where a replication has none."""
    if len(values) < 2 or not np.isfinite(values).all():
        return float(np.mean(values)), math.nan
    return mean_and_half_width(values)


def paired_table(cells: pd.DataFrame, metrics: Sequence[str] = PAIRED) -> pd.DataFrame:
    """Return differences first minus second on the same draws: mean, half width, and who is below with confidence.

    Parameters
    ----------
    cells : DataFrame
        Of `cells_table`.
    metrics : list of str
    """
    import pandas as pd

    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise BadParameter(f"no metric {unknown[0]!r}: choose from {', '.join(METRICS)}")
    rows = []
    for (setting, rate), at in cells.groupby(["setting", "rate"], sort=False):
        by_policy = {label: group.set_index("replication") for label, group in at.groupby("policy", sort=False)}
        for (a, first), (b, second) in itertools.combinations(by_policy.items(), 2):
            for name in metrics:
                mean, half = _interval((first[name] - second[name]).tolist())
                lower = a if mean + half < 0 else b if mean - half > 0 else ""
                rows.append(
                    {"setting": setting, "rate": rate, "first": a, "second": b, "metric": name}
                    | {"difference": mean, "half": half, "lower": lower}
                )
    columns = ["setting", "rate", "first", "second", "metric", "difference", "half", "lower"]
    return pd.DataFrame(rows, columns=columns)
