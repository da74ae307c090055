"""Tables of text on a terminal, and as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from kvratio.suite.latex import latex_body, latex_document
from kvratio.suite.tables import Column, Section, Table, panels

FORMATS = {"latex": "tex", "markdown": "md", "csv": "csv", "html": "html"}


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


def split_columns(table: Table, width: int) -> list[Table]:
    """Cut a matrix into panels that repeat the first column and fit a width."""
    columns = enumerate(table.columns)
    widths = [max(_header_width(column.header), *(cell_len(row[k]) for row in table.rows)) for k, column in columns]
    return panels(table, lambda chosen: sum(widths[k] + 2 for k in chosen) <= width)


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


def html(table: Table) -> str:
    """Return HTML, one table element a section, to be put into a page."""
    import pandas as pd

    parts = [f"<h2>{escape(table.title)}</h2>"]
    for section in table.sections:
        if section.title:
            parts.append(f"<h3>{escape(section.title)}</h3>")
        rows = pd.DataFrame(list(section.rows), columns=[column.header for column in table.columns])
        parts.append(rows.to_html(index=False, border=0))
    parts += [f"<p>{escape(note)}</p>" for note in table.notes]
    return "\n".join(parts) + "\n"


def render(table: Table, form: str) -> str:
    """Return the text of one of `FORMATS`."""
    return {"latex": latex_document, "markdown": markdown, "csv": csv_text, "html": html}[form](table)


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
