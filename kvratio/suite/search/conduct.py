"""The search itself: islands that evolve apart, meet now and then, and start afresh when they stand still."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.suite.search.island import Island, Task, evolve
from kvratio.suite.search.target import EPOCH
from kvratio.suite.workers import parallel, worker_count

#: populations, whatever the number of workers: so that the number of workers changes no byte
ISLANDS = 4
#: epochs without progress after which an island starts afresh; the leading island is given three times as many
STALE = 12
#: every so many epochs an island's best visits the next island
VISITS = 5
#: requests for which the epochs of `EPOCH` are meant
USUAL = 8
#: candidates kept of each island that starts afresh
KEPT = 3


@dataclass(frozen=True)
class Report:
    """What is told between epochs.

    Attributes
    ----------
    seconds : float
    screened : int
        Candidates so far.
    ratio : float
        Best proven ratio so far; 0 while nothing is known.
    best : Instance or None
    """

    seconds: float
    screened: int
    ratio: float
    best: Instance | None


@dataclass
class Outcome:
    """What a search found.

    Attributes
    ----------
    leaders : list of Instance
        Best first; different ratios.
    ratios : list of Fraction
        Proven ratio of each.
    screened : int
    seconds : float
    history : list of (float, int, float)
        Seconds, candidates and ratio at each improvement.
    stopped : str
        ``time``, ``work`` or ``asked``.
    """

    leaders: list[Instance] = field(default_factory=list)
    ratios: list[Fraction] = field(default_factory=list)
    screened: int = 0
    seconds: float = 0.0
    history: list[tuple[float, int, float]] = field(default_factory=list)
    stopped: str = "time"


@dataclass
class _Archipelago:
    """The islands between epochs, and the best of those that were given up."""

    task: Task
    islands: list[Island]
    best: list[Fraction]
    age: list[int]
    kept: dict[tuple[int, int], tuple[Fraction, Instance]] = field(default_factory=dict)

    def remember(self, island: Island) -> None:
        """Keep the leaders of an island."""
        for k in range(min(KEPT, len(island.cost))):
            cost, upper = int(island.cost[k]), int(island.upper[k])
            self.kept.setdefault((cost, upper), (Fraction(cost, upper), self.instance(island, k)))

    def instance(self, island: Island, k: int) -> Instance:
        return island.pool.instance(k, self.task.predicted)

    def leaders(self) -> list[tuple[Fraction, Instance]]:
        """Best first; of equal ratios the smaller instance."""
        return sorted(self.kept.values(), key=lambda pair: (-pair[0], pair[1].n, pair[1].memory, pair[1].key))


def conduct(
    task: Task,
    time_limit: float | None = 60.0,
    work_limit: int | None = None,
    workers: int | None = None,
    guests: Sequence[Instance] = (),
    report: Callable[[Report], None] | None = None,
    asked: Callable[[], bool] | None = None,
) -> Outcome:
    """Search until time or work is used up, or until asked to stop.

    Parameters
    ----------
    task : Task
    time_limit : float, optional
        Seconds. Where it ends the search, the result depends on the machine.
    work_limit : int, optional
        Candidates in all. Where it ends the search, equal calls give equal bytes for any number of workers.
    workers : int, optional
        Processes; default: all cores.
    guests : sequence of Instance
        Known traps, given to the first island; the others begin at random.
    report : callable, optional
        Told after each epoch.
    asked : callable, optional
        Whether to stop now and keep what there is.
    """
    if time_limit is None and work_limit is None:
        raise BadParameter("search: give a time limit or a work limit")
    if work_limit is not None and work_limit < ISLANDS:
        raise BadParameter(f"search: work_limit is {work_limit}: give at least {ISLANDS} candidates")
    begun = time.monotonic()
    world = _Archipelago(task, [Island.empty(i, task.space.n) for i in range(ISLANDS)], [Fraction(0)] * ISLANDS,
                         [0] * ISLANDS)  # fmt: skip
    found, epoch = Outcome(), 0
    end = None if time_limit is None else begun + time_limit
    usual = max(64, EPOCH[task.target.pace] * USUAL // max(USUAL, task.space.n))
    while True:
        left = usual if work_limit is None else min(usual, (work_limit - found.screened) // ISLANDS)
        if left <= 0:
            found.stopped = "work"
            break
        _epoch(world, epoch, left, worker_count(workers), guests, end)
        found.screened += sum(island.screened for island in world.islands)
        found.seconds = time.monotonic() - begun
        leaders = world.leaders()
        ratio = leaders[0][0] if leaders else Fraction(0)
        if not found.history or ratio > found.history[-1][2]:
            found.history.append((found.seconds, found.screened, float(ratio)))
        if report is not None:
            report(Report(found.seconds, found.screened, float(ratio), leaders[0][1] if leaders else None))
        epoch += 1
        if asked is not None and asked():
            found.stopped = "asked"
            break
        if time_limit is not None and found.seconds >= time_limit:
            break
    found.leaders = [inst for _, inst in world.leaders()]
    found.ratios = [ratio for ratio, _ in world.leaders()]
    return found


def _epoch(
    world: _Archipelago,
    epoch: int,
    candidates: int,
    workers: int,
    guests: Sequence[Instance],
    end: float | None,
) -> None:
    """Let every island evolve once, then look who stands still."""
    top = max(world.best)
    tasks = []
    for k, island in enumerate(world.islands):
        stale = world.age[k] >= STALE * (3 if world.best[k] == top else 1)
        if stale:
            world.best[k], world.age[k] = Fraction(0), 0
        visit: list[Instance] = list(guests) if epoch == 0 and k == 0 else []
        before = world.islands[k - 1]
        if not stale and world.age[k] and epoch % VISITS == 0 and len(before.cost):
            visit.append(world.instance(before, 0))
        tasks.append((world.task, island, epoch, candidates, visit, stale, end))
    for island in _run(tasks, workers):
        k = island.number
        world.islands[k] = island
        world.remember(island)
        world.age[k] = 0 if island.ratio > world.best[k] else world.age[k] + 1
        world.best[k] = max(world.best[k], island.ratio)


def _run(tasks: Sequence[tuple[Any, ...]], workers: int) -> list[Island]:
    """Run one epoch of every island; in order of their numbers."""
    return sorted(parallel(_evolve_quietly, tasks, workers), key=lambda island: island.number)


def _evolve_quietly(
    task: Task, island: Island, epoch: int, candidates: int, visit: Any, fresh: bool, end: float | None
) -> Island:
    """Evolve in a worker, which leaves Ctrl-C to the parent."""
    import multiprocessing
    import threading

    if multiprocessing.parent_process() is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return evolve(task, island, epoch, candidates, visit, fresh, end)
