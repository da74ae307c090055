"""Throughput against rate from empty and from a backlog: between T_worst and x* what is served depends on the past."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import INK, in_style
from kvratio.suite.stability_figures.caption import classes_text, sign
from kvratio.suite.stability_figures.colours import BANDS, EVICTIONS
from stability import open_arrivals
from stability.capacity import capacity
from stability.congestion import equilibrium_rate, worst_rate
from stability.congestion.classes import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: rates asked, over T_worst; those of the first panel's points
RATES = (0.7, 0.9, 0.95, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7)
#: what the points of the first panel stand for: kind of eviction, whether from a backlog, size of the mark
STARTS = (("recompute", True, 6.4), ("swap", True, 3.4), ("restart", True, 4.6), ("restart", False, 7.0))
#: marks of this size or larger are hollow, so that smaller ones inside them show
HOLLOW = 6.0
#: share of x* at which the cap of the second panel admits
CAP = 0.97
#: points of a queue that are drawn
POINTS = 400


@dataclass(frozen=True)
class Server:
    """One class of requests that arrive at random.

    Attributes
    ----------
    prompt, decode : int
        l0 and l1.
    memory : int
        M.
    steps : int
        Iterations; the second half is measured.
    backlog : int
        Requests that wait at a loaded start.
    """

    prompt: int = 10
    decode: int = 40
    memory: int = 2000
    steps: int = 40_000
    backlog: int = 3000

    @property
    def worst(self) -> float:
        """T_worst."""
        return worst_rate(self.prompt, self.decode, self.memory)

    @property
    def best(self) -> float:
        """x*, beyond which nothing is served."""
        return equilibrium_rate(self.prompt, self.decode, self.memory)

    @property
    def text(self) -> str:
        """Lengths and memory in words."""
        return classes_text(self.prompt, self.decode, self.memory)

    def run(
        self, rate: float, eviction: str, backlog: int, seed: int, cap: float = math.inf
    ) -> open_arrivals.OpenArrivals:
        """Simulate Poisson arrivals at a rate."""
        how: dict[str, Any] = {"backlog": backlog, "eviction": eviction, "cap": cap, "seed": seed}
        return open_arrivals.simulate(self.prompt, self.decode, self.memory, rate, self.steps, **how)


@dataclass(frozen=True, eq=False)
class Served:
    """What a worker served at each rate.

    Attributes
    ----------
    server : Server
    rates : tuple of float
        Arrivals per iteration.
    seeds : range
        Of the runs of each point.
    throughput : tuple of float64[rates, seeds]
        One for each of `STARTS`.
    """

    server: Server
    rates: tuple[float, ...]
    seeds: range
    throughput: tuple[FloatArray, ...]


def serve(
    server: Server | None = None,
    rates: Sequence[float] = RATES,
    seeds: int = 5,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> Served:
    """Simulate every rate from empty and from a backlog.

    Parameters
    ----------
    server : Server, optional
        Default: l0 = 10, l1 = 40, M = 2,000.
    rates : sequence of float
        Arrivals per iteration, over T_worst.
    seeds : int
        Runs of each point; 2 or more, for an interval.
    seed : int
        First seed.
    tell : callable, optional
        Is told of progress, one line at a time.

    Raises
    ------
    BadParameter
        Fewer than two seeds, no rates, or a server without meaning.
    """
    server = Server() if server is None else server
    if seeds < 2 or not len(rates):
        raise BadParameter(f"{seeds} seeds, {len(rates)} rates: give two seeds or more for intervals, and a rate")
    asked = tuple(float(rate) * server.worst for rate in rates)
    numbers, found = range(seed, seed + seeds), []
    for number, (eviction, loaded, _) in enumerate(STARTS, 1):
        backlog = server.backlog if loaded else 0
        found.append(np.array([[server.run(rate, eviction, backlog, k).throughput for k in numbers] for rate in asked]))
        if tell is not None:
            tell(f"throughput against rate, {number} of {len(STARTS)}: {eviction}, {backlog:,} queued at the start")
    return Served(server, asked, numbers, tuple(found))


@in_style
def hysteresis_figure(found: Served, burst_rate: float | None = None) -> Figure:
    """Draw what is served against the rate asked for, and the queue after a burst at one rate.

    Parameters
    ----------
    found : Served
    burst_rate : float, optional
        Arrivals per iteration of the second panel; default: midway between T_worst and x*.
    """
    from matplotlib import pyplot as plt

    server, seeds = found.server, found.seeds
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.9), width_ratios=[1.15, 1])
    rate_panel(left, found)
    at = (server.worst + server.best) / 2 if burst_rate is None else burst_rate
    queue_panel(right, server, at, seeds[0])
    sign(
        figure,
        f"Whole requests, Poisson arrivals, one worker (arXiv 2606.15555): {server.text}, {server.steps:,} iterations. "
        f"Left: second half; marks: means, bars: 95 % t-intervals over seeds {seeds[0]} to {seeds[-1]}, dots: single "
        "seeds; above the line: still working off the backlog; mu and the safe rate (arXiv 2605.04595) count the "
        f"prefill and hold if evictions keep the work. Right: rate {at:.4g}, seed {seeds[0]}.",
    )
    return figure


def rate_panel(ax: Axes, found: Served) -> None:
    """Draw served against asked with the metastable band, from empty and from a backlog."""
    from matplotlib.patches import Patch

    server, rates = found.server, found.rates
    worst, best, top = server.worst, server.best, 1.06 * max(*rates, server.best)
    handles: list[Any] = []
    for kind, low, high, text in (
        ("stable", 0.0, worst, "every start drains"),
        ("metastable", worst, best, "metastable under restart"),
        ("unstable", best, top, "every start grows"),
    ):
        ax.axvspan(low, min(high, top), zorder=0, **BANDS[kind])
        handles.append(Patch(label=text, **BANDS[kind]))
    line = np.linspace(0, top, 200)
    ax.plot(line, np.minimum(line, best), color=INK, lw=0.8, zorder=1)
    for (eviction, loaded, size), points in zip(STARTS, found.throughput, strict=True):
        label = f"{eviction}, {f'{server.backlog:,} queued' if loaded else 'from empty'}"
        handles.append(_marks(ax, rates, points, EVICTIONS[eviction], size, size < HOLLOW, label))
    for value, name, dash in ((best, "x*", (0, (5, 2))), (worst, "T_worst", (0, (1.5, 1.5)))):
        ax.axhline(value, color=EVICTIONS["restart"]["color"], lw=1.0, ls=dash, zorder=1)
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 7}
        ax.annotate(f"{name} {value:.4g}", (0.0, value), xytext=(3, 2), color=INK, **place)
    theory = capacity(([server.prompt], [server.decode]), server.memory, 1.0, chunk=max(1, server.prompt))
    for value, name, up in ((theory.mu, "mu", True), (theory.safe_rate, "safe rate", False)):
        ax.plot([value], [0], marker="|", color=INK, ms=14, mew=1.2, clip_on=False, zorder=5)
        ax.annotate(
            f"{name} {value:.4g}", (value, 0), xytext=(-4, 13 if up else 4), textcoords="offset points", ha="right",
            fontsize=7, color=INK,
        )  # fmt: skip
    ax.set_xlim(0, top)
    ax.set_ylim(0, 1.12 * best)
    ax.set_xlabel("arrivals per iteration")
    ax.set_ylabel("served per iteration")
    ax.set_title("Served against asked")
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7)


def _marks(
    ax: Axes, rates: Sequence[float], points: Any, style: dict[str, Any], size: float, full: bool, label: str
) -> Any:
    """Draw single seeds as dots, their means as marks and intervals as bars; return a handle for the legend."""
    from kvratio.suite.serving.student import mean_and_half_width

    mean, half = np.array([mean_and_half_width(row) for row in points]).T
    colour = style["color"]
    ax.plot(np.repeat(rates, points.shape[1]), points.ravel(), ".", ms=1.8, color=colour, alpha=0.7, mew=0)
    return ax.errorbar(
        rates, mean, half, fmt=style["marker"], color=colour, ms=size, mfc=colour if full else "none", mew=1.0,
        elinewidth=0.9, capsize=1.8, label=label, zorder=3,
    )  # fmt: skip


def queue_panel(ax: Axes, server: Server, rate: float, seed: int) -> None:
    """Draw the queue at one rate: from empty, from a backlog, with the cap, and with swap."""
    thin = max(1, server.steps // POINTS)
    restart, swap = EVICTIONS["restart"]["color"], EVICTIONS["swap"]["color"]
    queued, capped = server.backlog, CAP * server.best
    for label, eviction, backlog, cap, line in (
        ("restart, from empty", "restart", 0, math.inf, {"color": restart, "ls": (0, (1.5, 1.5)), "lw": 1.4}),
        (f"restart, {queued:,} queued", "restart", queued, math.inf, {"color": restart, "lw": 1.6}),
        (f"the same, cap {CAP:g} x*", "restart", queued, capped, {"color": INK, "ls": (0, (5, 2)), "lw": 1.4}),
        (f"swap, {queued:,} queued", "swap", queued, math.inf, {"color": swap, "lw": 1.2}),
    ):
        style: dict[str, Any] = line
        run = server.run(rate, eviction, backlog, seed, cap)
        at = np.arange(0, server.steps, thin)
        ax.plot(at / 1000, run.waiting[at], label=label, **style)
    ax.set_xlim(0, server.steps / 1000)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("iteration (thousands)")
    ax.set_ylabel("requests waiting")
    ax.set_title(f"Queue at rate {rate:.4g}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2, fontsize=7)
