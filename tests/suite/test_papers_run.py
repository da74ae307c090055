"""Papers from the file to the folder: reading, one tiny paper end to end, equal bytes, the command."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from suite.tiny import TINY
from typer.testing import CliRunner

from kvratio.cli import app
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.suite.papers import conduct, parts
from kvratio.suite.papers.finding import AGREES, DIFFERS, NOT_COMPARABLE, OPEN, VERDICTS
from kvratio.suite.papers.paper import load_paper, paper_names, read_paper

FIGURE = {
    "figure": "order",
    "published": "svf first",
    "rule": "order",
    "family": "uniform",
    "policies": ["svf", "fcfs"],
}
GONE = {"figure": "seconds", "published": "3 s", "rule": "none", "note": "measured on a GPU"}
HEAD = {"arxiv": "0000.00000", "cited": 'Nobody, "Nothing"'}
SUITE = {key: value for key, value in TINY.items() if key != "name"}
TOML = """
arxiv = "0000.00000"
cited = 'Nobody, "Nothing"'
bound = { method = "squashed_area" }

[[policy]]
id = "svf"

[[policy]]
id = "fcfs"

[[family]]
id = "uniform"
seeds = 3
parameters = { memory = 15, prompt = [0, 4], output = [1, 8] }
grid = { count = [4, 6, 8] }

[[reported]]
figure = "svf over fcfs"
published = "0.9"
family = "uniform"
policies = ["svf"]
against = "fcfs"
rule = "at_most"
limit = 1.0
value = 0.9

[[reported]]
figure = "seconds & bytes"
published = "3 s"
rule = "none"
note = "measured on a GPU"
"""


def paper(*reported, **changes):
    """Read a paper of the tiny suite."""
    return read_paper({**HEAD, **SUITE, "reported": list(reported), **changes}, "paper tiny", "tiny")


@pytest.mark.parametrize("name", paper_names())
def test_every_shipped_paper_reads(name):
    """Each file names its own id, reports or computes something, and quick keeps every point a rule speaks of."""
    found = load_paper(name)
    assert found.arxiv == name
    assert found.reported or found.part in parts.PARTS
    quick = found.quickened()
    for figure in quick.reported:
        if figure.rule == "none":
            continue
        points = quick.suite.family(figure.family).points
        assert any(all(point[key] == value for key, value in figure.at.items()) for point in points), figure.figure


def test_the_papers_of_the_brief_are_there():
    """All source papers with published experiments have a file."""
    wanted = {"2502.07115", "2504.11320", "2508.06133", "2508.14544", "2601.22996", "2605.04595", "2606.15555"}
    assert wanted | {"2606.22327"} == set(paper_names())


def test_its_own_keys_are_split_off_the_suite():
    """The rest of the file is an ordinary suite, named after the paper."""
    found = paper(FIGURE, GONE)
    assert found.suite.name == "0000.00000"
    assert [figure.rule for figure in found.reported] == ["order", "none"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({**FIGURE, "rule": "guess"}, "rule is 'guess'"),
        ({**FIGURE, "colour": "red"}, "unknown key 'colour'"),
        ({**FIGURE, "family": "unifrom"}, "no family 'unifrom'"),
        ({**FIGURE, "policies": ["svf", "nobody"]}, "no policy 'nobody'"),
        ({**FIGURE, "policies": ["svf"]}, "needs 2 or more"),
        ({**FIGURE, "at": {"memory": 99}}, "no point of family"),
        ({**FIGURE, "rule": "at_most"}, "limit is missing"),
        ({**FIGURE, "rule": "at_most", "limit": 1.0}, "against is missing"),
        ({**FIGURE, "rule": "at_most", "limit": "1"}, "give a number"),
        ({**FIGURE, "rule": "grows", "against": "fcfs", "along": "count"}, "not in the grid"),
        ({**FIGURE, "quantity": "speed"}, "quantity is 'speed'"),
        ({"figure": "x", "published": "y", "rule": "none"}, "note is missing"),
    ],
)
def test_a_mistake_in_a_figure_is_one_line(entry, words):
    """Wrong keys, rules, names, points and numbers are told with the number of the entry before anything runs."""
    with pytest.raises((BadParameter, UnknownName)) as fault:
        paper(entry)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


def test_mistakes_of_a_paper():
    """No citation, an id that is no folder, a paper named twice, unknown parts and keys, no such paper."""
    with pytest.raises(BadParameter, match="cited"):
        read_paper({"arxiv": "1"}, "paper x", "x")
    with pytest.raises(BadParameter, match="becomes a folder"):
        paper(arxiv="../x")
    with pytest.raises(BadParameter, match="named twice"):
        conduct.conduct_papers(["2605.04595", "2605.04595"])
    with pytest.raises(BadParameter, match="part is 'magic'"):
        paper(part="magic")
    with pytest.raises(BadParameter, match="has no suite"):
        read_paper({**HEAD, "part": "capacity", "policy": []}, "paper x", "x")
    with pytest.raises(BadParameter, match="unknown key 'sede'"):
        paper(quick={"sede": 1})
    with pytest.raises(BadParameter, match="only none can be used"):
        read_paper({**HEAD, "part": "capacity", "reported": [FIGURE]}, "paper x", "x")
    with pytest.raises(UnknownName, match="give an arXiv id"):
        load_paper("2502.07116")


def test_quick_takes_fewer_seeds_and_cheaper_bounds():
    """The rules stay; seeds, counts, chosen grids and the work of the bound shrink."""
    families = [
        {
            "id": "uniform",
            "seeds": 9,
            "parameters": {"memory": 15, "prompt": [0, 4], "output": [1, 8]},
            "grid": {"count": [4, 6, 8]},
            "bound": {"method": "best", "options": {"solver": "none", "work": 900}},
        }
    ]
    found = paper(FIGURE, family=families, quick={"seeds": 2, "grid": ["count"], "options": {"work": 10}}).quickened()
    family = found.suite.families[0]
    assert (family.seeds, family.grid) == ((0, 1), {"count": (4, 8)})
    assert family.bound.options == {"solver": None, "work": 10}
    assert [figure.rule for figure in found.reported] == ["order"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny paper run by the command."""
    where = tmp_path_factory.mktemp("papers")
    (where / "tiny.toml").write_text(TOML)
    command = ["paper", str(where / "tiny.toml"), "--out", str(where / "out"), "--workers", "1", "--quiet", "--json"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)["0000.00000"]
    assert facts["verdicts"]["not comparable"] == 1
    assert sum(facts["verdicts"].values()) == 2
    return where


