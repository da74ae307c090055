"""Cycles on a ring of stages: one panel per phase, the area of a dot is the mass of its stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FAINT, INK, in_style
from kvratio.suite.stability_figures.caption import MODEL, classes_text, sign
from kvratio.suite.stability_figures.colours import RESTART
from kvratio.suite.stability_figures.history import near_equilibrium
from stability.congestion import find_cycle, simulate
from stability.congestion.classes import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: panels of a row, and iterations in which a run may find its cycle
PHASES, LIMIT = 4, 50_000
#: points^2 of the largest dot; mass below this share of it is none
LARGEST, NOTHING = 260.0, 1e-9
#: stages whose numbers are all written around the ring
NUMBERED = 16


@dataclass(frozen=True)
class Workload:
    """One row of rings: classes on a worker.

    Attributes
    ----------
    prompt, decode, memory, shares
        As `stability.congestion.simulate`.
    title : str
        What the row shows, if anything is to be said.
    """

    prompt: Any
    decode: Any
    memory: float
    shares: Any = None
    title: str = ""

    @property
    def text(self) -> str:
        """Classes and memory in words."""
        return classes_text(self.prompt, self.decode, self.memory, self.shares)


@dataclass(frozen=True, eq=False)
class Phases:
    """States of a run at its end, with what led to each.

    Attributes
    ----------
    states : float64[n, d]
        Mass at each age.
    admitted, evicted, completed : float64[n]
    period : int
        Of the cycle; 0: none was found, the states are the last of the run.
    """

    states: FloatArray
    admitted: FloatArray
    evicted: FloatArray
    completed: FloatArray
    period: int


def phases_of(load: Workload, seed: int = 0, limit: int = LIMIT) -> Phases:
    """Return one period of the cycle that a start near x* ends in, beginning with the largest admission."""
    start = near_equilibrium(load.prompt, load.decode, load.memory, load.shares, 0.05, seed)
    found = find_cycle(load.prompt, load.decode, load.memory, shares=load.shares, start=start, limit=limit)
    if found is None:
        end = simulate(
            load.prompt, load.decode, load.memory, limit, shares=load.shares, start=start, record="totals"
        ).last
        period = PHASES
    else:
        end, period = found.states[0], found.period
    run = simulate(load.prompt, load.decode, load.memory, period, shares=load.shares, start=end)
    columns = (run.y[1:], run.admitted[1:], run.evicted[1:], run.completed[1:])
    first = int(np.argmax(run.admitted[1:])) if found is not None else 0
    states, admitted, evicted, completed = (np.roll(column, -first, axis=0) for column in columns)
    return Phases(states, admitted, evicted, completed, 0 if found is None else period)


@in_style
def rings_figure(loads: Sequence[Workload], seed: int = 0) -> Figure:
    """Draw the cycle that each workload ends in, one row each.

    Parameters
    ----------
    loads : sequence of Workload
    seed : int
        Of the starts near x*.

    Raises
    ------
    BadParameter
        No workload, or one without meaning.
    """
    from matplotlib import pyplot as plt

    if not loads:
        raise BadParameter("no workloads: give at least one")
    rows = [phases_of(load, seed) for load in loads]
    figure, axes = plt.subplots(len(rows), PHASES, figsize=(7.1, 0.5 + 1.95 * len(rows)), squeeze=False)
    notes = []
    for number, (line, load, phases) in enumerate(zip(axes, loads, rows, strict=True)):
        shown = min(PHASES, len(phases.states))
        largest = float(phases.states.max())
        for k, ax in enumerate(line):
            ax.set_axis_off()
            ax.set_aspect("equal")
            if k < shown:
                ring(ax, phases, k, largest)
        kind = "no cycle found" if not phases.period else f"period {phases.period}"
        letter = f"({'abcdefgh'[number % 8]}) " if len(rows) > 1 else ""
        line[0].set_title(letter + (f"{load.title}, {kind}" if load.title else kind), fontsize=8.5)
        hidden = f", {shown} of {phases.period} phases" if phases.period > shown else ""
        told = f"the last {shown} of {LIMIT:,} iterations" if not phases.period else f"period {phases.period}{hidden}"
        notes.append(f"{letter}{load.text}, {told}")
    sign(
        figure,
        f"{MODEL}, from x* changed by up to 5 % (seed {seed}): {'; '.join(notes)}. Dots: mass of a stage, by area, "
        "largest in a row alike; in the middle, what happened in that iteration.",
    )
    return figure


def ring(ax: Axes, phases: Phases, k: int, largest: float) -> None:
    """Draw one state on the ring, stage 0 at the top and time clockwise, with the events that led to it."""
    y = phases.states[k]
    d = len(y)
    angle = math.pi / 2 - 2 * math.pi * np.arange(d) / d
    x, up = np.cos(angle), np.sin(angle)
    turn = np.linspace(0, 2 * math.pi, 121)
    ax.plot(np.cos(turn), np.sin(turn), color="#DDDDDD", lw=0.8, zorder=1)
    full = y > NOTHING * largest
    ax.scatter(x[~full], up[~full], s=7, facecolor="white", edgecolor=FAINT, lw=0.7, zorder=2)
    ax.scatter(x[full], up[full], s=LARGEST * y[full] / largest, color=RESTART, edgecolor="white", lw=0.6, zorder=3)
    every = 1 if d <= NUMBERED else math.ceil(d / 8)
    for stage in range(0, d, every):
        ax.text(1.4 * x[stage], 1.4 * up[stage], str(stage), ha="center", va="center", fontsize=7, color=INK)
    events = [
        f"{sign_} {value:.3g}"
        for sign_, value in (
            ("done", phases.completed[k]), ("evicted", phases.evicted[k]), ("admitted", phases.admitted[k])
        )
        if value > NOTHING * largest
    ]  # fmt: skip
    ax.text(0, 0, "\n".join(events), ha="center", va="center", fontsize=7, color=INK)
    ax.set_xlim(-1.55, 1.55)
    ax.set_ylim(-1.55, 1.55)
