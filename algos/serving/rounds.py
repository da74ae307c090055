"""Serving policies in the unit-round model: every iteration takes one round, and a schedule is made of the run.

A request (s, o) of the unit-round model needs o rounds with footprints s+1 .. s+o. These are the passes of a request
with l = s+1 prompt tokens and o-1 output tokens (`Requests.of_rounds`), so the memory arithmetic is the same.

The unit-round model knows no pauses. An attempt that has done k passes when it ends in round e is written as running
in rounds e-k+1 .. e. It holds s + j in the j-th of these, and the paused request held at least as much there: at the
end of round e-k+j it had done at least j passes. So memory is nowhere larger, no start is earlier than the admission,
and every completion is the policy's own (docs/model.md, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from algos.card import Card
from algos.run import Outcome
from algos.serving.cards import Case, Layout, ServingCard
from algos.serving.machine import Machine
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.requests import Requests

Settings = Mapping[str, Any]

#: rounds from here on have no float64 of their own
MOST_ROUNDS = 2**53


class Plan(NamedTuple):
    """How a serving policy runs on an instance.

    Attributes
    ----------
    requests : Requests
        As `Requests.of_rounds` makes them.
    settings : mapping
        All parameters of the serving card, in its order.
    layout : callable, optional
        `Case` -> `Layout`, where the card's own will not do.
    together : bool, optional
        Whether all requests decode together, where the card's own rule will not do.
    """

    requests: Requests
    settings: Settings
    layout: Callable[[Case], Layout] | None = None
    together: bool | None = None


@dataclass(frozen=True)
class ServedInRounds:
    """How a policy of the serving model runs in unit rounds; the ``run`` entry of its card.

    Parameters
    ----------
    served : ServingCard
    plan : callable
        (`Instance`, resolved parameters of the unit-round card) -> `Plan`.
    """

    served: ServingCard
    plan: Callable[[Instance, Settings], Plan]

    def __post_init__(self) -> None:
        # A policy's identity is the source of the module that its run function names; that is the plan's.
        object.__setattr__(self, "__module__", self.plan.__module__)

    def __call__(
        self, inst: Instance, settings: Settings, seed: int, eviction: str, record: int, limit: int, *, card: Card
    ) -> Outcome:
        """Run on one instance; the attempts, of which ``record`` are wanted, are made of the run in any case."""
        machine = self._machine(inst, settings, eviction)
        # The end of a run depends on that of its arrivals, so rounds are counted from there.
        limit = min(limit + int(inst.arrival.max()), MOST_ROUNDS)
        machine.advance(math.inf, float(limit))
        _check_end(card.id, machine, limit)
        order = np.argsort(inst.arrival, kind="stable")
        completion = np.empty(inst.n, np.int64)
        completion[order] = machine.completion.astype(np.int64)
        lost = _lost_attempts(machine, order)
        won = np.column_stack([np.arange(inst.n), completion - inst.output, completion, np.ones(inst.n, np.int64)])
        first_start = completion - inst.output
        np.minimum.at(first_start, lost[:, 0], lost[:, 1])
        length = lost[:, 2] - lost[:, 1]
        area = inst.prompt[lost[:, 0]] * length + length * (length + 1) // 2
        return Outcome(
            completion,
            completion - inst.output,
            first_start,
            inst.n + len(lost),
            len(lost),
            int(length.sum()),
            int(area.sum()),
            0,
            machine.iterations,
            np.concatenate([lost, won]),
        )

    def _machine(self, inst: Instance, settings: Settings, eviction: str) -> Machine:
        """Return the worker of the serving model, with a clock of one round."""
        plan = self.plan(inst, settings)
        if plan.requests.last_arrival >= MOST_ROUNDS:
            raise BadParameter(f"{self.served.id}: a request arrives at round 2^53 or later: give earlier arrivals")
        case = Case(plan.requests, Clock(1.0, 0.0), inst.memory, 1, np.zeros(inst.n, bool))
        served = self.served
        if plan.layout is not None:
            made = plan.layout(case)
            served = replace(served, layout=lambda case, settings: made)
        if plan.together is not None:
            together = plan.together
            served = replace(served, together=lambda settings: together)
        return Machine(served, case, plan.settings, eviction, track=True)


def _check_end(policy: str, machine: Machine, limit: int) -> None:
    """Raise unless every request has completed."""
    if not np.isnan(machine.completion).any():
        return
    t = int(machine.now)
    if t >= limit:
        raise RoundLimit(f"{policy}: not finished at round {t}, the round limit; it may never end")
    raise PolicyError(f"{policy}: at epoch {t}: nothing runs, nothing will arrive, and it starts nothing")


def _lost_attempts(machine: Machine, order: IntArray) -> IntArray:
    """Return (request, start, stop, 0) of every attempt of at least one pass that was evicted, int64[k, 4]."""
    losses = machine.losses
    losses = losses[losses["passes"] > 0]
    stop = losses["time"].astype(np.int64)
    return np.column_stack([order[losses["request"]], stop - losses["passes"], stop, np.zeros(len(losses), np.int64)])
