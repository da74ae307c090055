"""`kvratio serve` and `kvratio sweep`: what they print, where, and with which exit code."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from kvratio.cli import main
from kvratio.suite import plots

EXPERIMENT = """
name = "tiny"
replications = 2
requests = 120

[[policy]]
id = "vllm"

[[policy]]
id = "fcfs"

[[load]]
workload = "p512d20"
rates = [12]
"""


@pytest.fixture
def call(capsys, monkeypatch):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return run


def test_serve_prints_metrics_and_writes_logs(call, tmp_path):
    """One run: metrics on stdout, logs in the folder, their number of rows the number of requests."""
    words = ("serve", "p512d20", "--policy", "wait", "--rate", 20, "--requests", 400)
    code, out, err = call(*words, "--log", tmp_path, "--log-format", "csv", "--json")
    facts = json.loads(out)
    assert code == 0
    assert "requests.csv, iterations.csv" in err
    assert facts["completion_rate"] == 1.0
    assert facts["settings"]["thresholds"] == [1]
    assert facts["goodput"] == pytest.approx(facts["attainment"] * facts["measured"] / facts["window"])
    assert len(pd.read_csv(tmp_path / "requests.csv")) == 400
    assert len(pd.read_csv(tmp_path / "iterations.csv")) > 0
    code, out, _ = call(*words)
    assert code == 0
    assert "latency mean" in out


def test_serve_takes_replicas_and_targets(call, tmp_path):
    """Several workers are one word away, and targets give a goodput."""
    words = ("serve", "p512d20", "--rate", 40, "--requests", 200, "--replicas", 2, "--router", "least_memory")
    code, out, _ = call(*words, "--ttft-target", 0.2, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["replicas"], facts["router"]) == (2, "least_memory")
    assert facts["attainment"] < 1.0
    code, _, err = call(*words, "--log", tmp_path, "--log-format", "csv")
    assert code == 0
    assert "replica1/iterations.csv" in err
    logs = [pd.read_csv(tmp_path / f"replica{k}" / "requests.csv") for k in range(2)]
    assert sum(map(len, logs)) == 200


def test_serve_takes_users_who_wait(call):
    """A closed loop needs no rate, and says at which one it settled."""
    code, out, _ = call("serve", "p512d20", "--users", 6, "--think", 0.5, "--requests", 200, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["arrivals"] == "closed loop"
    assert facts["rate"] <= 6 / 0.5
    assert call("serve", "p512d20", "--users", 6, "--rate", 3)[0] == 2


def test_sweep_prints_a_table_and_writes_a_folder(call, tmp_path, monkeypatch):
    """Results on stdout, progress on stderr, files where they are asked for."""
    monkeypatch.setattr(plots, "FORMATS", ("svg",))
    words = ("sweep", "p512d20", "--policy", "vllm,wait:margin=0.1", "--rates", "10,20", "--replications", 2)
    code, out, err = call(*words, "--requests", 200, "--workers", 1, "--out", tmp_path)
    assert code == 0
    assert "fluid limit 26.44/s" in out
    assert "wait:margin=0.1" in out
    assert "on the same draws" in out
    assert "runs: 8/8" in err
    assert {"table.csv", "cells.parquet", "latency.svg"} <= {path.name for path in tmp_path.iterdir()}
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["rate"].tolist() == [10.0, 20.0, 10.0, 20.0]


def test_sweep_locates_the_largest_rate(call):
    """--largest alone runs no sweep; JSON holds both ends and the fluid limit."""
    words = ("sweep", "two_l10", "--memory", 600, "--policy", "fcfs:max_batch=4", "--largest")
    code, out, err = call(*words, "--workers", 1, "--json")
    found = json.loads(out)
    assert code == 0
    assert "sweep" not in found
    row = found["largest"][0]
    assert 0 < row["low"] < row["high"] <= 1.05 * found["fluid_limit"]
    assert "fcfs:max_batch=4 at" in err


def test_sweep_runs_an_experiment_from_a_file(call, tmp_path):
    """A file of one's own is an experiment like the built-in ones."""
    (tmp_path / "tiny.toml").write_text(EXPERIMENT)
    code, out, err = call("sweep", "--experiment", tmp_path / "tiny.toml", "--workers", 1, "--quiet")
    assert code == 0
    assert err == ""
    assert "fcfs" in out


@pytest.mark.parametrize("kind", ["serving", "workloads", "presets", "experiments"])
def test_what_there_is_can_be_listed(call, kind):
    """Names that serve and sweep take are listed."""
    code, out, _ = call("list", kind, "--json")
    assert code == 0
    ids = [row["id"] for row in json.loads(out)]
    assert {"serving": "wait", "workloads": "p512d20", "presets": "a100-llama3-8b", "experiments": "paper"}[kind] in ids


def test_cards_of_the_serving_model_are_shown(call):
    """A policy of one model or of both is shown with its parameters."""
    code, out, _ = call("info", "sarathi", "--json")
    assert code == 0
    assert "token_budget = 512" in out
    facts = json.loads(call("info", "mc_sf", "--json")[1])
    assert facts["kind"] == "policy"
    assert "max_batch" in facts["parameters (serving)"][0]


MISUSES = [
    (("serve", "p512d2", "--rate", 3), "p512d20"),
    (("serve", "p512d20"), "give --rate"),
    (("serve", "p512d20", "--rate", 3, "--policy", "waitt"), "waitt"),
    (("serve", "p512d20", "--rate", -3), "rate is -3"),
    (("serve", "p512d20", "--rate", 3, "--preset", "h9"), "h9"),
    (("serve", "p512d20", "--rate", 3, "--eviction", "drop"), "drop"),
    (("serve", "p512d20", "--rate", 3, "--replicas", 0), "replicas is 0"),
    (("serve", "p512d20", "--rate", 3, "--warmup", "some"), "warmup is 'some'"),
    (("serve", "p512d20", "--rate", 3, "--requests", 1), "leave none"),
    (("serve", "p512d20", "--rate", 90, "--policy", "wait"), "no integer thresholds"),
    (("serve", "p512d20", "--rate", 3, "--policy", "wait:thresholds=400"), "do not fit"),
    (("sweep",), "--experiment"),
    (("sweep", "p512d20", "--experiment", "paper"), "--experiment"),
    (("sweep", "--experiment", "papers"), "papers"),
    (("sweep", "--experiment", "paper", "--seed", 3), "--seed does not go with"),
    (("sweep", "p512d20", "--rates", "ten"), "'ten'"),
    (("sweep", "p512d20", "--policy", "vllm,vllm"), "twice"),
    (("sweep", "p512d20", "--rates", "5", "--tune", 99), "tuning is 99"),
    (("sweep", "p512d20", "--rates", "5", "--workers", 0), "workers is 0"),
    (("sweep", "p512d20", "--rates", "5", "--arrivals", "replay"), "only a trace"),
    (("sweep", "p512d20", "--largest", "--replications", 3), "at least 10"),
]


@pytest.mark.parametrize(("words", "told"), MISUSES, ids=lambda x: x if isinstance(x, str) else " ".join(map(str, x)))
def test_bad_use_is_one_line(call, words, told):
    """No traceback, nothing on stdout, one line that names what was wrong, exit code 2."""
    code, out, err = call(*words, *(("--quiet",) if words[0] == "sweep" else ()))
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1
    assert told in lines[0]
