"""Who arrives: the types of requests that the theory works on, from rows, drawn requests or a workload."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests, Type

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class HasMix(Protocol):
    """Anything that knows its types, such as `Requests` and `Workload`."""

    @property
    def mix(self) -> tuple[Type, ...]:
        """Types with prompt, output and rate."""
        ...


#: rows (prompt, output, rate), or an object with ``mix``
Mix: TypeAlias = HasMix | Iterable[Sequence[float]]


def types_of(source: Mix) -> tuple[Type, ...]:
    """Return the types of a source, checked.

    Parameters
    ----------
    source : rows (prompt, output, rate), `Requests` or `Workload`
        Prompt in tokens (a mean is fine), output in tokens, rate in requests per second.

    Raises
    ------
    BadParameter
        One line that names the type and the value.
    """
    rows: Any = source.mix if hasattr(source, "mix") else source
    types = tuple(_checked(j, row) for j, row in enumerate(rows))
    if not types:
        raise BadParameter("types is empty: give at least one row (prompt, output, rate)")
    return types


def _checked(j: int, row: Any) -> Type:
    try:
        prompt, output, rate = (float(value) for value in row)
    except (TypeError, ValueError):
        raise BadParameter(f"type {j} is {row!r}: give a row (prompt, output, rate)") from None
    if not (math.isfinite(prompt) and prompt >= 1):
        raise BadParameter(f"type {j}: prompt is {prompt:g}: give tokens, 1 or more")
    if not (math.isfinite(output) and output >= 1 and output == int(output)):
        raise BadParameter(f"type {j}: output is {output:g}: give a whole number of tokens, 1 or more")
    if not (math.isfinite(rate) and rate > 0):
        raise BadParameter(f"type {j}: rate is {rate:g}: give requests per second above 0")
    return Type(prompt, int(output), rate)


def columns(types: Sequence[Type]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return prompts, outputs and rates, float64[m] each."""
    table = np.array(types, dtype=np.float64)
    return table[:, 0], table[:, 1], table[:, 2]


def area(prompt: npt.ArrayLike, output: npt.ArrayLike) -> FloatArray:
    """Token-iterations of requests, ``A = (o+1)(l + o/2)``: the footprints l, l+1, ..., l+o of its passes added up."""
    l, o = np.asarray(prompt, dtype=np.float64), np.asarray(output, dtype=np.float64)  # noqa: E741 - as in the theory
    return (o + 1) * (l + o / 2)


def largest_prompts(source: Mix, types: Sequence[Type]) -> FloatArray:
    """Return the largest prompt of each type, float64[m]: of the requests themselves where the source holds them."""
    largest = columns(types)[0].copy()
    if isinstance(source, Requests):
        np.maximum.at(largest, source.type_of, source.prompt.astype(np.float64))
    elif hasattr(source, "largest_prompts"):
        largest = np.maximum(largest, np.asarray(source.largest_prompts, dtype=np.float64))
    return largest


def tokens_of_memory(memory: Any) -> float:
    """Return the budget C as a float, or refuse it."""
    number = isinstance(memory, (int, float, np.integer, np.floating)) and not isinstance(memory, bool)
    if not number or not math.isfinite(memory) or memory <= 0:
        raise BadParameter(f"memory is {memory!r}: give a positive number of tokens")
    return float(memory)
