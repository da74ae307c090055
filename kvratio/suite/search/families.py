"""The worst parameters of a family at sizes where requests cannot be searched one by one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from instances.card import Parameter
from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.problem.seeds import stream
from kvratio.suite.naming import format_name, parse_name
from kvratio.suite.search.conduct import Outcome, Report
from kvratio.suite.search.find import certify, enclosing_schedules
from kvratio.suite.search.hunt import PATIENCE, SHARE, Hunt
from kvratio.suite.search.space import Space
from kvratio.suite.search.target import Target

#: members kept, and the share of members that are drawn afresh
KEPT, FRESH = 12, 0.25
#: range of a real parameter that names none
REALS = (0.05, 8.0)
#: seeds of a random family
SEEDS = 10**6

Member = dict[str, Any]


def hunt_family(
    target: Target,
    family: str,
    space: Space,
    objective: str | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
    work_limit: int | None = None,
    report: Callable[[Report], None] | None = None,
    asked: Callable[[], bool] | None = None,
) -> Hunt:
    """Look for the parameters of a family on which a policy's certified ratio is largest.

    Random draws at first, then changes of one or two parameters of the best. A family that adapts plays against the
    policy's real decisions.

    Parameters
    ----------
    target : Target
    family : str
        ``two_point`` or ``two_point:short=1,prompt=4``: what is given stays fixed.
    space : Space
        Most requests and the range of the budget; the rest of it is not read.
    objective : {"completion", "flow"}, optional
        Default: that of the members, flow where requests arrive.
    seed, time_limit, work_limit, report, asked
        As for `hunt`.
    """
    from instances import registry

    target.check()
    name, fixed = parse_name(family)
    card = registry.family(name)
    # The start that an adaptive family answers is the policy's own.
    free = [p for p in card.parameters if p.name not in fixed and not (card.adaptive and p.name == "start")]
    for parameter in free:
        if parameter.kind in ("base", "any") and parameter.required:
            raise BadParameter(f"search: {name} needs {parameter.name}: give it as {name}:{parameter.name}=..")
    begun, rng = time.monotonic(), stream("search family", target.name, family, seed)
    seconds = None if time_limit is None else SHARE * time_limit
    outcome = Outcome(stopped="work")
    best: list[tuple[Fraction, Member, Instance]] = []
    while work_limit is None or outcome.screened < work_limit:
        member = _propose(best, free, space, rng)
        outcome.screened += 1
        found = _evaluate(target, name, {**fixed, **member}, space, objective)
        if found is not None:
            best.append((found[0], member, found[1]))
            best.sort(key=lambda one: -one[0])
            del best[KEPT:]
        outcome.seconds = time.monotonic() - begun
        _tell(best, outcome, report)
        if asked is not None and asked():
            outcome.stopped = "asked"
            break
        if seconds is not None and outcome.seconds >= seconds:
            outcome.stopped = "time"
            break
    if not best:
        raise BadParameter(
            f"search: no member of {family} with n <= {space.n} and memory in {space.memory[0]}..{space.memory[1]} "
            f"could be run by {target.name}: fix parameters, or widen --n and --memory"
        )
    outcome.leaders, outcome.ratios = [one[2] for one in best], [one[0] for one in best]
    inst = best[0][2]
    left = PATIENCE if time_limit is None else max(1.0, time_limit - (time.monotonic() - begun))
    found_it = certify(target, inst, objective or _objective(inst), left)
    return Hunt(found_it, found_it, outcome)


def _tell(best: list[tuple[Fraction, Member, Instance]], outcome: Outcome, report: Any) -> None:
    if not best:
        return
    ratio = float(best[0][0])
    if not outcome.history or ratio > outcome.history[-1][2]:
        outcome.history.append((outcome.seconds, outcome.screened, ratio))
    if report is not None:
        report(Report(outcome.seconds, outcome.screened, ratio, best[0][2]))


def _objective(inst: Instance) -> str:
    return "completion" if inst.is_batch else "flow"


def _evaluate(
    target: Target, family: str, member: Mapping[str, Any], space: Space, objective: str | None
) -> tuple[Fraction, Instance] | None:
    """Return the proven ratio of a member and its instance; None where it does not exist or is too large."""
    from kvratio.suite.generate import generate

    given = dict(member)
    draw = given.pop("seed", 0)
    try:
        inst = generate(family, seed=draw, policy=target.schedule, **given)
        if inst.n > space.n or not space.memory[0] <= inst.memory <= space.memory[1]:
            return None
        if "augmentation" in inst.info:
            raise BadParameter(f"search: {family} gives the policy more memory than the optimum: search its base")
        run = target.schedule(inst)
    except (BadParameter, KvratioError) as fault:
        if "augmentation" in str(fault):
            raise
        # These parameters give no instance, or the policy broke on it.
        return None
    which = objective or _objective(inst)
    schedules = enclosing_schedules(inst)
    if inst.witness is not None:
        schedules.append(Schedule.from_starts(inst, inst.witness))
    upper = min(schedule.cost(which) for schedule in schedules)
    name = format_name(family, {**inst.info.get("parameters", given), **({"seed": draw} if draw else {})})
    return Fraction(run.cost(which), max(upper, 1)), inst.replace(name=name)


def _propose(
    best: list[tuple[Fraction, Member, Instance]], free: list[Parameter], space: Space, rng: np.random.Generator
) -> Member:
    """Draw a fresh member, or change one or two parameters of a good one."""
    if len(best) < KEPT // 2 or rng.random() < FRESH:
        drawn = {parameter.name: _draw(parameter, space, rng) for parameter in free}
        drawn["seed"] = int(rng.integers(SEEDS))
    else:
        drawn = dict(best[int(len(best) * rng.random() ** 2)][1])
        for _ in range(int(rng.integers(1, 3))):
            k = int(rng.integers(len(free) + 1))
            if k == len(free):
                drawn["seed"] = int(rng.integers(SEEDS))
            else:
                parameter = free[k]
                drawn[parameter.name] = _near(parameter, drawn.get(parameter.name), space, rng)
    return {key: value for key, value in drawn.items() if value is not None}


def _range(parameter: Parameter, space: Space) -> tuple[float, float]:
    """Return the ends between which a number is drawn: the card's, cut to the sizes asked for."""
    if parameter.name == "memory":
        return max(space.memory[0], parameter.low or 1), space.memory[1]
    most = space.n if parameter.name in ("count", "n") else space.memory[1]
    if parameter.kind == "float":
        low = REALS[0] if parameter.low is None or parameter.open_low else parameter.low
        return low, REALS[1] if parameter.high is None else parameter.high
    low = 0 if parameter.low is None else parameter.low
    return low, min(most, math.inf if parameter.high is None else parameter.high)


