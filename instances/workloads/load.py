"""A workload: who sends requests, how long they are, and how many come per second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.workloads.checks import positive, share, whole
from instances.workloads.lengths import FromFunction, IntArray, Lengths, Outputs, Table, describe
from instances.workloads.renewal import arrivals
from instances.workloads.varying import VaryingRate, varies
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests, Type
from kvratio.problem.seeds import stream

FloatArray = npt.NDArray[np.float64]
Rows = Iterable[Sequence[float]]
Law = Lengths | Callable[[int, np.random.Generator], Any] | Instance | Requests


class Workload:
    """Requests to draw: a few types with rates, or a joint law of lengths with one rate.

    Parameters
    ----------
    types : rows (prompt, output, rate) or (prompt, output)
        Whole tokens, requests per second. Rows without rates share ``rate`` equally. A law of lengths may be given here
        too.
    rate : float, optional
        Requests per second of all together: rates of types are scaled to it. Needed for lengths and for rows without
        rates.
    name : str
    lengths : law of lengths
        A `Table`, `Independent`, a function ``(n, rng) -> (prompts, outputs)``, or an `Instance` or `Requests`, whose
        pairs are then drawn with replacement.

    Raises
    ------
    BadParameter
        One line: which row or value, and what to give.
    """

    def __init__(
        self,
        types: Rows | Law | None = None,
        rate: float | None = None,
        name: str = "",
        *,
        lengths: Law | None = None,
    ) -> None:
        if types is not None and (callable(types) or hasattr(types, "draw") or isinstance(types, (Instance, Requests))):
            if lengths is not None:
                raise BadParameter("Workload: both types and lengths are laws of lengths: give one")
            types, lengths = None, types  # type: ignore[assignment]
        if (types is None) == (lengths is None):
            raise BadParameter(
                "Workload: give either types, rows (prompt, output, rate), or lengths, a law or a sampler"
            )
        self.name = name
        self.types: tuple[Type, ...] = () if types is None else _types(types, rate)  # type: ignore[arg-type]
        if types is None:
            self._law = _law(lengths)
            self.rate = positive("Workload: rate", rate, "requests per second")
        else:
            table = np.array(self.types)
            self._law = Table(table[:, 0], table[:, 1], table[:, 2])
            self.rate = float(table[:, 2].sum())

    def __repr__(self) -> str:
        kind = f"{len(self.types)} types" if self.types else "law of lengths"
        return f"Workload({self.name or kind!r}, rate={self.rate:g})"

    @cached_property
    def _exact(self) -> Outputs | None:
        return self._law.outputs()

    @cached_property
    def _outputs(self) -> Outputs:
        return self._exact or describe(self._law, self.name)

    @property
    def mix(self) -> tuple[Type, ...]:
        """The types; of a law of lengths one per output with its mean prompt (exact where the law is a table)."""
        return self.types or _as_types(self._outputs, self.rate)

    @property
    def largest_prompts(self) -> FloatArray:
        """Largest prompt of each entry of ``mix``, float64[m]."""
        return np.array([kind.prompt for kind in self.types]) if self.types else self._outputs.largest_prompt

    def at(self, rate: float) -> Workload:
        """Return the same mix at another total rate."""
        return Workload(self.types or None, rate, self.name, lengths=None if self.types else self._law)

    def draw(
        self,
        n: int,
        seed: int = 0,
        rate: float | VaryingRate | None = None,
        kind: str = "poisson",
        cv: float | None = None,
        backlog: int = 0,
        prediction_error: float = 0.0,
        trace: Any = None,
    ) -> Requests:
        """Draw requests.

        Gaps, lengths, and predictions come from separate streams: changing one leaves the others as they are, and
        another rate only stretches time.

        Parameters
        ----------
        n : int
            Number of requests that arrive.
        seed : int
            >= 0.
        rate : float or VaryingRate, optional
            Total requests per second. Default: the workload's own; with ``kind="trace"``, the recorded one.
        kind, cv, trace
            Of `arrivals`.
        backlog : int
            So many requests more, waiting at time 0, before the n others.
        prediction_error : float
            e in predictions ``o * U[1-e, 1+e]``, rounded, at least 1. 0: exact.

        Returns
        -------
        Requests
            ``types`` holds the mix at this rate; of a law that is known by its sampler only, the mix that was drawn.
        """
        n, seed, backlog = whole("n", n, 1), whole("seed", seed, 0), whole("backlog", backlog, 0)
        error = share("prediction_error", prediction_error)
        pace = self.rate if rate is None and kind != "trace" else rate
        times = arrivals(kind, pace, n, seed, cv, trace)
        total = _mean_rate(pace, times)
        parts = [self._some(n, seed, "", error)]
        if backlog:
            parts.insert(0, self._some(backlog, seed, "backlog ", error))
            times = np.concatenate((np.zeros(backlog), times))
        prompt, output, row, predicted = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        types, entry = self._kinds(prompt, output, row, total)
        info = {"workload": self.name, "seed": seed, "rate": total, "arrivals": kind, "cv": cv}
        info |= {"backlog": backlog, "prediction_error": error}
        return Requests(prompt, output, times, entry, types, predicted, name=self.name, info=info)

    def _some(self, n: int, seed: int, who: str, error: float) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Return prompts, outputs, rows of the types, and predictions."""
        rng = stream(f"{who}lengths", seed)
        if self.types:
            assert isinstance(self._law, Table)
            row = self._law.pick(n, rng)
            prompt, output = self._law.prompt[row], self._law.output[row]
        else:
            prompt, output = self._law.draw(n, rng)
            row = np.zeros(n, np.int64)
        return prompt, output, row, predictions(output, error, stream(f"{who}predictions", seed))

    def _kinds(
        self, prompt: IntArray, output: IntArray, row: IntArray, rate: float
    ) -> tuple[tuple[Type, ...], IntArray]:
        """Return the mix at this rate, and the entry of each request in it."""
        if self.types:
            return self.at(rate).types, row
        law = self._exact or Outputs.of(prompt, output)
        return _as_types(law, rate), np.searchsorted(law.output, output).astype(np.int64)


