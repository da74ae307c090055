"""Fitting a clock to measured iterations: weighted least squares with coefficients that cannot be negative."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter

FloatArray = npt.NDArray[np.float64]

NAMES = ("d0", "d1", "d2")
#: fewest cells that are fitted
LEAST_CELLS = 12
#: a simulation may leave the measured range of K or P by this factor before it is warned about
LEAVE = 1.5
#: relative size of the smallest singular value of the scaled design below which two columns count as one
_DEPENDENT = 1e-10


class FitWarning(UserWarning):
    """A fitted clock rests on a design, or gave a coefficient, that deserves a second look."""


@dataclass(frozen=True)
class FitReport:
    """How well a fitted clock explains what was measured.

    Attributes
    ----------
    coefficients : mapping
        ``d0`` (s), ``d1`` (s per key-value token), ``d2`` (s per prompt token).
    standard_errors : mapping
        Of the same, from the weighted residuals; nan for a coefficient that is held at 0.
    r_squared : float
        On seconds, without weights.
    largest_relative_error : float
        Over the fitted cells, ``|predicted - measured| / measured``.
    held_out_error : float
        Largest relative error on a fifth of the cells by a fit to the others; nan where the others do not identify it.
    held_out_mean_error : float
        Mean relative error on the same fifth.
    cached_range, prompt_range : (float, float)
        Smallest and largest K and P measured.
    cells : int
        Distinct (K, P, decodes); repeats of a cell count once, by their median.
    warnings : tuple of str
    """

    coefficients: Mapping[str, float]
    standard_errors: Mapping[str, float]
    r_squared: float
    largest_relative_error: float
    held_out_error: float
    held_out_mean_error: float
    cached_range: tuple[float, float]
    prompt_range: tuple[float, float]
    cells: int
    warnings: tuple[str, ...] = ()

    def outside(self, cached: float, prompt: float) -> list[str]:
        """Return one line for each of K and P that a simulation took more than 1.5 times beyond what was measured."""
        lines = []
        seen = (("key-value tokens K", cached, self.cached_range), ("prompt tokens P", prompt, self.prompt_range))
        for name, value, (_, largest) in seen:
            if value > LEAVE * largest:
                lines.append(f"the simulation reached {value:g} {name}; the clock was fitted up to {largest:g}")
        return lines


def warn_outside(clock: Any, cached: float, prompt: float) -> None:
    """Warn in one line when a run on a fitted clock left the range that was measured by more than 1.5 times.

    Parameters
    ----------
    clock : Clock or RooflineClock
        Without a report there is nothing to say.
    cached, prompt : float
        Most key-value tokens and most prompt tokens of an iteration.

    Warns
    -----
    FitWarning
    """
    report = getattr(clock, "report", None)
    lines = report.outside(cached, prompt) if isinstance(report, FitReport) else []
    if lines:
        warnings.warn(f"times are extrapolated: {'; '.join(lines)}", FitWarning, stacklevel=3)


def fit_clock(rows: Any, swap: float = 0.0) -> Clock:
    """Fit ``d0 + d1 K + d2 P`` to measured iterations.

    Non-negative least squares on relative errors (weights 1/seconds^2). Rows with equal K and P (and decodes) are
    repeats of one cell, which counts by its median.

    Parameters
    ----------
    rows : array-like, shape (n, 3) or (n, 4)
        Key-value tokens K of the batch, prompt tokens P processed, seconds, and optionally the number of decodes.
        Good designs have at least 6 values of K over a factor of 8, P = 0 and at least 4 positive values, and the
        median of 5 or more repeats after 3 discarded ones.
    swap : float
        Seconds per token moved, kept as given.

    Returns
    -------
    Clock
        With a `FitReport` as ``report``.

    Raises
    ------
    BadParameter
        Malformed rows, fewer than 12 cells, or a design that cannot tell the coefficients apart.

    Warns
    -----
    FitWarning
        One line each: a thin design, a coefficient held at 0.
    """
    cells = _cells(_checked(rows))
    cached, prompt, seconds = cells[:, 0], cells[:, 1], cells[:, 2]
    design = np.stack([np.ones_like(cached), cached, prompt], axis=1)
    if len(cells) < LEAST_CELLS:
        raise BadParameter(
            f"fit_clock: {len(cells)} distinct cells (K, P): measure at least {LEAST_CELLS} (6 values of K over a "
            "factor of 8, P = 0 and 4 positive values)"
        )
    if not _identified(design / seconds[:, None]):
        raise BadParameter(f"fit_clock: {_which_is_missing(cached, prompt)}")
    found = _solve(design, seconds)
    notes = (*_design_notes(cached, prompt), *_zero_notes(found))
    predicted = design @ found
    held, held_mean = _held_out(design, seconds)
    report = FitReport(
        coefficients=dict(zip(NAMES, found.tolist(), strict=True)),
        standard_errors=dict(zip(NAMES, _standard_errors(design, seconds, found), strict=True)),
        r_squared=_r_squared(seconds, predicted),
        largest_relative_error=float(np.abs(predicted / seconds - 1).max()),
        held_out_error=held,
        held_out_mean_error=held_mean,
        cached_range=(float(cached.min()), float(cached.max())),
        prompt_range=(float(prompt.min()), float(prompt.max())),
        cells=len(cells),
        warnings=notes,
    )
    for note in notes:
        warnings.warn(f"fit_clock: {note}", FitWarning, stacklevel=2)
    d0, d1, d2 = found.tolist()
    return Clock(d0, d1, d2, swap, report)


def _checked(rows: Any) -> FloatArray:
    try:
        table = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadParameter("fit_clock: rows are not a table of numbers: give rows (K, P, seconds[, decodes])") from None
    if table.ndim != 2 or table.shape[1] not in (3, 4):
        raise BadParameter(f"fit_clock: rows have shape {table.shape}: give rows (K, P, seconds[, decodes])")
    counts = np.delete(table, 2, axis=1)
    bad = np.flatnonzero(~(np.isfinite(counts).all(axis=1) & (counts >= 0).all(axis=1)))
    if bad.size:
        raise BadParameter(f"fit_clock: row {bad[0]} is {table[bad[0]].tolist()}: K, P and decodes are counts >= 0")
    bad = np.flatnonzero(~(np.isfinite(table[:, 2]) & (table[:, 2] > 0)))
    if bad.size:
        raise BadParameter(f"fit_clock: row {bad[0]} took {table[bad[0], 2]} s: give finite seconds above 0")
    return table


def _cells(table: FloatArray) -> FloatArray:
    """Return one row per distinct cell, sorted by (P, K), with the median of its seconds."""
    keys, place = np.unique(np.delete(table, 2, axis=1)[:, ::-1], axis=0, return_inverse=True)
    medians = [float(np.median(table[place == cell, 2])) for cell in range(len(keys))]
    cached, prompt = keys[:, -1], keys[:, -2]
    order = np.lexsort((cached, prompt))
    return np.stack([cached, prompt, np.array(medians)], axis=1)[order]


def _identified(weighted: FloatArray) -> bool:
    """Whether the columns, brought to equal length, are independent."""
    lengths = np.linalg.norm(weighted, axis=0)
    if (lengths == 0).any():
        return False
    values = np.linalg.svd(weighted / lengths, compute_uv=False)
    return len(values) == weighted.shape[1] and bool(values[-1] > _DEPENDENT * values[0])


def _which_is_missing(cached: FloatArray, prompt: FloatArray) -> str:
    for name, values in (("K", cached), ("P", prompt)):
        if (values == values[0]).all():
            return f"{name} is {values[0]:g} in every cell, so its coefficient is not identified: vary it"
    return "1, K and P are linearly dependent over the cells: vary K and P independently"


def _solve(design: FloatArray, seconds: FloatArray) -> FloatArray:
    """Return the non-negative coefficients of least relative error, float64[3]."""
    from scipy.optimize import nnls  # slow to import

    weighted = design / seconds[:, None]
    lengths = np.linalg.norm(weighted, axis=0)
    scaled, _ = nnls(weighted / lengths, np.ones(len(seconds)))
    free = scaled > 0
    # Solved again without the bounds among the free ones: QR keeps digits that the active-set method gives away.
    exact = np.linalg.lstsq((weighted / lengths)[:, free], np.ones(len(seconds)), rcond=None)[0]
    if (exact > 0).all():
        scaled[free] = exact
    return np.asarray(scaled / lengths, dtype=np.float64)


def _standard_errors(design: FloatArray, seconds: FloatArray, found: FloatArray) -> list[float]:
    weighted = design / seconds[:, None]
    free = found > 0
    rest = weighted @ found - 1
    spare = len(seconds) - int(free.sum())
    lengths = np.linalg.norm(weighted[:, free], axis=0)
    inverse = np.linalg.inv((weighted[:, free] / lengths).T @ (weighted[:, free] / lengths))
    errors = np.full(len(found), math.nan)
    errors[free] = np.sqrt(float(rest @ rest) / spare * np.diag(inverse)) / lengths
    return [float(error) for error in errors]


def _r_squared(seconds: FloatArray, predicted: FloatArray) -> float:
    spread = float(((seconds - seconds.mean()) ** 2).sum())
    return 1 - float(((seconds - predicted) ** 2).sum()) / spread if spread > 0 else math.nan


def _held_out(design: FloatArray, seconds: FloatArray) -> tuple[float, float]:
    """Return largest and mean relative error on every fifth cell, counted through the sorted cells, by the others."""
    out = np.arange(len(seconds)) % 5 == 2
    if not _identified(design[~out] / seconds[~out, None]):
        return math.nan, math.nan
    errors = np.abs(design[out] @ _solve(design[~out], seconds[~out]) / seconds[out] - 1)
    return float(errors.max()), float(errors.mean())


def _design_notes(cached: FloatArray, prompt: FloatArray) -> tuple[str, ...]:
    notes = []
    values = np.unique(cached[cached > 0])
    if len(values) < 6 or values[-1] < 8 * values[0]:
        span = values[-1] / values[0] if len(values) else 1.0
        notes.append(
            f"{len(values)} positive values of K over a factor of {span:.3g}: take at least 6 over a factor of 8"
        )
    positive = len(np.unique(prompt[prompt > 0]))
    if positive < 4 or not (prompt == 0).any():
        without = "" if (prompt == 0).any() else " and none with P = 0"
        notes.append(f"{positive} positive values of P{without}: take P = 0 and at least 4 positive values")
    return tuple(notes)


def _zero_notes(found: FloatArray) -> tuple[str, ...]:
    return tuple(
        f"{name} is held at 0: the measured times do not grow with it"
        if name != "d0"
        else "d0 is held at 0: no fixed time"
        for name, value in zip(NAMES, found, strict=True)
        if value == 0
    )
