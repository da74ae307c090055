"""The contract of bounds: what is claimed never exceeds the optimum, and what is certified verifies."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lowerbounds
from kvratio.problem.bound import Bound
from kvratio.problem.errors import KvratioError
from kvratio.problem.instance import Instance
from kvratio.suite.contract.cases import cases
from kvratio.suite.contract.finding import Broken, Finding, Report
from kvratio.suite.contract.shrink import shrink
from kvratio.suite.deadline import CellTimeout, deadline
from lowerbounds import BoundCard

#: largest instance whose optimum is computed, and instances tried
REQUESTS, COUNT = 6, 40
#: seconds that one bound of a small instance may take
SECONDS = 10.0


@dataclass
class Trial:
    """One bound under test; counts what was asked of it."""

    card: BoundCard
    options: Mapping[str, Any]
    runs: int = 0

    def bound(self, inst: Instance) -> Bound:
        """Ask the bound; what it raises is a breach."""
        self.runs += 1
        try:
            with deadline(SECONDS, f"bound {self.card.id} on {inst.n} requests"):
                return lowerbounds.bound(inst, self.card, **self.options)
        except (KvratioError, CellTimeout) as fault:
            raise Broken(str(fault)) from (fault.__cause__ or fault)


def never_above_the_optimum(trial: Trial, inst: Instance) -> None:
    """What is claimed is at most the exact optimum."""
    found = trial.bound(inst)
    claimed = found.lower if found.claimed is None else found.claimed
    exact = lowerbounds.bound(inst, "brute").lower
    if claimed > exact:
        raise Broken(f"it claims {claimed}, and the optimum is {exact}")


def certificates_verify(trial: Trial, inst: Instance) -> None:
    """No certificate is refused, and the bound can be rechecked from its certificates alone."""
    found = trial.bound(inst)
    if found.refusals:
        raise Broken(f"a certificate is refused: {found.refusals[0]}")
    found.verify()


def deterministic(trial: Trial, inst: Instance) -> None:
    """The same instance gives the same bound."""
    one, two = trial.bound(inst), trial.bound(inst)
    if one != two:
        raise Broken(f"two calls give {one.lower} (claimed {one.claimed}) and {two.lower} (claimed {two.claimed})")


RULES: dict[str, Callable[[Trial, Instance], None]] = {
    "never above the optimum": never_above_the_optimum,
    "certificates verify": certificates_verify,
    "deterministic": deterministic,
}


def check_bound(card: BoundCard, options: Mapping[str, Any] | None = None, count: int = COUNT) -> Report:
    """Check a bound of a user's file on small instances, against the exact optimum.

    Returns
    -------
    Report
        Its notes say on how many instances the bound claims more than it proves.
    """
    trial = Trial(card, options or {})
    report = Report("bound", card.id, rules=["card complete"])
    report.findings += [
        Finding("card complete", f"{name} is empty")
        for name in ("id", "title", "about", "source")
        if not str(getattr(card, name)).strip()
    ]
    small = [inst for inst in cases(2 * count) if inst.n <= REQUESTS][:count]
    for name, rule in RULES.items():
        report.rules.append(name)
        finding = _try(name, rule, trial, small)
        if finding is not None:
            report.findings.append(finding)
    if report.fine:
        unproven = sum(trial.bound(inst).claimed is not None for inst in small)
        if unproven:
            report.notes.append(f"on {unproven} of {len(small)} instances it claims more than its certificates prove")
    report.trials = trial.runs
    return report


def _try(name: str, rule: Callable[[Trial, Instance], None], trial: Trial, small: list[Instance]) -> Finding | None:
    def breach(inst: Instance) -> Broken | None:
        try:
            rule(trial, inst)
        except Broken as fault:
            return fault
        return None

    for inst in small:
        if breach(inst) is not None:
            smallest = shrink(inst, lambda smaller: breach(smaller) is not None)
            fault = breach(smallest) or Broken("it fails at times")
            cause = fault.__cause__
            trace = "" if cause is None else "".join(traceback.format_exception(cause))
            return Finding(name, str(fault), smallest, traceback=trace)
    return None


__all__ = ["RULES", "check_bound"]
