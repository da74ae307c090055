"""Running one policy on many small instances at about a microsecond a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from algos.card import MIN_ROUND_LIMIT, Card, Known
from algos.run import compiled_hook, interpreted, known, one_bit, ranked, run_schedule, settings_vector, signed_seed
from algos.timetable.run import Timetable
from algos.timetable.run import run_packed as run_packed_timetable
from kvratio.problem.batch import InstanceBatch
from kvratio.problem.instance import IntArray


@dataclass(frozen=True)
class PackedSchedules:
    """What a policy did on each instance of a batch.

    Attributes
    ----------
    batch : InstanceBatch
    completion, start : int64[total requests]
        Concatenated as the batch is; rows of a failed instance have no meaning.
    evictions : int64[k]
    codes : int64[k]
        0 where the run ended well.
    """

    batch: InstanceBatch
    completion: IntArray
    start: IntArray
    evictions: IntArray
    codes: IntArray

    @property
    def total_completion(self) -> IntArray:
        """Sum of completions of each instance, int64[k]."""
        return self.batch.sum_by_instance(self.completion)

    @property
    def total_flow(self) -> IntArray:
        """Sum of (completion - arrival) of each instance, int64[k]."""
        return self.batch.sum_by_instance(self.completion - self.batch.arrival)


def run_batch(
    card: Card,
    batch: InstanceBatch,
    eviction: str | None = None,
    seed: int = 0,
    round_limit: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> PackedSchedules:
    """Run a policy on every instance of a batch; see `algos.schedule_batch`."""
    if isinstance(card.run, Timetable):
        card.check_eviction(eviction)
        out = run_packed_timetable(card, batch, params or {}, round_limit)
        return PackedSchedules(batch, out.completion, out.start, out.evictions, out.codes)
    if card.decide is None or interpreted(card):
        return _one_by_one(card, batch, eviction, seed, round_limit, params or {})
    from algos.engine import loop
    from algos.engine.packed_loop import run_packed
    from algos.run import make_truth, make_view

    eviction = card.check_eviction(eviction)
    settings, seen, order, own = _arrange(card, batch, params or {})
    widest, size = int(batch.sizes.max()), len(batch)
    width = min(widest, int(batch.memory.max()))
    online = bool(batch.arrival.any())
    by_arrival = ranked(batch.arrival if online else np.zeros(int(batch.offsets[-1]), np.int64), batch.offsets)
    view = make_view(widest, width, order, np.empty(0), own)
    truth = make_truth(seen, batch.output, by_arrival, width, 0)
    longest = batch.sum_by_instance(batch.output) + np.maximum.reduceat(batch.arrival, batch.offsets[:-1])
    limits = np.full(size, round_limit, np.int64) if round_limit is not None else MIN_ROUND_LIMIT + 64 * longest
    codes, totals = np.zeros(size, np.int64), np.zeros((size, 8), np.int64)
    hook = compiled_hook(card.decide)
    keeps, coins = int(eviction != "restart"), signed_seed(seed)
    run_packed(
        hook,
        view,
        truth,
        np.array(batch.offsets),
        np.array(batch.memory),
        settings,
        keeps,
        coins,
        limits,
        codes,
        totals,
    )
    return PackedSchedules(batch, truth.completion, truth.start, totals[:, loop.EVICTIONS].copy(), codes)


def _arrange(card: Card, batch: InstanceBatch, params: Mapping[str, Any]) -> tuple[np.ndarray, Known, IntArray, int]:
    """Return parameters per instance, what is known, the order within each instance, and the scratch size."""
    if card.resolve is None and card.information != "one_bit":
        whole = _Whole(batch)
        values = card.settings(whole, params)  # type: ignore[arg-type]
        seen = known(card, whole)  # type: ignore[arg-type]
        keys = card.key(seen, values) if card.key else seen.arrival
        own = _largest_scratch(card, batch, values, seen) if card.scratch else 0
        return np.tile(settings_vector(values), (len(batch), 1)), seen, ranked(keys, batch.offsets), own
    rows, parts, orders, own = [], [], [], 0
    for inst in batch:
        values = card.settings(inst, params)
        seen = one_bit(card, known(card, inst), values)
        rows.append(settings_vector(values))
        parts.append(seen)
        orders.append(ranked(card.key(seen, values) if card.key else seen.arrival))
        own = max(own, card.scratch(inst.n, inst.memory, values, seen) if card.scratch else 0)
    names = Known._fields[:6]
    merged: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return np.array(rows), Known(memory=0, **merged), np.concatenate(orders), own


def _largest_scratch(card: Card, batch: InstanceBatch, values: Mapping[str, Any], seen: Known) -> int:
    """Return the most scratch that any instance asks for; what is known of each is a view, nothing is copied."""
    assert card.scratch is not None
    ends, budgets, columns = batch.offsets.tolist(), batch.memory.tolist(), seen[:6]
    largest = 0
    for a, b, memory in zip(ends[:-1], ends[1:], budgets, strict=True):
        mine = Known._make([*(column[a:b] for column in columns), memory])
        largest = max(largest, card.scratch(b - a, memory, values, mine))
    return largest


class _Whole:
    """A batch seen as one instance, as far as `known` and `Card.settings` look."""

    has_predictions = True

    def __init__(self, batch: InstanceBatch) -> None:
        self.n = int(batch.offsets[-1])
        for name in ("prompt", "output", "arrival", "predicted", "predicted_low", "predicted_high"):
            setattr(self, name, getattr(batch, name))
        self.memory = np.repeat(batch.memory, batch.sizes)

    def clamp(self, lengths: IntArray) -> IntArray:
        """Bring predictions into [1, M - s], each with its own instance's budget."""
        return np.clip(lengths, 1, self.memory - self.prompt)  # type: ignore[attr-defined]


def _one_by_one(
    card: Card, batch: InstanceBatch, eviction: str | None, seed: int, limit: int | None, params: Mapping[str, Any]
) -> PackedSchedules:
    done = [run_schedule(card, inst, eviction, seed, limit, params) for inst in batch]
    return PackedSchedules(
        batch,
        np.concatenate([s.completion for s in done]),
        np.concatenate([s.start for s in done]),
        np.array([s.evictions for s in done], dtype=np.int64),
        np.zeros(len(batch), np.int64),
    )
