"""A table of a paper, made from a run by a `TableSpec`: entries first, then LaTeX, HTML, Markdown, CSV or terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kvratio.problem.errors import BadParameter
from kvratio.suite import numerals, render
from kvratio.suite.latex import latex_escape
from kvratio.suite.spec import TableSpec
from kvratio.suite.statistics import PER_INSTANCE, per_instance
from kvratio.suite.tables import Column, Section, Table

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

#: what a mark behind an entry says
MARKS = {
    "failed": "cells failed; results/failures.json of the run has their messages",
    "hypotheses": "the hypotheses of the published guarantee do not hold on every instance",
    "word": "the lower bound rests on the word of a solver or of a search, not on a certificate",
}
#: values of a cell that are averaged over the seeds of a policy
AVERAGED = ["cost", "makespan", "flow_p50", "flow_p99", "ttft_mean", "utilisation"]
PREAMBLE = "\\usepackage{booktabs}\n\\usepackage{siunitx}\n\\sisetup{detect-all}"


@dataclass(frozen=True)
class Entry:
    """One entry: an interval, a number (both ends equal), or nothing (``high`` is None), with its marks.

    ``instance`` is the key of the instance with the largest value behind it (of a ratio: the largest lower end, and
    without one the largest upper end).
    """

    low: float | None = None
    high: float | None = None
    proven: bool = False
    marks: tuple[str, ...] = ()
    empty: bool = False
    published: bool = False
    instance: str = ""


@dataclass(frozen=True)
class PaperTable:
    """Entries of a table with their names.

    Parameters
    ----------
    spec : TableSpec
    rows, columns : list of tuple
        Values of the keys, one tuple a row and a column.
    entries : list of list of Entry
        By row, then column.
    bold : list of list of bool
    """

    spec: TableSpec
    rows: list[tuple[Any, ...]]
    columns: list[tuple[Any, ...]]
    entries: list[list[Entry]]
    bold: list[list[bool]]

    @property
    def letters(self) -> dict[str, str]:
        """A letter for each mark that occurs."""
        used = {mark for row in self.entries for entry in row for mark in entry.marks}
        return dict(zip((mark for mark in MARKS if mark in used), "abc", strict=False))

    @property
    def notes(self) -> list[tuple[str, str]]:
        """Marks that occur, with their words; an empty mark for how to read the table."""
        notes = [(letter, MARKS[mark]) for mark, letter in self.letters.items()]
        reading = _reading(self.spec)
        return [*([("", reading)] if reading else []), *notes]

    @property
    def frame(self) -> pd.DataFrame:
        """Entries as objects, rows and columns named by the spec's labels."""
        label = self.spec.label
        names = [tuple(label(value) for value in row) for row in self.rows]
        heads = [tuple(label(value) for value in column) for column in self.columns]
        index = _index(names, [label(key) for key in self.spec.rows])
        columns = _index(heads, [label(key) for key in self.spec.columns] or [self.spec.value])
        values = np.empty((len(names), len(heads)), dtype=object)
        for i, row in enumerate(self.entries):
            values[i, :] = row
        return pd.DataFrame(values, index=index, columns=columns)

    @property
    def numbers(self) -> pd.DataFrame:
        """One line an entry, for programs: keys, low, high, marks, and the hardest instance behind it.

        ``kvratio simulate RUN/instances/INSTANCE.json POLICY`` replays that instance.
        """
        keys = (*self.spec.rows, *(self.spec.columns or ("value",)))
        lines = []
        for row, entries in zip(self.rows, self.entries, strict=True):
            for column, entry in zip(self.columns, entries, strict=True):
                if not entry.empty:
                    line = dict(zip(keys, (*row, *column), strict=True))
                    line |= {"low": entry.low, "high": entry.high, "marks": " ".join(entry.marks)}
                    lines.append(line | {"instance": entry.instance[:12]})
        return pd.DataFrame(lines)


def _index(names: list[tuple[str, ...]], titles: list[str]) -> pd.Index:
    """One level as a plain index, which the Styler formats; several as a MultiIndex."""
    if len(titles) == 1:
        return pd.Index([name for (name,) in names], name=titles[0])
    return pd.MultiIndex.from_tuples(names, names=titles)


