"""Tables as text: what is printed, and that it stays true, aligned and escaped."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import two_by_two
from rich.console import Console

from kvratio.suite import numerals
from kvratio.suite.latex import COLUMNS, latex_body, latex_document, latex_escape
from kvratio.suite.render import fitting_columns, markdown, print_table, render, split_columns, write_tables
from kvratio.suite.statistics import Interval, summarise
from kvratio.suite.tables import Column, Section, Table, all_tables, full_table, matrix_table


@pytest.fixture(scope="module")
def tables():
    """Return all tables of the made-up run."""
    suite, results = two_by_two()
    return {table.name: table for table in all_tables(suite, summarise(results), Path("runs/made-up"))}


GOLDEN = """
Suite made-up: certified ratios

sf_trap · memory=64|256 · total completion
policy               n     worst ratio      mean ratio     95% of mean  guarantee  holds  evict/req  wasted
───────────────────────────────────────────────────────────────────────────────────────────────────────────
gsa:alpha=2          2  [3.000, 3.334]  [2.611, 3.334]  [2.222, 3.334]         32   yes           0       0
vllm_fcfs            1         ≤ 3.334         ≤ 3.334               -          -    -          0.5       0

50% & more · uniform:count=3 · 2 seeds · total flow
policy               n     worst ratio      mean ratio     95% of mean  guarantee  holds  evict/req  wasted
───────────────────────────────────────────────────────────────────────────────────────────────────────────
gsa:alpha=2   1 (1 failed)       = 2.000         = 2.000               -          -    -            0     0.5
vllm_fcfs     0 (1 failed)        failed               -               -          -    -            -       -
"""


def _printed(table, width):
    out = io.StringIO()
    print_table(table, Console(file=out, width=width, color_system=None, highlight=False))
    return out.getvalue()


def _squeezed(text):
    """Drop blanks at line ends and runs of blanks, so that the golden text shows words and order, not widths."""
    return [re.sub(r" {2,}", "  ", line.rstrip()) for line in text.strip().splitlines() if set(line.strip()) != {"─"}]


def test_the_full_table_prints_what_it_should(tables):
    """The golden text of a run with a guarantee, recompute, an exact ratio and failures."""
    assert _squeezed(_printed(tables["ratios"], 120))[: len(_squeezed(GOLDEN))] == _squeezed(GOLDEN)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_wider_than_the_terminal(tables, width):
    """Every printed line fits, but for the replay commands, which must not be broken."""
    for table in tables.values():
        lines = _printed(table, width).splitlines()
        assert all(len(line) <= width for line in lines if not line.startswith("  kvratio"))


def test_narrow_terminals_lose_columns_by_rank(tables):
    """Policy, ratios and guarantee always stay."""
    table = tables["ratios"]
    kept = [table.columns[k].header for k in fitting_columns(table, 80)]
    assert {"policy", "worst ratio", "mean ratio", "guarantee", "holds"} <= set(kept)
    assert len(kept) < len(table.columns)
    assert len(fitting_columns(table, 200)) == len(table.columns)


def test_a_wide_matrix_is_cut_into_panels_that_repeat_the_policy():
    """No family is lost and each panel fits."""
    columns = (Column("policy"), *(Column(f"family_{k}", "right") for k in range(30)))
    table = Table("matrix_worst", "m", columns, (Section("", (("fcfs", *["1.23–4.56"] * 30),)),))
    panels = split_columns(table, 80)
    assert [c.header for p in panels for c in p.columns[1:]] == [c.header for c in columns[1:]]
    assert all(panel.columns[0].header == "policy" for panel in panels)
    assert len(panels) > 3


def test_the_command_that_replays_the_hardest_instance_is_whole(tables):
    """Instance file, policy with parameters, and eviction where it is not the policy's own."""
    replay = [row[-1] for row in tables["hardest"].rows]
    assert replay == [
        "kvratio simulate runs/made-up/instances/instance-1.json gsa:alpha=2",
        "kvratio simulate runs/made-up/instances/instance-0.json vllm_fcfs --eviction recompute",
    ]


def test_a_broken_guarantee_is_an_alarm():
    """A ratio proven above a guarantee that holds is marked in both tables and told in a note."""
    suite, results = two_by_two()
    results.loc[results["guarantee"] == 32.0, "guarantee"] = 2.5
    summaries = summarise(results)
    full = full_table(suite, summaries)
    assert full.rows[0][6] == "yes !"
    assert any(note.startswith("! gsa:alpha=2 on sf_trap") for note in full.notes)
    assert matrix_table(suite, summaries).rows[0][1].endswith("!")


# -- numbers ------------------------------------------------------------------------------------------------------
positive = st.floats(1e-3, 1e9, allow_nan=False)


