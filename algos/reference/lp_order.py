"""Orders read off the time-indexed linear program: `sorted_lp`, `lp_swap` (docs/policies.md section 3).

Wang, Ye, Zhou, "LLM Serving Optimization with Variable Prefill and Decode Lengths" (arXiv 2508.06133). The keys
depend on which optimal vertex the solver returns, so they may be given as the parameter ``lp_keys``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from algos.reference.engine import Outcome, Problem, Worker, run
from algos.reference.list_policies import ListPolicy, ShortestFirst
from algos.reference.policy import BatchPolicy
from algos.reference.sorted_f import sorted_f_order
from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter

LARGEST_BATCH = 200
SWAP_MARGIN = 1e-6


class FixedOrder(ListPolicy):
    """The list loop in a given order; used to find what an order costs."""

    name = "fixed_order"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "position": None}

    def priority(self, i: int) -> int:
        """Return the position of i."""
        return self.parameters["position"][i]


def believed(worker: Worker, batch: list[int]) -> Problem:
    """Return the batch as a problem of its own, its outputs being the predictions."""
    estimate = [worker.predicted[i] for i in batch]
    prompt = [worker.prompt[i] for i in batch]
    room = [worker.memory - s for s in prompt]
    return Problem(worker.memory, prompt, estimate, [0] * len(batch), estimate, [1] * len(batch), room)


def simulate(problem: Problem, policy: type[ListPolicy], parameters: Mapping[str, Any]) -> Outcome:
    """Run a list policy on a believed problem (exact lengths, so nothing is evicted)."""
    longest = sum(problem.output)
    return run(problem, lambda worker: policy(worker, parameters), "restart", False, longest + 1)


def fractional_starts(problem: Problem) -> list[float]:
    """Return sum_t t x_it for each request, from the linear program with the makespan of mc_sf as horizon."""
    from lowerbounds.lp import starts_lp

    horizon = max(simulate(problem, ShortestFirst, {}).completions().values())
    instance = Instance(np.array(problem.prompt), np.array(problem.output), problem.memory)
    starts = starts_lp(instance, horizon)
    return [float(starts[i]) for i in range(problem.n)]


class SortedLp(BatchPolicy, ListPolicy):
    """`sorted_lp`: the list loop by (fractional start, est, index)."""

    name = "sorted_lp"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "lp_keys": None}

    def prepare(self) -> None:
        """Check the number of given keys."""
        super().prepare()
        given = self.parameters["lp_keys"]
        if given is not None and len(given) != self.worker.n:
            raise BadParameter(f"{self.name}: lp_keys has {len(given)} entries: give {self.worker.n}, one per request")

    def priority(self, i: int) -> Any:
        """Return a place holder: the position is known when the batch begins."""
        return -1

    def candidates(self) -> list[int]:
        """Return the waiting requests of the batch."""
        return [i for i in self.worker.waiting() if i in self.alive]

    def begin(self, batch: list[int]) -> None:
        """Give every request of the batch its position."""
        if len(batch) > LARGEST_BATCH:
            raise BadParameter(
                f"{self.name} solves a linear program: {len(batch)} requests are more than {LARGEST_BATCH}"
            )
        for position, i in enumerate(self.order(batch)):
            self.key[i] = position

    def lp_keys(self, batch: list[int]) -> dict[int, float]:
        """Return the key of each request, rounded to 6 decimals."""
        given = self.parameters["lp_keys"]
        if given is not None:
            return {i: round(float(given[i]), 6) for i in batch}
        starts = fractional_starts(believed(self.worker, batch))
        return {i: round(start, 6) for i, start in zip(batch, starts, strict=True)}

    def order(self, batch: list[int]) -> list[int]:
        """Return the batch by (key, est, index)."""
        key = self.lp_keys(batch)
        return sorted(batch, key=lambda i: (key[i], self.worker.predicted[i], i))


class LpSwap(SortedLp):
    """`lp_swap`: sorted_f's order, neighbours swapped towards the LP's while the list schedule costs no more."""

    name = "lp_swap"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "exact_limit": 12, "lp_keys": None}

    def order(self, batch: list[int]) -> list[int]:
        """Pass over neighbours until a pass changes nothing or n passes are done."""
        worker = self.worker
        key = self.lp_keys(batch)
        order = sorted_f_order(
            batch, worker.prompt, worker.predicted, worker.memory, self.integer("exact_limit", low=0)
        )
        cost = self.list_cost(batch, order)
        for _ in range(len(batch)):
            changed = False
            for place in range(len(order) - 1):
                i, j = order[place], order[place + 1]
                if key[j] >= key[i] - SWAP_MARGIN:
                    continue
                swapped = [*order[:place], j, i, *order[place + 2 :]]
                new_cost = self.list_cost(batch, swapped)
                if new_cost <= cost:
                    order, cost, changed = swapped, new_cost, True
            if not changed:
                break
        return order

    def list_cost(self, batch: list[int], order: list[int]) -> int:
        """Return the total completion of the list loop in this order, with predictions as outputs."""
        place = {i: p for p, i in enumerate(order)}
        parameters = {"skip": self.parameters["skip"], "position": [place[i] for i in batch]}
        return simulate(believed(self.worker, batch), FixedOrder, parameters).total_completion()
