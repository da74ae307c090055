"""Measuring iterations over a designed grid and fitting the clock to them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gpu_validate.executor import Executor, Limits
from gpu_validate.linearity import departures
from gpu_validate.staging import room_for, stage
from gpu_validate.timers import timed
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.fitting import NAMES, FitReport, FitWarning, fit_clock
from kvratio.problem.seeds import stream

FloatArray = npt.NDArray[np.float64]


class Cell(NamedTuple):
    """One kind of iteration: ``batch`` decodes that hold ``held`` tokens each, and ``prompts`` of ``length`` tokens."""

    batch: int
    held: int
    prompts: int = 0
    length: int = 0

    @property
    def cached(self) -> int:
        """K: tokens held by the whole batch, prompts with their first new token included."""
        return self.batch * self.held + self.prompts * (self.length + 1)

    @property
    def prompt(self) -> int:
        """P: prompt tokens processed."""
        return self.prompts * self.length

    @property
    def room(self) -> Limits:
        """What it needs of an executor."""
        return room_for([self.held] * self.batch, [self.length] * self.prompts)


@dataclass(frozen=True)
class Grid:
    """Which iterations are measured.

    Parameters
    ----------
    batches, held : tuple of int
        Decode-only cells are all pairs; held counts tokens per decode.
    prompts : tuple of (int, int)
        (count, length) added to some decode-only cells.
    warm_up, repeats : int
    """

    batches: tuple[int, ...]
    held: tuple[int, ...]
    prompts: tuple[tuple[int, int], ...]
    warm_up: int = 3
    repeats: int = 7

    def cells(self, memory: int) -> list[Cell]:
        """Return the cells that fit ``memory`` tokens: decodes alone, prompts beside decodes, prompts alone."""
        alone = [Cell(b, h) for b in self.batches for h in self.held]
        beside = sorted({self.batches[0], self.batches[len(self.batches) // 2], self.batches[-1]})
        middle = self.held[len(self.held) // 2]
        mixed = [Cell(b, middle, count, length) for b in beside for count, length in self.prompts]
        fresh = [Cell(0, 0, count, length) for count, length in self.prompts]
        found = [cell for cell in (*alone, *mixed, *fresh) if cell.room.memory <= memory]
        if not found:
            raise BadParameter(f"no cell of the calibration fits {memory} tokens: give more memory")
        return found


#: for a large model on CUDA, and for the tiny one on a CPU
LARGE = Grid(
    (1, 4, 16, 32, 64, 96), (64, 256, 512, 1024, 2048), ((1, 64), (1, 256), (2, 256), (1, 1024), (4, 512), (4, 1024))
)
SMALL = Grid((1, 2, 4, 8, 16), (8, 32, 128, 256), ((1, 8), (1, 32), (2, 32), (4, 32), (8, 32)), 3, 9)


@dataclass(frozen=True)
class Calibration:
    """A fitted clock and what it was fitted to.

    Attributes
    ----------
    clock : Clock
        With a `FitReport`.
    cells : tuple of Cell
    seconds : float64[cells, repeats]
    intervals : dict
        95 % intervals of d0, d1, d2 (Student t on the weighted residuals); nan ends for a coefficient held at 0.
    remarks : tuple of str
        Where the linear form fails, and what the fit itself warned of; empty where nothing did.
    """

    clock: Clock
    cells: tuple[Cell, ...]
    seconds: FloatArray
    intervals: dict[str, tuple[float, float]]
    remarks: tuple[str, ...]

    @property
    def report(self) -> FitReport:
        """The report of the fit."""
        found: FitReport = self.clock.report
        return found

    @property
    def medians(self) -> FloatArray:
        """Median seconds of each cell."""
        middle: FloatArray = np.median(self.seconds, axis=1)
        return middle

    @property
    def residuals(self) -> FloatArray:
        """Measured over fitted seconds, less 1, of each cell."""
        fitted = np.array([self.clock.iteration(cell.cached, cell.prompt) for cell in self.cells])
        return self.medians / fitted - 1


Measure = Callable[[Cell], FloatArray]


def calibrate(
    cells: Sequence[Cell], measure: Measure, progress: Callable[[int, int], None] | None = None
) -> Calibration:
    """Measure iterations and fit ``d0 + d1 K + d2 P`` to them.

    Parameters
    ----------
    cells : sequence of Cell
        A `Grid`'s.
    measure : callable
        Cell -> seconds of repeated iterations; `measured_on` for a model, `Planted` for a test.
    progress : callable, optional
        Called with cells done and cells in all.

    Raises
    ------
    BadParameter
        Too few cells, or cells that do not tell the coefficients apart.
    """
    rows, seconds = [], []
    for place, cell in enumerate(cells):
        laps = np.asarray(measure(cell), dtype=np.float64)
        seconds.append(laps)
        rows.append((cell.cached, cell.prompt, float(np.median(laps)), cell.batch))
        if progress is not None:
            progress(place + 1, len(cells))
    with warnings.catch_warnings():
        # They stand in the remarks.
        warnings.simplefilter("ignore", FitWarning)
        clock = fit_clock(rows)
    found = Calibration(clock, tuple(cells), np.array(seconds), intervals(clock.report), ())
    batch, cached, prompt = (
        np.array(column) for column in zip(*[(c.batch, c.cached, c.prompt) for c in cells], strict=True)
    )
    remarks = (*clock.report.warnings, *departures(batch, cached, prompt, found.residuals))
    return Calibration(clock, found.cells, found.seconds, found.intervals, remarks)


def intervals(report: FitReport) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of the coefficients, cut at 0: Student t with cells less free coefficients."""
    from scipy.stats import t  # slow to import

    free = sum(math.isfinite(report.standard_errors[name]) for name in NAMES)
    reach = float(t.ppf(0.975, max(1, report.cells - free)))
    found = {}
    for name in NAMES:
        middle, half = report.coefficients[name], reach * report.standard_errors[name]
        found[name] = (max(0.0, middle - half), middle + half) if math.isfinite(half) else (math.nan, math.nan)
    return found


