"""The slow simulator of the serving model: plain Python, one iteration at a time, written from its specification.

It exists to be compared with: it shares no code with the compiled engine, and adds up memory anew at every decision.
Section numbers in these files are those of docs/serving.md. Use `algos.serving.simulate` for work.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from algos.serving.reference.congestion import Mixed, RateCapped
from algos.serving.reference.engines import Sarathi, Vllm
from algos.serving.reference.greedy import (
    FirstComeFirstServed,
    MemoryConstrainedShortestFirst,
    ShortestJobFirst,
    SmallestVolumeFirst,
)
from algos.serving.reference.loop import run
from algos.serving.reference.machine import Machine
from algos.serving.reference.nested_wait import NestedWait
from algos.serving.reference.policy import Policy
from algos.serving.reference.preemptive import LearningToRank, ShortestRemainingFirst, Trail
from algos.serving.reference.record import Record
from algos.serving.reference.reserving import FasterTransformer, LightLlm, Orca
from algos.serving.reference.wait import Wait
from algos.serving.reference.wait_capped import WaitCapped
from kvratio.problem.clock import Clock, RooflineClock, seconds
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests
from kvratio.problem.service import ITERATION_DTYPE, Run

EVICTIONS = ("restart", "recompute", "swap")
POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        FirstComeFirstServed,
        Vllm,
        Sarathi,
        Orca,
        FasterTransformer,
        LightLlm,
        MemoryConstrainedShortestFirst,
        SmallestVolumeFirst,
        ShortestJobFirst,
        LearningToRank,
        Trail,
        ShortestRemainingFirst,
        RateCapped,
        Mixed,
        Wait,
        NestedWait,
        WaitCapped,
    )
}


def simulate(
    requests: Requests | Instance,
    policy: str,
    clock: Clock | RooflineClock,
    memory: int,
    eviction: str | None = None,
    seed: int = 0,
    *,
    cut: float | None = None,
    block: int = 1,
    log: bool = False,
    gaps: bool = False,
    **params: Any,
) -> Run:
    """Serve requests on one worker, one iteration after another.

    Parameters
    ----------
    requests : Requests or Instance
    policy : str
        One of `POLICIES`.
    clock : Clock or RooflineClock
    memory : int
        C in tokens.
    eviction : {"restart", "recompute", "swap"}, optional
        Default: that of the policy.
    seed : int
        Kept in the run; none of these policies draws.
    cut : float, optional
        Seconds at which the run stops. Default: late enough for whatever can end.
    block : int
        Tokens in a block of memory.
    log : bool
        Whether to keep a row per iteration.
    gaps : bool
        Whether to keep every gap between tokens.
    **params
        Of the policy. Thresholds of `wait` and `nested_wait` and caps of `wait_capped` must be given.

    Returns
    -------
    Run

    Raises
    ------
    UnknownName, BadParameter
        No such policy, eviction or parameter, or a value without meaning.
    """
    if policy not in POLICIES:
        raise UnknownName(f"policy {policy!r} is not known: choose one of {', '.join(POLICIES)}")
    chosen = POLICIES[policy]
    mode = chosen.default_eviction if eviction is None else eviction
    if mode not in EVICTIONS:
        raise UnknownName(f"{policy}: eviction {eviction!r} is not known: choose one of {', '.join(EVICTIONS)}")
    if mode not in chosen.evictions:
        raise BadParameter(f"{policy}: eviction is {eviction!r}, it allows {', '.join(chosen.evictions)}")
    for name, value in (("memory", memory), ("block", block)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise BadParameter(f"{policy}: {name} is {value!r}, it must be an integer >= 1")
    if cut is not None and not (isinstance(cut, Real) and cut >= 0):
        raise BadParameter(f"{policy}: cut is {cut!r}, it must be seconds >= 0 or None")
    known = Requests.of(requests)
    record = Record(clock, known.n)
    machine = Machine(known, int(memory), int(block), mode, record)
    served = chosen(machine, known, params)
    run(machine, served, record, longest(known, machine.refused, clock) if cut is None else float(cut))
    return as_run(known, machine, served, record, seed, log, gaps)


def longest(requests: Requests, refused: set[int], clock: Clock | RooflineClock) -> float:
    """Return max(1.5 T, T + 4 times the time of serving everything one by one), in seconds."""
    alone = Record(clock, 0)
    counts = [0] * len(alone.counts)
    for i, (prompt, output) in enumerate(zip(requests.prompt.tolist(), requests.output.tolist(), strict=True)):
        if i not in refused:
            for s in range(output + 1):
                computed = prompt if s == 0 else 1
                light = computed <= clock.knee
                decode = int(s > 0)
                row = [1, prompt + s, 0 if decode else prompt, 0, int(light), 0 if light else computed]
                row += [decode, decode * (prompt + s)]
                counts = [count + more for count, more in zip(counts, row, strict=True)]
    T = requests.last_arrival
    return max(1.5 * T, T + 4 * seconds(clock.rates, counts))


def as_run(
    requests: Requests, machine: Machine, policy: Policy, record: Record, seed: int, log: bool, gaps: bool
) -> Run:
    """Return what was written down as a `Run`."""
    refused = np.array([i in machine.refused for i in range(requests.n)])
    record.counters["refused"] = int(refused.sum())
    completion = np.array(record.completion, dtype=np.float64)
    return Run(
        requests=requests,
        policy=policy.name,
        eviction=machine.eviction,
        memory=machine.memory,
        clock=record.clock,
        params=dict(policy.parameters),
        seed=seed,
        admitted=np.array(record.admitted, dtype=np.float64),
        prefill_done=np.array(record.prefill_done, dtype=np.float64),
        first_token=np.array(record.first_token, dtype=np.float64),
        completion=completion,
        evictions=np.array(record.evictions, dtype=np.int64),
        refused=refused,
        max_gap=np.array(record.max_gap, dtype=np.float64),
        end=record.now,
        busy=record.busy,
        token_seconds=record.token_seconds,
        counters=record.counters,
        cut=not math.isfinite(completion[~refused].sum()),
        iterations=np.array(record.log if log else [], dtype=ITERATION_DTYPE),
        gaps=np.array(all_gaps(record, requests) if gaps else [], dtype=np.float32),
    )


def all_gaps(record: Record, requests: Requests) -> list[float]:
    """Return the gaps between tokens of every request, one after another; nan where a token is missing."""
    filled = []
    for gaps, output in zip(record.gaps, requests.output.tolist(), strict=True):
        filled += gaps + [math.nan] * (max(output - 1, 0) - len(gaps))
    return filled


__all__ = ["POLICIES", "simulate"]
