"""Tiny random instances and an enumeration of all schedules that shares nothing with the search."""

from __future__ import annotations

from functools import cache

import numpy as np

from kvratio.problem import Instance


def random_tiny(seed: int, arrivals: bool) -> Instance:
    """Draw up to five requests; prompts and requests repeat now and then."""
    rng = np.random.default_rng([17, seed, arrivals])
    n, M = int(rng.integers(1, 6)), int(rng.integers(3, 13))
    s = rng.integers(0, max(1, M // 2), n)
    o = np.array([int(rng.integers(1, M - x + 1)) for x in s])
    if n > 2 and rng.random() < 0.4:
        s[1], o[1] = s[0], o[0]
    a = rng.integers(0, int(rng.integers(2, 10)), n) if arrivals else np.zeros(n, np.int64)
    if n > 2 and s[1] == s[0] and o[1] == o[0]:
        a[1] = a[0]
    return Instance(s, o, M, a)


def enumerate_optimum(inst: Instance) -> int:
    """Return the least total completion time: at each round any fitting subset of what waits may start.

    A state is (waiting, memory already promised to the coming rounds); nothing is pruned but repetition. Waiting for
    nothing is excluded only when nothing runs and everything has arrived.
    """
    M, n = inst.memory, inst.n
    a, s, o = inst.arrival.tolist(), inst.prompt.tolist(), inst.output.tolist()
    last = max(a)

    @cache
    def best(now: int, waiting: int, promised: tuple[int, ...]) -> int:
        if waiting == 0:
            return 0
        options = []
        ready = [j for j in range(n) if waiting >> j & 1 and a[j] <= now]
        for choice in range(1 << len(ready)):
            chosen = [j for k, j in enumerate(ready) if choice >> k & 1]
            if not chosen and not promised and now >= last:
                continue
            length = max([len(promised), 1, *(o[j] for j in chosen)])
            load = list(promised) + [0] * (length - len(promised))
            for j in chosen:
                for k in range(o[j]):
                    load[k] += s[j] + k + 1
            if max(load) > M:
                continue
            left = waiting & ~sum(1 << j for j in chosen)
            after = load[1:]
            while after and after[-1] == 0:
                after.pop()
            options.append(sum(now + o[j] for j in chosen) + best(now + 1, left, tuple(after)))
        return min(options)

    return best(0, (1 << n) - 1, ())
