"""How long a fluid batch takes: the largest of one or two linear pieces.

A linear clock is one piece. The roofline clock, ``max(floor, base + token n) + ...``, is the larger of two. Written
this way, equilibria and stability regions have closed forms for both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter
from stability.mix import FloatArray, area

AnyClock = Clock | RooflineClock


def pieces(clock: AnyClock) -> FloatArray:
    """Return seconds per (iteration, key-value token, prompt token, decode), float64[p, 4].

    The key-value tokens are those of the whole batch, prefills included. A batch takes the largest of the pieces.

    Raises
    ------
    BadParameter
        For anything but a `Clock` or a `RooflineClock`.
    """
    if isinstance(clock, Clock):
        return np.array([[clock.d0, clock.d1, clock.d2, 0.0]])
    if isinstance(clock, RooflineClock):
        kept = clock.cached  # paid by decodes only: the prompt tokens of the batch take their part back
        return np.array(
            [
                [clock.floor + clock.fixed, kept, -kept, clock.decode],
                [clock.base + clock.fixed, kept, clock.token - kept, clock.token + clock.decode],
            ]
        )
    raise BadParameter(f"clock is {clock!r}: give a Clock, a RooflineClock or Clock.preset(name)")


def batch_seconds(clock: AnyClock, cached: float, prompt: float, decodes: float) -> float:
    """Return seconds of one iteration with these key-value tokens, prompt tokens and decodes, real numbers allowed."""
    return float((pieces(clock) @ np.array([1.0, cached, prompt, decodes])).max())


def shortest_iteration(clock: AnyClock) -> float:
    """Return the time that every iteration takes at least, in seconds."""
    return float(pieces(clock)[:, 0].max())


def per_type(prompt: npt.ArrayLike, output: npt.ArrayLike) -> FloatArray:
    """Return (A, l, o): tokens, prompt tokens and decodes of one request in each stage of a type, float64[m, 3]."""
    l, o = np.asarray(prompt, dtype=np.float64), np.asarray(output, dtype=np.float64)  # noqa: E741 - as in the theory
    return np.stack([area(l, o), l, o], axis=1)
