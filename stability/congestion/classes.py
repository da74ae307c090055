"""Who is served: classes of requests with an input, a decode length and a share of what is admitted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: shares may miss a sum of 1 by this much: rounding of what the caller divided
SHARE_ROUNDING = 1e-9
#: longest decode length: above it the arrays over stages would not fit into memory
LONGEST = 10_000_000


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of requests.

    Attributes
    ----------
    prompt : float64[K]
        Input l0 of each class, tokens.
    decode : int64[K]
        Decode length l1 >= 1 of each class: iterations that a request stays.
    share : float64[K]
        Share of the admitted requests; positive, sum 1.
    index : int64[K]
        Place of each class in what the caller gave: classes with share 0 are left out.
    equal : bool
        Whether all shares are equal, so that sums over classes can be taken in whole numbers.
    given : int
        Number of classes that the caller gave.
    """

    prompt: FloatArray
    decode: IntArray
    share: FloatArray
    index: IntArray
    equal: bool
    given: int

    def __len__(self) -> int:
        return len(self.decode)

    @property
    def d(self) -> int:
        """Number of stages: the longest decode length."""
        return int(self.decode.max())

    @property
    def gcd(self) -> int:
        """Greatest common divisor of the decode lengths."""
        return math.gcd(*np.unique(self.decode).tolist())

    @property
    def work(self) -> FloatArray:
        """Token-iterations of a completed request of each class, ``l1 (l0 + (l1+1)/2)``, float64[K]."""
        return self.decode * (self.prompt + (self.decode + 1) / 2)


def classes_of(prompt: Any, decode: Any, shares: Any = None) -> Classes:
    """Return checked classes.

    Parameters
    ----------
    prompt : float or float[K]
        Tokens, >= 0.
    decode : int or int[K]
        Whole numbers >= 1.
    shares : float[K], optional
        >= 0 with sum 1; default: all equal. A class of share 0 is left out.

    Raises
    ------
    BadParameter
        One line: which class has which value without meaning.
    """
    length = _row("decode", decode)
    inputs = _row("prompt", prompt)
    if not len(length) or not len(inputs):
        raise BadParameter("no classes: give at least one decode length and its prompt")
    if len(inputs) > 1 and len(length) == 1:
        length = np.repeat(length, len(inputs))
    if len(inputs) not in (1, len(length)):
        raise BadParameter(f"{len(inputs)} prompts for {len(length)} decode lengths: give one number, or one per class")
    inputs = np.broadcast_to(inputs, length.shape).astype(np.float64)
    _each(inputs >= 0, "prompt", inputs, "give tokens >= 0")
    _each((length >= 1) & (length == np.floor(length)), "decode length", length, "give whole tokens >= 1")
    _each(length <= LONGEST, "decode length", length, f"give at most {LONGEST:,} tokens")
    if shares is None:
        share = np.full(len(length), 1 / len(length))
        keep = np.arange(len(length))
    else:
        share = shares_of(shares, len(length))
        keep = np.flatnonzero(share > 0)
        share = share[keep] / share[keep].sum()
    equal = bool((share == share[0]).all())
    return Classes(inputs[keep], length[keep].astype(np.int64), share, keep.astype(np.int64), equal, len(length))


def shares_of(shares: Any, count: int) -> FloatArray:
    """Return shares checked for number, sign and sum, float64[count]."""
    share = _row("share", shares)
    if len(share) != count:
        raise BadParameter(f"{len(share)} shares for {count} classes: give one share per class")
    _each(share >= 0, "share", share, "give shares >= 0")
    total = float(share.sum())
    if abs(total - 1) > SHARE_ROUNDING:
        raise BadParameter(f"shares sum to {total:.10g}, not 1: divide each by their sum")
    return share


def memory_of(memory: Any) -> float:
    """Return a memory in tokens as a positive finite number."""
    try:
        tokens = float(memory)
    except (TypeError, ValueError):
        raise BadParameter(f"memory is {memory!r}: give a number of tokens") from None
    if not (math.isfinite(tokens) and tokens > 0):
        raise BadParameter(f"memory is {tokens:g}: give tokens > 0")
    return tokens


def _row(name: str, values: Any) -> FloatArray:
    """Return finite numbers as a vector, float64[K]."""
    try:
        row = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadParameter(f"{name} is {values!r}: give a number, or one per class") from None
    if row.ndim > 1:
        raise BadParameter(f"{name} has {row.ndim} dimensions: give a number, or one per class")
    row = row.reshape(-1)
    _each(np.isfinite(row), name, row, "give finite numbers")
    return row


def _each(fine: npt.NDArray[np.bool_], name: str, values: FloatArray, advice: str) -> None:
    """Refuse the first class whose value is not fine."""
    if not fine.all():
        k = int(np.argmin(fine))
        raise BadParameter(f"class {k}: {name} is {values[k]:g}: {advice}")