def test_a_run_writes_its_index_tables_and_figures(folder):
    """The index names every figure with both values; tables stand in three forms, figures in three formats."""
    index = (folder / "out" / "PAPERS.md").read_text()
    assert "svf over fcfs" in index
    assert "measured on a GPU" in index
    assert "total cost of svf over that of fcfs at most 1" in index
    assert sum(f"| {verdict} |" in index for verdict in VERDICTS) >= 2
    own = folder / "out" / "0000.00000"
    assert {"published.md", "published.csv", "published.tex", "published.pdf", "figure_uniform_count.svg"} <= {
        path.name for path in own.iterdir()
    }
    assert (own / "run" / "tables" / "summary.csv").is_file()
    assert str(folder) not in index


def test_the_same_paper_gives_the_same_bytes(folder):
    """Another folder, another number of workers: index, tables and figures are equal files."""
    conduct.conduct_papers([folder / "tiny.toml"], folder / "again", workers=2, progress=False)
    for one in sorted((folder / "out").rglob("*")):
        name = one.relative_to(folder / "out")
        if one.is_file() and "run" not in name.parts:
            assert one.read_bytes() == (folder / "again" / name).read_bytes(), name


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_table_compiles(folder, tmp_path):
    """One pass of pdflatex over the table of published figures, without a question."""
    shutil.copy(folder / "out" / "papers.tex", tmp_path / "papers.tex")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "papers.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_printed_capacities_are_judged(tmp_path):
    """The three uniform rows follow, the two misprints differ, three have no lengths in print."""
    found = parts.capacity_findings(load_paper("2605.04595"), tmp_path, 1, True, False)
    printed = [one.verdict for one in found if one.figure.startswith("capacity")]
    assert [printed.count(verdict) for verdict in (AGREES, DIFFERS, NOT_COMPARABLE)] == [3, 2, 3]


@pytest.mark.parametrize(("value", "half", "expected"), [(1.05, 0.01, AGREES), (1.05, 0.2, OPEN), (1.3, 0.1, DIFFERS)])
def test_a_serving_figure_agrees_only_with_its_whole_interval(value, half, expected):
    """1.05 within 10 % of 1; an interval that leaves that range is open; one outside differs."""
    row = {"load": "p512d20", "quantity": "latency_mean", "rate": 22.0, "who": "WAIT", "reported": 1.0, "note": ""}
    row |= {"reported_sd": float("nan"), "policy": "wait", "default": value, "default_half": half}
    row |= {"tuned": float("nan"), "tuned_half": float("nan")}
    assert parts._serving_row(load_paper("2504.11320"), row).verdict == expected


def test_a_short_serving_run_never_says_differs():
    """In a quick run what differs is open: three short replications cannot settle it."""
    found = replace(parts._loss(load_paper("2606.15555")), verdict=DIFFERS)
    assert parts._unsettled(found).verdict == OPEN


def test_list_names_every_paper():
    """`kvratio paper --list` prints a line per paper and runs nothing."""
    told = CliRunner().invoke(app, ["paper", "--list"])
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stdout.splitlines()] == paper_names()
