"""Where policies are found: every module in `algos.policies` that has ``CARDS``. No list to keep up to date."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from algos import policies
from algos.card import Card
from kvratio.problem.errors import UnknownName
from kvratio.problem.plugins import Plugin, find, is_reference, require


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
    """Return a card by id or alias after loading only modules whose text names it: loading all takes half a second."""
    folder = Path(next(iter(policies.__path__)))
    for module in _modules():
        if f'"{policy}"' in (folder / f"{module}.py").read_text():
            for found in _cards_of(module).values():
                if policy == found.id or policy in found.aliases:
                    return found
    return None


def is_built_in(policy: str) -> bool:
    """Whether an id or alias is that of one of our policies."""
    return _alone(policy) is not None


def policy_ids() -> tuple[str, ...]:
    """Return the ids of all policies, sorted."""
    return tuple(sorted(_cards()))


def card(policy: str | os.PathLike[str] | Card | Plugin) -> Card:
    """Return a policy's card.

    Parameters
    ----------
    policy : str, path, Card or Plugin
        Id or alias; ``file.py``, ``file.py:name`` or ``module:name`` for a policy of your own; the name of an entry
        point of the group ``kvratio.policies``; or a plug-in whose sources are pinned already.

    Raises
    ------
    UnknownName
        There is no such policy or file.
    BadParameter, PluginError
        The file holds no card, or several, or cannot be loaded.
    """
    if isinstance(policy, Card):
        return policy
    if isinstance(policy, Plugin):
        return _of_plugin(policy)
    if not isinstance(policy, (str, os.PathLike)):
        raise UnknownName(f"policy is {policy!r}: give an id, the path of a file, or a Card")
    if is_reference(policy):
        plugin = find(policy, "policy")
        assert plugin is not None
        return _of_plugin(plugin)
    policy = str(policy)
    found = _alone(policy)
    if found is not None:
        return found
    cards = _cards()
    for candidate in cards.values():
        if policy == candidate.id or policy in candidate.aliases:
            return candidate
    plugin = find(policy, "policy")
    if plugin is not None:
        return _of_plugin(plugin)
    near = difflib.get_close_matches(policy, cards, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownName(
        f"no policy {policy!r}: {hint}`kvratio list policies` shows all; a file of your own is given as ./my_policy.py"
    )


@lru_cache(maxsize=256)
def _of_plugin(plugin: Plugin) -> Card:
    """Load a plug-in's card, once per content, and note where it is from."""
    found: Card = require(plugin, Card, lambda one: one.id, is_built_in)
    return replace(found, origin=plugin)
