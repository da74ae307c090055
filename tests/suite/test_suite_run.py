"""Running a suite: same bytes, resume after a kill, and cells that fail alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY, honest_schedule, run_unit_that_kills, tiny

import algos
from kvratio.problem.errors import BadParameter, TraceError, UnknownName
from kvratio.problem.instance import Instance
from kvratio.suite.backends import processes
from kvratio.suite.run import load_run, run_suite
from kvratio.suite.store import RunFolder


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return a run of the tiny suite in this process."""
    return run_suite(tiny(), out=tmp_path_factory.mktemp("runs") / "reference", workers=1, progress=False)


def _bytes(run):
    return (run.folder.results / "results.parquet").read_bytes()


def test_two_workers_write_the_bytes_of_one(reference, tmp_path):
    """results.parquet does not depend on the number of workers; timings have their own file."""
    pair = run_suite(tiny(), out=tmp_path / "pair", workers=2, progress=False)
    assert _bytes(pair) == _bytes(reference)
    assert not {"policy_seconds", "bound_seconds"} & set(pair.table().columns)
    assert set(pair.folder.timings()["cell"]) == set(pair.table()["cell"])


def test_a_second_call_reuses_every_cell(reference):
    """A finished run is not computed again, and its bytes stay."""
    before = _bytes(reference)
    again = run_suite(tiny(), out=reference.path, workers=1, progress=False)
    assert again.reused == again.cells == 15
    assert _bytes(again) == before


def test_a_grown_suite_computes_only_what_is_new(reference, tmp_path):
    """A policy added later finds the cells of the others; U is reduced by all, as if they had run together."""
    out = tmp_path / "grown"
    run_suite(tiny(policy=TINY["policy"][:2]), out=out, workers=1, progress=False)
    grown = run_suite(tiny(), out=out, workers=1, progress=False)
    assert grown.reused == 10
    assert _bytes(grown) == _bytes(reference)


def test_fresh_throws_away(reference, tmp_path):
    """resume=False computes everything again, to the same bytes."""
    out = tmp_path / "fresh"
    run_suite(tiny(), out=out, workers=1, progress=False)
    again = run_suite(tiny(), out=out, workers=1, resume=False, progress=False)
    assert again.reused == 0
    assert _bytes(again) == _bytes(reference)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on(reference, tmp_path, workers):
    """After kill -9 in the middle, the same call reuses the shards and ends with the same bytes."""
    out = tmp_path / "killed"
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen([sys.executable, str(here / "run_slowly.py"), str(out), str(workers)], env=env, cwd=here)
    while child.poll() is None and not RunFolder(out).finished():
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    found = RunFolder(out).finished()
    assert 0 < len(found) < 15
    with pytest.raises(UnknownName, match=r"not finished|no manifest"):
        load_run(out)
    done = run_suite(tiny(), out=out, workers=1, progress=False)
    assert done.reused >= len(found)
    assert _bytes(done) == _bytes(reference)


def _failing(monkeypatch, act):
    def schedule(inst, policy, **options):
        return act(inst, policy, options) if policy == "svf" else honest_schedule(inst, policy, **options)

    monkeypatch.setattr(algos, "schedule", schedule)


def _raise(inst, policy, options):
    raise RuntimeError("the policy\nbroke")


def _overfull(inst, policy, options):
    """All requests at once, whatever the memory."""
    honest = honest_schedule(inst, "fcfs")
    return replace(honest.from_starts(inst, np.zeros(inst.n, np.int64)), policy="svf")


def _sleep(inst, policy, options):
    time.sleep(3)


