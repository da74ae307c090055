"""Where policies are found: every module in `algos.policies` that has ``CARDS``. No list to keep up to date."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from algos import policies
from algos.card import Card
from kvratio.problem.errors import UnknownName


@cache
def _cards() -> dict[str, Card]:
    found: dict[str, Card] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(policies.__path__)):
        for card in getattr(importlib.import_module(f"algos.policies.{module}"), "CARDS", ()):
            found[card.id] = card
    return found


def policy_ids() -> tuple[str, ...]:
    """Return the ids of all policies, sorted."""
    return tuple(sorted(_cards()))


def card(policy: str | Card) -> Card:
    """Return a policy's card by id or alias.

    Raises
    ------
    UnknownName
    """
    if isinstance(policy, Card):
        return policy
    cards = _cards()
    if policy in cards:
        return cards[policy]
    for candidate in cards.values():
        if policy in candidate.aliases:
            return candidate
    near = difflib.get_close_matches(policy, cards, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownName(f"no policy {policy!r}: {hint}`kvratio list policies` shows all")
