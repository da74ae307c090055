"""Time as whole numbers of things done, and leaps over iterations in which nothing happens but decoding.

A leap adds to the counts what the single iterations would add, so it ends at the same bits.
"""

from __future__ import annotations

import numpy as np

from algos.serving import gaps
from kvratio.problem.compiled import inlined

#: fewer iterations are walked: finding the end of a leap costs as much
SHORT = 8
#: a gap between tokens differs from the next by more than this share of the time, or rounding might order them
SAFE = 2.0**-46


@inlined
def elapsed(t):
    """Seconds since ``base``, added from left to right as in `kvratio.problem.clock.seconds`."""
    total = 0.0
    for k in range(8):
        total += t.rates[k] * np.float64(t.counts[k])
    return total


@inlined
def count(t, sign, cached, prompt, moved, decodes, decode_cached):
    """Add an iteration to the counts, or take it out again."""
    c = t.counts
    c[0] += sign
    c[1] += sign * cached
    c[2] += sign * prompt
    c[3] += sign * moved
    computed = prompt + decodes
    if computed <= t.knee[0]:
        c[4] += sign
    else:
        c[5] += sign * computed
    c[6] += sign * decodes
    c[7] += sign * decode_cached


@inlined
def _time_after(t, number, active, tokens):
    """Seconds at which ``number`` more iterations end, in all of which ``active`` requests decode."""
    counts, rates = t.counts, t.rates
    cached = number * tokens + active * (number * (number - 1) // 2)
    light = active <= t.knee[0]
    total = 0.0
    total += rates[0] * np.float64(counts[0] + number)
    total += rates[1] * np.float64(counts[1] + cached)
    total += rates[2] * np.float64(counts[2])
    total += rates[3] * np.float64(counts[3])
    total += rates[4] * np.float64(counts[4] + (number if light else 0))
    total += rates[5] * np.float64(counts[5] + (0 if light else number * active))
    total += rates[6] * np.float64(counts[6] + number * active)
    total += rates[7] * np.float64(counts[7] + cached)
    return t.clock[0].base + total


@inlined
def leap(v, t, most, change):
    """Run up to ``most`` iterations that end before ``change`` and leave the memory whole; return how many.

    The longest gap between tokens is the last, since batches only grow; where rounding could hide that, nothing is
    done.
    """
    s = v.st[0]
    c = t.clock[0]
    active, tokens = s.active, s.tokens
    most = min(most, (s.memory - s.used) // active)
    if most < SHORT or _time_after(t, SHORT, active, tokens) >= change:
        return np.int64(0)
    number = most
    if _time_after(t, most, active, tokens) >= change:
        number = _last_before(t, most, active, tokens, change)
    end = _time_after(t, number, active, tokens)
    growth = (t.rates[1] + t.rates[7]) * active
    if growth <= SAFE * end:
        return np.int64(0)
    gap = end - _time_after(t, number - 1, active, tokens)
    # Sums of 1, 2, .. number - 1 and of their squares: iteration j takes first + j growth and holds used + j active.
    pairs = number * (number - 1.0) / 2.0
    squares = pairs * (2.0 * number - 1.0) / 3.0
    first = (end - c.now - growth * pairs) / number
    c.token_seconds += s.used * (end - c.now) + active * (first * pairs + growth * squares)
    cached = number * tokens + active * (number * (number - 1) // 2)
    t.counts[0] += number
    t.counts[1] += cached
    if active <= t.knee[0]:
        t.counts[4] += number
    else:
        t.counts[5] += number * active
    t.counts[6] += number * active
    t.counts[7] += cached
    s.used += number * active
    s.tick += number
    s.tokens += number * active
    s.emitted += number * active
    gaps.push_longest(v, t, gap, s.tick)
    if len(t.ring) > 0:
        gaps.push_rising(t, gap, growth, number, s.tick)
    c.now, c.ticked = end, end
    return number


@inlined
def _last_before(t, most, active, tokens, change):
    """Return how many of ``most`` iterations end before ``change``; `SHORT` do, and not all."""
    low, high = np.int64(SHORT), most
    while high - low > 1:
        middle = (low + high) // 2
        if _time_after(t, middle, active, tokens) < change:
            low = middle
        else:
            high = middle
    return low
