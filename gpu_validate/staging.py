"""Putting an executor into a given state, to time the same iteration again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpu_validate.executor import Executor, Limits


def room_for(held: Sequence[int], prompts: Sequence[int]) -> Limits:
    """Return the limits that an iteration needs: decodes that hold so many tokens, prompts of so many."""
    memory = sum(held) + sum(prompts) + len(prompts)
    longest = max([*held, *(p + 1 for p in prompts), 2])
    return Limits(memory, len(held) + len(prompts), longest)


def stage(executor: Executor, held: Sequence[int], prompts: Sequence[int]) -> Callable[[], None]:
    """Give slots to made-up requests and return the iteration that decodes and prefills them, to be run repeatedly.

    Parameters
    ----------
    executor : Executor
        With limits of at least `room_for`.
    held : sequence of int
        Tokens held by each decode in the iteration, the new one included, at least 2: it feeds the last but one.
    prompts : sequence of int
        Tokens of each prompt.

    Notes
    -----
    What the slots contain is left over from before: time does not depend on it.
    """
    room = room_for(held, prompts)
    executor.open(room.memory, [[1]] * room.requests)
    for request, count in enumerate(held):
        owned = executor.cache.give(request, count)
        rows, places, slots = executor.upload([(request, at, slot) for at, slot in enumerate(owned)])
        executor.table[rows, places] = slots
    prefills = []
    for k, count in enumerate(prompts):
        executor.cache.give(len(held) + k, count + 1)
        prefills.append((len(held) + k, count))
    decodes = [(request, count - 2) for request, count in enumerate(held)]
    if not prefills:
        executor.graphs.prepare([len(decodes)])

    def iteration() -> None:
        executor.step(decodes, prefills)

    return iteration
