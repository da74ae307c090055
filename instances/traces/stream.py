"""A trace in windows, so that one of any length is read in the memory of a window.

`load_trace` makes one instance of a whole trace: columns of 8 bytes a request, and more while reading. Here a trace is
cut into consecutive windows of so many requests or so many seconds; each is an instance of its own, and is forgotten
before the next is read.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np

from instances.traces.loader import TraceWarning, positive_limit, summary_line
from instances.traces.locate import find_trace, logical_name
from instances.traces.reader import Reading, Request, is_drawn, open_trace, row_blocks
from instances.traces.rounds import round_length, rounds_of
from instances.traces.rules import Rows, Rules, apply_rules
from kvratio.problem.errors import BadParameter, TraceError
from kvratio.problem.fields import as_memory
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests

#: larger than any budget in use: `stream_requests` drops nothing for its size
NO_BUDGET = 2**62


@dataclass(frozen=True)
class Window:
    """Consecutive rows of a trace, before any rule.

    Parameters
    ----------
    index : int
        Number of the window; those without a row are left out.
    rows : Rows
    start : int
        Nanoseconds from which its times count: of a window in seconds its own beginning, else its earliest row (0 where
        there are no times).
    first : int or None
        Nanoseconds of the first row of the trace.
    """

    index: int
    rows: Rows
    start: int
    first: int | None

    def told(self) -> dict[str, Any]:
        """What the window is, for ``info``."""
        offset = None if self.first is None else (self.start - self.first) / 1e9
        return {"index": self.index, "from_seconds": offset, "first_row": int(self.rows.number[0])}


def stream_trace(
    path: str | PathLike[str],
    memory: int,
    requests: int | None = None,
    seconds: float | str | Decimal | Fraction | None = None,
    format: str = "auto",
    limit: int | None = None,
    batch: bool = False,
    round_seconds: float | str | Decimal | Fraction = 0.03,
    *,
    columns: Mapping[str, str | None] | None = None,
    time_unit: str | None = None,
    zero_tokens: str = "drop",
    zero_prompt: str = "keep",
    out_of_order: str = "sort",
    too_large: str = "drop",
    name: str | None = None,
) -> Iterator[Instance]:
    """Yield a trace as instances, one for each window.

    Parameters
    ----------
    path, memory, format, limit, batch, round_seconds, columns, time_unit, zero_tokens, zero_prompt, too_large, name
        As in `instances.load_trace`.
    requests : int, optional
        Rows of a window.
    seconds : number or str, optional
        Or its length in time, exactly as written.
    out_of_order : {"sort", "keep", "error"}
        Within a window. A row that belongs to a window in seconds that was given out already raises.

    Yields
    ------
    Instance
        Arrivals count from the beginning of the window; ``info["trace"]["window"]`` says where that is. A window of
        which no request is left yields nothing.

    Raises
    ------
    TraceError
        As `load_trace`; and for a row of an earlier window, or a draw from client files, which have no rows.
    BadParameter
        Neither ``requests`` nor ``seconds`` is given, or both are.

    Warns
    -----
    TraceWarning
        One line at the end, when any row was dropped, changed or moved.
    """
    budget, length = as_memory(memory), round_length(round_seconds)
    rules = Rules(zero_tokens, zero_prompt, out_of_order, too_large)
    stream = _Stream(path, Request(format, columns, time_unit, positive_limit(limit), 0, None, None), name)
    for window, kept, counts in stream.windows(requests, seconds, budget, rules):
        arrival = times = None
        if kept.time is not None:
            since = kept.time - window.start
            arrival, times = (None if batch else rounds_of(since, length)), since / 1e9
        told = {
            **stream.about,
            "rows_read": window.rows.n,
            "requests": kept.n,
            **counts,
            "rules": asdict(rules),
            "batch": bool(batch),
            "round_seconds": float(length),
            "window": window.told(),
        }
        yield Instance(
            prompt=kept.prompt,
            output=kept.output,
            memory=budget,
            arrival=arrival,  # type: ignore[arg-type]
            name=f"{stream.label}[{window.index}]",
            arrival_seconds=times,
            info={"family": "trace", "trace": told},
        )


def stream_requests(
    path: str | PathLike[str],
    requests: int | None = None,
    seconds: float | str | Decimal | Fraction | None = None,
    format: str = "auto",
    limit: int | None = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    time_unit: str | None = None,
    zero_tokens: str = "drop",
    zero_prompt: str = "drop",
    name: str | None = None,
) -> Iterator[Requests]:
    """Yield a trace as arrival sequences of the serving model, one for each window.

    Parameters, windows, faults and the warning are those of `stream_trace`; rows are sorted by time within a window.
    There is no budget, so nothing is too large; a prompt must have a token.

    Raises
    ------
    TraceError
        As `stream_trace`; and where the trace has no arrival times.
    """
    if zero_prompt == "keep":
        raise BadParameter(
            "zero_prompt is 'keep': in the serving model a prompt has a token; choose drop, error or one"
        )
    rules = Rules(zero_tokens, zero_prompt, "sort", "drop")
    stream = _Stream(path, Request(format, columns, time_unit, positive_limit(limit), 0, None, None), name)
    for window, kept, counts in stream.windows(requests, seconds, NO_BUDGET, rules):
        if kept.time is None:
            raise TraceError(
                f"{stream.reading.path}: no arrival times, which the serving model needs: use stream_trace"
            )
        told = {**stream.about, "rows_read": window.rows.n, "requests": kept.n, **counts, "window": window.told()}
        yield Requests(
            prompt=kept.prompt,
            output=kept.output,
            arrival=(kept.time - window.start) / 1e9,
            name=f"{stream.label}[{window.index}]",
            info={"family": "trace", "trace": told},
        )


class _Stream:
    """A trace file that is read once, block by block."""

    def __init__(self, path: str | PathLike[str], request: Request, name: str | None) -> None:
        found = find_trace(path)
        if is_drawn(found, request):
            raise TraceError(f"{found}: client files hold distributions, not rows: draw with load_trace and its window")
        self._opened, self._format, self.reading = open_trace(found, request)
        self._limit = request.limit
        self.label = name if name is not None else logical_name(found)
        self.about = {
            "file": found.name,
            "format": self.reading.format,
            "limit": request.limit,
            "has_arrivals": self._format.arrival is not None,
        }

    def windows(
        self, requests: int | None, seconds: Any, memory: int, rules: Rules
    ) -> Iterator[tuple[Window, Rows, dict[str, int]]]:
        """Yield every window with the rows that the rules keep, and the counts of those that they touch."""
        cut = _cutter(requests, seconds, self._format.arrival is not None, self.reading)
        total: Counter[str] = Counter()
        read = kept_rows = 0
        for window in cut(row_blocks(self._opened, self._format, self._limit)):
            kept, counts = apply_rules(window.rows, memory, rules, self.reading.fault)
            total.update(counts)
            read, kept_rows = read + window.rows.n, kept_rows + kept.n
            if kept.n:
                yield window, kept, counts
        if read == 0:
            raise TraceError(f"{self.reading.path}: no rows under the header; is the file complete?")
        summary = summary_line(self.label, read, kept_rows, total, {}, rules, memory)
        if kept_rows == 0:
            raise TraceError(f"{self.reading.path}: no request is left; {summary}")
        if any(total.values()):
            warnings.warn(summary, TraceWarning, stacklevel=3)


Cutter = Callable[[Iterator[Rows]], Iterator[Window]]


def _cutter(requests: int | None, seconds: Any, timed: bool, reading: Reading) -> Cutter:
    """Return what cuts blocks of rows into windows."""
    if (requests is None) == (seconds is None):
        raise BadParameter("give the length of a window, either as requests or as seconds")
    if requests is not None:
        if isinstance(requests, bool) or not isinstance(requests, int) or requests < 1:
            raise BadParameter(f"requests is {requests!r}: give the number of rows of a window, 1 or more")
        return lambda blocks: _by_count(blocks, requests)
    if not timed:
        raise BadParameter(f"{reading.path}: no arrival times: give the length of a window as requests")
    try:
        length = int(round_length(seconds) * 10**9)
    except BadParameter as fault:
        raise BadParameter(f"seconds is {seconds!r}: give the length of a window, above 0") from fault
    if length < 1:
        raise BadParameter(f"seconds is {seconds!r}: give a nanosecond or more")
    return lambda blocks: _by_time(blocks, length, reading)


def _by_count(blocks: Iterator[Rows], size: int) -> Iterator[Window]:
    index, waiting, first = 0, _Parts(), None
    for block in blocks:
        if first is None and block.time is not None:
            first = int(block.time[0])
        at = 0
        while at < block.n:
            taken = min(size - waiting.n, block.n - at)
            waiting.add(block, at, at + taken)
            at += taken
            if waiting.n == size:
                yield _counted(index, waiting.take(), first)
                index += 1
    if waiting.n:
        yield _counted(index, waiting.take(), first)


def _counted(index: int, rows: Rows, first: int | None) -> Window:
    return Window(index, rows, 0 if rows.time is None else int(rows.time.min()), first)


def _by_time(blocks: Iterator[Rows], length: int, reading: Reading) -> Iterator[Window]:
    current, waiting = 0, _Parts()
    first: int | None = None
    for block in blocks:
        assert block.time is not None
        first = int(block.time[0]) if first is None else first
        index = (block.time - first) // length
        early = index < np.maximum(np.maximum.accumulate(index), current)
        if early.any():
            at = int(np.argmax(early))
            why = "it belongs to a window that was given out already: sort the file by time, or take longer windows"
            raise TraceError(
                f"{reading.path}, {reading.place} {int(block.number[at])}, column {reading.columns['arrival']!r}: {why}"
            )
        edges = [0, *(np.flatnonzero(np.diff(index)) + 1).tolist(), block.n]
        for begin, end in itertools.pairwise(edges):
            here = int(index[begin])
            if here != current and waiting.n:
                yield Window(current, waiting.take(), first + current * length, first)
            current = here
            waiting.add(block, begin, end)
    if waiting.n and first is not None:
        yield Window(current, waiting.take(), first + current * length, first)


class _Parts:
    """Pieces of blocks that wait for the rest of their window."""

    def __init__(self) -> None:
        self.n = 0
        self._parts: list[Rows] = []

    def add(self, block: Rows, begin: int, end: int) -> None:
        """Take the rows of a block from one position to another."""
        if end > begin:
            # Copies, since a view would keep the whole block alive.
            self._parts.append(block.take(np.arange(begin, end)))
            self.n += end - begin

    def take(self) -> Rows:
        """Return the rows, and begin anew."""
        parts, self._parts, self.n = self._parts, [], 0
        number, prompt, output = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("number", "prompt", "output")
        )
        times = [part.time for part in parts if part.time is not None]
        return Rows(number, prompt, output, np.concatenate(times) if times else None)


__all__ = ["Window", "stream_requests", "stream_trace"]
