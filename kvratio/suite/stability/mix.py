"""A mix of lengths as a command line names it: classes with shares, or the requests of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import Classes, classes_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: with more classes than this, lengths are put into buckets before they are routed
MOST_UNITS = 9
#: buckets of a trace, about equal shares of its requests
BUCKETS = 6


@dataclass(frozen=True, eq=False)
class Mix:
    """Classes of requests with a name.

    Attributes
    ----------
    name : str
    prompt : float64[K]
    decode : int64[K]
    shares : float64[K]
        Sum 1.
    note : str
        What was left out, one line; empty if nothing.
    """

    name: str
    prompt: FloatArray
    decode: IntArray
    shares: FloatArray
    note: str = ""

    @property
    def classes(self) -> Classes:
        """The classes as the theory takes them."""
        return classes_of(self.prompt, self.decode, self.shares)

    @property
    def units(self) -> IntArray:
        """What is routed as one: every class where there are few, else buckets of the decode lengths, int64[K]."""
        if len(self.decode) <= MOST_UNITS:
            return np.arange(len(self.decode))
        order = np.argsort(self.decode, kind="stable")
        below = np.cumsum(self.shares[order]) - self.shares[order] / 2
        cuts = self.decode[order][np.searchsorted(below, np.arange(1, BUCKETS) / BUCKETS)]
        found = np.searchsorted(np.unique(cuts), self.decode, side="right")
        return np.unique(found, return_inverse=True)[1].astype(np.int64)

    def unit_names(self) -> list[str]:
        """Return what to call each unit: its decode lengths."""
        units = self.units
        names = []
        for unit in range(int(units.max()) + 1):
            lengths = np.unique(self.decode[units == unit])
            names.append(str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]}-{lengths[-1]}")
        return names


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def mix_of_classes(texts: Sequence[str]) -> Mix:
    """Return the mix of texts PROMPT:DECODE[:SHARE]; shares are relative.

    Raises
    ------
    BadParameter
    """
    rows = [_numbers(text) for text in texts]
    if len({len(row) for row in rows}) != 1:
        raise BadParameter("--class: some have a share and some have none: give all of them one, or none")
    shares = [row[2] if len(row) == 3 else 1.0 for row in rows]
    return mix_of_columns([row[0] for row in rows], [row[1] for row in rows], shares)


def mix_of_columns(prompt: Sequence[float], decode: Sequence[float], shares: Sequence[float] | None) -> Mix:
    """Return the mix of prompts (one, or one each), decode lengths and relative shares.

    Raises
    ------
    BadParameter
    """
    given = np.ones(max(len(decode), 1)) if shares is None else np.asarray(shares, np.float64)
    if not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
        raise BadParameter(f"shares {given.tolist()}: give numbers of 0 or more, not all 0")
    classes = classes_of(prompt, decode, given / given.sum())
    pairs = [f"{l0:g}:{l1}" for l0, l1 in zip(classes.prompt.tolist(), classes.decode.tolist(), strict=True)]
    left_out = len(given) - len(classes)
    note = f"{counted(left_out, 'class', 'classes')} with share 0 left out" if left_out else ""
    return Mix(" ".join(pairs), classes.prompt, classes.decode, classes.share, note)


def mix_of_trace(trace: str | None, file: Path | None, memory: int, count: int, seed: int) -> Mix:
    """Return the requests of a trace, of a fitted family or of a file of lengths, each a class of its own.

    Raises
    ------
    BadParameter, UnknownName, TraceError
    """
    from kvratio.suite.capacity_source import open_source
    from stability.capacity import Joint

    source = open_source(trace, None, None, file, (), memory, count, seed)
    lengths = source.lengths
    if not isinstance(lengths, Joint):
        raise BadParameter(f"{source.name}: its requests are not known one by one: give a trace")
    kept = lengths.output >= 1
    dropped = int((~kept).sum())
    if not kept.any():
        raise BadParameter(f"{source.name}: no request has an output: give another trace")
    if (lengths.output != np.floor(lengths.output)).any():
        raise BadParameter(f"{source.name}: some outputs are not whole tokens: give whole numbers")
    notes = [source.note, f"{counted(dropped, 'request', 'requests')} without output left out" if dropped else ""]
    return Mix(
        source.name,
        lengths.prompt[kept],
        lengths.output[kept].astype(np.int64),
        lengths.weight[kept] / lengths.weight[kept].sum(),
        "; ".join(note for note in notes if note),
    )


def _numbers(text: str) -> list[float]:
    """Return the numbers of PROMPT:DECODE[:SHARE]."""
    try:
        values = [float(part) for part in text.split(":")]
    except ValueError:
        values = []
    if len(values) not in (2, 3):
        raise BadParameter(f"--class {text!r}: give PROMPT:DECODE or PROMPT:DECODE:SHARE, such as 10:40:0.5")
    return values
