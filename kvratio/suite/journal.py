"""Finished cells on disk while a run goes on: a line each, written before the next cell begins.

A process that is killed leaves a whole number of lines and perhaps the beginning of one, which is passed over when the
journal is read. So a kill costs the cells in flight and no others. (The lines survive the process, not a power cut.)
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

#: tells apart processes of equal number, on other machines or at other times
_TOKEN = uuid.uuid4().hex[:12]


class Journal:
    """The journal of this process in a folder.

    Parameters
    ----------
    folder : Path
    columns : sequence of str
        What of a row is kept; they stand in the first line, the values of a row in every other.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._columns = list(columns)
        self._file = (folder / f"{os.getpid()}-{_TOKEN}.jsonl").open("a")
        if self._file.tell() == 0:
            self._write(self._columns)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; it outlives this process when this returns."""
        self._write([row.get(name) for name in self._columns])

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *fault: object) -> None:
        self._file.close()

    def _write(self, values: list[Any]) -> None:
        self._file.write(json.dumps(values, default=_plain) + "\n")
        self._file.flush()


def read_journals(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every row in the journals of a folder; a line that was cut off is no row."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as lines:
            columns: list[str] = []
            for line in lines:
                if not line.endswith("\n"):
                    continue
                with suppress(json.JSONDecodeError):
                    values = json.loads(line)
                    if columns:
                        yield dict(zip(columns, values, strict=True))
                    else:
                        columns = values


def _plain(value: Any) -> Any:
    """Return a numpy scalar as the Python number that it is."""
    return value.item()


__all__ = ["Journal", "read_journals"]
