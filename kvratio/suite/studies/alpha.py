"""The ratio against alpha = max (s + o) / M, with the published guarantees as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kvratio.suite.plots import INK, in_style, plain_log_ticks
from kvratio.suite.studies.lines import draw_lines, grid_of, legend_below, line_at_one, line_of, panel_title, styles
from kvratio.suite.studies.points import points_of
from kvratio.suite.studies.study import Effort, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALPHA = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
QUICK_ALPHA = (0.2, 0.5, 0.9)
DASHED = (0, (5, 2))
POLICIES = ("svf", "mc_sf", "tsf", "fcfs", "sorted_f", "svf_sps", "rect")


def families(effort: Effort) -> list[dict[str, Any]]:
    """Return two random batches, of unequal and of equal prompts, and two traps whose alpha can be chosen."""
    quick = effort.quick
    count = 60 if quick else 150
    # The memory of a base bounds its lengths alone.
    unequal = {"family": "lognormal", "count": count, "memory": 2500}
    equal = {"family": "geometric", "count": count, "memory": 2500, "prompt": 50, "mu": 0.02}
    memory = 64 if quick else 256
    grid = {"alpha": list(QUICK_ALPHA if quick else ALPHA)}
    entries = [
        ("unequal prompts (lognormal)", "families.py:at_alpha", {"base": unequal}, effort.seeds),
        ("equal prompts (geometric)", "families.py:at_alpha", {"base": equal}, effort.seeds),
        (f"huge prompts first, M = {memory}", "families.py:huge_first", {"memory": memory}, 1),
        (f"long output first, M = {16 * memory}", "families.py:long_first", {"memory": 16 * memory}, 1),
    ]
    return [
        {"id": name, "label": label, "parameters": parameters, "grid": grid, "seeds": seeds}
        for label, name, parameters, seeds in entries
    ]


def _guarantee(instances: pd.DataFrame) -> Mapping[str, float]:
    """Return the mean published ratio where its hypotheses hold on every instance."""
    holds = instances["guarantee_holds"].fillna(False).astype(bool).all()
    return {"guarantee": float(instances["guarantee"].astype(float).mean()) if holds else float("nan")}


def points(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios by family, policy and alpha, with the guarantee that holds there."""
    return points_of(cells, lambda parameters: parameters["alpha"], _guarantee)


@in_style
def draw(points: pd.DataFrame) -> Figure:
    """Draw one panel a family: worst ratios as lines, guarantees as dashes."""
    style = styles(list(dict.fromkeys(points["policy"])))
    worst = points.assign(low=points["worst_low"], high=points["worst_high"])
    panels = list(dict.fromkeys(points["panel"]))
    figure, axes = grid_of(len(panels), columns=2, height=2.4, sharex=True)
    varying: list[str] = []
    for k, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        mine = worst[worst["panel"] == panel]
        draw_lines(ax, mine, style)
        varying += _guarantees(ax, mine)
        line_at_one(ax)
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
        ax.set_ylim(top=1.35 * ax.get_ylim()[1])
        panel_title(ax, panel)
        if k % 2 == 0:
            ax.set_ylabel("worst ratio")
        if k >= len(panels) - 2:
            ax.set_xlabel("alpha = max (s + o) / M")
    others = []
    if varying:
        names = list(dict.fromkeys(varying))
        text = f"published for {', '.join(names)}"
        if set(names) <= {"svf", "mc_sf"}:
            text = "1 + 2/(1 - alpha), published: svf; mc_sf where prompts are equal"
        others.append(line_of(text, color=INK, lw=1.0, ls=DASHED))
    legend_below(figure, style, others, columns=4 if others else 7)
    return figure


def _guarantees(ax: Axes, points: pd.DataFrame) -> list[str]:
    """Draw each published ratio that holds; return the policies whose ratio varies with alpha, for the legend."""
    held = points.dropna(subset=["guarantee"])
    curves: dict[tuple[tuple[float, float], ...], list[str]] = {}
    for policy, group in held.groupby("policy", sort=False):
        group = group.sort_values("x")
        curve = tuple(zip(group["x"], np.round(group["guarantee"], 6), strict=True))
        curves.setdefault(curve, []).append(str(policy))
    varying: list[str] = []
    for curve, policies in curves.items():
        x, y = zip(*curve, strict=True)
        ax.plot(x, y, color=INK, lw=1.0, ls=DASHED, zorder=2)
        if len(set(y)) > 1:
            varying += policies
            continue
        place: dict[str, Any] = {"xytext": (1, 2), "textcoords": "offset points", "fontsize": 7, "color": INK}
        ax.annotate(f"{', '.join(policies)}: {y[0]:g}", (x[0], y[0]), **place)
    return varying


STUDY = Study(
    name="alpha",
    title="Worst ratio against alpha = max (s + o) / M, with published guarantees",
    about="worst ratio against alpha = max (s + o) / M, with the published guarantees",
    families=families,
    policies=lambda: POLICIES,
    points=points,
    draw=draw,
    axis="alpha",
    notes=(
        "Total completion. Line: worst ratio proven at least, over the instances; band: to proven at most.",
        "Dashed: published ratio where its hypotheses hold on every instance of the point; svf 1 + 2/(1 - alpha) is of "
        "arXiv 2606.22327, and with equal prompts the order of mc_sf is svf's.",
    ),
    seeds=8,
    extra={"guarantee": "guarantee"},
)
