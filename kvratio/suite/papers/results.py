"""Quantities of a run as the rules need them: ratios as proven intervals, costs of policies against each other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kvratio.problem.schedule import Schedule
from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.papers.finding import Measured
from kvratio.suite.statistics import bootstrap, per_instance

FloatArray = npt.NDArray[np.float64]


class NothingMeasured(Exception):
    """Cells that a figure needs have failed, or there are none."""


class Results:
    """The cells of one run.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    resamples, confidence
        Of the bootstrap over instances.
    schedules : Path, optional
        Folder with the schedules of the cells, for costs per token.
    """

    def __init__(
        self, cells: pd.DataFrame, resamples: int = 1000, confidence: float = 0.95, schedules: Path | None = None
    ):
        self.cells = cells
        self.resamples, self.confidence = resamples, confidence
        self.schedules = schedules

    @cached_property
    def _points(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.cells["parameters"]]

    def chosen(self, family: str, policies: Sequence[str], at: Mapping[str, Any]) -> pd.DataFrame:
        """Cells of some policies on the points of a family that have the given parameters.

        Raises
        ------
        NothingMeasured
        """
        here = (self.cells["family"] == family) & self.cells["policy"].isin(policies)
        inside = [all(point.get(key) == value for key, value in at.items()) for point in self._points]
        found = self.cells[here & np.array(inside, dtype=bool)]
        failed = found[found["status"] != "ok"]
        if len(failed):
            raise NothingMeasured(f"{len(failed)} of {len(found)} cells failed: {failed['message'].iloc[0]}")
        missing = [policy for policy in policies if policy not in set(found["policy"])]
        if missing:
            raise NothingMeasured(f"no cell of {missing[0]} on {family}")
        return found

    def values_of(self, cells: pd.DataFrame, name: str) -> list[Any]:
        """The values of one parameter of the family, an entry per cell."""
        return [json.loads(text)[name] for text in cells["parameters"]]

    # -- ratios to the optimum ------------------------------------------------------------------------------------
    def ratio(self, family: str, policy: str, at: Mapping[str, Any], worst: bool = False) -> Measured:
        """Mean (or worst) ratio to the optimum; an end without meaning is 0 or infinite."""
        table = per_instance(self.chosen(family, [policy], at))
        low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
        one_sided = bool(np.isnan(low).any())
        if worst:
            shown = Interval(None if one_sided else float(low.max()), float(high.max()))
            return Measured(shown.low or 0.0, shown.high, f"worst of {len(table)}: {numerals.interval(shown)}")
        shown = Interval(None if one_sided else _mean(low), _mean(high))
        ends = [] if one_sided else [bootstrap(low, self.resamples, self.confidence, family, policy)]
        ends.append(bootstrap(high, self.resamples, self.confidence, family, policy))
        known = [end for pair in ends if pair is not None for end in pair]
        least = 0.0 if one_sided else min([shown.low or 0.0, *known])
        most = max([shown.high, *known])
        text = f"mean of {len(table)}: {numerals.interval(shown)}"
        if known and not one_sided:
            text += f"; {self._percent} of mean {numerals.spread((least, most))}"
        return Measured(least, most, text)

    def broken(self, family: str, policies: Sequence[str], at: Mapping[str, Any]) -> tuple[int, int, float]:
        """Look at the instances on which the hypotheses of a guarantee hold.

        Returns
        -------
        (int, int, float)
            How many there are; on how many of them the ratio is proven above the guarantee; the largest proven upper
            end of the ratio as a share of the guarantee.
        """
        table = per_instance(self.chosen(family, policies, at))
        table = table[table["guarantee_holds"] == True]  # noqa: E712 - the column may hold None
        promised = table["guarantee"].to_numpy(float)
        above = table["low"].to_numpy(float) > promised * (1 + 1e-12)
        share = float((table["high"].to_numpy(float) / promised).max()) if len(table) else math.nan
        return len(table), int(above.sum()), share

    # -- costs against each other ---------------------------------------------------------------------------------
    def costs(self, family: str, policy: str, at: Mapping[str, Any], cost: str = "total") -> pd.Series[float]:
        """Cost by (point, seed), averaged over the seeds of the policy; the point leaves out the keys in ``at``."""
        found = self.chosen(family, [policy], at)
        points = [
            json.dumps({key: value for key, value in json.loads(text).items() if key not in at}, sort_keys=True)
            for text in found["parameters"]
        ]
        values = found["cost"].astype(float) if cost == "total" else self._per_token(found)
        frame = pd.DataFrame({"point": points, "seed": found["instance_seed"].to_numpy(), "cost": values.to_numpy()})
        return frame.groupby(["point", "seed"], sort=True)["cost"].mean()

    def relative(
        self,
        family: str,
        first: str,
        second: str,
        at: Mapping[str, Any],
        second_at: Mapping[str, Any] | None = None,
        cost: str = "total",
    ) -> Measured:
        """Mean over instances of cost(first) / cost(second) on the same requests, with its bootstrap interval."""
        values = self.relatives(family, first, second, at, second_at, cost)
        return self.mean(values, family, first, second)

    def relatives(
        self,
        family: str,
        first: str,
        second: str,
        at: Mapping[str, Any],
        second_at: Mapping[str, Any] | None = None,
        cost: str = "total",
    ) -> FloatArray:
        """The same, an entry per instance."""
        one = self.costs(family, first, at, cost)
        other = self.costs(family, second, at if second_at is None else second_at, cost)
        if not one.index.equals(other.index):
            raise NothingMeasured(f"{first} and {second} did not run on the same instances of {family}")
        return np.asarray(one / other, dtype=np.float64)

    def mean(self, values: FloatArray, *names: str) -> Measured:
        """A mean with its bootstrap interval over instances; the value alone where there is but one."""
        value = math.fsum(values) / len(values)
        interval = bootstrap(values, self.resamples, self.confidence, *names)
        if interval is None:
            return Measured(value, value, f"{value:.4f} (1 instance)", value)
        low, high = interval
        return Measured(low, high, f"{value:.4f} [{low:.4f}, {high:.4f}]", value)

    def _per_token(self, found: pd.DataFrame) -> pd.Series[float]:
        if self.schedules is None:
            raise NothingMeasured("a cost per token needs schedules = true in the suite")
        values = {}
        for cell in dict.fromkeys(found["cell"]):
            schedule = Schedule.load(self.schedules / f"{cell[:24]}.json")
            values[cell] = float((schedule.flow / schedule.instance.output).mean())
        return found["cell"].map(values)

    @property
    def _percent(self) -> str:
        return f"{100 * self.confidence:g}%"


def _mean(values: FloatArray) -> float:
    return math.fsum(values) / len(values) if np.isfinite(values).all() else math.inf
