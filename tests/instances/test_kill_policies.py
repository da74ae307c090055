"""Golden numbers of the families aimed at policies that kill, with the tiny policies of their definitions."""

import numpy as np
import pytest

from instances import generate
from kvratio.problem import ATTEMPT_DTYPE, Schedule, check
from kvratio.problem.errors import BadParameter


def current_memory_admission(s, L, M, rounds):
    """Saturated queue of (s, L): while next round overflows evict the newest; admit while next round fits; run."""
    running: list[int] = []  # ages, oldest first
    completed = evictions = 0
    for _ in range(rounds):
        need = sum(s + age + 1 for age in running)
        while need > M:
            need -= s + running.pop() + 1
            evictions += 1
        while need + s + 1 <= M:
            running.append(0)
            need += s + 1
        running = [age + 1 for age in running]
        completed += sum(age == L for age in running)
        running = [age for age in running if age < L]
    return completed, evictions


@pytest.mark.parametrize(
    ("s", "L", "M", "share", "per_completion"),
    [(1, 49, 500, 0.520, 44.0), (10, 50, 1000, 0.580, 7.2), (1, 199, 4000, 0.505, 213.7)],
)
def test_eviction_cycle_wastes_half_of_the_throughput(s, L, M, share, per_completion):
    """Completed volume over M R, and evictions per completion, are the published ones after R = 200 L rounds."""
    rounds = 200 * L
    completed, evictions = current_memory_admission(s, L, M, rounds)
    volume = s * L + L * (L + 1) // 2
    assert completed * volume / (M * rounds) == pytest.approx(share, abs=5e-4)
    assert evictions / completed == pytest.approx(per_completion, abs=0.05)


def test_eviction_cycle_holds_enough_requests():
    """The queue has M R identical requests, and R defaults to 200 L."""
    inst = generate("eviction_cycle", prompt=2, output=3, memory=10)
    assert inst.n == 10 * 600
    assert inst.info["parameters"]["rounds"] == 600
    assert generate("eviction_cycle", prompt=1, output=49, memory=500, rounds=7).n == 3500


def test_eviction_cycle_refuses_a_queue_beyond_memory():
    """A queue too long to store is refused with the rounds that would do."""
    with pytest.raises(BadParameter, match="rounds <= 5000"):
        generate("eviction_cycle", prompt=1, output=199, memory=4000)


def kill_for_smaller(inst):
    """Keep or start, at each epoch, the longest prefix by (volume, number) of all present that fits; kill the rest."""
    s, o, a = inst.prompt.tolist(), inst.output.tolist(), inst.arrival.tolist()
    order = sorted(range(inst.n), key=lambda i: (int(inst.volume[i]), i))
    started: dict[int, int] = {}
    rows, done, t = [], set(), 0
    while len(done) < inst.n:
        for i in [i for i, x in started.items() if x + o[i] == t]:
            rows.append((i, started.pop(i), t, True))
            done.add(i)
        need, full = 0, False
        for i in order:
            if i in done or a[i] > t:
                continue
            need += s[i] + t - started.get(i, t) + 1
            full = full or need > inst.memory
            if full and i in started:
                rows.append((i, started.pop(i), t, False))
            elif not full:
                started.setdefault(i, t)
        t += 1
    return Schedule.from_attempts(inst, np.array(rows, dtype=ATTEMPT_DTYPE))


@pytest.mark.parametrize("period", [1, 2, 6, 20, 40])
def test_kill_thrash_costs_the_killer_what_it_forces(period):
    """Killing for each smaller arrival pays P^2 + 2P, and its schedule passes the checker."""
    inst = generate("kill_thrash", period=period)
    schedule = kill_for_smaller(inst)
    check(inst, schedule)
    assert schedule.total_flow == inst.info["forced_cost"] == period**2 + 2 * period
