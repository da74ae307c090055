"""What came of one published figure: its value, ours, and the verdict of a stated rule."""

from __future__ import annotations

from dataclasses import dataclass

AGREES, DIFFERS, OPEN, NOT_COMPARABLE, FAILED = "agrees", "differs", "open", "not comparable", "failed"
VERDICTS = (AGREES, DIFFERS, OPEN, NOT_COMPARABLE, FAILED)


@dataclass(frozen=True)
class Measured:
    """A measured quantity.

    Attributes
    ----------
    low, high : float
        What the rule is judged by: for a ratio to the optimum its proven interval, widened by the bootstrap interval
        over instances; for a ratio of two costs the bootstrap interval. Equal ends where nothing is uncertain.
    text : str
        The same for people, with what it is an interval of.
    value : float or None
        One number to draw; None where a proven interval stands for it.
    """

    low: float
    high: float
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Finding:
    """One published figure beside ours.

    Attributes
    ----------
    paper : str
        arXiv id.
    figure : str
        What was published.
    setting : str
    published : str
        As it stands in print, or what it says.
    ours : str
    verdict : str
        One of `VERDICTS`.
    rule : str
        By what it was judged; empty where nothing can be compared.
    why : str
        What explains the verdict, or limits it.
    certain : bool
        False: the published figure is known from secondary accounts only.
    value : float or None
        The published number, where it has the same unit as ours.
    measured : tuple of Measured
        What a figure draws.
    """

    paper: str
    figure: str
    setting: str
    published: str
    ours: str
    verdict: str
    rule: str = ""
    why: str = ""
    certain: bool = True
    value: float | None = None
    measured: tuple[Measured, ...] = ()
