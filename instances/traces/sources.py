"""What is published where: the registry of traces that can be fetched, and how each of its facts is known."""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from kvratio.problem.errors import UnknownName


@dataclass(frozen=True)
class Source:
    """One upstream file.

    Attributes
    ----------
    name : str
        The name that `info`, `fetch` and `load_trace` take.
    file : str
        Its file name upstream.
    url : str
        Where it is; see `direct`.
    format : str
        A name that ``load_trace(format=...)`` takes, or what it is instead.
    licence : str
        The licence under which it is published.
    bytes : int or None
        Size, where known.
    sha256, git_blob_id : str
        Hashes, empty where not known.
    rows : str
        Number of requests as published ("1429.7k" is upstream's own rounding), empty where not known.
    basis : str
        How these facts are known. "held": the bytes were hashed and the rows counted; anything else is second-hand.
    """

    name: str
    file: str
    url: str
    format: str
    licence: str
    bytes: int | None
    sha256: str
    git_blob_id: str
    rows: str
    basis: str

    @property
    def direct(self) -> bool:
        """Whether the URL is the file itself, not a page or a repository that has it."""
        return urlsplit(self.url).path.endswith("/" + self.file)

    @property
    def loadable(self) -> bool:
        """Whether `load_trace` reads this format (a pickle is never opened)."""
        return "pickle" not in self.format


@cache
def list_sources() -> tuple[Source, ...]:
    """Return every registered source, in the order of the registry."""
    with files("instances.traces").joinpath("sources.csv").open(encoding="utf-8") as text:
        return tuple(
            Source(**{**row, "bytes": int(row["bytes"]) if row["bytes"] else None})  # type: ignore[arg-type]
            for row in csv.DictReader(text)
        )


def info(name: str) -> Source:
    """Return one source by name.

    Raises
    ------
    UnknownName
        With the nearest names.
    """
    for source in list_sources():
        if source.name == name:
            return source
    names = [source.name for source in list_sources()]
    close = difflib.get_close_matches(name, names, n=3) or names
    raise UnknownName(f"no source {name!r}; did you mean {', '.join(close)}?")