@pytest.mark.parametrize(
    ("act", "seconds", "words"),
    [(_raise, 20.0, "RuntimeError: the policy broke"), (_overfull, 20.0, "memory"), (_sleep, 0.2, "0.2 s")],
)
def test_a_failing_policy_is_its_own_failed_cells(reference, tmp_path, monkeypatch, act, seconds, words):
    """Exception, infeasible schedule and timeout each fail their cells, with a one-line message, and no others."""
    _failing(monkeypatch, act)
    suite = tiny(cell_seconds=seconds, family=TINY["family"][:1])
    run = run_suite(suite, out=tmp_path / "fails", workers=1, progress=False)
    table = run.table()
    bad = table[table["policy"] == "svf"]
    assert (bad["status"] == "failed").all()
    assert all(words in message and "\n" not in message for message in bad["message"])
    assert bad["ratio_high"].isna().all()
    good = table[table["policy"] != "svf"]
    honest = reference.table()
    honest = honest[(honest["family"] == "uniform") & (honest["policy"] != "svf")]
    assert good["cost"].tolist() == honest["cost"].tolist()
    failures = json.loads((run.folder.results / "failures.json").read_text())
    assert len(failures) == len(bad) == run.failed
    assert "Traceback" in failures[0]["traceback"]


def test_failed_cells_are_tried_again_on_demand(reference, tmp_path, monkeypatch):
    """Resume keeps a failed cell and tries again to build an instance; retry_failed computes the cell anew."""
    with monkeypatch.context() as patch:
        _failing(patch, _raise)
        run_suite(tiny(), out=tmp_path / "retry", workers=1, progress=False)
    kept = run_suite(tiny(), out=tmp_path / "retry", workers=1, progress=False)
    assert kept.failed == 3
    healed = run_suite(tiny(), out=tmp_path / "retry", workers=1, progress=False, retry_failed=True)
    assert healed.failed == 0
    assert _bytes(healed) == _bytes(reference)


def test_a_policy_that_kills_its_worker_is_one_failed_cell(reference, tmp_path, monkeypatch):
    """A worker that dies takes only the cell that killed it; everything else is computed."""
    monkeypatch.setattr(processes, "run_unit", run_unit_that_kills)
    run = run_suite(tiny(), out=tmp_path / "deadly", workers=2, progress=False)
    table = run.table()
    assert (table.loc[table["policy"] == "svf", "status"] == "failed").all()
    assert table.loc[table["policy"] == "svf", "message"].str.contains("ended its worker").all()
    good = table["policy"] != "svf"
    assert (table.loc[good, "status"] == "ok").all()
    assert table.loc[good, "cost"].tolist() == reference.table().loc[good.to_numpy(), "cost"].tolist()


def test_ratios_enclose_and_never_fall_below_one(reference):
    """Cost / U <= cost / L, and U counts the policy's own schedule, so the lower end is at least 1."""
    table = reference.table()
    assert (table["ratio_low"] <= table["ratio_high"]).all()
    assert (table["ratio_low"] >= 1).all()
    assert (table["lower"] <= table["upper"]).all()


def test_the_forced_ratio_is_reached(reference):
    """On the adaptive family, the lower end is at least the ratio that the construction forces on its target."""
    table = reference.table()
    rows = table[table["family"] == "blocker"]
    assert (rows["tuned_to"] == rows["policy"]).all()
    assert (rows["ratio_low"] >= rows["forced_ratio"] * (1 - 1e-12)).all()


def test_every_instance_is_kept_and_loads_equal(reference):
    """The instance of each row lies in instances/ under the first digits of its key."""
    table = reference.table()
    for key in set(table["instance"]):
        assert Instance.load(reference.folder.instance(key)).key == key


def test_the_manifest_says_what_was_run(reference):
    """Suite, versions, machine and source hashes are in manifest.json, and the suite can be read back."""
    manifest = reference.folder.read_manifest()
    assert manifest["cells"]["cells"] == 15
    assert manifest["suite_sha256"] == tiny().digest
    assert {"numpy", "numba"} <= set(manifest["versions"])
    assert {"algos", "lowerbounds"} <= set(manifest["sources_sha256"])
    assert load_run(reference.path).suite.digest == tiny().digest


def test_a_folder_with_something_else_is_refused(tmp_path):
    """A run never writes into a folder that is not a run."""
    (tmp_path / "letter.txt").write_text("dear reader")
    with pytest.raises(BadParameter, match="not a run"):
        run_suite(tiny(), out=tmp_path, workers=1, progress=False)


