"""Figures of a paper: published values beside ours, and what every policy costs against the grid of a family."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kvratio.suite.curves import DASHES, MARKERS, against_figure
from kvratio.suite.naming import format_value
from kvratio.suite.papers.finding import AGREES, DIFFERS, Finding
from kvratio.suite.plan import FamilySpec, Suite
from kvratio.suite.plots import BATCH, FAINT, INK, ONLINE, axes_of, in_style, plain_log_ticks, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: largest over smallest value from which an axis is logarithmic
LOG_FROM = 5.0


@in_style
def reported_figure(findings: Sequence[Finding], title: str) -> Figure:
    """One row a figure: the published value as a diamond, ours as intervals, each divided by the published value."""
    figure, ax = axes_of(7.2, 1.3 + 0.34 * len(findings))
    for k, finding in enumerate(findings):
        colour = {AGREES: BATCH, DIFFERS: ONLINE}.get(finding.verdict, FAINT)
        assert finding.value is not None
        for j, one in enumerate(finding.measured):
            y = k + 0.16 * (j - (len(finding.measured) - 1) / 2)
            low, high = one.low / finding.value, one.high / finding.value
            ax.plot([low, high], [y, y], color=colour, lw=1.6, solid_capstyle="butt")
            if one.value is not None:
                ax.plot([one.value / finding.value], [y], "o", ms=3.2, color=colour)
            elif high == low:
                ax.plot([low], [y], "|", ms=6, color=colour)
    ax.plot([1.0] * len(findings), range(len(findings)), "D", ms=4, mfc="white", mec=INK, zorder=4)
    labels = [one.figure if one.setting in one.figure else f"{one.figure}, {one.setting}" for one in findings]
    names = ["\n".join(textwrap.wrap(label, 58)[:2]) for label in labels]
    ax.set_yticks(range(len(findings)), names, fontsize=6.5)
    ax.set_ylim(len(findings) - 0.5, -0.5)
    ax.axvline(1.0, color=INK, lw=0.8)
    ends = [end / one.value for one in findings if one.value for m in one.measured for end in (m.low, m.high)]
    if min(ends) > 0 and max(ends) / min(ends) > LOG_FROM:
        ax.set_xscale("log")
        plain_log_ticks(ax.xaxis)
    ax.set_xlabel("ours over the published value (diamond)\nline: interval; blue agrees, orange differs, grey neither")
    ax.set_title(title)
    return figure


@in_style
def cost_figure(cells: pd.DataFrame, key: str, title: str, family: FamilySpec) -> Figure:
    """Draw the cost of each policy per request, averaged over the instances, against a parameter of the family.

    Parameters
    ----------
    cells : DataFrame
        Of one family, status ok.
    key : str
        A parameter with numbers.
    title : str
    family : FamilySpec
    """
    from matplotlib import rcParams

    table = cells.assign(
        at=[json.loads(text)[key] for text in cells["parameters"]], each=cells["cost"].astype(float) / cells["n"]
    )
    colours = rcParams["axes.prop_cycle"].by_key()["color"]
    styles = [{"color": colour, "ls": dash} for dash in DASHES for colour in colours]
    figure, ax = axes_of(7.2, 3.8)
    for policy, style, marker in zip(table["policy"].unique(), itertools.cycle(styles), itertools.cycle(MARKERS)):
        line = table[table["policy"] == policy].groupby("at")["each"].mean()
        ax.plot(line.index, line.to_numpy(), marker=marker, ms=3.5, label=str(policy), **style)
    for axis, values in (("x", table["at"]), ("y", table["each"])):
        if values.min() > 0 and values.max() / values.min() > LOG_FROM:
            getattr(ax, f"set_{axis}scale")("log")
            plain_log_ticks(getattr(ax, f"{axis}axis"))
    ax.set_xlabel(key)
    ax.set_ylabel(f"mean {'flow' if family.objective == 'flow' else 'completion'} of a request (rounds)")
    ax.set_title(title)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0.0)
    return figure


def draw_grids(suite: Suite, cells: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw what every policy costs against the longest grid of each family, for each value of its other grids.

    Of an adaptive family, where each policy has instances of its own, the ratio to the optimum is drawn instead.
    """
    written: list[Path] = []
    for family in suite.families:
        numbers = {key: values for key, values in family.grid.items() if _numeric(values)}
        key = max(numbers, key=lambda name: len(numbers[name]), default="")
        if len(numbers.get(key, ())) < 2:
            continue
        others = {name: given for name, given in family.grid.items() if name != key}
        for point in itertools.product(*others.values()):
            at = dict(zip(others, point, strict=True))
            chosen = cells[(cells["family"] == family.label) & (cells["status"] == "ok")]
            chosen = chosen[[_has(text, at) for text in chosen["parameters"]]]
            if chosen.empty:
                continue
            words = [family.label, *(f"{name} = {format_value(value)}" for name, value in at.items())]
            title = ", ".join(words)
            if family.adaptive:
                figure = against_figure(chosen, f"param.{key}", title, "mean")
            else:
                figure = cost_figure(chosen, key, title, family)
            written += save_figure(figure, folder / _file_name("_".join(["figure", *words, key])))
    return written


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _has(parameters: str, at: Mapping[str, Any]) -> bool:
    given = json.loads(parameters)
    return all(given[name] == value for name, value in at.items())


def _file_name(text: str) -> str:
    return "_".join("".join(char if char.isalnum() else " " for char in text).split())
