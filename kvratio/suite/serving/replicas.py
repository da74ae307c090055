"""Several equal workers behind a router."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from algos.serving import simulate
from algos.serving.run import automatic_cut
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.requests import IntArray, Requests
from kvratio.problem.seeds import stream
from kvratio.problem.service import Run
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.contender import contender
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.measure import Measure, measure
from kvratio.suite.serving.worker import Worker, merged, part, restricted, shared_types

#: how requests are sent: in turn; by chance; where fewest tokens are held or waited for
ROUTERS = ("round_robin", "random", "least_memory")


@dataclass(frozen=True, eq=False)
class Replicas:
    """Runs of several workers on one arrival sequence.

    Attributes
    ----------
    router : str
    assigned : int64[n]
        Worker of each request.
    workers : tuple of int
        Those that got a request.
    runs : tuple of Run
        Of each of these, on its own requests.
    together : Run
        All requests, as if of one worker with all the memory; its busy seconds are the mean over workers.
    """

    router: str
    assigned: IntArray
    workers: tuple[int, ...]
    runs: tuple[Run, ...]
    together: Run

    def measure(self, **options: Any) -> Measure:
        """Return the metrics of all requests; iterations and peak memory are those of a worker. See `measure`."""
        found = measure(self.together, **options)
        iterations = sum(run.counters["iterations"] for run in self.runs)
        busy = sum(run.busy for run in self.runs)
        return replace(
            found,
            mean_iteration=busy / iterations if iterations else math.nan,
            memory_peak=max(run.counters["peak_footprint"] / run.memory for run in self.runs),
        )


def serve_replicas(
    requests: Requests,
    policy: str | PolicySpec,
    hardware: Hardware | str | None = None,
    replicas: int = 2,
    router: str = "round_robin",
    *,
    eviction: str | None = None,
    seed: int = 0,
    cut: float | None = None,
    log: bool = False,
) -> Replicas:
    """Serve requests by several equal workers.

    Parameters
    ----------
    requests : Requests
        Policies that are told the mix are told that of one worker: rates divided by the number of workers.
    policy : str or PolicySpec
    hardware : Hardware or str, optional
        Of each worker.
    replicas : int
    router : {"round_robin", "random", "least_memory"}
        ``least_memory`` sends a request, when it arrives, to the worker with the fewest tokens: footprint of its
        residents (at the end of the iteration under way) and prompts of those that wait; ties: the first worker.
    eviction : str, optional
        Default: the policy's.
    seed : int
        Of the random router.
    cut : float, optional
        Seconds at which the world stops. Default: every worker's own, as in `simulate`.
    log : bool
        Whether every worker's iterations are written down.

    Returns
    -------
    Replicas

    Raises
    ------
    UnknownName, BadParameter
        No such router; replicas below 1.
    """
    if router not in ROUTERS:
        raise UnknownName(f"router {router!r} is not known: choose one of {', '.join(ROUTERS)}")
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 1:
        raise BadParameter(f"replicas is {replicas!r}: give a whole number of workers, 1 or more")
    spec, machine = contender(policy, eviction), Hardware.of(hardware)
    told = shared_types(requests, replicas)
    if router == "least_memory":
        assigned, runs = _jointly(told, spec, machine, replicas, cut, log)
    else:
        assigned = _split(requests.n, replicas, router, seed)
        runs = [_alone(told, np.flatnonzero(assigned == k), spec, machine, cut, log) for k in range(replicas)]
    parts = [(np.flatnonzero(assigned == k), run) for k, run in enumerate(runs) if run is not None]
    busy = tuple(k for k, run in enumerate(runs) if run is not None)
    return Replicas(router, assigned, busy, tuple(run for _, run in parts), merged(requests, parts, replicas))


def _split(n: int, replicas: int, router: str, seed: int) -> IntArray:
    """Return the worker of each request, decided up front."""
    if router == "round_robin":
        return np.arange(n, dtype=np.int64) % replicas
    return stream("router", seed).integers(0, replicas, n)


def _alone(
    told: Requests, mine: IntArray, policy: PolicySpec, hardware: Hardware, cut: float | None, log: bool
) -> Run | None:
    """Serve the requests of one worker; None where it gets none."""
    if not len(mine):
        return None
    return simulate(
        part(told, mine), policy.id, hardware.clock, hardware.memory, policy.eviction, cut=cut, block=hardware.block,
        log=log, gaps=True, **policy.parameters,
    )  # fmt: skip


def _jointly(
    told: Requests, policy: PolicySpec, hardware: Hardware, replicas: int, cut: float | None, log: bool
) -> tuple[IntArray, list[Run | None]]:
    """Advance all workers to each arrival, and send it where fewest tokens are."""
    workers = [Worker(told, policy, hardware, log) for _ in range(replicas)]
    assigned = np.zeros(told.n, np.int64)
    until = math.inf if cut is None else cut
    for i, arrival in enumerate(told.arrival.tolist()):
        for worker in workers:
            worker.machine.advance(arrival, until)
        chosen = min(range(replicas), key=lambda k: (workers[k].load(), k))
        assigned[i] = chosen
        for k, worker in enumerate(workers):
            worker.feed(here=k == chosen)
    if cut is None:
        until = automatic_cut(workers[0].machine.case)
    runs: list[Run | None] = []
    for k, worker in enumerate(workers):
        worker.finish(until)
        mine = np.flatnonzero(assigned == k)
        runs.append(restricted(worker.machine.run(), mine) if len(mine) else None)
    return assigned, runs
