"""`kvratio stability`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import re

import pytest

from kvratio.cli import main
from kvratio.suite.stability import cross_check

MIX = ("--class", "30:6", "--class", "30:10", "--class", "30:9", "--class", "30:15", "--memory", "6000")


@pytest.fixture
def call(capsys, monkeypatch):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main(["stability", *(str(word) for word in words)])
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return run


def test_a_stable_mix(call):
    """A stable mix is code 0; the routing by length is shown to be worse, with a word of warning."""
    code, out, err = call(*MIX, "--replicas", 2, "--steps", 1000)
    assert (code, err) == (0, "")
    assert out.startswith("STABLE: 30:6 30:10 30:9 30:15 on one worker with M = 6000\n")
    assert "0.990955665, 0 unstable modes" in out
    assert re.search(r"^same mix everywhere +all +2 +0\.990956$", out, re.M)
    assert "by length" in out
    assert "routing by length alone works against stability" in out


def test_an_unstable_mix(call):
    """One length is code 1, with growth time, loss, remedies, and what the cap leaves of the evictions."""
    code, out, _ = call("--prompt", 10, "--decode", 40, "--memory", 2000, "--steps", 2000)
    assert code == 1
    assert out.startswith("UNSTABLE: 10:40")
    assert "e-fold in 25.48 iterations" in out
    assert "loss 39.00% (worst cycle)" in out
    assert "1. admit at most x* = 1.63934" in out
    assert "cap 0.97 x*" in out


def test_json(call):
    """Figures as plain data: the two lengths of the table, unstable, with T_pulse and its routing."""
    code, out, _ = call("--prompt", 50, "--decode", "2,4", "--memory", 600, "--replicas", 2, "--steps", 500, "--json")
    facts = json.loads(out)
    assert code == 1
    assert facts["verdict"] == "unstable"
    assert facts["rho"] == pytest.approx(1.0194, abs=1e-4)
    assert facts["pulse"] == pytest.approx(3.7975, abs=1e-4)
    assert facts["x_star"] == pytest.approx(3.8339, abs=1e-4)
    assert 0 < facts["whole_requests"]["greedy"]["ratio"] < 1
    assert [one["name"] for one in facts["routings"]] == ["same mix everywhere", "by length", "best found"]
    assert facts["remedies"][0]["kind"] == "cap"


def test_a_trace(call, tmp_path):
    """Each request is a class of its own, routed in six buckets; requests beyond memory are counted on stderr."""
    path = tmp_path / "trace.csv"
    rows = [(20 + k % 7, 1 + (k * 37) % 50) for k in range(300)] + [(9000, 5)]
    stamp = "2023-11-16 18:00:00.0000000"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(f"{stamp},{s},{o}\n" for s, o in rows))
    code, out, err = call(path, "--memory", 3000, "--replicas", 2, "--steps", 500, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["classes"] == 300
    assert len(facts["routings"][0]["groups"][0]) == 6
    assert "1 larger than the memory" in err


def test_a_file_of_lengths(call, tmp_path):
    """Rows with weights are classes with shares: the same as on the command line."""
    path = tmp_path / "own.csv"
    path.write_text("prompt,output,weight\n30,6,1\n30,10,1\n30,9,1\n30,15,1\n")
    code, out, _ = call("--lengths", path, "--memory", 6000, "--steps", 500, "--json")
    assert code == 0
    assert json.loads(out)["rho"] == pytest.approx(0.990955665, abs=1e-8)


def test_routings_fit_a_narrow_screen(call, monkeypatch):
    """At 80 columns every group of a routing by six lengths is there, with its replicas and its radius."""
    monkeypatch.setenv("COLUMNS", "80")
    mix = ("--prompt", 40, "--decode", "100,200,300,400,500,600", "--memory", 200_000, "--replicas", 6)
    _, out, _ = call(*mix, "--steps", 100)
    assert len(re.findall(r"^(?:by length)? +[1-6]00 +1 +1\.\d{6}$", out, re.M)) == 6
    table = out[out.index("plan ") :].splitlines()
    assert all(len(line) <= 80 for line in table if not line.startswith("note"))
    assert "whole T/x*  evicted/done" in out


def test_counts_are_words_of_one(call):
    """One class, one mode, one class left out."""
    _, out, err = call("--class", "50:2:1", "--class", "50:7:0", "--memory", 600, "--steps", 100)
    assert "1 class up to 2" in out
    assert "1 unstable mode" in out
    assert "unstable modes" not in out
    assert err == "1 class with share 0 left out\n"


def test_a_fitted_family(call):
    """The law of a trace needs no file."""
    code, out, err = call("azure_conv_like", "--memory", 131_000, "--count", 500, "--steps", 1000)
    assert code in (0, 1)
    assert "500 classes" in out or "azure_conv_like" in out
    assert "kvratio:" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--memory is missing"),
        (("--memory", 100), "give the workload in one way"),
        (("--memory", 100, "--class", "3:4", "--prompt", "3"), "give the workload in one way"),
        (("--memory", 100, "--prompt", "3"), "--prompt and --decode go together"),
        (("--memory", 100, "--prompt", "3", "--decode", "x"), "--decode 'x'"),
        (("--memory", 100, "--class", "3:4:0"), "not all 0"),
        (("--memory", 100, "--class", "3:0"), "decode length is 0"),
        (("--memory", 100, "--class", "3:4", "--shares", "1"), "give the workload in one way"),
        (("--memory", 100, "--class", "3:4", "--replicas", 0), "replicas is 0"),
        (("--memory", -5, "--class", "3:4"), "memory is -5"),
        (("--memory", 100, "nowhere.csv"), "nowhere.csv"),
        (("--memory", 100, "--class", "3:4", "--out", "x"), "--out goes with --cross-check"),
        (("--pictures", "x", "--formats", "gif"), "format 'gif'"),
        (("--class", "3:4", "--memory", 100, "--pictures", "x", "--formats", "gif"), "format 'gif'"),
        (("--cross-check", "--class", "3:4"), "does not go with --cross-check"),
        (("--cross-check", "--replications", 0), "replications is 0"),
    ],
)
def test_bad_use_is_one_line(call, words, message):
    """Code 2, one line on stderr, nothing on stdout."""
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err.startswith("kvratio: ")
    assert err.count("\n") == 1
    assert message in err


def test_an_empty_trace_is_one_line(call, tmp_path):
    """A file without requests is refused."""
    path = tmp_path / "empty.csv"
    path.write_text("arrival,prompt,output\n")
    code, out, err = call(path, "--memory", 100)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_the_cross_check(call, tmp_path, monkeypatch):
    """Its table goes to stdout and to files; the exit code says whether all rows agree."""
    from kvratio.suite.stability.cases import IS, Case, Expected, cap_cases

    cases = cap_cases()[:3]
    monkeypatch.setattr(cross_check, "all_cases", lambda: cases)
    given = ("--cross-check", "--replications", 1, "--workers", 1, "--quiet")
    code, out, err = call(*given, "--out", tmp_path)
    assert code == 0
    assert "Theory beside simulation" in out
    assert "cap .97 x*" in out
    assert "files in" in err
    assert (tmp_path / "cross_check.md").is_file()
    wrong = {"T": Expected(IS, 9.0)}
    cases[:] = [Case(one.section, one.label, one.simulator, one.measure, one.settings, wrong) for one in cases[:1]]
    code, out, _ = call(*given, "--json")
    assert code == 1
    assert json.loads(out)["rows"][0]["agrees"] == "no"
