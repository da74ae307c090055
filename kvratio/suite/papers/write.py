"""Files of a paper: the table of its published figures beside ours, and what it looks like drawn."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from kvratio.suite import render
from kvratio.suite.latex import latex_escape
from kvratio.suite.papers.figures import reported_figure
from kvratio.suite.papers.finding import Finding
from kvratio.suite.plots import save_figure
from kvratio.suite.tables import Column, Section, Table

#: heading, attribute of a finding, width in LaTeX (share of the line)
COLUMNS = (
    ("published figure", "figure", 0.16),
    ("setting", "setting", 0.13),
    ("published", "published", 0.10),
    ("ours", "ours", 0.20),
    ("verdict", "verdict", 0.07),
    ("rule", "rule", 0.12),
    ("why", "why", 0.22),
)
NUMBERS = ("paper", *(name for _, name, _ in COLUMNS), "certain", "value")
#: what follows a published figure that is known from secondary accounts
UNCERTAIN = " (?)"
PREAMBLE = r"""\usepackage[a4paper,landscape,margin=12mm]{geometry}
\usepackage[T1]{fontenc}
\usepackage{textcomp,booktabs,longtable,array}"""


def write_findings(
    findings: Sequence[Finding], folder: Path, title: str, stem: str = "published", figure: bool = True
) -> list[Path]:
    """Write Markdown, CSV and LaTeX (a document and its body), and a figure where numbers can be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    body = latex_body(findings, title)
    texts = {
        "md": render.markdown(table_of(findings, title)),
        "csv": csv_text(findings),
        "tex": f"\\documentclass{{article}}\n{PREAMBLE}\n\\begin{{document}}\n\\scriptsize\n{body}\\end{{document}}\n",
    }
    written = []
    for ending, text in (*texts.items(), ("_body.tex", f"% needs booktabs, longtable, array, textcomp\n{body}")):
        path = folder / (f"{stem}{ending}" if ending.startswith("_") else f"{stem}.{ending}")
        path.write_text(text)
        written.append(path)
    drawn = [finding for finding in findings if finding.value is not None and finding.measured]
    if drawn and figure:
        written += save_figure(reported_figure(drawn, title), folder / stem)
    return written


def table_of(findings: Sequence[Finding], title: str) -> Table:
    """The findings as a table of text."""
    columns = tuple(
        Column(heading, rank=rank) for (heading, _, _), rank in zip(COLUMNS, (0, 2, 0, 0, 0, 1, 3), strict=True)
    )
    rows = tuple(tuple(_text(finding, name) for _, name, _ in COLUMNS) for finding in findings)
    return Table("published", title, columns, (Section("", rows),))


def csv_text(findings: Sequence[Finding]) -> str:
    """The findings as CSV, with the ends of what was measured."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*NUMBERS, "low", "high"])
    for finding in findings:
        ends = [";".join(f"{getattr(one, end):.10g}" for one in finding.measured) for end in ("low", "high")]
        writer.writerow([*(getattr(finding, name) for name in NUMBERS), *ends])
    return out.getvalue()


def latex_body(findings: Sequence[Finding], title: str) -> str:
    """A longtable with wrapped columns."""
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{width - 0.02:.2f}\linewidth}}" for *_, width in COLUMNS)
    heads = " & ".join(heading for heading, *_ in COLUMNS)
    lines = [rf"\noindent\textbf{{{latex_escape(title)}}}\par\medskip", rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}"]
    lines += [r"\toprule", rf"{heads} \\", r"\midrule", r"\endhead"]
    for finding in findings:
        lines.append(" & ".join(latex_escape(_text(finding, name)) for _, name, _ in COLUMNS) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{longtable}"]) + "\n"


def _text(finding: Finding, name: str) -> str:
    text = str(getattr(finding, name))
    return text + UNCERTAIN if name == "published" and not finding.certain else text
