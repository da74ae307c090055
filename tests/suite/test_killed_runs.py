"""Runs that die, and two at once: nothing that was finished is lost, and no folder has two owners."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import tiny

from kvratio.problem.errors import BadParameter
from kvratio.suite.journal import Journal, read_journals
from kvratio.suite.lock import NAME, hold
from kvratio.suite.run import run_suite
from kvratio.suite.seal import added, broken_seal
from kvratio.suite.store import RunFolder

HERE = Path(__file__).parent
SUITE = tiny(certificates=True, schedules=True)
HOLDS = "import sys, time; from kvratio.suite.lock import hold; from pathlib import Path\n"
HOLDS += "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def _kept(folder):
    apart = ("manifest.json", "seal.json", "timings.parquet", NAME)
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in apart]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _goes_on(out, whole, **options):
    """Finish a killed run; return how many cells it had, all of which must be taken over."""
    before = len(RunFolder(out).finished())
    run = run_suite(SUITE, out=out, progress=False, **options)
    assert _kept(out) == whole
    assert not broken_seal(out)
    assert not added(out)
    assert run.failed == 0
    return before, run.reused


@pytest.mark.parametrize("share", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_step_goes_on_to_the_same_bytes(tmp_path, share):
    """SIGKILL before or within each write of a run: what was finished is taken over, nothing else is left behind."""
    words = [sys.executable, str(HERE / "run_and_die.py"), str(tmp_path), str(share)]
    total = int(subprocess.run(words, cwd=HERE, check=True, capture_output=True, text=True).stdout)
    whole = _kept(tmp_path / "warm")
    seen = set()
    for last in range(1, total + 1, share):
        before, reused = _goes_on(tmp_path / str(last), whole, backend="serial")
        assert before == reused
        seen.add(before)
    assert {0, 15} < seen


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_a_run_with_workers_killed_at_random_moments_goes_on(tmp_path, backend):
    """SIGKILL at random moments, again and again: every finished cell is kept each time, the end is the same bytes."""
    if backend == "dask":
        pytest.importorskip("distributed")
    whole = _kept(run_suite(SUITE, out=tmp_path / "whole", backend="serial", progress=False).path)
    draw = random.Random(8)
    out = tmp_path / "killed"
    words = [sys.executable, str(HERE / "run_slowly.py"), str(out), "2", backend]
    known: set[str] = set()
    for k in range(8):
        child = subprocess.Popen(words, cwd=HERE)
        while k % 2 and child.poll() is None and set(RunFolder(out).finished()) == known:
            time.sleep(0.05)
        time.sleep(draw.uniform(0.0, 0.8) if k % 2 else draw.uniform(1.0, 4.0))
        child.send_signal(signal.SIGKILL)
        child.wait()
        now = set(RunFolder(out).finished())
        assert known <= now
        known = now
    before, reused = _goes_on(out, whole, workers=1)
    assert reused >= before > 0


def test_a_cut_line_is_no_row(tmp_path):
    """Of a journal whose process died, whole lines count; a cut line, wherever it ends, is passed over."""
    with Journal(tmp_path, ["cell", "cost"]) as journal:
        journal.add({"cell": "a", "cost": 1, "more": 2})
        journal.add({"cell": "b", "cost": 2})
    (path,) = tmp_path.glob("*.jsonl")
    text = path.read_text()
    for end in range(len(text) + 1):
        path.write_text(text[:end])
        assert len(list(read_journals(tmp_path))) == max(text[:end].count("\n") - 1, 0)
    assert list(read_journals(tmp_path)) == [{"cell": "a", "cost": 1}, {"cell": "b", "cost": 2}]


def test_a_folder_has_one_owner(tmp_path):
    """A second process is refused with owner and age; after kill -9 the folder is free, and the takeover is told."""
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    (tmp_path / "results").mkdir()
    with pytest.raises(BadParameter, match=rf"is in use by process {child.pid} on \S+ for \d+ s: wait for it"):
        run_suite(SUITE, out=tmp_path, backend="serial", progress=False)
    assert not list((tmp_path / "results").rglob("*.jsonl"))
    child.kill()
    child.communicate()
    with hold(tmp_path) as left_over:
        assert left_over
        with hold(tmp_path) as again:
            assert not again
    with hold(tmp_path) as left_over:
        assert not left_over


def test_an_owner_on_another_machine_is_believed(tmp_path):
    """Where locks may not reach, an owner elsewhere is refused too, with the file to delete if it is gone."""
    owner = {"pid": os.getpid(), "host": "elsewhere", "since": "2020-01-01T00:00:00+00:00"}
    (tmp_path / NAME).write_text(json.dumps(owner))
    with pytest.raises(BadParameter, match=r"on elsewhere for \d+ days: wait for it; if it is gone, delete .*\.lock"):
        hold(tmp_path).__enter__()
    (tmp_path / NAME).unlink()
    with hold(tmp_path) as left_over:
        assert not left_over
