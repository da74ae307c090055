"""What a check found: the rule that is broken, how, and the smallest instance that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kvratio.problem.instance import Instance


class Broken(Exception):
    """A rule does not hold on an instance; the message says how."""


@dataclass(frozen=True)
class Finding:
    """One broken rule.

    Parameters
    ----------
    rule : str
        Short name, such as ``no peeking``.
    message : str
        How it is broken, on one line.
    instance : Instance, optional
        Smallest one found that shows it; None where no instance is needed.
    parameters : mapping
        Of a family: those that show it, with ``seed``.
    traceback : str
        Of what the user's code raised.
    """

    rule: str
    message: str
    instance: Instance | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    traceback: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able data."""
        return {
            "rule": self.rule,
            "message": self.message,
            "instance": None if self.instance is None else self.instance.to_dict(),
            "parameters": self.parameters,
            "traceback": self.traceback,
        }


@dataclass
class Report:
    """What a check did and found.

    Parameters
    ----------
    kind, id : str
    rules : list of str
        Rules that were checked, in order.
    skipped : list of str
        Rules that do not apply, each with the reason.
    trials : int
        Runs (policies), instances built (families) or bounds asked for (bounds).
    findings : list of Finding
    notes : list of str
        Facts that break no rule, such as that a policy is slow.
    """

    kind: str
    id: str
    rules: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    trials: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Whether every rule held."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """JSON-able data."""
        return {
            "kind": self.kind,
            "id": self.id,
            "fine": self.fine,
            "rules": self.rules,
            "skipped": self.skipped,
            "trials": self.trials,
            "notes": self.notes,
            "findings": [finding.to_dict() for finding in self.findings],
        }


__all__ = ["Broken", "Finding", "Report"]
