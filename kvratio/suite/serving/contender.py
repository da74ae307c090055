"""Policies of an experiment as people write them: ``vllm``, ``wait:margin=0.1``, lists of them."""

from __future__ import annotations

from collections.abc import Iterable

from algos.serving import registry
from kvratio.problem.errors import BadParameter
from kvratio.suite.naming import format_name, parse_name
from kvratio.suite.plan import PolicySpec


def contender(policy: str | PolicySpec, eviction: str | None = None) -> PolicySpec:
    """Return a checked policy with its eviction rule; parameters are checked, not filled in.

    Parameters
    ----------
    policy : str or PolicySpec
        ``id`` or ``id:key=value,key=value``.
    eviction : str, optional
        Default: the card's.

    Raises
    ------
    UnknownName, BadParameter
        No such policy, parameter or eviction rule.
    """
    if isinstance(policy, PolicySpec):
        return policy
    name, given = parse_name(policy)
    return checked(name, given, eviction)


def checked(name: str, given: dict[str, object], eviction: str | None = None, label: str | None = None) -> PolicySpec:
    """Return a policy whose id, parameter names, values and eviction rule mean something."""
    card = registry.card(name)
    known = {parameter.name: parameter for parameter in card.parameters}
    for key, value in given.items():
        if key not in known:
            raise BadParameter(f"{name} has no parameter {key!r}; it has: {', '.join(sorted(known)) or 'none'}")
        known[key].accept(name, value)
    return PolicySpec(name, label or format_name(name, given), given, card.check_eviction(eviction))


def contenders(policies: str | Iterable[str | PolicySpec], eviction: str | None = None) -> tuple[PolicySpec, ...]:
    """Return the policies of a list, or of a text with commas between them.

    A piece such as ``flush=false`` belongs to the policy before it: ``vllm,wait:margin=0.1,flush=false,sarathi``.
    """
    names = split(policies) if isinstance(policies, str) else policies
    found = tuple(contender(name, eviction) for name in names)
    if not found:
        raise BadParameter("no policy is named: give ids such as vllm,wait")
    labels = [policy.label for policy in found]
    for label in labels:
        if labels.count(label) > 1:
            raise BadParameter(f"policy {label!r} is named twice: once is enough")
    return found


def split(text: str) -> list[str]:
    """Split a list of policies at the commas between them."""
    parts: list[str] = []
    depth, current = 0, ""
    for char in f"{text},":
        depth += (char in "([{") - (char in ")]}")
        if char != "," or depth:
            current += char
            continue
        piece, current = current.strip(), ""
        goes_on = parts and "=" in piece and ":" not in piece.partition("=")[0]
        if goes_on:
            parts[-1] += f",{piece}"
        elif piece:
            parts.append(piece)
    return parts
