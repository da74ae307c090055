"""What of a suite is run: labels that are in it, and policies, families and bounds of the user's own beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kvratio.problem.plugins import installed, is_reference
from kvratio.suite.naming import parse_name
from kvratio.suite.plan import BoundSpec, Suite
from kvratio.suite.read import read_bound, read_family, read_policy


def chosen(suite: Suite, policies: Sequence[str], families: Sequence[str], bound: str | None = None) -> Suite:
    """Narrow a suite to some policies and families; those in files of the user's are added to it first.

    Parameters
    ----------
    suite : Suite
    policies, families : sequence of str
        Labels of the suite, or ``./my_policy.py:patience=4``; none: all of the suite.
    bound : str, optional
        Method for every family: built in, or ``./my_bound.py``.

    Raises
    ------
    UnknownName, BadParameter
        A label is not in the suite, or a file or parameter means nothing.
    """
    labels = [policy.label for policy in suite.policies]
    kept_policies = []
    for text in policies:
        if text not in labels and _is_own(text, "policy"):
            name, parameters = parse_name(text)
            own = read_policy({"id": name, "parameters": parameters}, (0,), f"--policy {text}", None)
            suite = replace(suite, policies=(*suite.policies, own))
            text = own.label
        kept_policies.append(text)
    known = tuple(policy.label for policy in suite.policies)
    # A family that names its policies gets those that were asked for by file as well.
    own_labels = tuple(label for label in known if label not in labels)
    suite = replace(
        suite,
        families=tuple(replace(f, policies=(*f.policies, *own_labels)) if f.policies else f for f in suite.families),
    )
    default = suite.families[0]
    kept_families = []
    for text in families:
        if text not in [family.label for family in suite.families] and _is_own(text, "family"):
            name, parameters = parse_name(text)
            entry = {"id": name, "parameters": parameters}
            where = f"--family {text}"
            seeds = default.seeds if default.kind == "family" else (0,)
            added = read_family(entry, "family", seeds, default.objective, default.bound, known, where, None)
            suite = replace(suite, families=(*suite.families, added))
            text = added.label
        kept_families.append(text)
    if bound is not None:
        suite = replace(suite, families=tuple(replace(f, bound=_bound(bound, f.bound)) for f in suite.families))
    return suite.narrowed(tuple(kept_policies), tuple(kept_families))


def _is_own(text: str, kind: str) -> bool:
    name = parse_name(text)[0]
    return is_reference(name) or name in installed(kind)


def _bound(text: str, default: BoundSpec) -> BoundSpec:
    name, options = parse_name(text)
    return read_bound({"method": name, "options": options}, default, f"--bound {text}")


__all__ = ["chosen"]
