"""Comparisons of policies as a table of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kvratio.suite import numerals
from kvratio.suite.comparison import Comparison
from kvratio.suite.tables import Column, Section, Table

if TYPE_CHECKING:
    import pandas as pd


def comparison_table(suite: str, found: Sequence[Comparison], confidence: float) -> Table:
    """Return one row a pair of policies, and one section a family.

    Parameters
    ----------
    suite : str
        Name of the suite, for the title.
    found : sequence of Comparison
    confidence : float
        Of the bootstrap intervals, for the heading.
    """
    columns = (
        Column("policy"),
        Column("against"),
        Column("n", "right"),
        Column("cheaper", "right", 1),
        Column("equal", "right", 2),
        Column("dearer", "right", 1),
        Column("cost ratio", "right"),
        Column(f"{100 * confidence:g}% interval", "right"),
        Column("p (Holm)", "right"),
    )
    sections = tuple(
        Section("" if family == "all families" else family, tuple(_row(one) for one in found if one.family == family))
        for family in dict.fromkeys(one.family for one in found)
    )
    notes = (
        "cost ratio: geometric mean of cost(policy) / cost(against) over the n instances that both finished; it needs "
        "no bound, so it is exact. Interval: bootstrap over the instances.",
        "p: two-sided Wilcoxon signed-rank test of log cost ratios without ties, adjusted by Holm's rule over all "
        "rows of this table; it speaks of random instances, not of constructions.",
    )
    return Table("comparison", f"Suite {suite}: policies against each other", columns, sections, notes)


def _row(one: Comparison) -> tuple[str, ...]:
    return (
        one.policy,
        one.against,
        *(str(count) for count in (one.instances, one.better, one.equal, one.worse)),
        numerals.rounded(one.ratio),
        numerals.spread(one.interval),
        "<0.0001" if one.p_holm < 1e-4 else f"{one.p_holm:.4f}",
    )


def profile_table(suite: str, shares: pd.DataFrame) -> Table:
    """Return a performance profile (`comparison.profile`) read off at some factors: one row a policy."""
    columns = (Column("policy"), *(Column(f"≤ {factor:g}", "right") for factor in shares.index))
    rows = tuple((str(policy), *(f"{100 * share:.0f}%" for share in shares[policy])) for policy in shares.columns)
    notes = (
        "share of the instances on which a policy costs at most so many times the cheapest policy of this run "
        "(Dolan and More, arXiv cs/0102001).",
    )
    return Table("profile", f"Suite {suite}: performance profile", columns, (Section("", rows),), notes)
