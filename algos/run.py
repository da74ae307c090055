"""Running a policy on instances: builds what the engine needs, judges what came back, makes the schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from algos.card import MIN_ROUND_LIMIT, Card, Known
from kvratio.problem.batch import InstanceBatch
from kvratio.problem.compiled import OUR_PACKAGES, UNCOUNTED, compiled
from kvratio.problem.errors import BadParameter, KvratioError, PolicyError, RoundLimit
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.plugins import describe, place
from kvratio.problem.schedule import ATTEMPT_DTYPE, Attempts, Schedule


class Outcome(NamedTuple):
    """What a run gives: int64[n] times, counters, and attempts where they were recorded."""

    completion: IntArray
    start: IntArray
    first_start: IntArray
    attempts: int
    evictions: int
    wasted_rounds: int
    wasted_token_rounds: int
    recomputed_tokens: int
    epochs: int
    log: IntArray


def run_schedule(
    card: Card,
    inst: Instance,
    eviction: str | None = None,
    seed: int = 0,
    round_limit: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Schedule:
    """Run one policy on one instance; see `algos.schedule`."""
    if not isinstance(inst, Instance):
        hint = "; use algos.schedule_batch for a packed batch" if isinstance(inst, InstanceBatch) else ""
        raise BadParameter(f"schedule: the first argument is of type {type(inst).__name__}, give an Instance{hint}")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise BadParameter(f"{card.id}: seed is {seed!r}: give an integer")
    eviction = card.check_eviction(eviction)
    settings = card.settings(inst, params or {})
    limit = default_round_limit(inst) if round_limit is None else int(round_limit)

    def once(record: int) -> Outcome:
        runner = card.run or run_events
        return runner(inst, settings, seed, eviction, record, limit, card=card)

    out = once(0)

    def attempts() -> Attempts:
        log = once(out.attempts).log
        rows = np.empty(len(log), dtype=ATTEMPT_DTYPE)
        order = np.lexsort((log[:, 0], log[:, 1]))
        for column, name in enumerate(("request", "start", "stop", "completed")):
            rows[name] = log[order, column]
        return rows

    return Schedule(
        inst,
        out.completion,
        out.start,
        attempts,
        policy=card.id,
        eviction=eviction,
        seed=seed,
        params=settings,
        first_start=out.first_start,
        evictions=out.evictions,
        wasted_rounds=out.wasted_rounds,
        wasted_token_rounds=out.wasted_token_rounds,
        recomputed_tokens=out.recomputed_tokens,
    )


def default_round_limit(inst: Instance) -> int:
    """Rounds after which a run is taken for endless: generous against the serial schedule."""
    return MIN_ROUND_LIMIT + 64 * (int(inst.arrival.max()) + int(inst.output.sum()))


def known(card: Card, inst: Instance) -> Known:
    """Cut the instance down to what the policy's information class may learn on arrival, predictions clamped."""
    blank = np.full(inst.n, -1, np.int64)
    estimate, low, high, output = blank, blank, blank, blank
    if card.information == "clairvoyant":
        output = inst.output
    if card.information in ("prediction", "clairvoyant", "one_bit"):
        estimate = inst.output if not inst.has_predictions else inst.clamp(inst.predicted)
    if card.information == "interval":
        low, high = inst.clamp(inst.predicted_low), inst.clamp(inst.predicted_high)
    return Known(inst.prompt, inst.arrival, estimate, low, high, output, inst.memory)


def one_bit(card: Card, seen: Known, settings: Mapping[str, Any]) -> Known:
    """Replace estimates by the one bit "longer than theta" where that is all the policy may read."""
    if card.information != "one_bit":
        return seen
    return seen._replace(estimate=(seen.estimate > settings["theta"]).astype(np.int64))


@cache
def compiled_hook(decide: Any) -> Any:
    """Compile a policy's hook, once per process; on disk once per source.

    In a user's hook an index outside an array is an IndexError; in ours, which are tested, nothing is looked at.
    """
    from numba import types

    from algos.engine.state import VIEW_TYPE

    ours = decide.__module__.partition(".")[0] in OUR_PACKAGES
    return compiled(decide, signature=types.int64(VIEW_TYPE), **UNCOUNTED, boundscheck=not ours)


