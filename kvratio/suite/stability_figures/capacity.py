"""The picture of a capacity: throughput against rate, workers against utilisation, who holds the area, and queues."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.seeds import stream
from kvratio.suite.plots import FAINT, INK, in_style
from kvratio.suite.stability_figures.colours import BANDS, EVICTIONS
from stability.capacity import area, gpus_needed
from stability.capacity.checks import FloatArray
from stability.capacity.lengths import Joint, Lengths
from stability.slots import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stability.capacity import Capacity

#: draws that stand for a distribution in the histogram
DRAWS = 100_000
#: slots of a simulation under overload: at least so many to warm up and to measure, or so many longest requests
WARMUP, SLOTS, LONGEST_WARMUP, LONGEST_SLOTS = 6_000, 16_000, 2, 4
#: seeds of a simulation under overload
RUNS = 3
#: rates of the queues against mu, and their lines
LOADS = (0.8, 0.95, 1.05, 1.2)
DASHES = ((0, (1.5, 1.5)), (0, (6, 2)), "-", "-")
#: longest requests whose share of the area is told
LONGEST = 0.01


@in_style
def capacity_figure(found: Capacity, lengths: Lengths, name: str = "", seed: int = 0) -> Figure:
    """Draw the four panels of a capacity.

    Parameters
    ----------
    found : Capacity
    lengths : Joint, Independent or Mixed
        The lengths that it was computed for.
    name : str
        Of the workload.
    seed : int
        Of the draws of the last two panels.

    Notes
    -----
    The marks under overload and the queues are simulated slot by slot (`stability.slots.simulate`), lengths drawn with
    replacement; the queues keep the progress of evicted requests and get Poisson arrivals.
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9.6, 7.0))
    throughput_panel(axes[0, 0], found, overload(found, lengths, seed))
    workers_panel(axes[0, 1], found)
    sample = _sample(found, lengths, seed)
    area_panel(axes[1, 0], sample)
    queue_panel(axes[1, 1], found, lengths, seed)
    form = "exact" if found.exact else "closed"
    caption = (
        f"{name}: one worker, M = {found.memory:g} tokens, b = {found.slot_seconds:.4g} s ({found.slot_source}), chunk "
        f"{found.chunk:g}, {form} areas. Simulated in slots: seeds {seed} to {seed + RUNS - 1} under overload, seed "
        f"{seed} for the queues. Theory: arXiv 2605.04595 (mu, safe rate), arXiv 2606.15555 (restarts)."
    )
    figure.supxlabel(textwrap.fill(caption, 130), fontsize=7.5, color=INK, x=0.01, ha="left")
    return figure


def overload(found: Capacity, lengths: Lengths, seed: int) -> dict[str, list[float]]:
    """Return what a worker serves under overload by kind of eviction, requests per second, one for each seed."""
    longest = lengths.longest_stay(found.chunk)
    warmup, slots = max(WARMUP, int(LONGEST_WARMUP * longest)), max(SLOTS, int(LONGEST_SLOTS * longest))
    how: dict[str, Any] = {"warmup": warmup, "chunk": int(found.chunk), "exact": found.exact}
    return {
        kind: [
            simulate(lengths, found.memory, slots, eviction=kind, seed=seed + k, **how).throughput / found.slot_seconds
            for k in range(RUNS)
        ]
        for kind in EVICTIONS
    }


def throughput_panel(ax: Axes, found: Capacity, served: dict[str, list[float]]) -> None:
    """Draw what is served against what is asked, per worker, over the stable, metastable and unstable bands."""
    from matplotlib.patches import Patch

    top = 1.5 * found.mu
    if found.rate is not None and found.gpus is not None:
        top = max(top, 1.1 * found.rate / found.gpus)
    low, mu = min(found.restart_rate, found.mu), found.mu
    may = "metastable" if found.near_equal else "may be metastable"
    bands = (
        ("stable", 0.0, low, "stable, whatever evictions cost"),
        ("metastable", low, mu, f"{may} if evictions lose work"),
        ("unstable", mu, top, "unstable under any policy"),
    )
    handles: list[Any] = []
    for kind, start, end, label in bands:
        ax.axvspan(start, end, zorder=0, **BANDS[kind])
        handles.append(Patch(label=label, **BANDS[kind]))
    rate = np.linspace(0, top, 301)
    swap, restart = ({k: v for k, v in EVICTIONS[kind].items() if k != "marker"} for kind in ("swap", "restart"))
    handles += ax.plot(rate, np.minimum(rate, mu), lw=1.8, label="evictions keep progress: at most mu", **swap)
    label = f"restart from a backlog: at least {'T_worst' if found.near_equal else 'the floor'}"
    handles += ax.plot(rate, np.minimum(rate, low), lw=1.8, label=label, **restart)
    for k, (kind, rates) in enumerate(served.items()):
        place = mu + (top - mu) * (k + 1) / (len(served) + 1)
        style = {"color": EVICTIONS[kind]["color"], "marker": EVICTIONS[kind]["marker"]}
        text = f"simulated under overload: {kind}"
        handles += ax.plot([place] * len(rates), rates, ls="", ms=5, mec="white", mew=0.5, label=text, **style)
    for value, text, side in ((found.safe_rate, "safe rate", "right"), (mu, "mu", "left")):
        ax.axvline(value, color=INK, lw=0.9, ls=(0, (5, 2)))
        _beside(ax, value, f"{text} {value:.4g}", side)
    if found.rate is not None and found.gpus is not None:
        each = found.rate / found.gpus
        handles += ax.plot([each], [min(each, mu)], "D", color=INK, ms=5, label=f"asked, on {found.gpus}: {each:.4g}")
    ax.set_xlim(0, top)
    ax.set_ylim(0, 1.25 * mu)
    ax.set_xlabel("arrival rate per worker (requests/s)")
    ax.set_ylabel("served (requests/s)")
    ax.set_title("Throughput against rate")
    ax.legend(handles=handles, loc="lower right", fontsize=6, frameon=True, framealpha=0.9, edgecolor="none")


