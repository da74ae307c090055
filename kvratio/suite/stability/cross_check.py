"""Theory beside simulation in one table: capacity, congestion, hysteresis, engines, policies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kvratio.problem.errors import BadParameter
from kvratio.suite.progress import reporter
from kvratio.suite.render import write_tables
from kvratio.suite.serving.save import save_tables
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.stability.cases import IS, SILENT, Case, Expected, all_cases
from kvratio.suite.stability.measures import measure
from kvratio.suite.tables import Column, Section, Table
from kvratio.suite.workers import parallel, worker_count

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    Column("case"),
    Column("simulator", rank=2),
    Column("quantity"),
    Column("theory", "right"),
    Column("simulation", "right"),
    Column("95% ±", "right", 1),
    Column("agrees", "center"),
)
NOTES = (
    "theory: = a value, <= or >= a bound; in brackets what the continuous model says where whole requests are too few "
    "for it; blank where theory is silent.",
    "simulation: mean over the replications, ± half width of its Student interval; agrees: within the tolerance of the "
    "case (0 for engines, 0.03 for drawn lengths, 0.02 for the worst cycle and hysteresis, 0.005 for mixes). ± 0: "
    "nothing in the case is drawn.",
)


@dataclass(frozen=True)
class Row:
    """One quantity of one case.

    Attributes
    ----------
    section, label, simulator, quantity : str
    expected : Expected
    values : tuple of float
        One per replication.
    """

    section: str
    label: str
    simulator: str
    quantity: str
    expected: Expected
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the replications."""
        return self.values[0] if self._same else math.fsum(self.values) / len(self.values)

    @property
    def _same(self) -> bool:
        """Whether all replications gave the same: nothing in the case is drawn, and no rounding must show."""
        return len(set(self.values)) == 1

    @property
    def half(self) -> float:
        """Half width of the 95 % interval of the mean; nan with one replication or an undefined value."""
        if len(self.values) < 2 or any(math.isnan(value) for value in self.values):
            return math.nan
        if self._same:
            return 0.0
        return mean_and_half_width(self.values)[1]

    @property
    def agrees(self) -> bool | None:
        """Whether theory and simulation agree; None where theory is silent."""
        return self.expected.agrees(self.mean)


@dataclass(frozen=True)
class CrossCheck:
    """What a cross-check found.

    Attributes
    ----------
    rows : tuple of Row
    replications, seed : int
    """

    rows: tuple[Row, ...]
    replications: int
    seed: int

    @property
    def failed(self) -> list[Row]:
        """Rows on which theory and simulation do not agree."""
        return [row for row in self.rows if row.agrees is False]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per quantity: theory, mean, half width, agreement."""
        import pandas as pd

        return pd.DataFrame(
            {
                "section": row.section,
                "case": row.label,
                "simulator": row.simulator,
                "quantity": row.quantity,
                "relation": row.expected.relation,
                "theory": row.expected.value,
                "tolerance": row.expected.tolerance,
                "mean": row.mean,
                "half_width": row.half,
                "replications": len(row.values),
                "agrees": {True: "yes", False: "no", None: ""}[row.agrees],
            }
            for row in self.rows
        )

    def table(self) -> Table:
        """Return the table that every format renders."""
        sections: dict[str, list[tuple[str, ...]]] = {}
        before: tuple[str, str] = ("", "")
        for row in self.rows:
            here = (row.label, row.simulator)
            # A case stands once, its quantities below it.
            named = ("", "") if here == before else here
            before = here
            sections.setdefault(row.section, []).append((*named, row.quantity, *_shown(row)))
        title = f"Theory beside simulation: {self.replications} replications, seeds {self.seed} and following"
        parts = tuple(Section(name, tuple(rows)) for name, rows in sections.items())
        return Table("cross_check", title, COLUMNS, parts, NOTES)


def cross_check(
    replications: int = 5,
    workers: int | None = None,
    seed: int = 0,
    *,
    cases: Sequence[Case] | None = None,
    progress: bool = False,
) -> CrossCheck:
    """Run every case with several seeds; the result does not depend on the number of workers.

    Parameters
    ----------
    replications : int
        Runs of each case, with seeds ``seed``, ``seed + 1``, ...
    workers : int, optional
        Processes. Default: the cores there are.
    seed : int
    cases : sequence of Case, optional
        Default: all.
    progress : bool
        Tell on stderr.

    Raises
    ------
    BadParameter
    """
    if isinstance(replications, bool) or not isinstance(replications, int) or replications < 1:
        raise BadParameter(f"replications is {replications!r}: give a whole number, 1 or more")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadParameter(f"seed is {seed!r}: give a whole number, 0 or more")
    chosen = all_cases() if cases is None else list(cases)
    tasks = [(k, case.measure, case.settings, seed + r) for k, case in enumerate(chosen) for r in range(replications)]
    tell = reporter(progress)
    found: dict[tuple[int, int], dict[str, float]] = {}
    try:
        tell.note(f"cross-check: {len(chosen)} cases x {replications} replications")
        for place, number, values in parallel(_run, tasks, worker_count(workers)):
            found[place, number] = values
    finally:
        tell.close()
    rows = [
        Row(
            case.section,
            case.label,
            case.simulator,
            quantity,
            expected,
            tuple(found[k, seed + r][quantity] for r in range(replications)),
        )
        for k, case in enumerate(chosen)
        for quantity, expected in case.expected.items()
    ]
    return CrossCheck(tuple(rows), replications, seed)


def _run(place: int, name: str, settings: dict[str, object], seed: int) -> tuple[int, int, dict[str, float]]:
    """Run one replication of one case."""
    return place, seed, measure(name, settings, seed)


def save_cross_check(found: CrossCheck, folder: str | Path) -> list[Path]:
    """Write the table as LaTeX, Markdown and CSV, and its numbers as CSV and Parquet; return the paths."""
    folder = Path(folder)
    written = write_tables([found.table()], folder)
    return [*written, *save_tables({"cross_check_numbers": found.frame}, folder)]


def _shown(row: Row) -> tuple[str, str, str, str]:
    """Return theory, simulation, half width and agreement as text."""
    told = row.expected
    if told.relation == SILENT:
        theory = "" if math.isnan(told.value) else f"({told.value:.4g})"
    else:
        theory = f"{told.value:.4g}" if told.relation == IS else f"{told.relation} {told.value:.4g}"
    agrees = {True: "yes", False: "no!", None: ""}[row.agrees]
    mean = "-" if math.isnan(row.mean) else f"{row.mean:.4f}"
    return theory, mean, "-" if math.isnan(row.half) else f"{row.half:.2g}", agrees
