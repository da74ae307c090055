"""One run over its iterations, from a start near the equilibrium: the spiral, the cascade and the cycle at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.suite.plots import FAINT, INK, RASTER_FROM, axes_of, in_style
from kvratio.suite.stability_figures.caption import MODEL, classes_text, sign
from kvratio.suite.stability_figures.colours import BANDS, RESTART
from kvratio.suite.stability_figures.history import History, history, near_equilibrium
from stability.congestion import equilibrium_rate, pulse_rate, stage_weights, steps_to_worst_cycle, worst_rate
from stability.congestion.classes import FloatArray, classes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: iterations of which each is drawn as a bar of its own
MOST_BARS = 1000


@in_style
def series_figure(
    prompt: Any,
    decode: Any,
    memory: float,
    steps: int,
    *,
    shares: Any = None,
    noise: float = 0.01,
    seed: int = 0,
    name: str = "",
) -> Figure:
    """Draw memory, admissions, evictions and completions of one run from a start near x*.

    Parameters
    ----------
    prompt, decode, memory, shares
        As `stability.congestion.simulate`.
    steps : int
        Iterations.
    noise : float
        Largest relative deviation of a stage from x* at the start.
    seed : int
        Of the start.
    name : str
        What to call the workload; default: its classes.

    Raises
    ------
    BadParameter
    """
    start = near_equilibrium(prompt, decode, memory, shares, noise, seed)
    run = history(prompt, decode, memory, steps, shares=shares, start=start)
    classes = classes_of(prompt, decode, shares)
    figure, (top, middle, bottom) = axes_of(7.1, 5.0, rows=3, sharex=True, height_ratios=[1.15, 1, 1.15])
    memory_panel(top, run, memory)
    moves_panel(middle, run)
    best = equilibrium_rate(prompt, decode, memory, shares)
    low, label = cycle_rate(prompt, decode, memory, shares)
    throughput_panel(bottom, run, classes.d, best, low, label)
    alone = len(np.unique(classes.decode)) == 1 and len(np.unique(classes.prompt)) == 1
    end = steps_to_worst_cycle(float(classes.prompt[0]), classes.d, memory, start, limit=steps) if alone else None
    stretches(top, run.evicted, end, "cascade" if alone else "evictions")
    for ax in (top, middle, bottom):
        ax.set_xlim(0, steps)
    bottom.set_xlabel("iteration")
    who = name or classes_text(prompt, decode, memory, shares)
    sign(
        figure,
        f"{MODEL}, endless backlog: {who}; start: x* at every stage, changed by up to {100 * noise:.3g} % (seed "
        f"{seed}). Top: tokens that the requests in memory need after each step, before evictions. Bottom: running "
        f"mean over {classes.d:,} iterations, the longest decode length.",
    )
    return figure


def cycle_rate(prompt: Any, decode: Any, memory: float, shares: Any = None) -> tuple[float, str]:
    """Return the rate to compare with x*, and its name: of the worst cycle, of the pulse cycle, or the floor."""
    classes = classes_of(prompt, decode, shares)
    if len(np.unique(classes.decode)) == 1:
        return pulse_rate(prompt, decode, memory, shares), "T_worst"
    if classes.gcd > 1:
        return pulse_rate(prompt, decode, memory, shares), "T_pulse"
    return worst_rate(prompt, decode, memory, shares), "floor"


def memory_panel(ax: Axes, run: History, memory: float) -> None:
    """Draw the memory asked for, as a share of M; what is above 1 will be evicted."""
    at = np.arange(1, len(run.demand) + 1)
    asked, raster = run.demand / memory, len(at) > RASTER_FROM
    over = np.maximum(asked, 1.0)
    ax.fill_between(at, 1.0, over, step="mid", color=RESTART, alpha=0.45, lw=0, label="evicted", rasterized=raster)
    ax.step(at, asked, where="mid", color=INK, lw=0.7, label="needed", rasterized=raster)
    ax.axhline(1.0, color=INK, lw=1.0, ls=(0, (5, 2)), label="memory M")
    ax.set_ylim(0, max(1.25, 1.08 * float(asked.max())))
    ax.set_ylabel("memory / M")
    ax.set_title("Memory that the resident requests need")
    ax.legend(loc="lower left", ncols=3, fontsize=7, frameon=True, framealpha=0.9, edgecolor="none")


def moves_panel(ax: Axes, run: History) -> None:
    """Draw admissions up and evictions down."""
    at = np.arange(1, len(run.admitted) + 1)
    for values, colour, label in ((run.admitted, FAINT, "admitted"), (-run.evicted, RESTART, "evicted, downwards")):
        if len(at) <= MOST_BARS:
            ax.vlines(at, 0, values, color=colour, lw=0.8, label=label)
        else:
            ax.fill_between(at, 0, values, step="mid", color=colour, lw=0, label=label, rasterized=True)
    scale = float(max(run.admitted.max(), run.evicted.max(), 1e-300))
    ax.axhline(0, color=INK, lw=0.6)
    ax.set_yscale("symlog", linthresh=scale / 30, linscale=0.8)
    ax.set_yticks(*_symmetric_ticks(scale))
    ax.set_ylim(-2 * scale, 2 * scale)
    ax.minorticks_off()
    ax.set_ylabel("requests")
    ax.set_title("Admissions and evictions in each iteration")
    ax.legend(loc="lower left", ncols=2, fontsize=7, frameon=True, framealpha=0.9, edgecolor="none")


def _symmetric_ticks(scale: float) -> tuple[list[float], list[str]]:
    """Return ticks at 0 and at round numbers near the scale and a tenth of it, both ways."""
    power = 10.0 ** np.floor(np.log10(scale))
    sizes = [0.1 * power, power]
    values = [-size for size in reversed(sizes)] + [0.0] + sizes
    return values, [f"{abs(value):g}" for value in values]


def throughput_panel(ax: Axes, run: History, window: int, best: float, low: float, label: str) -> None:
    """Draw completions as a running mean over ``window`` iterations, between x* and the rate of the cycle."""
    at = np.arange(1, len(run.completed) + 1)
    mean = running_mean(run.completed, window)
    ax.plot(at, mean, color=INK, lw=1.2, label="completed", rasterized=len(at) > RASTER_FROM)
    for value, name, dash in ((best, "x*", (0, (5, 2))), (low, label, (0, (1.5, 1.5)))):
        ax.axhline(value, color=RESTART, lw=1.2, ls=dash, label=f"{name} = {value:.4g}")
    top = float(np.nanmax(mean)) if np.isfinite(mean).any() else best
    ax.set_ylim(0, 1.18 * max(top, best))
    ax.set_ylabel("requests per iteration")
    ax.set_title("Completions")
    ax.legend(loc="lower left", ncols=3, fontsize=7, frameon=True, framealpha=0.9, edgecolor="none")


def running_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean over the last ``window`` values at each place; nan where there are fewer."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    mean = np.full(len(values), np.nan)
    if window <= len(values):
        mean[window - 1 :] = (total[window:] - total[:-window]) / window
    return mean


def stretches(ax: Axes, evicted: FloatArray, end: int | None, cascade: str) -> None:
    """Name the stretches of a run: until the first eviction, until a single cohort is left, and after that."""
    first = np.flatnonzero(evicted > 0)
    cut = len(evicted) if not len(first) else int(first[0])
    end = len(evicted) if end is None else end
    for left, right, text, band in (
        (0, cut, "spiral" if len(first) else "no evictions", "stable"),
        (cut, end, cascade, "metastable"),
        (end, len(evicted), "worst cycle", "unstable"),
    ):
        if right <= left:
            continue
        ax.axvspan(left, right, ymin=0.87, ymax=1.0, zorder=0, **{**BANDS[band], "hatch": None})
        if right - left > 0.06 * len(evicted):
            ax.annotate(
                text, ((left + right) / 2, 0.935), xycoords=("data", "axes fraction"), ha="center", va="center",
                fontsize=7.5, color=INK,
            )  # fmt: skip


def stage_share(y: FloatArray, prompt: Any, decode: Any, memory: float, shares: Any = None) -> FloatArray:
    """Return the share of M that each age holds, float64[steps + 1, d]."""
    return np.asarray(y * stage_weights(prompt, decode, shares) / memory, dtype=np.float64)
