"""Closed-loop load: a fixed number of users, each of whom waits for the answer, thinks, and asks again."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace

import numpy as np

from algos.serving.advance import AT_CUT
from algos.serving.run import automatic_cut
from instances.workloads.load import Workload
from kvratio.problem.clock import RooflineClock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import FloatArray, IntArray, Requests
from kvratio.problem.seeds import stream
from kvratio.problem.service import Run
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.contender import contender
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.worker import Worker, restricted

#: policies are told at most this share of the fluid limit
TOLD = 0.9


@dataclass(frozen=True, eq=False)
class ClosedLoop:
    """A run under closed-loop load.

    Attributes
    ----------
    run : Run
        Arrivals are the moments at which users asked.
    user : int64[n]
        Who asked.
    think : float
        Mean think time, seconds.
    stalled : bool
        Whether everybody waited for a policy that waited for more requests: with fewer users than WAIT's threshold
        nothing moves. The requests that were under way then are served as at the end of a run.
    """

    run: Run
    user: IntArray
    think: float
    stalled: bool

    @property
    def cycle_rate(self) -> float:
        """Completions per second over the run."""
        return float(self.run.completed.sum()) / self.run.end


def serve_closed_loop(
    workload: str | Workload | Requests | Load,
    policy: str | PolicySpec,
    hardware: Hardware | str | None = None,
    users: int = 16,
    think: float = 1.0,
    n: int = 1000,
    *,
    eviction: str | None = None,
    seed: int = 0,
    log: bool = False,
) -> ClosedLoop:
    """Let users send n requests in all.

    Parameters
    ----------
    workload : str, Workload, Requests or Load
        The lengths, drawn in the order in which requests are sent.
    policy : str or PolicySpec
        One that is told the mix is told the rate ``users / (think + latency of a request served alone)``, which users
        never exceed in the long run, but at most nine tenths of the fluid limit. WAIT and its kin move only when
        requests come, so they stall as soon as all users wait for answers.
    hardware : Hardware or str, optional
    users : int
    think : float
        Mean of exponential think times in seconds; 0: none. Users begin with one.
    n : int
    eviction : str, optional
    seed : int
        Of lengths and think times.
    log : bool
        Whether iterations are written down.

    Returns
    -------
    ClosedLoop

    Raises
    ------
    BadParameter
        A number of users or requests below 1, or a negative think time.
    """
    for what, value in (("users", users), ("n", n)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadParameter(f"{what} is {value!r}: give a whole number, 1 or more")
    if not (isinstance(think, (int, float)) and math.isfinite(think) and think >= 0):
        raise BadParameter(f"think is {think!r}: give seconds, 0 or more")
    spec, machine, load = contender(policy, eviction), Hardware.of(hardware), open_load(workload)
    rate = min(users / (think + alone(load, machine)), TOLD * load.fluid_limit(machine))
    drawn = load.workload.draw(n, seed, rate)
    asked = replace(drawn, arrival=np.zeros(n), types=drawn.mix, kind=drawn.type_of)
    worker = Worker(asked, spec, machine, log)
    pause = think * stream("think times", seed).standard_exponential(n + users)
    limit = automatic_cut(worker.machine.case) + float(pause.sum())
    sent = _play(worker, users, n, pause, limit)
    done = restricted(worker.machine.run(), np.arange(len(sent.arrival)))
    return ClosedLoop(
        replace(done, requests=replace(done.requests, arrival=np.array(sent.arrival))),
        np.array(sent.user, dtype=np.int64),
        think,
        sent.stalled,
    )


def alone(load: Load, hardware: Hardware) -> float:
    """Return the mean latency of requests that are served alone, seconds: of types with their mean prompts."""
    mix, clock = load.workload.mix, hardware.clock
    total = sum(kind.rate for kind in mix)
    spent = 0.0
    for kind in mix:
        prefill = clock.iteration(0.0 if isinstance(clock, RooflineClock) else kind.prompt, kind.prompt)
        ends = [kind.prompt + stage for stage in (1, kind.output)]
        decodes = [
            clock.iteration(tokens, decodes=1) if isinstance(clock, RooflineClock) else clock.iteration(tokens)
            for tokens in ends
        ]
        spent += kind.rate * (prefill + kind.output * sum(decodes) / 2)
    return spent / total


@dataclass
class _Sent:
    """What users have sent so far."""

    arrival: list[float] = field(default_factory=list)
    user: list[int] = field(default_factory=list)
    stalled: bool = False


def _play(worker: Worker, users: int, n: int, pause: FloatArray, limit: float) -> _Sent:
    """Send n requests, each user one at a time; stop early when nothing can move or at the limit."""
    machine, completion, sent = worker.machine, worker.completion(), _Sent()
    machine.watch()
    pauses = iter(pause.tolist())
    thinking = [(next(pauses), who) for who in range(min(users, n))]
    heapq.heapify(thinking)
    under_way: dict[int, int] = {}
    while len(sent.arrival) < n:
        code = machine.advance(thinking[0][0] if thinking else math.inf, limit)
        back = [i for i in under_way if not math.isnan(completion[i])]
        for i in back:
            heapq.heappush(thinking, (float(completion[i]) + next(pauses), under_way.pop(i)))
        if back:
            continue
        if not thinking or code == AT_CUT:
            sent.stalled = True
            break
        moment, who = heapq.heappop(thinking)
        i = worker.feed(moment)
        sent.arrival.append(moment)
        sent.user.append(who)
        if worker.refuses(i):
            heapq.heappush(thinking, (moment + next(pauses), who))
        else:
            under_way[i] = who
    worker.finish(limit)
    return sent
