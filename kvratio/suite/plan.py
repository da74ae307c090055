"""What a suite asks for: policies, families, bounds and seeds, as frozen dataclasses."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kvratio.problem.errors import UnknownName
from kvratio.problem.plugins import Plugin
from kvratio.suite.naming import canonical, format_name, format_value

#: what the label of a policy ends with that the Python interpreter runs
SLOW = " (slow)"


@dataclass(frozen=True)
class BoundSpec:
    """How the optimum of an instance is enclosed.

    Parameters
    ----------
    method : str
        A method of `lowerbounds.bound`.
    time_limit : float
        Seconds a solver may take. Methods without a solver do not read it.
    options : mapping
        Passed on to the method.
    plugin : Plugin, optional
        The user's file that the method is from, pinned.
    """

    method: str = "best"
    time_limit: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)
    plugin: Plugin | None = field(default=None, repr=False)

    @property
    def identity(self) -> str:
        """Text that is equal exactly for equal bounds."""
        about = {"method": self.method, "time_limit": self.time_limit, "options": dict(self.options)}
        return canonical(about | _source(self.plugin))

    @property
    def handle(self) -> str | Plugin:
        """What `lowerbounds.bound` takes."""
        return self.plugin or self.method


@dataclass(frozen=True)
class PolicySpec:
    """One column of the experiment: a policy with its parameters.

    Parameters
    ----------
    id : str
    label : str
        What the tables print; unique in the suite.
    parameters : mapping
    eviction : str
        ``restart``, ``recompute`` or ``swap``; resolved from the card where the suite leaves it out.
    seeds : tuple of int
        More than one only for randomised policies.
    plugin : Plugin, optional
        The user's file that the policy is from, pinned.
    """

    id: str
    label: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    eviction: str = "restart"
    seeds: tuple[int, ...] = (0,)
    plugin: Plugin | None = field(default=None, repr=False)

    @property
    def call(self) -> str:
        """The policy as the command line writes it."""
        return format_name(self.plugin.text if self.plugin else self.id, self.parameters)

    @property
    def handle(self) -> str | Plugin:
        """What `algos.schedule` and `algos.registry.card` take."""
        return self.plugin or self.id


@dataclass(frozen=True)
class FamilySpec:
    """One row block of the experiment: a family or a trace, over a grid of parameters.

    Parameters
    ----------
    id : str
        Family id; for a trace its name or path.
    label : str
        What the tables print; unique in the suite.
    kind : {"family", "trace"}
    fixed : mapping
        Parameters that every point shares, taken as they stand.
    grid : mapping of str to tuple
        Parameters that run over lists; the points are their product.
    seeds : tuple of int
    objective : {"completion", "flow"}
    bound : BoundSpec
    adaptive : bool
        The instance is tuned to each policy, so each policy has its own.
    policies : tuple of str
        Labels of the policies that run here; empty: all.
    plugin : Plugin, optional
        The user's file that the family is from, pinned.
    """

    id: str
    label: str
    kind: str = "family"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    objective: str = "completion"
    bound: BoundSpec = field(default_factory=BoundSpec)
    adaptive: bool = False
    policies: tuple[str, ...] = ()
    plugin: Plugin | None = field(default=None, repr=False)

    @property
    def handle(self) -> str | Plugin:
        """What `generate` takes."""
        return self.plugin or self.id

    @cached_property
    def points(self) -> tuple[dict[str, Any], ...]:
        """Every combination of parameters, in the order of the file."""
        names = list(self.grid)
        return tuple(
            {**self.fixed, **dict(zip(names, values, strict=True))} for values in itertools.product(*self.grid.values())
        )

    @property
    def call(self) -> str:
        """The family with its fixed parameters and its grid, for people."""
        grid = [f"{key}=" + "|".join(format_value(v) for v in values) for key, values in self.grid.items()]
        fixed = [f"{key}={format_value(value)}" for key, value in self.fixed.items()]
        return f"{self.id}" + (":" + ",".join(fixed + grid) if fixed or grid else "")


@dataclass(frozen=True)
class InstanceSpec:
    """One instance to build: a family, one point of its grid, a seed, and the policy it is tuned to, if any."""

    family: FamilySpec
    point: int
    seed: int
    tuned_to: PolicySpec | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of this point of the grid."""
        return self.family.points[self.point]


