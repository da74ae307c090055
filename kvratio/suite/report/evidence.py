"""What stands behind a cell: its instance, schedules and bound, from the run folder or made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvratio.problem.bound import Bound
from kvratio.problem.checker import check
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.deadline import deadline
from kvratio.suite.plan import BoundSpec, PolicySpec
from kvratio.suite.report.compact import compact_schedule
from kvratio.suite.report.pack import packed

#: instances with more requests show their first rows only
FULL_REQUESTS = 1000
FIRST_REQUESTS = 100
#: characters of JSON: a longer certificate shows its beginning, a longer bound file is not carried along
FULL_CERTIFICATE = 20_000
FIRST_CHARACTERS = 600


@dataclass(frozen=True)
class Play:
    """One policy on one instance, as the run has it.

    Parameters
    ----------
    cell : str
    policy : PolicySpec
    seed : int
    cost : int
        What the run says it cost.
    kept : Path or None
        The schedule in the run folder, if it was kept.
    """

    cell: str
    policy: PolicySpec
    seed: int
    cost: int
    kept: Path | None


@dataclass(frozen=True)
class Case:
    """One instance under one objective, and what a page shows of it.

    Parameters
    ----------
    name : str
        Names it in the page.
    path : Path
        The instance in the run folder.
    objective : str
    bound : BoundSpec
    lower : int or None
        What the run says of the bound (under restart).
    kept : Path or None
        The bound with its certificates in the run folder, if it was kept.
    again : bool
        Whether a bound that was not kept is computed again.
    plays : tuple of Play
    seconds : float
        Time limit of one schedule or bound that is made again.
    """

    name: str
    path: Path
    objective: str
    bound: BoundSpec
    lower: int | None
    kept: Path | None
    again: bool
    plays: tuple[Play, ...]
    seconds: float


def gather(case: Case) -> tuple[str, str, dict[str, int]]:
    """Return (name, packed evidence, counts of what was found); what cannot be had is told in its place."""
    inst = Instance.load(case.path)
    found: dict[str, Any] = {"instance": _instance(inst, case.path), "bound": _bound(inst, case), "schedules": {}}
    for play in case.plays:
        found["schedules"][play.cell[:16]] = _schedule(inst, play, case)
    drawn = sum("attempts" in schedule for schedule in found["schedules"].values())
    counts = {"schedules": drawn, "schedules missing": len(found["schedules"]) - drawn}
    counts |= {"bounds": int("certificates" in found["bound"]), "bounds missing": int("why" in found["bound"])}
    return case.name, packed(found), counts


def _instance(inst: Instance, path: Path) -> dict[str, Any]:
    """The file as it stands where it is small, else its first requests."""
    if inst.n <= FULL_REQUESTS and path.suffix == ".json":
        return {"n": inst.n, "key": inst.key, "file": json.loads(path.read_text())}
    whole = inst.to_dict()
    first = {k: v[:FIRST_REQUESTS] if isinstance(v, list) else v for k, v in whole.items() if k != "info"}
    # A schedule is drawn from prompts, so these are all there.
    return {"n": inst.n, "key": inst.key, "first": first, "prompt": whole["prompt"]}


def _schedule(inst: Instance, play: Play, case: Case) -> dict[str, Any]:
    """Draw the schedule from its file, else run the policy again and compare its cost with the run's."""
    import algos
    from instances.augmented import policy_completion, policy_instance

    try:
        if play.kept is not None:
            schedule = Schedule.load(play.kept)
        else:
            policy, played = play.policy, policy_instance(inst)
            given = dict(policy.parameters)
            with deadline(case.seconds, policy.call):
                schedule = algos.schedule(played, policy.handle, eviction=policy.eviction, seed=play.seed, **given)
        check(schedule.instance, schedule)
        completion = policy_completion(inst, schedule)
    except Exception as fault:  # a report of a hundred cells must not end with one of them: it is told in its place
        return {"why": f"could not be run again: {' '.join(str(fault).split())}"}
    cost = int(completion.sum() if case.objective == "completion" else (completion - inst.arrival).sum())
    if cost != play.cost:
        return {"why": f"run again it costs {cost}, the run has {play.cost}: the sources have changed since"}
    return compact_schedule(inst, schedule) | {"origin": "run again" if play.kept is None else "kept"}


def _bound(inst: Instance, case: Case) -> dict[str, Any]:
    import lowerbounds

    if case.kept is None and not case.again:
        return {"why": "the run kept no certificates, and this bound was not computed again"}
    try:
        if case.kept is not None:
            bound = Bound.load(case.kept)
        else:
            given = {"time_limit": case.bound.time_limit, **case.bound.options}
            with deadline(case.bound.time_limit + case.seconds, case.bound.method):
                bound = lowerbounds.bound(inst, case.bound.handle, objective=case.objective, **given)
        bound.verify()
    except Exception as fault:  # as above
        return {"why": f"could not be had: {' '.join(str(fault).split())}"}
    if case.lower is not None and bound.lower != case.lower:
        why = "other sources, or its time limit was reached"
        return {"why": f"computed again L is {bound.lower}, the run has {case.lower}: {why}"}
    return _bound_shown(bound) | {"origin": "computed again" if case.kept is None else "kept"}


def _bound_shown(bound: Bound) -> dict[str, Any]:
    """The interval and its certificates, each in full where short."""
    return {
        "method": bound.method,
        "lower": bound.lower,
        "upper": bound.upper,
        "grade": bound.grade,
        "certificates": [{"kind": c.kind, "side": c.side, **_contents(c.data)} for c in bound.certificates],
    }


def _contents(data: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(dict(data), separators=(",", ":"))
    if len(text) <= FULL_CERTIFICATE:
        return {"data": dict(data)}
    return {"begins": text[:FIRST_CHARACTERS], "length": len(text)}
