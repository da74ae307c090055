"""`sorted_f`: batches in the order of the smallest sum of lengths over squared size (docs/policies.md section 3).

Wang, Ye, Zhou, "LLM Serving Optimization with Variable Prefill and Decode Lengths" (arXiv 2508.06133).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, ClassVar

from algos.reference.list_policies import ListPolicy


def is_batch_feasible(chosen: tuple[int, ...] | list[int], prompt: list[int], estimate: list[int], memory: int) -> bool:
    """Return whether all of ``chosen``, started together, fit at each of their believed ends."""
    ends = {estimate[j] for j in chosen}
    return all(sum(prompt[j] + u for j in chosen if estimate[j] >= u) <= memory for u in ends)


def is_better(total: int, size: int, best_total: int, best_size: int) -> bool:
    """Return whether total / size^2 < best_total / best_size^2, in integers; equal values go to the larger size."""
    left, right = total * best_size * best_size, best_total * size * size
    return left < right or (left == right and size > best_size)


def best_subset(members: list[int], prompt: list[int], estimate: list[int], memory: int) -> tuple[int, ...]:
    """Return argmin F over the batch-feasible nonempty subsets, by trying all of them.

    Sizes go down and, inside a size, tuples go up lexicographically, so keeping the first of equals breaks ties
    by larger size and then by the smallest sorted index tuple.
    """
    best: tuple[int, ...] = ()
    for size in range(len(members), 0, -1):
        for chosen in combinations(sorted(members), size):
            total = sum(estimate[j] for j in chosen)
            better = not best or is_better(total, size, sum(estimate[j] for j in best), len(best))
            if better and is_batch_feasible(chosen, prompt, estimate, memory):
                best = chosen
    return best


def local_search(members: list[int], prompt: list[int], estimate: list[int], memory: int) -> tuple[int, ...]:
    """Return the best of the sets grown for k = 1, 2, .. and repaired by swapping out the largest peak."""
    by_length = sorted(members, key=lambda j: (estimate[j], j))
    best: tuple[int, ...] = ()
    for k in range(1, len(members) + 1):
        chosen = by_length[:k]
        while not is_batch_feasible(chosen, prompt, estimate, memory):
            w = max(chosen, key=lambda j: (prompt[j] + estimate[j], j))
            peak = prompt[w] + estimate[w]
            outsiders = [j for j in by_length if j not in chosen and prompt[j] + estimate[j] < peak]
            if not outsiders:
                return best
            chosen = [j for j in chosen if j != w] + [outsiders[0]]
        total, best_total = sum(estimate[j] for j in chosen), sum(estimate[j] for j in best)
        # Ties go to the larger k, which is the later one.
        if not best or is_better(total, k, best_total, len(best)):
            best = tuple(sorted(chosen))
    return best


def sorted_f_order(
    members: list[int], prompt: list[int], estimate: list[int], memory: int, exact_limit: int
) -> list[int]:
    """Return the order of ``members``: the best set by (est, index), then the best of the rest, and so on.

    Parameters
    ----------
    members : list of int
        W, the requests to order.
    prompt, estimate : list of int
        s and est of every request.
    memory : int
        M.
    exact_limit : int
        Above this size of W at the start, every set is found by local search.
    """
    find = best_subset if len(members) <= exact_limit else local_search
    left = list(members)
    order: list[int] = []
    while left:
        chosen = find(left, prompt, estimate, memory)
        order.extend(sorted(chosen, key=lambda j: (estimate[j], j)))
        left = [j for j in left if j not in chosen]
    return order


class SortedF(ListPolicy):
    """`sorted_f`: the list loop in that order, recomputed over all that wait whenever requests arrive."""

    name = "sorted_f"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "exact_limit": 12}

    def prepare(self) -> None:
        """Keep the first predictions: orders never use grown estimates."""
        super().prepare()
        self.exact_limit = self.integer("exact_limit", low=0)
        self.first_estimate = list(self.estimate)

    def priority(self, i: int) -> Any:
        """Return a place holder: the position is known on arrival."""
        return -1

    def arrived(self, joined: list[int]) -> None:
        """Give every waiting request a new position if any has arrived; others keep their last one."""
        if not joined:
            return
        worker = self.worker
        order = sorted_f_order(worker.waiting(), worker.prompt, self.first_estimate, worker.memory, self.exact_limit)
        for position, i in enumerate(order):
            self.key[i] = position
