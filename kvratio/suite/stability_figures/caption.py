"""What stands under a figure: model, parameters and seed, as text in the picture and in the file's metadata."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from kvratio.suite.plots import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: points of the text, and how many of its letters fit into an inch
SIZE, LETTERS = 7.0, 18.5
#: the model of every figure of congestion
MODEL = "Congestion model of arXiv 2606.15555"


def sign(figure: Figure, text: str) -> None:
    """Write a caption below a figure; `save_as` puts the same text into the file's metadata."""
    figure.set_label(text)
    wrapped = textwrap.fill(text, int(figure.get_figwidth() * LETTERS))
    figure.supxlabel(wrapped, fontsize=SIZE, color=INK, x=0.01, ha="left")


def classes_text(prompt: object, decode: object, memory: float, shares: object = None) -> str:
    """Return classes and memory as a caption names them: long lists are counted, not listed."""
    told = [f"l0 = {_listed(prompt)}", f"l1 = {_listed(decode)}", f"M = {memory:,g}"]
    if shares is not None and np.ptp(np.asarray(shares, dtype=np.float64)) > 0:
        told.insert(2, f"shares {_listed(shares)}")
    return ", ".join(told)


def _listed(values: object) -> str:
    row = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if len(np.unique(row)) == 1:
        return f"{row[0]:.4g}" if row[0] != round(row[0]) else f"{row[0]:,.0f}"
    if len(row) <= 8:
        return "{" + ", ".join(f"{value:.4g}" if value != round(value) else f"{value:.0f}" for value in row) + "}"
    return f"{len(row):,} values from {row.min():.4g} to {row.max():.4g}"
