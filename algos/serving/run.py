"""Running a serving policy on a load: checks what was asked, resolves parameters, runs one worker to its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.serving.cards import Case, ServingCard
from algos.serving.machine import Machine
from kvratio.problem.clock import Clock, RooflineClock, seconds
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests
from kvratio.problem.service import Run


def run_requests(
    card: ServingCard,
    source: Requests | Instance,
    clock: Clock | RooflineClock | str,
    memory: int,
    eviction: str | None,
    seed: int,
    cut: float | None,
    block: int,
    log: bool,
    gaps: bool,
    given: Mapping[str, Any],
) -> Run:
    """Serve requests by a policy; see `algos.serving.simulate`."""
    requests = _requests(source)
    clock = _clock(clock)
    memory = _whole("memory", memory, "tokens")
    block = _whole("block", block, "tokens")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise BadParameter(f"simulate: seed is {seed!r}: give an integer")
    eviction = card.check_eviction(eviction)
    case = make_case(requests, clock, memory, block)
    settings = card.settings(case, given)
    machine = Machine(card, case, settings, eviction, log, gaps=gaps)
    until = _cut(cut) if cut is not None else automatic_cut(case)
    machine.advance(math.inf, until)
    return machine.run(seed)


def make_case(requests: Requests, clock: Clock | RooflineClock, memory: int, block: int) -> Case:
    """Gather what parameters may be computed from; say which requests can never fit."""
    whole = -(-(requests.prompt + requests.output) // block) * block
    return Case(requests, clock, memory, block, whole > memory)


def automatic_cut(case: Case) -> float:
    """Return max(1.5 T, T + 4 x the time of serving everything one by one), in seconds."""
    fine = ~case.refused
    prompt, output = case.requests.prompt[fine], case.requests.output[fine]
    decode_cached = int((output * prompt + output * (output + 1) // 2).sum())
    prompts, decodes = int(prompt.sum()), int(output.sum())
    light = prompt <= case.clock.knee
    lone_decode_is_light = case.clock.knee >= 1
    counts = [
        decodes + len(prompt),
        decode_cached + prompts,
        prompts,
        0,
        int(light.sum()) + (decodes if lone_decode_is_light else 0),
        int(prompt[~light].sum()) + (0 if lone_decode_is_light else decodes),
        decodes,
        decode_cached,
    ]
    last = case.requests.last_arrival
    return max(1.5 * last, last + 4.0 * seconds(case.clock.rates, counts))


def _requests(source: Any) -> Requests:
    if not isinstance(source, (Requests, Instance)):
        raise BadParameter(f"simulate: the first argument is of type {type(source).__name__}, give Requests")
    return Requests.of(source)


def _clock(clock: Any) -> Clock | RooflineClock:
    if isinstance(clock, str):
        return Clock.preset(clock)
    if not isinstance(clock, (Clock, RooflineClock)):
        raise BadParameter(f"simulate: clock is of type {type(clock).__name__}: give a Clock or the name of a preset")
    return clock


def _whole(name: str, value: Any, unit: str) -> int:
    if isinstance(value, (bool, str)) or not isinstance(value, (int, np.integer, float)) or value != value // 1:
        raise BadParameter(f"simulate: {name} is {value!r}: give a whole number of {unit}")
    if not 1 <= value < 2**53:
        raise BadParameter(f"simulate: {name} is {value!r}: give at least 1 and less than 2^53 {unit}")
    return int(value)


def _cut(cut: Any) -> float:
    if isinstance(cut, (bool, str)) or not isinstance(cut, (int, float, np.number)) or not 0 < cut < math.inf:
        raise BadParameter(f"simulate: cut is {cut!r}: give finite seconds > 0, or None to run to the end")
    return float(cut)