# -- entries ------------------------------------------------------------------------------------------------------
def paper_table(cells: pd.DataFrame, spec: TableSpec) -> PaperTable:
    """Aggregate the cells of a run as a spec says.

    Raises
    ------
    BadParameter
        The filter leaves nothing, or a key does not occur in the run.
    """
    cells = _filtered(_with_parameters(cells, spec), spec)
    keys = [*spec.rows, *spec.columns]
    good = cells[cells["status"] == "ok"]
    instances = _instances(good, spec) if len(good) else good
    groups = dict(list(instances.groupby(keys, sort=False, dropna=False))) if len(good) else {}
    broken = cells[cells["status"] != "ok"]
    failed = {key: len(group) for key, group in broken.groupby(keys, sort=False, dropna=False)}
    rows, columns = _ordered(cells, spec.rows), _ordered(cells, spec.columns)
    entries = [
        [_entry(groups.get((*row, *column)), failed.get((*row, *column), 0), spec) for column in (columns or [()])]
        for row in rows
    ]
    bold = _best(entries) if spec.best else [[False] * len(row) for row in entries]
    heads = columns or [(spec.value,)]
    if spec.guarantee:
        heads = [*heads, *[("guarantee",) + ("",) * (max(len(spec.columns), 1) - 1)]]
        for row, line, flags in zip(rows, entries, bold, strict=True):
            line.append(_guarantee(instances, spec, row))
            flags.append(False)
    return PaperTable(spec, rows, heads, entries, bold)


