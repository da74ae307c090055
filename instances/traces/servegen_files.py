"""The files that ServeGen publishes per client: rates and interarrival laws, and histograms of tokens.

``chunk-<i>-trace.csv`` has no header: window start, rate, CV, family, shape, scale. ``chunk-<i>-dataset.json`` maps
window starts to histograms that are written as text, ``"{tokens: probability, ...}"``.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.traces.cells import IntArray, shown
from instances.traces.opening import open_text, reading
from kvratio.problem.errors import BadParameter, TraceError

_TRACE_FILE = re.compile(r"(.*?)chunk-(\d+)-trace\.csv(?:\.gz)?")
_SMALLEST_SHAPE = 0.02  # below it the Weibull mean, Gamma(1 + 1/shape), leaves double precision
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RateWindow:
    """Arrivals of one client between two times: rate in requests/s, family and shape of the interarrival law."""

    start: float
    stop: float
    rate: float
    family: str
    shape: float


@dataclass(frozen=True)
class Histogram:
    """Token counts and the cumulative probability up to each, shape (k,)."""

    tokens: IntArray
    cumulative: FloatArray

    def draw(self, uniform: FloatArray) -> IntArray:
        """Return the tokens at these probabilities."""
        return self.tokens[np.minimum(np.searchsorted(self.cumulative, uniform, side="right"), len(self.tokens) - 1)]


@dataclass(frozen=True)
class Client:
    """What is published about one client."""

    number: int
    rates: tuple[RateWindow, ...]
    starts: FloatArray
    prompts: tuple[Histogram | None, ...]
    outputs: tuple[Histogram | None, ...]


def is_client_file(path: Path) -> bool:
    """Whether this is the name of one client's rate file, ``chunk-<i>-trace.csv``."""
    return _TRACE_FILE.fullmatch(path.name) is not None


def client_files(where: Path, clients: Iterable[int] | None) -> list[tuple[int, Path]]:
    """Return number and rate file of the clients of a folder, or of the one client whose rate file is given."""
    if where.is_file():
        match = _TRACE_FILE.fullmatch(where.name)
        if match is None:
            raise TraceError(f"{where}: a ServeGen rate file is named chunk-<i>-trace.csv; give the folder of them")
        return [(int(match.group(2)), where)]
    found: dict[int, Path] = {}
    prefixes = set()
    for path in sorted(where.iterdir()):
        match = _TRACE_FILE.fullmatch(path.name)
        if match:
            prefixes.add(match.group(1))
            found[int(match.group(2))] = path
    if not found:
        raise TraceError(
            f"{where}: no file chunk-<i>-trace.csv in this folder; give a trace file, or ServeGen's model folder"
        )
    if len(prefixes) > 1:
        raise TraceError(
            f"{where}: client files of {len(prefixes)} models ({', '.join(sorted(prefixes))}); keep one a folder"
        )
    if clients is None:
        return sorted(found.items())
    wanted = sorted(set(clients))
    for number in wanted:
        if number not in found:
            raise TraceError(
                f"{where}: no client {number}; there are {len(found)}: {', '.join(map(str, sorted(found)[:8]))}"
            )
    if not wanted:
        raise BadParameter("clients is empty: name at least one, or leave it out for all")
    return [(number, found[number]) for number in wanted]


def read_client(number: int, trace_file: Path) -> Client:
    """Read the two files of one client: ``chunk-<i>-trace.csv`` and, beside it, ``chunk-<i>-dataset.json``."""
    lengths_file = trace_file.with_name(re.sub(r"trace\.csv(\.gz)?$", "dataset.json", trace_file.name))
    if not lengths_file.exists():
        raise TraceError(
            f"{trace_file}: its lengths file {lengths_file.name} is not beside it; get it from upstream too"
        )
    starts, prompts, outputs = _read_lengths(lengths_file)
    return Client(number, _read_rates(trace_file), starts, prompts, outputs)


