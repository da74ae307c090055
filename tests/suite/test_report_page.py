"""The page of a run: one file, complete, the same every time, and true to the run."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from made_up import two_by_two
from reported import SUITE, WORDS, shown_run

import algos
from instances import generate
from kvratio import Bound, Instance
from kvratio.cli import main
from kvratio.problem.errors import BadParameter
from kvratio.suite.report.cases import cases_of
from kvratio.suite.report.compact import FULL_ATTEMPTS, compact_schedule
from kvratio.suite.report.evidence import gather
from kvratio.suite.report.figures import COLOURS
from kvratio.suite.report.pack import packed, unpacked
from kvratio.suite.report.rows import rows_of
from kvratio.suite.report.write import write_report
from kvratio.suite.report_files import summaries_of
from kvratio.suite.statistics import summarise
from kvratio.suite.tables import full_table

VOID = {"meta", "link", "input", "br", "img", "hr", "use", "path"}


class Reader(HTMLParser):
    """Collects elements with their attributes, and what is opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Note an element; one that needs no end is not left open."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note an element that closes itself."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        """Take an element from those that are open; it must be the innermost."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def having(self, tag, **attributes):
        """Return the attributes of the elements of a kind that have these."""
        return [a for t, a in self.elements if t == tag and all(a.get(k) == v for k, v in attributes.items())]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a finished run with failures."""
    with pytest.MonkeyPatch.context() as patch:
        return shown_run(tmp_path_factory.mktemp("report") / "run", patch)


@pytest.fixture(scope="module")
def report(run):
    """Return the report of the run."""
    return write_report(run, workers=1, progress=False)


@pytest.fixture(scope="module")
def page(report):
    """Return the text of the page."""
    return report.path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read(page):
    """Return the page as elements."""
    return Reader(page)


@pytest.fixture(scope="module")
def evidence(page):
    """Return what is packed in the page, by element."""
    found = re.findall(r'<script type="text/plain" id="([^"]+)">([^<]*)</script>', page)
    return {name: unpacked(text) for name, text in found}


def test_the_page_is_one_file_that_fetches_nothing(page, read):
    """No element names another file, no style imports one, and the policy of the page forbids all of it."""
    for _tag, attributes in read.elements:
        assert (attributes.get("href") or "#").startswith(("#", "data:"))
        assert (attributes.get("src") or "data:").startswith("data:")
    assert not re.search(r"@import|url\((?!#)", page)
    assert "default-src 'none'" in read.having("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(", page)


def test_the_page_is_well_formed(read):
    """Every element is closed in order, ids are unique, every figure has a name, every table heading a scope."""
    assert read.open == []
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(a.get("aria-label") for a in read.having("svg"))
    assert all(a.get("scope") for a in read.having("th"))
    assert [a["lang"] for a in read.having("html")] == ["en"]
    assert {"width=device-width, initial-scale=1"} == {a["content"] for a in read.having("meta", name="viewport")}


