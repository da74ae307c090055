"""A run as a map: iterations along, ages up, and how much of the memory each age holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import in_style
from kvratio.suite.stability_figures.caption import MODEL, classes_text, sign
from kvratio.suite.stability_figures.history import near_equilibrium
from kvratio.suite.stability_figures.series import stage_share
from stability.congestion import simulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: share of M from which on the colour does not change
FULL = 0.5
#: cells of a map
MOST = 1 << 24


@dataclass(frozen=True)
class Run:
    """One map: classes, and the iterations to show.

    Attributes
    ----------
    title : str
    prompt, decode, memory, shares
        As `stability.congestion.simulate`.
    first, steps : int
        Iterations before those shown, and shown.
    """

    title: str
    prompt: Any
    decode: Any
    memory: float
    shares: Any = None
    first: int = 0
    steps: int = 300


@in_style
def stage_map_figure(runs: Sequence[Run], noise: float = 0.01, seed: int = 0) -> Figure:
    """Draw runs from near x* as maps of stage by time.

    Parameters
    ----------
    runs : sequence of Run
    noise : float
        Largest relative deviation of a stage from x* at the start.
    seed : int
        Of the starts.

    Raises
    ------
    BadParameter
        No runs, or a map of too many cells.
    """
    from matplotlib import pyplot as plt
    from matplotlib.colors import PowerNorm

    if not runs:
        raise BadParameter("no runs: give at least one")
    figure, axes = plt.subplots(len(runs), 1, figsize=(7.1, 0.7 + 1.75 * len(runs)), squeeze=False)
    image, notes = None, []
    for number, (ax, run) in enumerate(zip(axes[:, 0], runs, strict=True)):
        share = _shares(run, noise, seed)
        image = ax.imshow(
            share.T, aspect="auto", origin="lower", cmap="magma_r", norm=PowerNorm(0.5, 0, FULL),
            extent=(run.first - 0.5, run.first + run.steps + 0.5, -0.5, share.shape[1] - 0.5), interpolation="nearest",
        )  # fmt: skip
        ax.grid(False)
        ax.set_ylabel("stage")
        letter = f"({'abcdefgh'[number % 8]}) " if len(runs) > 1 else ""
        ax.set_title(letter + run.title, fontsize=8.5)
        notes.append(letter + classes_text(run.prompt, run.decode, run.memory, run.shares))
    axes[-1, 0].set_xlabel("iteration")
    assert image is not None
    bar = figure.colorbar(image, ax=axes[:, 0].tolist(), extend="max", ticks=[0, 0.02, 0.1, 0.25, 0.5], aspect=30)
    bar.set_label("share of the memory")
    sign(
        figure,
        f"{MODEL}, from x* changed by up to {100 * noise:.3g} % (seed {seed}): {'; '.join(notes)}. Requests move up by "
        "one stage an iteration; a cohort is a diagonal.",
    )
    return figure


def _shares(run: Run, noise: float, seed: int) -> Any:
    """Return the share of M that each age holds in the iterations shown, float64[steps + 1, d]."""
    start = near_equilibrium(run.prompt, run.decode, run.memory, run.shares, noise, seed)
    if (run.steps + 1) * len(start) > MOST:
        raise BadParameter(f"{run.steps:,} iterations of {len(start):,} stages are too many cells: show fewer steps")
    how: dict[str, Any] = {"shares": run.shares}
    if run.first:
        start = simulate(run.prompt, run.decode, run.memory, run.first, start=start, record="totals", **how).last
    found = simulate(run.prompt, run.decode, run.memory, run.steps, start=start, **how)
    return np.clip(stage_share(found.y, run.prompt, run.decode, run.memory, run.shares), 0, 1)
