"""From a file or folder to rows, before any rule is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from instances.traces.blocks import Column, read_blocks
from instances.traces.cells import BadCell, IntArray
from instances.traces.counts import read_counts
from instances.traces.formats import FORMATS, PLAIN, SERVEGEN, TraceFormat, format_ids, plain_format, recognise, require
from instances.traces.opening import OpenedTrace, look_into
from instances.traces.rules import Rows
from instances.traces.servegen import draw_requests
from instances.traces.servegen_files import is_client_file
from instances.traces.stamps import ArrivalColumn
from kvratio.problem.errors import BadParameter, TraceError


@dataclass(frozen=True)
class Reading:
    """Rows as they stand in a trace, and how to speak of them.

    Attributes
    ----------
    path : Path
        File or folder.
    format : str
        The format read.
    rows : Rows
        In the order of the file.
    place : str
        What a row's number counts: "line", "row" or "request".
    columns : mapping
        The upstream names of prompt, output and arrival.
    facts : mapping
        What a draw has to tell; empty for files of requests.
    """

    path: Path
    format: str
    rows: Rows
    place: str
    columns: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def fault(self, number: int, column: str, value: int, why: str) -> TraceError:
        """Return the error for a row that a rule refuses."""
        shown = "" if column == "arrival" else f"{value}: "
        return TraceError(
            f"{self.path}, {self.place} {number}, column {self.columns[column]!r}: {shown}{why}; "
            "choose another rule than error to go on"
        )


@dataclass(frozen=True)
class Request:
    """How the caller of `load_trace` wants a trace to be read; its parameters of the same names."""

    format: str
    columns: Mapping[str, str | None] | None
    time_unit: str | None
    limit: int | None
    seed: int
    window: tuple[float, float] | None
    clients: Iterable[int] | None

    def __post_init__(self) -> None:
        if self.format not in ("auto", *format_ids()):
            raise BadParameter(f"format is {self.format!r}: choose auto or one of {', '.join(format_ids())}")
        if self.columns is not None and self.format not in ("auto", PLAIN):
            raise BadParameter(f"columns is given with format={self.format!r}: give columns alone, or format='plain'")
        if self.time_unit is not None and self.columns is None and self.format != PLAIN:
            raise BadParameter("time_unit goes with columns={...}: the published formats fix their own unit")


def read_trace(path: Path, request: Request) -> Reading:
    """Read a file of requests, or draw from a folder of client files.

    Raises
    ------
    TraceError
        With file, line, column and value at the first malformed row; or when there is no row at all.
    """
    if is_drawn(path, request):
        return _draw(path, request)
    opened, fmt, nothing = open_trace(path, request)
    rows = read_rows(opened, fmt, request.limit)
    if rows.n == 0:
        raise TraceError(f"{path}: no rows under the header; is the file complete?")
    return replace(nothing, rows=rows)


def is_drawn(path: Path, request: Request) -> bool:
    """Whether a trace is a folder of client files, from which requests are drawn, and no file of requests."""
    client_files = path.is_dir() or is_client_file(path)
    return request.format == SERVEGEN or (request.format == "auto" and request.columns is None and client_files)


def open_trace(path: Path, request: Request) -> tuple[OpenedTrace, TraceFormat, Reading]:
    """Return a file of requests with its format, and a reading of none of its rows, which can speak of faults."""
    if request.window is not None or request.clients is not None:
        raise BadParameter(f"window and clients are for {SERVEGEN} only; {path.name} is not one of those")
    opened = look_into(path)
    fmt = _choose(opened, request)
    names = {"prompt": fmt.prompt, "output": fmt.output, "arrival": fmt.arrival or ""}
    return opened, fmt, Reading(path, fmt.id, _joined([], fmt), opened.place, names)


def read_rows(opened: OpenedTrace, fmt: TraceFormat, limit: int | None = None) -> Rows:
    """Read the rows of a file of a known format, whole; `row_blocks` reads them block by block.

    Parameters
    ----------
    opened : OpenedTrace
        The file.
    fmt : TraceFormat
        Its columns and units.
    limit : int, optional
        Stop after so many rows.

    Raises
    ------
    TraceError
        With file, line, column and value at the first malformed row.
    """
    return _joined(list(row_blocks(opened, fmt, limit)), fmt)


def row_blocks(opened: OpenedTrace, fmt: TraceFormat, limit: int | None = None) -> Iterator[Rows]:
    """Yield the rows of a file of a known format in blocks, as `read_rows` would return them."""
    require(fmt, opened.names, opened.where)
    readers: list[tuple[str, Callable[[Column], IntArray]]] = [(fmt.prompt, read_counts), (fmt.output, read_counts)]
    if fmt.arrival is not None:
        readers.append((fmt.arrival, ArrivalColumn(fmt.time_unit).read))
    for block in read_blocks(opened, [column for column, _ in readers], limit):
        part = [block.number]
        for (column, read), cells in zip(readers, block.columns, strict=True):
            try:
                part.append(read(cells))
            except BadCell as bad:
                raise bad.at(opened.where, opened.place, int(block.number[bad.index]), column) from bad
        yield Rows(part[0], part[1], part[2], part[3] if fmt.arrival is not None else None)


def _joined(parts: list[Rows], fmt: TraceFormat) -> Rows:
    """Put blocks end to end."""
    nothing = np.zeros(0, dtype=np.int64)
    timed = fmt.arrival is not None
    parts = parts or [Rows(nothing, nothing, nothing, nothing if timed else None)]
    number, prompt, output = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("number", "prompt", "output")
    )
    time = np.concatenate([p.time for p in parts if p.time is not None]) if timed else None
    return Rows(number, prompt, output, time)


def _draw(path: Path, request: Request) -> Reading:
    rows, facts = draw_requests(path, request.seed, request.window, request.clients, request.limit)
    if rows.n == 0:
        raise TraceError(f"{path}: no request falls into the window {facts['window']}; take a longer one")
    names = {"prompt": "input_tokens", "output": "output_tokens", "arrival": "time"}
    return Reading(path, SERVEGEN, rows, "request", names, facts)


def _choose(opened: OpenedTrace, request: Request) -> TraceFormat:
    if request.columns is not None or request.format == PLAIN:
        return plain_format(request.columns, request.time_unit or "s")
    return recognise(opened.names, opened.where) if request.format == "auto" else FORMATS[request.format]
