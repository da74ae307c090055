"""Figures of a run with a line for each policy: performance profile, and ratio against a size or a parameter."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kvratio.problem.errors import BadParameter
from kvratio.suite.comparison import profile
from kvratio.suite.paper_table import paper_table
from kvratio.suite.plots import FAINT, INK, axes_of, in_style, plain_log_ticks
from kvratio.suite.spec import read_spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: with a colour, they tell 40 lines apart, in grey print too
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1)))
#: policies of a profile that are named; more lines than that cannot be told apart
NAMED = 10
MARKERS = "osD^vP*X<>"


def _styles() -> list[dict[str, object]]:
    from matplotlib import rcParams

    colours = rcParams["axes.prop_cycle"].by_key()["color"]
    return [{"color": c, "ls": dash} for dash in DASHES for c in colours]


def _legend(ax: Axes, lines: int) -> None:
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), ncols=1 if lines <= 18 else 2, borderaxespad=0.0)


@in_style
def profile_figure(cells: pd.DataFrame, title: str = "") -> Figure:
    """Draw a performance profile: the share of instances that a policy solves within a factor of the cheapest.

    The best ten by the area under the curve have names and colours, the others are grey.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    title : str
    """
    shares = profile(cells)
    figure, ax = axes_of(7.2, 3.6)
    # The area over the logarithm of the factor: high curves first.
    widths = np.diff(np.log(shares.index.to_numpy(float)), append=np.log(shares.index[-1]))
    order = list((shares.mul(widths, axis=0)).sum().sort_values(ascending=False, kind="stable").index)
    others = order[NAMED:]
    for k, policy in enumerate(others):
        label = f"{len(others)} others" if k == 0 else None
        ax.step(shares.index, shares[policy], where="post", label=label, lw=0.7, color=FAINT, alpha=0.6)
    for policy, style in zip(order[:NAMED], _styles(), strict=False):
        ax.step(shares.index, shares[policy], where="post", label=policy, lw=1.4, **style)
    ax.set_xscale("log")
    ax.set_xlim(1, max(float(shares.index[-1]) * 1.02, 1.05))
    plain_log_ticks(ax.xaxis)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("factor to the cheapest policy of the run")
    ax.set_ylabel("share of instances")
    ax.set_title(title)
    _legend(ax, len(order[:NAMED]))
    return figure


@in_style
def against_figure(cells: pd.DataFrame, key: str, title: str = "", aggregate: str = "worst") -> Figure:
    """Draw the ratio of each policy against a size: the proven interval as a band, its upper end as a line.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    key : str
        ``n``, ``memory``, ``alpha`` or ``param.NAME``: a column of numbers.
    title : str
    aggregate : str
        Over the instances behind a point: worst, mean, median or best.

    Raises
    ------
    BadParameter
        The key has one value only, or is no number.
    """
    spec = read_spec({"rows": "policy", "columns": key, "aggregate": aggregate, "footnotes": False}, "figure")
    table = paper_table(cells, spec)
    at = [value for (value,) in table.columns]
    if len(at) < 2 or not all(isinstance(value, (int, float, np.number)) for value in at):
        shown = ", ".join(str(value) for value in at[:6])
        raise BadParameter(f"{key}: a figure needs two different numbers, and the chosen cells have {shown}")
    figure, ax = axes_of(7.2, 3.8)
    styles = zip(table.rows, table.entries, cycle(_styles()), cycle(MARKERS), strict=False)
    for (policy,), entries, style, marker in styles:
        points = [(x, e.low, e.high) for x, e in zip(at, entries, strict=True) if e.high is not None]
        if not points:
            continue
        x, low, high = zip(*points, strict=True)
        ax.plot(x, high, marker=marker, ms=3.5, label=str(policy), **style)
        if None not in low:
            ax.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.axhline(1.0, color=INK, lw=0.8)
    if min(at) > 0 and max(at) / min(at) > 8:
        ax.set_xscale("log")
        plain_log_ticks(ax.xaxis)
    ax.set_yscale("log")
    plain_log_ticks(ax.yaxis)
    ax.set_xlabel(key.removeprefix("param."))
    ax.set_ylabel(f"{aggregate} ratio")
    ax.set_title(title)
    _legend(ax, len(table.rows))
    return figure
