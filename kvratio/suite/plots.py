"""Figures: ratios by policy as dots with intervals, and the memory of a schedule over time."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib
import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.schedule import Schedule
from kvratio.suite.interval import Interval
from kvratio.suite.statistics import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")

STYLE = Path(__file__).with_name("kvratio.mplstyle")
FORMATS = ("pdf", "svg", "png")

BATCH, ONLINE, LOSS, INK, FAINT = "#0072B2", "#D55E00", "#CC79A7", "#222222", "#9A9A9A"

#: above this many points a curve is drawn as pixels, so that the PDF stays small
RASTER_FROM = 20_000


def in_style(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw without a display and in the house style, leaving the caller's settings as they were."""

    @functools.wraps(draw)
    def styled(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        with plt.style.context(STYLE):
            return draw(*args, **kwargs)

    return styled


def axes_of(width: float, height: float, rows: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of so many inches with its axes, one above the other."""
    from matplotlib import pyplot as plt

    return plt.subplots(rows, 1, figsize=(width, height), **options)


def plain_log_ticks(axis: Axis) -> None:
    """Put plain numbers at 1, 2 and 5 times the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write PDF, SVG and PNG without dates, so that equal figures are equal files; return the paths."""
    from matplotlib import pyplot as plt

    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = []
    with plt.style.context(STYLE):
        for ending in FORMATS:
            path = stem.with_name(f"{stem.name}.{ending}")
            undated: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[ending]
            figure.savefig(path, metadata=undated)
            paths.append(path)
    plt.close(figure)
    return paths


# -- ratios -------------------------------------------------------------------------------------------------------
@in_style
def ratio_figure(summaries: Sequence[Summary], title: str, which: str = "worst") -> Figure:
    """One row a policy, one dot with its interval a family, on a log axis; a bar marks the published guarantee.

    Parameters
    ----------
    summaries : sequence of Summary
    title : str
    which : {"worst", "mean"}

    Returns
    -------
    matplotlib Figure

    Notes
    -----
    The dot is the lower end of the interval, a fact about the policy; the line reaches to the upper end. Where the
    lower end has no meaning the dot is hollow and stands at the upper end. A dot with a black rim is a family on which
    the hypotheses of the guarantee hold; the bar speaks of these alone.
    """
    if which not in ("worst", "mean"):
        raise BadParameter(f"which is {which!r}: choose worst or mean")
    shown = [s for s in summaries if getattr(s, which) is not None]
    if not shown:
        raise BadParameter("nothing to draw: every cell failed, or the choice of policies and families is empty")
    policies = sorted({s.policy for s in shown}, key=lambda p: (_largest(shown, p, which), p), reverse=True)
    families = list(dict.fromkeys(s.family for s in shown))
    row = {policy: k for k, policy in enumerate(policies)}
    step = 0.62 / max(1, len(families) - 1)
    figure, ax = axes_of(7.2, 1.5 + 0.29 * len(policies))
    for k in range(0, len(policies), 2):
        ax.axhspan(k - 0.5, k + 0.5, color="#F6F6F6", zorder=0)
    place = {family: k * step - 0.31 if len(families) > 1 else 0.0 for k, family in enumerate(families)}
    for objective, colour in (("completion", BATCH), ("flow", ONLINE)):
        chosen = [s for s in shown if s.objective == objective]
        _dots(ax, [getattr(s, which) for s in chosen], [row[s.policy] + place[s.family] for s in chosen], colour)
    covered = [s for s in shown if _is_covered(s) and getattr(s, which).low is not None]
    at = [row[s.policy] + place[s.family] for s in covered]
    ax.plot([getattr(s, which).low for s in covered], at, "o", ms=4.4, mfc="none", mec=INK, mew=0.7, zorder=4)
    for policy in policies:
        _guarantee_mark(ax, [s for s in shown if s.policy == policy], row[policy])
    ax.set_yticks(range(len(policies)), policies)
    ax.set_ylim(len(policies) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    promised = [s.guarantee_high for s in shown if _is_covered(s) and s.guarantee_high is not None]
    _log_axis(ax, [getattr(s, which) for s in shown], promised)
    ax.set_xlabel(f"{which} ratio to the optimum (dot: proven at least; line: to proven at most)")
    ax.set_title(title)
    _legend(ax, shown, len(families))
    return figure


def _dots(ax: Axes, ratios: Sequence[Interval], heights: Sequence[float], colour: str) -> None:
    """Draw all intervals of one colour at once: a line from end to end, a dot at the lower end."""
    points = [(r.low, r.high, y) for r, y in zip(ratios, heights, strict=True)]
    lines = [(low, high, y) for low, high, y in points if low is not None and math.isfinite(high) and high > low]
    ax.hlines(
        [y for *_, y in lines], [x for x, *_ in lines], [x for _, x, _ in lines], color=colour, lw=0.9, alpha=0.55
    )
    full = [(low, y) for low, _, y in points if low is not None]
    ax.plot([x for x, _ in full], [y for _, y in full], "o", ms=3.2, color=colour, mew=0, zorder=3)
    open_ = [(high, y) for low, high, y in points if low is None and math.isfinite(high)]
    ax.plot([x for x, _ in open_], [y for _, y in open_], "o", ms=3.2, mfc="white", mec=colour, mew=0.9, zorder=3)


def _is_covered(s: Summary) -> bool:
    """Whether the hypotheses of a numerical guarantee hold on every instance of the family."""
    return s.holds == 1.0 and s.guarantee_high is not None


def _guarantee_mark(ax: Axes, summaries: Sequence[Summary], y: int) -> None:
    """Mark the largest guarantee among the families where its hypotheses hold throughout."""
    values = [s.guarantee_high for s in summaries if _is_covered(s) and s.guarantee_high is not None]
    if values:
        ax.plot([max(values)] * 2, [y - 0.42, y + 0.42], color=INK, lw=1.8, solid_capstyle="butt", zorder=4)


def _log_axis(ax: Axes, ratios: Sequence[Interval], promised: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    ends = [end for r in ratios for end in (r.low, r.high) if end is not None and math.isfinite(end) and end > 0]
    low, high = min([*ends, 1.0]), max([*ends, *promised, 2.0])
    ax.set_xscale("log")
    ax.set_xlim(low / 1.08, high * 1.15)
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    leading = (1, 2, 5) if high / low < 2000 else (1,)
    ticks = [m * 10.0**d for d in decades for m in leading]
    ax.xaxis.set_major_locator(FixedLocator([t for t in ticks if low / 1.08 <= t <= high * 1.15]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.axvline(1.0, color=INK, lw=0.9, zorder=1)


def _legend(ax: Axes, shown: Sequence[Summary], families: int) -> None:
    from matplotlib.lines import Line2D

    def dot(colour: str, label: str, face: str | None = None) -> Line2D:
        return Line2D([], [], marker="o", ls="", ms=4, mfc=face or colour, mec=colour, label=label)

    objectives = {s.objective for s in shown}
    what = "a family" if families > 1 else shown[0].family
    handles = [dot(BATCH, f"{what}, total completion")] if "completion" in objectives else []
    handles += [dot(ONLINE, f"{what}, total flow")] if "flow" in objectives else []
    if any(s.worst is not None and s.worst.low is None for s in shown):
        handles.append(dot(FAINT, "only an upper end", "white"))
    if any(_is_covered(s) for s in shown):
        handles.append(dot(INK, f"{what} under the guarantee", "none"))
        bar: dict[str, Any] = {"marker": "|", "ls": "", "ms": 9, "mew": 1.8, "color": INK}
        handles.append(Line2D([], [], label="published guarantee (largest)", **bar))
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _largest(summaries: Sequence[Summary], policy: str, which: str) -> float:
    """The largest proven ratio of a policy: lower ends first, upper ends for policies without them."""
    ratios = [getattr(s, which) for s in summaries if s.policy == policy]
    return max(r.high if r.low is None else r.low for r in ratios)


# -- schedules ----------------------------------------------------------------------------------------------------
@in_style
def memory_figure(schedule: Schedule, title: str = "") -> Figure:
    """Memory over time against the budget, and below it how many requests run and wait.

    Parameters
    ----------
    schedule : Schedule
    title : str
        Default: the policy and the instance.
    """
    inst = schedule.instance
    figure, (top, bottom) = axes_of(7.2, 4.2, rows=2, sharex=True, height_ratios=[2.4, 1])
    epoch, first, last = schedule.memory_curve()
    following = np.append(epoch[1:], epoch[-1])
    busy = slice(0, len(epoch) - 1)
    time = np.column_stack([epoch[busy], following[busy]]).ravel()
    # The demand of round e+1 is drawn over (e, e+1]; the line joins the first and the last round of a stretch.
    demand = np.column_stack([first[busy], last[busy]]).ravel()
    raster = len(time) > RASTER_FROM
    top.fill_between(time, demand, color=BATCH, alpha=0.18, lw=0, rasterized=raster)
    top.plot(time, demand, color=BATCH, lw=0.9, rasterized=raster)
    top.axhline(inst.memory, color=INK, lw=1.0, ls=(0, (5, 2)))
    budget = f"M = {inst.memory}"
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "fontsize": 8}
    top.annotate(budget, (1.0, inst.memory), xytext=(-2, 5), **beside)
    lost = schedule.attempts[~schedule.attempts["completed"]]
    if len(lost):
        at = np.full(len(lost), inst.memory * 1.03)
        marks = {"marker": "v", "ls": "", "ms": 4, "color": LOSS, "mew": 0, "rasterized": len(lost) > RASTER_FROM}
        top.plot(lost["stop"], at, label=f"{len(lost):,} evictions", zorder=4, **marks)
        top.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), borderaxespad=0.0)
    top.set_ylim(0, inst.memory * 1.12)
    top.set_xlim(0, schedule.makespan)
    top.set_ylabel("memory (tokens)")
    top.set_title(textwrap.fill(title or f"{schedule.policy} on {inst.name or 'an instance'}", 88), pad=12)
    _counts(bottom, schedule)
    totals = f"total completion {schedule.total_completion:,}, total flow {schedule.total_flow:,}"
    bottom.set_xlabel(f"round   ({totals}, utilisation {schedule.utilisation:.1%})")
    return figure


def _counts(ax: Axes, schedule: Schedule) -> None:
    """Draw the number of requests that run and that wait, as steps."""
    inst, rows = schedule.instance, schedule.attempts
    times = np.concatenate([rows["start"], rows["stop"]])
    change = np.concatenate([np.ones(len(rows)), -np.ones(len(rows))])
    at, running = _steps(times, change)
    present_at, present = _steps(np.concatenate([inst.arrival, schedule.completion]), np.repeat([1.0, -1.0], inst.n))
    grid = np.unique(np.concatenate([at, present_at]))
    run = _at(grid, at, running)
    wait = _at(grid, present_at, present) - run
    ax.step(grid, wait, where="post", color=ONLINE, lw=1.1, label="waiting", rasterized=len(grid) > RASTER_FROM)
    ax.step(grid, run, where="post", color=BATCH, lw=1.1, label="running", rasterized=len(grid) > RASTER_FROM)
    ax.set_ylabel("requests")
    ax.set_ylim(bottom=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=2, borderaxespad=0.0)


def _steps(times: Any, change: Any) -> tuple[Any, Any]:
    order = np.argsort(times, kind="stable")
    at, first = np.unique(times[order], return_index=True)
    return at, np.add.reduceat(change[order], first).cumsum()


def _at(grid: Any, at: Any, values: Any) -> Any:
    place = np.searchsorted(at, grid, side="right") - 1
    return np.where(place >= 0, values[np.maximum(place, 0)], 0.0)
