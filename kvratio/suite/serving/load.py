"""What arrives in an experiment: a workload drawn anew in every replication, or windows of a recorded trace."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from instances.traces.locate import find_trace
from instances.workloads.lengths import Table
from instances.workloads.load import Workload
from instances.workloads.renewal import ARRIVAL_KINDS, scaled_times
from instances.workloads.varying import Sinusoid
from kvratio.problem.errors import BadParameter, TraceError, UnknownName
from kvratio.problem.requests import Requests
from kvratio.suite.serving.hardware import Hardware
from stability.fluid import Equilibrium, equilibrium

#: recorded times in windows one after another, one window a replication
REPLAY = "replay"


@dataclass(frozen=True)
class Load:
    """A source of requests at any rate.

    Parameters
    ----------
    name : str
    workload : Workload
        What is drawn; of a trace, its pairs of lengths.
    recorded : Requests, optional
        A trace with its times.
    kind : str
        ``poisson``, ``gamma``, ``deterministic``; with a trace also ``replay``: replication k is its k-th window of n
        requests, its time axis scaled to the rate.
    cv : float, optional
        Of gamma gaps.
    prediction_error : float
        e in predictions ``o * U[1-e, 1+e]`` of drawn requests.
    swing, period : float
        The rate goes up and down by this share of itself, once in so many seconds (`Sinusoid`); 0: constant.
    """

    name: str
    workload: Workload
    recorded: Requests | None = None
    kind: str = "poisson"
    cv: float | None = None
    prediction_error: float = 0.0
    swing: float = 0.0
    period: float = 600.0

    def __post_init__(self) -> None:
        known = (*ARRIVAL_KINDS[:-1], REPLAY)
        if self.kind not in known:
            raise UnknownName(f"arrivals {self.kind!r} are not known: choose one of {', '.join(known)}")
        if self.kind == REPLAY and self.recorded is None:
            raise BadParameter(f"{self.name}: only a trace can be replayed: choose poisson, gamma or deterministic")
        if self.kind == REPLAY and self.prediction_error:
            raise BadParameter(f"{self.name}: a replayed trace brings its predictions: drop the prediction error")
        if self.kind == REPLAY and self.swing:
            raise BadParameter(f"{self.name}: a replayed trace brings its times: drop the swing")
        self._pace(1.0)  # a swing or period without meaning is told before anything runs

    @property
    def replayed(self) -> bool:
        """Whether recorded times are used."""
        return self.kind == REPLAY

    def draw(self, rate: float, n: int, seed: int, replication: int, backlog: int = 0) -> Requests:
        """Return the requests of one replication.

        Parameters
        ----------
        rate : float
            Requests per second. Draws at other rates are the same but for a stretched time axis.
        n : int
            Requests that arrive.
        seed, replication : int
            A drawn load uses the seed ``seed + replication``; a replayed one takes window ``replication``.
        backlog : int
            Requests more that wait at time 0.

        Raises
        ------
        BadParameter
            A replayed trace is too short for the window.
        """
        if not self.replayed:
            pace, error = self._pace(rate), self.prediction_error
            return self.workload.draw(n, seed + replication, pace, self.kind, self.cv, backlog, error)
        window = self._window(n, replication)
        times = scaled_times(window.arrival, rate)
        if not backlog:
            return replace(window, arrival=times)
        first = self.workload.draw(backlog, seed + replication, 1.0)
        return Requests(
            np.concatenate((first.prompt, window.prompt)),
            np.concatenate((first.output, window.output)),
            np.concatenate((np.zeros(backlog), times)),
            name=window.name,
            info=window.info,
        )

    def _pace(self, rate: float) -> float | Sinusoid:
        return rate if self.swing == 0 else Sinusoid(rate, self.swing, self.period)

    def windows(self, n: int) -> int | None:
        """How many windows of n requests there are; None: as many as one likes."""
        return None if not self.replayed or self.recorded is None else self.recorded.n // n

    def _window(self, n: int, replication: int) -> Requests:
        recorded = self.recorded
        assert recorded is not None
        if (replication + 1) * n > recorded.n:
            raise BadParameter(
                f"{self.name} has {recorded.n} requests, but window {replication + 1} of {n} ends at "
                f"{(replication + 1) * n}: take fewer requests or replications, or draw lengths with poisson arrivals"
            )
        rows = slice(replication * n, (replication + 1) * n)
        return Requests(
            recorded.prompt[rows],
            recorded.output[rows],
            recorded.arrival[rows] - recorded.arrival[rows.start],
            predicted=recorded.predicted[rows],
            tenant=recorded.tenant[rows],
            name=recorded.name,
            info=recorded.info,
        )

    @cached_property
    def mean_tokens(self) -> float:
        """E[l + o] over the mix, tokens."""
        weight = np.array([kind.rate for kind in self.workload.mix])
        tokens = np.array([kind.prompt + kind.output for kind in self.workload.mix])
        return float(weight @ tokens / weight.sum())

    def fluid(self, hardware: Hardware, rate: float = 1.0) -> Equilibrium:
        """Return the fluid equilibrium at a rate; types that never fit into memory are left out, as they are refused.

        Raises
        ------
        BadParameter
            No type fits.
        """
        mix = self.workload.at(rate).mix
        fits = tuple(kind for kind in mix if kind.prompt + kind.output <= hardware.memory)
        if not fits:
            raise BadParameter(
                f"{self.name}: no request fits into a memory of {hardware.memory} tokens: take it larger"
            )
        return equilibrium(fits, hardware.clock, hardware.memory)

    def fluid_limit(self, hardware: Hardware) -> float:
        """Return the largest rate of the whole mix that the fluid model calls stable, requests per second."""
        found = self.fluid(hardware)
        return found.r_c / found.rate


def open_load(
    source: str | Path | Workload | Requests | Load,
    kind: str | None = None,
    cv: float | None = None,
    prediction_error: float = 0.0,
    swing: float = 0.0,
    period: float = 600.0,
) -> Load:
    """Open a workload by name, a trace by name or path, or what a caller has at hand.

    Parameters
    ----------
    source : str, path, Workload, Requests or Load
    kind, cv, prediction_error, swing, period
        See `Load`. Kind by default: recorded times of a trace, else ``gamma`` where cv is given, else ``poisson``.

    Raises
    ------
    UnknownName
        Neither a workload nor a trace of that name.
    """
    if isinstance(source, Load):
        return source
    if isinstance(source, (str, Path)):
        source = _named(source)
    drawn = "poisson" if cv is None else "gamma"
    if isinstance(source, Workload):
        return Load(source.name or "workload", source, None, kind or drawn, cv, prediction_error, swing, period)
    chosen = kind or (REPLAY if cv is None and not prediction_error and not swing else drawn)
    name = source.name or "trace"
    return Load(name, as_workload(source, name), source, chosen, cv, prediction_error, swing, period)


def as_workload(recorded: Requests, name: str) -> Workload:
    """Return the workload that draws pairs of lengths of recorded requests with replacement."""
    return Workload(rate=1.0, name=name, lengths=Table(recorded.prompt, recorded.output))


def _named(source: str | Path) -> Workload | Requests:
    from instances.workloads.catalogue import workload, workload_names
    from instances.workloads.replay import from_trace

    if str(source) in workload_names():
        return workload(str(source), rate=1.0)
    try:
        find_trace(source)
    except TraceError as fault:
        near = difflib.get_close_matches(str(source), workload_names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"workloads are {', '.join(workload_names())}; {fault}"
        raise UnknownName(f"no workload and no trace {str(source)!r}: {hint}") from None
    return from_trace(source)
