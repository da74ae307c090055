"""Three stages in a triangle: with memory always full, a state of one class with l1 = 3 is a point of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FAINT, INK, in_style
from kvratio.suite.stability_figures.caption import MODEL, sign
from kvratio.suite.stability_figures.colours import RESTART
from kvratio.suite.stability_figures.series import stage_share
from stability.congestion import simulate
from stability.congestion.classes import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: corners of the triangle: all memory in stage 0, 1, 2
CORNERS = np.array([[0.5, np.sqrt(3) / 2], [1.0, 0.0], [0.0, 0.0]])
STAGES = len(CORNERS)


@in_style
def triangle_figure(prompt: float, memory: float, start: Any, steps: int = 24) -> Figure:
    """Draw a run of one class with three stages as points whose weights are the shares of memory of the stages.

    Parameters
    ----------
    prompt, memory : float
        l0 and M.
    start : float[3]
        Mass at each stage.
    steps : int
        Iterations.

    Raises
    ------
    BadParameter
        A start without memory in use, or that is not of three stages.
    """
    from matplotlib import pyplot as plt

    run = simulate(prompt, STAGES, memory, steps, start=start)
    share = stage_share(run.y, prompt, STAGES, memory)
    if not share.sum(axis=1).all():
        raise BadParameter("start holds no memory: give some mass in one of the stages")
    points = (share / share.sum(axis=1, keepdims=True)) @ CORNERS
    figure, ax = plt.subplots(figsize=(3.5, 3.9))
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.fill(*CORNERS.T, facecolor="#F6F6F6", edgecolor=INK, lw=0.9)
    ax.plot(*points.T, color=FAINT, lw=0.6, zorder=2)
    evicts = run.evicted > 0
    ax.plot(*points[~evicts].T, "o", color=INK, ms=3.6, mew=0, zorder=4, label="no eviction")
    ax.plot(*points[evicts].T, "^", color=RESTART, ms=5, mec="white", mew=0.5, zorder=5, label="evicted here")
    centre = _equilibrium(prompt)
    ax.plot(*centre, marker="*", ms=10, mfc="white", mec=INK, ls="", zorder=6, label="x*")
    _number(ax, points)
    for stage, shift in enumerate(((0, 12), (4, -12), (-4, -12))):
        where: dict[str, Any] = {"xytext": shift, "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"stage {stage}", CORNERS[stage], fontsize=8, annotation_clip=False, **where)
    ax.set_title("From x* to the corners", pad=20)
    figure.legend(loc="outside upper right", ncols=1, fontsize=7, bbox_to_anchor=(1.0, 0.9))
    told = ", ".join(f"{mass:g}" for mass in np.asarray(start, dtype=np.float64))
    sign(
        figure,
        f"{MODEL}: l0 = {prompt:g}, l1 = 3, M = {memory:g}, start ({told}), iterations 0 to {steps}; no random "
        "numbers. A point's distance from a side is the share of memory that the opposite stage holds.",
    )
    return figure


def _equilibrium(prompt: float) -> FloatArray:
    weights = prompt + 1 + np.arange(STAGES)
    return np.asarray((weights / weights.sum()) @ CORNERS, dtype=np.float64)


def _number(ax: Any, points: FloatArray) -> None:
    """Write the iteration beside each point that is not drawn over an earlier one or close to it."""
    kept: list[FloatArray] = []
    for n, point in enumerate(points):
        if all(np.linalg.norm(point - other) > 0.045 for other in kept):
            ax.annotate(str(n), point, xytext=(3, 2.5), textcoords="offset points", fontsize=6.5, color=INK, zorder=7)
            kept.append(point)
