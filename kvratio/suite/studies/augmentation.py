"""Memory augmentation: the policy gets (1 + e) M, bounds and witness keep M; the ratio against e."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from kvratio.suite.plots import in_style, plain_log_ticks
from kvratio.suite.studies.lines import draw_lines, grid_of, legend_below, line_at_one, panel_title, styles
from kvratio.suite.studies.points import points_of
from kvratio.suite.studies.study import Effort, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTRA = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
QUICK_EXTRA = (0.0, 0.1, 0.5, 1.0)
POLICIES = ("fcfs", "mc_sf", "svf", "vllm_fcfs", "sjf", "trail", "alpha_protection")


def families(effort: Effort) -> list[dict[str, Any]]:
    """Return three traps, each tuned to the policy with its larger memory, and three random workloads."""
    quick = effort.quick
    traps: list[dict[str, Any]] = [
        {"family": "burst_trap", "memory": 400 if quick else 1600},
        {"family": "stream_trap", "memory": 30 if quick else 80},
        {"family": "blocker", "memory": 50 if quick else 200},
    ]
    chats = {"family": "lognormal", "count": 60 if quick else 200, "memory": 2500}
    draws: list[tuple[str, dict[str, Any]]] = [
        ("jaillet_online", {"family": "jaillet_online"}),
        ("lognormal, arrivals", {**chats, "rate": 0.1}),
        ("lognormal, batch", chats),
    ]
    panels = [(f"{base['family']}, M = {base['memory']}", base, 1) for base in traps]
    panels += [(label, base, effort.seeds) for label, base in draws]
    grid = {"extra": list(QUICK_EXTRA if quick else EXTRA)}
    return [
        {"id": "augmentation", "label": label, "seeds": seeds, "parameters": {"base": base}, "grid": grid}
        for label, base, seeds in panels
    ]


def points(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the ratios by family, policy and e."""
    return points_of(cells, lambda parameters: parameters["extra"])


@in_style
def draw(points: pd.DataFrame) -> Figure:
    """Draw one panel a family: traps above, random workloads below."""
    style = styles(list(dict.fromkeys(points["policy"])))
    panels = list(dict.fromkeys(points["panel"]))
    figure, axes = grid_of(len(panels), columns=3, height=2.15, sharex=True)
    for k, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        draw_lines(ax, points[points["panel"] == panel], style)
        line_at_one(ax)
        ax.set_yscale("log")
        plain_log_ticks(ax.yaxis)
        panel_title(ax, panel)
        if k % 3 == 0:
            ax.set_ylabel("ratio to the optimum with M")
        if k >= len(panels) - 3:
            ax.set_xlabel("extra memory e")
    legend_below(figure, style, columns=7)
    return figure


STUDY = Study(
    name="augmentation",
    title="Ratio against extra memory: the policy has (1 + e) M, the optimum has M",
    about="the policy gets (1 + e) M, bounds keep M; traps and random workloads",
    families=families,
    policies=lambda: POLICIES,
    points=points,
    draw=draw,
    axis="e",
    notes=(
        "Total flow. Line: ratio proven at least (mean over the instances); band: to proven at most. Ratios below 1 "
        "are right here, since the optimum has less memory.",
        "The three traps are built against each policy by itself, with the start it has under (1 + e) M.",
    ),
    seeds=6,
    objective="flow",
)
