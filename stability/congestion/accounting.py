"""Where the memory went: tokens times iterations of what was completed, evicted, still held, and left empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stability.congestion.classes import classes_of
from stability.congestion.stages import stages_of
from stability.congestion.trajectory import Trajectory


@dataclass(frozen=True)
class Accounts:
    """Token-iterations of a run; the first three sum to the fourth.

    Attributes
    ----------
    completed : float
        Work of completed requests.
    wasted : float
        Work lost by evictions.
    held : float
        Work in requests still held at the end, less that at the start.
    used : float
        Sum of memory in use over the iterations whose work is counted.
    """

    completed: float
    wasted: float
    held: float
    used: float


def accounts(run: Trajectory, prompt: Any, decode: Any, shares: Any = None) -> Accounts:
    """Return the accounts of a run with all its states.

    The work of a request at age s is the memory it has held up to, but not in, the state at hand. Over a period with
    full memory, ``sum_k T_k work_k = M - wasted per iteration``; for one class this is
    ``T = x* - wasted / (period sum w)`` of arXiv 2606.15555.

    Parameters
    ----------
    run : Trajectory
        From `simulate` with the same prompt, decode and shares, all states recorded.
    """
    classes = classes_of(prompt, decode, shares)
    spent = stages_of(classes).spent
    return Accounts(
        completed=float(run.by_class[classes.index] @ classes.work),
        wasted=float(run.wasted.sum()),
        held=float(spent @ (run.last - run.start)),
        used=float(run.used[:-1].sum()),
    )