def measured_on(executor: Executor, grid: Grid) -> Measure:
    """Return the measure that runs cells on a model."""

    def measure(cell: Cell) -> FloatArray:
        iteration = stage(executor, [cell.held] * cell.batch, [cell.length] * cell.prompts)
        return timed(iteration, executor.device, grid.repeats, grid.warm_up)

    return measure


@dataclass(frozen=True)
class Planted:
    """A measure that obeys a given law, for tests of the fit.

    Parameters
    ----------
    law : callable
        Cell -> seconds.
    noise : float
        Relative standard deviation.
    seed, repeats : int
    """

    law: Callable[[Cell], float]
    noise: float = 0.0
    seed: int = 0
    repeats: int = 7

    def __call__(self, cell: Cell) -> FloatArray:
        """Return seconds of ``repeats`` iterations."""
        draw = stream("gpu_validate", "planted", self.seed, *cell)
        return self.law(cell) * np.exp(self.noise * draw.standard_normal(self.repeats))


def summary(found: Calibration) -> dict[str, Any]:
    """Return a calibration as plain data: coefficients, intervals, fit, remarks, and every cell."""
    report = found.report
    return {
        "coefficients": dict(report.coefficients),
        "intervals_95": {name: list(ends) for name, ends in found.intervals.items()},
        "r_squared": report.r_squared,
        "largest_relative_error": report.largest_relative_error,
        "held_out_error": report.held_out_error,
        "cached_range": list(report.cached_range),
        "prompt_range": list(report.prompt_range),
        "remarks": list(found.remarks),
        "cells": [
            {
                "batch": cell.batch, "held": cell.held, "prompts": cell.prompts, "length": cell.length,
                "cached": cell.cached, "prompt": cell.prompt, "seconds": laps.tolist(), "residual": float(residual),
            }
            for cell, laps, residual in zip(found.cells, found.seconds, found.residuals, strict=True)
        ],
    }  # fmt: skip
