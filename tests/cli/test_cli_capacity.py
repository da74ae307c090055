"""`kvratio capacity`: what it prints for which question, where, and with which exit code."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from kvratio.cli import main
from kvratio.suite.stability_figures import capacity as pictures
from stability.capacity import Joint, capacity

UNIFORM = ("--prompt", "uniform:10:1600", "--output", "uniform:10:1600", "--memory", 131_000, "--slot-seconds", 0.0372)


@pytest.fixture
def call(capsys, monkeypatch):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main(["capacity", *(str(word) for word in words)])
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return run


def test_the_page_is_in_order(call):
    """Verdict first, then mu, safe rate, load, workers, seconds per slot, what an error does, warnings."""
    code, out, err = call(*UNIFORM, "--rate", 10)
    assert (code, err) == (0, "")
    words = (
        "4 GPUs for 10 requests/s",
        "mu ",
        "safe rate",
        "load",
        "workers",
        "slot",
        "as asked",
        "10 % larger",
        "Mind",
    )
    places = [out.index(word) for word in words]
    assert places == sorted(places)
    assert "3.2632" in out
    assert "delta = 0.0244" in out


def test_too_few_gpus_are_a_finding(call):
    """Exit code 1 when more is asked than mu of the GPUs given; 0 when they carry it, full or not."""
    code, out, _ = call(*UNIFORM, "--rate", 10, "--gpus", 3)
    assert code == 1
    assert out.startswith("not enough: 3 GPUs carry at most 9.79")
    assert call(*UNIFORM, "--rate", 9.7, "--gpus", 3)[:2][0] == 0
    assert "above the 90% planned for" in call(*UNIFORM, "--rate", 9.7, "--gpus", 3)[1]
    assert call(*UNIFORM, "--rate", 10, "--gpus", 6, "--tensor-parallel", 2)[0] == 1
    assert call(*UNIFORM, "--rate", 10, "--fleet", "3.2:2,3.5:1")[0] == 1


def test_a_trace_tells_its_rate(call, tmp_path, monkeypatch):
    """A trace by name: rate and burst are its own, JSON agrees with the library, larger requests are told."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"arrival_s": np.sort(rng.random(400)) * 90})
    table["prompt_tokens"], table["output_tokens"] = rng.integers(1, 900, 400), rng.integers(1, 400, 400)
    table.loc[5, "prompt_tokens"] = 20_000
    table.to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setenv("KVRATIO_TRACES", str(tmp_path))
    code, out, err = call("mine", "--memory", 10_000, "--slot-seconds", 0.02, "--json", "--replications", 50)
    facts = json.loads(out)
    kept = table.drop(5)
    found = capacity(Joint(kept["prompt_tokens"], kept["output_tokens"]), 10_000, 0.02)
    assert code == 0
    assert facts["mu"] == pytest.approx(found.mu)
    assert facts["rate"] == pytest.approx(398 / (kept["arrival_s"].max() - kept["arrival_s"].min()))
    assert "1 larger than the memory" in facts["note"]
    assert "larger than memory 10000" in err
    assert facts["mu_interval"]["low"] < facts["mu"] < facts["mu_interval"]["high"]
    assert facts["burst"]["window"] == 60.0
    assert len(facts["sensitivity"]) == 6
    page = call("mine", "--memory", 10_000, "--slot-seconds", 0.02, "--replications", 50)[1]
    carried = f"2 workers can carry {facts['burst']['mu']:.4g}: nothing waits at the end"
    assert f"60 s, beginning {facts['burst']['start']:.0f} s after the first request, bring" in page
    assert carried in page


def test_help_says_colons_as_they_are(call):
    """No name of a distribution is taken for a picture."""
    assert "uniform:LOW:HIGH" in call("--help")[1]


@pytest.mark.skipif("KVRATIO_TRACES" not in os.environ, reason="KVRATIO_TRACES does not name a folder of traces")
def test_a_real_trace(call):
    """The reasoning trace needs 14 GPUs at 90 %, and says why the safe rate says little."""
    code, out, _ = call("servegen_deepseek_r1_synth", "--memory", 131_000, "--slot-seconds", 0.0372, "--gpus", 12)
    assert code == 1
    assert "14 GPUs the plan" in out
    assert "delta = 0.341 > 0.2" in out


def test_every_way_to_name_lengths(call, tmp_path):
    """A fitted family, a file, a mix and distributions all give a mu; the same lengths give the same."""
    (tmp_path / "own.csv").write_text("prompt,output,weight\n100,50,3\n900,20,1\n")
    machine = ("--memory", 20_000, "--slot-seconds", 0.05, "--json")

    def mu(*words):
        return json.loads(call(*words, *machine, "--replications", 20)[1])["mu"]

    rows = mu("--lengths", tmp_path / "own.csv")
    assert mu("--mix", "0.75 100 50", "--mix", "0.25 900 20") == pytest.approx(rows)
    assert mu("azure_conv_like", "--count", 300) > 0
    assert mu("--prompt", "quantiles:0=100,1=300", "--output", "geometric:50:400") > 0


