"""What a run says, as tables of text: full, matrix, and the instance that hurts each policy most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.naming import shell_word
from kvratio.suite.plan import FamilySpec, Suite
from kvratio.suite.statistics import Summary, hardest_per_policy
from kvratio.suite.store import RunFolder


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    header : str
    align : {"left", "right", "center"}
    rank : int
        On a narrow terminal, columns with a larger rank are left out first; 0 is never left out.
    """

    header: str
    align: Literal["left", "right", "center"] = "left"
    rank: int = 0


@dataclass(frozen=True)
class Section:
    """Rows that belong together, under one title."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of text that every format renders.

    Parameters
    ----------
    name : str
        File stem.
    title : str
    columns : tuple of Column
    sections : tuple of Section
    notes : tuple of str
        How to read it.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """All rows, section by section."""
        return [row for section in self.sections for row in section.rows]


def panels(table: Table, fits: Callable[[Sequence[int]], bool]) -> list[Table]:
    """Cut a table of one section into panels that repeat the first column.

    Parameters
    ----------
    table : Table
    fits : callable
        Indices of columns -> whether they fit together; a single column is never refused.
    """
    found: list[list[int]] = []
    for k in range(1, len(table.columns)):
        if not found or not fits([*found[-1], k]):
            found.append([0])
        found[-1].append(k)
    return [
        Table(
            table.name,
            table.title,
            tuple(table.columns[k] for k in panel),
            (Section("", tuple(tuple(row[k] for k in panel) for row in table.rows)),),
        )
        for panel in found
    ]


FULL_COLUMNS = (
    Column("policy"),
    Column("n", "right", 3),
    Column("worst ratio", "right"),
    Column("mean ratio", "right"),
    Column("95% of mean", "right", 2),
    Column("guarantee", "right"),
    Column("holds", "center"),
    Column("evict/req", "right", 1),
    Column("wasted", "right", 1),
)

READING = (
    "A ratio lies in [cost / U, cost / L] with L ≤ OPT ≤ U, U a checked schedule, L a certified bound; ends are "
    "rounded outwards; = where they meet; ≤ where only the upper end has a meaning (recompute, swap).",
    "n: different instances with a result; worst and mean: over them; 95%: bootstrap over them, from the lower end's "
    "to the upper end's.",
    "guarantee: proven ratio, with the run's parameters; holds: whether its hypotheses hold here (yes, no, or on how "
    "many instances); "
    "- where nothing is proved for this objective.",
    "evict/req: evictions per request; wasted: void token-rounds over the volume of the instance.",
)


SOLVER_NOTE = (
    "* L rests on the word of a solver or of a search, not on a certificate that can be rechecked (column grade in "
    "summary.csv)."
)


def full_table(suite: Suite, summaries: Sequence[Summary], confidence: float | None = None) -> Table:
    """Return one section per family and one row per policy."""
    percent = f"{100 * (confidence or suite.confidence):g}% of mean"
    columns = tuple(Column(percent, c.align, c.rank) if c.header == "95% of mean" else c for c in FULL_COLUMNS)
    sections = []
    for family in suite.families:
        rows = [_full_row(s) for s in summaries if s.family == family.label]
        if rows:
            sections.append(Section(family_title(family), tuple(rows)))
    notes = (*READING, *_remarks(summaries))
    return Table("ratios", f"Suite {suite.name}: certified ratios", columns, tuple(sections), notes)


def family_title(family: FamilySpec) -> str:
    """The family as a heading: label, parameters, number of seeds, objective."""
    call = family.call
    if family.label == family.id or family.kind == "trace":
        call = call.partition(":")[2]
    seeds = f"{len(family.seeds)} seeds" if len(family.seeds) > 1 else ""
    tuned = "tuned to each policy" if family.adaptive else ""
    return " · ".join(part for part in (family.label, call, seeds, f"total {family.objective}", tuned) if part)


def _full_row(s: Summary) -> tuple[str, ...]:
    mark = grade_mark(s)
    low = s.low_bootstrap[0] if s.low_bootstrap else None
    high = s.high_bootstrap[1] if s.high_bootstrap else None
    if low is None and high is None:
        bootstrap = numerals.NOTHING
    elif low is None:
        bootstrap = f"≤ {numerals.up(high)}" if high is not None else numerals.NOTHING
    else:
        bootstrap = numerals.spread((low, float("inf") if high is None else high))
    return (
        s.policy,
        f"{s.instances} ({s.failed} failed)" if s.failed else str(s.instances),
        "failed" if s.worst is None else numerals.interval(s.worst) + mark,
        numerals.interval(s.mean) + mark,
        bootstrap,
        guarantee_text(s),
        holds_text(s),
        numerals.NOTHING if s.worst is None else _quantity(s.evictions),
        numerals.NOTHING if s.worst is None else _quantity(s.wasted),
    )


def grade_mark(s: Summary) -> str:
    """A star where L is not certified but rests on a solver's word."""
    return "" if s.worst is None or s.grade == "certified" else "*"


