"""Lines of a study's figure: one style a policy in every panel, and lines that coincide drawn so that all are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kvratio.suite.plots import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: colours of Okabe and Ito that are seen on white, then darker and lighter mixtures of them
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#7A4A00", "#6A3D9A", "#8C8C8C", "#B22222", "#1B6B4A", "#C2A800"),
)
MARKERS = "osD^vP*X<>hpd"
#: length of a dash, in units of the line width, where lines share their way
DASH = 4.0
#: relative difference up to which two curves count as one
EQUAL = 5e-3


def grid_of(panels: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure 7.2 inches wide with so many panels, row by row; what is left over of the last row is empty.

    Parameters
    ----------
    panels, columns : int
    height : float
        Inches of one row.
    """
    from matplotlib import pyplot as plt

    rows = -(-panels // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(7.2, height * rows + 0.6), squeeze=False, **options)
    flat = list(axes.ravel())
    for ax in flat[panels:]:
        ax.set_visible(False)
    return figure, flat[:panels]


def styles(policies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour and marker of each policy, the same in every panel of a figure."""
    return {
        policy: {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        for k, policy in enumerate(policies)
    }


def draw_lines(ax: Axes, points: pd.DataFrame, style: Mapping[str, dict[str, Any]], y: str = "low") -> None:
    """Draw one line a policy against x; of a ratio also the band up to its proven upper end.

    Lines that coincide share their way: each has its own dashes, so that all of their colours are seen.
    """
    curves: list[tuple[str, np.ndarray, np.ndarray]] = []
    for policy, group in points.groupby("policy", sort=False):
        group = group.sort_values("x")
        values = group[y].to_numpy(float)
        if y == "low":
            high = group["high"].to_numpy(float)
            ax.fill_between(group["x"], values, high, color=style[str(policy)]["color"], alpha=0.10, lw=0)
            values = np.where(np.isnan(values), high, values)
        curves.append((str(policy), group["x"].to_numpy(float), values))
    for group_of in _coinciding(curves):
        for k, (policy, x, values) in enumerate(group_of):
            dashes = (k * DASH, (DASH, (len(group_of) - 1) * DASH)) if len(group_of) > 1 else "-"
            every = (k, len(group_of)) if len(group_of) > 1 else None
            plain: dict[str, Any] = {"lw": 1.5, "ms": 4.0, "mew": 0, "dash_capstyle": "butt"}
            ax.plot(x, values, ls=dashes, markevery=every, **plain, **style[policy])


def _coinciding(curves: list[tuple[str, np.ndarray, np.ndarray]]) -> list[list[tuple[str, np.ndarray, np.ndarray]]]:
    """Group curves that are equal up to `EQUAL` everywhere with the first of their group."""
    groups: list[list[tuple[str, np.ndarray, np.ndarray]]] = []
    for curve in curves:
        for group in groups:
            _, x, values = group[0]
            if np.array_equal(x, curve[1]) and np.allclose(values, curve[2], rtol=EQUAL, atol=0, equal_nan=True):
                group.append(curve)
                break
        else:
            groups.append([curve])
    return groups


def legend_below(
    figure: Figure, style: Mapping[str, dict[str, Any]], others: Sequence[Any] = (), columns: int = 5
) -> None:
    """One legend under all panels: policies, then further handles."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], lw=1.5, ms=4.0, mew=0, label=policy, **own) for policy, own in style.items()]
    figure.legend(handles=[*handles, *others], loc="outside lower center", ncols=columns)


def line_of(label: str, **style: Any) -> Any:
    """A handle for the legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def panel_title(ax: Axes, text: str) -> None:
    """Head one panel, in the plain weight: the bold one is the figure's."""
    ax.set_title(text, fontsize=9, fontweight="normal")


def line_at_one(ax: Axes) -> None:
    """The cost of the optimum."""
    ax.axhline(1.0, color=INK, lw=0.8, zorder=1)
