"""What happens to rows that a schedule cannot use. Every rule is the caller's, every row it touches is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from instances.traces.cells import IntArray
from kvratio.problem.errors import BadParameter, TraceError


@dataclass(frozen=True)
class Rows:
    """Requests as read: times in nanoseconds, in file order.

    Attributes
    ----------
    number : int64[n]
        Line or row in the file, for messages.
    prompt, output : int64[n]
        Tokens.
    time : int64[n] or None
        Nanoseconds; None where the format has lengths only.
    """

    number: IntArray
    prompt: IntArray
    output: IntArray
    time: IntArray | None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.number)

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Rows:
        """Return these rows, in this order."""
        time = None if self.time is None else self.time[index]
        return Rows(self.number[index], self.prompt[index], self.output[index], time)


@dataclass(frozen=True)
class Rules:
    """One rule per kind of row; see `instances.traces.loader.load_trace` for what each does."""

    zero_tokens: str = "drop"
    zero_prompt: str = "keep"
    out_of_order: str = "sort"
    too_large: str = "drop"

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "zero_tokens": ("drop", "error", "one"),
        "zero_prompt": ("keep", "drop", "error", "one"),
        "out_of_order": ("sort", "keep", "error"),
        "too_large": ("drop", "error", "clip"),
    }

    def __post_init__(self) -> None:
        for field in fields(self):
            value, choices = getattr(self, field.name), self.CHOICES[field.name]
            if value not in choices:
                raise BadParameter(f"{field.name} is {value!r}: choose one of {', '.join(choices)}")


def apply_rules(
    rows: Rows, memory: int, rules: Rules, fault: Callable[[int, str, int, str], TraceError]
) -> tuple[Rows, dict[str, int]]:
    """Apply the rules in the order: out of order, zero output, zero prompt, too large.

    Parameters
    ----------
    rows : Rows
        As read.
    memory : int
        The budget M.
    rules : Rules
        One choice per kind of row.
    fault : callable
        ``fault(number, column, value, why)`` builds the error for a row where the rule is "error".

    Returns
    -------
    Rows, dict
        What is left, and how many rows of each kind there were.
    """
    counts = {"out_of_order": 0}
    if rows.time is not None:
        rows, counts["out_of_order"] = _order(rows, rows.time, rules.out_of_order, fault)
    empty = rows.output == 0
    counts["zero_output"] = int(empty.sum())
    rows = _zero(rows, empty, "output", rules.zero_tokens, fault)
    bare = rows.prompt == 0
    counts["zero_prompt"] = int(bare.sum())
    rows = _zero(rows, bare, "prompt", rules.zero_prompt, fault)
    over = rows.prompt + rows.output > memory
    counts["too_large"] = int(over.sum())
    return _large(rows, over, memory, rules.too_large, fault), counts


def _order(
    rows: Rows, time: IntArray, rule: str, fault: Callable[[int, str, int, str], TraceError]
) -> tuple[Rows, int]:
    """Deal with rows stamped before a row above them. Ties keep file order."""
    if rows.n == 0:
        return rows, 0
    early = time < np.maximum.accumulate(time)
    count = int(early.sum())
    if count and rule == "error":
        at = int(np.argmax(early))
        behind = (int(time[:at].max()) - int(time[at])) / 1e9
        raise fault(int(rows.number[at]), "arrival", at, f"{behind:g} s before a row above it")
    if count and rule == "sort":
        rows = rows.take(np.argsort(time, kind="stable"))
    return rows, count


def _zero(
    rows: Rows, zero: npt.NDArray[np.bool_], column: str, rule: str, fault: Callable[[int, str, int, str], TraceError]
) -> Rows:
    if rule == "keep" or not zero.any():
        return rows
    if rule == "error":
        raise fault(int(rows.number[np.argmax(zero)]), column, 0, "zero tokens")
    if rule == "drop":
        return rows.take(~zero)
    tokens = np.where(zero, 1, getattr(rows, column))
    return replace(rows, prompt=tokens) if column == "prompt" else replace(rows, output=tokens)


def _large(
    rows: Rows, over: npt.NDArray[np.bool_], memory: int, rule: str, fault: Callable[[int, str, int, str], TraceError]
) -> Rows:
    if not over.any():
        return rows
    if rule == "error":
        at = int(np.argmax(over))
        peak = int(rows.prompt[at]) + int(rows.output[at])
        raise fault(int(rows.number[at]), "output", int(rows.output[at]), f"prompt + output = {peak} > memory {memory}")
    if rule == "drop":
        return rows.take(~over)
    prompt, output = clip(rows.prompt, rows.output, memory)
    return replace(rows, prompt=prompt, output=output)


def clip(prompt: IntArray, output: IntArray, memory: int) -> tuple[IntArray, IntArray]:
    """Cut requests to the budget as a context limit would: the prompt to M - 1 at most, then the output."""
    short = np.minimum(prompt, memory - 1)
    return short, np.minimum(output, memory - short)
