"""Writing one figure to one file whose ending says the kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvratio.problem.errors import BadParameter
from kvratio.suite.plots import FORMATS, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_as(figure: Figure, path: Path) -> Path:
    """Write a figure as PDF, SVG or PNG by the path's ending, without dates: equal figures are equal files.

    The label of the figure, which `kvratio.suite.stability_figures.caption.sign` sets, becomes its description.

    Raises
    ------
    BadParameter
        Another ending.
    """
    from matplotlib import pyplot as plt

    ending = check_ending(path)
    told: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
    if caption := str(figure.get_label()):
        told[ending]["Subject" if ending == "pdf" else "Description"] = caption
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.style.context(STYLE):
        figure.savefig(path, metadata=told[ending])
    plt.close(figure)
    return path


def check_ending(path: Path) -> str:
    """Return the format that a path's ending names.

    Raises
    ------
    BadParameter
        Another ending.
    """
    ending = path.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise BadParameter(f"{path}: end it in {', '.join('.' + name for name in FORMATS)}")
    return ending
