"""A dask cluster: one that runs at an address, or one of processes on this machine, started and ended here.

Units travel with the instance and with users' sources; rows, schedules and certificates come back, and this process
alone writes the run folder. So workers share no disk with it. They need kvratio itself, of the same sources.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.suite.backends.backend import Outcome
from kvratio.suite.backends.crew import Crew, CrewFault, Errand
from kvratio.suite.cell import (
    Built,
    Denominator,
    Job,
    Judged,
    Unit,
    build_instance,
    cheapest,
    denominator,
    judge,
    keep_certificate,
    warm,
)
from kvratio.suite.deadline import hard_limit
from kvratio.suite.identity import PACKAGES, package_hash
from kvratio.suite.plan import InstanceSpec
from kvratio.suite.progress import Reporter
from kvratio.suite.store import RunFolder

#: instances that are built in one errand
TOGETHER = 16
#: seconds in which a scheduler must answer
ANSWER = 20.0
KILLED = "instance not built: building it ended its worker twice (out of memory, a crash, or stuck in compiled code)"


class Dask:
    """A client of dask.distributed.

    Parameters
    ----------
    workers : int
        Processes of the local cluster; with an address the cluster says how many there are.
    scheduler : str, optional
        Address such as ``tcp://10.0.0.1:8786``; default: a cluster on this machine.
    told : Reporter

    Raises
    ------
    BadParameter
        dask is not installed, nobody answers at the address, or a worker has other sources of kvratio.
    """

    name = "dask"

    def __init__(self, workers: int, scheduler: str | None, told: Reporter) -> None:
        self._told, self._cluster, self._scratch = told, None, None
        distributed = _distributed()
        if scheduler is None:
            self._cluster, self._scratch = _local(distributed, workers)
        try:
            self._client = distributed.Client(self._cluster or scheduler, timeout=ANSWER, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as fault:
            raise BadParameter(
                f"no dask scheduler answers at {scheduler}: start one with dask scheduler, or leave --scheduler out"
            ) from fault
        if scheduler is None:
            self._client.register_plugin(_deaf(distributed))
        self._crew = Crew(self._client, told.note)
        self._require_equal_sources()
        threads = self._client.nthreads()
        self.workers = max(len(threads), 1)
        if any(count > 1 for count in threads.values()):
            told.note("some workers have several threads, of which one is used: start them with --nthreads 1")

    def _require_equal_sources(self) -> None:
        self._client.wait_for_workers(1)
        here = _sources()
        found = self._client.run(_sources, on_error="return")
        for address, there in found.items():
            if isinstance(there, BaseException):
                self.close()
                raise BadParameter(f"worker {address} cannot load kvratio ({there}): install this version of it there")
            other = [name for name in here if there.get(name) != here[name]]
            if other:
                self.close()
                raise BadParameter(
                    f"worker {address} has other sources of {', '.join(other)} than this process: install these"
                )

    def warm(self, tasks: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Compile everything once on every machine of the cluster."""
        hosts: dict[str, int] = defaultdict(int)
        for address in self._client.nthreads():
            hosts[address.rpartition(":")[0].rpartition("/")[2]] += 1
        left = {task: len(hosts) for task in tasks}
        for result in self._crew.run(Errand(t, ((0, t),), warm, host=host) for host in hosts for t in tasks):
            left[result.errand.name] -= 1
            if not left[result.errand.name]:
                yield

    def build(self, specs: Sequence[InstanceSpec], seconds: float, folder: RunFolder) -> Iterator[tuple[int, Built]]:
        """Build families on the workers; traces are files of this machine and are read here."""
        traces = [k for k, spec in enumerate(specs) if spec.family.kind == "trace"]
        for k in traces:
            yield k, build_instance(specs[k], seconds)
        digest = _digest()
        steps = [(k, (digest, specs[k], seconds)) for k in sorted(set(range(len(specs))) - set(traces))]
        errands = (Errand(at, tuple(steps[at : at + TOGETHER]), _build) for at in range(0, len(steps), TOGETHER))
        for result in self._crew.run(errands):
            built = Built(specs[result.step], None, KILLED) if result.killed else result.value
            yield result.step, built

    def judge(self, units: Sequence[Unit], folder: RunFolder) -> Iterator[list[Outcome]]:
        """Bound each unit on one worker, run its policies there, and keep what comes back cell by cell."""
        digest = _digest()
        open_units = {k: _Open(unit) for k, unit in enumerate(units)}
        errands = (
            Errand(k, tuple((j, (j,)) for j in range(len(unit.jobs))), _judge, _bound, (digest, unit))
            for k, unit in enumerate(units)
        )
        with folder.journal() as journal:
            for result in self._crew.run(errands):
                current = open_units[result.errand.name]
                job = current.unit.jobs[result.step]
                judged, known = result.value or (current.killed(job), None)
                if judged.schedule is not None:
                    folder.keep_schedule(job.cell, judged.schedule)
                if current.last(judged, known):
                    # Before the last row: a run that is killed here does the unit, and the certificate, again.
                    keep_certificate(folder, current.unit, current.known, current.best)
                    del open_units[result.errand.name]
                journal.add(judged.row)
                yield [(job.cell, judged.row["status"] != "ok")]

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        if self._scratch is not None:
            self._scratch.cleanup()


