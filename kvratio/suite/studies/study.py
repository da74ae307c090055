"""What a study is: a suite, the quantity that its cells are read against, a figure, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kvratio.suite.tables import Table

#: bounds of every study: prices and schedules, certified in integers, the same on every machine
BOUND: dict[str, Any] = {"method": "lagrangian", "time_limit": 60.0}


@dataclass(frozen=True)
class Effort:
    """How much of a study is run.

    Parameters
    ----------
    seeds : int
        Instances of each random family.
    quick : bool
        Smaller instances and fewer points.
    """

    seeds: int
    quick: bool = False


@dataclass(frozen=True)
class Study:
    """One question that is answered by one figure.

    Parameters
    ----------
    name, title, about : str
    families : callable Effort -> list of dict
        The [[family]] tables of the suite; ``id`` may be ``families.py:name``, of `kvratio/suite/suites/studies`.
    policies : callable -> tuple of str
        Judged where none are named, as the command line writes them.
    references : tuple of str
        Judged in any case: the figure has lines for them.
    points : callable DataFrame -> DataFrame
        From the cells of the run to its points (`kvratio.suite.studies.points`).
    draw : callable DataFrame -> Figure
        From the points.
    axis : str
        What the quantity is, for the head of the table.
    notes : tuple of str
        How to read table and figure.
    seeds, quick_seeds : int
        Instances of each random family, as a rule.
    objective : str
    extra : mapping of str to str
        Further columns of the points that the table shows: name, heading.
    summary : callable DataFrame -> Table, optional
        A shorter table of the points, shown on the terminal in place of all points.
    """

    name: str
    title: str
    about: str
    families: Callable[[Effort], list[dict[str, Any]]]
    policies: Callable[[], tuple[str, ...]]
    points: Callable[[pd.DataFrame], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    axis: str
    notes: tuple[str, ...]
    references: tuple[str, ...] = ()
    seeds: int = 10
    quick_seeds: int = 2
    objective: str = "completion"
    extra: Mapping[str, str] | None = None
    summary: Callable[[pd.DataFrame], Table] | None = None

    def effort(self, seeds: int | None = None, quick: bool = False) -> Effort:
        """Return the effort asked for; ``seeds`` None means the study's own."""
        return Effort(seeds or (self.quick_seeds if quick else self.seeds), quick)