def _read_rates(path: Path) -> tuple[RateWindow, ...]:
    rows: list[tuple[int, float, float, str, float]] = []
    names = ("window start", "rate", "CV", "family", "shape", "scale")
    with reading(path), open_text(path) as text:
        reader = csv.reader(text)
        for row in reader:
            line = reader.line_num
            if not row:
                continue
            if len(row) != len(names):
                raise TraceError(
                    f"{path}, line {line}: {shown(','.join(row))} has {len(row)} fields, not the 6 of ServeGen"
                )
            start, rate, _cv, shape, _scale = (_number(path, line, names[k], row[k]) for k in (0, 1, 2, 4, 5))
            if rate > 0 and row[3] not in ("Gamma", "Weibull"):
                raise TraceError(f"{path}, line {line}, column 'family': {shown(row[3])} is neither Gamma nor Weibull")
            if rate > 0 and shape < _SMALLEST_SHAPE:
                raise TraceError(
                    f"{path}, line {line}, column 'shape': {shown(row[4])} is not a shape >= {_SMALLEST_SHAPE}"
                )
            if rows and start <= rows[-1][1]:
                raise TraceError(
                    f"{path}, line {line}, column 'window start': {shown(row[0])} is not after the one above"
                )
            rows.append((line, start, rate, row[3], shape))
    if not rows:
        raise TraceError(f"{path}: the file is empty")
    begins = [row[1] for row in rows]
    width = begins[-1] - begins[-2] if len(begins) > 1 else 600.0
    stops = [*begins[1:], begins[-1] + width]
    return tuple(RateWindow(row[1], stop, row[2], row[3], row[4]) for row, stop in zip(rows, stops, strict=True))


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise TraceError(f"{path}, line {line}, column {column!r}: {shown(text)} is not a number >= 0")
    return value


def _read_lengths(path: Path) -> tuple[FloatArray, tuple[Histogram | None, ...], tuple[Histogram | None, ...]]:
    with reading(path), open_text(path) as text:
        try:
            windows = json.load(text)
        except json.JSONDecodeError as fault:
            raise TraceError(f"{path}, line {fault.lineno}, column {fault.colno}: not JSON ({fault.msg})") from fault
    if not isinstance(windows, dict) or not windows:
        raise TraceError(f"{path}: not an object of windows, as ServeGen's dataset files are")
    parsed: list[tuple[float, Histogram | None, Histogram | None]] = []
    for key, window in windows.items():
        where = f"{path}, window {key!r}"
        if not re.fullmatch(r"\d+(\.\d+)?", key) or not isinstance(window, dict):
            raise TraceError(f"{where}: not a window start in seconds with an object of histograms")
        try:
            prompt = _histogram(where, "input_tokens", window["input_tokens"])
            output = _histogram(where, "output_tokens", window["output_tokens"])
        except KeyError as fault:
            raise TraceError(f"{where}, column {fault.args[0]!r}: missing") from fault
        parsed.append((float(key), prompt, output))
    parsed.sort(key=lambda entry: entry[0])
    starts, prompts, outputs = zip(*parsed, strict=True)
    return np.array(starts), prompts, outputs


def _histogram(where: str, column: str, text: Any) -> Histogram | None:
    """Read a string such as ``"{103: 0.01, 105: 0.05}"`` field by field; nothing in it is ever evaluated."""
    body = text.strip() if isinstance(text, str) else ""
    if not (body.startswith("{") and body.endswith("}")):
        raise TraceError(f"{where}, column {column!r}: {shown(text)} is not a text '{{tokens: probability, ...}}'")
    entries = [entry for entry in body[1:-1].split(",") if entry.strip()]
    tokens, weights = [], []
    for entry in entries:
        key, _, value = entry.partition(":")
        try:
            weight = float(value)
            tokens.append(int(key))
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight >= 0 and tokens and tokens[-1] >= 0):
            raise TraceError(f"{where}, column {column!r}: {shown(entry.strip())} is not 'tokens: probability'")
        weights.append(weight)
    if sum(weights) <= 0:
        return None
    order = np.argsort(np.array(tokens), kind="stable")
    cumulative = np.cumsum(np.array(weights)[order])
    return Histogram(np.array(tokens, dtype=np.int64)[order], cumulative / cumulative[-1])