@dataclass(frozen=True)
class Suite:
    """A validated suite.

    Parameters
    ----------
    name, title : str
    source : str
        Where it was read from, for messages.
    policies : tuple of PolicySpec
    families : tuple of FamilySpec
    cell_seconds : float
        A policy run that takes longer is a failed cell.
    resamples : int
        Bootstrap resamples.
    confidence : float
        Of the bootstrap interval.
    certificates, schedules : bool
        Whether the run folder keeps them.
    """

    name: str
    policies: tuple[PolicySpec, ...]
    families: tuple[FamilySpec, ...]
    title: str = ""
    source: str = ""
    cell_seconds: float = 60.0
    resamples: int = 1000
    confidence: float = 0.95
    certificates: bool = False
    schedules: bool = False

    @cached_property
    def digest(self) -> str:
        """sha256 of everything the suite asks for."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def policies_of(self, family: FamilySpec) -> tuple[PolicySpec, ...]:
        """The policies that run on a family."""
        return tuple(p for p in self.policies if not family.policies or p.label in family.policies)

    def instance_specs(self) -> Iterator[InstanceSpec]:
        """Yield every instance, in the order of the file; adaptive families yield one per policy."""
        for family in self.families:
            tuned = self.policies_of(family) if family.adaptive else (None,)
            for point, seed, policy in itertools.product(range(len(family.points)), family.seeds, tuned):
                yield InstanceSpec(family, point, seed, policy)

    def runners(self, spec: InstanceSpec) -> list[tuple[PolicySpec, int]]:
        """The (policy, seed) pairs that run on one instance."""
        chosen = (spec.tuned_to,) if spec.tuned_to is not None else self.policies_of(spec.family)
        return [(policy, seed) for policy in chosen for seed in policy.seeds]

    @property
    def cell_count(self) -> int:
        """Number of cells: one policy run on one instance with one seed."""
        return sum(len(self.runners(spec)) for spec in self.instance_specs())

    def policy(self, label: str) -> PolicySpec:
        """Return a policy by its label."""
        return _by_label(self.policies, label, "policy", self.name)

    def family(self, label: str) -> FamilySpec:
        """Return a family by its label."""
        return _by_label(self.families, label, "family", self.name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which `from_dict` builds an equal suite (the path it was read from is left out)."""
        return json.loads(
            json.dumps(
                {
                    "name": self.name,
                    "title": self.title,
                    "cell_seconds": self.cell_seconds,
                    "resamples": self.resamples,
                    "confidence": self.confidence,
                    "certificates": self.certificates,
                    "schedules": self.schedules,
                    "policies": [_plain(policy) for policy in self.policies],
                    "families": [{**_plain(family), "bound": _plain(family.bound)} for family in self.families],
                }
            )
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], plugins: Mapping[str, Plugin] | None = None) -> Suite:
        """Build a suite from `to_dict`'s data, without checking the names again.

        ``plugins`` are those it needs by digest, as the run folder keeps them; others are left out.
        """
        plugins = plugins or {}
        families = tuple(
            FamilySpec(
                **{
                    **f,
                    "seeds": tuple(f["seeds"]),
                    "policies": tuple(f["policies"]),
                    "grid": {key: tuple(values) for key, values in f["grid"].items()},
                    "bound": BoundSpec(**_with(plugins, f["bound"])),
                    **_with(plugins, f, alone=True),
                }
            )
            for f in data["families"]
        )
        policies = tuple(PolicySpec(**{**_with(plugins, p), "seeds": tuple(p["seeds"])}) for p in data["policies"])
        return cls(**{**data, "policies": policies, "families": families})

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """Every user's file that the suite needs, each content and name once."""
        found = [spec.plugin for spec in self.policies]
        found += [plugin for family in self.families for plugin in (family.plugin, family.bound.plugin)]
        return tuple({plugin.digest: plugin for plugin in found if plugin is not None}.values())

    def narrowed(self, policies: tuple[str, ...] = (), families: tuple[str, ...] = ()) -> Suite:
        """Return the suite with only some policies and families, by label."""
        chosen_p = tuple(self.policy(label) for label in policies) or self.policies
        chosen_f = tuple(self.family(label) for label in families) or self.families
        kept = {p.label for p in chosen_p}
        narrowed = tuple(replace(f, policies=tuple(x for x in f.policies if x in kept)) for f in chosen_f)
        # A family whose own policies were all dropped has nothing to run; an empty tuple would mean "all".
        narrowed = tuple(n for n, f in zip(narrowed, chosen_f, strict=True) if n.policies or not f.policies)
        return replace(self, policies=chosen_p, families=narrowed)


def _by_label(items: tuple[Any, ...], label: str, what: str, suite: str) -> Any:
    for item in items:
        if label in (item.label, item.label.removesuffix(SLOW)):
            return item
    raise UnknownName(f"suite {suite} has no {what} {label!r}: choose from {', '.join(item.label for item in items)}")


def _plain(spec: Any) -> dict[str, Any]:
    rest = {key: value for key, value in vars(spec).items() if key not in ("bound", "points", "plugin")}
    return rest | _source(spec.plugin)


def _source(plugin: Plugin | None) -> dict[str, str]:
    """How plain data name a plug-in: by the hash of its sources; nothing where there is none."""
    return {} if plugin is None else {"plugin": plugin.digest}


def _with(plugins: Mapping[str, Plugin], data: Mapping[str, Any], alone: bool = False) -> dict[str, Any]:
    """Return plain data, or its entry ``plugin`` alone, with the plug-in itself in place of its hash."""
    if "plugin" not in data:
        return {} if alone else dict(data)
    restored = {"plugin": plugins.get(data["plugin"])}
    return restored if alone else {**data, **restored}
