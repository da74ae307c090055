"""A crew of dask workers, each given one errand at a time, so that it is known what a worker did when it died.

Dask's own scheduling sends many tasks ahead to a worker and suspects all of them when it dies. Here every errand is
pinned to one worker; the client sees workers come and go, and decides what is tried again.
"""

from __future__ import annotations

import itertools
import queue
import time
import uuid
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kvratio.problem.errors import KvratioError

#: seconds between two looks at which workers are there
LOOK = 0.5
#: seconds to wait for a result that a worker holds, before looking whether it is still there; doubled each time it is
FETCH = 2.0
#: deaths of workers over one step, which was surely in flight each time, before it is given up
TRIALS = 2
#: seconds: errands that take less are sent as one task, since a task costs some milliseconds of this process
SHORT = 0.25


class CrewFault(KvratioError):
    """The cluster cannot do the work at all, such as a worker without kvratio."""


@dataclass(frozen=True)
class Errand:
    """Work for one worker: a head, then steps in order that each take its result first.

    Parameters
    ----------
    name : object
        Comes back with every result.
    steps : tuple of (name, arguments)
    step : callable
        Called in the worker as ``step(head result, *arguments)``, or without the first where there is no head.
    head : callable, optional
    head_arguments : tuple
    host : str, optional
        Only workers of this machine.
    """

    name: Any
    steps: tuple[tuple[Any, tuple[Any, ...]], ...]
    step: Callable[..., Any]
    head: Callable[..., Any] | None = None
    head_arguments: tuple[Any, ...] = ()
    host: str | None = None


@dataclass(frozen=True)
class Result:
    """What came of one step; ``killed`` where it, or the head before it, ended its worker again and again."""

    errand: Errand
    step: Any
    value: Any = None
    killed: bool = False


HEAD = object()
WHOLE = object()
MISSING = object()


@dataclass
class _Trip:
    """An errand on its way with one worker.

    ``careful``: one step at a time, after a death; then what a worker did when it died is certain.
    """

    errand: Errand
    left: deque[tuple[Any, tuple[Any, ...]]]
    deaths: Counter[Any] = field(default_factory=Counter)
    careful: bool = False
    #: what the worker has not answered, in the order in which it works
    asked: dict[Any, Any] = field(default_factory=dict)
    head: Any = None
    begun: float = 0.0


