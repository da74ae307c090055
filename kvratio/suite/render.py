"""Tables of text as terminal output, LaTeX, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from kvratio.suite.tables import Column, Section, Table

#: characters that mean something to LaTeX, and characters that its fonts may lack
LATEX = {
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

#: columns of a matrix that fit a landscape page
LATEX_COLUMNS = 10

#: what a document needs to \input the body of a table
PREAMBLE = (r"\usepackage{booktabs}", r"\usepackage{longtable}", r"\usepackage{array}")

FORMATS = {"latex": "tex", "markdown": "md", "csv": "csv"}


# -- terminal -----------------------------------------------------------------------------------------------------
def print_table(table: Table, console: Console) -> None:
    """Print a table within the width of the console: narrow ones lose columns by rank, wide matrices are split."""
    console.print()
    console.print(Text(table.title, style="bold"))
    if table.name.startswith("matrix"):
        for panel in split_columns(table, console.width):
            console.print(_rich(panel, panel.columns, panel.sections[0], stack=True))
    elif table.name == "hardest":
        _print_hardest(table, console)
    else:
        kept = fitting_columns(table, console.width)
        widths = _widths(table, kept)
        for section in table.sections:
            if section.title:
                console.print()
                console.print(Text(section.title, style="bold cyan"), soft_wrap=False)
            rows = tuple(tuple(row[k] for k in kept) for row in section.rows)
            columns = tuple(table.columns[k] for k in kept)
            console.print(_rich(table, columns, Section("", rows), widths=widths))
    if table.notes:
        console.print()
    for note in table.notes:
        console.print(Text(note, style="red" if note.startswith("!") else "dim"))


def fitting_columns(table: Table, width: int) -> list[int]:
    """Indices of the columns that fit: those of the largest rank go first."""
    kept = list(range(len(table.columns)))
    while True:
        widths = _widths(table, kept)
        dispensable = [k for k in kept if table.columns[k].rank > 0]
        if sum(widths) + 2 * len(kept) <= width or not dispensable:
            return kept
        kept.remove(max(dispensable, key=lambda k: (table.columns[k].rank, k)))


def split_columns(table: Table, width: int, most: int | None = None) -> list[Table]:
    """Cut a matrix into panels that repeat the first column and fit a width, or have at most some columns."""
    columns = enumerate(table.columns)
    widths = [max(_header_width(column.header), *(cell_len(row[k]) for row in table.rows)) for k, column in columns]
    panels: list[list[int]] = []
    used = 0
    for k in range(1, len(table.columns)):
        full = not panels or (used + widths[k] + 2 > width if most is None else len(panels[-1]) == most)
        if full:
            panels.append([0])
            used = widths[0] + 2
        panels[-1].append(k)
        used += widths[k] + 2
    return [
        Table(
            table.name,
            table.title,
            tuple(table.columns[k] for k in panel),
            (Section("", tuple(tuple(row[k] for k in panel) for row in table.rows)),),
        )
        for panel in panels
    ]


def _print_hardest(table: Table, console: Console) -> None:
    """One table of where it hurts; then the commands, one a line and unwrapped, ready to be copied."""
    names = [column.header for column in table.columns]
    about, replay = names.index("instance"), names.index("replay")
    shown = [k for k in range(len(names)) if k != replay]
    rows = tuple(tuple(row[k] for k in shown) for row in table.rows)
    columns = tuple(table.columns[k] for k in shown)
    narrow = Table(table.name, table.title, columns, (Section("", rows),))
    kept = fitting_columns(narrow, console.width) if console.width < 100 else list(range(len(shown)))
    picked = tuple(tuple(row[k] for k in kept) for row in rows)
    console.print(_rich(narrow, tuple(columns[k] for k in kept), Section("", picked)))
    if about not in [shown[k] for k in kept]:
        console.print(Text("widen the terminal to see the parameters of each instance", style="dim"))
    console.print(Text("Replay:", style="bold"))
    for row in table.rows:
        console.print(Text(f"  {row[replay]}"), soft_wrap=True)


def _rich(
    table: Table, columns: Iterable[Column], section: Section, widths: list[int] | None = None, stack: bool = False
) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 1, 0, 0))
    for k, column in enumerate(columns):
        header = _stacked(column.header) if stack else column.header
        least = widths[k] if widths else None
        grid.add_column(header, justify=column.align, no_wrap=not stack, min_width=least, overflow="fold")
    for row in section.rows:
        grid.add_row(*(_styled(entry) for entry in row))
    return grid


def _styled(entry: str) -> Text:
    """Colour only what asks for attention: failures, alarms, and exact ratios."""
    if entry == "failed" or entry.endswith("!"):
        return Text(entry, style="bold red")
    if entry == "yes":
        return Text(entry, style="green")
    if entry == "-":
        return Text(entry, style="dim")
    return Text(entry)


def _widths(table: Table, kept: list[int]) -> list[int]:
    return [max(cell_len(table.columns[k].header), *(cell_len(row[k]) for row in table.rows), 1) for k in kept]


def _stacked(header: str) -> str:
    """Break a long label at its underscores and blanks, so that a matrix stays narrow."""
    return header.replace("_", "_\n").replace(" ", "\n") if len(header) > 9 else header


def _header_width(header: str) -> int:
    return max(len(part) for part in _stacked(header).split("\n"))


# -- files --------------------------------------------------------------------------------------------------------
def latex_escape(text: str) -> str:
    """Escape text for LaTeX; characters that fonts may lack become commands.

    Parameters
    ----------
    text : str
        Plain text.
    """
    return "".join(LATEX.get(char, char) for char in text)


def latex_body(table: Table) -> str:
    """Return booktabs longtables to be put into a document; they need the packages of `PREAMBLE`."""
    wide = table.name.startswith("matrix") and len(table.columns) > LATEX_COLUMNS
    panels = split_columns(table, 0, LATEX_COLUMNS) if wide else [table]
    lines = [f"% needs {' '.join(PREAMBLE)}", *(_longtable(panel) for panel in panels)]
    lines += [rf"{{\footnotesize {latex_escape(note)}\par}}" for note in table.notes]
    return "\n".join(lines) + "\n"


def _longtable(table: Table) -> str:
    letters = {"left": "l", "right": "r", "center": "c"}
    spec = "".join(letters[column.align] for column in table.columns)
    width = len(table.columns)
    header = " & ".join(latex_escape(column.header) for column in table.columns) + r" \\"
    lines = [
        rf"\begin{{longtable}}{{@{{}}{spec}@{{}}}}",
        rf"\caption{{{latex_escape(table.title)}}}\\",
        r"\toprule",
        header,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        header,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
    ]
    for k, section in enumerate(table.sections):
        if section.title:
            # A section's title must not be left alone at the foot of a page: \\* forbids a break after it.
            lines += [r"\addlinespace"] if k else []
            lines.append(rf"\multicolumn{{{width}}}{{@{{}}l}}{{\textit{{{latex_escape(section.title)}}}}} \\*")
        lines += [" & ".join(latex_escape(entry) for entry in row) + r" \\" for row in section.rows]
    lines.append(r"\end{longtable}")
    return "\n".join(lines)


def latex_document(table: Table) -> str:
    """Return a whole document that compiles as it stands."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage[utf8]{inputenc}",
            *PREAMBLE,
            r"\begin{document}",
            r"\scriptsize\setlength{\tabcolsep}{4pt}",
            latex_body(table) + r"\end{document}",
            "",
        ]
    )


