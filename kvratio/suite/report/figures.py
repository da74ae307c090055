"""Figures of matplotlib as parts of a page: inline SVG whose colours follow the page's light or dark scheme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from kvratio.suite.comparison import shared
from kvratio.suite.curves import profile_figure
from kvratio.suite.plots import STYLE, ratio_figure
from kvratio.suite.run import Run
from kvratio.suite.statistics import Summary

#: colours of the house style -> names of the page's variables
COLOURS = {
    "#0072b2": "--blue",
    "#d55e00": "--orange",
    "#009e73": "--green",
    "#cc79a7": "--pink",
    "#e69f00": "--amber",
    "#56b4e9": "--sky",
    "#f0e442": "--yellow",
    "#222222": "--ink",
    "#000000": "--ink",
    "#444444": "--ink-2",
    "#9a9a9a": "--faint",
    "#dddddd": "--rule",
    "#f6f6f6": "--stripe",
    "#ffffff": "--card",
}


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Parameters
    ----------
    name, title, text : str
        Id, heading, and what it shows in a sentence.
    svg : str
    """

    name: str
    title: str
    text: str
    svg: str


def drawings(run: Run, summaries: Sequence[Summary]) -> list[Drawing]:
    """Draw every figure of the page; none where every cell failed."""
    if all(s.worst is None for s in summaries):
        return []
    cells = run.table()
    reading = (
        "One row a policy, one dot a family, on a log axis: the dot is the ratio proven at least, the line reaches to "
        "what is proven at most."
    )
    wanted: list[tuple[str, str, str, Callable[[], object]]] = [
        ("worst", "Worst ratio by policy", reading, partial(ratio_figure, summaries, "", "worst")),
        ("mean", "Mean ratio by policy", reading, partial(ratio_figure, summaries, "", "mean")),
    ]
    if cells["policy"].nunique() > 1 and len(shared(cells)):
        shares = "The share of instances on which a policy costs at most a factor times the cheapest policy of the run."
        wanted.append(("profile", "Performance profile", shares, partial(profile_figure, cells)))
    return [Drawing(name, title, text, inline_svg(draw(), name, title)) for name, title, text, draw in wanted]


def inline_svg(figure: object, name: str, title: str) -> str:
    """Return a matplotlib figure as an ``<svg>`` element: no prolog, no dates, ids of its own, themed, rounded."""
    from matplotlib import pyplot as plt

    out = io.StringIO()
    with plt.style.context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None})  # type: ignore[attr-defined]
    plt.close(figure)  # type: ignore[arg-type]
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for waste in (r"<metadata>.*?</metadata>", r"<style .*?</style>", r"<!--.*?-->"):
        text = re.sub(waste, "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var({COLOURS[m[0]]})" if m[0] in COLOURS else m[0], text)
    text = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r"> <", "><", text)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert size is not None, "matplotlib writes a viewBox"
    head = f'<svg class="plot" role="img" aria-label="{title}" viewBox="0 0 {size[1]} {size[2]}"'
    head += f' style="--w:{float(size[1]):.0f}px" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"^<svg[^>]*>", head, text)