class Crew:
    """Runs errands on the workers of a dask client.

    Parameters
    ----------
    client : distributed.Client
    note : callable
        Takes a line for the user.
    """

    def __init__(self, client: Any, note: Callable[[str], None]) -> None:
        self._client, self._note = client, note
        self._events: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self._trips: dict[str, _Trip] = {}
        self._lost: set[str] = set()
        self._said, self._patience = "", FETCH
        self._usual = SHORT  # seconds that an errand takes, lately
        self._numbers = itertools.count()

    def run(self, errands: Iterable[Errand]) -> Iterator[Result]:
        """Yield the result of every step of every errand, as they come."""
        waiting = deque(_Trip(errand, deque(errand.steps)) for errand in errands)
        try:
            threads = self._look()
            self._assign(waiting, threads)
            looked = time.monotonic()
            while waiting or self._trips:
                yield from self._collect()
                if time.monotonic() - looked > LOOK:
                    threads, looked = self._look(), time.monotonic()
                    yield from self._bury(threads, waiting)
                self._assign(waiting, threads)
        finally:
            for trip in self._trips.values():
                self._drop(trip)
            self._trips.clear()

    def _look(self) -> dict[str, int]:
        """Return the threads of every worker that is there, by address."""
        return dict(self._client.nthreads())

    # -- giving work ----------------------------------------------------------------------------------------------
    def _assign(self, waiting: deque[_Trip], threads: dict[str, int]) -> None:
        """Give every idle worker the first errand that it may do."""
        for address, count in threads.items():
            if address in self._trips or not waiting:
                continue
            host = address.rpartition(":")[0].rpartition("/")[2]
            trip = next((t for t in waiting if t.errand.host in (None, host)), None)
            if trip is None:
                continue
            waiting.remove(trip)
            trip.careful = trip.careful or count > 1  # with several threads the steps would run side by side
            trip.begun = time.monotonic()
            self._trips[address] = trip
            errand = trip.errand
            if self._usual < SHORT and not trip.careful:
                given = (errand.head, errand.head_arguments, errand.step, [arguments for _, arguments in trip.left])
                self._submit(address, trip, WHOLE, in_one, given)
                continue
            if errand.head is not None:
                trip.head = self._submit(address, trip, HEAD, errand.head, errand.head_arguments)
            if not trip.careful:
                while trip.left:
                    self._ask(address, trip)
            elif trip.head is None:
                self._ask(address, trip)

    def _ask(self, address: str, trip: _Trip) -> None:
        step, arguments = trip.left.popleft()
        given = arguments if trip.head is None else (trip.head, *arguments)
        self._submit(address, trip, step, trip.errand.step, given)

    def _submit(self, address: str, trip: _Trip, step: Any, function: Callable[..., Any], given: Sequence[Any]) -> Any:
        number = next(self._numbers)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # a large instance is what it is
            future = self._client.submit(
                function,
                *given,
                key=f"kvratio-{uuid.uuid4().hex}",
                workers=[address],
                allow_other_workers=False,
                priority=-number,
                pure=False,
            )
        trip.asked[step] = future
        future.add_done_callback(lambda done: self._events.put((address, step, done)))
        return future

    # -- taking results -------------------------------------------------------------------------------------------
    def _collect(self) -> Iterator[Result]:
        """Wait a little for results, and fetch all that have come in one message."""
        try:
            events = [self._events.get(timeout=LOOK / 2)]
        except queue.Empty:
            return
        while not self._events.empty():
            events.append(self._events.get())
        done = []
        for address, step, future in events:
            trip, status = self._trips.get(address), future.status
            if trip is None or trip.asked.get(step) is not future:
                continue  # of a trip that was given up
            if status == "finished":
                done.append((address, trip, step, future))
            elif status == "error":
                self._require_death(address, future)
        for (address, trip, step, future), value in zip(done, self._fetch(done), strict=True):
            if value is MISSING:
                self._events.put((address, step, future))
                continue
            del trip.asked[step]
            if step is WHOLE:
                steps, trip.left = trip.left, deque()
                yield from (Result(trip.errand, name, one) for (name, _), one in zip(steps, value, strict=True))
            elif step is not HEAD:
                trip.deaths.pop(step, None)
                yield Result(trip.errand, step, value)
            if trip.careful and trip.left and not trip.asked:
                self._ask(address, trip)
            if not trip.left and not trip.asked:
                self._usual += 0.2 * (time.monotonic() - trip.begun - self._usual)
                self._drop(trip)
                del self._trips[address]

    def _fetch(self, done: list[Any]) -> list[Any]:
        """Return the values of finished steps, `MISSING` with lost workers; a head's value stays with its worker."""
        wanted = [future for _, _, step, future in done if step is not HEAD]
        values = iter(self._gather(wanted))
        return [None if step is HEAD else next(values) for _, _, step, _ in done]

    def _gather(self, futures: list[Any]) -> list[Any]:
        client = self._client

        async def gather() -> list[Any]:
            return list(await client.gather(futures, asynchronous=True))

        if not futures:
            return []
        try:
            values = client.sync(gather, callback_timeout=self._patience)
            self._patience = FETCH
            return values
        except Exception as fault:
            if not is_loss(fault):
                raise
            self._patience *= 2
            return [MISSING] if len(futures) == 1 else [value for one in futures for value in self._gather([one])]

    # -- deaths ---------------------------------------------------------------------------------------------------
    def _bury(self, threads: dict[str, int], waiting: deque[_Trip]) -> Iterator[Result]:
        """Take back the errands of workers that are gone; what was in flight twice is given up."""
        for address in [a for a in self._trips if a not in threads or a in self._lost]:
            trip = self._trips.pop(address)
            suspect = next(iter(trip.asked), None)
            self._drop(trip)
            trip.deaths[suspect] += suspect not in (None, WHOLE)
            given_up = trip.deaths[suspect] >= TRIALS
            arguments = dict(trip.errand.steps)
            left = [step for step in trip.asked if step not in (HEAD, WHOLE)] + [step for step, _ in trip.left]
            self._note(f"worker {address} is gone: " + ("a cell is given up" if given_up else "its work is done again"))
            if given_up:
                lost = left if suspect is HEAD else [suspect]
                yield from (Result(trip.errand, step, killed=True) for step in lost)
                left = [step for step in left if step not in lost]
            if left:
                again = deque((step, arguments[step]) for step in left)
                waiting.appendleft(_Trip(trip.errand, again, trip.deaths, careful=True))
        self._lost.clear()
        said = "" if threads else "no worker is left: waiting for one (Ctrl-C ends the run, finished cells are kept)"
        if said and said != self._said:
            self._note(said)
        self._said = said

    def _require_death(self, address: str, future: Any) -> None:
        """Raise what a step raised, unless it is the death of its worker, which `_bury` sees."""
        fault = future.exception(timeout=60)
        if is_loss(fault):
            self._lost.add(address)  # it may be back already, under the same address
            return
        kind = "" if isinstance(fault, KvratioError) else f"{type(fault).__name__}: "
        raise CrewFault(f"worker {address}: {kind}{' '.join(str(fault).split())}") from fault

    def _drop(self, trip: _Trip) -> None:
        """Let go of everything a trip asked for."""
        for future in (*trip.asked.values(), *([trip.head] if trip.head is not None else [])):
            future.cancel(force=True)
        trip.head = None


def in_one(
    head: Callable[..., Any] | None,
    head_arguments: tuple[Any, ...],
    step: Callable[..., Any],
    each: list[tuple[Any, ...]],
) -> list[Any]:
    """Do a whole errand, in the worker."""
    first = () if head is None else (head(*head_arguments),)
    return [step(*first, *arguments) for arguments in each]


def is_loss(fault: BaseException) -> bool:
    """Whether a fault only says that a worker or what it held is gone."""
    from concurrent.futures import CancelledError

    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    return isinstance(fault, (KilledWorker, CancelledError, FutureCancelledError, TimeoutError, OSError))


__all__ = ["Crew", "CrewFault", "Errand", "Result"]