def guarantee_text(s: Summary) -> str:
    """The published ratio, or the range it takes over the instances."""
    if s.guarantee_low is None or s.guarantee_high is None:
        return numerals.NOTHING
    low, high = numerals.at_most(s.guarantee_low), numerals.at_most(s.guarantee_high)
    return low if low == high else f"{low}–{high}"


def holds_text(s: Summary) -> str:
    """Whether the hypotheses hold on this family: yes, no, a count of instances, or nothing to say."""
    if s.holds is None or (s.guarantee_low is None and s.holds > 0):
        return numerals.NOTHING
    held = "yes" if s.holds == 1.0 else "no" if s.holds == 0.0 else f"{round(s.holds * s.instances)}/{s.instances}"
    return f"{held} !" if s.broken else held


def _quantity(value: float) -> str:
    return "0" if value == 0 else "<0.001" if value < 0.0005 else numerals.plain(value)


def _remarks(summaries: Sequence[Summary]) -> list[str]:
    lines = [SOLVER_NOTE] if any(map(grade_mark, summaries)) else []
    for policy in dict.fromkeys(s.policy for s in summaries if s.spread is not None):
        spread = max(s.spread for s in summaries if s.policy == policy and s.spread is not None)
        lines.append(
            f"{policy} is randomised: mean cost over its seeds; their standard deviation is at most {spread:.1%}."
        )
    lines += [
        f"! {s.policy} on {s.family}: the ratio is proven above its guarantee on {s.broken} of {s.instances} instances "
        f"whose hypotheses hold: a bug in policy, bound or card."
        for s in summaries
        if s.broken
    ]
    failed = sum(s.failed for s in summaries)
    if failed:
        lines.append(f"{failed} cells failed; results/failures.json has their messages.")
    return lines


def matrix_table(suite: Suite, summaries: Sequence[Summary], which: str = "worst") -> Table:
    """Return policies by families, each entry the worst (or mean) ratio as a short interval."""
    families = [family.label for family in suite.families if any(s.family == family.label for s in summaries)]
    found = {(s.policy, s.family): s for s in summaries}
    policies = list(dict.fromkeys(s.policy for s in summaries))
    rows = tuple((p, *(_entry(found.get((p, f)), which) for f in families)) for p in policies)
    columns = (Column("policy"), *(Column(label, "right") for label in families))
    reading = f"{which} ratio, from proven lower to proven upper end; = where they meet; ! above a guarantee that holds"
    notes = (reading, SOLVER_NOTE) if any(map(grade_mark, summaries)) else (reading,)
    title = f"Suite {suite.name}: {which} ratio, policies by families"
    return Table(f"matrix_{which}", title, columns, (Section("", rows),), notes)


def _entry(summary: Summary | None, which: str) -> str:
    if summary is None:
        return ""
    value: Interval | None = getattr(summary, which)
    if value is None:
        return "failed"
    return numerals.short_interval(value) + grade_mark(summary) + ("!" if summary.broken else "")


def hardest_table(suite: Suite, summaries: Sequence[Summary], run: Path) -> Table:
    """Return, per policy, the instance that hurts it most and the command that replays it."""
    rows = []
    for s in hardest_per_policy(list(summaries)):
        ratio, command = numerals.interval(s.hardest_ratio) + grade_mark(s), replay_command(suite, s, run)
        rows.append((s.policy, ratio, s.family, s.hardest_about, command))
    columns = (
        Column("policy"),
        Column("ratio", "right"),
        Column("family"),
        Column("instance", rank=2),
        Column("replay", rank=1),
    )
    return Table("hardest", f"Suite {suite.name}: what hurts each policy most", columns, (Section("", tuple(rows)),))


def replay_command(suite: Suite, s: Summary, run: Path) -> str:
    """The command line that runs the policy again on its hardest instance."""
    policy = suite.policy(s.policy)
    path = RunFolder(run).instance(s.hardest or "")
    words = ["kvratio", "simulate", shell_word(str(path)), shell_word(policy.call)]
    if policy.seeds != (0,):
        words.append(f"--seed {policy.seeds[0]}")
    from algos import registry

    if policy.plugin is None and policy.eviction != registry.card(policy.id).eviction:
        words.append(f"--eviction {policy.eviction}")
    return " ".join(words)


def all_tables(suite: Suite, summaries: Sequence[Summary], run: Path) -> list[Table]:
    """Every table of a run, in the order in which it is printed.

    ``run`` stands before the instances in replay commands; files get an empty path, so that a table that is sent
    away names no folder of this machine, and two runs have the same bytes.
    """
    return [
        full_table(suite, summaries),
        matrix_table(suite, summaries, "worst"),
        matrix_table(suite, summaries, "mean"),
        hardest_table(suite, summaries, run),
    ]
