"""Processes of this machine, which write their finished cells into the run folder themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kvratio.suite.backends.backend import Outcome
from kvratio.suite.cell import Built, Unit, build_instance, in_flight, keep_log, last_words, run_unit, warm
from kvratio.suite.deadline import TIMEOUT, hard_limit
from kvratio.suite.plan import InstanceSpec
from kvratio.suite.progress import Reporter
from kvratio.suite.store import RunFolder
from kvratio.suite.workers import WorkerDied, alone, parallel

KILLED = "instance not built: building it ended its process (out of memory, a crash, or stuck in compiled code)"


class Processes:
    """A pool of processes; after a death the cells that were in flight are run again one at a time.

    Parameters
    ----------
    workers : int
    own : bool
        Whether users' code may run: then even one worker is a process of its own, and has a hard time limit.
    told : Reporter
        Hears of deaths.
    """

    name = "processes"

    def __init__(self, workers: int, own: bool, told: Reporter) -> None:
        self.workers, self._own, self._told = workers, own, told

    def warm(self, tasks: Sequence[tuple[str, str]]) -> Iterator[None]:
        """Compile, spread over the workers; the machine code then lies on disk for all."""
        yield from parallel(warm, tasks, self.workers)

    def build(self, specs: Sequence[InstanceSpec], seconds: float, folder: RunFolder) -> Iterator[tuple[int, Built]]:
        """Build in the pool; if a worker dies, the rest one at a time."""
        logs = folder.in_flight.absolute() if self._own else None
        tasks = {k: (k, spec, seconds, logs) for k, spec in enumerate(specs)}
        try:
            for k, built in parallel(build_numbered, list(tasks.values()), self.workers, self._own):
                del tasks[k]
                yield k, built
        except WorkerDied:
            self._told.note("a worker process died building an instance: going on with the others one at a time")
        for k in sorted(tasks):
            try:
                yield alone(build_numbered, *tasks[k])
            except WorkerDied:
                yield k, Built(specs[k], None, KILLED, last_words(folder.in_flight, f"building-{k}"))

    def judge(self, units: Sequence[Unit], folder: RunFolder) -> Iterator[list[Outcome]]:
        """Work out units in the pool; if a worker dies, those in flight alone, then the rest in a new pool."""
        # Compiled code of a user's may never return, or crash: then it must not run in this process.
        isolated = self.workers > 1 or self._own
        left = list(units)
        while left:
            try:
                tasks = [(unit, str(folder.path.absolute()), isolated) for unit in left]
                yield from parallel(run_unit, tasks, self.workers, self._own)
                return
            except WorkerDied:
                self._told.note("a worker process died: going on with the cells in flight one at a time")
            suspects = set(in_flight(folder.in_flight))
            finished = set(folder.finished())
            rest = [unit for unit in (_without(u, finished) for u in left) if unit.jobs]
            left = [unit for unit in rest if not _in_flight_of(unit, suspects)]
            _forget(folder, suspects)
            for unit in rest:
                if _in_flight_of(unit, suspects):
                    yield self._alone(unit, suspects, folder)

    def _alone(self, unit: Unit, suspects: set[str], folder: RunFolder) -> list[Outcome]:
        """Run a unit in a process of its own, again and again, marking the cell that ended it each time."""
        dead, words = _timed_out(unit, suspects, folder)
        while True:
            try:
                return alone(run_unit, replace(unit, dead=dead, last_words=words), str(folder.path.absolute()), True)
            except WorkerDied:
                marks = in_flight(folder.in_flight)
                _forget(folder, marks)
                killers = _in_flight_of(unit, marks)
                if not killers or set(killers) <= set(dead):
                    killers = tuple(job.cell for job in unit.jobs)  # it died outside of all: no cell can be judged
                dead = (*dead, *killers)
                told_last = last_words(folder.in_flight, unit.name)
                words = {**dict.fromkeys(killers, told_last), **words}

    def close(self) -> None:
        """The pool ends with this process, or when it has been idle."""


def build_numbered(number: int, spec: InstanceSpec, seconds: float, logs: Path | None) -> tuple[int, Built]:
    """Build an instance and keep its number, since workers finish in any order.

    Where users' code may run, ``logs`` is the folder for the last words of a process that must be ended.
    """
    if logs is None:
        return number, build_instance(spec, seconds)
    with keep_log(logs, f"building-{number}") as log, hard_limit(2 * seconds + 10, log):
        return number, build_instance(spec, seconds)


def _timed_out(unit: Unit, suspects: set[str], folder: RunFolder) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the cells of a unit that used up the hard limit, with their last words: they need no second trial."""
    told_last = last_words(folder.in_flight, unit.name)
    if not told_last.startswith(TIMEOUT):
        return (), {}
    killers = _in_flight_of(unit, suspects)
    return killers, dict.fromkeys(killers, told_last)


def _in_flight_of(unit: Unit, marks: Iterable[str]) -> tuple[str, ...]:
    """Return the cells of a unit that were in flight; all of them, where it was the bound that they share."""
    found = set(marks)
    return tuple(job.cell for job in unit.jobs if job.cell in found or unit.bound_mark in found)


def _without(unit: Unit, finished: Iterable[str]) -> Unit:
    """Return what is left of a unit; all of it where its certificate needs every schedule."""
    found = set(finished)
    left = tuple(job for job in unit.jobs if job.cell not in found)
    return replace(unit, jobs=unit.jobs if left and unit.certificates else left)


def _forget(folder: RunFolder, cells: Iterable[str]) -> None:
    for cell in cells:
        (folder.in_flight / cell).unlink(missing_ok=True)


__all__ = ["Processes"]
