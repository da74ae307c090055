"""What a verification checked, and what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Check:
    """One kind of check.

    Parameters
    ----------
    name : str
    checked : int
        Things looked at.
    faults : list of str
        One line for each that does not hold: what, where.
    notes : list of str
        What could not be checked, and why.
    """

    name: str
    checked: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def passed(self, steps: int = 1) -> None:
        """Count things that hold."""
        self.checked += steps

    def failed(self, fault: str) -> None:
        """Count one thing that does not hold."""
        self.checked += 1
        self.faults.append(fault)

    def judge(self, fine: bool, fault: str) -> None:
        """Count one thing."""
        if fine:
            self.passed()
        else:
            self.failed(fault)


@dataclass(frozen=True)
class Verification:
    """Every check of a run."""

    checks: tuple[Check, ...]

    @property
    def fine(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """Every fault, with the name of its check."""
        return [f"{check.name}: {fault}" for check in self.checks for fault in check.faults]

    @classmethod
    def of(cls, checks: Iterable[Check]) -> Verification:
        """Gather checks."""
        return cls(tuple(checks))
