"""Tables as LaTeX: booktabs tabulars that need one pass, and a document around them that compiles as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from kvratio.suite.tables import Section, Table, panels

#: characters that mean something to LaTeX, and characters that its fonts may lack
ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "–": "--",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "τ": r"$\tau$",
}

#: what a document needs to \input the body of a table
PREAMBLE = r"\usepackage{booktabs}"

#: columns of a matrix, and rows of a table, that fit a landscape page
COLUMNS, ROWS = 10, 45

LETTERS = {"left": "l", "right": "r", "center": "c"}


def latex_escape(text: str) -> str:
    """Escape text for LaTeX; characters that fonts may lack become commands.

    Parameters
    ----------
    text : str
        Plain text.
    """
    return "".join(ESCAPES.get(char, char) for char in text)


def latex_body(table: Table) -> str:
    """Return booktabs tabulars, one a section, to be put into a document that has `PREAMBLE`."""
    wide = table.name.startswith("matrix") and len(table.columns) > COLUMNS
    parts = panels(table, lambda columns: len(columns) <= COLUMNS) if wide else [table]
    lines = [f"% needs {PREAMBLE}", rf"\noindent\textbf{{{latex_escape(table.title)}}}\par\medskip"]
    for part in parts:
        for section in part.sections:
            for k in range(0, len(section.rows), ROWS):
                lines += _tabular(part, section, section.rows[k : k + ROWS])
    lines += [rf"\noindent {latex_escape(note)}\par" for note in table.notes]
    return "\n".join(lines) + "\n"


def _tabular(table: Table, section: Section, rows: Sequence[tuple[str, ...]]) -> list[str]:
    """One tabular; it is one box, so its title is tied to it by a break-free paragraph end."""
    spec = "".join(LETTERS[column.align] for column in table.columns)
    title = [rf"\noindent\textit{{{latex_escape(section.title)}}}\par\nobreak\smallskip"] if section.title else []
    return [
        *title,
        rf"\noindent\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        " & ".join(latex_escape(column.header) for column in table.columns) + r" \\",
        r"\midrule",
        *(" & ".join(latex_escape(entry) for entry in row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}\par\medskip",
    ]


def latex_document(table: Table) -> str:
    """Return a whole document that compiles as it stands, in one pass."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
            r"\usepackage[T1]{fontenc}",
            PREAMBLE,
            r"\begin{document}",
            r"\scriptsize\setlength{\tabcolsep}{4pt}",
            latex_body(table) + r"\end{document}",
            "",
        ]
    )
