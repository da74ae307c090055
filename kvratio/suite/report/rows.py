"""The rows of the page's table: texts as the other tables print them, and numbers to sort and colour by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.plan import Suite
from kvratio.suite.statistics import Summary
from kvratio.suite.tables import full_table, grade_mark


@dataclass(frozen=True)
class Row:
    """One policy on one family.

    Parameters
    ----------
    number : int
        Place in the summaries; names the cell in the page.
    summary : Summary
    texts : dict of str to str
        Column header of the full table -> what it prints.
    short, short_mean : str
        Worst and mean ratio as the matrix prints them.
    best : bool
        The smallest upper end of the worst ratio on its family, among policies without a failed cell.
    heat, heat_mean : float or None
        Place of the ratio between 1 and the largest of the run, on a log scale, in [0, 1].
    bar : tuple of float, or None
        Places of lower end, upper end and guarantee on the same scale, in percent; -1 where there is none.
    keys : tuple of float or None
        What the columns worst, mean, guarantee, holds, evictions, wasted sort by.
    """

    number: int
    summary: Summary
    texts: dict[str, str]
    short: str
    short_mean: str
    best: bool
    heat: float | None
    heat_mean: float | None
    bar: tuple[float, float, float] | None
    keys: tuple[float | None, ...]

    @property
    def tags(self) -> str:
        """Words that the page filters by."""
        s = self.summary
        held = s.holds is not None and s.holds > 0 and s.guarantee_high is not None
        words = {"best": self.best, "failed": s.failed > 0, "promised": held, "broken": s.broken > 0}
        words |= {"uncertified": s.worst is not None and s.grade != "certified"}
        return " ".join(word for word, true in words.items() if true)


def rows_of(suite: Suite, summaries: Sequence[Summary]) -> list[Row]:
    """Return a row per summary, in their order."""
    scale = Scale.of(summaries)
    best = _best(summaries)
    rows = []
    for number, s in enumerate(summaries):
        table = full_table(suite, [s])
        texts = dict(zip((column.header for column in table.columns), table.rows[0], strict=True))
        rows.append(
            Row(
                number,
                s,
                texts,
                _short(s, s.worst),
                _short(s, s.mean),
                number in best,
                scale.heat(s.worst),
                scale.heat(s.mean),
                scale.bar(s),
                _keys(s),
            )
        )
    return rows


@dataclass(frozen=True)
class Scale:
    """A log scale over the ratios of a run."""

    low: float
    high: float

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> Scale:
        """Return the scale from the least lower end (1 at most) to the largest finite upper end (2 at least)."""
        ratios = [s.worst for s in summaries if s.worst is not None]
        ends = [end for r in ratios for end in (r.low, r.high) if end is not None and math.isfinite(end) and end > 0]
        return cls(min([*ends, 1.0]), max([*ends, 2.0]))

    def at(self, value: float | None) -> float:
        """Place of a ratio in [0, 1]."""
        if value is None or value <= 0:
            return 0.0
        return min(1.0, max(0.0, math.log(value / self.low) / math.log(self.high / self.low)))

    def heat(self, ratio: Interval | None) -> float | None:
        """Place of the lower end, or of the upper one where there is no other; 0 up to a ratio of 1."""
        if ratio is None:
            return None
        value = ratio.high if ratio.low is None else ratio.low
        return max(0.0, min(1.0, math.log(max(1.0, value)) / math.log(self.high)))

    def bar(self, s: Summary) -> tuple[float, float, float] | None:
        """Places of both ends and of the guarantee, in percent."""
        if s.worst is None:
            return None
        low = s.worst.high if s.worst.low is None else s.worst.low
        promised = s.guarantee_high if s.holds else None
        beyond = promised is None or promised > self.high
        return 100 * self.at(low), 100 * self.at(s.worst.high), -1.0 if beyond else 100 * self.at(promised)


def _best(summaries: Sequence[Summary]) -> set[int]:
    least: dict[str, float] = {}
    able = [(k, s, s.worst.high) for k, s in enumerate(summaries) if s.worst is not None and not s.failed]
    for _, s, high in able:
        least[s.family] = min(high, least.get(s.family, math.inf))
    return {k for k, s, high in able if high == least[s.family] and math.isfinite(high)}


def _short(s: Summary, ratio: Interval | None) -> str:
    if ratio is None:
        return "failed"
    return numerals.short_interval(ratio) + grade_mark(s) + ("!" if s.broken else "")


def _keys(s: Summary) -> tuple[float | None, ...]:
    def middle(ratio: Interval | None) -> float | None:
        if ratio is None:
            return None
        return ratio.high if ratio.low is None else ratio.low

    if s.worst is None:
        return (None,) * 6
    values = (middle(s.worst), middle(s.mean), s.guarantee_high, s.holds, s.evictions, s.wasted)
    return tuple(None if v is None or not math.isfinite(v) else float(f"{v:.6g}") for v in values)