def interpreted(card: Card) -> bool:
    """Whether the Python interpreter runs a policy's hook: its card says so, or numba cannot compile it.

    A built-in hook that does not compile is a fault of ours, and raises.
    """
    return card.decide is not None and (card.plain or (card.is_plugin and not _compiles(card.decide)))


@cache
def _compiles(decide: Any) -> bool:
    from numba.core.errors import NumbaError

    try:
        compiled_hook(decide)
    except (NumbaError, NotImplementedError, RuntimeError, AssertionError, TypeError, ValueError, KeyError) as fault:
        # numba reports what it cannot compile by its own errors, and now and then by whatever its code raises.
        _WHY_NOT[decide] = _said(str(fault))
        return False
    return True


_WHY_NOT: dict[Any, str] = {}


def _said(text: str) -> str:
    """Return what numba says of a hook without the listing of it: the first line that says something, and where."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Failed in nopython", "<source elided>"))]
    where = next((re.sub(r".*, (line \d+).*", r" (\1)", line) for line in told if line.startswith("File ")), "")
    return (told[0] if told else "no reason given") + where


def why_interpreted(card: Card) -> str:
    """Say in one line why a policy is slow; empty for one that is compiled."""
    if not interpreted(card):
        return ""
    if card.plain:
        return "its card says plain=True"
    return f"numba cannot compile its hook: {_WHY_NOT[card.decide]}"


def ranked(keys: np.ndarray, offsets: IntArray | None = None) -> IntArray:
    """Return the order by (key, index), within each instance when ``offsets`` is given."""
    n = len(keys)
    index = np.arange(n, dtype=np.int64)
    if offsets is not None:
        which = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        return index[np.lexsort((index, keys, which))] - np.repeat(offsets[:-1], np.diff(offsets))
    if keys.dtype.kind != "f":
        low, high = int(keys.min()), int(keys.max())
        if low == high:
            return index
        if (high - low + 1) * n < 2**62:
            # One sort of packed (key, index) is several times faster than a stable argsort.
            packed = (keys - low) * np.int64(n) + index
            packed.sort()
            packed %= n
            return packed
    return np.argsort(keys, kind="stable").astype(np.int64)


def run_events(
    inst: Instance, settings: Mapping[str, Any], seed: int, eviction: str, record: int, limit: int, *, card: Card
) -> Outcome:
    """Run a hook in the event engine on one instance; ``record`` attempts are written down."""
    from algos.engine import loop

    seen = one_bit(card, known(card, inst), settings)
    keys = card.key(seen, settings) if card.key else seen.arrival
    n = inst.n
    by_arrival = np.arange(n, dtype=np.int64) if inst.is_batch else ranked(inst.arrival)
    width = min(n, inst.memory)
    own = card.scratch(n, inst.memory, settings, seen) if card.scratch else 0
    view = make_view(n, width, ranked(keys), settings_vector(settings), own)
    truth = make_truth(seen, inst.output, by_arrival, width, record)
    budget, keeps, coins = inst.memory, int(eviction != "restart"), signed_seed(seed)
    code, view = _play(card, view, truth, budget, keeps, coins, limit)
    if code:
        raise _failure(card.id, code, view)
    t = [int(x) for x in truth.totals]
    return Outcome(
        truth.completion,
        truth.start,
        truth.first_start,
        t[loop.ATTEMPTS],
        t[loop.EVICTIONS],
        t[loop.WASTED_ROUNDS],
        t[loop.WASTED_TOKEN_ROUNDS],
        t[loop.RECOMPUTED] if eviction == "recompute" else 0,
        t[loop.EPOCHS],
        truth.log,
    )


def _play(card: Card, view: Any, truth: Any, memory: int, keeps: int, coins: int, limit: int) -> tuple[int, Any]:
    """Run the loop, compiled or interpreted; return its code and the view at the end.

    What a user's hook raises in machine code has no line: the run is repeated by the interpreter, which knows it.
    """
    from algos.engine import loop

    given = (view, truth, memory, keeps, coins, limit)
    if interpreted(card):
        return _interpret(card, *given)
    loop.prepare(view, truth, memory, keeps, coins)
    if not card.is_plugin:
        return loop.run_one(compiled_hook(card.decide), view, truth, limit), view
    try:
        return loop.run_one(compiled_hook(card.decide), view, truth, limit), view
    except Exception as fault:  # whatever a user's code raises
        epoch = int(view.st[0]["now"])
        _interpret(card, *given)
        raise PolicyError(f"{card.id}: at epoch {epoch} its hook raises {describe(fault)}") from fault


def _interpret(card: Card, *given: Any) -> tuple[int, Any]:
    from algos.plain.run import run

    assert card.decide is not None
    try:
        return run(card.decide, *given)
    except KvratioError:
        raise
    except Exception as fault:  # whatever a user's code raises
        at = "" if card.origin is None else place(fault, card.origin.sources)
        raise PolicyError(f"{card.id}: its hook fails: {at}{describe(fault)}") from fault


def make_view(n: int, width: int, order: IntArray, param: np.ndarray, own: int) -> Any:
    """Allocate a view for instances of up to n requests, of which up to ``width`` run at once."""
    from algos.engine.bitset import words_needed
    from algos.engine.state import REQUEST, STATE, View

    def ints(size: int) -> IntArray:
        return np.empty(size, np.int64)

    words = words_needed(n)
    return View(
        req=np.empty(n, REQUEST),
        st=np.zeros(1, STATE),
        order=order,
        waiting=ints(words),
        active=ints(words),
        run=ints(width + 1),
        ledger=ints(3 * (width + 2)),
        ended=ints(width + 1),
        arrived=ints(n),
        actions=ints(4 * width + 64),
        param=param,
        own=np.zeros(own, np.int64),
    )


def make_truth(seen: Known, output: IntArray, by_arrival: IntArray, width: int, record: int) -> Any:
    """Lay out what the engine alone may see, and room for its results."""
    from algos.engine.state import Truth

    def ints(size: int) -> IntArray:
        return np.empty(size, np.int64)

    def own(array: IntArray) -> IntArray:
        # The engine's type asks for writable arrays; a copy is made only of read-only ones.
        return array if array.flags.writeable and array.flags.c_contiguous else np.array(array, dtype=np.int64)

    n = len(output)
    prompt, arrival, estimate, low, high, reveal = (own(column) for column in seen[:6])
    return Truth(
        prompt=prompt,
        arrival=arrival,
        estimate=estimate,
        low=low,
        high=high,
        output=own(output),
        reveal=reveal,
        by_arrival=by_arrival,
        completion=ints(n),
        start=ints(n),
        first_start=ints(n),
        began=ints(n),
        heap_time=ints(width + 1),
        heap_request=ints(width + 1),
        heap_slot=ints(n),
        log=np.empty((record, 4), np.int64),
        totals=np.zeros(8, np.int64),
    )


def settings_vector(settings: Mapping[str, Any]) -> np.ndarray:
    """Turn settings into the float64 vector that hooks read; None and text become NaN."""
    numbers = [np.nan if v is None or isinstance(v, str) else float(v) for v in settings.values()]
    return np.array(numbers, dtype=np.float64)


def signed_seed(seed: int) -> int:
    """Bring a seed mod 2^64 into int64."""
    return int(np.array([int(seed) % 2**64], dtype=np.uint64).view(np.int64)[0])


def _failure(policy: str, code: int, view: Any) -> PolicyError:
    from algos.engine import actions, loop

    s = view.st[0]
    t, culprit = int(s["now"]), int(s["culprit"])
    if code == loop.OVER_MEMORY:
        demand = int(s["offset"]) + int(s["running"]) * (t + 1)
        budget = int(s["memory"])
        return PolicyError(f"{policy}: at epoch {t} its decisions leave {demand} of {budget} memory for the next round")
    if code == loop.ROUND_LIMIT:
        return RoundLimit(f"{policy}: not finished at round {t}, past the round limit; it may never end")
    text = {
        actions.NOT_WAITING: f"starts request {culprit}, which is not waiting",
        actions.NOT_RUNNING: f"evicts request {culprit}, which is not running",
        actions.TOO_MANY_ACTIONS: "takes more actions than four times the requests that can run",
        loop.STUCK: "nothing runs, nothing will arrive, and it starts nothing",
        loop.BACKWARDS: "asks to be woken at an epoch that has passed",
    }[code]
    return PolicyError(f"{policy}: at epoch {t}: {text}")
