"""Running timetable policies on one instance, or on many packed end to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from algos.card import MIN_ROUND_LIMIT, Card
from algos.run import Outcome
from kvratio.problem.batch import InstanceBatch
from kvratio.problem.compiled import UNCOUNTED, compiled
from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit
from kvratio.problem.instance import Instance, IntArray

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Timetable:
    """How a timetable policy runs; the ``run`` entry of its card.

    Parameters
    ----------
    plan : callable
        Plain Python function in the compilable subset, `PlanView` -> `PHASE` or `ALONE`: sets lo, hi, tau and prompt.
    ladder : callable
        (resolved parameters, memory) -> int64 array of slice lengths, the last one ``memory``.
    scratch : callable
        (requests of the largest instance, slices) -> length of ``PlanView.own``.
    compact : bool
        Whether the planned starts are pulled forward afterwards (clairvoyant policies that never kill).
    """

    plan: Callable[..., Any]
    ladder: Callable[[Settings, int], IntArray] = lambda settings, memory: np.array([memory], np.int64)
    scratch: Callable[[int, int], int] = lambda n, slices: 0
    compact: bool = False

    def __post_init__(self) -> None:
        # A policy's identity is the source of the module that its run function names; that is the plan's.
        object.__setattr__(self, "__module__", self.plan.__module__)

    def __call__(
        self, inst: Instance, settings: Settings, seed: int, eviction: str, record: int, limit: int, *, card: Card
    ) -> Outcome:
        """Run on one instance; ``record`` attempts are written down."""
        # Starts that will move are not worth writing down: their log is made from what they became.
        ran = self.run(card, _Columns.of(inst), settings, np.array([limit], np.int64), 0 if self.compact else record)
        ran.check(card.id, limit)
        books = ran.books
        log = books.log
        if self.compact and record:
            done = np.ones(inst.n, np.int64)
            log = np.column_stack([np.arange(inst.n), books.start, books.completion, done])
        attempts, evictions, wasted_rounds, wasted_token_rounds, phases = (int(x) for x in books.totals)
        times = books.completion, books.start, books.first_start
        return Outcome(*times, attempts, evictions, wasted_rounds, wasted_token_rounds, 0, phases, log)

    def run(self, card: Card, columns: _Columns, settings: Settings, limits: IntArray, record: int) -> _Run:
        """Run on packed instances."""
        from algos.timetable import kernel
        from algos.timetable.compaction import events_needed
        from algos.timetable.state import PLAN_STATE, Books, PlanView

        prompt, output, arrival, memory, offsets = columns
        largest, n, m = int(np.diff(offsets).max()), int(offsets[-1]), len(memory)
        ladder = self.ladder(settings, int(memory.max()))
        reveal = output if card.information == "clairvoyant" else output[:0]
        scratch = np.empty(self.scratch(largest, len(ladder)), np.int64)
        blank = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        view = PlanView(*blank, np.empty(largest, np.int64), ladder, scratch, np.zeros(1, PLAN_STATE))
        completion, start, first_start = (np.empty(n, np.int64) for _ in range(3))
        log, totals = np.empty((record, 4), np.int64), np.zeros(5, np.int64)
        books = Books(prompt, output, reveal, completion, start, first_start, log, totals)
        events = np.empty(events_needed(largest) if self.compact else 0, np.int64)
        evictions, codes = np.zeros(m, np.int64), np.zeros(m, np.int64)
        kernel.run_packed(
            _compiled_plan(self.plan), view, books, arrival, _by_arrival(arrival, offsets), offsets, memory, limits,
            events, evictions, codes,
        )  # fmt: skip
        return _Run(books, evictions, codes, view.st[0])


class _Columns(NamedTuple):
    """Packed instances: read-only prompt, output, arrival; int64 memory and offsets that the kernel's type asks for."""

    prompt: IntArray
    output: IntArray
    arrival: IntArray
    memory: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, inst: Instance) -> _Columns:
        """Return one instance as a batch of one."""
        memory, offsets = np.array([inst.memory], np.int64), np.array([0, inst.n], np.int64)
        return cls(_public(inst.prompt), _public(inst.output), _public(inst.arrival), memory, offsets)

    @classmethod
    def packed(cls, batch: InstanceBatch) -> _Columns:
        """Return the columns of a batch."""
        prompt, output, arrival = (_public(column) for column in (batch.prompt, batch.output, batch.arrival))
        return cls(prompt, output, arrival, np.array(batch.memory), np.array(batch.offsets))


