"""Routing of decode lengths over replicas, so that the mix of each is stable: the search.

Sorting by length works against stability: a replica that gets similar lengths only loses the mixing that kept it
stable. The same pooled mix everywhere is always among the plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import Classes, classes_of
from stability.congestion.spectrum import MARGIN, radius_of
from stability.congestion.stages import stages_of

#: up to so many units every partition is tried (there are 21,147 of nine)
EXHAUSTIVE = 9
#: margins closer than this are equal: then the balance of the load decides
EQUAL_MARGIN = 1e-9
NOTE = (
    "a replica that only gets similar lengths loses the mixing that keeps it stable: "
    "routing by length alone works against stability"
)

Group = tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Units of classes dealt to groups of replicas.

    Attributes
    ----------
    groups : tuple of tuples of int
        Units (classes, if no units were given) that each group serves.
    replicas : tuple of int
        Replicas of each group; all replicas of a group get the same mix.
    rho : tuple of float
        Spectral radius of the mix of each group.
    load : tuple of float
        Work per replica of each group over the mean of all replicas: 1 everywhere is even.
    margin : float
        Smallest 1 - rho.
    balance : float
        Largest load of a replica over the mean.
    stable : bool
        Whether every group is linearly stable.
    pooled_rho : float
        Spectral radius of the same pooled mix everywhere.
    tried : int
        Partitions compared.
    exhaustive : bool
        Whether these were all.
    note : str
        A word of warning on routing by length.
    """

    groups: tuple[Group, ...]
    replicas: tuple[int, ...]
    rho: tuple[float, ...]
    load: tuple[float, ...]
    margin: float
    balance: float
    stable: bool
    pooled_rho: float
    tried: int
    exhaustive: bool
    note: str = NOTE


