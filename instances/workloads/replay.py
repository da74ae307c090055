"""Recorded traces as requests of the serving model: real times, lengths and tenants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.traces.blocks import read_blocks
from instances.traces.loader import load_trace
from instances.traces.locate import find_trace, logical_name
from instances.traces.opening import look_into
from instances.traces.reader import Request, read_trace
from instances.traces.rules import Rules, apply_rules
from instances.traces.servegen_files import is_client_file
from instances.workloads.checks import share, whole
from instances.workloads.load import predictions
from instances.workloads.renewal import scaled_times
from kvratio.problem.errors import BadParameter, TraceError
from kvratio.problem.requests import Requests
from kvratio.problem.seeds import stream

IntArray = npt.NDArray[np.int64]

#: memory beyond every request: those above the budget of a run are refused there and counted, not lost here
_ROOMY = 2**26
#: column of a trace, or of the file beside it, that says who sent a request
TENANT = "tenant"


def from_trace(
    path: str | PathLike[str],
    rate: float | None = None,
    limit: int | None = None,
    window: tuple[float, float] | None = None,
    *,
    tenant: str | PathLike[str] | None = "auto",
    format: str = "auto",
    columns: Mapping[str, str | None] | None = None,
    time_unit: str | None = None,
    zero_tokens: str = "drop",
    out_of_order: str = "sort",
    prediction_error: float = 0.0,
    seed: int = 0,
    clients: Iterable[int] | None = None,
    name: str | None = None,
) -> Requests:
    """Read a trace with arrivals.

    Parameters
    ----------
    path : str or path
        A file, a folder of ServeGen client files, or a name below ``KVRATIO_TRACES``; see `instances.load_trace`.
    rate : float, optional
        Requests per second, (n-1)/span of what is kept: only the time axis is scaled. Default: times as recorded.
    limit : int, optional
        The first so many rows of the file; with a window, the first so many requests in it.
    window : (float, float), optional
        Keep requests with t0 <= recorded seconds < t1, counted from the first row; for client files, seconds of the
        published day.
    tenant : str or path, optional
        Where ``Requests.tenant`` comes from: a column of the file; or a file with a column ``tenant`` and the same
        rows. ``"auto"`` takes the column ``tenant`` of the file, else the file ``<name>_tenant.*`` beside it, else
        nothing. None: nothing, all 0. Tenants are numbered in order of first appearance; ``info["tenants"]`` holds what
        they are called.
    format, columns, time_unit, zero_tokens, out_of_order, clients, name
        Of `instances.load_trace`; ``out_of_order`` "sort" or "error". Prompts of 0 tokens become 1.
    prediction_error : float
        e in predictions ``o * U[1-e, 1+e]``.
    seed : int
        Of the predictions, and of the draw from client files.

    Returns
    -------
    Requests
        In order of time, the first at 0; ``info`` holds the loader's report, the window and the rate.

    Raises
    ------
    TraceError
        No such trace, malformed rows, no arrivals, tenants that do not match.
    BadParameter
        A rate, window, limit or rule without meaning.
    """
    error, seed = share("prediction_error", prediction_error), whole("seed", seed, 0)
    if out_of_order == "keep":
        raise BadParameter("out_of_order is 'keep': requests arrive in order of time, choose sort or error")
    found, cut = find_trace(path), _checked_window(window)
    drawn = found.is_dir() or is_client_file(found)
    most = limit if cut is None or drawn else None
    rules: dict[str, Any] = {"zero_tokens": zero_tokens, "zero_prompt": "one", "out_of_order": out_of_order}
    reading: dict[str, Any] = {"format": format, "columns": columns, "time_unit": time_unit, "seed": seed}
    reading |= {"clients": clients, "window": cut if drawn else None}
    inst = load_trace(found, _ROOMY, limit=most, batch=True, name=name, **rules, **reading)
    if inst.arrival_seconds is None:
        raise TraceError(
            f"{found}: lengths without arrivals: draw times for them, Workload(lengths=load_trace(...), rate=...)"
        )
    who, called = (None, ()) if drawn else _tenants(found, tenant, Request(limit=most, **reading), Rules(**rules))
    keep = np.arange(inst.n) if cut is None or drawn else _within(inst.arrival_seconds, cut, limit, found)
    seconds = scaled_times(inst.arrival_seconds[keep], rate)
    output = inst.output[keep]
    return Requests(
        inst.prompt[keep],
        output,
        seconds,
        predicted=predictions(output, error, stream("predictions", seed)),
        tenant=None if who is None else who[keep],
        name=inst.name,
        info={
            **inst.info,
            "rate": rate,
            "window": cut,
            "limit": limit,
            "prediction_error": error,
            "seed": seed,
            "tenants": called,
        },
    )


def _checked_window(window: tuple[float, float] | None) -> tuple[float, float] | None:
    if window is None:
        return None
    try:
        start, stop = (float(edge) for edge in window)
    except (TypeError, ValueError):
        raise BadParameter(f"window is {window!r}: give (t0, t1) in seconds") from None
    if not 0 <= start < stop:
        raise BadParameter(f"window is {window!r}: give seconds with 0 <= t0 < t1")
    return start, stop


def _within(seconds: npt.NDArray[np.float64], cut: tuple[float, float], limit: int | None, path: Path) -> IntArray:
    keep = np.flatnonzero((seconds >= cut[0]) & (seconds < cut[1]))
    keep = keep if limit is None else keep[: whole("limit", limit, 1)]
    if not len(keep):
        raise TraceError(
            f"{path}: no request in the window {cut[0]:g} to {cut[1]:g} s; the trace lasts {seconds.max():g} s"
        )
    return keep.astype(np.int64)


def _tenants(
    path: Path, tenant: str | PathLike[str] | None, request: Request, rules: Rules
) -> tuple[IntArray | None, tuple[str, ...]]:
    """Return the tenant of every request that the loader keeps, in its order, and what tenants are called."""
    home = _tenant_home(path, tenant)
    if home is None:
        return None, ()
    file, column = home
    cells: list[str] = []
    for block in read_blocks(look_into(file), [column], request.limit):
        cells += [str(cell) for cell in block.columns[0]]
    reading = read_trace(path, request)
    if len(cells) != reading.rows.n:
        raise TraceError(f"{file}: {len(cells)} tenants for the {reading.rows.n} rows of {path.name}: give one per row")
    kept, _ = apply_rules(reading.rows, _ROOMY, rules, reading.fault)
    called = tuple(dict.fromkeys(cells))
    number = {text: k for k, text in enumerate(called)}
    codes = np.array([number[cell] for cell in cells], dtype=np.int64)
    return codes[np.searchsorted(reading.rows.number, kept.number)], called


def _tenant_home(path: Path, tenant: str | PathLike[str] | None) -> tuple[Path, str] | None:
    """Return the file and the column that name the tenants."""
    if tenant is None:
        return None
    names = look_into(path).names
    if tenant == "auto":
        if TENANT in names:
            return path, TENANT
        beside = [
            file for file in sorted(path.parent.iterdir()) if logical_name(file) == f"{logical_name(path)}_{TENANT}"
        ]
        return (beside[0], TENANT) if beside else None
    if tenant in names:
        return path, str(tenant)
    file = Path(tenant).expanduser()
    if not file.is_file():
        raise TraceError(f"tenant is {str(tenant)!r}: neither a column of {path.name} ({', '.join(names)}) nor a file")
    if TENANT not in look_into(file).names:
        raise TraceError(f"{file}: no column {TENANT!r}: it names who sent each row of {path.name}")
    return file, TENANT
