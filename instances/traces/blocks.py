"""Rows of a trace file in blocks of columns, so that a file of any size is read in little memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.traces.cells import IntArray, shown
from instances.traces.opening import OpenedTrace, open_text, reading
from kvratio.problem.errors import TraceError

#: rows per block: large enough for array speed, small enough for memory
BLOCK_ROWS = 65_536

Column = Sequence[Any] | npt.NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Consecutive rows.

    Attributes
    ----------
    number : int64[k]
        Line (or Parquet row) of each row in the file, from 1.
    columns : tuple of columns
        In the order asked for; text for CSV, JSON values for JSONL, arrays for Parquet.
    """

    number: IntArray
    columns: tuple[Column, ...]


def read_blocks(trace: OpenedTrace, wanted: Sequence[str], limit: int | None = None) -> Iterator[Block]:
    """Yield the rows of a file in order, at most ``limit`` of them; nothing beyond the limit is looked at.

    Empty lines hold no row and are passed over.

    Raises
    ------
    TraceError
        At a row with too few or too many fields, or a line that is not an object, with file and line.
    """
    if trace.container == "parquet":
        yield from _parquet_blocks(trace, wanted, limit)
        return
    rows = _csv_rows(trace, wanted) if trace.container == "csv" else _jsonl_rows(trace, wanted)
    left = limit
    while left is None or left > 0:
        size = BLOCK_ROWS if left is None else min(BLOCK_ROWS, left)
        numbers: list[int] = []
        cells: list[Sequence[Any]] = []
        for number, row in rows:
            numbers.append(number)
            cells.append(row)
            if len(cells) == size:
                break
        if not cells:
            return
        yield Block(np.array(numbers, dtype=np.int64), tuple(list(column) for column in zip(*cells, strict=True)))
        left = None if left is None else left - len(cells)


def _csv_rows(trace: OpenedTrace, wanted: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    width = len(trace.names)
    picks = [trace.names.index(name) for name in wanted]
    with reading(trace.path), open_text(trace.path) as text:
        reader = csv.reader(text, strict=True)
        header = False
        try:
            for row in reader:
                if not row:
                    continue
                if not header:
                    header = True
                    continue
                if len(row) != width:
                    raise _ragged(trace, reader.line_num, row)
                yield reader.line_num, [row[k] for k in picks]
        except csv.Error as fault:
            raise TraceError(f"{trace.where}, line {reader.line_num}: not CSV ({fault})") from fault


def _ragged(trace: OpenedTrace, line: int, row: list[str]) -> TraceError:
    width = len(trace.names)
    if len(row) < width:
        return TraceError(
            f"{trace.where}, line {line}, column {trace.names[len(row)]!r}: missing, the row {shown(','.join(row))} "
            f"has {len(row)} of {width} fields"
        )
    return TraceError(
        f"{trace.where}, line {line}, column {width + 1}: {shown(row[width])} is one field too many "
        f"({len(row)} fields under {width} names)"
    )


def _jsonl_rows(trace: OpenedTrace, wanted: Sequence[str]) -> Iterator[tuple[int, Sequence[Any]]]:
    with reading(trace.path), open_text(trace.path) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                # Decimals keep the digits of the file; NaN and Infinity come out as text and are refused as values.
                record = json.loads(line, parse_float=Decimal, parse_constant=str)
            except json.JSONDecodeError as fault:
                found = shown(line.strip())
                raise TraceError(
                    f"{trace.where}, line {number}, column {fault.colno}: {found} is not JSON ({fault.msg})"
                ) from fault
            if not isinstance(record, dict):
                raise TraceError(f"{trace.where}, line {number}: {shown(record)} is not an object")
            try:
                yield number, [record[name] for name in wanted]
            except KeyError as fault:
                keys = ", ".join(list(record)[:6]) or "no keys"
                raise TraceError(
                    f"{trace.where}, line {number}, column {fault.args[0]!r}: missing, the object has {keys}"
                ) from fault


def _parquet_blocks(trace: OpenedTrace, wanted: Sequence[str], limit: int | None) -> Iterator[Block]:
    import pyarrow.parquet

    first, left = 1, limit
    with reading(trace.path), pyarrow.parquet.ParquetFile(trace.path) as file:
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=list(wanted)):
            if left is not None:
                batch = batch.slice(0, left)
                left -= batch.num_rows
            if batch.num_rows:
                columns = tuple(_arrow_column(batch.column(batch.schema.get_field_index(name))) for name in wanted)
                yield Block(np.arange(first, first + batch.num_rows, dtype=np.int64), columns)
                first += batch.num_rows
            if left == 0:
                return


def _arrow_column(column: Any) -> Column:
    """Return whole columns of integers, and times (a gap is NaT), as arrays; anything else as Python values."""
    import pyarrow.types

    whole = pyarrow.types.is_integer(column.type) and column.null_count == 0
    if whole or pyarrow.types.is_timestamp(column.type):
        return column.to_numpy(zero_copy_only=False)
    return column.to_pylist()