def route(prompt: Any, decode: Any, replicas: int, shares: Any = None, *, units: Any = None, tries: int = 2000) -> Plan:
    """Return the routing of classes over replicas with the largest least margin 1 - rho, then the most even load.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens.
    decode : int or int[K]
        Decode lengths, >= 1.
    replicas : int
        G >= 1 equal workers.
    shares : float[K], optional
        Sum 1; default: equal. In a group they are divided by their sum.
    units : int[K], optional
        Label of each class; classes of one label stay together (buckets of a trace). Default: every class by itself.
    tries : int
        Partitions compared where there are more than nine units.

    Returns
    -------
    Plan

    Raises
    ------
    BadParameter
        One line: a value without meaning.

    Notes
    -----
    Up to nine units: all partitions into at most G groups; replicas left over go to the group with most work per
    replica. Beyond: from a deal that gives each group a sample of all lengths, moves and swaps that improve the score.
    """
    desk = _Desk(classes_of(prompt, decode, shares), units, replicas)
    best = desk.plan([tuple(range(desk.count))])
    if desk.count <= EXHAUSTIVE:
        for groups in partitions(desk.count, replicas):
            best = desk.better(best, groups)
        return desk.seal(best, exhaustive=True)
    for parts in range(2, min(replicas, desk.count) + 1):
        desk.left = max(1, tries // max(1, min(replicas, desk.count) - 1))
        best = desk.improved(best, desk.dealt(parts))
    return desk.seal(best, exhaustive=False)


def plan_of(
    prompt: Any,
    decode: Any,
    groups: Sequence[Sequence[int]],
    shares: Any = None,
    *,
    replicas: int | None = None,
    units: Any = None,
) -> Plan:
    """Return the figures of a given routing, for a comparison: one replica per group unless more are given.

    Parameters
    ----------
    prompt, decode, shares, units
        As `route`.
    groups : sequence of sequences of int
        Units of each group; every unit in exactly one.
    replicas : int, optional
        G; what is left over goes to the group with most work per replica.
    """
    desk = _Desk(
        classes_of(prompt, decode, shares),
        units,
        len(groups) if replicas is None else replicas,
    )
    parts = [tuple(sorted(int(i) for i in group)) for group in groups]
    if sorted(i for group in parts for i in group) != list(range(desk.count)) or not all(parts):
        raise BadParameter(f"groups {parts}: give every unit 0 to {desk.count - 1} in exactly one group")
    if len(parts) > desk.replicas:
        raise BadParameter(f"{len(parts)} groups for {desk.replicas} replicas: give at least one replica per group")
    desk.tried = 1
    return desk.seal(desk.plan(parts), exhaustive=False)


def group_classes(classes: Classes, labels: Any, group: Group) -> Classes:
    """Return the classes of a group, their shares divided by their sum."""
    mine = np.isin(labels, group)
    share = classes.share[mine]
    return Classes(
        classes.prompt[mine],
        classes.decode[mine],
        share / share.sum(),
        classes.index[mine],
        bool((share == share[0]).all()),
        classes.given,
    )


def partitions(count: int, parts: int) -> Iterator[list[Group]]:
    """Yield every way to divide 0..count-1 into at most ``parts`` groups, groups by their first member."""
    label = [0] * count

    def extend(i: int, used: int) -> Iterator[list[Group]]:
        if i == count:
            yield [tuple(j for j in range(count) if label[j] == g) for g in range(used)]
            return
        for g in range(min(used + 1, parts)):
            label[i] = g
            yield from extend(i + 1, max(used, g + 1))

    yield from extend(0, 0)


def labels_of(units: Any, classes: Classes) -> Any:
    """Return the unit of each kept class, numbered from 0 in the order of their labels, int64[K]."""
    label = np.arange(classes.given) if units is None else np.asarray(units).reshape(-1)
    if len(label) != classes.given:
        raise BadParameter(f"{len(label)} units for {classes.given} classes: give one label per class")
    return np.unique(label[classes.index], return_inverse=True)[1]


class _Desk:
    """Where partitions are compared: what is known of each group is kept."""

    def __init__(self, classes: Classes, units: Any, replicas: int) -> None:
        if isinstance(replicas, bool) or not isinstance(replicas, (int, np.integer)) or replicas < 1:
            raise BadParameter(f"replicas is {replicas!r}: give a whole number >= 1")
        self.classes = classes
        self.label = labels_of(units, classes)
        self.count = int(self.label.max()) + 1
        self.replicas = int(replicas)
        self.load = np.bincount(self.label, weights=classes.share * classes.work)
        self.known: dict[Group, float] = {}
        self.tried = 0
        self.left = 0

    def rho(self, group: Group) -> float:
        """Return the spectral radius of a group's mix."""
        if group not in self.known:
            self.known[group] = radius_of(stages_of(group_classes(self.classes, self.label, group)).V)
        return self.known[group]

    def plan(self, groups: Sequence[Group]) -> Plan:
        """Return a partition as a plan."""
        load = np.array([self.load[list(group)].sum() for group in groups])
        workers = np.ones(len(groups), dtype=np.int64)
        for _ in range(self.replicas - len(groups)):
            workers[np.argmax(load / workers)] += 1
        each = load / workers / (load.sum() / self.replicas)
        rho = tuple(self.rho(group) for group in groups)
        return Plan(
            groups=tuple(groups),
            replicas=tuple(workers.tolist()),
            rho=rho,
            load=tuple(each.tolist()),
            margin=1 - max(rho),
            balance=float(each.max()),
            stable=1 - max(rho) >= MARGIN,
            pooled_rho=self.rho(tuple(range(self.count))),
            tried=0,
            exhaustive=False,
        )

    def better(self, best: Plan, groups: Sequence[Group]) -> Plan:
        """Return the better of a plan and a partition."""
        self.tried += 1
        self.left -= 1
        # A bound first: most partitions fall by one group that is already known.
        if any(self.rho(group) > 1 - best.margin + EQUAL_MARGIN for group in groups):
            return best
        plan = self.plan(groups)
        if plan.margin > best.margin + EQUAL_MARGIN:
            return plan
        return plan if plan.balance < best.balance - EQUAL_MARGIN else best

    def dealt(self, parts: int) -> list[Group]:
        """Deal the units, by mean decode length, to groups in turn: each gets a sample of all lengths."""
        share = np.bincount(self.label, weights=self.classes.share)
        mean = np.bincount(self.label, weights=self.classes.share * self.classes.decode) / share
        order = np.argsort(mean, kind="stable")
        return [tuple(sorted(order[g::parts].tolist())) for g in range(parts)]

    def improved(self, best: Plan, groups: list[Group]) -> Plan:
        """Return the better of a plan and what moves and swaps make of a partition."""
        self.left -= 1
        self.tried += 1
        here = self.plan(groups)
        while self.left > 0:
            for other in _neighbours(here.groups):
                after = self.better(here, other)
                if after is not here or self.left <= 0:
                    break
            else:
                break
            if after is here:
                break
            here = after
        return self.better(best, here.groups)

    def seal(self, plan: Plan, exhaustive: bool) -> Plan:
        """Return the plan with the account of the search."""
        return Plan(**{**vars(plan), "tried": self.tried, "exhaustive": exhaustive})


def _neighbours(groups: tuple[Group, ...]) -> Iterator[list[Group]]:
    """Yield the partitions one swap or one move away."""
    for g, mine in enumerate(groups):
        for h, theirs in enumerate(groups):
            for i in mine:
                if g < h:
                    for j in theirs:
                        yield _changed(groups, {g: (*(k for k in mine if k != i), j), h: (*_without(theirs, j), i)})
                if g != h and len(mine) > 1:
                    yield _changed(groups, {g: _without(mine, i), h: (*theirs, i)})


def _without(group: Group, unit: int) -> Group:
    return tuple(k for k in group if k != unit)


def _changed(groups: tuple[Group, ...], new: dict[int, Group]) -> list[Group]:
    return [tuple(sorted(new.get(g, group))) for g, group in enumerate(groups)]
