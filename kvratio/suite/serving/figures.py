"""Figures of the serving model: a metric against the arrival rate, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FAINT, INK, in_style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: what the axes call a metric
NAMES = {
    "latency_mean": "mean latency (s)",
    "latency_p50": "median latency (s)",
    "latency_p90": "90 % latency (s)",
    "latency_p99": "99 % latency (s)",
    "ttft_mean": "mean time to first token (s)",
    "ttft_p99": "99 % time to first token (s)",
    "tpot_mean": "mean time per token (s)",
    "effective_throughput": "effective throughput (tokens/s)",
    "goodput": "goodput (requests/s)",
    "restarts": "evictions per request",
    "completion_rate": "completion rate",
    "memory_mean": "mean memory / C",
    "busy_fraction": "busy fraction",
    "queue_growth": "share of arrivals that pile up",
}
MARKERS = "osD^vPX*<>hd"
#: metrics that span decades
LOGARITHMIC = ("latency", "ttft", "tpot", "prefill", "tbt")


@in_style
def rate_figure(
    table: pd.DataFrame, metrics: str | Sequence[str] = "latency_mean", title: str = "", limit: float | None = None
) -> Figure:
    """One panel per metric: a line a policy against the arrival rate, intervals as bars.

    Parameters
    ----------
    table : DataFrame
        Of a sweep.
    metrics : str or list of str
    title : str
    limit : float, optional
        The fluid limit in requests per second, drawn as a vertical line.

    Notes
    -----
    A hollow mark is a lower bound: some measured requests did not complete. Tuned runs are dashed.

    Raises
    ------
    BadParameter
        Nothing was measured, or no such metric.
    """
    from matplotlib import pyplot as plt

    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in table or f"{name}_half" not in table:
            raise BadParameter(f"no metric {name!r} in the table: choose for example {', '.join(NAMES)}")
    shown = table[table["status"] == "ok"]
    if shown.empty:
        raise BadParameter(f"nothing to draw: {table['note'].iloc[0] if len(table) else 'the table is empty'}")
    figure, axes = plt.subplots(1, len(names), figsize=(1.6 + 5.0 * len(names), 4.2), squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        _panel(ax, shown, name, limit)
    axes[0, 0].set_title(title)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, max(1, len(labels))))
    return figure


def _panel(ax: Axes, table: pd.DataFrame, name: str, limit: float | None) -> None:
    labels = list(dict.fromkeys(table["policy"]))
    for (label, setting), rows in table.groupby(["policy", "setting"], sort=False):
        k = labels.index(str(label))
        style: dict[str, Any] = {"color": f"C{k % 8}", "marker": MARKERS[k % len(MARKERS)], "ms": 4, "capsize": 2}
        style |= {"ls": "--", "alpha": 0.75} if setting == "tuned" else {}
        half = np.nan_to_num(rows[f"{name}_half"].to_numpy(float))
        text = str(label) if setting == "default" else f"{label} (tuned)"
        ax.errorbar(rows["rate"], rows[name], yerr=half, elinewidth=0.8, label=text, **style)
        hollow = rows[rows["lower_bound"]]
        ax.plot(hollow["rate"], hollow[name], ls="", marker=style["marker"], ms=4, mfc="white", mec=style["color"])
    if limit is not None:
        ax.axvline(limit, color=FAINT, lw=1.0, ls=(0, (5, 2)))
        ax.annotate(
            "fluid limit", (limit, 1.0), xycoords=("data", "axes fraction"), xytext=(-3, -4),
            textcoords="offset points", ha="right", va="top", rotation=90, fontsize=7, color=INK,
        )  # fmt: skip
    if name.startswith(LOGARITHMIC) and (table[name] > 0).all():
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("arrival rate (requests/s)")
    ax.set_ylabel(NAMES.get(name, name.replace("_", " ")))


@in_style
def gap_figure(table: pd.DataFrame, title: str = "") -> Figure:
    """Throughput gap against scale, both on log axes, with a line of slope -1/2 to compare.

    Parameters
    ----------
    table : DataFrame
        Of `kvratio.suite.serving.heavy.HeavyTraffic`.
    title : str
    """
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(6.0, 4.0))
    for k, (label, rows) in enumerate(table[table["gap"] > 0].groupby("policy", sort=False)):
        ax.errorbar(
            rows["scale"], rows["gap"], yerr=np.minimum(rows["gap_half"], 0.9 * rows["gap"]), marker=MARKERS[k], ms=4,
            capsize=2, elinewidth=0.8, label=str(label),
        )  # fmt: skip
    scale = np.array(sorted(set(table["scale"])), dtype=float)
    top = float(table["gap"].max())
    ax.plot(scale, top * (scale / scale[0]) ** -0.5, color=FAINT, lw=1.0, ls=(0, (5, 2)), label="slope -1/2")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("scale z")
    ax.set_ylabel("throughput gap (tokens/s per unit of scale)")
    ax.set_title(title)
    ax.legend()
    return figure