class _Run(NamedTuple):
    """What the kernel left behind."""

    books: Any
    evictions: IntArray
    codes: IntArray
    state: Any

    def check(self, policy: str, limit: int) -> None:
        """Raise if the only instance failed."""
        from algos.timetable import kernel

        code, t = int(self.codes[0]), int(self.state["now"])
        if code == kernel.ROUND_LIMIT:
            raise RoundLimit(f"{policy}: not finished at round {limit}, the round limit; it may never end")
        if code == kernel.NO_ROOM:
            raise PolicyError(f"{policy}: the timetable planned from epoch {t} does not fit into memory")
        if code != kernel.FINE:
            jobs, tau = int(self.state["hi"]) - int(self.state["lo"]), int(self.state["tau"])
            raise PolicyError(f"{policy}: at epoch {t}: {jobs} requests in slices of {tau} rounds cannot be run")


class PackedOutcome(NamedTuple):
    """What a timetable policy did on each instance of a batch.

    Attributes
    ----------
    completion, start : int64[total requests]
        Instance after instance; rows of a failed instance have no meaning.
    evictions, codes : int64[k]
        Attempts killed; 0 where the run ended well.
    """

    completion: IntArray
    start: IntArray
    evictions: IntArray
    codes: IntArray


def run_packed(
    card: Card, batch: InstanceBatch, settings: Settings | None = None, round_limit: int | None = None
) -> PackedOutcome:
    """Run a timetable policy on many small instances in one compiled call.

    Parameters
    ----------
    card : Card
        Of a timetable policy: sps, gba, gba_d, gsa, response.
    batch : InstanceBatch
    settings : mapping, optional
        Parameters, the same for all; default: the card's.
    round_limit : int, optional
        As for `algos.schedule`.

    Raises
    ------
    BadParameter
        For a policy that runs in the event engine, or bad settings.
    """
    if not isinstance(card.run, Timetable):
        raise BadParameter(f"{card.id} is not a timetable policy: it runs in the event engine")
    if round_limit is None:
        longest = np.maximum.reduceat(batch.arrival, batch.offsets[:-1]) + batch.sum_by_instance(batch.output)
        limits = MIN_ROUND_LIMIT + 64 * longest
    else:
        limits = np.full(len(batch), round_limit, np.int64)
    ran = card.run.run(card, _Columns.packed(batch), card.settings(batch[0], settings or {}), limits, 0)
    return PackedOutcome(ran.books.completion, ran.books.start, ran.evictions, ran.codes)


@cache
def _compiled_plan(plan: Callable[..., Any]) -> Any:
    """Compile a plan, once per process; on disk once per source."""
    from numba import types

    from algos.timetable.state import PLAN_TYPE

    return compiled(plan, signature=types.int64(PLAN_TYPE), **UNCOUNTED)


def _public(column: IntArray) -> IntArray:
    """Return a read-only contiguous view, which the kernel's type asks for."""
    view = np.ascontiguousarray(column, dtype=np.int64).view()
    view.flags.writeable = False
    return view


def _by_arrival(arrival: IntArray, offsets: IntArray) -> IntArray:
    """Return requests by (instance, arrival, index), or nothing when all are there at epoch 0."""
    if not arrival.any():
        return np.empty(0, np.int64)
    which = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return np.lexsort((arrival, which)).astype(np.int64)
