"""Where serving policies are found: every module in `algos.serving.policies` that has ``CARDS``."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from algos.serving import policies
from algos.serving.cards import ServingCard
from kvratio.problem.errors import UnknownName


@cache
def _cards() -> dict[str, ServingCard]:
    found: dict[str, ServingCard] = {}
    for module in pkgutil.iter_modules(policies.__path__):
        for card in getattr(importlib.import_module(f"algos.serving.policies.{module.name}"), "CARDS", ()):
            found[card.id] = card
    return found


def policy_ids() -> tuple[str, ...]:
    """Return the ids of all serving policies, sorted."""
    return tuple(sorted(_cards()))


def card(policy: str | ServingCard) -> ServingCard:
    """Return a serving policy's card by id.

    Raises
    ------
    UnknownName
    """
    if isinstance(policy, ServingCard):
        return policy
    cards = _cards()
    if policy in cards:
        return cards[policy]
    near = difflib.get_close_matches(str(policy), cards, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownName(f"no serving policy {policy!r}: {hint}choose one of {', '.join(sorted(cards))}")