def test_swap_and_recompute_have_no_lower_end(tmp_path):
    """Under recompute only LB0-LB4 divide, the lower end is left out, and the schedule does not lower U."""
    policies = [{"id": "vllm_fcfs", "label": "again", "eviction": "recompute"}, {"id": "vllm_fcfs"}]
    run = run_suite(tiny(policy=policies, family=TINY["family"][:1]), out=tmp_path / "r", workers=1, progress=False)
    table = run.table()
    again = table[table["policy"] == "again"]
    assert again["ratio_low"].isna().all()
    assert again["own_upper"].isna().all()
    assert (again["bound_method"] == "LB0-LB4").all()
    assert (again["guarantee_holds"].isna()).all()


def test_augmented_policies_are_told_apart_and_do_not_lower_the_optimum(tmp_path):
    """Two amounts of extra memory on one instance are two instances in the results, with the same M and bounds."""
    base = {"family": "blocker", "memory": 20}
    family = [{"id": "augmentation", "parameters": {"base": base}, "grid": {"extra": [0.5, 1.0]}, "objective": "flow"}]
    run = run_suite(tiny(policy=TINY["policy"][1:2], family=family), out=tmp_path / "a", workers=1, progress=False)
    table = run.table()
    assert table["instance"].nunique() == 2
    assert table["policy_memory"].tolist() == [30, 40]
    assert (table["memory"] == 20).all()
    assert table["own_upper"].isna().all()
    assert table["ratio_low"].iloc[1] < table["ratio_low"].iloc[0]


def test_an_instance_that_cannot_be_built_fails_its_cells_only(tmp_path):
    """A base family that refuses its parameters is told in the cells of that family."""
    broken = {"id": "augmentation", "label": "broken", "parameters": {"base": {"family": "blocker"}, "extra": 0.5}}
    run = run_suite(tiny(family=[TINY["family"][0], broken]), out=tmp_path / "b", workers=1, progress=False)
    table = run.table()
    assert (table.loc[table["family"] == "broken", "status"] == "failed").all()
    assert table.loc[table["family"] == "broken", "message"].str.contains("not built.*memory").all()
    assert (table.loc[table["family"] == "uniform", "status"] == "ok").all()


def test_certificates_hold_the_sharpest_schedule(tmp_path):
    """Kept bounds verify from their certificates, and their upper side is the U of the table."""
    from kvratio.problem.bound import Bound

    run = run_suite(tiny(certificates=True), out=tmp_path / "c", workers=1, progress=False)
    uppers = {(row["instance"][:12], row["objective"]): row["upper"] for row in run.table().to_dict("records")}
    files = sorted(run.folder.certificates.glob("*.json"))
    assert len(files) == len(uppers)
    for path in files:
        bound = Bound.load(path)
        bound.verify()
        assert bound.upper == uppers[(path.stem.split("-")[0], bound.objective)]


def test_workers_must_be_a_number_of_processes(tmp_path):
    """Zero workers is bad use, told in one line."""
    with pytest.raises(BadParameter, match="workers is 0"):
        run_suite(tiny(), out=tmp_path / "w", workers=0, progress=False)


def test_a_missing_trace_is_told_before_anything_runs(tmp_path, monkeypatch):
    """A suite that names a trace that is not there raises one line and leaves no folder."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    with pytest.raises(TraceError, match="KVRATIO_TRACES"):
        run_suite("traces", out=tmp_path / "t", workers=1, progress=False)
    assert not (tmp_path / "t").exists()


def test_a_trace_is_run_and_its_dropped_rows_are_told(tmp_path, capsys):
    """A CSV by path becomes a family; what the loader drops is said on stderr, and its hash is in the manifest."""
    path = tmp_path / "mine.csv"
    path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,3,2\n0.1,1,4\n0.2,5,0\n")
    trace = {"name": str(path), "parameters": {"memory": 10}, "objective": "flow"}
    run = run_suite(tiny(family=[], trace=[trace]), out=tmp_path / "t", workers=1)
    assert run.table()["n"].tolist() == [2, 2, 2]
    assert run.table()["family"].unique().tolist() == ["mine.csv"]
    assert "3 rows read, 2 requests kept" in capsys.readouterr().err
    assert len(run.folder.read_manifest()["data_sha256"][str(path)]) == 64
