"""How each case of the cross-check is simulated: one run, one seed, some numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from algos import schedule
from algos.serving import simulate as serve
from instances import generate
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests
from kvratio.problem.schedule import Schedule
from kvratio.problem.seeds import stream
from stability import integer, open_arrivals, slots
from stability.capacity import Independent, distribution
from stability.congestion import equilibrium_rate
from stability.whole_requests import COMPLETED, MODES, ROWS, USED, IntArray, Limits, run_slots

#: every iteration takes one round
ROUND = Clock(1.0, 0.0)
#: caps on a grid that both the simulator's floats and the policy's ticks hold exactly
GRID = 1 << 20


def measure(name: str, settings: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Run the measure of that name once."""
    found: dict[str, float] = MEASURES[name](**settings, seed=seed)
    return found


# -- simulators ---------------------------------------------------------------------------------------------------
def of_slots(prompt: Any, output: Any, eviction: str, seed: int) -> dict[str, float]:
    """Run the slot simulator on independent lengths."""
    law = Independent(distribution(prompt), distribution(output))
    run = slots.simulate(law, 65_500, eviction=eviction, seed=seed)
    return {"share of mu": run.ratio, "evicted / completed": run.evictions_per_completion}


def of_integer(decode: tuple[int, ...], memory: int, order: str, seed: int) -> dict[str, float]:
    """Run whole requests of one input, 30 tokens."""
    run = integer.simulate(30, decode, memory, 20_000, order=order, seed=seed)
    return {"T / x*": run.ratio, "evicted / x*": run.eviction_rate / run.equilibrium_rate}


def of_capped(prompt: int, decode: tuple[int, ...], memory: int, share: float, seed: int) -> dict[str, float]:
    """Run whole requests with a cap of ``share`` x*."""
    best = equilibrium_rate(prompt, decode, memory)
    run = integer.simulate(prompt, decode, memory, 20_000, cap=share * best, seed=seed)
    return {"T": run.throughput, "evicted / completed": run.evictions_per_completion}


def of_open(
    prompt: int, decode: int, memory: int, rate: float, steps: int, backlog: int, seed: int
) -> dict[str, float]:
    """Run Poisson arrivals."""
    run = open_arrivals.simulate(prompt, decode, memory, rate, steps, backlog=backlog, seed=seed)
    return {"T": run.throughput, "queue growth": run.growth}


# -- engines ------------------------------------------------------------------------------------------------------
def of_serving_engine(memory: int, longest: int, eviction: str, slots: int, seed: int) -> dict[str, float]:
    """Compare the serving engine with the slot simulator, round by round.

    With chunks no shorter than prompts both know the same passes: l, l + 1, .., l + o. A batch of requests that are
    enough for all rounds is a saturated queue.
    """
    rng = stream("cross-check", "serving", seed)
    n = 2 * slots * memory // (longest * longest // 2)
    prompt, output = (rng.integers(5, longest + 1, n) for _ in range(2))
    rows = _rows(prompt, output, memory, eviction, slots)
    requests = Requests(prompt, output, np.zeros(n))
    run = serve(requests, "fcfs", ROUND, memory, eviction, cut=float(slots), log=True, max_batch=None)
    used = np.zeros(slots, np.int64)
    for row in run.iterations:
        # A row may stand for several rounds in which everybody makes a token.
        steps, first = np.arange(row["repeats"]), round(row["start"])
        used[first + steps] = row["footprint"] + steps * row["decodes"]
    done = np.bincount(np.rint(run.completion[run.completed]).astype(np.int64), minlength=slots + 1)[1:]
    return {"rounds that differ": float(((used != rows[:, USED]) | (done != rows[:, COMPLETED])).sum())}


def of_round_engine(policy: str, share: float, slots: int, seed: int) -> dict[str, float]:
    """Compare a policy of the unit-round engine with the simulator of whole requests, round by round.

    A request (s, o) of unit rounds holds s + 1 .. s + o tokens: a prompt of s + 1 tokens and o - 1 outputs.
    """
    rng = stream("cross-check", "rounds", seed)
    memory = 2000
    n = 2 * slots * memory // 1000
    prompt, output = rng.integers(0, 41, n), rng.integers(1, 61, n)
    inst = Instance(prompt, output, memory)
    mean = float(inst.volume.sum()) / n
    cap = math.inf if share == math.inf else math.floor(share * memory / mean * GRID) / GRID
    rows = _rows(prompt + 1, output - 1, memory, "restart", slots, cap)
    given: dict[str, Any] = {} if cap == math.inf else {"rate": cap}
    found = schedule(inst, policy, **given)
    used, done = _rounds(found, slots)
    return {"rounds that differ": float(((used != rows[:, USED]) | (done != rows[:, COMPLETED])).sum())}


def _rows(
    prompt: IntArray, output: IntArray, memory: int, eviction: str, slots: int, cap: float = math.inf
) -> IntArray:
    """Run a saturated stream of whole prompts through the slot simulator."""
    rows, n = np.zeros((slots, len(ROWS)), np.int64), len(prompt)
    limits = Limits(memory, 2**53, MODES.index(eviction), True, cap, 1.0)
    none = np.zeros(0, np.int64)
    if run_slots(prompt, output, np.zeros(n, np.int64), none, limits, rows, np.zeros((1, slots), np.int64)) < slots:
        raise BadParameter(f"{n} requests are too few for {slots} rounds")
    return rows


def _rounds(found: Schedule, slots: int) -> tuple[IntArray, IntArray]:
    """Return tokens held and completions in each of the first rounds, int64[slots] each."""
    used, done = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    prompt = found.instance.prompt
    for i, start, stop, completed in found.attempts.tolist():
        last = min(stop, slots)
        if start < last:
            used[start:last] += prompt[i] + np.arange(1, last - start + 1)
        if completed and stop <= slots:
            done[stop - 1] += 1
    return used, done


def of_suite_policy(
    family: str, parameters: Mapping[str, Any], policy: str, given: Mapping[str, Any], seed: int
) -> dict[str, float]:
    """Run a policy of the suite on a family, or on a batch of two lengths, one after the other or drawn."""
    if family in ("runs", "drawn"):
        count = parameters["count"]
        output = np.repeat(parameters["outputs"], count)
        if family == "drawn":
            output = stream("cross-check", "two lengths", seed).permutation(output)
        inst = Instance(np.full(2 * count, parameters["prompt"]), output, parameters["memory"])
    else:
        inst = generate(family, seed=seed, **parameters)
    found, usual = schedule(inst, policy, **given), schedule(inst, "vllm_fcfs")
    return {"evicted / requests": found.evictions / inst.n, "flow / vllm_fcfs": found.total_flow / usual.total_flow}


MEASURES: dict[str, Callable[..., dict[str, float]]] = {
    "slots": of_slots,
    "integer": of_integer,
    "capped": of_capped,
    "hysteresis": of_open,
    "serving_engine": of_serving_engine,
    "round_engine": of_round_engine,
    "suite_policy": of_suite_policy,
}