class _Open:
    """A unit of which cells are missing."""

    def __init__(self, unit: Unit) -> None:
        self.unit, self.known, self._left = unit, Denominator(None), len(unit.jobs)
        self.best: Any = None
        self._shown: dict[str, Any] = {}

    def killed(self, job: Job) -> Judged:
        """Return the row of a cell that ended its worker."""
        return judge(job, replace(self.unit, dead=(job.cell,)), Denominator(None), None)

    def last(self, judged: Judged, known: Denominator | None) -> bool:
        """Take a result in; return whether it was the last of the unit."""
        if known is not None:
            self.known = known
        self._shown[judged.row["cell"]] = judged.without_kills
        self._left -= 1
        if self._left:
            return False
        self.best = self.known.best
        for job in self.unit.jobs:  # in the order of the unit, since the first of equal schedules is kept
            self.best = cheapest(self.best, self._shown[job.cell], self.unit.objective)
        return True


# -- in the worker ------------------------------------------------------------------------------------------------
def _bound(digest: str, unit: Unit) -> tuple[Unit, Denominator]:
    _require(digest)
    with open(os.devnull, "w") as log:
        return unit, denominator(unit, log)


def _judge(head: tuple[Unit, Denominator], number: int) -> tuple[Judged, Denominator | None]:
    """Judge one cell; the bound comes back where its certificate is wanted, with the last cell."""
    unit, known = head
    with open(os.devnull, "w") as log:
        judged = judge(unit.jobs[number], unit, known, log)
    if not unit.certificates:
        return replace(judged, without_kills=None), None
    return judged, known


def _build(digest: str, spec: InstanceSpec, seconds: float) -> Built:
    _require(digest)
    with open(os.devnull, "w") as log, hard_limit(2 * seconds + 10, log):
        return build_instance(spec, seconds)


def _require(digest: str) -> None:
    """Raise in a worker that came later, with other sources."""
    if _digest() != digest:
        raise CrewFault("it has other sources of kvratio than the client: install the same there")


def _sources() -> dict[str, str]:
    return {package: package_hash(package) for package in PACKAGES}


def _digest() -> str:
    return " ".join(_sources().values())


# -- the local cluster --------------------------------------------------------------------------------------------
def _distributed() -> Any:
    try:
        import dask
        import distributed
    except ImportError as fault:
        raise BadParameter("--backend dask needs dask.distributed: pip install 'kvratio[dask]'") from fault
    # A cell may hold the interpreter for minutes; its worker is not lost because of that.
    dask.config.set({"distributed.scheduler.worker-ttl": None})
    return distributed


def _local(distributed: Any, workers: int) -> tuple[Any, Any]:
    scratch = tempfile.TemporaryDirectory(prefix="kvratio-dask-", ignore_cleanup_errors=True)
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",
        local_directory=scratch.name,
        silence_logs=logging.CRITICAL,
    )
    return cluster, scratch


def _deaf(distributed: Any) -> Any:
    """Return a plugin that makes workers on this machine deaf to Ctrl-C, which is meant for the client alone."""

    class Deaf(distributed.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()


__all__ = ["Dask"]
