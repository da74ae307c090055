"""Figures of a comparison on a model: simulated against measured, and how straight the iteration time is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_validate.contest import OFFLINE
from gpu_validate.judgement import judge
from kvratio.suite.plots import FAINT, INK, in_style, plain_log_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*<>hd"


@in_style
def latency_figure(model: Mapping[str, Any], title: str) -> Figure:
    """One panel per instance, log axes: mean latency measured against rounds, a mark per policy; crosses: the clock."""
    from matplotlib import pyplot as plt

    labels = [label for label in model["instances"] if any(row["instance"] == label for row in model["rows"])]
    figure, axes = plt.subplots(1, len(labels), figsize=(2.4 * len(labels) + 0.6, 3.4), squeeze=False)
    rows = judge(model)
    policies = list(dict.fromkeys(row["policy"] for row in rows if row["policy"] != OFFLINE))
    for ax, label in zip(axes[0], labels, strict=True):
        for row in (row for row in rows if row["instance"] == label):
            known = row["policy"] == OFFLINE
            mark = "o" if known else MARKERS[policies.index(row["policy"]) % len(MARKERS)]
            face = "white" if known else f"C{policies.index(row['policy']) % 10}"
            edge = INK if known else face
            ax.plot(row["rounds_mean"], row["measured_mean"], mark, ms=5, mfc=face, mec=edge, label=row["policy"])
            ax.plot(row["rounds_mean"], row["predicted_mean"], "x", ms=4, color=FAINT, zorder=1)
        ax.set_title(label.replace("_", " "), fontsize=9)
        ax.set_xlabel("mean latency (rounds)")
        _logarithmic(ax)
    axes[0, 0].set_ylabel("mean latency (s)")
    handles = {text: handle for ax in axes[0] for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(5, len(handles)), fontsize=8)
    figure.suptitle(f"{title} (x: by the calibrated clock)", fontsize=10)
    return figure


@in_style
def clock_figure(model: Mapping[str, Any], title: str) -> Figure:
    """Measured iteration time against the fitted line, and the residuals, decodes alone and with prompts apart."""
    from matplotlib import pyplot as plt

    fit = model["calibration"]
    cells = fit["cells"]
    measured = np.array([np.median(cell["seconds"]) for cell in cells]) * 1e3
    residual = np.array([cell["residual"] for cell in cells])
    cached = np.array([cell["cached"] for cell in cells])
    prompt = np.array([cell["prompt"] for cell in cells])
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2))
    fitted = measured / (1 + residual)
    for mask, text, colour in ((prompt == 0, "decodes alone", "C0"), (prompt > 0, "with prompts", "C1")):
        left.plot(fitted[mask], measured[mask], "o", ms=3.5, color=colour, label=text)
        right.plot(cached[mask], residual[mask] * 100, "o", ms=3.5, color=colour)
    ends = np.array([measured.min(), measured.max()])
    left.plot(ends, ends, color=INK, lw=0.8)
    _logarithmic(left)
    left.set_xlabel("fitted (ms)")
    left.set_ylabel("measured (ms)")
    left.legend(loc="upper left")
    right.axhline(0, color=INK, lw=0.8)
    right.set_xscale("log")
    plain_log_ticks(right.xaxis)
    right.set_xlabel("key-value tokens K of the batch")
    right.set_ylabel("measured / fitted - 1 (%)")
    figure.suptitle(f"{title}: iteration time", fontsize=10)
    return figure


def _logarithmic(ax: Axes) -> None:
    """Log axes with plain numbers: a ratio is the same distance everywhere."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis in (ax.xaxis, ax.yaxis):
        plain_log_ticks(axis)
