"""`kvratio search`, `kvratio list worst`, and finds that join suites."""

import json

import pytest

from kvratio.cli import main


@pytest.fixture
def call(capsys):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return run


QUICK = ("--n", 5, "--memory", 12, "--work-limit", 4096, "--workers", 1)


def test_a_search_prints_saves_and_joins(call, tmp_path):
    """Figures as JSON on stdout, progress on stderr; the files check, simulate and run in a suite."""
    code, out, err = call("search", "fcfs", *QUICK, "--json", "--out", tmp_path)
    facts = json.loads(out)
    assert code == 0
    assert facts["ratio"] > 2
    assert facts["screened"] == 4096
    assert "ratio" in err
    file, run = facts["files"]
    assert call("check", run)[0] == 0
    simulated = json.loads(call("simulate", file, "fcfs", "--json")[1])
    assert simulated["total_completion"] == facts["cost"]
    text = (
        f'[[policy]]\nid = "fcfs"\n[[family]]\nid = "worst"\nparameters = {{ entry = "{file}" }}\n'
        f'[bound]\nmethod = "exact"\n'
    )
    (tmp_path / "one.toml").write_text(text)
    code, out, _ = call("run", tmp_path / "one.toml", "--out", tmp_path / "run", "--workers", 1, "--json", "--quiet")
    assert code == 0
    assert f"{facts['ratio']:.3f}"[:4] in out


def test_a_search_for_people_shows_the_requests(call):
    """Policy, ratio, guarantee where it holds, and the requests; --quiet says nothing on stderr."""
    code, out, err = call("search", "gsa", *QUICK, "--equal-prompts", "--guarantee", "--quiet")
    assert (code, err) == (0, "")
    assert "ratio >=" in out
    assert "guarantee 61.9" in out
    assert "prompt" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nonsense",), "no policy"),
        (("fcfs", "--memory", "x"), "least:largest"),
        (("fcfs", "--objective", "speed"), "completion or flow"),
        (("fcfs", "--work-limit", "1"), "at least 4"),
        (("fcfs:bogus=1",), "no parameter 'bogus'"),
        (("fcfs", "--keep", "2"), "share"),
        (("gsa", "--eviction", "swap"), "swap"),
        ((), "search POLICY"),
    ],
)
def test_bad_use_is_one_line(call, words, told):
    """Exit code 2 and a line that says what to do."""
    code, _, err = call("search", *words)
    assert code == 2
    assert told in err.splitlines()[-1]


def test_the_book_is_listed(call):
    """As a table and as JSON: policy, proven ratio, guarantee, room."""
    rows = json.loads(call("list", "worst", "--json")[1])
    assert {"policy", "setting", "ratio", "guarantee", "room"} <= set(rows[0])
    assert {row["policy"] for row in rows} >= {"gsa", "gba", "svf"}
    assert "guarantee" in call("list", "worst")[1]


def test_the_book_is_improved_by_one_command(call, tmp_path):
    """--book fills a folder with an entry for each setting of the policies named."""
    code, out, _ = call("search", "tsf", "--book", "--work-limit", 1024, "--workers", 1, "--out", tmp_path, "--json")
    assert code == 0
    assert [row["file"] for row in json.loads(out)] == ["tsf.batch.json", "tsf.arrivals.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tsf.arrivals.json", "tsf.batch.json"]
