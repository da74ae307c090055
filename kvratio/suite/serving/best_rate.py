"""The largest stable rate of a policy as given, and of the best of its candidates: the same budget for every policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kvratio.suite.plan import PolicySpec
from kvratio.suite.progress import Reporter
from kvratio.suite.serving import tuning as tuner
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.largest import LargestRate, largest_stable_rate, stable_at
from kvratio.suite.serving.load import Load

#: share of the fluid limit for which candidates that depend on a rate are chosen
CHOSEN_AT = 0.95


@dataclass(frozen=True)
class BestRate:
    """Largest stable rates of one policy.

    Attributes
    ----------
    default : LargestRate
    tuned : LargestRate
        Of the best candidate; the default where none is better by more than the tolerance of the search.
    candidates : int
        How many were looked at, the default among them.
    """

    default: LargestRate
    tuned: LargestRate
    candidates: int

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per setting."""
        return [
            {"setting": setting, "given": one.policy.call, **one.row()}
            for setting, one in (("default", self.default), ("tuned", self.tuned))
        ]

    def visits(self) -> list[dict[str, Any]]:
        """Return one row per rate visited."""
        both = [("default", self.default)] + ([("tuned", self.tuned)] if self.tuned is not self.default else [])
        return [{"setting": setting, **visit} for setting, one in both for visit in one.visits()]


def best_rate(
    policy: PolicySpec,
    load: Load,
    hardware: Hardware,
    *,
    tuning: int = 1,
    seed: int = 0,
    workers: int = 1,
    tell: Reporter,
) -> BestRate:
    """Locate the largest stable rate of a policy and of its candidates.

    A candidate is searched only if it is stable where the best one so far is not, so that most cost one visit.
    """
    machine: dict[str, Any] = {"seed": seed, "workers": workers, "progress": tell}
    default = largest_stable_rate(policy, load, hardware, **machine)
    best = default
    chosen_for = CHOSEN_AT * default.fluid_limit
    candidates = tuner.distinct(tuner.candidates(policy, tuning, load, chosen_for, hardware))
    for candidate in candidates[1:]:
        if best.high <= default.fluid_limit and stable_at(candidate, load, hardware, best.high, **machine):
            named = replace(candidate, label=f"{policy.label}, tuned: {candidate.call}")
            best = largest_stable_rate(named, load, hardware, **machine)
    return BestRate(default, best, len(candidates))