@given(positive, st.floats(1.0, 1e3))
def test_printed_ends_still_enclose(low, factor):
    """What is printed is a true statement: the lower end is rounded down and the upper end up, exactly."""
    high = low * factor
    if low == high:
        return
    for text in (numerals.interval(Interval(low, high)).strip("[]"), numerals.short_interval(Interval(low, high))):
        shown_low, shown_high = re.split(r", |–", text)
        assert Fraction(shown_low) <= Fraction(low)
        assert Fraction(shown_high) >= Fraction(high)


def test_numbers_are_short():
    """About four significant digits, an equals sign where the ends meet, infinity where there is no bound."""
    assert numerals.interval(Interval(2.0384, 2.3911)) == "[2.038, 2.392]"
    assert numerals.interval(Interval(133.222, 133.222)) == "= 133.2"
    assert numerals.interval(Interval(1.0, float("inf"))) == "[1.000, ∞]"
    assert numerals.interval(Interval(None, 3.1)) == "≤ 3.101"
    assert numerals.interval(None) == "-"
    assert numerals.short_interval(Interval(20.5681, 20.5689)) == "20.5–20.6"
    assert numerals.plain(32.0) == "32"
    assert numerals.plain(32 / 3) == "10.67"
    assert numerals.plain(0.0) == "0"
    assert numerals.at_most(61.9148) == "61.92"


# -- files --------------------------------------------------------------------------------------------------------
def test_latex_text_is_escaped():
    """Every character that LaTeX reads as a command is escaped, and those that fonts lack become commands."""
    assert latex_escape(r"a_b & 50% #1 {x} ~^ \ $") == (
        r"a\_b \& 50\% \#1 \{x\} \textasciitilde{}\textasciicircum{} \textbackslash{} \$"
    )
    assert latex_escape("[1.2, ∞] ≤ 3–4") == r"{[}1.2, $\infty${]} $\leq$ 3--4"


def test_latex_is_balanced_and_complete(tables):
    """Braces and environments match, each row has its columns, booktabs rules are used, the preamble is named."""
    for table in tables.values():
        document = latex_document(table)
        bare = re.sub(r"\\[{}\\]", "", document)
        assert bare.count("{") == bare.count("}")
        for name in ("document", "tabular"):
            assert document.count(rf"\begin{{{name}}}") == document.count(rf"\end{{{name}}}") > 0
        assert r"\usepackage{booktabs}" in document
        assert document.isascii()
        body = latex_body(table)
        assert body.startswith("% needs")
        assert all(rule in body for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    rows = [line for line in latex_body(tables["ratios"]).splitlines() if line.startswith(("gsa", "vllm"))]
    assert all(len(re.findall(r"(?<!\\)&", row)) == len(tables["ratios"].columns) - 1 for row in rows)


def test_a_wide_matrix_fits_the_page():
    """In LaTeX too a matrix is cut into panels of a few families."""
    columns = (Column("policy"), *(Column(f"family_{k}", "right") for k in range(30)))
    table = Table("matrix_worst", "m", columns, (Section("", (("fcfs", *["1.23–4.56"] * 30),)),))
    specs = re.findall(r"\\begin\{tabular\}\{@\{\}(\w+)@\{\}\}", latex_body(table))
    assert len(specs) > 2
    assert max(map(len, specs)) <= COLUMNS


def test_markdown_has_a_table_a_section_and_escapes_bars(tables):
    """Columns of every row agree with the header, and a bar in a title does not make a column."""
    text = markdown(tables["ratios"])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(tables["ratios"].columns) + 1}
    assert r"memory=64\|256" in text


def test_csv_reads_back(tables):
    """The csv module gives the same cells, with the section in front."""
    rows = list(csv.reader(io.StringIO(render(tables["ratios"], "csv"))))
    assert rows[0][:2] == ["section", "policy"]
    assert [tuple(row[1:]) for row in rows[1:]] == tables["ratios"].rows


def test_all_files_are_written(tables, tmp_path):
    """Four tables, each as a document, a body, Markdown and CSV."""
    paths = write_tables(tables.values(), tmp_path)
    assert len(paths) == 20
    assert all(path.stat().st_size > 0 for path in paths)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_as_it_stands(tables, tmp_path):
    """One pass of pdflatex over each document, without a question and without a line that is too wide."""
    for table in tables.values():
        (tmp_path / "table.tex").write_text(latex_document(table))
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull \\hbox" not in done.stdout


def test_a_solver_s_word_is_marked():
    """A ratio whose lower bound no certificate proves carries a star and a note; certified ones do not."""
    suite, results = two_by_two()
    assert not any("*" in entry for row in full_table(suite, summarise(results)).rows for entry in row)
    results.loc[results["policy"] == "gsa:alpha=2", "bound_grade"] = "solver"
    table = full_table(suite, summarise(results))
    assert table.rows[0][2] == "[3.000, 3.334]*"
    assert table.rows[1][2] == "≤ 3.334"
    assert any(note.startswith("* L rests on the word") for note in table.notes)
