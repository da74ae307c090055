"""`PAPERS.md`: every published figure of every paper, with setting, both values, verdict and reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kvratio.suite import render
from kvratio.suite.papers.conduct import Outcome, counts
from kvratio.suite.papers.finding import VERDICTS
from kvratio.suite.papers.write import table_of, write_findings
from kvratio.suite.tables import Column, Section, Table

READING = (
    "A verdict is computed by the rule beside it, from the whole interval: **agrees** if all of it satisfies the rule, "
    "**differs** if none of it does, **open** if it leaves room for both, **not comparable** with the reason, "
    "**failed** if cells failed.",
    "A ratio to the optimum is a proven interval, its ends averaged over the instances, then widened by the bootstrap "
    "over instances; a ratio of two costs needs no bound, and its brackets are the bootstrap interval of its mean.",
    "(?) behind a published figure: known from secondary accounts only. *Our check*: not printed in the paper.",
)
QUICK = (
    "**A quick run**: fewer instances, shorter simulations, cheaper bounds. Verdicts may be open that a full run "
    "settles."
)


def index_text(outcomes: Sequence[Outcome], quick: bool = False) -> str:
    """The index as Markdown."""
    lines = ["# Published figures beside ours", "", *(f"{line}\n" for line in ([QUICK] if quick else []))]
    lines += [*(f"- {line}" for line in READING), "", _summary(outcomes)]
    for outcome in outcomes:
        paper = outcome.paper
        lines += [f"## arXiv {paper.arxiv}", "", f"{paper.cited}.", "", paper.about, "", _files(outcome), ""]
        lines += [_rows(table_of(outcome.findings, "")), ""]
    return "\n".join(lines).rstrip() + "\n"


def write_index(outcomes: Sequence[Outcome], folder: Path, quick: bool = False) -> list[Path]:
    """Write ``PAPERS.md``, and all figures of all papers as one table (Markdown, CSV, LaTeX)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "PAPERS.md"
    path.write_text(index_text(outcomes, quick))
    everything = [finding for outcome in outcomes for finding in outcome.findings]
    named = write_findings(everything, folder, "Published figures beside ours", "papers", figure=False)
    return [path, *named]


def summary_table(outcomes: Sequence[Outcome]) -> Table:
    """How many figures of each paper agree, differ, .."""
    columns = (Column("paper"), *(Column(verdict, "right") for verdict in VERDICTS))
    rows = tuple(
        (outcome.paper.arxiv, *(str(number) for number in counts(outcome.findings).values())) for outcome in outcomes
    )
    return Table("papers", "Published figures by verdict", columns, (Section("", rows),))


def _summary(outcomes: Sequence[Outcome]) -> str:
    return _rows(summary_table(outcomes)) + "\n"


def _rows(table: Table) -> str:
    """A table without its title."""
    return render.markdown(table).split("\n", 2)[2].rstrip()


def _files(outcome: Outcome) -> str:
    """Links to what lies in the paper's folder, relative to the index; shards and instances are not listed."""
    folder = outcome.folder
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".md", ".csv", ".tex", ".svg"))
    links = [f"[{name}]({folder.name}/{name})" for name in names if not name.endswith("_body.tex")]
    links += [f"[{name}/]({folder.name}/{name}/)" for name in sorted(p.name for p in folder.iterdir() if p.is_dir())]
    return "Files: " + ", ".join(links)