def _types(rows: Rows, rate: float | None) -> tuple[Type, ...]:
    """Return checked types whose rates add up to ``rate`` where it is given."""
    table = [_row(j, row, rate) for j, row in enumerate(rows)]
    if not table:
        raise BadParameter("Workload: types is empty: give at least one row (prompt, output, rate)")
    if rate is None:
        return tuple(table)
    factor = positive("Workload: rate", rate, "requests per second") / sum(kind.rate for kind in table)
    return tuple(kind._replace(rate=kind.rate * factor) for kind in table)


def _row(j: int, row: Sequence[float], rate: float | None) -> Type:
    values = tuple(row)
    if len(values) == 2 and rate is not None:
        values = (*values, 1.0)
    if len(values) != 3:
        raise BadParameter(
            f"Workload: type {j} is {values}: give (prompt, output, rate), or (prompt, output) and a rate"
        )
    for what, value in (("prompt", values[0]), ("output", values[1])):
        if not (isinstance(value, (int, float, np.number)) and value >= 1 and value == int(value)):
            raise BadParameter(f"Workload: type {j} has {what} {value!r}: give a whole number of tokens, 1 or more")
    return Type(
        float(values[0]), int(values[1]), positive(f"Workload: rate of type {j}", values[2], "requests per second")
    )


def _law(lengths: Any) -> Lengths:
    if isinstance(lengths, (Instance, Requests)):
        return Table(np.maximum(lengths.prompt, 1), lengths.output)
    if hasattr(lengths, "draw") and hasattr(lengths, "outputs"):
        return lengths
    if callable(lengths):
        return FromFunction(lengths)
    rows = np.array(lengths, dtype=np.float64)
    if rows.ndim == 2 and rows.shape[1] in (2, 3):
        return Table(*rows.T)
    raise BadParameter(f"Workload: lengths is {type(lengths).__name__}: give a table, a sampler (n, rng), or requests")


def _as_types(law: Outputs, rate: float) -> tuple[Type, ...]:
    columns = (law.prompt.tolist(), law.output.tolist(), (rate * law.share).tolist())
    return tuple(Type(*row) for row in zip(*columns, strict=True))


def _mean_rate(pace: float | VaryingRate | None, times: FloatArray) -> float:
    """Return requests per second: of a varying rate its mean over the time drawn, of recorded times what they show."""
    last = max(float(times[-1]), 1e-12)
    if pace is None:
        return max(len(times) - 1, 1) / last
    return float(pace.expected(last)) / last if varies(pace) else float(pace)  # type: ignore[arg-type]


def predictions(output: IntArray, error: float, rng: np.random.Generator) -> IntArray:
    """Return ``o * U[1-e, 1+e]``, rounded half up, at least 1."""
    if error == 0:
        return output
    return np.maximum(np.floor(output * rng.uniform(1 - error, 1 + error, len(output)) + 0.5), 1).astype(np.int64)
