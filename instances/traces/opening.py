"""Opening a trace file: what it is by its first bytes, whatever its name says, and what it must not be."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kvratio.problem.errors import TraceError

#: first bytes of the small text file that Git LFS leaves in place of a large one
LFS_MARK = b"version https://git-lfs.github.com/spec/"
_GZIP, _PARQUET, _ZIP, _PICKLE = b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class OpenedTrace:
    """A trace file that was looked into.

    Attributes
    ----------
    path : Path
        The file.
    container : {"csv", "jsonl", "parquet"}
        What holds the rows, told by content.
    names : tuple of str
        Column names of the header, keys of the first object, or names of the schema.
    """

    path: Path
    container: str
    names: tuple[str, ...]

    @property
    def where(self) -> str:
        """The file as errors name it."""
        return str(self.path)

    @property
    def place(self) -> str:
        """What a row's number counts: lines of text, or rows where there are no lines."""
        return "row" if self.container == "parquet" else "line"


def look_into(path: Path) -> OpenedTrace:
    """Return container and column names of a trace file, or say why it is none.

    Raises
    ------
    TraceError
        For a Git LFS pointer, a pickle, a zip archive, an empty or unreadable file.
    """
    with reading(path), path.open("rb") as file:
        head = file.read(len(LFS_MARK))
    if head[:4] == _PARQUET:
        return OpenedTrace(path, "parquet", _parquet_names(path))
    _refuse(path, head)
    with reading(path), open_bytes(path) as stream:
        _refuse(path, stream.read(len(LFS_MARK)))
    with reading(path), open_text(path) as text:
        first = next((line for line in text if line.strip()), None)
    if first is None:
        raise TraceError(f"{path}: the file is empty")
    if first.lstrip().startswith("{"):
        return OpenedTrace(path, "jsonl", _keys(path, first))
    if first.lstrip().startswith("["):
        raise TraceError(f"{path}: a JSON array; a JSONL trace has one object a line")
    with reading(path):
        names = next(csv.reader([first]))
    return OpenedTrace(path, "csv", tuple(name.strip() for name in names))


def open_bytes(path: Path) -> BinaryIO:
    """Open a plain or gzip file for reading; the first bytes decide, not the name."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    if zipped:
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def open_text(path: Path) -> io.TextIOWrapper:
    """Open a plain or gzip file as UTF-8 text (with or without a byte order mark), line ends as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the faults of reading a file into one TraceError that names it."""
    try:
        yield
    except UnicodeDecodeError as fault:
        raise TraceError(f"{path}: byte {fault.start} of a block is not UTF-8 text; is this the trace file?") from fault
    except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise TraceError(f"{path}: the gzip stream is cut or damaged ({fault}); fetch the file again") from fault
    except IsADirectoryError as fault:
        raise TraceError(f"{path}: a folder, not a trace file") from fault
    except OSError as fault:
        raise TraceError(f"{path}: cannot be read ({fault.strerror or fault})") from fault


def is_lfs_pointer(head: bytes) -> bool:
    """Whether these first bytes are those of a Git LFS pointer."""
    return head.startswith(LFS_MARK)


def _refuse(path: Path, head: bytes) -> None:
    if is_lfs_pointer(head):
        size = path.stat().st_size
        raise TraceError(
            f"{path}: a Git LFS pointer of {size} bytes, not the data; get the file itself with `git lfs pull` upstream"
        )
    if head[:1] == _PICKLE or path.suffix in (".pkl", ".pickle"):
        raise TraceError(
            f"{path}: a Python pickle can run code when opened, so it is never opened; use a CSV of its rows"
        )
    if head[:4] == _ZIP:
        raise TraceError(f"{path}: a zip archive; unpack it first")


def _keys(path: Path, line: str) -> tuple[str, ...]:
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as fault:
        raise TraceError(f"{path}, line 1: not one JSON object ({fault.msg} at column {fault.colno})") from fault
    return tuple(record)


def _parquet_names(path: Path) -> tuple[str, ...]:
    import pyarrow
    import pyarrow.parquet

    try:
        with reading(path), pyarrow.parquet.ParquetFile(path) as file:
            return tuple(file.schema_arrow.names)
    except pyarrow.ArrowInvalid as fault:
        raise TraceError(f"{path}: a damaged Parquet file ({str(fault).splitlines()[0]})") from fault