def workers_panel(ax: Axes, found: Capacity) -> None:
    """Draw the workers that the rate needs against the utilisation planned for; without a rate, mu against workers."""
    from matplotlib.ticker import MaxNLocator

    if found.rate is None or found.least_gpus is None or found.gpus is None:
        count = np.arange(1, 9)
        ax.plot(count, count * found.mu, "o-", color=INK, ms=4, label="mu")
        ax.plot(count, count * found.safe_rate, "s--", color=FAINT, ms=4, label="safe rate")
        ax.set_xlabel("workers")
        ax.set_ylabel("requests/s")
        ax.set_title("Capacity of replicas (no rate was given)")
        ax.legend()
        return
    target = np.linspace(0.3, 1.0, 701)
    need = [gpus_needed(found.rate, found.mu, float(share)) for share in target]
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.step(target, need, where="post", color=INK, label="at this utilisation")
    ax.axhline(found.least_gpus, color=FAINT, ls=(0, (5, 2)), label=f"bare minimum {found.least_gpus}")
    ax.plot([found.utilisation], [found.gpus], "D", color=INK, ms=5, label=f"planned: {found.gpus}")
    ax.axvspan(0.3, max(0.3, 1 - found.delta), zorder=0, label="proven stable", **BANDS["stable"])
    ax.set_ylim(0, 1.08 * max(need))
    ax.set_xlim(0.3, 1.0)
    ax.set_xlabel("utilisation planned for (share of mu)")
    ax.set_ylabel("workers")
    ax.set_title(f"Workers for {found.rate:.4g} requests/s")
    ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")


def area_panel(ax: Axes, areas: FloatArray) -> None:
    """Draw how areas are spread, by requests and by area, with the share that the longest 1 % hold."""
    areas = areas[areas > 0]
    low, high = float(areas.min()), float(areas.max())
    ends = (low / 10, high * 10) if low == high else (low, high * (1 + 1e-9))
    edges = np.geomspace(*ends, 50).tolist()
    share = np.full(len(areas), 1 / len(areas))
    ax.hist(areas, edges, weights=share, color=FAINT, alpha=0.6, label="share of the requests")
    swap = EVICTIONS["swap"]["color"]
    ax.hist(areas, edges, weights=areas / areas.sum(), histtype="step", color=swap, lw=1.5, label="share of the area")
    held, cut = longest_share(areas)
    ax.axvline(cut, color=INK, lw=0.9, ls=(0, (5, 2)))
    ax.set_xscale("log")
    ax.set_xlabel("area of a request (token-slots)")
    ax.set_ylabel("share per bin")
    ax.set_title(f"The longest 1 % hold {held:.1%} of the area")
    ax.legend(loc="upper left", frameon=True, framealpha=0.9, edgecolor="none")


def longest_share(areas: FloatArray) -> tuple[float, float]:
    """Return the share of the area that the largest 1 % (at least one request) hold, and the smallest of these."""
    count = max(1, round(LONGEST * len(areas)))
    largest = np.sort(areas)[-count:]
    return float(largest.sum() / areas.sum()), float(largest[0])


def queue_panel(ax: Axes, found: Capacity, lengths: Lengths, seed: int) -> None:
    """Draw the requests that wait over time, below and above mu, from an empty worker."""
    slots = max(SLOTS, int(LONGEST_SLOTS * lengths.longest_stay(found.chunk)))
    seconds = np.arange(1, slots + 1) * found.slot_seconds
    how: dict[str, Any] = {"warmup": 0, "chunk": int(found.chunk), "exact": found.exact, "seed": seed}
    for load, dash in zip(LOADS, DASHES, strict=True):
        run = simulate(lengths, found.memory, slots, rate=load * found.per_slot, **how)
        colour, width = (INK, 1.8 if load == max(LOADS) else 1.1) if load > 1 else (EVICTIONS["swap"]["color"], 1.1)
        ax.plot(seconds, run.waiting, color=colour, lw=width, ls=dash, label=f"{load:g} mu", rasterized=True)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("requests waiting")
    ax.set_ylim(bottom=0)
    ax.set_xlim(left=0)
    ax.set_title("Queue below and above mu, simulated (swap)")
    ax.legend(title="rate", loc="upper left", frameon=True, framealpha=0.9, edgecolor="none")


def _sample(found: Capacity, lengths: Lengths, seed: int) -> FloatArray:
    """Return areas of the requests themselves, where all weigh the same, else of draws."""
    if isinstance(lengths, Joint) and np.ptp(lengths.weight) <= 1e-12 * lengths.weight.max():
        s, o = lengths.prompt, lengths.output
    else:
        s, o = lengths.draw(DRAWS, stream("capacity", "areas", seed))
    return np.atleast_1d(area(s, o, found.chunk, found.exact))


def _beside(ax: Axes, value: float, text: str, side: str) -> None:
    ax.annotate(
        text, (value, 1.0), xycoords=("data", "axes fraction"), xytext=(-3 if side == "right" else 3, -4),
        textcoords="offset points", ha=side, va="top", rotation=90, fontsize=7, color=INK,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
