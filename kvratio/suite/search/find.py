"""A find: an instance, what the policy costs on it, and a certified interval for the optimum. It proves its ratio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import algos
import lowerbounds
from kvratio.problem.bound import Bound
from kvratio.problem.checker import check
from kvratio.problem.errors import BadParameter, InfeasibleSchedule
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.search.island import best_upper, within_guarantee
from kvratio.suite.search.space import Block
from kvratio.suite.search.target import Target

#: up to so many requests the optimum itself is proved
EXACT_MOST = 16
#: moves in the order, and placements of `best`, per request of larger instances
TRIALS, WORK = 2000, 20_000
#: labels that the exact search may expand: what it cannot prove with them stays an interval
LABELS = 200_000
#: policies that never kill on true lengths; their schedules enclose the optimum of larger instances
ENCLOSING = ("svf", "svf_sps", "mc_sf", "gba_d")


@dataclass(frozen=True)
class Find:
    """A proven lower bound on a policy's ratio.

    Attributes
    ----------
    policy : str
        As the command line writes it, parameters included.
    eviction : str
    seed : int
        Of a randomised policy: the ratio is that of this one run of its coins.
    objective : {"completion", "flow"}
    cost : int
        What the policy pays.
    bound : Bound
        Of the optimum, with the schedule that attains its upper side.
    """

    policy: str
    eviction: str
    seed: int
    objective: str
    cost: int
    bound: Bound

    @property
    def instance(self) -> Instance:
        """The witness instance."""
        return self.bound.instance

    @property
    def ratio(self) -> Fraction:
        """Cost over the cost of a feasible schedule: no more than the policy's true ratio here."""
        assert self.bound.upper is not None
        return Fraction(self.cost, self.bound.upper)

    @property
    def name(self) -> str:
        """A name that says policy, kind, size and ratio; fit for a file."""
        word = "".join(char if char.isalnum() or char in "._-" else "_" for char in Path(self.policy).name)
        kind = "batch" if self.instance.is_batch else "arrivals"
        return f"{word}_{kind}_n{self.instance.n}_M{self.instance.memory}_{float(self.ratio):.3f}"

    @property
    def target(self) -> Target:
        """The policy that it is about."""
        return Target(self.policy, eviction=self.eviction, seed=self.seed)

    def facts(self) -> dict[str, Any]:
        """Return what tables and JSON print."""
        inst, bound = self.instance, self.bound
        return {
            "name": self.name,
            "policy": self.policy,
            "eviction": self.eviction,
            "seed": self.seed,
            "kind": "batch" if inst.is_batch else "arrivals",
            "objective": self.objective,
            "n": inst.n,
            "memory": inst.memory,
            "cost": self.cost,
            "optimum": [bound.lower, bound.upper],
            "ratio": float(self.ratio),
            "fraction": f"{self.cost}/{bound.upper}",
            "optimal": bound.status == "optimal",
            "requests": rows_of(inst),
        }

    def verify(self, target: Target | None = None) -> bool:
        """Recompute all of it: the ratio (`verify_ratio`), and both sides of the bound from its certificates."""
        return self.verify_ratio(target) and self.bound.verify()

    def verify_ratio(self, target: Target | None = None) -> bool:
        """Recompute what the ratio stands on: the policy's run and the schedule that divides it, both by the checker.

        Parameters
        ----------
        target : Target, optional
            The policy as a card, where its name is not known here.

        Raises
        ------
        KvratioError
            Names what does not hold.
        """
        run = (target or self.target).schedule(self.instance)
        check(self.instance, run)
        if run.cost(self.objective) != self.cost:
            raise InfeasibleSchedule(f"{self.name}: the policy costs {run.cost(self.objective)}, stored is {self.cost}")
        schedule = self.bound.schedule
        if schedule is None or self.bound.objective != self.objective:
            raise BadParameter(f"{self.name}: the bound has no schedule for total {self.objective}")
        check(self.instance, schedule)
        if schedule.cost(self.objective) != self.bound.upper:
            raise InfeasibleSchedule(
                f"{self.name}: the schedule costs {schedule.cost(self.objective)}, stored is {self.bound.upper}"
            )
        return True

    def save(self, folder: str | Path) -> Path:
        """Write ``NAME.json``, a saved bound whose instance says what it was found for; return its path."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        path = Path(folder) / f"{self.name}.json"
        bound = self.bound
        return Bound(
            self._labelled(), bound.method, bound.objective, bound.lower, bound.upper, bound.certificates, bound.grade,
            schedule=bound.schedule,
        ).save(path)  # fmt: skip

    def _labelled(self) -> Instance:
        found = {"policy": self.policy, "eviction": self.eviction, "seed": self.seed, "objective": self.objective}
        return self.instance.replace(name=self.name, info={**self.instance.info, "found": {**found, "cost": self.cost}})

    @classmethod
    def load(cls, path: str | Path) -> Find:
        """Read a file that `save` wrote. Nothing is trusted yet: call `verify`."""
        bound = Bound.load(path)
        found = bound.instance.info.get("found")
        if not isinstance(found, Mapping):
            raise BadParameter(f"{path} is a bound, but not a find: it does not say for which policy")
        return cls(bound=bound, **found)


def certify(target: Target, inst: Instance, objective: str, time_limit: float = 60.0) -> Find:
    """Enclose the optimum of an instance with certificates and divide what the policy pays by it.

    Parameters
    ----------
    target : Target
    inst : Instance
    objective : {"completion", "flow"}
    time_limit : float
        Seconds for the optimum; a proven interval is left where it does not suffice.
    """
    run = target.schedule(inst)
    check(inst, run)
    rows = Block.of([inst], inst.n).genes[0]
    _, starts = best_upper(rows, inst.memory, min(TRIALS * inst.n, 10_000_000 // inst.n**2))
    options = {"work_limit": LABELS if inst.n <= EXACT_MOST else WORK * inst.n}
    method = "exact" if inst.n <= EXACT_MOST else "best"
    schedules = [Schedule.from_starts(inst, starts), *(enclosing_schedules(inst) if inst.n > EXACT_MOST else ())]
    bound = lowerbounds.bound(inst, method, objective=objective, time_limit=time_limit, schedules=schedules, **options)
    return Find(target.name, run.eviction, target.seed, objective, run.cost(objective), bound)


def enclosing_schedules(inst: Instance) -> list[Schedule]:
    """Return schedules without kills by policies that know the lengths; each bounds the optimum from above."""
    truth = Instance(prompt=inst.prompt, output=inst.output, memory=inst.memory, arrival=inst.arrival)
    return [Schedule.from_starts(inst, algos.schedule(truth, policy).start) for policy in ENCLOSING]


def proven_guarantee(target: Target, inst: Instance) -> float | None:
    """Return the published ratio where its hypotheses hold on this instance, else None."""
    guarantee = target.card.guarantee
    if guarantee is None or not within_guarantee(target, inst):
        return None
    return guarantee.ratio(inst, target.card.settings(inst, target.settings))


def rows_of(inst: Instance) -> list[dict[str, int]]:
    """Return the requests in short: equal neighbours once, with their number and the step between arrivals."""
    rows: list[dict[str, int]] = []
    columns = ["prompt", "output", "arrival"]
    if inst.has_predictions:
        columns += ["predicted", "predicted_low", "predicted_high"]
    for i in range(inst.n):
        row = {"count": 1, **{name: int(getattr(inst, name)[i]) for name in columns}}
        if rows and all(rows[-1][name] == row[name] for name in columns):
            rows[-1]["count"] += 1
        else:
            rows.append(row)
    return rows
