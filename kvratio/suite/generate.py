"""`generate` for people: families by id, policies by id with their parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from algos.card import Card
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import Plugin
from kvratio.problem.schedule import Schedule
from kvratio.problem.seeds import stream
from kvratio.suite.naming import format_name, parse_name

Policy = Callable[[Instance], Schedule]
PolicyName = str | os.PathLike[str] | Card | tuple["str | Card | Plugin", Mapping[str, Any]]


def generate(
    family: str | os.PathLike[str] | Plugin,
    seed: int = 0,
    policy: PolicyName | Policy | None = None,
    eviction: str | None = None,
    **parameters: Any,
) -> Instance:
    """Return an instance of a family, with a witness and its provenance.

    Parameters
    ----------
    family : str
        An id of `instances.family_ids`; ``file.py``, ``file.py:name`` or ``module:name`` for one of your own; or an
        entry point of ``kvratio.families``.
    seed : int
        Of the family's random numbers.
    policy : str, (str, dict) or callable, optional
        For adaptive families: the policy to hurt, as ``"gsa"``, ``"gsa:alpha=2"``, ``"./my_policy.py"``, ``("gsa",
        {"alpha": 2})``, a card, or a function from an instance to a schedule. The instance answers what it does.
    eviction : str, optional
        Eviction semantics of that policy; default: its card's.
    **parameters
        The family's (``kvratio info FAMILY``).

    Returns
    -------
    Instance
        With ``witness`` (starts of a feasible schedule) and ``info`` (family, seed, parameters, forced ratio).

    Raises
    ------
    UnknownName, BadParameter
        For a family, policy or parameter that does not exist or has no meaning.

    Examples
    --------
    >>> from kvratio import generate
    >>> generate("blocker", memory=50, policy="fcfs").n
    50
    """
    import instances
    from instances.registry import takes_policy

    callable_policy = policy if policy is None or callable(policy) else as_callable(policy, eviction, seed)
    if callable_policy is not None and not takes_policy(family, **parameters):
        callable_policy = None
    return instances.generate(family, seed=seed, policy=callable_policy, **parameters)


def as_callable(policy: PolicyName, eviction: str | None = None, seed: int = 0) -> Policy:
    """Turn ``"gsa:alpha=2"`` into a function from an instance to a schedule.

    An adversary does not see the coins of a randomised policy: it probes one run with an independent seed, drawn
    from the instance's seed, and is fixed from then on.
    """
    import algos
    from algos import registry

    name, parameters = _named(policy)
    card = registry.card(name)
    card.check_eviction(eviction)
    # A file is read once, here: an edit between two probes would be two policies.
    chosen = name if isinstance(name, str) and card.origin is None else card
    coins = int(stream("adversary", card.id, seed).integers(2**31))

    def run(inst: Instance) -> Schedule:
        return algos.schedule(inst, chosen, eviction=eviction, seed=coins, **parameters)

    run.label = policy if isinstance(policy, str) else format_name(card.id, parameters)  # type: ignore[attr-defined]
    return run


def _named(policy: PolicyName) -> tuple[Any, dict[str, Any]]:
    """Return what names a policy, and its parameters, given as text, as a path, as a card or as a pair."""
    if isinstance(policy, str):
        return parse_name(policy)
    if isinstance(policy, (Card, os.PathLike)):
        return policy, {}
    if isinstance(policy, tuple) and len(policy) == 2 and isinstance(policy[1], Mapping):
        return policy[0], dict(policy[1])
    raise BadParameter(f'policy is {policy!r}: give "gsa", "gsa:alpha=2", ("gsa", {{"alpha": 2}}) or a function')
