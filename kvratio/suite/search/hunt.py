"""From a policy to a certified minimal witness: search, exact optimum, shrink, certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance
from kvratio.suite.search.conduct import Outcome, Report, conduct
from kvratio.suite.search.find import Find, certify
from kvratio.suite.search.island import Task
from kvratio.suite.search.known import small_members
from kvratio.suite.search.shrink import shrink
from kvratio.suite.search.space import Space
from kvratio.suite.search.target import Target

#: share of the time that goes into the search; the rest proves and shrinks
SHARE = 0.8
#: leaders whose optimum is proved, since a loose schedule may hide the best of them
PROVED = 3
#: seconds for one optimum where work, not time, is limited
PATIENCE = 300.0


@dataclass(frozen=True)
class Hunt:
    """What came of a search.

    Attributes
    ----------
    find : Find
        The witness, certified.
    before : Find
        The same before it was made small.
    outcome : Outcome
    """

    find: Find
    before: Find
    outcome: Outcome


def hunt(
    target: Target,
    space: Space,
    objective: str | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
    work_limit: int | None = None,
    workers: int | None = None,
    only_guaranteed: bool = False,
    known: bool = True,
    keep: float = 1.0,
    guests: Sequence[Instance] = (),
    report: Callable[[Report], None] | None = None,
    asked: Callable[[], bool] | None = None,
) -> Hunt:
    """Look for the instance on which a policy's certified ratio is largest, and make it small.

    Parameters
    ----------
    target : Target
    space : Space
    objective : {"completion", "flow"}, optional
        Default: completion of batches, flow with arrivals.
    seed : int
    time_limit : float, optional
        Seconds in all; four fifths of them search.
    work_limit : int, optional
        Candidates. With it and no time limit, equal calls give equal bytes for any number of workers.
    workers : int, optional
    only_guaranteed : bool
        Only instances on which the policy's guarantee holds.
    known : bool
        Whether one of the populations starts from the small members of the families.
    keep : float
        Share of the ratio that the small witness must keep.
    guests : sequence of Instance
        Further instances to start from.
    report, asked : callable, optional
        See `conduct`.

    Raises
    ------
    BadParameter
        For a bad option, or when no candidate could be run at all.
    """
    target.check()
    if not 0 < keep <= 1:
        raise BadParameter(f"search: keep is {keep}: give a share in (0, 1]")
    if only_guaranteed and target.card.guarantee is None:
        raise BadParameter(f"search: {target.name} has no guarantee: leave --guarantee out")
    begun = time.monotonic()
    task = Task(target, space, objective or ("flow" if space.arrivals else "completion"), seed, only_guaranteed)
    start = [inst for inst in (*guests, *(small_members(target, space) if known else ())) if space.holds(inst)]
    outcome = conduct(
        task, None if time_limit is None else SHARE * time_limit, work_limit, workers, start, report, asked
    )
    if not outcome.leaders:
        raise BadParameter(f"search: {target.name} finished on no candidate of this space: widen it")
    end = None if time_limit is None else begun + time_limit

    def patience(share: float) -> float:
        return PATIENCE if end is None else max(1.0, share * (end - time.monotonic()))

    before = _prove(task, outcome, patience)
    # Shrinking is quick, but must not be starved by a hard optimum.
    late = None if end is None else max(end, time.monotonic() + (1 - SHARE) / 2 * float(time_limit or 0))
    small = shrink(task, before.instance, _fraction(keep) * before.ratio, late)
    find = before if small.key == before.instance.key else certify(target, small, task.objective, patience(1.0))
    return Hunt(find, before, outcome)


def _prove(task: Task, outcome: Outcome, patience: Callable[[float], float]) -> Find:
    """Certify the first leaders and return the best."""
    best: Find | None = None
    for inst in outcome.leaders[:PROVED]:
        found = certify(task.target, inst, task.objective, patience(1 / (PROVED + 1)))
        if best is None or found.ratio > best.ratio:
            best = found
    assert best is not None
    return best


def _fraction(share: float) -> Fraction:
    return Fraction(str(share))
