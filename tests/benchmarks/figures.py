"""The figures of docs/optimum.md: what an optimal schedule looks like, time to proof, and intervals that close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

import kvratio.suite
from kvratio import Instance, Schedule, bound, schedule

STYLE = Path(kvratio.suite.__file__).with_name("kvratio.mplstyle")
NAMES = {"exact": "backward search (exact)", "highs": "milp, HiGHS", "cbc": "milp, CBC"}

#: eight requests on which smallest volume first pays 13 % more than the optimum
PICTURE = Instance(prompt=[1, 3, 4, 1, 1, 2, 2, 3], output=[12, 9, 6, 9, 9, 7, 6, 8], memory=24, name="eight requests")


def draw_all(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write every figure as SVG; ``rows`` are those of `test_bounds`."""
    folder.mkdir(exist_ok=True)
    with mpl.style.context(str(STYLE)):
        figures = {"packing": packing(PICTURE)}
        proofs = [row["extra_info"] | {"seconds": row["stats"]["median"]} for row in rows if row["group"] == "proof"]
        gaps = [row["extra_info"] for row in rows if row["group"] == "gap"]
        if proofs:
            figures["time_to_proof"] = time_to_proof(proofs)
        if gaps:
            figures["gap_against_time"] = gap_against_time(gaps)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def packing(inst: Instance) -> Figure:
    """Memory by request and round: smallest volume first above, an optimum below."""
    found = bound(inst, "exact")
    assert found.status == "optimal"
    assert found.schedule is not None
    shown = {"svf": schedule(inst, "svf"), "an optimal schedule": found.schedule}
    last = max(s.makespan for s in shown.values())
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.subplots(len(shown), 1, sharex=True)
    for ax, (title, sch) in zip(axes, shown.items(), strict=True):
        _stack(ax, sch, last)
        ax.set_title(f"{title}: total completion {sch.total_completion}")
        ax.set_ylabel("tokens")
    axes[-1].set_xlabel("round")
    return figure


def _stack(ax: Any, sch: Schedule, last: int) -> None:
    """Draw the requests of a schedule on top of each other, the one that ends last at the bottom."""
    inst = sch.instance
    colours = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    floor = np.zeros(last)
    for i in np.argsort(-sch.completion, kind="stable"):
        held = np.zeros(last)
        held[sch.start[i] : sch.completion[i]] = inst.prompt[i] + np.arange(1, inst.output[i] + 1)
        at = np.flatnonzero(held)
        ax.bar(
            at + 1, held[at], bottom=floor[at], width=1.0, color=colours[i % len(colours)], edgecolor="white", lw=0.4
        )
        ax.text(at[-1] + 1, floor[at[-1]] + held[at[-1]] / 2, str(i), ha="center", va="center", size=6, color="white")
        floor += held
    ax.axhline(inst.memory, color="black", lw=1)
    ax.annotate("M", (last + 0.6, inst.memory), va="center", annotation_clip=False)
    ax.set_xlim(0.5, last + 0.5)
    ax.grid(visible=False)


def time_to_proof(rows: Iterable[Mapping[str, Any]]) -> Figure:
    """Seconds until the optimum is proved against n, one panel for each alpha; open marks: not proved in time."""
    rows = list(rows)
    alphas = sorted({row["alpha"] for row in rows})
    figure = Figure(figsize=(6.4, 2.9))
    axes = figure.subplots(1, len(alphas), sharey=True, squeeze=False)[0]
    for ax, alpha in zip(axes, alphas, strict=True):
        for k, (method, name) in enumerate(NAMES.items()):
            mine = [row for row in rows if row["alpha"] == alpha and row["method"] == method]
            x = np.array([row["n"] for row in mine]) + 0.25 * (k - 1)
            y = np.array([max(row["seconds"], 1e-3) for row in mine])
            done = np.array([row["proved"] for row in mine], dtype=bool)
            ax.plot(x[done], y[done], "o", ms=4.5, color=f"C{k}", label=name)
            ax.plot(x[~done], y[~done], "o", ms=4.5, mfc="white", color=f"C{k}")
        ax.set_yscale("log")
        ax.set_title(rf"lengths up to {alpha:g} M")
        ax.set_xlabel("requests n")
        ax.set_xticks(sorted({row["n"] for row in rows}))
    axes[0].set_ylabel("seconds to proof")
    axes[-1].legend(loc="lower right")
    return figure


def gap_against_time(rows: Iterable[Mapping[str, Any]]) -> Figure:
    """U/LB - 1 of large instances against time."""
    figure = Figure(figsize=(4.8, 2.9))
    ax = figure.subplots()
    for k, row in enumerate(rows):
        track = np.array(row["track"], dtype=float)
        label = f"{row['shape']}, n = {row['requests']:,}"
        ax.step(track[:, 0], 100 * (track[:, 2] / track[:, 1] - 1), where="post", color=f"C{k}", label=label)
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    ax.set_xlabel("seconds")
    ax.set_ylabel("U/LB - 1 of total flow, %")
    ax.legend()
    return figure
