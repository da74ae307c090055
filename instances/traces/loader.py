"""`load_trace`: a published or private request trace, by path or by name, as an instance."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from fractions import Fraction
from os import PathLike
from typing import Any

from instances.traces.cells import IntArray
from instances.traces.locate import find_trace, logical_name
from instances.traces.reader import Request, read_trace
from instances.traces.rounds import round_length, rounds_of
from instances.traces.rules import Rules, apply_rules
from kvratio.problem.errors import BadParameter, TraceError
from kvratio.problem.fields import as_memory
from kvratio.problem.instance import Instance

#: what a draw from ServeGen's marginals may have to tell
_DRAW_NOTES = {
    "borrowed_histograms": "lengths drawn from the nearest window that has a histogram",
    "without_lengths": "arrivals left out because their client publishes no lengths",
}


class TraceWarning(UserWarning):
    """Rows of a trace were dropped, changed or moved; the message counts them."""


def load_trace(
    path: str | PathLike[str],
    memory: int,
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
    seed: int = 0,
    window: tuple[float, float] | None = None,
    clients: Iterable[int] | None = None,
    name: str | None = None,
) -> Instance:
    """Read a request trace.

    Parameters
    ----------
    path : str or path
        A file (plain or gzip CSV or JSONL, or Parquet), a folder of ServeGen client files, or the name of a trace
        below the folder that the environment variable ``KVRATIO_TRACES`` names (``azure_2023_conv``).
    memory : int
        The budget M, in tokens.
    format : str
        ``"auto"`` recognises the published formats by their columns; else one of `instances.traces.format_ids`.
    limit : int, optional
        Read only the first so many rows of the file. The rules below apply to these rows, so fewer requests may
        come out.
    batch : bool
        True puts every arrival at 0. The seconds stay in ``arrival_seconds``.
    round_seconds : number or str
        Seconds of one round: arrival = floor(seconds / round_seconds), exactly (0.03 means 3/100).
    columns : mapping, optional
        Column map ``{"prompt": ..., "output": ..., "arrival": ...}`` for any other file; without ``arrival``, a batch.
    time_unit : {"s", "ms", "us", "ns", "datetime"}, optional
        Unit of the arrival column that ``columns`` names. Default "s".
    zero_tokens : {"drop", "error", "one"}
        Rows with no output token (failed requests): leave out, refuse, or count as one token.
    zero_prompt : {"keep", "drop", "error", "one"}
        Rows with no prompt token; the model allows them.
    out_of_order : {"sort", "keep", "error"}
        Rows stamped before a row above them: sort all rows by time (ties keep file order), leave the order of the file,
        or refuse.
    too_large : {"drop", "error", "clip"}
        Requests with prompt + output > M: leave out, refuse, or cut: the prompt to M - 1 at most, then the output.
    seed : int
        For ServeGen client files, which hold distributions: the seed of the draw.
    window : (float, float), optional
        For ServeGen client files: the part of the published day to draw, in seconds. Default: all of it.
    clients : iterable of int, optional
        For ServeGen client files: which clients. Default: all in the folder.
    name : str, optional
        Name of the instance. Default: the file's name without its endings.

    Returns
    -------
    Instance
        Requests in order of arrival. ``arrival_seconds`` counts from the first row read (None without arrivals);
        ``info["trace"]`` holds file, format, rules, and how many rows each rule touched.

    Raises
    ------
    TraceError
        A file that cannot be found, recognised or read; a malformed row, with file, line, column and value.
    BadParameter
        A rule, unit, limit or length of round that has no meaning.

    Warns
    -----
    TraceWarning
        One line when any row was dropped, changed or moved.
    """
    budget = as_memory(memory)
    length = round_length(round_seconds)
    rules = Rules(zero_tokens, zero_prompt, out_of_order, too_large)
    most = positive_limit(limit)
    request = Request(format, columns, time_unit, most, seed, window, clients)
    reading = read_trace(find_trace(path), request)
    kept, counts = apply_rules(reading.rows, budget, rules, reading.fault)
    label = name if name is not None else logical_name(reading.path)
    summary = summary_line(label, reading.rows.n, kept.n, counts, reading.facts, rules, budget)
    if kept.n == 0:
        raise TraceError(f"{reading.path}: no request is left; {summary}")
    if any(counts.values()) or any(reading.facts.get(key) for key in _DRAW_NOTES):
        warnings.warn(summary, TraceWarning, stacklevel=2)
    arrival, seconds = _arrivals(reading.rows.time, kept.time, batch, length)
    told = {
        "file": reading.path.name,
        "format": reading.format,
        "rows_read": reading.rows.n,
        "requests": kept.n,
        **counts,
        "rules": asdict(rules),
        "limit": most,
        "batch": bool(batch),
        "round_seconds": float(length),
        "has_arrivals": kept.time is not None,
        **reading.facts,
    }
    return Instance(
        prompt=kept.prompt,
        output=kept.output,
        memory=budget,
        arrival=arrival,  # type: ignore[arg-type]
        name=label,
        arrival_seconds=seconds,
        info={"family": "trace", "trace": told},
    )


def positive_limit(limit: int | None) -> int | None:
    """Return a number of rows to read, or None for all; anything else raises BadParameter."""
    if limit is None:
        return None
    try:
        most = operator.index(limit)
    except TypeError:
        most = 0
    if most < 1 or isinstance(limit, bool):
        raise BadParameter(f"limit is {limit!r}: give the number of rows to read, 1 or more, or None")
    return most


def _arrivals(
    read: IntArray | None, kept: IntArray | None, batch: bool, length: Fraction
) -> tuple[IntArray | None, Any]:
    """Return rounds and seconds since the earliest row read, so that dropping a row never moves the others."""
    if read is None or kept is None:
        return None, None
    since = kept - read.min()
    return (None if batch else rounds_of(since, length)), since / 1e9


def summary_line(
    label: str, read: int, kept: int, counts: Mapping[str, int], facts: Mapping[str, Any], rules: Rules, memory: int
) -> str:
    """Return one line: what was read, what is left, and why."""
    kinds = (
        ("out_of_order", "out of order", rules.out_of_order),
        ("zero_output", "with 0 output tokens", rules.zero_tokens),
        ("zero_prompt", "with 0 prompt tokens", rules.zero_prompt),
        ("too_large", f"larger than memory {memory}", rules.too_large),
    )
    told = [f"{counts[key]} {text} ({rule})" for key, text, rule in kinds if counts[key]]
    told += [f"{facts[key]} {text}" for key, text in _DRAW_NOTES.items() if facts.get(key)]
    return f"trace {label}: {read} rows read, {kept} requests kept" + (": " + ", ".join(told) if told else "")
