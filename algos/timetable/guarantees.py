"""What is proved about the staggered policies: two-term bounds, ratios, and where each holds (docs/policies.md 6.6, 7).

For a batch with equal prompts S let LB0 = sum o_i and LB1 = (1/M) sum_j sum_{i<=j} A_(i), A = area(S, o) ascending.
Both are lower bounds on the least total completion time. Every ratio here is proved against these two, so the
inequalities need no optimum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from algos.card import Guarantee
from algos.timetable.slices import pipeline_width, slices
from kvratio.problem.instance import Instance

Settings = Mapping[str, Any]

#: M tau/k <= 3 area(S, tau) for every slice that fits
WORST_SLACK = 3.0


def latency_bound(inst: Instance) -> int:
    """Return LB0 = sum of outputs."""
    return int(inst.output.sum())


def squashed_area_bound(inst: Instance) -> Fraction:
    """Return LB1 of a batch, exactly."""
    prefix = np.cumsum(np.sort(inst.volume))
    # In two halves, since the sum of prefix sums may leave int64.
    total = (int((prefix >> 32).sum()) << 32) + int((prefix & 0xFFFFFFFF).sum())
    return Fraction(total, inst.memory)


def slack(tau: int, prompt: int, memory: int) -> Fraction:
    """Return M g / area(S, tau) for one slice, with g = tau/k the pace of its pipeline; between 1 and 3."""
    return Fraction(2 * memory, pipeline_width(tau, prompt, memory) * (2 * prompt + tau + 1))


def slack_of(inst: Instance, alpha: float, first: float) -> float:
    """Return c, the largest `slack` over the slices that a batch with these outputs runs."""
    prompt, longest = int(inst.prompt.max()), int(inst.output.max())
    worst = Fraction(1)
    for tau in slices(alpha, first, inst.memory - prompt).tolist():
        worst = max(worst, slack(tau, prompt, inst.memory))
        if tau >= longest:
            break
    return float(worst)


# -- two-term bounds ------------------------------------------------------------------------------------------------
def gba_bound(inst: Instance, alpha: float, c: float = WORST_SLACK) -> float:
    """Return (alpha^2/(alpha-1)) LB0 + c alpha^2 LB1, which gba does not exceed (arXiv 2601.22996).

    Parameters
    ----------
    inst : Instance
        A batch with equal prompts.
    alpha : float
        Growth of the slices; the first must be <= max(1, shortest output).
    c : float
        3, or `slack_of` the instance.
    """
    return alpha**2 * (latency_bound(inst) / (alpha - 1) + c * float(squashed_area_bound(inst)))


def gsa_bound(inst: Instance, alpha: float, c: float = WORST_SLACK) -> float:
    """Return the published bound on gsa: 2 alpha/(alpha-1) times that of gba (arXiv 2601.22996)."""
    return 2 * alpha / (alpha - 1) * gba_bound(inst, alpha, c)


def gsa_derived_bound(inst: Instance, alpha: float, c: float = WORST_SLACK) -> float:
    """Return (alpha^2/(alpha-1)) LB0 + (2 c alpha^3/(alpha-1)) LB1.

    Sharper than the published bound; derived in docs/policies.md 6.6, not the paper's.
    """
    lb0, lb1 = latency_bound(inst), float(squashed_area_bound(inst))
    return alpha**2 / (alpha - 1) * lb0 + 2 * c * alpha**3 / (alpha - 1) * lb1


# -- ratios ---------------------------------------------------------------------------------------------------------
def gba_ratio(alpha: float, c: float = WORST_SLACK) -> float:
    """Return alpha^2 (c + 1/(alpha-1)): 32/3 at alpha = 4/3, c = 3; 27/4 at 3/2, c = 1 (arXiv 2601.22996)."""
    return alpha**2 * (c + 1 / (alpha - 1))


def gsa_ratio(alpha: float, c: float = WORST_SLACK) -> float:
    """Return 2 alpha^3 (c + 1/(alpha-1))/(alpha-1) (arXiv 2601.22996).

    61.9148 at alpha = (7 + sqrt 13)/6, c = 3; 32 at 2, c = 1.
    """
    return 2 * alpha / (alpha - 1) * gba_ratio(alpha, c)


def gsa_derived_ratio(alpha: float, c: float = WORST_SLACK) -> float:
    """Return the sum of the coefficients of `gsa_derived_bound` (derived, not the paper's)."""
    return alpha**2 * (1 + 2 * c * alpha) / (alpha - 1)


# -- guarantees -----------------------------------------------------------------------------------------------------
def _ratio(formula: Callable[[float, float], float], first: str) -> Callable[[Instance, Settings], float]:
    """Return a guarantee's ratio: c = 3 for the general preset, else the c of the instance, which tends to 1."""

    def ratio(inst: Instance, settings: Settings) -> float:
        general = settings.get("regime", "large") == "general"
        alpha = settings["alpha"]
        return formula(alpha, WORST_SLACK if general else min(WORST_SLACK, slack_of(inst, alpha, settings[first])))

    return ratio


def _equal_batch(first: str) -> Callable[[Instance, Settings], bool]:
    def holds(inst: Instance, settings: Settings) -> bool:
        return inst.is_batch and inst.equal_prompts and settings[first] <= max(1, int(inst.output.min()))

    return holds


def _small_and_response_heavy(inst: Instance, settings: Settings) -> bool:
    return inst.is_batch and bool((4 * inst.prompt <= inst.memory).all() and (inst.output > inst.prompt).all())


def _one_kind_of_rectangle(inst: Instance, settings: Settings) -> bool:
    large = 4 * inst.prompt > inst.memory
    return inst.is_batch and bool(large.all() or (~large & (inst.output <= inst.prompt)).all())


SPS_GUARANTEE = Guarantee(
    text="2, and 1 + o(1) as memory and the batch grow",
    ratio=lambda inst, settings: 2.0,
    holds=lambda inst, settings: inst.is_batch and inst.equal_prompts and bool((inst.output == inst.output[0]).all()),
    hypotheses="batch of identical requests",
    reference="2601.22996",
)
GBA_GUARANTEE = Guarantee(
    text="10.67; 6.75 (alpha = 3/2) as memory grows against all peaks",
    ratio=_ratio(gba_ratio, "beta"),
    holds=_equal_batch("beta"),
    hypotheses="batch, equal prompts, beta <= max(1, shortest output)",
    reference="2601.22996",
)
GSA_GUARANTEE = Guarantee(
    text="61.92; 32 (alpha = 2) as memory grows against all peaks",
    ratio=_ratio(gsa_ratio, "tau0"),
    holds=_equal_batch("tau0"),
    hypotheses="batch, equal prompts, tau0 <= max(1, shortest output)",
    reference="2601.22996",
)
RECT_GUARANTEE = Guarantee(
    text="36",
    ratio=lambda inst, settings: 36.0,
    holds=_one_kind_of_rectangle,
    hypotheses="batch; all prompts > M/4, or all prompts <= M/4 and no output longer than its prompt",
    reference="2607.09248, for its own reading of the algorithm",
)
RESPONSE_GUARANTEE = Guarantee(
    text="236/3 = 78.67",
    ratio=lambda inst, settings: 236 / 3,
    holds=_small_and_response_heavy,
    hypotheses="batch; all prompts <= M/4 and every output longer than its prompt",
    reference="2607.09248, for its own reading of the algorithm",
)
ROUTE_GUARANTEE = Guarantee(
    text="a constant, not stated",
    ratio=lambda inst, settings: None,
    holds=lambda inst, settings: inst.is_batch,
    hypotheses="batch",
    reference="2607.09248, for its own reading of the algorithm",
)
