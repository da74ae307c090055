"""Small instances of every kind, the smallest first: what a contract is tried on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kvratio.problem.instance import Instance
from kvratio.problem.seeds import stream

#: instances that a full check tries
FULL = 60


def cases(count: int = FULL) -> Iterator[Instance]:
    """Yield instances: a few corners, then random ones of growing size; the same at every call.

    Batches and arrivals alternate; predictions are exact, wrong, or far wrong; memory is from one request's peak to
    room for many.
    """
    corners = _corners()
    yield from corners[:count]
    for k in range(count - len(corners)):
        yield _random(stream("contract", k), 2 + k // 6, online=k % 2 == 1, error=(0, 2, 9)[k % 3])


def _corners() -> list[Instance]:
    return [
        Instance(prompt=[0], output=[1], memory=1, name="one token"),
        Instance(prompt=[2], output=[3], memory=5, name="one request, all of memory"),
        Instance(prompt=[0, 0], output=[1, 2], memory=2, name="two"),
        Instance(prompt=[1, 1, 1], output=[2, 2, 2], memory=6, name="equal"),
        Instance(prompt=[3, 2, 1, 0], output=[1, 2, 3, 4], memory=4, name="one at a time"),
        Instance(prompt=[0, 0, 0], output=[3, 1, 2], memory=3, arrival=[0, 0, 1], predicted=[1, 1, 1], name="too low"),
        Instance(prompt=[1, 2, 0], output=[2, 3, 4], memory=6, arrival=[0, 50, 100], name="far apart"),
        Instance(prompt=[2, 2, 2], output=[3, 3, 3], memory=5, arrival=[0, 3, 6], name="arrivals on completions"),
    ]


def _random(rng: np.random.Generator, n: int, online: bool, error: int) -> Instance:
    memory = int(rng.integers(4, 40))
    prompt = rng.integers(0, max(1, memory // 2), n)
    output = 1 + rng.integers(0, memory - prompt)
    if rng.random() < 0.3:
        output = np.minimum(output, 4)
    predicted = np.maximum(1, output + rng.integers(-error, error + 1, n))
    spread = rng.integers(0, error + 1, n)
    return Instance(
        prompt=prompt,
        output=output,
        memory=memory,
        arrival=np.sort(rng.integers(0, 2 * n, n)) if online else None,
        predicted=predicted,
        predicted_low=np.maximum(1, output - spread),
        predicted_high=output + spread,
    )


__all__ = ["FULL", "cases"]
