"""The three backends: the same bytes, live progress, and workers that die."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from plugin_files import GREEDY, policy
from tiny import TINY, tiny

from kvratio.problem.errors import BadParameter
from kvratio.suite.backends.opening import require_backend
from kvratio.suite.deadline import CellTimeout, deadline
from kvratio.suite.run import run_suite

distributed = pytest.importorskip("distributed")

HERE = Path(__file__).parent
#: a policy of the interpreter's that does something to its process before it decides as GREEDY does
ACTING = GREEDY.replace("    s = v.st[0]\n", "    act(v)\n    s = v.st[0]\n", 1) + "\n"
KILLS = "import os, signal\ndef act(v):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
KILLS_ONCE = """
import os, signal
def act(v):
    try:
        os.close(os.open({mark!r}, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
"""
SLOW = "import time\ndef act(v):\n    if v.st[0].now == 0:\n        time.sleep(0.1)\n"
#: says who it is, then waits until it may go on
WAITS = """
import os, time
def act(v):
    if not os.path.exists({go!r}):
        open({started!r} + str(os.getpid()), "w").close()
    while not os.path.exists({go!r}):
        time.sleep(0.005)
"""


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster of two processes, as one that was started by someone else."""
    import logging

    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as started:
        yield started


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return a run of the tiny suite, with everything kept, in this process."""
    out = tmp_path_factory.mktemp("runs") / "serial"
    return run_suite(tiny(certificates=True, schedules=True), out=out, backend="serial", progress=False)


def _kept(run):
    """Every byte that must be the same on each backend."""
    apart = ("manifest.json", "seal.json", "timings.parquet", ".lock")
    files = [path for path in run.path.rglob("*") if path.is_file() and path.name not in apart]
    return {path.relative_to(run.path).as_posix(): path.read_bytes() for path in files}


def _with_policy(folder, act, **changes):
    """Return the tiny suite with one more policy, which acts before it decides."""
    text = policy(ACTING, id="acting", more=", plain=True")
    (folder / "acting.py").write_text(act + text)
    entry = {"id": str(folder / "acting.py")}
    return tiny(policy=[*TINY["policy"][:2], entry], family=TINY["family"][:1], **changes)


def test_a_cluster_writes_the_bytes_of_one_process(cluster, reference, tmp_path, capsys):
    """Rows, instances, schedules and certificates come back from a dask cluster the same; progress is told."""
    suite = tiny(certificates=True, schedules=True)
    run = run_suite(suite, out=tmp_path / "dask", scheduler=cluster.scheduler_address)
    assert _kept(run) == _kept(reference)
    assert run.folder.read_manifest()["backend"] == "dask"
    assert "running cells: 15/15" in capsys.readouterr().err


def test_a_worker_killed_in_the_middle_costs_nothing(cluster, tmp_path, capsys):
    """Kill -9 of a worker process that has a cell: it is done again, to the same bytes as without workers."""
    go = tmp_path / "go"
    suite = _with_policy(tmp_path, WAITS.format(go=str(go), started=str(tmp_path / "started-")))
    go.touch()
    plain = run_suite(suite, out=tmp_path / "plain", backend="serial", progress=False)
    go.unlink()

    def kill():
        while not (started := sorted(tmp_path.glob("started-*"))):
            time.sleep(0.005)
        os.kill(int(started[0].name.removeprefix("started-")), signal.SIGKILL)
        go.touch()

    killer = threading.Thread(target=kill)
    killer.start()
    run = run_suite(suite, out=tmp_path / "dask", scheduler=cluster.scheduler_address)
    killer.join()
    assert _kept(run) == _kept(plain)
    assert run.failed == 0
    assert "is gone: its work is done again" in capsys.readouterr().err


def test_a_cell_that_kills_twice_is_one_failed_cell(cluster, tmp_path, capsys):
    """A policy that ends its worker each time fails its own cells after two deaths each; the others stand."""
    suite = _with_policy(tmp_path, KILLS)
    suite = replace(suite, families=(replace(suite.families[0], seeds=(0,)),))
    run = run_suite(suite, out=tmp_path / "dask", scheduler=cluster.scheduler_address)
    table = run.table()
    bad = table["policy"].str.startswith("acting")
    assert (table.loc[bad, "status"] == "failed").all()
    assert table.loc[bad, "message"].str.contains("ended its worker").all()
    assert (table.loc[~bad, "status"] == "ok").all()
    told = capsys.readouterr().err
    assert told.count("a cell is given up") == bad.sum() == 1
    # A result that was on its way when the worker died is lost too; then the cell before is suspected first.
    assert 1 <= told.count("its work is done again") <= 2


def test_a_cell_that_kills_once_is_computed(cluster, tmp_path):
    """A death that does not happen again leaves no trace in the results."""
    suite = _with_policy(tmp_path, KILLS_ONCE.format(mark=str(tmp_path / "mark")))
    (tmp_path / "mark").touch()
    plain = run_suite(suite, out=tmp_path / "plain", backend="serial", progress=False)
    (tmp_path / "mark").unlink()
    run = run_suite(suite, out=tmp_path / "dask", scheduler=cluster.scheduler_address, progress=False)
    assert (tmp_path / "mark").exists()
    assert _kept(run) == _kept(plain)


def test_other_sources_are_refused(cluster, tmp_path, monkeypatch):
    """A worker whose kvratio is not ours is named on one line before anything runs."""
    from kvratio.suite.backends import cluster as backend

    monkeypatch.setattr(backend, "PACKAGES", ("algos", "lowerbounds"))
    monkeypatch.setattr(backend, "package_hash", lambda package: "0" * 64)
    with pytest.raises(BadParameter, match=r"worker tcp://\S+ has other sources of algos, lowerbounds than"):
        run_suite(tiny(), out=tmp_path / "dask", scheduler=cluster.scheduler_address, progress=False)


def test_nobody_at_the_address_is_one_line(tmp_path, monkeypatch):
    """An address where no scheduler answers is bad use."""
    from kvratio.suite.backends import cluster as backend

    monkeypatch.setattr(backend, "ANSWER", 0.3)
    with pytest.raises(BadParameter, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_suite(tiny(), out=tmp_path / "dask", scheduler="tcp://127.0.0.1:9", progress=False)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("ray", None, None), "backend is 'ray': choose one of serial, processes, dask"),
        (("processes", "tcp://a:1", None), "only dask has one"),
        (("dask", "tcp://a:1", 4), "the cluster there says how many"),
        (("serial", None, 2), "works in one process"),
    ],
)
def test_words_that_do_not_go_together(words, match):
    """Backend, scheduler and workers that contradict each other are one line each."""
    with pytest.raises(BadParameter, match=match):
        require_backend(*words)
    assert require_backend(None, "tcp://a:1", None) == "dask"


def test_time_limits_hold_in_threads():
    """A dask worker runs cells in a thread: the deadline is raised there too, and never after the block."""
    seen = []

    def work():
        with pytest.raises(CellTimeout, match=r"x took longer than 0\.05 s"), deadline(0.05, "x"):
            sum(time.sleep(0.001) or 0 for _ in itertools.count())
        with deadline(0.05, "y"):
            pass
        time.sleep(0.1)
        seen.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["done"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_ctrl_c_leaves_finished_cells_and_no_processes(tmp_path, backend):
    """SIGINT to a run with workers of its own ends with 130 and one line, no process stays, and the run goes on."""
    suite = tmp_path / "suite.toml"
    (tmp_path / "acting.py").write_text(SLOW.replace("0.1", "1.0") + policy(ACTING, id="acting", more=", plain=True"))
    suite.write_text(
        '[[policy]]\nid = "acting.py"\n[[family]]\nid = "uniform"\nseeds = 8\n[family.parameters]\ncount = 4\n'
        "memory = 15\nprompt = [0, 4]\noutput = [1, 8]\n"
    )
    words = [sys.executable, "-m", "kvratio.cli", "run", str(suite), "--out", str(tmp_path / "run"), "--workers", "2"]
    child = subprocess.Popen([*words, "--backend", backend], stderr=subprocess.PIPE, start_new_session=True, text=True)
    while not any(path.read_text().count("\n") > 1 for path in (tmp_path / "run").glob("results/shards/*.jsonl")):
        assert child.poll() is None
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)
    told = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "interrupted; finished cells are kept" in told
    assert "Traceback" not in told
    for _ in range(100):
        if subprocess.run(["ps", "-o", "pid=", "-s", str(child.pid)], capture_output=True, check=False).stdout == b"":
            break
        time.sleep(0.1)
    else:
        pytest.fail("a process stayed behind")
    done = run_suite(suite, out=tmp_path / "run", workers=1, progress=False)
    assert 0 < done.reused < 8
    assert done.failed == 0


BOUND_THAT_KILLS = """
import os, signal
from lowerbounds import BoundCard
def prove(inst):
    os.kill(os.getpid(), signal.SIGKILL)
CARD = BoundCard("deadly", prove=prove, title="t", about="a", source="s")
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_a_bound_that_kills_fails_the_cells_of_its_instance(tmp_path, backend):
    """Where it is the bound that ends its process, every cell on it fails after a few deaths, and the run ends."""
    (tmp_path / "deadly.py").write_text(BOUND_THAT_KILLS)
    family = {**TINY["family"][0], "seeds": 1, "bound": {"method": str(tmp_path / "deadly.py")}}
    suite = tiny(family=[family, TINY["family"][1]])
    run = run_suite(suite, out=tmp_path / "run", workers=2, backend=backend, progress=False)
    status = run.table().groupby("family")["status"].unique().map(list).to_dict()
    assert status == {"uniform": ["failed"], "blocker": ["ok"]}
    assert run.table()["message"].dropna().str.contains("ended its worker").all()
