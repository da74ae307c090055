"""Tables of a paper by a spec: what an entry says, which is bold, what is marked, and that LaTeX takes it."""

from __future__ import annotations

import shutil
import subprocess
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import cells, two_by_two

from kvratio.problem.errors import BadParameter
from kvratio.suite.paper_table import Entry, as_table, html, latex, markdown, paper_table, parts_of
from kvratio.suite.spec import TableSpec, load_spec, read_spec


@pytest.fixture(scope="module")
def results():
    """Return the cells of the made-up run."""
    return two_by_two()[1]


def _texts(results, **spec):
    return as_table(paper_table(results, read_spec(spec))).rows


def test_entries_are_the_worst_intervals_rounded_outwards(results):
    """By hand: gsa on the trap lies in [3, 10/3]; on the other family it is 2 exactly; recompute has no lower end."""
    rows = _texts(results, footnotes=False)
    assert rows[0] == ("gsa:alpha=2", "[3.000, 3.334]*", "2.000*")
    assert rows[1] == ("vllm_fcfs", "≤ 3.334*", "-")


@pytest.mark.parametrize(("show", "text"), [("upper", "3.334"), ("lower", "3.000")])
def test_one_proven_end_can_be_shown(results, show, text):
    """The upper end is cost / L rounded up, the lower end cost / U rounded down."""
    assert _texts(results, show=show, best=False, footnotes=False)[0][1] == text


def test_aggregates_differ_where_the_instances_do(results):
    """Lower ends 20/9 and 3: worst 3, mean 2.611, best 2.222."""
    found = {
        how: _texts(results, aggregate=how, show="lower", best=False, footnotes=False)[0][1]
        for how in ("worst", "mean", "median", "best")
    }
    assert found == {"worst": "3.000", "mean": "2.611", "median": "2.611", "best": "2.222"}


def test_failures_are_marked_and_explained(results):
    """A column with a failed cell shows its mark; an entry without any result says failed."""
    table = paper_table(results, read_spec({}))
    rows = as_table(table).rows
    assert rows[0][2] == "2.000 (a)*"
    assert rows[1][2] == "failed (a)"
    assert table.notes[1][0] == "a"
    assert "failures.json" in table.notes[1][1]


def test_hypotheses_that_do_not_hold_are_marked_beside_the_guarantee(results):
    """With the guarantee shown, an entry on which its hypotheses fail carries a mark."""
    broken = results.copy()
    broken.loc[(broken["policy"] == "gsa:alpha=2") & (broken["cost"] == 300), "guarantee_holds"] = False
    assert _texts(results, guarantee=True)[0][1] == "[3.000, 3.334]*"
    assert _texts(broken, guarantee=True)[0][1] == "[3.000, 3.334] (b)*"
    assert _texts(broken, guarantee=True)[0][3] == "32"


def test_bold_is_the_smallest_upper_end_of_each_column():
    """Ties are all bold, and a policy without a result never is."""
    both = cells(
        [
            {"policy": "a", "cost": 30, "lower": 10, "upper": 10},
            {"policy": "b", "cost": 20, "lower": 10, "upper": 10},
            {"policy": "c", "cost": 20, "lower": 10, "upper": 10},
            {"policy": "d", "status": "failed"},
        ]
    )
    assert paper_table(both, TableSpec()).bold == [[False], [True], [True], [False]]


def test_numbers_keep_full_precision_and_name_the_hardest_instance(results):
    """The CSV has unrounded ends and the instance with the largest lower end."""
    numbers = paper_table(results, TableSpec()).numbers
    first = numbers.iloc[0]
    assert (first["low"], first["high"]) == (3.0, 300 / 90)
    assert first["instance"] == "instance-1"


def test_parameters_of_a_family_can_be_columns():
    """``param.memory`` reads the grid, in the order of numbers."""
    grid = cells(
        [
            {"cost": 20, "lower": 10, "upper": 10, "parameters": '{"memory":256}'},
            {"cost": 30, "lower": 10, "upper": 10, "parameters": '{"memory":64}'},
        ]
    )
    table = paper_table(grid, read_spec({"columns": "param.memory", "best": False}))
    assert table.columns == [(64,), (256,)]
    assert as_table(table).rows == [("fcfs", "3.000", "2.000")]