def test_the_machine_may_be_a_preset_or_measured(call, tmp_path):
    """M from a GPU with the sum shown, b from measured batches, a model or a preset; the page says which."""
    words = ("--prompt", 500, "--output", 100)
    out = call(*words, "--gpu-memory", "80GB", "--model", "llama-3-8b", "--iteration-model", "0.01,4e-7,2.5e-5")[1]
    assert "131072 bytes = 426788 tokens" in out
    assert "model d0 = 0.01" in out
    assert "preset a100-llama3-8b at full memory: 131000 tokens" in call(*words, "--preset", "a100-llama3-8b")[1]
    (tmp_path / "times").write_text("0.03\n0.05\n0.04\n")
    assert "0.04 s (median of 3 batch times)" in call(*words, "--batch-times", tmp_path / "times")[1]


def test_published_figures(call):
    """The list of published figures shows the two that do not follow; JSON holds the same."""
    code, out, _ = call("--published")
    assert code == 0
    assert out.count("NO") == 2
    rows = json.loads(call("--published", "--json")[1])
    assert [row["printed"] for row in rows if row["follows"] is False] == [3.385, 25.808]


def test_files(call, tmp_path, monkeypatch):
    """A picture and a row of figures are written and named on stderr."""
    monkeypatch.setattr(pictures, "SLOTS", 300)
    monkeypatch.setattr(pictures, "WARMUP", 100)
    monkeypatch.setattr(pictures, "RUNS", 1)
    words = ("--prompt", "uniform:5:60", "--output", "uniform:5:40", "--memory", 2000, "--slot-seconds", 0.05)
    picture = tmp_path / "a.svg"
    code, _, err = call(*words, "--rate", 4, "--picture", picture, "--csv", tmp_path / "new" / "row.csv")
    assert code == 0
    assert str(picture) in err
    assert "safe rate" in picture.read_text()
    row = pd.read_csv(tmp_path / "new" / "row.csv").iloc[0]
    assert row["gpus"] == np.ceil(4 / row["mu"] / 0.9)


def test_the_longest_requests_hold_the_area():
    """The largest 1 % of 200 areas are two; their share and the smaller of them are told."""
    areas = np.concatenate([np.ones(198), [50.0, 100.0]])
    assert pictures.longest_share(areas) == (pytest.approx(150 / 348), 50.0)
    assert pictures.longest_share(np.array([3.0])) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "nothing given"),
        (("no_such_trace", "--memory", 10), "no_such_trace"),
        (("azure_conv_lik",), "azure_conv_like"),
        (("azure_conv_like", "--prompt", "5"), "and --prompt"),
        (("--prompt", "5"), "--output is missing"),
        (("--prompt", "5", "--output", "nonsense:5"), "nonsense"),
        (("--mix", "0.5 5 5"), "sum to 0.5"),
        (("--mix", "half 5 5"), "half"),
        (("--lengths", "none.csv"), "none.csv"),
        ((*UNIFORM, "--chunk", 0), "chunk"),
        ((*UNIFORM, "--utilisation", 0), "utilisation"),
        ((*UNIFORM, "--rate", 0), "rate"),
        ((*UNIFORM, "--rate", "nan"), "rate"),
        ((*UNIFORM, "--gpus", 0), "--gpus"),
        ((*UNIFORM, "--iteration-model", "1,2,3"), "one of them"),
        ((*UNIFORM, "--parallel", "pipeline"), "outside the theory"),
        ((*UNIFORM, "--picture", "x.gif"), ".pdf"),
        ((*UNIFORM, "--gpu-memory", "80GB", "--model", "llama-3-8b"), "drop one"),
        ((*UNIFORM, "--fleet", "abc:2"), "no preset"),
        (("--prompt", 9000, "--output", 5, "--memory", 1000), "memory 1000"),
    ],
)
def test_bad_use(call, words, named):
    """Bad use is exit code 2 and one line on stderr that names the fault."""
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err


def test_bad_files_of_lengths(call, tmp_path):
    """An empty file, one without rows, one without the columns and one with text are told by name."""
    for text in ("", "prompt,output\n", "a,b\n1,2\n", "prompt,output\nx,2\n", "prompt,output\n,2\n"):
        (tmp_path / "bad.csv").write_text(text)
        code, _, err = call("--lengths", tmp_path / "bad.csv", "--memory", 100, "--slot-seconds", 1)
        assert code == 2
        assert "bad.csv" in err
        assert err.count("\n") == 1
