"""Golden values of docs/families.md that a single policy on an explicit instance reproduces."""

from math import floor, sqrt
from typing import Any

import pytest

from algos.reference import POLICIES, schedule
from algos.reference.intervals import UpperBoundFirst
from kvratio.problem import Instance, check

Request = tuple[int, int, int]  # arrival, prompt, output


def instance(memory: int, requests: list[Request]) -> Instance:
    """Build an instance from (a, s, o) triples."""
    arrival, prompt, output = zip(*requests, strict=True)
    return Instance(prompt=list(prompt), output=list(output), memory=memory, arrival=list(arrival))


def flow(inst: Instance, policy: str, **params: Any) -> int:
    """Return the total flow of a schedule that passes the checker."""
    sch = schedule(inst, policy, **params)
    check(inst, sch)
    return sch.total_flow


A16 = instance(16, [(0, 1, 15)] + 8 * [(12, 1, 1)])
A36 = instance(36, [(0, 1, 35)] + 18 * [(30, 1, 1)])
B12 = instance(12, [(0, 1, 11)] + [(k, 11, 1) for k in range(1, 12)])
C16 = instance(16, 4 * [(0, 15, 1)] + 8 * [(0, 1, 2)])
D16 = instance(16, 2 * [(0, 1, 6)] + 8 * [(0, 7, 1)])
E36 = instance(36, [(0, 1, 6)] + 4 * [(0, 35, 1)])
E36_GENERATED = instance(36, [(0, 1, 7)] + 4 * [(0, 35, 1)])
F12 = instance(12, [(0, 1, 11), (0, 11, 1)] + 12 * [(0, 1, 1)])
G20 = instance(20, 16 * [(0, 1, 4)])
J14 = instance(14, [(0, 8, 6)] + [(6 * k - 1, 13, 1) for k in range(1, 7)])


@pytest.mark.parametrize(
    ("inst", "costs"),
    [
        (A16, (44, 44, 44, 44)),
        (A36, (126, 126, 126, 126)),
        (B12, (132, 132, 132, 132)),
        (C16, (64, 64, 48, 48)),
        (D16, (57, 40, 57, 40)),
        (E36, (40, 20, 40, 40)),
        (E36_GENERATED, (45, 21, 45, 45)),
        (F12, (185, 45, 45, 35)),
        (G20, (160, 160, 160, 160)),
        (J14, (13, 13, 13, 13)),
    ],
    ids=["A16", "A36", "B", "C", "D", "E6", "E7", "F", "G", "J"],
)
def test_small_instances(inst: Instance, costs: tuple[int, ...]) -> None:
    """Total flow of fcfs, mc_sf, tsf and svf is that of the table of section 4."""
    assert tuple(flow(inst, policy) for policy in ("fcfs", "mc_sf", "tsf", "svf")) == costs


@pytest.mark.parametrize(("memory", "cost"), [(100, 489), (400, 3304), (1600, 23909)])
@pytest.mark.parametrize("policy", ["mc_sf", "svf", "svf_sps"])
def test_burst_trap(memory: int, cost: int, policy: str) -> None:
    """A policy that starts the long request at once pays the forced cost on family A."""
    width = floor(sqrt(memory) + 0.5)
    burst = [(memory - width, 1, 1)] * (memory // 2)
    if policy == "svf_sps":  # it also spreads the burst, so it pays more than what is forced
        assert flow(instance(memory, [(0, 1, memory - 1), *burst]), policy) >= cost
    else:
        assert flow(instance(memory, [(0, 1, memory - 1), *burst]), policy) == cost


@pytest.mark.parametrize(("memory", "cost"), [(50, 2450), (100, 9900)])
@pytest.mark.parametrize("policy", ["fcfs", "mc_sf", "svf"])
def test_blocker(memory: int, cost: int, policy: str) -> None:
    """Family B costs P^2 + P for every policy that starts the long request at once."""
    assert flow(instance(memory, [(0, 1, memory - 1)] + [(k, memory - 1, 1) for k in range(1, memory)]), policy) == cost


@pytest.mark.parametrize(("memory", "cost", "witness"), [(64, 5534, 1886), (256, 38446, 6574)])
def test_sf_trap(memory: int, cost: int, witness: int) -> None:
    """On family C mc_sf pays the stated cost and svf the witness."""
    huge = floor(4 * sqrt(memory) + 0.5)
    inst = instance(memory, huge * [(0, memory - 1, 1)] + 2 * memory * [(0, 1, 2)])
    assert (flow(inst, "mc_sf"), flow(inst, "svf")) == (cost, witness)


def test_tsf_trap() -> None:
    """On family D with M = 64 tsf pays 8479."""
    inst = instance(64, 8 * [(0, 1, 30)] + 64 * [(0, 31, 1)])
    assert flow(inst, "tsf") == 8479


def test_svf_trap() -> None:
    """On family E with M = 1000 svf pays 475, and on the variant `half` with M = 2000 it pays 2013."""
    assert flow(instance(1000, [(0, 1, 43)] + 9 * [(0, 999, 1)]), "svf") == 475
    assert flow(instance(2000, [(0, 1, 43)] + 64 * [(0, 999, 1)]), "svf") == 2013


def test_head_of_line() -> None:
    """On family F with M = 50 fcfs pays 2674."""
    assert flow(instance(50, [(0, 1, 49), (0, 49, 1)] + 50 * [(0, 1, 1)]), "fcfs") == 2674


def test_synchronised() -> None:
    """On family G (400, 50, 50, 1000) mc_sf pays 410000 and the evenly spaced timetable 352334."""
    inst = instance(1000, 400 * [(0, 50, 50)])
    assert flow(inst, "mc_sf") == 410000
    assert flow(inst, "sps") == 352334


class AdmitsAtCompletions(UpperBoundFirst):
    """A variant of a_max that tries to admit at epoch 0 and after completions only, not at every epoch."""

    completions = seen = 0

    def completed(self, i: int) -> None:
        """Count completions."""
        self.completions += 1

    def admit(self) -> None:
        """Run the list loop if something has completed since the last time."""
        if self.worker.now == 0 or self.completions > self.seen:
            self.seen = self.completions
            super().admit()


@pytest.mark.parametrize(
    ("stretch", "stated", "every_epoch", "base"),
    [(2, 123060, 116190, 49245), (5, 116590, 107514, 18026), (10, 114840, 102395, 9923)],
)
def test_interval_trap(stretch: int, stated: int, every_epoch: int, base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On family L the stated cost is that of a_max admitting at completions; admitting at every epoch is cheaper."""
    upper, memory = 10 * stretch, 100 * stretch
    count = floor(0.62 * 300 / stretch + 0.5) + 300
    output = [upper] * (count - 300) + [10] * 300
    inst = Instance(prompt=[1] * count, output=output, memory=memory, predicted_high=[upper] * count)
    assert (flow(inst, "a_max"), flow(inst, "mc_sf")) == (every_epoch, base)
    monkeypatch.setitem(POLICIES, "a_max", AdmitsAtCompletions)
    assert flow(inst, "a_max") == stated