def _with_parameters(cells: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """Add a column for each ``param.NAME`` that the spec names."""
    wanted = [key for key in (*spec.rows, *spec.columns, *spec.filter) if key.startswith("param.")]
    read = [json.loads(text) for text in cells["parameters"]] if wanted else []
    for key in wanted:
        name = key.removeprefix("param.")
        values = [entry.get(name) for entry in read]
        if all(value is None for value in values):
            raise BadParameter(f"{key}: no family of this run has the parameter {name}")
        shown = [json.dumps(value) if isinstance(value, (list, dict)) else value for value in values]
        cells = cells.assign(**{key: shown})
    return cells


def _filtered(cells: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    for key, values in spec.filter.items():
        kept = cells[cells[key].isin(values)]
        if kept.empty:
            there = ", ".join(str(value) for value in list(dict.fromkeys(cells[key]))[:8])
            raise BadParameter(f"filter: no cell has {key} in {list(values)}; the run has {there}")
        cells = kept
    return cells


def _instances(good: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """One row per family, policy and instance: ratio ends, means over seeds, and the keys of the spec."""
    ratios = per_instance(good)
    first = good.drop_duplicates(PER_INSTANCE)
    more = [key for key in (*spec.rows, *spec.columns) if key not in ratios.columns]
    averages = good.groupby(PER_INSTANCE, sort=False)[AVERAGED].mean().reset_index()
    return ratios.merge(first[[*PER_INSTANCE, *more]], on=PER_INSTANCE).merge(averages, on=PER_INSTANCE)


def _ordered(cells: pd.DataFrame, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Values of some keys in the order of the run; numbers in their own order."""
    found = list(dict.fromkeys(zip(*(cells[key] for key in keys), strict=True))) if keys else []
    if found and all(isinstance(value, (int, float)) for row in found for value in row):
        return sorted(found)
    return found


AGGREGATE: dict[str, Callable[[Any], float]] = {
    "worst": lambda values: float(np.max(values)),
    "best": lambda values: float(np.min(values)),
    "mean": lambda values: math.fsum(values) / len(values),
    "median": lambda values: float(np.median(values)),
}


def _entry(group: pd.DataFrame | None, failed: int, spec: TableSpec) -> Entry:
    marks: tuple[str, ...] = ("failed",) if failed and spec.footnotes else ()
    if group is None:
        return Entry(marks=marks, empty=not failed)
    over = AGGREGATE[spec.aggregate]
    if spec.value != "ratio":
        values = group[spec.value].to_numpy(float)
        value = over(values)
        return Entry(value, value, marks=marks, instance=str(group["instance"].iloc[int(np.argmax(values))]))
    low, high = group["low"].to_numpy(float), group["high"].to_numpy(float)
    if spec.footnotes:
        holds = group["guarantee_holds"]
        if spec.guarantee and bool(holds.notna().any()) and not bool((holds == True).all()):  # noqa: E712
            marks += ("hypotheses",)
        if bool((group["bound_grade"] != "certified").any()):
            marks += ("word",)
    one_sided = bool(np.isnan(low).any())
    hardest = str(group["instance"].iloc[int(np.argmax(high if one_sided else low))])
    return Entry(None if one_sided else over(low), over(high), proven=True, marks=marks, instance=hardest)


def _guarantee(instances: pd.DataFrame, spec: TableSpec, row: tuple[Any, ...]) -> Entry:
    """The largest published ratio of a row over the instances on which it holds, else over all."""
    chosen = instances
    for key, value in zip(spec.rows, row, strict=True):
        chosen = chosen[chosen[key] == value]
    holding = chosen[chosen["guarantee_holds"] == True]  # noqa: E712 - the column may hold None
    ratios = (holding if len(holding) else chosen)["guarantee"].astype(float).dropna()
    return Entry(empty=True) if ratios.empty else Entry(high=float(ratios.max()), published=True)


def _best(entries: list[list[Entry]]) -> list[list[bool]]:
    """Mark the smallest upper end of each column."""
    least = [
        min((row[k].high for row in entries if row[k].high is not None), default=None)  # type: ignore[type-var]
        for k in range(len(entries[0]))
    ]
    return [[entry.high is not None and entry.high == least[k] for k, entry in enumerate(row)] for row in entries]


def _reading(spec: TableSpec) -> str:
    parts = []
    if spec.value == "ratio":
        ends = {
            "interval": "ratios as proven intervals [cost/U, cost/L], one number where the ends meet",
            "upper": "proven upper ends of the ratio, cost/L",
            "lower": "proven lower ends of the ratio, cost/U",
        }
        parts.append(f"{ends[spec.show]}, {spec.aggregate} over the instances, rounded outwards")
    else:
        parts.append(f"{spec.aggregate} of {spec.label(spec.value)} over the instances")
    if spec.best:
        parts.append("bold: smallest of its column" + (" (by upper end)" if spec.value == "ratio" else ""))
    return "; ".join(parts) + "."


# -- text ---------------------------------------------------------------------------------------------------------
def _fixed(value: float, digits: int, direction: str) -> str:
    if math.isinf(value):
        return numerals.INFINITE
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=direction))


def parts_of(entry: Entry, spec: TableSpec) -> list[str]:
    """The numbers an entry prints: none, one, or the two ends of an interval, rounded outwards."""
    if entry.high is None:
        return []
    if entry.published:
        return [numerals.at_most(entry.high)]
    up = _fixed(entry.high, spec.digits, ROUND_CEILING)
    if not entry.proven or entry.low == entry.high:
        return [_fixed(entry.high, spec.digits, ROUND_HALF_EVEN)]
    if spec.show == "upper":
        return [up]
    if entry.low is None:
        return ["", up] if spec.show == "interval" else []
    down = _fixed(entry.low, spec.digits, ROUND_FLOOR)
    return [down] if spec.show == "lower" else [down, up]


def _letters(entry: Entry, table: PaperTable) -> str:
    return ",".join(table.letters[mark] for mark in entry.marks)


def plain_text(entry: Entry, table: PaperTable) -> str:
    """An entry for the terminal, Markdown and HTML."""
    marks = f" ({_letters(entry, table)})" if entry.marks else ""
    match parts_of(entry, table.spec):
        case []:
            return "" if entry.empty else f"failed{marks}" if "failed" in entry.marks else "-"
        case [one]:
            return one + marks
        case ["", high]:
            return f"≤ {high}{marks}"
        case [low, high]:
            return f"[{low}, {high}]{marks}"
    raise AssertionError


def latex_text(entry: Entry, table: PaperTable) -> str:
    """An entry for LaTeX, its numbers set by siunitx."""
    marks = rf"\textsuperscript{{{_letters(entry, table)}}}" if entry.marks else ""
    number = lambda text: r"$\infty$" if text == numerals.INFINITE else rf"\num{{{text}}}"  # noqa: E731
    match parts_of(entry, table.spec):
        case []:
            return "" if entry.empty else rf"failed{marks}" if "failed" in entry.marks else "--"
        case [one]:
            return number(one) + marks
        case ["", high]:
            return rf"$\leq$\,{number(high)}{marks}"
        case [low, high]:
            return rf"{{[}}{number(low)}, {number(high)}{{]}}{marks}"
    raise AssertionError


def styler(table: PaperTable, text: Callable[[Any, PaperTable], str], escape: Callable[[Any], str]) -> Styler:
    """A pandas Styler with formatted entries and bold ones marked."""
    frame = table.frame
    bold = pd.DataFrame(table.bold, index=frame.index, columns=frame.columns)
    style = frame.style.format(lambda entry: text(entry, table))
    style = style.format_index(escape, axis=0).format_index(escape, axis=1)
    style.set_uuid("kvratio")
    return style.apply(lambda _: bold.map(lambda on: "font-weight: bold" if on else ""), axis=None)


def latex(table: PaperTable, document: bool = True) -> str:
    """Return booktabs and siunitx LaTeX: a document that compiles as it stands, or the body alone."""
    style = styler(table, latex_text, latex_escape)
    levels, width = style.index.nlevels, len(table.columns)
    style.index.names = [latex_escape(str(name)) for name in style.index.names]
    style.columns.names = [None] * style.columns.nlevels
    spec = "@{}" + "l" * levels + "r" * width + "@{}"
    body = _one_header(
        style.to_latex(hrules=True, column_format=spec, multirow_align="naive", multicol_align="c", convert_css=True),
        levels,
    )
    title = [rf"\noindent\textbf{{{latex_escape(table.spec.title)}}}\par\medskip"] if table.spec.title else []
    marks = [(rf"\textsuperscript{{{mark}}}\," if mark else "", latex_escape(text)) for mark, text in table.notes]
    notes = [rf"\par\smallskip\noindent {mark}{text}\par" for mark, text in marks]
    inner = "\n".join([*title, r"\noindent", body.rstrip(), *notes])
    if not document:
        return f"% needs {PREAMBLE.replace(chr(10), ' ')}\n{inner}\n"
    head = "\\documentclass{article}\n\\usepackage[a4paper,landscape,margin=15mm]{geometry}\n\\usepackage[T1]{fontenc}"
    return f"{head}\n{PREAMBLE}\n\\begin{{document}}\n\\scriptsize\n{inner}\n\\end{{document}}\n"


def _one_header(body: str, levels: int) -> str:
    """Put the names of the rows, which pandas writes on a line of their own, into the last line of the head."""
    lines = body.split("\n")
    names = lines.index(r"\midrule") - 1
    left, right = lines[names].split(" & ")[:levels], lines[names - 1].split(" & ")[levels:]
    lines[names - 1 : names + 1] = [" & ".join([*left, *right])]
    return "\n".join(lines)


def html(table: PaperTable) -> str:
    """Return a table element with a caption and its notes."""
    import html as words

    style = styler(table, lambda entry, whole: words.escape(plain_text(entry, whole)), words.escape)
    if table.spec.title:
        style = style.set_caption(words.escape(table.spec.title))
    notes = "".join(
        f"<li>{words.escape(f'({mark}) ' if mark else '')}{words.escape(t)}</li>" for mark, t in table.notes
    )
    return style.to_html() + (f"<ul>{notes}</ul>\n" if notes else "")


def as_table(table: PaperTable, bold: tuple[str, str] = ("", "*")) -> Table:
    """The same as a table of text, for the terminal; ``bold`` stands before and behind the best."""
    label = table.spec.label
    heads = [Column(label(key)) for key in table.spec.rows]
    heads += [Column(" · ".join(label(value) for value in head if value != ""), "right") for head in table.columns]
    rows = []
    for names, entries, flags in zip(table.rows, table.entries, table.bold, strict=True):
        texts = [plain_text(entry, table) for entry in entries]
        marked = [bold[0] + text + bold[1] if on else text for text, on in zip(texts, flags, strict=True)]
        rows.append((*(label(value) for value in names), *marked))
    notes = tuple(f"({mark}) {text}" if mark else text.replace("bold:", f"{bold[1]}:") for mark, text in table.notes)
    return Table("spec", table.spec.title, tuple(heads), (Section("", tuple(rows)),), notes)


def markdown(table: PaperTable) -> str:
    """Return GitHub Markdown, the best in bold."""
    before, behind = "\x02", "\x03"  # stand for the stars, which would be escaped
    text = render.markdown(as_table(table, (before, behind))).replace(f"{behind}:", "bold:")
    return text.replace(before, "**").replace(behind, "**")
