"""Seconds per slot: given, from measured batches, or from an iteration model at full memory (self-consistent).

Prefill-heavy traffic makes long slots, so the number must come from the workload and not from a data sheet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter
from stability.batch_time import batch_seconds
from stability.capacity.checks import number
from stability.capacity.lengths import Means

#: a clock, the name of a preset, or the seconds (d0, d1[, d2])
IterationModel: TypeAlias = Clock | RooflineClock | str | Sequence[float]

#: batch times have a heavy tail if their mean exceeds their median by this share
HEAVY = 0.1
#: share cut at each end where they have
TRIM = 0.1


@dataclass(frozen=True)
class SlotTime:
    """Seconds of one slot and where the number comes from.

    Attributes
    ----------
    seconds : float
    source : str
        One line for people.
    """

    seconds: float
    source: str


def clock_of(model: IterationModel) -> Clock | RooflineClock:
    """Return the clock of an iteration model.

    Raises
    ------
    BadParameter, UnknownName
        No clock, no preset of that name, or seconds that are no finite numbers >= 0.
    """
    if isinstance(model, (Clock, RooflineClock)):
        return model
    if isinstance(model, str):
        return Clock.preset(model)
    try:
        parts = [float(value) for value in model]
    except (TypeError, ValueError):
        parts = []
    if len(parts) not in (2, 3):
        raise BadParameter(f"iteration_model is {model!r}: give (d0, d1, d2) in seconds, a Clock, or a preset's name")
    return Clock(*parts)


def slot_time(
    found: Means,
    memory: float,
    slot_seconds: float | SlotTime | None = None,
    iteration_model: IterationModel | None = None,
) -> SlotTime:
    """Return the seconds of one slot.

    Parameters
    ----------
    found : Means
        Of the lengths, with the area in use.
    memory : float
        M in tokens.
    slot_seconds : float or SlotTime, optional
        Taken as it is.
    iteration_model : (d0, d1, d2), Clock, RooflineClock or name of a preset, optional
        Without slot_seconds: the time of a batch that fills the memory, with the tokens per slot that then follow.

    Raises
    ------
    BadParameter
        Both are given, or neither.

    Notes
    -----
    A full memory finishes M / E[g] requests per slot (derived), so each slot reads M E[s]/E[g] prompt tokens and emits
    M E[o]/E[g]. For a linear model that is ``b = d0 + d1 M + d2 M E[s]/E[g]``. On a roofline clock the mean batch
    stands in for all batches: it is exact where one of the two pieces binds throughout, and else somewhat low.
    """
    if (slot_seconds is None) == (iteration_model is None):
        raise BadParameter(
            "give either slot_seconds (the median batch time of a saturated run) or iteration_model ((d0, d1, d2), a "
            "Clock, or a preset's name)"
        )
    if isinstance(slot_seconds, SlotTime):
        return slot_seconds
    if slot_seconds is not None:
        return SlotTime(number("slot_seconds", slot_seconds, "seconds of one batch, above 0"), "given")
    assert iteration_model is not None
    clock = clock_of(iteration_model)
    seconds, per_slot = seconds_at(clock, memory, found), memory / found.area
    words = f"preset {iteration_model}" if isinstance(iteration_model, str) else _written(clock)
    return SlotTime(
        number("slot_seconds", seconds, "an iteration model with a batch time above 0"),
        f"{words} at full memory: {memory:.6g} tokens, {per_slot * found.prompt:.4g} prompt tokens and "
        f"{per_slot * found.output:.4g} decodes per slot",
    )


def seconds_at(clock: Clock | RooflineClock, memory: float, found: Means) -> float:
    """Return the seconds of the batch that fills the memory, in the flow that then follows."""
    per_slot = memory / found.area
    prompt, decodes = per_slot * found.prompt, per_slot * found.output
    if isinstance(clock, Clock):
        return clock.d0 + clock.d1 * memory + clock.d2 * prompt
    # The roofline form charges keys and values to decodes alone; batch_seconds takes those of the whole batch.
    return batch_seconds(clock, per_slot * found.decode + prompt, prompt, decodes)


def measured_slot(batch_times: npt.ArrayLike) -> SlotTime:
    """Return the slot of measured batches: the median, or the 10 % trimmed mean if the tail is heavy.

    Parameters
    ----------
    batch_times : array of numbers
        Seconds of the batches of a saturated run, > 0.

    Notes
    -----
    The tail counts as heavy where the mean exceeds the median by more than 10 %; then a tenth is cut at each end.
    arXiv 2605.04595 uses both without a rule to choose by, so the source line says which one was taken.

    Raises
    ------
    BadParameter
        No batches, or times that are no positive numbers.
    """
    try:
        times = np.sort(np.asarray(batch_times, dtype=np.float64).ravel())
    except (TypeError, ValueError):
        raise BadParameter("batch times are no numbers: give seconds, one per batch") from None
    if not times.size or not np.isfinite(times).all() or times[0] <= 0:
        raise BadParameter(f"{times.size} batch times, not all of them finite and above 0: give seconds of batches")
    median, mean = float(np.median(times)), float(times.mean())
    if mean <= (1 + HEAVY) * median:
        return SlotTime(median, f"median of {times.size} batch times")
    cut = int(TRIM * times.size)
    trimmed = float(times[cut : times.size - cut].mean())
    return SlotTime(trimmed, f"mean of {times.size} batch times less a tenth at each end (heavy tail: mean {mean:.4g})")


def _written(clock: Clock | RooflineClock) -> str:
    if isinstance(clock, RooflineClock):
        return "roofline clock"
    parts = (("d0", clock.d0), ("d1", clock.d1), ("d2", clock.d2))
    return "model " + ", ".join(f"{name} = {value:.4g}" for name, value in parts if math.isfinite(value))
