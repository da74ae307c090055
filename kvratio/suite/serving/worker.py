"""One worker whose requests become known one by one: what routers and closed loops read of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from algos.serving import registry
from algos.serving.advance import COMPLETED
from algos.serving.machine import Machine
from algos.serving.run import make_case
from kvratio.problem.requests import FloatArray, IntArray, Requests, Type
from kvratio.problem.service import Run, gap_offsets
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.hardware import Hardware


class Worker:
    """A resumable worker.

    Parameters
    ----------
    requests : Requests
        All that may ever come, in order.
    policy : PolicySpec
    hardware : Hardware
    log : bool
        Whether iterations are written down.
    """

    def __init__(self, requests: Requests, policy: PolicySpec, hardware: Hardware, log: bool = False) -> None:
        card = registry.card(policy.id)
        case = make_case(requests, hardware.clock, hardware.memory, hardware.block)
        settings = card.settings(case, policy.parameters)
        rule = card.check_eviction(policy.eviction)
        self.machine = Machine(card, case, settings, rule, log, open=True, gaps=True)
        self._prompt = requests.prompt
        self._refused = case.refused
        self._pending: list[int] = []

    def feed(self, arrival: float | None = None, here: bool = True) -> int:
        """Give it the next request; ``here`` False: somebody else gets it."""
        i = self.machine.feed(arrival, here)
        if here and not self._refused[i]:
            self._pending.append(i)
        return i

    def load(self) -> int:
        """Return the tokens that its residents hold and that its waiting requests will need for their prompts."""
        admitted = self.machine.admitted
        self._pending = [i for i in self._pending if math.isnan(admitted[i])]
        return self.machine.used + int(sum(self._prompt[i] for i in self._pending))

    def completion(self) -> FloatArray:
        """Return the completions so far, float64[n]; a live view."""
        return self.machine.completion

    def refuses(self, i: int) -> bool:
        """Whether request i can never fit."""
        return bool(self._refused[i])

    def finish(self, cut: float) -> None:
        """Say that nobody else comes, and run to the end."""
        self.machine.close()
        while self.machine.advance(math.inf, cut) == COMPLETED:
            pass  # a watched machine stops at every completion


def shared_types(requests: Requests, workers: int) -> Requests:
    """Return the requests with a mix of a ``workers``-th of its rates, as one of several equal workers meets it."""
    types = tuple(Type(kind.prompt, kind.output, kind.rate / workers) for kind in requests.mix)
    return replace(requests, types=types, kind=requests.type_of)


def part(requests: Requests, rows: IntArray) -> Requests:
    """Return some of the requests, with the types as they are."""
    return Requests(
        requests.prompt[rows],
        requests.output[rows],
        requests.arrival[rows],
        requests.kind[rows],
        requests.types,
        requests.predicted[rows],
        requests.tenant[rows],
        requests.name,
        requests.info,
    )


def _gaps_of(requests: Requests, mine: IntArray) -> IntArray:
    """Return where the gaps between tokens of some requests stand, in the order of these, int64[..]."""
    first = gap_offsets(requests.output)
    each = np.diff(first)[mine]
    before = np.concatenate(([0], np.cumsum(each)))[:-1]
    return np.asarray(np.repeat(first[mine] - before, each) + np.arange(each.sum()), dtype=np.int64)


def restricted(run: Run, mine: IntArray) -> Run:
    """Return a run over all requests as one over those that its worker got."""
    arrays: dict[str, Any] = {
        name: getattr(run, name)[mine]
        for name in ("admitted", "prefill_done", "first_token", "completion", "evictions", "refused", "max_gap")
    }
    refused = arrays["refused"]
    return replace(
        run,
        requests=part(run.requests, mine),
        **arrays,
        counters={**run.counters, "refused": int(refused.sum())},
        gaps=run.gaps[_gaps_of(run.requests, mine)],
        cut=bool((np.isnan(arrays["completion"]) & ~refused).any()),
    )


def merged(requests: Requests, runs: Sequence[tuple[IntArray, Run]], workers: int) -> Run:
    """Return the runs of several workers as one run of a worker with all their memory.

    Parameters
    ----------
    requests : Requests
        All of them.
    runs : sequence of (int64[..], Run)
        Which of the requests a run served, and the run.
    workers : int
        Those without a request stood idle but count.

    Notes
    -----
    Counters are summed, but for the largest batches; busy seconds too, divided by the number of workers: the busy
    fraction is that of a worker. The logs of iterations stay with the workers.
    """
    first, n = runs[0][1], requests.n
    names = ("admitted", "prefill_done", "first_token", "completion", "max_gap")
    times: dict[str, Any] = {name: np.full(n, math.nan) for name in names}
    evictions, refused = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    gaps = np.full(int(gap_offsets(requests.output)[-1]), np.nan, np.float32)
    for mine, run in runs:
        for name, array in times.items():
            array[mine] = getattr(run, name)
        evictions[mine], refused[mine] = run.evictions, run.refused
        gaps[_gaps_of(requests, mine)] = run.gaps
    return replace(
        first,
        requests=requests,
        memory=first.memory * workers,
        evictions=evictions,
        refused=refused,
        **times,
        end=max(run.end for _, run in runs),
        busy=sum(run.busy for _, run in runs) / workers,
        token_seconds=sum(run.token_seconds for _, run in runs),
        counters={
            key: (max if key.startswith("largest") else sum)(run.counters[key] for _, run in runs)
            for key in first.counters
        },
        gaps=gaps,
        cut=bool((np.isnan(times["completion"]) & ~refused).any()),
        iterations=first.iterations[:0],
    )
