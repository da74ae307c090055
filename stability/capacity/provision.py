"""`capacity`: the rate that a worker carries, and how many workers a workload needs.

Model: one slot is one batch of b seconds; every running request advances by a chunk or a token per slot; waiting ones
are added while the footprint after the slot fits M; a request that has to leave keeps its progress at no cost.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.capacity.areas import area
from stability.capacity.burst import Burst, worst_burst
from stability.capacity.cautions import cautions
from stability.capacity.checks import arrival_rate, chunk_tokens, memory_tokens, share_of_mu
from stability.capacity.fleets import gpus_needed
from stability.capacity.lengths import Joint, Lengths, Means, as_lengths, independent, means, spread
from stability.capacity.result import Capacity
from stability.capacity.seconds import IterationModel, SlotTime, slot_time

#: standard deviation over mean up to which lengths count as nearly equal
NEAR = 0.1


def capacity(
    lengths: Any,
    memory: float,
    slot_seconds: float | SlotTime | None = None,
    *,
    chunk: int = 512,
    exact: bool = False,
    iteration_model: IterationModel | None = None,
    rate: float | None = None,
    utilisation: float = 0.9,
) -> Capacity:
    """Return the capacity of one worker for a workload, and the workers that a rate needs.

    Parameters
    ----------
    lengths : Instance, Requests, (prompt, output[, weight]) arrays, Joint, Independent or Mixed
        A trace that was read, or who arrives in any other form; see `as_lengths`.
    memory : float
        KV memory M of one worker, tokens. A tensor-parallel group is one worker.
    slot_seconds : float or SlotTime, optional
        Seconds b of one batch: the median of a saturated run (`measured_slot`).
    chunk : int
        Prompt tokens c that one slot reads.
    exact : bool
        Whole chunks instead of the closed form of arXiv 2605.04595; see `area`.
    iteration_model : (d0, d1, d2), Clock, RooflineClock or name of a preset, optional
        In place of slot_seconds: b follows from a full memory; see `slot_time`.
    rate : float, optional
        Requests per second. Default: that of the trace, (n-1)/span, where it has times.
    utilisation : float
        Share of mu to plan for, in (0, 1].

    Returns
    -------
    Capacity

    Raises
    ------
    BadParameter
        One line: lengths, memory, times or shares without meaning, or a request larger than the memory.

    Notes
    -----
    ``mu = M / (b E[g])``; rate > mu is unstable under any policy, rate < mu (1 - delta) is stable under any
    work-conserving continuous-batching policy, delta = max(s+o)/M (arXiv 2605.04595). In between it is not decided.
    With an iteration model, ``mu = M / (d0 E[g] + M (d1 E[g] + d2 E[s]))`` (derived); with the exact area and a chunk
    that takes the longest prompt this is the critical rate of `stability.fluid.equilibrium`.
    The floor under restarts and the worst cycle are those of arXiv 2606.15555, as in `stability.congestion`.
    """
    budget, piece, target = memory_tokens(memory), chunk_tokens(chunk), share_of_mu(utilisation)
    who = as_lengths(lengths)
    must_fit(who, budget)
    found = means(who, piece, exact)
    slot = slot_time(found, budget, slot_seconds, iteration_model)
    mu = budget / (slot.seconds * found.area)
    delta = who.largest / budget
    asked = recorded_rate(who) if rate is None else arrival_rate(rate)
    longest = float(who.outputs().values.max())
    floor, floor_read, worst, worst_read = under_restart(who, found, budget / slot.seconds, piece)
    output_variation, peak_variation = spread(who)

    def workers(carried: float, share: float) -> int | None:
        return None if asked is None else gpus_needed(asked, carried, share)

    gpus = workers(mu, target)
    result = Capacity(
        mean_area=found.area,
        mu=mu,
        delta=delta,
        safe_rate=mu * (1 - delta),
        slot_seconds=slot.seconds,
        slot_source=slot.source,
        rate=asked,
        load=None if asked is None else asked / mu,
        utilisation=target,
        gpus=gpus,
        least_gpus=workers(mu, 1.0),
        gpus_safe=None if asked is None or delta >= 1 else math.floor(asked / (mu * (1 - delta))) + 1,
        floor=floor,
        floor_with_prefill=floor_read,
        gpus_floor=workers(floor, target),
        worst_rate=worst,
        worst_with_prefill=worst_read,
        gpus_worst=workers(worst, target) if worst < mu else None,
        near_equal=max(output_variation, peak_variation) <= NEAR,
        output_variation=output_variation,
        memory=budget,
        chunk=piece,
        exact=bool(exact),
        mean_prompt=found.prompt,
        mean_output=found.output,
        largest=who.largest,
        longest_output=longest,
        product_area=means(independent(who), piece, exact).area if isinstance(who, Joint) and who.n > 1 else None,
        burst=_burst(who, asked, budget / slot.seconds, mu, gpus, piece, exact),
    )
    return replace(result, warnings=cautions(result))


def under_restart(who: Lengths, found: Means, area_rate: float, chunk: float) -> tuple[float, float, float, float]:
    """Return the floor under restarts and T_worst of mean lengths, each without and with the slots of the prompt.

    ``area_rate`` is M / b, token-slots per second; the rates are requests per second (arXiv 2606.15555).
    """
    # A request without output has no stage of decoding; it takes a slot all the same.
    longest = max(float(who.outputs().values.max()), 1.0)
    slots_read = max(1.0, float(np.ceil(found.prompt / chunk))) if found.prompt else 0.0
    peak = found.prompt + found.output
    return (
        area_rate / (longest * who.largest),
        area_rate / (who.longest_stay(chunk) * who.largest),
        area_rate / (max(found.output, 1.0) * peak),
        area_rate / ((slots_read + found.output) * peak),
    )


def must_fit(lengths: Lengths, memory: float) -> None:
    """Refuse lengths of which one never fits into the memory."""
    if lengths.largest <= memory:
        return
    over = ""
    if isinstance(lengths, Joint):
        large = np.flatnonzero(lengths.prompt + lengths.output > memory)
        at = int(large[0])
        over = f"request {at} has prompt {lengths.prompt[at]:g} + output {lengths.output[at]:g}, {large.size} such; "
    raise BadParameter(
        f"lengths: {over}the largest prompt + output is {lengths.largest:g} > memory {memory:g}: such requests are "
        "refused on arrival, leave them out or take memory larger"
    )


def recorded_rate(lengths: Lengths) -> float | None:
    """Return (n-1)/span requests per second of a trace; None without times, or with all at one time."""
    if not isinstance(lengths, Joint) or lengths.seconds is None or lengths.n < 2:
        return None
    span = float(lengths.seconds.max() - lengths.seconds.min())
    return (lengths.n - 1) / span if span > 0 else None


def _burst(
    who: Lengths, rate: float | None, area_rate: float, mu: float, gpus: int | None, chunk: float, exact: bool
) -> Burst | None:
    """Return the worst minute of a trace whose time axis is stretched to the rate."""
    recorded = recorded_rate(who)
    if recorded is None or rate is None or gpus is None or not isinstance(who, Joint) or who.seconds is None:
        return None
    order = np.argsort(who.seconds, kind="stable")
    seconds = (who.seconds[order] - who.seconds.min()) * (recorded / rate)
    areas = area(who.prompt[order], who.output[order], chunk, exact)
    return worst_burst(seconds, areas, area_rate, mu, gpus)
