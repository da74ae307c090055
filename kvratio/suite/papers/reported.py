"""A published figure in a paper's file: which quantity of ours stands beside it, and the rule that judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.suite.naming import format_value, nearest
from kvratio.suite.plan import FamilySpec, Suite

#: ratio of two costs; mean or worst ratio to the optimum
QUANTITIES = ("relative", "mean_ratio", "worst_ratio")
#: total of the objective, or the mean over requests of flow divided by output tokens
COSTS = ("total", "per_token")
#: rule -> what it needs beside the quantity
RULES = {
    "at_most": ("limit",),
    "at_least": ("limit",),
    "near": ("value",),
    "order": (),
    "best": ("limit",),
    "grows": ("along", "against"),
    "holds": (),
    "none": ("note",),
}
#: rules that judge a number
ON_NUMBER = ("at_most", "at_least", "near")
KEYS = (
    *("figure", "setting", "published", "certain", "note", "rule", "family", "at", "quantity", "cost", "policies"),
    *("against", "against_at", "limit", "value", "tolerance", "along"),
)


@dataclass(frozen=True)
class Reported:
    """A figure that a paper reports.

    Parameters
    ----------
    figure : str
        What it is: a table, a plot, a claim.
    published : str
        As printed.
    rule : str
        One of `RULES`; ``none``: nothing of ours is comparable, and ``note`` says why.
    setting : str
        In words; default: the family with its parameters.
    certain : bool
        False where the figure is known from secondary accounts only.
    note : str
        Why ours agrees or does not, as far as that is known.
    family : str
        Label of the family of the suite.
    at : mapping
        Parameters of the points to look at; empty: all.
    quantity : str
        One of `QUANTITIES`, for the rules that judge a number.
    cost : str
        One of `COSTS`.
    policies : tuple of str
        Labels; of an order, the best first; of ``best``, the one that should be cheapest first.
    against : str
        Label of the policy in the denominator of ``relative`` and ``grows``.
    against_at : mapping
        Parameters of the point in the denominator, where it is another one; instances are paired by seed.
    limit, value, tolerance : float
        Numbers of the rule.
    along : str
        Of ``grows``: the parameter whose smallest and largest values are compared.
    """

    figure: str
    published: str
    rule: str
    setting: str = ""
    certain: bool = True
    note: str = ""
    family: str = ""
    at: Mapping[str, Any] = field(default_factory=dict)
    quantity: str = "relative"
    cost: str = "total"
    policies: tuple[str, ...] = ()
    against: str = ""
    against_at: Mapping[str, Any] = field(default_factory=dict)
    limit: float | None = None
    value: float | None = None
    tolerance: float = 0.0
    along: str = ""

    @property
    def place(self) -> str:
        """The family and the point, in words."""
        at = ", ".join(f"{key} = {format_value(value)}" for key, value in self.at.items())
        return self.setting or ": ".join(part for part in (self.family, at) if part)


def read_reported(entry: Mapping[str, Any], suite: Suite | None, where: str) -> Reported:
    """Build a checked figure from a table of TOML.

    Parameters
    ----------
    entry : mapping
    suite : Suite or None
        None: a part without a suite of its own, of which only rule ``none`` can speak.
    where : str
        Names the entry in messages.

    Raises
    ------
    BadParameter, UnknownName
        A key, rule, family or policy that does not exist, or one that is missing.
    """
    for key in entry:
        if key not in KEYS:
            raise BadParameter(f"{where}: unknown key {key!r}{nearest(key, KEYS)}")
    rule = entry.get("rule")
    if rule not in RULES:
        raise BadParameter(f"{where}: rule is {rule!r}: choose one of {', '.join(RULES)}")
    for key in ("figure", "published", *RULES[rule]):
        if entry.get(key) in (None, ""):
            raise BadParameter(f"{where}: {key} is missing: rule {rule} needs it")
    for key, allowed in (("quantity", QUANTITIES), ("cost", COSTS)):
        if entry.get(key, allowed[0]) not in allowed:
            raise BadParameter(f"{where}: {key} is {entry[key]!r}: choose one of {', '.join(allowed)}")
    for key in ("limit", "value", "tolerance"):
        value = entry.get(key, 0.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadParameter(f"{where}: {key} is {value!r}: give a number")
    found = Reported(**{**entry, "policies": tuple(entry.get("policies", ()))})
    if rule != "none":
        if suite is None:
            raise BadParameter(f"{where}: rule is {rule!r}: this paper has no suite, so only none can be used")
        _check_names(found, suite, where)
    return found


def _check_names(found: Reported, suite: Suite, where: str) -> None:
    family = suite.family(found.family)
    for label in (*found.policies, *filter(None, (found.against,))):
        chosen = suite.policy(label)
        if chosen not in suite.policies_of(family):
            raise UnknownName(f"{where}: policy {label!r} does not run on family {found.family!r}")
    least = 2 if found.rule in ("order", "best") else 1
    if len(found.policies) < least:
        raise BadParameter(f"{where}: policies is {list(found.policies)}: rule {found.rule} needs {least} or more")
    if found.rule in ON_NUMBER and found.quantity == "relative" and not (found.against or found.against_at):
        raise BadParameter(f"{where}: against is missing: a relative cost needs a policy in its denominator")
    for points in (found.at, found.against_at):
        _check_point(points, family, where)
    if found.along and found.along not in family.grid:
        raise BadParameter(f"{where}: along is {found.along!r}: it is not in the grid of {found.family}")


def _check_point(at: Mapping[str, Any], family: FamilySpec, where: str) -> None:
    if not any(all(point.get(key) == value for key, value in at.items()) for point in family.points):
        raise BadParameter(f"{where}: at {dict(at)}: no point of family {family.label} has these parameters")
