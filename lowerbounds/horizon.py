"""Latest completions that never cut off an optimal schedule (rules T1 to T3), per class of identical requests.

The makespan of a good schedule is not a safe horizon, nor is that of a serial one (docs/bounds.md has two
counterexamples). Each rule below holds for every optimal schedule, so the least of the three is safe.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter
from lowerbounds.classes import Classes, group
from lowerbounds.closed_form import best_closed_form
from lowerbounds.exact_sums import SAFE, exact_sum

IntArray = npt.NDArray[np.int64]

#: classes x requests from which on rule T2 uses a quick bound on the others
MANY = 1_000_000


def busy_horizon(classes: Classes) -> IntArray:
    """T1: after the last arrival every round is busy, so C <= max arrival + sum of outputs; int64[k]."""
    last = int(classes.arrival.max()) + int((classes.output * classes.count).sum())
    return np.full(len(classes), last, np.int64)


def cost_horizon(inst: Instance, classes: Classes, upper: int) -> IntArray:
    """T2: C_i <= U - (lower bound on all requests but i), for a known total completion time U; int64[k]."""
    member = np.empty(len(classes), np.int64)
    member[classes.of] = np.arange(inst.n)
    latest = np.full(len(classes), upper, np.int64)
    if inst.n == 1:
        return latest
    if len(classes) * inst.n > MANY:
        return upper - _rest_at_least(inst)[member]
    for c, i in enumerate(member.tolist()):
        others = inst.subset(np.delete(np.arange(inst.n), i))
        latest[c] = upper - best_closed_form(others).integer
    return latest


def _rest_at_least(inst: Instance) -> IntArray:
    """A quick lower bound on all requests but i, for each i: the larger of LB0 and LB1, int64[n].

    With volumes v_1 <= v_2 <= .. LB1 is sum over k of v_k (n - k + 1) / M; without v_k that loses v_k (n - k + 1) and
    one of each smaller volume.
    """
    earliest = inst.arrival + inst.output
    order = np.argsort(inst.volume, kind="stable")
    volume = inst.volume[order].astype(object)
    below = np.cumsum(volume) - volume
    weighted = volume * np.arange(inst.n, 0, -1)
    area = np.empty(inst.n, object)
    area[order] = -((below + weighted - sum(weighted.tolist())) // inst.memory)
    return np.maximum(area, exact_sum(earliest) - earliest).astype(np.int64)


def shift_horizon(classes: Classes) -> IntArray:
    """T3: C_i <= a_i + o_i (1 + floor((V - v_i) / (M - p_i + 1))), or i could start earlier; int64[k]."""
    s, o = classes.prompt, classes.output
    volume = s * o + o * (o + 1) // 2
    total = int((volume * classes.count).sum())
    windows = 1 + (total - volume) // (classes.memory - s - o + 1)
    # Beyond int64 the rule says nothing.
    return classes.arrival + o * np.minimum(windows, SAFE // (2 * o))


def latest_completions(inst: Instance, upper: int, rules: tuple[str, ...] = ("T1", "T2", "T3")) -> IntArray:
    """Return the least of the chosen rules for each class of `classes.group`, int64[k].

    Parameters
    ----------
    upper : int
        Total completion time of a feasible schedule (used by T2).
    rules : tuple of {"T1", "T2", "T3"}
        At least one.
    """
    classes = group(inst)
    known = {
        "T1": lambda: busy_horizon(classes),
        "T2": lambda: cost_horizon(inst, classes, upper),
        "T3": lambda: shift_horizon(classes),
    }
    if not rules or set(rules) - set(known):
        raise BadParameter(f"horizon rules are {rules!r}: choose some of {', '.join(known)}")
    return np.minimum.reduce([known[rule]() for rule in rules])