def markdown(table: Table) -> str:
    """Return GitHub Markdown, one table a section."""
    rule = {"left": ":---", "right": "---:", "center": ":---:"}
    lines = [f"# {table.title}", ""]
    for section in table.sections:
        if section.title:
            lines += [f"## {_markdown_escape(section.title)}", ""]
        lines.append("| " + " | ".join(_markdown_escape(column.header) for column in table.columns) + " |")
        lines.append("| " + " | ".join(rule[column.align] for column in table.columns) + " |")
        lines += ["| " + " | ".join(_markdown_escape(entry) for entry in row) + " |" for row in section.rows]
        lines.append("")
    lines += [f"- {_markdown_escape(note)}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_escape(text: str) -> str:
    for char in "\\|_*`<[]":
        text = text.replace(char, f"\\{char}")
    return text


def csv_text(table: Table) -> str:
    """Return CSV with the section as the first column (for numbers, use `statistics.frame`)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    sections = any(section.title for section in table.sections)
    writer.writerow([*(["section"] if sections else []), *(column.header for column in table.columns)])
    for section in table.sections:
        for row in section.rows:
            writer.writerow([*([section.title] if sections else []), *row])
    return out.getvalue()


def render(table: Table, form: str) -> str:
    """Return the text of one of `FORMATS`."""
    return {"latex": latex_document, "markdown": markdown, "csv": csv_text}[form](table)


def write_tables(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write each table as LaTeX (document and body), Markdown and CSV; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        files = {f"{table.name}.{ending}": render(table, form) for form, ending in FORMATS.items()}
        files[f"{table.name}_body.tex"] = latex_body(table)
        for name, text in files.items():
            path = folder / name
            path.write_text(text)
            written.append(path)
    return written
