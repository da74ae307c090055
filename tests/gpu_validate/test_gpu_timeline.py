"""Schedules as iterations; no model needed."""

import numpy as np
import pytest

import algos.reference
from gpu_validate.need import Need, need_of
from gpu_validate.predict import predict, seconds_bound
from gpu_validate.shapes import SHAPES
from gpu_validate.timeline import Ending, Timeline
from kvratio.problem import ATTEMPT_DTYPE, Clock, Instance, Schedule
from kvratio.problem.errors import InfeasibleSchedule


def made(rows, inst, eviction="restart"):
    """A schedule from rows of attempts."""
    return Schedule.from_attempts(inst, np.array(rows, dtype=ATTEMPT_DTYPE), eviction)


INST = Instance([2, 3], [5, 4], 14)
KILLED = [(0, 0, 2, False), (1, 1, 5, True), (0, 7, 12, True)]


def test_rounds_by_hand():
    """Admissions, kills and completions stand at their rounds; rounds 6 and 7, in which nobody runs, are left out."""
    steps = list(Timeline(made(KILLED, INST)))
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
    assert [step.running for step in steps[:3]] == [(0,), (0, 1), (1,)]
    assert [step.admitted for step in steps if step.admitted] == [(0,), (1,), (0,)]
    assert steps[2].endings == (Ending(0, False),)
    assert steps[5].endings == (Ending(1, True),)
    assert Timeline(made(KILLED, INST)).last_endings == (Ending(0, True),)


def test_loads_by_hand():
    """K is the sum of s + j, P the prompts of the admitted; under recompute the kept tokens are read again."""
    loads = Timeline(made(KILLED, INST)).loads
    assert loads.cached.tolist() == [3, 4 + 4, 5, 6, 7, 3, 4, 5, 6, 7]
    assert loads.prompt.tolist() == [2, 3, 0, 0, 0, 2, 0, 0, 0, 0]
    kept = [(0, 0, 2, False), (1, 1, 5, True), (0, 7, 10, True)]
    loads = Timeline(made(kept, INST, "recompute")).loads
    assert loads.cached.tolist()[-3:] == [5, 6, 7]
    assert loads.prompt.tolist()[-3:] == [4, 0, 0]
    loads = Timeline(made(kept, INST, "swap")).loads
    assert loads.prompt.tolist()[-3:] == [0, 0, 0]
    assert loads.moved.tolist() == [0, 0, 3, 0, 0, 3, 0, 0]  # 2 + 2 - 1 tokens are written when it is stopped


@pytest.mark.parametrize("policy", ["fcfs", "gsa", "vllm_fcfs", "fastserve_mlfq"])
def test_loads_are_the_memory_curve(policy):
    """K of a round is the demand that the schedule's own memory curve gives for it."""
    draw = np.random.default_rng(1)
    inst = Instance(draw.integers(0, 5, 15), draw.integers(1, 9, 15), 25, np.sort(draw.integers(0, 30, 15)))
    schedule = algos.reference.schedule(inst, policy)
    loads = Timeline(schedule).loads
    epoch, first, last = schedule.memory_curve()
    demand = np.zeros(schedule.makespan + 1, np.int64)
    for k in range(len(epoch) - 1):
        demand[epoch[k] + 1 : epoch[k + 1] + 1] = np.linspace(first[k], last[k], epoch[k + 1] - epoch[k]).round()
    assert np.array_equal(demand[loads.number], loads.cached)
    assert demand.sum() == loads.cached.sum()


def test_infeasible_schedule_is_refused():
    """A timeline is only made of what the checker accepts."""
    inst = Instance([2, 3], [5, 4], 9)
    with pytest.raises(InfeasibleSchedule):
        Timeline(made([(0, 0, 5, True), (1, 0, 4, True)], inst))


def test_prediction_by_hand():
    """Each round lasts d0 + d1 K + d2 P; latency and time to the first token follow."""
    inst = Instance([2, 3], [2, 1], 10, [0, 1])
    timeline = Timeline(Schedule.from_starts(inst, [0, 1]))
    told = predict(timeline, Clock(1.0, 0.1, 0.01))
    assert told.seconds == pytest.approx([1 + 0.3 + 0.02, 1 + 0.8 + 0.03])
    assert told.latency == pytest.approx([1.32 + 1.83, 1.83])
    assert told.ttft == pytest.approx([1.32, 1.83])


@pytest.mark.parametrize("clock", [Clock(1.0, 0.0), Clock(0.0, 1.0), Clock(0.0, 0.0, 1.0), Clock(0.01, 1e-4, 1e-3)])
def test_seconds_bound_is_below_every_policy(clock):
    """No policy's predicted total latency is below the bound in seconds; with d0 alone it is the bound in rounds."""
    draw = np.random.default_rng(2)
    for _ in range(5):
        inst = Instance(draw.integers(0, 6, 12), draw.integers(1, 12, 12), 30)
        schedules = [algos.reference.schedule(inst, p) for p in ("mc_sf", "svf", "gsa", "vllm_fcfs", "sorted_f")]
        lower = min(schedule.total_completion for schedule in schedules) if clock.d1 == clock.d2 == 0 else inst.n
        floor = seconds_bound(inst, lower, clock)
        assert floor is not None
        totals = [float(predict(Timeline(schedule), clock).latency.sum()) for schedule in schedules]
        assert floor <= min(totals) * (1 + 1e-12)
        if clock.d1 == clock.d2 == 0:
            assert floor == pytest.approx(min(totals))


def test_seconds_bound_is_reached():
    """Alone in its memory at each time, shortest first, a batch attains the bound."""
    inst = Instance([1, 2, 3], [2, 3, 4], 7)
    serial = Timeline(Schedule.from_starts(inst, [0, 2, 5]))
    clock = Clock(0.5, 0.25, 0.125)
    assert seconds_bound(inst, 2 + 5 + 9, clock) == pytest.approx(float(predict(serial, clock).latency.sum()))
    assert seconds_bound(inst.replace(arrival=[0, 0, 1]), 16, clock) is None


def test_bytes_by_hand():
    """A token of Llama-2-7B takes 512 KiB of cache in two bytes, one of Llama-3-8B a quarter of that."""
    assert SHAPES["llama-2-7b"].token_bytes("bfloat16") == 2 * 32 * 32 * 128 * 2 == 512 * 1024
    assert SHAPES["llama-3-8b"].token_bytes("bfloat16") == 128 * 1024
    assert SHAPES["llama-2-7b"].parameters == 6_738_415_616
    assert SHAPES["llama-3-8b"].parameters == 8_030_261_248


def test_need_shows_its_arithmetic():
    """The sum is M slots, the weights and a workspace, written out."""
    need = need_of(Timeline(made(KILLED, INST)), SHAPES["tiny"], "float32")
    assert isinstance(need, Need)
    assert need.cache == 14 * 2 * 2 * 2 * 16 * 4
    assert "M = 14 tokens x 512 bytes (2 x 2 layers x 2 key-value heads x 16 x 4 bytes)" in need.arithmetic()
