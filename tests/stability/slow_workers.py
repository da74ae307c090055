"""Slow workers in plain Python, written from the rules of the simulators: lists of requests, or requests by stage."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Request:
    """One request: lengths, what it holds, what it has to prefill, what it has produced."""

    prompt: int
    output: int
    held: int = 0
    to_prefill: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self.to_prefill = self.prompt

    def after(self, chunk: int) -> int:
        """Return the footprint after one more slot."""
        return min(self.held + chunk, self.to_prefill) if self.held < self.to_prefill else self.held + 1


class Bucket:
    """Tokens for admissions: earned in every iteration, some of the unused kept; an empty worker needs none."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst, self.left = rate, burst, 0.0

    def earn(self) -> None:
        """Begin an iteration."""
        self.left = min(self.left, self.burst) + self.rate

    def pay(self, empty: bool) -> bool:
        """Pay for one admission, and say whether it could be paid."""
        if self.left < 1 and not empty:
            return False
        self.left = max(self.left - 1, 0.0)
        return True


def slot_rows(
    lengths: list[tuple[int, int]],
    memory: int,
    chunk: int,
    eviction: str,
    slots: int,
    arrivals: list[int] | None = None,
    cap: float = float("inf"),
    burst: float = 1.0,
) -> list[tuple[int, ...]]:
    """Return used, admitted, evicted, completed, resident and waiting of each slot."""
    fresh = [Request(s, o) for s, o in lengths]
    queue: list[Request] = []
    residents: list[Request] = []
    bucket, rows = Bucket(cap, burst), []
    for t in range(slots):
        for _ in range(len(fresh) if arrivals is None and t == 0 else (0 if arrivals is None else arrivals[t])):
            queue.append(fresh.pop(0))
        evicted = admitted = completed = 0
        while sum(r.after(chunk) for r in residents) > memory:
            victim = residents.pop()
            if eviction != "swap":
                victim.held = 0
                victim.made = 0 if eviction == "restart" else victim.made
                victim.to_prefill = victim.prompt + victim.made
            queue.insert(0, victim)
            evicted += 1
        bucket.earn()
        while queue and sum(r.after(chunk) for r in [*residents, queue[0]]) <= memory and bucket.pay(not residents):
            residents.append(queue.pop(0))
            admitted += 1
        used, resident = sum(r.after(chunk) for r in residents), len(residents)
        for r in list(residents):
            decodes = r.held >= r.to_prefill
            r.held = r.after(chunk)
            r.made += decodes
            if r.held >= r.to_prefill and r.made == r.output:
                residents.remove(r)
                completed += 1
        rows.append((used, admitted, evicted, completed, resident, len(queue) if arrivals is not None else 0))
    return rows


def stage_rows(
    prompt: list[int],
    decode: list[int],
    memory: int,
    steps: int,
    kinds: Any,
    *,
    start: list[list[int]] | None = None,
    queued: int | None = None,
    arrivals: list[int] | None = None,
    cap: float = float("inf"),
    burst: float = 1.0,
) -> tuple[list[tuple[int, ...]], list[list[int]]]:
    """Return used, admitted, evicted, completed and waiting of each row, and the last state as requests by stage."""
    classes, d = range(len(prompt)), max(decode)
    x = [list(row) + [0] * (d - len(row)) for row in start] if start else [[0] * d for _ in classes]
    turn, bucket, rows, queue = 0, Bucket(cap, burst), [], queued

    def used() -> int:
        return sum(x[k][j] * (prompt[k] + 1 + j) for k in classes for j in range(d))

    for t in range(steps + 1):
        admitted = evicted = completed = 0
        if t > 0:
            for k in classes:
                completed += x[k][decode[k] - 1]
                x[k][decode[k] - 1] = 0
                x[k] = [0, *x[k][:-1]]
            if queue is not None and arrivals is not None:
                queue += arrivals[t - 1]
        if t > 0 or start is None:
            for j in range(d):
                while used() > memory and any(x[k][j] for k in classes):
                    k = max(classes, key=lambda k: x[k][j])
                    x[k][j] -= 1
                    evicted += 1
            if queue is not None:
                queue += evicted
            bucket.earn()
            while queue is None or queue > 0:
                k = kinds[turn]
                if used() + prompt[k] + 1 > memory or not bucket.pay(used() == 0):
                    break
                x[k][0] += 1
                turn += 1
                admitted += t > 0
                queue = None if queue is None else queue - 1
        rows.append((used(), admitted, evicted, completed, queue or 0))
    return rows, x
