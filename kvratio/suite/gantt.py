"""A schedule as a Gantt chart on its memory profile."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.schedule import Schedule
from kvratio.suite.plots import BATCH, FAINT, INK, LOSS, RASTER_FROM, axes_of, in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: beyond these a chart cannot be read; the memory figure shows larger schedules
REQUESTS, ROUNDS = 300, 20_000


@in_style
def gantt_figure(schedule: Schedule, title: str = "") -> Figure:
    """Draw one row a request: waiting as a line, attempts as bars, killed ones hatched; below it, who holds memory.

    Parameters
    ----------
    schedule : Schedule
        At most 300 requests and 20,000 rounds.
    title : str
        Default: the policy and the instance.

    Raises
    ------
    BadParameter
        The schedule is too large to be read as a chart.
    """
    inst = schedule.instance
    if inst.n > REQUESTS or schedule.makespan > ROUNDS:
        raise BadParameter(
            f"{inst.n} requests over {schedule.makespan} rounds: a Gantt chart reads up to {REQUESTS} requests and "
            f"{ROUNDS} rounds; draw the memory figure instead"
        )
    height = min(max(1.2 + 0.13 * inst.n, 2.0), 8.0)
    figure, axes = axes_of(7.2, height + 2.0, rows=2, sharex=True, height_ratios=[height, 2.0])
    top, bottom = axes
    place = np.empty(inst.n)
    place[np.lexsort((schedule.completion, schedule.start))] = np.arange(inst.n)
    _bars(top, schedule, place)
    top.set_title(textwrap.fill(title or f"{schedule.policy} on {inst.name or 'an instance'}", 88))
    _stack(bottom, schedule, place)
    bottom.set_xlabel("round")
    return figure


def _bars(ax: Axes, schedule: Schedule, place: np.ndarray) -> None:
    inst, rows = schedule.instance, schedule.attempts
    done, lost = rows[rows["completed"]], rows[~rows["completed"]]
    ax.hlines(place, inst.arrival, schedule.completion, color=FAINT, lw=0.6, zorder=1)
    for some, look in (
        (done, {"color": BATCH, "label": "runs to completion"}),
        (lost, {"facecolor": "white", "edgecolor": LOSS, "hatch": "////", "lw": 0.6, "label": "killed, its work lost"}),
    ):
        if len(some):
            width = some["stop"] - some["start"]
            ax.barh(place[some["request"]], width, left=some["start"], height=0.72, zorder=2, **look)
    ax.set_ylim(inst.n - 0.5, -0.5)
    ax.set_xlim(0, schedule.makespan)
    if inst.n <= 40:
        names = np.empty(inst.n, dtype=object)
        names[place.astype(int)] = [f"{i} ({s}+{o})" for i, (s, o) in enumerate(zip(inst.prompt, inst.output))]  # noqa: B905
        ax.set_yticks(range(inst.n), names, fontsize=6.5)
        ax.set_ylabel("request (prompt + output)")
    else:
        ax.set_ylabel("request, by start")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper right", borderaxespad=0.2)


def _stack(ax: Axes, schedule: Schedule, place: np.ndarray) -> None:
    """Stack the memory of every request over the rounds, in the order of the rows above."""
    inst = schedule.instance
    held = np.zeros((inst.n, schedule.makespan))
    void = np.zeros((inst.n, schedule.makespan), dtype=bool)
    for row in schedule.attempts:
        at, span = int(place[row["request"]]), slice(int(row["start"]), int(row["stop"]))
        held[at, span] = inst.prompt[row["request"]] + np.arange(1, span.stop - span.start + 1)
        void[at, span] = not row["completed"]
    edges = np.arange(schedule.makespan + 1)
    raster = inst.n * schedule.makespan > RASTER_FROM
    below = np.zeros(len(edges))
    for k, top in enumerate(np.cumsum(held, axis=0)):
        above = np.append(top, top[-1])  # a step for each round, the last one closed
        for chosen, colour in ((held[k] > 0) & ~void[k], BATCH), (void[k], LOSS):
            if chosen.any():
                where = np.append(chosen, False)
                where[1:] |= chosen  # the step that ends where a stretch ends
                look: dict[str, Any] = {"color": colour, "alpha": 0.4 if k % 2 else 0.22, "lw": 0, "rasterized": raster}
                ax.fill_between(edges, below, above, where=where, step="post", **look)
        below = above
    ax.axhline(inst.memory, color=INK, lw=1.0, ls=(0, (5, 2)))
    ax.set_ylim(0, inst.memory * 1.08)
    ax.set_ylabel(f"memory of {inst.memory}")