def test_every_cell_stands_in_list_and_matrix(run, page, read):
    """The list says what the full table says; the matrix has a button for each policy and family."""
    summaries = summaries_of(run)
    numbers = [str(k) for k in range(len(summaries))]
    assert [a["data-k"] for a in read.having("tr") if "data-k" in a] == numbers
    assert sorted(a["data-k"] for a in read.having("button") if "data-k" in a) == sorted(numbers)
    lines = re.findall(r'<tr data-k="\d+".*?</tr>', page)
    told = [row for table in [full_table(run.suite, summaries)] for row in table.rows]
    for line, row in zip(lines, told, strict=True):
        shown = [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<td.*?</td>", line)]
        assert {row[2], row[3], row[4], row[5], row[6]} <= {text.removeprefix("★ ") for text in shown}
        assert html.unescape(re.search(r'<button type="button">(.*?)</button>', line)[1]) == row[0]


def test_failures_are_named_and_escaped(run, page, read):
    """The message of a failed cell stands in the page as text, never as markup."""
    assert run.failed == 2
    assert "<b>room</b>" not in page
    assert page.count(html.escape(WORDS)) >= 1
    assert any(a.get("data-t") == "failed" for a in read.having("tr"))
    assert html.escape(run.suite.title) in page


def test_the_rows_behind_the_cells_are_those_of_the_run(run, evidence):
    """Costs, bounds, messages and the texts of ratios, in the order of the run."""
    table, rows = run.table(), evidence["index"]["rows"]
    good = table["status"] == "ok"
    assert [c for c in rows["cost"] if c is not None] == table["cost"][good].astype(int).tolist()
    assert [c for c in rows["lower"] if c is not None] == table["lower"][good].astype(int).tolist()
    assert [bool(message) for message in rows["message"]] == (~good).tolist()
    assert all(
        WORDS in message and "Traceback" in trace
        for message, trace in zip(rows["message"], rows["traceback"], strict=True)
        if message
    )
    assert {rows["ratio"][k] for k in np.flatnonzero(~good)} == {"failed"}


def test_the_hardest_schedule_of_each_cell_is_in_the_page(run, evidence):
    """It serves every request in full, from the prompts in the page, at the cost that the run has."""
    index, table = evidence["index"], run.table().set_index("cell")
    full = {cell[:16]: cell for cell in table.index}
    for cell in index["cells"]:
        if cell["hardest"] is None:
            continue
        rows = [k for k, number in enumerate(index["rows"]["cell"]) if index["cells"][number] is cell]
        keys = {
            index["rows"]["key"][k] for k in rows if index["cases"][index["rows"]["case"][k]]["id"] == cell["hardest"]
        }
        case = evidence[f"case-{cell['hardest']}"]
        (key,) = keys & set(case["schedules"])
        schedule, inst = case["schedules"][key], Instance.from_dict(case["instance"]["file"])
        request, steps, length = map(np.array, schedule["attempts"])
        stop = np.cumsum(steps) + length
        done = np.setdiff1d(np.arange(len(request)), schedule["void"])
        completion = np.zeros(inst.n, dtype=np.int64)
        completion[request[done]] = stop[done]
        assert sorted(request[done]) == list(range(inst.n))
        row = table.loc[full[key]]
        arrivals = inst.arrival.sum() if row["objective"] == "flow" else 0
        assert completion.sum() - arrivals == row["cost"]


def test_certificates_in_the_page_are_those_of_the_folder(run, evidence):
    """Kind, side and contents, as the run kept them."""
    checked = 0
    for path in sorted(run.folder.certificates.glob("*.json")):
        shown, kept = evidence[f"case-{path.stem}"]["bound"], Bound.load(path)
        assert (shown["lower"], shown["upper"], shown["origin"]) == (kept.lower, kept.upper, "kept")
        assert [(c["kind"], c["side"], c["data"]) for c in shown["certificates"]] == [
            (c.kind, c.side, json.loads(json.dumps(dict(c.data)))) for c in kept.certificates
        ]
        checked += 1
    assert checked == len(evidence["index"]["cases"]) == 4


def test_the_same_run_gives_the_same_bytes(run, report, tmp_path):
    """A second report equals the first to the byte, wherever it is written."""
    again = write_report(run, tmp_path / "again.html", workers=1, progress=False)
    assert again.path.read_bytes() == report.path.read_bytes()
    assert report.size == len(report.path.read_bytes())


def _cases(run, seconds=300.0):
    return cases_of(run, run.table(), summaries_of(run), seconds)


def test_evidence_that_contradicts_the_run_is_not_shown(run):
    """A schedule of another cost and a bound of another L are refused, with both numbers."""
    case = _cases(run)[0]
    plays = tuple(dataclasses.replace(play, cost=play.cost + 1) for play in case.plays)
    _, text, counts = gather(dataclasses.replace(case, plays=plays, lower=case.lower + 1))
    found = unpacked(text)
    assert counts["schedules"] == 0
    assert counts["schedules missing"] == len(plays)
    assert counts["bounds missing"] == 1
    for play in plays:
        assert str(play.cost) in found["schedules"][play.cell[:16]]["why"]
    assert str(case.lower + 1) in found["bound"]["why"]
    assert "certificates" not in found["bound"]


def test_bounds_are_computed_again_only_within_the_budget(run):
    """Without kept certificates a budget of nothing computes nothing, a large one everything."""
    case = dataclasses.replace(_cases(run)[0], kept=None)
    assert "why" in unpacked(gather(dataclasses.replace(case, again=False))[1])["bound"]
    bound = unpacked(gather(dataclasses.replace(case, again=True))[1])["bound"]
    assert bound["origin"] == "computed again"
    assert bound["lower"] == case.lower
    assert not any(c.again for c in _cases(run, 0.0))
    assert all(c.again for c in _cases(run, 1e9))


def test_what_does_not_fit_is_left_out_and_named(run, report, tmp_path):
    """The largest evidence goes first; a page that is too large without any is refused."""
    small = write_report(run, tmp_path / "small.html", limit_mb=(report.size - 1) / 1e6, workers=1, progress=False)
    assert small.size < report.size
    assert len(small.left_out) >= 1
    text = small.path.read_text(encoding="utf-8")
    for name in small.left_out:
        assert f'id="case-{name}"' not in text
        assert name in text
    with pytest.raises(BadParameter, match="--limit"):
        write_report(run, tmp_path / "none.html", limit_mb=0.01, workers=1, progress=False)
    assert not (tmp_path / "none.html").exists()


def test_the_best_of_a_family_has_the_smallest_upper_end(run):
    """Ties are all best; a policy with a failed cell never is."""
    rows = rows_of(run.suite, summaries_of(run))
    for family in run.suite.families:
        of = [row for row in rows if row.summary.family == family.label]
        able = [row.summary.worst.high for row in of if row.summary.worst is not None and not row.summary.failed]
        for row in of:
            s = row.summary
            assert row.best == (s.worst is not None and not s.failed and s.worst.high == min(able))
    assert any(row.best for row in rows)


def test_a_ratio_above_its_guarantee_is_marked():
    """Where hypotheses hold and the lower end is above the guarantee, list, matrix and filter say so."""
    suite, table = two_by_two()
    fine = rows_of(suite, summarise(table))
    assert [row.tags for row in fine] == ["best promised", "best", "failed", "failed"]
    broken = rows_of(suite, summarise(table.assign(guarantee=table["guarantee"].where(table["guarantee"].isna(), 1.5))))
    assert broken[0].tags == "best promised broken"
    assert broken[0].short.endswith("!")
    assert broken[1].bar[0] == broken[1].bar[1]  # without a lower end the mark stands at the upper one


def test_a_run_of_failures_has_a_page(tmp_path, monkeypatch):
    """No figures, no evidence of what could not be built, every failure by its name."""
    impossible = {
        "id": "uniform",
        "label": "too large",
        "parameters": {"count": 3, "memory": 2, "prompt": [5, 5], "output": [9, 9]},
    }
    online = {"id": "blocker", "objective": "flow", "parameters": {"memory": 8}}
    run = shown_run(tmp_path / "run", monkeypatch, policy=[{"id": "svf"}], family=[impossible, online])
    report = write_report(run, workers=1, progress=False)
    text = report.path.read_text(encoding="utf-8")
    assert run.failed == 2
    assert 'id="figures"' not in text
    assert text.count('<details class="failure">') == 2
    assert "instance not built" in text
    assert Reader(text).open == []
    index = unpacked(re.search(r'id="index">([^<]*)<', text)[1])
    assert index["rows"]["ratio"] == ["failed", "failed"]
    assert None in index["rows"]["case"]


def test_schedules_that_the_run_kept_are_read(tmp_path, monkeypatch):
    """They come from the folder; one that was altered is refused."""
    run = shown_run(tmp_path / "run", monkeypatch, schedules=True, certificates=False, family=SUITE["family"][:1])
    case = _cases(run)[0]
    assert case.kept is None
    found = unpacked(gather(case)[1])["schedules"]
    assert {schedule["origin"] for schedule in found.values()} == {"kept"}
    path = case.plays[0].kept
    data = json.loads(path.read_text())
    data["attempts"][-1][1] += 1
    path.write_text(json.dumps(data))
    again = unpacked(gather(case)[1])["schedules"]
    assert "why" in again[case.plays[0].cell[:16]]
    assert len([schedule for schedule in again.values() if "why" in schedule]) == 1


def test_a_large_schedule_is_thinned_out_truthfully():
    """The curve's peak and floor are those of the whole; what is drawn are whole requests among all attempts."""
    inst = generate("uniform", seed=0, count=3000, memory=400, prompt=[0, 10], output=[1, 30])
    schedule = algos.schedule(inst, "fcfs")
    data = compact_schedule(inst, schedule)
    assert data["total"] == len(schedule.attempts) == 3000
    assert data["every"] > 1
    assert len(data["attempts"][0]) <= 2 * FULL_ATTEMPTS
    assert all(request % data["every"] == 0 for request in data["attempts"][0])
    epoch, first, last = schedule.memory_curve()
    steps, least, most = data["curve"]
    assert max(most) == max(first[:-1].max(), last[:-1].max())
    at = np.cumsum(steps)
    for k in range(0, len(epoch) - 1, 97):
        bucket = np.searchsorted(at, epoch[k], side="right") - 1
        assert least[bucket] <= first[k] <= most[bucket]


def test_packing_keeps_everything():
    """Text beyond ASCII, large integers and null come back; a number that JSON lacks is refused."""
    data = {"a": [1, None, 2**60], "b": "≤ ★ </script>"}
    assert unpacked(packed(data)) == data
    assert "<" not in packed(data)
    with pytest.raises(ValueError, match="JSON"):
        packed({"x": float("nan")})


def test_figures_follow_the_scheme_of_the_page(page):
    """No colour of a figure is fixed: each is a variable that both schemes define."""
    figures = re.findall(r'<svg class="plot".*?</svg>', page, re.DOTALL)
    assert len(figures) >= 2
    light, dark = page.split("prefers-color-scheme: dark", 1)
    for text in figures:
        assert not re.search(r"#[0-9a-f]{6}\b", text)
        for name in set(re.findall(r"var\((--[\w-]+)\)", text)):
            assert name in COLOURS.values()
            assert f"{name}: #" in light
            assert f"{name}: #" in dark


def test_the_command_writes_and_says_so(run, tmp_path, capsys):
    """The path on stdout, or JSON with counts; a folder without a run is bad use."""

    def call(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        return stopped.value.code or 0, capsys.readouterr()

    out = tmp_path / "page.html"
    code, said = call("report", run.path, "--out", out, "--workers", 1, "--json")
    assert code == 0
    assert json.loads(said.out)["bytes"] == out.stat().st_size
    assert "MB" in said.err
    code, said = call("report", tmp_path / "nowhere")
    assert code == 2
    assert len(said.err.strip().splitlines()) == 1
