"""Where policies are found: every module in `algos.policies` that has ``CARDS``. No list to keep up to date."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from pathlib import Path

from algos import policies
from algos.card import Card
from kvratio.problem.errors import UnknownName


def _modules() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(policies.__path__))


@cache
def _cards_of(module: str) -> dict[str, Card]:
    return {card.id: card for card in getattr(importlib.import_module(f"algos.policies.{module}"), "CARDS", ())}


@cache
def _cards() -> dict[str, Card]:
    found: dict[str, Card] = {}
    for module in _modules():
        found.update(_cards_of(module))
    return found


@cache
def _alone(policy: str) -> Card | None:
    """Return a card after loading only modules whose text names its id: loading all takes half a second."""
    folder = Path(next(iter(policies.__path__)))
    for module in _modules():
        if f'"{policy}"' in (folder / f"{module}.py").read_text() and policy in _cards_of(module):
            return _cards_of(module)[policy]
    return None


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
    found = _alone(policy)
    if found is not None:
        return found
    cards = _cards()
    for candidate in cards.values():
        if policy == candidate.id or policy in candidate.aliases:
            return candidate
    near = difflib.get_close_matches(policy, cards, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownName(f"no policy {policy!r}: {hint}`kvratio list policies` shows all")
