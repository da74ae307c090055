"""A workload: how its decode lengths survive, how far it is from instability, and what buckets of lengths would do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kvratio.suite.plots import FAINT, INK, RASTER_FROM, in_style, plain_log_ticks
from kvratio.suite.stability.mix import Mix
from kvratio.suite.stability_figures.caption import MODEL, sign
from kvratio.suite.stability_figures.colours import UNSTABLE_BAR
from kvratio.suite.stability_figures.root_plane import GROWS
from stability.congestion import stage_weights, survival
from stability.congestion.routing import plan_of
from stability.congestion.spectrum import MARGIN, e_folding

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stability.congestion.routing import Plan

#: points on half the unit circle per stage, and at least
DENSITY, LEAST = 8, 512


@in_style
def workload_figure(mix: Mix) -> Figure:
    """Draw survival, |P| on the unit circle, and rho of the pooled mix and of each bucket of decode lengths.

    Parameters
    ----------
    mix : Mix
        Buckets are its units: each class where there are few, else about equal shares of the requests.

    Raises
    ------
    BadParameter
    """
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.1, 3.0), width_ratios=[1, 1, 1.25])
    survival_panel(left, mix)
    circle_panel(middle, mix)
    bucket_panel(right, mix)
    name = mix.name if len(mix.name) < 60 else f"{len(mix.decode)} classes"
    sign(
        figure,
        f"{MODEL}: {name}, {len(mix.decode):,} classes by request, decode lengths {mix.decode.min():,} to "
        f"{mix.decode.max():,}, mean {float(mix.shares @ mix.decode):.4g}; memory does not matter here. Middle: "
        "P(w) = sum V_s w^s over its value at 1; a dip to 0 is a mode that neither grows nor decays. Right: each "
        "bucket by itself, shares renormalised; hatched: unstable; numbers: iterations to grow (+) or decay (-) "
        "e-fold.",
    )
    return figure


def survival_panel(ax: Axes, mix: Mix) -> None:
    """Draw the share of requests that outlive each age."""
    alpha = survival(mix.decode, mix.shares)
    age = np.arange(len(alpha) + 1)
    ax.step(age, np.append(alpha, 0.0), where="post", color=INK, rasterized=len(age) > RASTER_FROM)
    ax.set_xlim(0, len(alpha))
    ax.set_ylim(0, 1.04)
    ax.set_xlabel("decode length (tokens)")
    ax.set_ylabel("share of requests beyond")
    ax.set_title("Survival", fontsize=9)


def circle_panel(ax: Axes, mix: Mix) -> None:
    """Draw |P| on the upper half of the unit circle over the period of the mode."""
    V = stage_weights(mix.prompt, mix.decode, mix.shares)
    n = 1 << math.ceil(math.log2(max(LEAST, 2 * DENSITY * len(V))))
    size = np.abs(np.fft.rfft(V, n))[1:] / float(V.sum())
    period = n / np.arange(1, len(size) + 1)
    # Beyond a few times the longest stay |P| only rises to 1.
    shown = period <= max(4.0 * len(V), 4.0)
    tall = np.maximum(size, 1e-16)
    ax.plot(period[shown], tall[shown], color=INK, lw=0.7, rasterized=True)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(min(float(tall.min()) / 2, 0.5), 1.6)
    if period[shown][0] < 100 * period[shown][-1]:
        plain_log_ticks(ax.xaxis)
    ax.set_xlabel("period (iterations)")
    ax.set_ylabel("|P| / P(1)")
    ax.set_title("|P| on the unit circle", fontsize=9)


def bucket_panel(ax: Axes, mix: Mix) -> None:
    """Draw rho - 1 of the pooled mix and of each bucket as bars around 0."""
    plan = bucket_plan(mix)
    names = ["all"] + (mix.unit_names() if len(plan.groups) > 1 else [])
    rho = [plan.pooled_rho] + (list(plan.rho) if len(plan.groups) > 1 else [])
    over = [value - 1 for value in rho]
    place = np.arange(len(rho))
    # Bars far below 1 are cut, so that those near 1 can be told apart; their value is written instead.
    scale = max(max(over), min(abs(value) for value in over), 1e-9)
    lowest = max(-2.5 * scale, 1.4 * min(0.0, *over))
    styles = [UNSTABLE_BAR if value > -MARGIN else {"facecolor": "#BFDDF0", "edgecolor": FAINT} for value in over]
    for y, value, style in zip(place, over, styles, strict=True):
        ax.barh(y, max(value, lowest), height=0.66, zorder=2, **{**style, "lw": 0.6})
        text = f"{'+' if value > -MARGIN else '-'}{e_folding(1 + value):,.0f}" if value > -1 else "-0"
        inside = value < lowest
        at = lowest if inside else max(value, 0.0) if value > 0 else min(value, 0.0)
        shift, side = (3, "left") if value > 0 or inside else (-3, "right")
        label = f"{value:.4f}: {text}" if inside else text
        ax.annotate(
            label, (at, y), xytext=(shift, 0), textcoords="offset points", ha=side, va="center", fontsize=7,
            color=GROWS if value > -MARGIN else INK, zorder=4,
        )  # fmt: skip
    ax.axvline(0, color=INK, lw=1.0, zorder=3)
    ax.set_yticks(place, names)
    ax.invert_yaxis()
    ax.set_xlim(1.02 * lowest, 1.7 * scale)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("rho - 1")
    ax.set_title("rho of each bucket against 1", fontsize=9)
    ax.ticklabel_format(axis="x", style="sci", scilimits=(-2, 2), useMathText=True)
    ax.tick_params(axis="x", labelsize=7)


def bucket_plan(mix: Mix) -> Plan:
    """Return the routing that gives every bucket of decode lengths a worker of its own."""
    units = mix.units
    groups = [(unit,) for unit in range(int(units.max()) + 1)]
    return plan_of(mix.prompt, mix.decode, groups, mix.shares, units=units)
