"""Two output lengths: evictions and loss against their greatest common divisor, beside the theory of congestion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from kvratio.suite.plots import INK, in_style
from kvratio.suite.studies.lines import draw_lines, grid_of, legend_below, line_at_one, panel_title, styles
from kvratio.suite.studies.points import points_of
from kvratio.suite.studies.study import Effort, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: the longer length: it has six divisors, and shorter ones of each
LONG = 12
SHORT = (5, 7, 11, 10, 9, 8, 6, 12)
QUICK_SHORT = (7, 10, 8, 12)
#: prompts: at the longer one the theory calls coprime lengths stable
PROMPTS = (100, 400)
POLICIES = ("vllm_fcfs", "mixed", "rate_capped", "fcfs", "mc_sf")


def families(effort: Effort) -> list[dict[str, Any]]:
    """Return one family a prompt: a queue of two lengths in random order, half of each, over the shorter length."""
    count, room = (1000, 30) if effort.quick else (4000, 60)
    grid = {"short": list(QUICK_SHORT if effort.quick else SHORT)}
    entries = []
    for prompt in PROMPTS:
        fixed = {"count": count, "memory": room * prompt, "prompt": prompt, "long": LONG, "share": 0.5}
        label = f"prompt {prompt}"
        entries.append({"id": "two_point", "label": label, "parameters": fixed, "grid": grid, "seeds": effort.seeds})
    return entries


def _loss(instances: pd.DataFrame) -> Mapping[str, float]:
    """Return makespan x M / volume: by how much the throughput falls short of full memory at least."""
    short = float((instances["makespan"] * instances["memory"] / instances["volume"]).mean())
    return {"makespan": short}


def points(cells: pd.DataFrame) -> pd.DataFrame:
    """Return ratios, evictions and loss by policy and pair of lengths, with gcd and the spectral radius rho."""
    from stability.congestion import spectral_radius

    found = points_of(cells, lambda parameters: parameters["short"], _loss)
    found["short"] = found["x"].astype(int)
    found["x"] = [math.gcd(a, LONG) for a in found["short"]]
    prompts = found["panel"].str.removeprefix("prompt ").astype(int)
    radius = cache(lambda prompt, short: float(spectral_radius(prompt, sorted({short, LONG}))))
    found["rho"] = [radius(prompt, short) for prompt, short in zip(prompts, found["short"], strict=True)]
    return found


@in_style
def draw(points: pd.DataFrame) -> Figure:
    """Draw a row a prompt: evictions and ratio against the gcd, and rho of the theory."""
    style = styles(list(dict.fromkeys(points["policy"])))
    panels = list(dict.fromkeys(points["panel"]))
    figure, axes = grid_of(3 * len(panels), columns=3, height=2.1, sharex=True)
    for row, panel in enumerate(panels):
        mine = points[points["panel"] == panel]
        left, middle, right = axes[3 * row : 3 * row + 3]
        for ax, column, label in ((left, "evictions", "evictions per completion"), (middle, "low", "ratio")):
            mean = mine.groupby(["policy", "x"], sort=False)[["low", "high", column]].mean().reset_index()
            draw_lines(ax, mean.loc[:, ~mean.columns.duplicated()], style, column)
            for policy, group in mine.groupby("policy", sort=False):
                ax.plot(group["x"], group[column], ls="", ms=2.6, mew=0, alpha=0.45, **style[str(policy)])
            ax.set_ylabel(label)
        line_at_one(middle)
        _theory(right, mine)
        panel_title(left, f"{panel}: evictions")
        panel_title(middle, f"{panel}: total completion")
        panel_title(right, f"{panel}: theory")
    for ax in axes:
        _gcd_axis(ax, sorted(set(points["x"])))
    for ax in axes[-3:]:
        ax.set_xlabel("gcd of the lengths")
    legend_below(figure, style, columns=5)
    return figure


def _theory(ax: Axes, points: pd.DataFrame) -> None:
    pairs = points.drop_duplicates("short").sort_values("x")
    ax.plot(pairs["x"], pairs["rho"], "o", color=INK, ms=4, mew=0)
    for x, rho, short in zip(pairs["x"], pairs["rho"], pairs["short"], strict=True):
        beside: dict[str, Any] = {
            "xytext": (0, 4),
            "textcoords": "offset points",
            "fontsize": 6.5,
            "ha": "center",
            "color": INK,
        }
        ax.annotate(f"{short}", (x, rho), **beside)
    ax.axhline(1.0, color=INK, lw=0.8, zorder=1)
    ax.margins(y=0.14)
    ax.set_ylabel("spectral radius")
    ax.ticklabel_format(axis="y", useOffset=False)


def _gcd_axis(ax: Axes, values: list[float]) -> None:
    from matplotlib.ticker import NullLocator

    ax.set_xscale("log")
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(min(values) / 1.25, max(values) * 1.25)


STUDY = Study(
    name="gcd",
    title="Two output lengths: evictions and ratio against their common divisor",
    about="evictions per completion, loss and ratio of two-length mixes, beside the theory's rho",
    families=families,
    policies=lambda: POLICIES,
    points=points,
    draw=draw,
    axis="gcd",
    notes=(
        f"Outputs a and {LONG} with equal shares in random order, all present at 0. Small marks: pairs of lengths; "
        "lines: means over the pairs of one gcd. Ratio: proven at least; band: to proven at most.",
        "rho: spectral radius of the linearised dynamics of greedy admission with eviction of the least progressed "
        "(arXiv 2606.15555); a disturbance grows by rho an iteration. The numbers beside its points are a. makespan "
        "M / volume is a proven lower end of the ratio of makespans.",
    ),
    seeds=2,
    quick_seeds=1,
    extra={"short": "shorter length", "makespan": "makespan M / volume", "rho": "rho"},
)
