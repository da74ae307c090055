"""What is compared: instances, policies, their schedules, and the best schedule known of each instance."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpu_validate.timeline import Timeline
from kvratio.problem.bound import Bound
from kvratio.problem.checker import check
from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule

#: label of the best schedule known, where its policy would stand
OFFLINE = "offline"
#: seconds for the bound of one instance
BOUND_SECONDS = 3.0


@dataclass(frozen=True)
class Entry:
    """A policy with its parameters, under the label that tables show."""

    label: str
    policy: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    eviction: str | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which the same entry can be made."""
        return {
            "label": self.label,
            "policy": self.policy,
            "parameters": dict(self.parameters),
            "eviction": self.eviction,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Subject:
    """An instance under a label, and how it is made.

    Parameters
    ----------
    label, family : str
    parameters : mapping
        Of the family.
    seed : int
    longest : int, optional
        Requests of more tokens are left out: a model reads only so many.
    given : Instance, optional
        In place of a family.
    """

    label: str
    family: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    longest: int | None = None
    given: Instance | None = None

    def build(self) -> Instance:
        """Return the instance."""
        if self.given is not None:
            return self.given
        import instances

        inst = instances.generate(self.family, seed=self.seed, **self.parameters)
        if self.longest is None or int(inst.peak.max()) <= self.longest:
            return inst
        kept = np.flatnonzero(inst.peak <= self.longest)
        if not kept.size:
            raise BadParameter(f"{self.label}: no request has at most {self.longest} tokens")
        return inst.subset(kept)

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which the same subject can be made."""
        data = {name: getattr(self, name) for name in ("label", "family", "seed", "longest")}
        data["parameters"] = dict(self.parameters)
        return data if self.given is None else {**data, "given": self.given.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Subject:
        """Build a subject from `to_dict`'s data."""
        given = Instance.from_dict(data["given"]) if "given" in data else None
        return cls(data["label"], data["family"], data["parameters"], data["seed"], data["longest"], given)


@dataclass(frozen=True)
class Player:
    """A schedule to be replayed, and what is published about its policy."""

    label: str
    timeline: Timeline
    guarantee: dict[str, Any] | None
    entry: Entry | None = None


@dataclass(frozen=True)
class Contest:
    """One instance with all its schedules.

    Attributes
    ----------
    subject : Subject
    instance : Instance
    bound : Bound
        On total completion.
    players : tuple of Player
        The policies in the order given, then the best schedule known.
    failed : dict
        Label -> what went wrong.
    """

    subject: Subject
    instance: Instance
    bound: Bound
    players: tuple[Player, ...]
    failed: Mapping[str, str]

    @property
    def policies(self) -> tuple[Player, ...]:
        """The players that are policies."""
        return tuple(player for player in self.players if player.label != OFFLINE)


def hold(subject: Subject, entries: Sequence[Entry], say: Callable[[str], None] | None = None) -> Contest:
    """Make an instance, run every policy on it, bound its optimum, and keep the best schedule seen.

    Parameters
    ----------
    subject : Subject
    entries : sequence of Entry
    say : callable, optional
        Told of policies that fail.

    Raises
    ------
    BadParameter
        No policy gave a schedule.
    """
    inst = subject.build()
    players, failed = [], {}
    for entry in entries:
        try:
            players.append(_play(inst, entry))
        except KvratioError as fault:
            failed[entry.label] = str(fault)
            if say is not None:
                say(f"{entry.label} on {subject.label}: left out: {fault}")
    if not players:
        raise BadParameter(f"{subject.label}: no policy gave a schedule: {'; '.join(failed.values())}")
    found = bound_of(inst, [player.timeline.schedule for player in players])
    best = best_known(inst, found, [player.timeline.schedule for player in players])
    offline = Player(OFFLINE, Timeline(best), None)
    return Contest(subject, inst, found, (*players, offline), failed)


def _play(inst: Instance, entry: Entry) -> Player:
    import algos
    from algos.registry import card

    schedule = algos.schedule(inst, entry.policy, eviction=entry.eviction, seed=entry.seed, **entry.parameters)
    known = card(entry.policy)
    promise, told = known.guarantee, None
    if promise is not None:
        settings = known.settings(inst, entry.parameters)
        told = {
            "text": promise.text,
            "ratio": promise.ratio(inst, settings),
            "holds": bool(promise.holds(inst, settings)),
            "hypotheses": promise.hypotheses,
            "reference": promise.reference,
            "objective": promise.objective,
        }
    return Player(entry.label, Timeline(schedule), told, entry)


def bound_of(inst: Instance, schedules: Sequence[Schedule] = (), seconds: float = BOUND_SECONDS) -> Bound:
    """Return a certified interval of the optimal total completion.

    The method is ``best`` where the solvers are installed, else ``lagrangian``, which needs none.
    """
    import lowerbounds

    method = "best" if _installed("pulp") and _installed("highspy") else "lagrangian"
    without_kills = [schedule for schedule in schedules if schedule.eviction == "restart"]
    return lowerbounds.bound(inst, method, time_limit=seconds, schedules=without_kills)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def best_known(inst: Instance, found: Bound, schedules: Sequence[Schedule]) -> Schedule:
    """Return the schedule of least total completion among the bound's, the instance's witness and the policies'."""
    known = list(schedules)
    if found.schedule is not None:
        known.insert(0, found.schedule)
    if inst.witness is not None:
        known.append(Schedule.from_starts(inst, inst.witness))
    best = min(known, key=lambda schedule: schedule.total_completion)
    check(inst, best)
    return best
