"""Roots of F in the complex plane: those outside the unit circle grow; with long inputs they tend to roots of unity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FAINT, INK, in_style
from kvratio.suite.stability_figures.caption import MODEL, sign
from kvratio.suite.stability_figures.colours import BANDS
from stability.congestion import roots
from stability.congestion.classes import classes_of
from stability.congestion.spectrum import MARGIN
from stability.congestion.winding import ComplexArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: colour of what grows: dark in grey print too
GROWS = "#A63A1E"
#: g-th roots of unity are marked up to this g: more would be a ring of ticks
MOST_TICKS = 60


@in_style
def roots_figure(mixes: Sequence[Any], prompts: Sequence[float], shares: Any = None) -> Figure:
    """Draw small multiples of the roots, a row for each mix of decode lengths and a column for each common input.

    Parameters
    ----------
    mixes : sequence of sequences of int
        Decode lengths.
    prompts : sequence of float
        Inputs l0.
    shares : float[K], optional
        Of the classes of every mix; default: equal.

    Raises
    ------
    BadParameter
        Nothing to draw, or more stages than roots are computed for.
    """
    from matplotlib import pyplot as plt

    if not len(mixes) or not len(prompts):
        raise BadParameter("no roots to draw: give at least one mix and one input")
    size = (max(2.6, 1.775 * len(prompts)), 0.85 + 2.05 * len(mixes))
    figure, axes = plt.subplots(len(mixes), len(prompts), figsize=size, squeeze=False)
    for row, (line, decode) in enumerate(zip(axes, mixes, strict=True)):
        for ax, prompt in zip(line, prompts, strict=True):
            root_panel(ax, prompt, decode, roots(prompt, decode, shares), shares)
        told = "{" + ", ".join(f"{length:g}" for length in np.atleast_1d(decode)) + "}"
        line[0].set_ylabel(f"({'abcdefgh'[row % 8]}) l1 = {told}", fontsize=8.5)
    _legend(figure)
    split = "equal shares" if shares is None else f"shares {', '.join(f'{share:.3g}' for share in shares)}"
    sign(
        figure,
        f"{MODEL}: roots of F, {split}, exact eigenvalues, no random numbers. Ticks: the g-th roots of unity other "
        "than 1, g the gcd of the lengths, where the unstable roots go as inputs grow.",
    )
    return figure


@in_style
def root_figure(prompt: Any, decode: Any, shares: Any = None, name: str = "") -> Figure:
    """Draw the roots of one workload with any inputs; parameters as `stability.congestion.roots`."""
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.7), width_ratios=[1, 1.2])
    found = roots(prompt, decode, shares)
    root_panel(left, prompt, decode, found, shares)
    modulus_panel(right, found)
    _legend(figure)
    sign(
        figure,
        f"{MODEL}: roots of F for {name or 'this workload'}, no random numbers. Left: ticks at the g-th roots of unity "
        "other than 1, g the gcd of the lengths. Right: the same roots unrolled, upper half plane.",
    )
    return figure


def modulus_panel(ax: Axes, found: ComplexArray) -> None:
    """Draw |z| - 1 of the roots over the angle: what is above 0 grows."""
    found = found[found.imag >= 0]
    size, angle = np.abs(found), np.angle(found) / math.pi
    grows = size > 1 - MARGIN
    dot = 3.4 if len(found) < 30 else 1.8
    ax.axhline(0, color=INK, lw=0.9)
    ax.plot(angle[~grows], size[~grows] - 1, "o", ms=dot, mfc="white", mec=INK, mew=0.7)
    ax.plot(angle[grows], size[grows] - 1, "^", ms=dot + 1.4, color=GROWS, mew=0)
    ax.set_xlim(0, 1.03)
    ax.set_xlabel("angle / pi")
    ax.set_ylabel("|z| - 1")


def root_panel(ax: Axes, prompt: Any, decode: Any, found: ComplexArray, shares: Any = None) -> None:
    """Draw the roots of one mix in the plane."""
    size = np.abs(found)
    grows = size > 1 - MARGIN
    turn = np.linspace(0, 2 * math.pi, 241)
    ax.fill(np.cos(turn), np.sin(turn), facecolor=BANDS["stable"]["facecolor"], edgecolor=INK, lw=0.8, zorder=1)
    g = classes_of(prompt, decode, shares).gcd
    if g <= MOST_TICKS:
        angle = 2 * math.pi * np.arange(1, g) / g
        ends = np.array([0.86, 1.14])
        ax.plot(np.outer(ends, np.cos(angle)), np.outer(ends, np.sin(angle)), color=FAINT, lw=1.0, zorder=2)
    crowd = 3.4 if len(found) < 60 else 1.8
    ax.plot(found[~grows].real, found[~grows].imag, "o", ms=crowd, mfc="white", mec=INK, mew=0.8, zorder=3)
    ax.plot(found[grows].real, found[grows].imag, "^", ms=crowd + 1.8, color=GROWS, mec="white", mew=0.4, zorder=4)
    reach = max(1.25, 1.1 * float(size.max(initial=0.0)))
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    ax.set_aspect("equal")
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])
    rho = float(size.max(initial=0.0))
    input_ = np.unique(np.atleast_1d(prompt))
    where = f"l0 = {input_[0]:,g}" if len(input_) == 1 else f"{len(input_):,} inputs"
    ax.set_title(f"{where}: rho {rho:.4f}", fontsize=7.5, fontweight="normal", color=GROWS if grows.any() else INK)


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="^", ls="", ms=5, color=GROWS, label="unstable root"),
        Line2D([], [], marker="o", ls="", ms=4, mfc="white", mec=INK, label="stable root"),
        Line2D([], [], color=INK, lw=0.8, label="unit circle"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=7.5)
