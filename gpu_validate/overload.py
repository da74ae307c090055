"""Capacity: completions per second that the calibrated clock promises, against those of a replay under overload."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpu_validate.replay import Replay
from gpu_validate.timeline import Timeline
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter

#: memory counts as full from the first round that holds this share of the largest
FULL = 0.9


def window(timeline: Timeline) -> tuple[int, int]:
    """Return the epochs between which memory is full and requests wait: after the first filling, to the last start.

    Raises
    ------
    BadParameter
        Memory was never full while requests waited: the load is no overload.
    """
    loads, schedule = timeline.loads, timeline.schedule
    first = int(loads.number[np.argmax(loads.cached >= FULL * loads.cached.max())])
    last = int(schedule.first_start.max())
    if last - first < 2:
        raise BadParameter(f"{schedule!r}: requests wait for {last - first} rounds only: overload needs more of them")
    return first, last


def promised(timeline: Timeline, clock: Clock) -> dict[str, Any]:
    """Return what theory and clock promise for the instance of an overload.

    ``mu`` is ``M / (b E[g])`` of arXiv 2605.04595 with prompts read in one slot of their own
    (`stability.capacity.capacity`); ``mu_rounds`` the same with the volume v = s o + o (o+1)/2 in place of g, as a
    replay reads the prompt in the round of the first token (derived). b is the clock's time at full memory.
    """
    from stability.capacity import capacity

    inst = timeline.schedule.instance
    longest = max(1, int(inst.prompt.max()))
    found = capacity(inst, inst.memory, iteration_model=clock, chunk=longest, exact=True)
    volume, prompt = float(inst.volume.mean()), float(np.maximum(inst.prompt, 1).mean())
    slot = clock.d0 + clock.d1 * inst.memory + clock.d2 * prompt * inst.memory / volume
    return {
        "mu": found.mu,
        "slot_seconds": found.slot_seconds,
        "delta": found.delta,
        "mean_area": found.mean_area,
        "mu_rounds": inst.memory / (slot * volume),
        "slot_seconds_rounds": slot,
        "mean_volume": volume,
    }


def held_against(replay: Replay, timeline: Timeline, clock: Clock) -> dict[str, Any]:
    """Return the promise beside what a replay did between the two epochs of `window`."""
    first, last = window(timeline)
    schedule, loads = timeline.schedule, timeline.loads
    begun, ended = replay.at([first, last]).tolist()
    done = int(((schedule.completion > first) & (schedule.completion <= last)).sum())
    inside = (loads.number > first) & (loads.number <= last)
    told = promised(timeline, clock)
    rate = done / (ended - begun)
    return {
        **told,
        "policy": schedule.policy,
        "eviction": schedule.eviction,
        "n": schedule.instance.n,
        "memory": schedule.instance.memory,
        "completed": done,
        "seconds": ended - begun,
        "measured": rate,
        "measured_slot_seconds": float(np.mean(replay.seconds[inside])),
        "mean_fill": float(loads.cached[inside].mean() / schedule.instance.memory),
        "kills": replay.counts["kills"],
        "processor_share": replay.share,
        "measured_over_mu": rate / told["mu"],
        "measured_over_mu_rounds": rate / told["mu_rounds"],
    }
