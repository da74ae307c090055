"""The judge accepts feasible schedules and refuses each kind of lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio import Instance, Schedule, check
from kvratio.problem.errors import InfeasibleSchedule
from kvratio.problem.schedule import ATTEMPT_DTYPE

INST = Instance(prompt=[2, 2, 2], output=[3, 1, 2], memory=8, arrival=[0, 0, 1])
GOOD = [(0, 0, 1, False), (0, 2, 5, True), (1, 0, 1, True), (2, 1, 3, True)]


def made(rows, eviction="restart", inst=INST, **changes):
    """Schedule with the totals its attempts imply, then changed by hand."""
    sch = Schedule.from_attempts(inst, np.array(rows, dtype=ATTEMPT_DTYPE), eviction)
    for name, value in changes.items():
        object.__setattr__(sch, name, value)
    return sch


def test_a_feasible_schedule_with_a_kill_passes():
    """The judge is silent about a correct schedule, and the totals are right."""
    sch = made(GOOD)
    check(INST, sch)
    assert (sch.total_completion, sch.total_flow, sch.evictions) == (9, 8, 1)
    assert (sch.wasted_rounds, sch.wasted_token_rounds) == (1, 3)
    assert sch.ttft.tolist() == [3, 1, 1]


BAD = {
    "starts before arrival": ([(0, 0, 3, True), (1, 0, 1, True), (2, 0, 2, True)], "before its arrival"),
    "too short": ([(0, 0, 2, True), (1, 0, 1, True), (2, 3, 5, True)], "completes at 2 with 2 tokens"),
    "too long": ([(0, 0, 4, True), (1, 0, 1, True), (2, 5, 7, True)], "completes at 4 with 4 tokens"),
    "killed after its end": ([(0, 0, 3, False), (0, 9, 12, True), (1, 4, 5, True), (2, 5, 7, True)], "is evicted at 3"),
    "never completes": ([(0, 0, 3, True), (2, 3, 5, True)], "request 1 completes 0 times"),
    "completes twice": ([(0, 0, 3, True), (0, 4, 7, True), (1, 3, 4, True), (2, 8, 10, True)], "completes 2 times"),
    "overlap": ([(0, 0, 2, False), (0, 1, 4, True), (1, 5, 6, True), (2, 6, 8, True)], "starts again at 1"),
    "runs after completion": (
        [(0, 0, 3, True), (0, 4, 5, False), (1, 6, 7, True), (2, 7, 9, True)],
        "runs again after it completed",
    ),
    "no rounds": ([(0, 0, 3, True), (1, 3, 3, False), (1, 3, 4, True), (2, 4, 6, True)], "no rounds"),
    "memory": ([(0, 0, 3, True), (1, 2, 3, True), (2, 1, 3, True)], "round 3 needs 12 of 8"),
    "unknown request": ([(0, 0, 3, True), (1, 3, 4, True), (7, 4, 6, True)], "names request 7"),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD.keys())
def test_infeasible_schedules_are_refused(rows, message):
    """Each broken rule is named with request, round or memory."""
    rows = np.array(rows, dtype=ATTEMPT_DTYPE)
    sch = made(GOOD)
    object.__setattr__(sch, "attempts_source", rows)
    with pytest.raises(InfeasibleSchedule, match=message):
        check(INST, sch)


@pytest.mark.parametrize(
    "changes",
    [
        {"completion": np.array([5, 1, 4])},
        {"start": np.array([2, 0, 2])},
        {"evictions": 0},
        {"wasted_rounds": 0},
        {"wasted_token_rounds": 4},
        {"recomputed_tokens": 1},
    ],
)
def test_totals_that_do_not_follow_from_the_attempts_are_refused(changes):
    """A schedule cannot claim better numbers than its attempts give."""
    with pytest.raises(InfeasibleSchedule, match="stated"):
        check(INST, made(GOOD, **changes))


def test_another_instance_is_refused():
    """A schedule is judged on the instance it was made for."""
    with pytest.raises(InfeasibleSchedule, match="another instance"):
        check(INST.replace(memory=9), made(GOOD))


def test_recompute_keeps_progress_and_counts_repeated_tokens():
    """Under recompute the lengths add up, memory continues at the old age, and s + g tokens are counted again."""
    inst = Instance([2], [3], 8)
    rows = [(0, 0, 2, False), (0, 4, 5, True)]
    sch = made(rows, "recompute", inst)
    check(inst, sch)
    assert (sch.recomputed_tokens, sch.wasted_rounds, sch.evictions) == (4, 0, 1)
    check(inst, made(rows, "swap", inst))
    with pytest.raises(InfeasibleSchedule, match="completes at 5 with 1 tokens"):
        check(inst, made(rows, "restart", inst))


@given(
    rows=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(0, 9)), min_size=1, max_size=7),
    memory=st.integers(12, 30),
)
def test_memory_verdict_equals_a_count_round_by_round(rows, memory):
    """The event-based check agrees with adding up every round by hand."""
    s, o, x = (list(column) for column in zip(*rows, strict=True))
    inst = Instance(s, o, memory)
    sch = Schedule.from_starts(inst, x)
    horizon = max(x) + max(o)
    use = [sum(si + t - xi for si, oi, xi in rows_of(s, o, x) if xi < t <= xi + oi) for t in range(1, horizon + 1)]
    if max(use) <= memory:
        check(inst, sch)
        epoch, first, last = sch.memory_curve()
        assert max(last) == max(use)
        assert all(use[e] == f for e, f in zip(epoch[:-1], first[:-1], strict=True))
    else:
        with pytest.raises(InfeasibleSchedule, match="round"):
            check(inst, sch)


def rows_of(*columns):
    """Rows of parallel columns."""
    return list(zip(*columns, strict=True))


def test_schedule_files_give_back_an_equal_schedule(tmp_path):
    """Saving and loading a schedule with kills changes nothing."""
    sch = made(GOOD)
    back = Schedule.load(sch.save(tmp_path / "schedule.json"))
    assert back == sch
    assert back.wasted_token_rounds == sch.wasted_token_rounds
    check(INST, back)
