"""Families that the studies need beside the built-in ones: intervals with wrong predictions, and a chosen alpha."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from instances import FamilyCard, Parameter
from instances.card import REQUIRED
from instances.construction import Construction, Setting, declare, requests
from instances.families.prediction_error import MODES
from instances.families.prediction_error import prediction_error as errors
from instances.families.svf_trap import longest_below
from instances.list_greedy import best_list_greedy, flow_of, list_greedy
from instances.wrapping import base_instance, wrapped
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

BASE = Parameter("base", REQUIRED, "an instance, a family id, or {'family': id, ...}", "base")
ALPHA = Parameter("alpha", REQUIRED, "alpha = max (s + o) / M", "float", low=0, high=1, open_low=True)
MEMORY = Parameter("memory", REQUIRED, "memory M (tokens)", low=16)


@declare(
    FamilyCard(
        id="guesses",
        title="wrong predictions, with the intervals that they leave",
        kind="as base",
        group="wrapper",
        target="policies that use predictions or intervals",
        parameters=(
            BASE,
            Parameter("mode", REQUIRED, "kind of error, as of prediction_error", "choice", choices=MODES),
            Parameter("level", None, "as of prediction_error", "float", low=0),
        ),
        ratio_text="measured",
        source="as prediction_error; the intervals are derived here",
        about="prediction_error, and for uniform and over the interval that prediction and level leave for the output: "
        "[ohat/(1+e), ohat/(1-e)] and [ohat/beta, ohat], widened for rounding and clipping.",
    )
)
def guesses(setting: Setting, base: Any, mode: str, level: float | None) -> Construction:
    """Add predictions, and intervals where the kind of error bounds the output."""
    made = errors.build(setting, base=base, mode=mode, level=level)
    if mode not in ("uniform", "over"):
        return made
    low, high = interval_of(made.instance, mode, float(level or 0))
    return replace(made, instance=made.instance.replace(predicted_low=low, predicted_high=high))


def interval_of(inst: Instance, mode: str, level: float) -> tuple[IntArray, IntArray]:
    """Return the ends of each output's interval, int64[n] each, from prediction and level alone.

    Nothing of the true output enters, so a policy that reads the ends learns no more than the error model says.
    """
    room = inst.memory - inst.prompt
    guess = inst.predicted.astype(float)
    if mode == "uniform":
        exact, shrink = level == 0, 1 + level
        high = room.astype(float) if level >= 1 else np.ceil((guess + 0.5) / (1 - level))
    else:
        exact, shrink = level == 1, level
        high = guess
    if exact:
        return inst.predicted, inst.predicted
    # A prediction that was clipped to M - s says nothing about how long the output is at most.
    high = np.where(guess >= room, room, high)
    low = np.floor((guess - 0.5) / shrink)
    return np.clip(low, 1, room).astype(np.int64), np.clip(high, 1, room).astype(np.int64)


@declare(
    FamilyCard(
        id="at_alpha",
        title="any batch with the memory that gives it a chosen alpha",
        kind="as base",
        group="wrapper",
        target="any",
        parameters=(BASE, ALPHA),
        ratio_text="measured",
        source="derived here",
        about="The base with M = ceil(max (s + o) / alpha) in place of its own memory, which only bounds its lengths.",
    )
)
def at_alpha(setting: Setting, base: Any, alpha: float) -> Construction:
    """Give the base its memory; the witness is that of the best list-greedy schedule."""
    inst = base_instance(setting, base)
    memory = math.ceil(int((inst.prompt + inst.output).max()) / alpha)
    return wrapped(setting, inst.replace(memory=memory, witness=None), inst, witness=best_list_greedy)


def peak_of(memory: int, alpha: float) -> int:
    """Return floor(alpha M + 1e-9), the largest s + o at this alpha; at least 3, so that traps can be built."""
    peak = math.floor(alpha * memory + 1e-9)
    if peak < 3:
        raise BadParameter(f"alpha is {alpha} and memory {memory}: alpha x memory must be at least 3")
    return peak


@declare(
    FamilyCard(
        id="huge_first",
        title="huge prompts of one round before tiny requests, at a chosen alpha",
        kind="batch",
        target="mc_sf",
        effect="measured",
        parameters=(MEMORY, ALPHA),
        source="sf_trap, where alpha = 1; derived here",
        about="p = floor(alpha M): 4 sqrt(M) floor(M/p) requests (p-1, 1), then 2 M requests (1, 2). Shortest first "
        "runs the huge ones first, floor(M/p) a round.",
    )
)
def huge_first(setting: Setting, memory: int, alpha: float) -> Construction:
    """Build the huge requests, then the tiny ones; the witness is the order by volume."""
    peak = peak_of(memory, alpha)
    huge = round(4 * math.sqrt(memory)) * (memory // peak)
    return Construction(
        requests(memory, (huge, 0, peak - 1, 1), (2 * memory, 0, 1, 2)), witness=lambda inst: list_greedy(inst, "svf")
    )


@declare(
    FamilyCard(
        id="long_first",
        title="one long request of slightly smaller volume before huge prompts of one round, at a chosen alpha",
        kind="batch",
        target="svf",
        effect="measured",
        parameters=(MEMORY, ALPHA),
        source="svf_trap, where alpha is 1 or 1/2; derived here",
        about="p = floor(alpha M): one (1, o), o the largest with a volume below p, then floor(1.7 M^(1/4)) floor(M/p) "
        "requests (p-1, 1) of volume p. Smallest volume first starts the long one.",
    )
)
def long_first(setting: Setting, memory: int, alpha: float) -> Construction:
    """Build the long request, then the huge ones; the witness is the best list-greedy schedule or the reverse order."""
    peak = peak_of(memory, alpha)
    small = math.floor(1.7 * memory**0.25) * (memory // peak)
    long = min(longest_below(peak), peak - 1)
    return Construction(
        requests(memory, (1, 0, 1, long), (small, 0, peak - 1, 1)), witness=lambda inst: _long_last(inst, peak)
    )


def _long_last(inst: Instance, peak: int) -> IntArray:
    """The huge ones as many a round as fit, the long one after them; or the best list-greedy schedule if cheaper."""
    last = np.empty(inst.n, np.int64)
    huge = inst.prompt > 1
    number = int(huge.sum())
    together = inst.memory // peak
    last[huge] = np.arange(number) // together
    last[~huge] = -(-number // together)
    return min(last, best_list_greedy(inst), key=lambda starts: flow_of(inst, starts))
