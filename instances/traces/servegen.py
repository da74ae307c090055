"""ServeGen client files: published marginals per client, from which requests are drawn.

Xiang et al., "ServeGen: Workload Characterization and Generation of Large Language Model Serving in Production"
(arXiv 2505.09999) publish, per client, the rate and the interarrival law of each 600 s window and the histograms of
prompt and output tokens of each longer window. Joint prompt/output laws are not published, so the two are drawn
independently within a client.

Arrivals are a renewal process in operational time: gaps of mean 1 (Gamma or Weibull with the window's published shape)
stretched by the window's published rate, the last gap of a window running on into the next. The first gap has the
equilibrium law, so the expected number of requests is the published one from the first second on. The published scale
is not used: it need not agree with the published rate, which we keep.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from instances.traces.cells import IntArray
from instances.traces.rules import Rows
from instances.traces.servegen_files import Client, FloatArray, Histogram, RateWindow, client_files, read_client
from kvratio.problem.errors import BadParameter


def draw_requests(
    where: Path,
    seed: int = 0,
    window: tuple[float, float] | None = None,
    clients: Iterable[int] | None = None,
    limit: int | None = None,
) -> tuple[Rows, dict[str, Any]]:
    """Draw the requests of a folder of client files (or of the one client whose rate file is given).

    Parameters
    ----------
    where : Path
        The folder, or one ``chunk-<i>-trace.csv``.
    seed : int
        Each client has its own stream, so leaving one out does not change the others.
    window : (float, float), optional
        Seconds of the published day. Default: all that is published.
    clients : iterable of int, optional
        Client numbers. Default: all.
    limit : int, optional
        Keep the first so many requests in time.

    Returns
    -------
    Rows, dict
        Requests in order of time (ties by client), and facts about the draw.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadParameter(f"seed is {seed!r}: give an integer >= 0")
    found = [read_client(number, path) for number, path in client_files(where, clients)]
    span = _window(window, found)
    facts: dict[str, Any] = {
        "clients": len(found),
        "window": list(span),
        "seed": int(seed),
        "borrowed_histograms": 0,
        "without_lengths": 0,
    }
    parts = []
    for client in found:
        rng = np.random.default_rng(np.random.SeedSequence([int(seed), crc32(b"servegen"), client.number]))
        times = _arrivals(client, span, rng)
        parts.append((times, *_lengths(client, times, rng, facts)))
    time, prompt, output, usable = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    time, prompt, output = time[usable], prompt[usable], output[usable]
    order = np.argsort(time, kind="stable")[:limit]
    number = np.arange(1, len(order) + 1, dtype=np.int64)
    nanoseconds = np.rint(time[order] * 1e9).astype(np.int64)
    return Rows(number, prompt[order], output[order], nanoseconds), facts


def _window(window: tuple[float, float] | None, clients: list[Client]) -> tuple[float, float]:
    published = (
        min(client.rates[0].start for client in clients),
        max(client.rates[-1].stop for client in clients),
    )
    if window is None:
        return published
    try:
        start, stop = (float(edge) for edge in window)
    except (TypeError, ValueError) as fault:
        raise BadParameter(f"window is {window!r}: give two times in seconds, (start, stop)") from fault
    if not (published[0] <= start < stop <= published[1]):
        raise BadParameter(
            f"window is ({start:g}, {stop:g}): give start < stop "
            f"within the published {published[0]:g} to {published[1]:g} s"
        )
    return start, stop


def _arrivals(client: Client, span: tuple[float, float], rng: np.random.Generator) -> FloatArray:
    """Return the arrival times of one client, seconds, float64[k]."""
    times = []
    ahead: float | None = None  # operational time to the next arrival
    for piece in client.rates:
        start, stop = max(piece.start, span[0]), min(piece.stop, span[1])
        if piece.rate == 0 or start >= stop:
            continue
        if ahead is None:
            ahead = _first_gap(piece, rng)
        room = piece.rate * (stop - start)
        points = np.array([ahead])
        while points[-1] <= room:
            more = int(room - points[-1] + 4 * math.sqrt(room)) + 16
            points = np.concatenate((points, points[-1] + np.cumsum(_gaps(piece, more, rng))))
        within = points[points <= room]
        ahead = float(points[len(within)] - room)
        times.append(start + within / piece.rate)
    return np.concatenate(times) if times else np.zeros(0)


def _gaps(piece: RateWindow, count: int, rng: np.random.Generator) -> FloatArray:
    """Return gaps of mean 1 with the window's family and shape."""
    if piece.family == "Gamma":
        return rng.standard_gamma(piece.shape, count) / piece.shape
    return rng.weibull(piece.shape, count) / math.gamma(1 + 1 / piece.shape)


def _first_gap(piece: RateWindow, rng: np.random.Generator) -> float:
    """Return the time from an arbitrary moment to the next arrival: a length-biased gap, cut uniformly."""
    if piece.family == "Gamma":
        biased = rng.standard_gamma(piece.shape + 1) / piece.shape
    else:
        inverse = 1 / piece.shape
        biased = rng.standard_gamma(1 + inverse) ** inverse / math.gamma(1 + inverse)
    return float(biased * rng.random())


def _lengths(
    client: Client, times: FloatArray, rng: np.random.Generator, facts: dict[str, Any]
) -> tuple[IntArray, IntArray, npt.NDArray[np.bool_]]:
    """Draw prompts, then outputs, each from the histogram of its window, and mark the requests that have both."""
    at = np.maximum(np.searchsorted(client.starts, times, side="right") - 1, 0)
    drawn = []
    usable = np.ones(len(times), dtype=bool)
    for histograms in (client.prompts, client.outputs):
        uniform = rng.random(len(times))
        tokens = np.zeros(len(times), dtype=np.int64)
        for k in np.unique(at):
            mine = at == k
            source, histogram = _nearest(histograms, int(k))
            if histogram is None:
                usable &= ~mine
                continue
            facts["borrowed_histograms"] += int(mine.sum()) if source != k else 0
            tokens[mine] = histogram.draw(uniform[mine])
        drawn.append(tokens)
    facts["without_lengths"] += int((~usable).sum())
    return drawn[0], drawn[1], usable


def _nearest(histograms: tuple[Histogram | None, ...], k: int) -> tuple[int, Histogram | None]:
    """Return the window nearest to k (the earlier of two) whose histogram is not empty, and that histogram."""
    full = [(abs(j - k), j) for j, histogram in enumerate(histograms) if histogram is not None]
    return (min(full)[1], histograms[min(full)[1]]) if full else (k, None)
