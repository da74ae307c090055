"""Conditions of a guarantee: what must hold, whether it does, and by how much it fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kvratio.problem.errors import BadParameter


class NoThresholds(BadParameter):
    """No thresholds satisfy the conditions on this clock and memory."""


@dataclass(frozen=True)
class Condition:
    """An inequality ``left < right`` (or ``<=``) with its two sides.

    Attributes
    ----------
    name : str
        The inequality in symbols.
    left, right : float
    unit : str
        Of both sides: "s", "tokens", or "" for ratios.
    strict : bool
        Whether equality counts as a violation.
    """

    name: str
    left: float
    right: float
    unit: str = ""
    strict: bool = False

    @property
    def holds(self) -> bool:
        """Whether the inequality holds (non-strict ones up to a relative rounding of 1e-12)."""
        if self.strict:
            return self.left < self.right
        return self.left <= self.right + 1e-12 * abs(self.right)

    @property
    def excess(self) -> float:
        """Left minus right: positive where it is violated, and by how much."""
        return self.left - self.right

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        sides = f"{self.name}: {self.left:.6g} against {self.right:.6g}{unit}"
        return f"{sides}, holds" if self.holds else f"{sides}, violated by {self.excess:.6g}{unit}"


def violated(conditions: Iterable[Condition]) -> list[Condition]:
    """Return the conditions that fail, in their order."""
    return [condition for condition in conditions if not condition.holds]


def require(conditions: Iterable[Condition], what: str) -> None:
    """Raise `NoThresholds` that names the first violated condition, by how much, and how many more fail."""
    failing = violated(conditions)
    if failing:
        more = f" ({len(failing) - 1} more fail)" if len(failing) > 1 else ""
        raise NoThresholds(f"{what}: {failing[0]}{more}")
