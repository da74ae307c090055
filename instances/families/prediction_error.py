"""M: predictions that are wrong in a controlled way; true lengths stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare
from instances.list_greedy import best_list_greedy
from instances.wrapping import base_instance, wrapped
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

MODES = ("uniform", "over", "swap", "outlier", "rank_noise")
BISECTIONS = 50

CARD = FamilyCard(
    id="prediction_error",
    letter="M",
    title="wrong predictions for any family",
    kind="as base",
    group="wrapper",
    target="policies that use predictions",
    parameters=(
        Parameter("base", REQUIRED, "an instance, a family id, or {'family': id, ...}", "base"),
        Parameter("mode", REQUIRED, "kind of error", "choice", choices=MODES),
        Parameter(
            "level",
            None,
            "uniform: e of o U[1-e, 1+e], 0..1; over: factor beta >= 1; rank_noise: Kendall tau, 0 < tau < 1; swap: "
            "none; outlier: 1 lengthens the outlier to M - s, default leaves it",
            "float",
            low=0,
        ),
    ),
    ratio_text="measured",
    source="uniform errors: Jaillet et al., arXiv 2502.07115; rank noise as measured for learned rankings, Fu et al., "
    "'Efficient LLM Scheduling by Learning to Rank', arXiv 2408.15792; the rest derived here",
    about="ohat = clip(round(.), 1, M - s). uniform: o U[1-e, 1+e]. over: beta o. swap: the i-th smallest is predicted "
    "as the i-th largest. outlier: the longest request is predicted 1. rank_noise: log o + sigma normal, sigma "
    "found by bisection for a target Kendall tau. Under-predictions can overflow memory: evictions are then reported.",
)


@declare(CARD)
def prediction_error(setting: Setting, base: Any, mode: str, level: float | None) -> Construction:
    """Add predictions to the base instance."""
    level = _checked_level(mode, level)
    inst = base_instance(setting, base)
    rng = setting.rng()
    notes: dict[str, Any] = {}
    witness: Any = inst.witness
    guess: np.ndarray
    if mode == "uniform":
        guess = inst.output * rng.uniform(1 - level, 1 + level, inst.n)
    elif mode == "over":
        guess = inst.output * level
    elif mode == "swap":
        guess = swapped(inst.output)
    elif mode == "outlier":
        inst, outlier = _with_outlier(inst, lengthen=level == 1)
        witness = best_list_greedy if level == 1 else witness
        guess = inst.output.copy()
        guess[outlier] = 1
        notes = {"outlier": outlier}
    else:
        guess, notes = rank_noise(inst, rng.standard_normal(inst.n), level)
    return wrapped(setting, inst.replace(predicted=clip(inst, guess)), inst, witness=witness, **notes)


def clip(inst: Instance, guess: np.ndarray) -> IntArray:
    """Return round-half-up of the guess, brought into [1, M - s]."""
    return np.clip(np.floor(guess + 0.5), 1, inst.memory - inst.prompt).astype(np.int64)


def swapped(output: IntArray) -> IntArray:
    """Give the request with the i-th smallest output (ties by number) the i-th largest output."""
    order = np.argsort(output, kind="stable")
    guess = np.empty_like(output)
    guess[order] = output[order[::-1]]
    return guess


def rank_noise(inst: Instance, noise: np.ndarray, tau: float) -> tuple[np.ndarray, dict[str, float]]:
    """Return o exp(sigma noise) with sigma such that the clipped predictions have Kendall tau-b ``tau`` with o."""
    from scipy.stats import kendalltau  # slow to import, and needed by this mode only

    room = np.log(inst.memory - inst.prompt)

    def guess(sigma: float) -> np.ndarray:
        return np.exp(np.minimum(np.log(inst.output) + sigma * noise, room))  # clipped early: no overflow of exp

    def measured(sigma: float) -> float:
        return float(kendalltau(inst.output, clip(inst, guess(sigma))).statistic)

    if inst.n < 2 or (inst.output == inst.output[0]).all():
        raise BadParameter("prediction_error: rank_noise needs a base with at least two different outputs")
    low, high = 0.0, 1.0
    while measured(high) > tau:
        low, high = high, 2 * high
        if high > 1e6:
            raise BadParameter(
                f"prediction_error: level is {tau}: no noise brings Kendall tau down to it on {inst.n} requests"
            )
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if measured(middle) > tau else (low, middle)
    return guess(high), {"sigma": high, "kendall_tau": measured(high)}


def _with_outlier(inst: Instance, lengthen: bool) -> tuple[Instance, int]:
    """Return the instance and the first of its longest requests, lengthened to M - s if asked."""
    outlier = int(np.argmax(inst.output))
    if not lengthen:
        return inst, outlier
    output = inst.output.copy()
    output[outlier] = inst.memory - inst.prompt[outlier]
    return inst.replace(output=output, witness=None), outlier


def _checked_level(mode: str, level: float | None) -> float:
    """Return the level if the mode takes it; 0 stands for a level left out where none is needed."""
    rules: dict[str, tuple[str, Callable[[float], bool]]] = {
        "uniform": ("a number in [0, 1]", lambda x: x <= 1),
        "over": ("a number >= 1", lambda x: x >= 1),
        "swap": ("nothing", lambda x: False),
        "outlier": ("nothing, 0 or 1", lambda x: x in (0, 1)),
        "rank_noise": ("a number in (0, 1)", lambda x: 0 < x < 1),
    }
    wanted, holds = rules[mode]
    if level is None and "nothing" in wanted:
        return 0.0
    if level is None or not holds(level):
        raise BadParameter(f"prediction_error: level is {level}: mode {mode!r} takes {wanted}")
    return level
