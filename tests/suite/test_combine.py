"""Merging, filtering, repeating and querying runs."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plugin_files import GREEDY, policy
from tiny import TINY, tiny
from typer.testing import CliRunner

from kvratio.cli import app
from kvratio.problem.errors import BadParameter
from kvratio.suite.combine import RunConflict, merge_runs
from kvratio.suite.repeat import repeat_run
from kvratio.suite.run import load_run, run_suite
from kvratio.suite.verification.verify import verify_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a run of the tiny suite, with everything kept."""
    return _run(tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Return the same suite run in two halves, by policies."""
    home = tmp_path_factory.mktemp("halves")
    return [_run(home / "a", policy=TINY["policy"][:1]), _run(home / "b", policy=TINY["policy"][1:])]


def _run(out, **changes):
    changes = {"certificates": True, "schedules": True, **changes}
    return run_suite(tiny(**changes), out=out, workers=1, progress=False)


def _bytes(run):
    return (run.folder.results / "results.parquet").read_bytes()


def _altered(run, out, change):
    """Copy a run and change its rows by a function."""
    shutil.copytree(run.path, out)
    rows = pq.read_table(out / "results" / "results.parquet")
    changed = rows.to_pylist()
    change(changed)
    pq.write_table(pa.Table.from_pylist(changed, rows.schema), out / "results" / "results.parquet")
    return out


def test_two_halves_are_the_whole(whole, halves, tmp_path):
    """Merged halves have the bytes of one run, with U over both, all kept files, and they verify."""
    merged = merge_runs([run.path for run in halves], tmp_path / "both").run
    assert _bytes(merged) == _bytes(whole)
    assert merged.suite.digest == whole.suite.digest
    assert any((half.table()["upper"] > 0).all() and len(half.table()) < len(whole.table()) for half in halves)
    for folder in ("instances", "schedules", "certificates"):
        names = [sorted(path.name for path in (run.path / folder).iterdir()) for run in (merged, whole)]
        assert names[0] == names[1]
    assert verify_run(merged.path, progress=False).faults == []
    assert [part["folder"] for part in merged.folder.read_manifest()["merged_from"]] == ["a", "b"]


def test_seeds_and_grids_are_united(whole, tmp_path):
    """Runs of other seeds and grid points of the same families become one, in the order of the plan."""
    uniform, blocker = TINY["family"]
    first = [{**uniform, "seeds": [0]}, {**blocker, "grid": {"memory": [8]}}]
    second = [{**uniform, "seeds": [1, 2]}, {**blocker, "grid": {"memory": [12]}}]
    parts = [_run(tmp_path / name, family=family).path for name, family in (("a", first), ("b", second))]
    assert _bytes(merge_runs(parts, tmp_path / "both").run) == _bytes(whole)


def test_a_part_is_a_run_of_its_own(whole, halves, tmp_path):
    """Filtered by policy, a run is what those policies alone would have given; certificates of others go."""
    part = merge_runs([whole.path], tmp_path / "part", policies=["fcfs"]).run
    assert _bytes(part) == _bytes(halves[0])
    assert verify_run(part.path, progress=False).faults == []
    both = merge_runs([whole.path], tmp_path / "both", ["fcfs"], ["blocker"]).run
    assert set(both.table()["family"]) == {"blocker"}
    with pytest.raises(BadParameter, match="no run has a policy 'nobody'"):
        merge_runs([whole.path], tmp_path / "none", policies=["nobody"])


def test_contradictions_are_named(whole, tmp_path):
    """The same cell with another cost is one line that names it, both runs and both values; nothing is written."""

    def worse(rows):
        rows[0]["cost"] += 1

    other = _altered(whole, tmp_path / "other", worse)
    with pytest.raises(RunConflict, match=r"fcfs on uniform \(seed 0, cell \w+\): .*differ: cost \d+ and \d+"):
        merge_runs([whole.path, other], tmp_path / "both")
    assert not (tmp_path / "both").exists()
    shown = CliRunner().invoke(app, ["merge", str(whole.path), str(other), "--out", str(tmp_path / "both")])
    assert shown.exit_code == 1
    assert "differ: cost" in shown.output


def test_a_result_hides_a_failure(whole, tmp_path):
    """A cell that failed in one of the runs, in whatever order they are named, is taken from the other and told."""

    def fail(rows):
        rows[0] |= {"status": "failed", "message": "out of memory", "cost": None}

    other = _altered(whole, tmp_path / "other", fail)
    for k, pair in enumerate(([whole.path, other], [other, whole.path])):
        merged = merge_runs(pair, tmp_path / f"both{k}")
        assert _bytes(merged.run) == _bytes(whole)
        assert merged.notes == ("1 cells failed in one run and not in another: the result is kept",)


def test_labels_that_mean_two_things_are_refused(whole, tmp_path):
    """A family of one label with other parameters is bad use, told by label and key."""
    other = {**TINY["family"][0], "parameters": {**TINY["family"][0]["parameters"], "count": 6}}
    run = _run(tmp_path / "other", family=[other])
    with pytest.raises(BadParameter, match="family uniform has another fixed there"):
        merge_runs([whole.path, run.path], tmp_path / "both")


def test_a_run_is_repeated_from_its_manifest(tmp_path):
    """--from runs the suite again with the users' file that it kept, to the same bytes; an altered row is told."""
    path = tmp_path / "mine.py"
    path.write_text(policy(GREEDY, id="mine"))
    suite = tiny(policy=[*TINY["policy"][:1], {"id": str(path)}])
    first = run_suite(suite, out=tmp_path / "first", backend="serial", progress=False)
    path.unlink()
    words = ["run", "--from", str(first.folder.manifest), "--backend", "serial", "--quiet"]
    shown = CliRunner().invoke(app, [*words, "--json"])
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert (said["same_bytes"], said["equal"]) == (True, True)
    assert load_run(tmp_path / "first-again").failed == 0

    def cheaper(rows):
        rows[0]["cost"] -= 1

    shown = CliRunner().invoke(app, [*words[:2], str(_altered(first, tmp_path / "x", cheaper)), *words[3:]])
    assert shown.exit_code == 1
    with pytest.raises(BadParameter, match="is the run to repeat"):
        repeat_run(first.path, first.path)


def test_runs_are_queried_with_pandas_and_arrow(whole, halves):
    """The one-liners of docs/suite.md: a table across runs, one column of it, and a filter that reads what it needs."""
    files = [str(run.folder.results / "results.parquet") for run in halves]
    cells = pd.concat(map(pd.read_parquet, files))
    assert len(cells) == len(whole.table())
    worst = cells.groupby(["family", "policy"])["ratio_high"].max()
    assert len(worst) == 6
    few = pq.read_table(files[0], columns=["policy", "cost"], filters=[("family", "==", "blocker")])
    assert few.num_rows == 2


def test_runs_are_queried_with_duckdb(whole):
    """The one-liner of docs/suite.md for duckdb, where it is installed."""
    duckdb = pytest.importorskip("duckdb")
    path = whole.folder.results / "results.parquet"
    found = duckdb.sql(f"select policy, max(ratio_high) from '{path}' group by policy order by policy").fetchall()
    assert [name for name, _ in found] == ["fcfs", "mc_sf", "svf"]
