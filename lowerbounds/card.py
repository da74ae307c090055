"""A bound of one's own: a card with a function that proves, or only claims, a lower bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kvratio.problem import Certificate, Schedule
from kvratio.problem.errors import BadParameter
from kvratio.problem.plugins import Plugin


@dataclass(frozen=True)
class Claim:
    """What a bound of one's own says of one instance, in total completion time.

    Parameters
    ----------
    lower : int, optional
        The optimum is at least this. Believed only as far as the certificates show it.
    certificates : sequence of Certificate
        For the lower side, of a kind that `lowerbounds.verify` rechecks (docs/certificates.md).
    schedule : Schedule, optional
        Whose cost bounds the optimum from above; it is checked.
    """

    lower: int | None = None
    certificates: tuple[Certificate, ...] = ()
    schedule: Schedule | None = None


@dataclass(frozen=True)
class BoundCard:
    """A method of `kvratio.bound` from a user's file.

    Parameters
    ----------
    id, title, about, source : str
        For people; ``source`` says where the bound is from.
    prove : callable
        (Instance, **options) -> Claim.
    options : mapping of str to object
        Names and defaults of its options.
    """

    id: str
    title: str
    about: str
    prove: Callable[..., Claim]
    source: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    origin: Plugin | None = field(default=None, compare=False, repr=False)

    def settings(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return all options with their values; raise BadParameter for an unknown one."""
        for name in given:
            if name not in self.options:
                raise BadParameter(
                    f"bound {self.id} has no option {name!r}: it has {', '.join(self.options) or 'none'}"
                )
        return {**self.options, **given}


__all__ = ["BoundCard", "Claim"]
