"""The arrays of a run: what the policy sees, and what the engine alone knows, as `algos.serving.state` has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from algos.serving.cards import Case, Layout, ServingCard
from kvratio.problem.requests import IntArray
from kvratio.problem.service import ITERATION_DTYPE, gap_offsets


def make_view(card: ServingCard, case: Case, settings: Mapping[str, Any], layout: Layout | None) -> Any:
    """Lay out what the policy may see."""
    from algos.engine.bitset import words_needed
    from algos.serving.state import GROUP, QUEUE, REQUEST, STATE, View

    requests, n = case.requests, case.requests.n
    req = np.zeros(n, REQUEST)
    req["prompt"] = requests.prompt
    req["estimate"] = clamped(case) if card.information == "prediction" else -1
    kinds = layout.kinds if layout else np.zeros(n, np.int64)
    req["kind"] = kinds
    keys = card.key(req["estimate"], req["prompt"]) if card.key else kinds
    queues = np.zeros(len(layout.entry) if layout else 0, QUEUE)
    groups = np.zeros(len(layout.groups) if layout else 0, GROUP)
    if layout:
        queues["head"], queues["tail"] = -1, -1
        groups["member"] = -1
        queues["entry"], queues["group"] = layout.entry, layout.group
        for row, group in zip(groups, layout.groups, strict=True):
            for name, value in group.items():
                row[name] = value

    def ints(size: int) -> IntArray:
        return np.zeros(size, np.int64)

    words = words_needed(n)
    return View(
        req=req,
        st=np.zeros(1, STATE),
        order=np.argsort(keys, kind="stable").astype(np.int64),
        waiting=ints(words),
        prefilling=ints(words),
        decoding=ints(words),
        out=ints(words),
        ready=ints(words_needed(len(queues))),
        batch=ints(n),
        chunk=ints(n),
        chosen=ints(n),
        victims=ints(n),
        joiners=ints(n + 1),
        fresh=ints(n),
        queue=queues,
        group=groups,
        base=layout.base if layout else ints(1),
        residue=ints(case.block),
        param=_vector(settings),
        own=ints(card.scratch(n) if card.scratch else 0),
    )


def make_truth(case: Case, together: bool, rows: int, losses: int = 0, gaps: bool = False) -> Any:
    """Lay out what the engine alone may see, and room for its results."""
    from algos.engine.queue import words_needed
    from algos.serving.state import CLOCK, LOSS, SECRET, Truth

    requests = case.requests
    req = np.zeros(requests.n, SECRET)
    for name in SECRET.names or ():
        if SECRET[name].kind == "f":
            req[name] = np.nan
    req["arrival"], req["output"], req["refused"] = requests.arrival, requests.output, case.refused
    stack = 2 * (int(requests.output.max()) + 2) if together else 0
    first = gap_offsets(requests.output)
    req["trail"] = first[:-1]
    return Truth(
        req=req,
        clock=np.zeros(1, CLOCK),
        rates=np.ascontiguousarray(case.clock.rates, dtype=np.float64),
        knee=np.array([case.clock.knee], np.int64),
        counts=np.zeros(8, np.int64),
        due=np.zeros(words_needed(requests.n) if together else 1, np.int64),
        gap_time=np.zeros(stack),
        gap_tick=np.zeros(stack, np.int64),
        log=np.zeros(rows, ITERATION_DTYPE),
        lost=np.zeros(losses, LOSS),
        trail=np.full(int(first[-1]) if gaps else 0, np.nan, np.float32),
        ring=np.zeros(stack if gaps else 0, np.float32),
        most=np.zeros(2, np.int64),
    )


def clamped(case: Case) -> IntArray:
    """Return predictions, cut down to what fits into the memory beside the prompt, int64[n]."""
    room = case.memory // case.block * case.block - case.requests.prompt
    return np.maximum(np.minimum(case.requests.predicted, room), 1)


def _vector(settings: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Turn settings into the float64 vector that hooks read: None is no limit, what is no number is left to layouts."""
    numbers = []
    for value in settings.values():
        if value is None:
            numbers.append(float(2**62))
        elif isinstance(value, (int, float, np.number)):
            numbers.append(float(value))
        else:
            numbers.append(math.nan)
    return np.array(numbers, dtype=np.float64)
