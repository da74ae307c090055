"""Which figures there are: those of docs/congestion.md, and those of a workload that a command names."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FORMATS
from kvratio.suite.stability.mix import Mix, mix_of_trace
from kvratio.suite.stability_figures.hysteresis import hysteresis_figure, serve
from kvratio.suite.stability_figures.maps import maps_figure
from kvratio.suite.stability_figures.rings import Workload, rings_figure
from kvratio.suite.stability_figures.root_plane import root_figure, roots_figure
from kvratio.suite.stability_figures.saving import save_as
from kvratio.suite.stability_figures.series import series_figure
from kvratio.suite.stability_figures.stage_map import MOST, Run, stage_map_figure
from kvratio.suite.stability_figures.triangle import triangle_figure
from kvratio.suite.stability_figures.workload import workload_figure
from stability.congestion import spectral_radius
from stability.congestion.spectrum import ROOTS_LIMIT, e_folding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: workload of the docs' last figure: fitted, so that it needs no trace; its memory only leaves out what cannot fit
FAMILY, FAMILY_MEMORY, FAMILY_COUNT = "arena_like", 131_000, 20_000
#: longest decode lengths that a run of a workload covers at least; most stages for which rings are drawn
TURNS, MOST_ON_RING = 10, 64
#: e-folding times that a run covers, as far as so many iterations go; iterations that a map shows
E_FOLDS, MOST_STEPS, MOST_SHOWN = 15, 20_000, 1000


@dataclass(frozen=True)
class Picture:
    """One figure to draw.

    Attributes
    ----------
    name : str
        Of its files.
    draw : callable
        Returns the figure.
    """

    name: str
    draw: Callable[[], Figure]


def docs_pictures(seed: int = 0, tell: Callable[[str], None] | None = None) -> list[Picture]:
    """Return the figures of docs/congestion.md.

    Parameters
    ----------
    seed : int
        Of starts, arrivals and draws; the docs have 0.
    tell : callable, optional
        Is told of progress within the long ones.
    """
    served = functools.cache(lambda: serve(seed=seed, tell=tell))
    return [
        Picture("congestion_series", lambda: series_figure(10, 40, 2000, 400, seed=seed)),
        Picture("congestion_triangle", lambda: triangle_figure(2, 24, [2.5, 2, 1.7])),
        Picture("congestion_rings", lambda: rings_figure(RINGS, seed)),
        Picture("congestion_stages", lambda: stage_map_figure(STAGES, seed=seed)),
        Picture("congestion_roots", lambda: roots_figure([[4, 7], [6, 9]], [5, 20, 60, 500])),
        Picture("congestion_maps", maps_figure),
        Picture("congestion_hysteresis", lambda: hysteresis_figure(served())),
        Picture(
            "congestion_buckets",
            lambda: workload_figure(mix_of_trace(FAMILY, None, FAMILY_MEMORY, FAMILY_COUNT, seed)),
        ),
    ]


RINGS = (
    Workload(2, 4, 48, title="One length: worst cycle"),
    Workload(40, [4, 8], 600, title="Two lengths, gcd 4: a train of pulses"),
)
STAGES = (
    Run("One length: the worst cycle", 10, 40, 2000, steps=400),
    Run("Two lengths, gcd 10: a train of pulses", 60, [10, 20], 2000, first=300, steps=400),
)


def workload_pictures(mix: Mix, memory: float, seed: int = 0) -> tuple[list[Picture], list[str]]:
    """Return the figures of a workload, and a line for each that cannot be drawn for it.

    Parameters
    ----------
    mix : Mix
    memory : float
        M, tokens.
    seed : int
        Of starts near x*.
    """
    prompt, decode, shares = mix.prompt, mix.decode, mix.shares
    d = int(decode.max())
    growth = e_folding(spectral_radius(prompt, decode, shares))
    steps = max(TURNS * d, math.ceil(min(E_FOLDS * growth, MOST_STEPS)))
    name = mix.name if len(mix.name) < 60 else f"{len(decode):,} classes"
    shown = max(1, min(steps, MOST // d - 1, max(MOST_SHOWN, TURNS * d)))
    run = Run(name, prompt, decode, memory, shares, first=steps - shown, steps=shown)
    one = Workload(prompt, decode, memory, shares, name)
    title = f"{name}, M = {memory:,g}"
    pictures = [
        Picture("workload", lambda: workload_figure(mix)),
        Picture("series", lambda: series_figure(prompt, decode, memory, steps, shares=shares, seed=seed, name=title)),
    ]
    left_out = []
    if d < MOST:
        pictures.append(Picture("stages", lambda: stage_map_figure([run], seed=seed)))
    if d <= ROOTS_LIMIT:
        pictures.append(Picture("roots", lambda: root_figure(prompt, decode, shares, name)))
    else:
        left_out.append(f"roots left out: {d:,} stages, all roots are computed up to {ROOTS_LIMIT:,}")
    if d <= MOST_ON_RING and len(np.unique(decode)) <= MOST_ON_RING:
        pictures.append(Picture("rings", lambda: rings_figure([one], seed)))
    else:
        left_out.append(f"rings left out: {d:,} stages, a ring holds {MOST_ON_RING}")
    return pictures, left_out


def check_formats(endings: Sequence[str]) -> None:
    """Refuse an ending that is none of `FORMATS`."""
    for ending in endings:
        if ending not in FORMATS:
            raise BadParameter(f"format {ending!r} of the figures: give some of {', '.join(FORMATS)}")


def draw_all(pictures: Sequence[Picture], folder: Path, endings: Sequence[str]) -> Iterator[list[Path]]:
    """Draw pictures one after the other into a folder, yielding the files of each as it is written.

    Each file is drawn afresh: a figure that was written once is laid out a little differently the second time.

    Raises
    ------
    BadParameter
        An ending that is not pdf, svg or png, before anything is drawn.
    """
    check_formats(endings)
    for picture in pictures:
        yield [save_as(picture.draw(), folder / f"{picture.name}.{ending}") for ending in endings]
