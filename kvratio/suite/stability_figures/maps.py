"""Maps: which pairs of decode lengths are stable together, and what one length loses at worst."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import INK, in_style, plain_log_ticks
from kvratio.suite.stability_figures.caption import MODEL, sign
from stability.congestion import spectral_radius
from stability.congestion.classes import FloatArray
from stability.congestion.threshold import min_prompt_law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

#: levels of l0_min beside the input of the map, and of the loss, that are drawn as lines
PROMPTS, LOSSES = (100, 2000, 10_000), (0.10, 0.25, 0.40)
#: least range of rho - 1 on either side
LEAST = 1e-6
#: decay faster than so many times the fastest growth is not told apart
DEEPEST = 20
#: points along each axis of the map of losses
GRID = 240


@in_style
def maps_figure(prompt: float = 512, longest: int = 40, share: float = 0.5, reach: int = 2048) -> Figure:
    """Draw the stability of all pairs of decode lengths beside the loss of one decode length.

    Parameters
    ----------
    prompt : float
        Common input l0 of the pairs, tokens.
    longest : int
        Decode lengths of the pairs are 1 to this.
    share : float
        Of the shorter length.
    reach : int
        Largest input and decode length of the map of losses.

    Raises
    ------
    BadParameter
    """
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.1, 3.7))
    pair_panel(left, prompt, longest, share)
    loss_panel(right, reach)
    sign(
        figure,
        f"{MODEL}. Left: two lengths, common input l0 = {prompt:g}, share {share:g} of the shorter one, rho from "
        "eigenvalues; dots: unstable; colour: square root, with a range of its own on each side of 0; lines: the input "
        "from which coprime pairs are stable, by the cubic law (solid: l0). Right: one length under an "
        "endless backlog, (l1 - 1) / (2 (l0 + l1)). No random numbers.",
    )
    return figure


def excess(prompt: float, longest: int, share: float) -> FloatArray:
    """Return rho - 1 of every pair of decode lengths 1..longest, float64[longest, longest], symmetric."""
    if longest < 1:
        raise BadParameter(f"longest is {longest}: give a decode length of 1 or more")
    found = np.empty((longest, longest))
    for a in range(1, longest + 1):
        for b in range(a, longest + 1):
            rho = spectral_radius(prompt, [a, b], [share, 1 - share])
            found[a - 1, b - 1] = found[b - 1, a - 1] = rho - 1
    return found


def pair_panel(ax: Axes, prompt: float, longest: int, share: float) -> None:
    """Draw rho - 1 over pairs of decode lengths, with the law of the smallest stable input as lines."""
    from matplotlib.patheffects import withStroke

    over = excess(prompt, longest, share)
    # Growth is far slower than decay: each side has its own range, and the root of the value its colour.
    down, up = (max(float((side * over).max()), LEAST) for side in (-1, 1))
    down = min(down, DEEPEST * up)
    shown = np.clip(np.sign(over) * np.sqrt(np.abs(over) / np.where(over > 0, up, down)), -1, 1)
    image = ax.imshow(
        shown, origin="lower", cmap=_diverging(), vmin=-1, vmax=1, interpolation="nearest",
        extent=(0.5, longest + 0.5, 0.5, longest + 0.5),
    )  # fmt: skip
    a, b = np.nonzero(over > -1e-12)
    ax.plot(a + 1, b + 1, ".", ms=max(0.6, 64 / longest), color=INK, mew=0, rasterized=True)
    lengths = list(range(1, longest + 1))
    law = np.array([[min_prompt_law(min(x, y), max(x, y), share) for x in lengths] for y in lengths])
    if longest > 1 and np.isfinite(law).all():
        levels = sorted({*PROMPTS, prompt})
        dashes = ["-" if level == prompt else "--" for level in levels]
        lines = ax.contour(lengths, lengths, law, levels=levels, colors=INK, linewidths=0.9, linestyles=dashes)
        texts = ax.clabel(lines, fmt=lambda level: f"{level:,.0f}", fontsize=7)
        for artist in (lines, *texts):
            artist.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
    ax.grid(False)
    ax.set_xlabel("decode length")
    ax.set_ylabel("decode length")
    ax.set_title("Pairs: rho - 1")
    figure: Any = ax.figure
    bar = figure.colorbar(image, ax=ax, shrink=0.85, ticks=[-1, -0.5, 0, 0.5, 1], extend="min")
    bar.ax.set_yticklabels([f"{value:.2g}" for value in (-down, -down / 4, 0, up / 4, up)])


def loss_panel(ax: Axes, reach: int) -> None:
    """Draw the loss of one decode length on its worst cycle over inputs and decode lengths."""
    if reach < 2:
        raise BadParameter(f"reach is {reach}: give a length of 2 or more")
    tokens = np.geomspace(1, reach, GRID)
    prompt, decode = np.meshgrid(tokens, tokens)
    loss = (decode - 1) / (2 * (prompt + decode))
    image = ax.pcolormesh(tokens, tokens, loss, cmap="magma_r", vmin=0, vmax=0.5, rasterized=True, shading="gouraud")
    lines = ax.contour(tokens, tokens, loss, levels=LOSSES, colors=["#222222", "white", "white"], linewidths=1.1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    at = np.sqrt(reach)
    places = [(at, (1 + 2 * level * at) / (1 - 2 * level)) for level in LOSSES]
    ax.clabel(lines, fmt=lambda level: f"{100 * level:.0f} %", fontsize=7.5, manual=places)
    ax.minorticks_off()
    for axis in (ax.xaxis, ax.yaxis):
        plain_log_ticks(axis)
        axis.set_major_locator(_powers_of_four(reach))
    ax.set_aspect("equal")
    ax.grid(False)
    ax.set_xlabel("input l0 (tokens)")
    ax.set_ylabel("decode length l1")
    ax.set_title("One length: loss at worst")
    figure: Any = ax.figure
    bar = figure.colorbar(image, ax=ax, shrink=0.85)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _powers_of_four(reach: int) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator([4.0**k for k in range(12) if 4**k <= reach])


def _diverging() -> Colormap:
    """Return blue to white to dark red; in grey print the unstable end is the dark one."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("stability", ["#8CC5E8", "#FFFFFF", "#B5482B"])
