"""Random instances for the tests of bounds, and slow twins written from the definitions."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from kvratio.problem import Instance


@st.composite
def instances(
    draw, max_requests: int = 8, max_memory: int = 20, latest: int = 12, batch: bool | None = None
) -> Instance:
    """Draw an instance; about half are batches unless ``batch`` says otherwise."""
    memory = draw(st.integers(1, max_memory))
    n = draw(st.integers(1, max_requests))
    is_batch = draw(st.booleans()) if batch is None else batch
    prompt, output, arrival = [], [], []
    for _ in range(n):
        prompt.append(draw(st.integers(0, min(6, memory - 1))))
        output.append(draw(st.integers(1, memory - prompt[-1])))
        arrival.append(0 if is_batch else draw(st.integers(0, latest)))
    return Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)


def earliest_fit_twin(inst: Instance, order: list[int]) -> list[int]:
    """Place requests in order, testing every round of every start."""
    used: dict[int, int] = {}
    starts = [0] * inst.n
    for i in order:
        s, o, t = int(inst.prompt[i]), int(inst.output[i]), int(inst.arrival[i])
        while any(used.get(t + k, 0) + s + k > inst.memory for k in range(1, o + 1)):
            t += 1
        for k in range(1, o + 1):
            used[t + k] = used.get(t + k, 0) + s + k
        starts[i] = t
    return starts


def optimum_twin(inst: Instance) -> int:
    """Least total completion over ALL starts up to the serial horizon (rule T1); for a handful of requests."""
    horizon = int(inst.arrival.max()) + int(inst.output.sum())
    choices = [range(int(a), horizon - int(o) + 1) for a, o in zip(inst.arrival, inst.output, strict=True)]
    best = None
    for starts in itertools.product(*choices):
        cost = sum(starts) + int(inst.output.sum())
        if best is not None and cost >= best:
            continue
        used = [0] * (horizon + 1)
        for t, s, o in zip(starts, inst.prompt.tolist(), inst.output.tolist(), strict=True):
            for k in range(1, o + 1):
                used[t + k] += s + k
        if max(used) <= inst.memory:
            best = cost
    assert best is not None
    return best


def dual_twin(inst: Instance, numerators: list[int], denominator: int) -> int:
    """Q times the dual value, by the sum over rounds of each start."""
    price = {r + 1: value for r, value in enumerate(numerators)}
    total = -inst.memory * sum(numerators)
    for a, s, o in zip(inst.arrival.tolist(), inst.prompt.tolist(), inst.output.tolist(), strict=True):
        total += min(
            denominator * (t + o) + sum((s + k) * price.get(t + k, 0) for k in range(1, o + 1))
            for t in range(a, max(a, len(numerators)) + 1)
        )
    return total
