"""Widening: what forced output lengths need to become stable, a spread of a few tokens around each length."""

from __future__ import annotations

from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import FloatArray, IntArray, classes_of
from stability.congestion.spectrum import stable_of
from stability.congestion.stages import stages_of


def widen(prompt: Any, decode: Any, width: int, shares: Any = None) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return the classes with each decode length L spread evenly over L - width .. L + width.

    Parameters
    ----------
    prompt : float or float[K]
    decode : int or int[K]
    width : int
        w, tokens; 0 <= w < the shortest decode length.
    shares : float[K], optional
        Default: equal.

    Returns
    -------
    prompt, decode, share : arrays of K (2w+1) classes

    Raises
    ------
    BadParameter
        One line: a width that would bring a length below 1.
    """
    classes = classes_of(prompt, decode, shares)
    if not 0 <= width < int(classes.decode.min()):
        raise BadParameter(
            f"width is {width}: give 0 up to the shortest decode length - 1 = {classes.decode.min() - 1}"
        )
    spread = np.arange(-width, width + 1)
    return (
        np.repeat(classes.prompt, len(spread)),
        (classes.decode[:, None] + spread).ravel(),
        np.repeat(classes.share / len(spread), len(spread)),
    )


def widening(prompt: Any, decode: Any, shares: Any = None, *, limit: int | None = None) -> int | None:
    """Return the smallest width w at which the widened mix is linearly stable; None if there is none.

    Parameters
    ----------
    prompt, decode, shares
        As `widen`.
    limit : int, optional
        Largest width tried; default: all, up to the shortest decode length - 1.

    Returns
    -------
    int or None
        0 where the mix is stable as it is. Widths are tried one after the other: stability need not be monotone in w.
    """
    classes = classes_of(prompt, decode, shares)
    most = int(classes.decode.min()) - 1
    for width in range((most if limit is None else min(limit, most)) + 1):
        spread = widen(classes.prompt, classes.decode, width, classes.share)
        if stable_of(stages_of(classes_of(*spread)).V):
            return width
    return None