def test_filter_and_labels(results):
    """Only what the filter keeps stands in the table, under the names of the labels."""
    spec = read_spec(
        {"filter": {"family": "sf_trap", "policy": ["gsa:alpha=2"]}, "labels": {"gsa:alpha=2": "GSA", "sf_trap": "E"}}
    )
    table = as_table(paper_table(results, spec))
    assert [column.header for column in table.columns] == ["policy", "E"]
    assert table.rows == [("GSA", "[3.000, 3.334]*")]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"row": "policy"}, "did you mean 'rows'"),
        ({"rows": "polcy"}, "did you mean 'policy'"),
        ({"value": "ratios"}, "choose one of ratio"),
        ({"show": "both"}, "choose one of interval"),
        ({"digits": 20}, "from 0 to 9"),
        ({"digits": True}, "from 0 to 9"),
        ({"best": "bold"}, "true or false"),
        ({"rows": "family", "columns": "policy", "guarantee": True}, "rows that name the policy"),
        ({"rows": "policy", "columns": "policy"}, "different keys"),
        ({"rows": []}, "different keys"),
        ({"labels": {"gsa": 1}}, "name ="),
        ({"filter": {"famly": "x"}}, "did you mean 'family'"),
    ],
)
def test_a_bad_spec_is_one_line(spec, words):
    """Every mistake names the key and what to do."""
    with pytest.raises(BadParameter, match=words) as caught:
        read_spec(spec, "my.toml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("my.toml")


def test_a_filter_that_keeps_nothing_says_what_there_is(results):
    """The message lists the values of the run."""
    with pytest.raises(BadParameter, match="the run has sf_trap"):
        paper_table(results, read_spec({"filter": {"family": "none"}}))
    with pytest.raises(BadParameter, match="no family of this run has the parameter nothing"):
        paper_table(results, read_spec({"columns": "param.nothing"}))


def test_a_spec_file_is_read_or_named(tmp_path):
    """A file that is missing or is not TOML is one line."""
    path = tmp_path / "table.toml"
    with pytest.raises(BadParameter, match="no such file"):
        load_spec(path)
    path.write_text("rows = [")
    with pytest.raises(BadParameter, match="not TOML"):
        load_spec(path)
    path.write_text('rows = ["family", "policy"]\ncolumns = []\n')
    assert load_spec(path) == TableSpec(rows=("family", "policy"), columns=())


@given(
    st.floats(1.0, 1e6),
    st.floats(0.0, 1e3),
    st.integers(0, 6),
)
def test_printed_ends_contain_the_proven_ones(low, width, digits):
    """Rounding never narrows an interval."""
    spec = TableSpec(digits=digits)
    shown = [Decimal(part) for part in parts_of(Entry(low, low + width, proven=True), spec)]
    if width == 0 or low == low + width:
        assert len(shown) == 1
    else:
        assert shown[0] <= Decimal(low)
        assert shown[1] >= Decimal(low + width)


SPECS = (
    {"title": "Ratios & 100 % of {them}", "guarantee": True},
    {"rows": ["family", "policy"], "columns": ["n"]},
    {"rows": "policy", "columns": [], "value": "evictions", "aggregate": "mean"},
    {"columns": ["objective", "family"], "show": "upper", "digits": 2},
)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("spec", SPECS)
def test_latex_compiles_with_siunitx(results, spec, tmp_path):
    """One pass of a real engine, without a question."""
    found = subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, text=True)
    if not found.stdout.strip():
        pytest.skip("siunitx is not installed")
    (tmp_path / "table.tex").write_text(latex(paper_table(results, read_spec(spec))))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_latex_uses_booktabs_siunitx_and_bold(results):
    """Rules of booktabs, numbers of siunitx, the best in bold, one line of heads."""
    text = latex(paper_table(results, read_spec({"guarantee": True})), document=False)
    assert text.startswith(r"% needs \usepackage{booktabs} \usepackage{siunitx}")
    assert r"policy & sf\_trap & 50\% \& more & guarantee \\" in text
    assert r"\bfseries {[}\num{3.000}, \num{3.334}{]}" in text
    assert r"failed\textsuperscript{a}" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_every_format_is_the_same_twice(results):
    """No random names: equal runs give equal bytes."""
    for spec in SPECS:
        first, second = (paper_table(results, read_spec(spec)) for _ in range(2))
        assert html(first) == html(second)
        assert latex(first) == latex(second)
        assert markdown(first) == markdown(second)


def test_html_and_markdown_escape_what_they_must(results):
    """Ampersands and brackets of labels are data, not markup; the best is bold."""
    spec = read_spec({"labels": {"sf_trap": "<b>&"}})
    table = paper_table(results, spec)
    assert "&lt;b&gt;&amp;" in html(table)
    assert "<b>&" not in html(table)
    assert "font-weight: bold" in html(table)
    assert r"**\[3.000, 3.334\]**" in markdown(table)
