"""How long inputs must be for two decode lengths to be stable together: exact, and the cubic law.

Coprime lengths are stable for long inputs only; the threshold grows with the cube of the longer length.
"""

from __future__ import annotations

import math

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import classes_of
from stability.congestion.spectrum import stable_of
from stability.congestion.stages import stages_of


def min_prompt(a: int, b: int, share: float = 0.5) -> float:
    """Return the smallest whole common input l0 from which on two decode lengths are linearly stable.

    Parameters
    ----------
    a, b : int
        Decode lengths, 1 <= a <= b.
    share : float
        Share p of the shorter length a, in [0, 1].

    Returns
    -------
    int or float
        Tokens, >= 0; ``math.inf`` where no input is long enough: a common divisor above 1, or one class longer than 1.

    Raises
    ------
    BadParameter
        One line: a length or share without meaning.

    Notes
    -----
    Bisection on whether all roots of F lie inside the unit circle, from a bracket around `min_prompt_law`. Bisection
    needs that no stable inputs lie below an unstable one: found true for all a < b <= 8 at p = 1/2 and l0 < 200, not
    proved. A radius above 1 - 1e-12 counts as unstable; where the threshold is beyond some 5 10^5 tokens, one token
    moves the radius by less than that, and the result is larger than the exact crossing (by 12 at 3.4 10^6).
    """
    a, b, share = _pair(a, b, share)
    lengths = sorted({a} if share == 1 else {b} if share == 0 else {a, b})
    if lengths == [1]:
        return 0
    if len(lengths) == 1 or math.gcd(*lengths) > 1:
        return math.inf
    high = max(1, math.ceil(min_prompt_law(a, b, share)))
    while not _stable(a, b, share, high):
        high *= 2
    low = high
    while low > 0 and _stable(a, b, share, low):
        high = low
        low //= 2
    if low == 0 and _stable(a, b, share, 0):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if _stable(a, b, share, middle):
            high = middle
        else:
            low = middle
    return high


def min_prompt_law(a: int, b: int, share: float = 0.5) -> float:
    """Return the first-order law ``((1-p) + p a/b)^3 / (2 pi^2 p (1-p)) b^3``, tokens.

    Parameters as `min_prompt`. The law knows nothing of divisors: it holds for coprime lengths. inf at p = 0 or 1.
    """
    a, b, p = _pair(a, b, share)
    if p in (0.0, 1.0):
        return math.inf
    return ((1 - p) * b + p * a) ** 3 / (2 * math.pi**2 * p * (1 - p))


def _stable(a: int, b: int, share: float, prompt: int) -> bool:
    return stable_of(stages_of(classes_of(prompt, [a, b], [share, 1 - share])).V)


def _pair(a: int, b: int, share: float) -> tuple[int, int, float]:
    for name, length in (("a", a), ("b", b)):
        if isinstance(length, bool) or not isinstance(length, (int, np.integer)) or length < 1:
            raise BadParameter(f"{name} is {length!r}: give a decode length, a whole number >= 1")
    if a > b:
        raise BadParameter(f"a = {a} > b = {b}: give the shorter length first, share is its share")
    if not 0 <= share <= 1:
        raise BadParameter(f"share is {share!r}: give the share of the shorter length, from 0 to 1")
    return int(a), int(b), float(share)
