"""One run of the serving model with its metrics: what `kvratio serve` shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algos.serving import simulate
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from kvratio.problem.service import Run
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load
from kvratio.suite.serving.measure import Measure, measure
from kvratio.suite.serving.misfit import refuse_misfits
from kvratio.suite.serving.trial import Measuring

#: requests of a drawn run that names no number
REQUESTS = 5000


@dataclass(frozen=True, eq=False)
class Served:
    """One run, or the runs of several replicas, with metrics.

    Attributes
    ----------
    runs : tuple of Run
        One per replica that got a request.
    workers : tuple of int
        Which replicas these are.
    together : Run
        All requests.
    measured : Measure
    about : dict
        What was run.
    """

    runs: tuple[Run, ...]
    workers: tuple[int, ...]
    together: Run
    measured: Measure
    about: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """Return what was run and what was measured, plain data."""
        run, found = self.together, self.measured
        row = found.row()
        row |= {"lower_bound": found.lower_bound, "seconds": run.end, "iterations": run.counters["iterations"]}
        row |= {"evictions": run.counters["evictions"], "cut": run.cut}
        return {**self.about, **row}

    def save_logs(self, folder: Path, form: str) -> list[Path]:
        """Write the logs of requests and iterations: of several replicas each into a folder of its own."""
        if "replicas" not in self.about:
            return self.runs[0].save_logs(folder, form)
        both = zip(self.workers, self.runs, strict=True)
        return [path for k, run in both for path in run.save_logs(folder / f"replica{k}", form)]


def requests_of(load: Load, rate: float | None, n: int | None, seed: int, backlog: int) -> Requests:
    """Return the requests of one run; a replayed trace without a rate keeps its recorded times.

    Raises
    ------
    BadParameter
        A drawn load without a rate.
    """
    if load.replayed and load.recorded is not None:
        size = min(load.recorded.n if n is None else n, load.recorded.n)
        span = float(load.recorded.arrival[size - 1] - load.recorded.arrival[0])
        as_recorded = (size - 1) / span if span > 0 else 1.0
        return load.draw(as_recorded if rate is None else rate, size if n is None else n, seed, 0, backlog)
    if rate is None:
        raise BadParameter(f"{load.name}: no rate: give --rate, requests per second")
    return load.draw(rate, REQUESTS if n is None else n, seed, 0, backlog)


def serve_once(
    load: Load,
    policy: PolicySpec,
    hardware: Hardware,
    *,
    rate: float | None = None,
    n: int | None = None,
    seed: int = 0,
    backlog: int = 0,
    replicas: int = 1,
    router: str = "round_robin",
    users: int | None = None,
    think: float = 1.0,
    cut: float | None = None,
    log: bool = False,
    measuring: Measuring | None = None,
) -> Served:
    """Serve requests by one policy, and measure.

    Parameters
    ----------
    load : Load
    policy : PolicySpec
    hardware : Hardware
        Of each worker.
    rate : float, optional
        Requests per second. Default: as recorded.
    n : int, optional
        Requests. Default: 5000; of a replayed trace all.
    seed : int
    backlog : int
        Requests more that wait at time 0.
    replicas, router
        See `serve_replicas`.
    users : int, optional
        Closed loop: so many users instead of a rate (`serve_closed_loop`).
    think : float
        Their mean think time, seconds.
    cut : float, optional
        Seconds at which the run stops.
    log : bool
        Whether iterations are logged, on every worker.
    measuring : Measuring, optional

    Raises
    ------
    UnknownName, BadParameter
    """
    refuse_misfits(load, [policy], hardware)
    if users is not None:
        return _served_in_a_loop(load, policy, hardware, users, think, n, seed, log, vars(measuring or Measuring()))
    requests = requests_of(load, rate, n, seed, backlog)
    options = vars(measuring or Measuring())
    about = {"workload": load.name, "arrivals": load.kind, "rate": _rate_of(requests, rate), "policy": policy.label}
    about |= {"eviction": policy.eviction, "preset": hardware.name, "memory": hardware.memory, "seed": seed}
    if replicas != 1:
        return _served_by_several(
            requests, policy, hardware, replicas, router, seed, cut, log, options, {**about, "replicas": replicas}
        )
    run = simulate(
        requests, policy.id, hardware.clock, hardware.memory, policy.eviction, cut=cut, block=hardware.block, log=log,
        gaps=True, **policy.parameters,
    )  # fmt: skip
    return Served((run,), (0,), run, measure(run, **options), {**about, "settings": dict(run.params)})


def _served_in_a_loop(
    load: Load,
    policy: PolicySpec,
    hardware: Hardware,
    users: int,
    think: float,
    n: int | None,
    seed: int,
    log: bool,
    options: dict[str, Any],
) -> Served:
    from kvratio.suite.serving.closed_loop import serve_closed_loop

    found = serve_closed_loop(load, policy, hardware, users, think, REQUESTS if n is None else n, seed=seed, log=log)
    about = {"workload": load.name, "arrivals": "closed loop", "users": users, "think": think, "stalled": found.stalled}
    about |= {"rate": found.cycle_rate, "policy": policy.label, "eviction": policy.eviction, "preset": hardware.name}
    about |= {"memory": hardware.memory, "seed": seed, "settings": dict(found.run.params)}
    return Served((found.run,), (0,), found.run, measure(found.run, **options), about)


def _served_by_several(
    requests: Requests,
    policy: PolicySpec,
    hardware: Hardware,
    replicas: int,
    router: str,
    seed: int,
    cut: float | None,
    log: bool,
    options: dict[str, Any],
    about: dict[str, Any],
) -> Served:
    from kvratio.suite.serving.replicas import serve_replicas

    found = serve_replicas(requests, policy, hardware, replicas, router, seed=seed, cut=cut, log=log)
    about |= {"router": router, "settings": dict(found.runs[0].params)}
    return Served(found.runs, found.workers, found.together, found.measure(**options), about)


def _rate_of(requests: Requests, rate: float | None) -> float:
    """Return the rate that was asked for, or the one that recorded times have."""
    return rate if rate is not None else (requests.n - 1) / max(requests.last_arrival, 1e-12)