def _draw(parameter: Parameter, space: Space, rng: np.random.Generator) -> Any:
    """Draw a value: numbers evenly on a logarithmic scale, None where the family chooses and a coin says so."""
    if parameter.kind in ("base", "any") or (parameter.default is None and rng.random() < 0.4):
        return None
    if parameter.kind == "choice":
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    low, high = _range(parameter, space)

    def one() -> float:
        return math.exp(rng.uniform(math.log(low + 1), math.log(max(high, low) + 1))) - 1

    if parameter.kind == "interval":
        return tuple(sorted((round(one()), round(one()))))
    return round(one()) if parameter.kind == "int" else one()


def _near(parameter: Parameter, value: Any, space: Space, rng: np.random.Generator) -> Any:
    """Change a value a little, or draw it afresh."""
    if value is None or parameter.kind == "choice" or isinstance(value, bool) or rng.random() < 0.2:
        return _draw(parameter, space, rng)
    low, high = _range(parameter, space)

    def one(x: float) -> float:
        moved = x * math.exp(0.4 * rng.standard_normal()) if rng.random() < 0.7 else x + rng.integers(-2, 3)
        return min(max(moved, low), high)

    if parameter.kind == "interval":
        return tuple(sorted(round(one(x)) for x in value))
    return round(one(value)) if parameter.kind == "int" else one(value)
