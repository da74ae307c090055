"""Requests of the serving model: prompts, outputs, and arrival times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem.columns import Columns
from kvratio.problem.errors import BadInstance
from kvratio.problem.fields import as_int64
from kvratio.problem.instance import Instance

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Type(NamedTuple):
    """Requests of one kind: prompt and output in tokens, arrivals per second."""

    prompt: float
    output: int
    rate: float


@dataclass(frozen=True, eq=False)
class Requests(Columns):
    """A finite arrival sequence for the serving model.

    Parameters
    ----------
    prompt : array of int, shape (n,)
        Prompt tokens l >= 1.
    output : array of int, shape (n,)
        Output tokens o >= 1. A request needs o + 1 passes: the prefill and o decodes.
    arrival : array of float, shape (n,)
        Seconds, >= 0, nondecreasing.
    kind : array of int, shape (n,), optional
        Index into ``types``. Default: all 0.
    types : sequence of Type, optional
        The kinds, with their rates, as the drawer knows them. Policies that are told the mix (WAIT) read it.
    predicted : array of int, shape (n,), optional
        Predictions of the output, >= 1. Default: the output.
    tenant : array of int, shape (n,), optional
        Who sent it. Default: all 0.
    name : str
    info : mapping, optional
        Provenance: generator, seed, parameters.

    Raises
    ------
    BadInstance
        One line that names the field, the first offending request and its value.
    """

    prompt: IntArray
    output: IntArray
    arrival: FloatArray
    kind: IntArray = None  # type: ignore[assignment]
    types: tuple[Type, ...] = ()
    predicted: IntArray = None  # type: ignore[assignment]
    tenant: IntArray = None  # type: ignore[assignment]
    name: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    if TYPE_CHECKING:  # callers may give any array-like; the fields are arrays

        def __init__(
            self,
            prompt: npt.ArrayLike,
            output: npt.ArrayLike,
            arrival: npt.ArrayLike,
            kind: npt.ArrayLike | None = None,
            types: tuple[Type, ...] | list[Type] = (),
            predicted: npt.ArrayLike | None = None,
            tenant: npt.ArrayLike | None = None,
            name: str = "",
            info: Mapping[str, Any] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("prompt", as_int64("prompt", self.prompt, low=1))
        n = len(self.prompt)
        if n == 0:
            raise BadInstance("prompt is empty: give at least one request")
        put("output", as_int64("output", self.output, n=n, low=1))
        put("arrival", _arrivals(self.arrival, n))
        put("types", tuple(Type(float(row[0]), int(row[1]), float(row[2])) for row in self.types))
        put("kind", as_int64("kind", np.zeros(n, np.int64) if self.kind is None else self.kind, n=n, low=0))
        if self.types and int(self.kind.max()) >= len(self.types):
            i = int(self.kind.argmax())
            raise BadInstance(f"kind: request {i} has {self.kind[i]}, but there are {len(self.types)} types")
        put("predicted", as_int64("predicted", self.output if self.predicted is None else self.predicted, n=n, low=1))
        put("tenant", as_int64("tenant", np.zeros(n, np.int64) if self.tenant is None else self.tenant, n=n, low=0))
        put("info", MappingProxyType(dict(self.info or {})))

    @property
    def last_arrival(self) -> float:
        """Time T of the last arrival, in seconds."""
        return float(self.arrival[-1])

    @property
    def mix(self) -> tuple[Type, ...]:
        """The types: as given, or one for each output length with its mean prompt and observed rate."""
        if self.types:
            return self.types
        return tuple(
            Type(float(self.prompt[self.output == o].mean()), int(o), float(count) / max(self.last_arrival, 1e-12))
            for o, count in zip(*np.unique(self.output, return_counts=True), strict=True)
        )

    @property
    def type_of(self) -> IntArray:
        """Index into ``mix`` of each request, int64[n]."""
        return self.kind if self.types else np.unique(self.output, return_inverse=True)[1].astype(np.int64)

    @classmethod
    def of(cls, source: Instance | Requests, round_seconds: float = 1.0) -> Requests:
        """Return requests as they are; of an instance take seconds where it has them, else rounds.

        Prompts of 0 tokens become 1: a pass needs something to read.
        """
        if isinstance(source, Requests):
            return source
        raw = source.arrival * round_seconds if source.arrival_seconds is None else source.arrival_seconds
        order = np.argsort(raw, kind="stable")
        shift = raw[order[0]]
        predicted = np.maximum(source.predicted[order], 1) if source.has_predictions else None
        return cls(
            np.maximum(source.prompt[order], 1),
            source.output[order],
            raw[order] - shift,
            predicted=predicted,
            name=source.name,
            info=source.info,
        )

    @classmethod
    def of_rounds(cls, source: Instance, kind: npt.ArrayLike | None = None, types: tuple[Type, ...] = ()) -> Requests:
        """Return the requests of an instance, by (arrival, index), as the passes that they need in unit rounds.

        o rounds with footprints s+1 .. s+o are the o'+1 passes with footprints l .. l+o' of l = s+1 and o' = o-1.
        So outputs may be 0 here: such a request completes with its prefill. Predictions are clamped, then less 1.
        """
        order = np.argsort(source.arrival, kind="stable")
        prompt, output = source.prompt[order] + 1, source.output[order]
        predicted = source.clamp(source.predicted)[order]
        arrival = source.arrival[order].astype(np.float64)
        made = cls(prompt, output, arrival, kind, types, predicted, name=source.name, info=source.info)
        for name in ("output", "predicted"):
            passes = getattr(made, name) - 1
            passes.flags.writeable = False
            object.__setattr__(made, name, passes)
        return made


def _arrivals(values: npt.ArrayLike, n: int) -> FloatArray:
    """Return read-only float64[n] seconds, or say which one is wrong."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadInstance("arrival is not a list of numbers: give seconds, one per request") from None
    if array.shape != (n,):
        raise BadInstance(f"arrival has shape {array.shape} but prompt has {n} entries: give seconds, one per request")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        raise BadInstance(f"arrival: request {bad[0]} has {array[bad[0]]}: give finite seconds >= 0")
    bad = np.flatnonzero(np.diff(array) < 0)
    if bad.size:
        i = int(bad[0]) + 1
        raise BadInstance(f"arrival: request {i} arrives at {array[i]}, before request {i - 1}: sort them by arrival")
    array.flags.writeable = False
    return array
