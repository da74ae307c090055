"""A replay writes the tokens of one-by-one generation, holds no more than M, and does what its schedule says."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_model import alone, batch_instance, executor, model, online_instance, source

import algos.reference
from gpu_validate.faults import ReplayFault
from gpu_validate.one_by_one import differences
from gpu_validate.replay import replay, texts
from gpu_validate.timeline import Timeline
from kvratio.problem import ATTEMPT_DTYPE, Instance, Schedule

POLICIES = sorted(algos.reference.POLICIES)


def replayed(schedule, dtype="float32"):
    """Replay on an executor of its own, watching the slots held in every round."""
    timeline, held = Timeline(schedule), []
    room = executor(schedule.instance, dtype)
    try:
        return replay(timeline, room, watch=lambda step, slots: held.append(slots)), timeline, held
    finally:
        room.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_tokens_and_counts_of_every_policy(policy):
    """Tokens equal one-by-one generation; slots held are the memory of each round; counts are the schedule's."""
    inst = batch_instance()
    schedule = algos.reference.schedule(inst, policy)
    done, timeline, held = replayed(schedule)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(done.tokens, alone(inst), strict=True))
    assert held == timeline.loads.cached.tolist()
    assert max(held) <= inst.memory
    lost = int((~schedule.attempts["completed"]).sum())
    assert (done.counts["kills"], done.counts["completions"]) == (lost, inst.n) == (schedule.evictions, inst.n)
    busy = {t for _, start, stop, _ in schedule.attempts.tolist() for t in range(start + 1, stop + 1)}
    assert done.counts["iterations"] == len(busy)
    assert done.counts["peak_tokens"] == max(held)


def test_some_policies_killed():
    """The test above is about kills too: at least ten policies restart requests on that instance."""
    kills = [algos.reference.schedule(batch_instance(), policy).evictions for policy in POLICIES]
    assert sum(count > 0 for count in kills) >= 10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("eviction", ["restart", "recompute", "swap"])
def test_every_kind_of_eviction(eviction, dtype):
    """What was kept as text or in host memory goes on exactly where it stopped."""
    inst = batch_instance()
    schedule = algos.reference.schedule(inst, "vllm_fcfs", eviction=eviction)
    assert schedule.evictions > 0
    done, timeline, held = replayed(schedule, dtype)
    assert not differences(model(dtype), texts(inst, 256), done.tokens, alone(inst, dtype))
    assert held == timeline.loads.cached.tolist()
    assert (timeline.loads.moved.sum() > 0) == (eviction == "swap")


@pytest.mark.parametrize("policy", ["mc_sf", "vllm_fcfs", "gsa"])
def test_arrivals(policy):
    """With arrivals, idle rounds are left out, and latency counts from the epoch of arrival."""
    inst = online_instance()
    schedule = algos.reference.schedule(inst, policy)
    done, timeline, held = replayed(schedule)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(done.tokens, alone(inst), strict=True))
    assert held == timeline.loads.cached.tolist()
    passed = np.array([np.sum(timeline.loads.number <= epoch) for epoch in range(schedule.makespan + 1)])
    steady = type(done)(schedule, done.rounds, np.ones(len(done.seconds)), done.counts)
    assert np.allclose(steady.latency, passed[schedule.completion] - passed[inst.arrival])


def test_empty_cache_between_runs():
    """An executor can be used again with another M, and then holds no more than that."""
    inst = batch_instance()
    small = inst.replace(memory=int(inst.peak.max()))
    room = executor(inst)
    try:
        replay(Timeline(algos.reference.schedule(inst, "fcfs")), room)
        done = replay(Timeline(algos.reference.schedule(small, "fcfs")), room)
    finally:
        room.close()
    assert room.cache.memory == small.memory
    assert done.counts["peak_tokens"] <= small.memory


def test_cache_refuses_one_token_too_many():
    """The cache itself cannot hold more than M, whatever it is asked for."""
    room = executor(batch_instance())
    try:
        room.open(24, [[1], [1]])
        room.cache.give(0, 23)
        with pytest.raises(ReplayFault, match="request 1 needs 2 more tokens; the cache of 24 holds 23"):
            room.cache.give(1, 2)
    finally:
        room.close()


def test_single_requests():
    """One token of output, an empty prompt, and a request that fills the memory."""
    for prompt, output in ((0, 1), (0, 7), (6, 1), (1, 6)):
        inst = Instance([prompt], [output], prompt + output)
        done, _, _ = replayed(Schedule.from_starts(inst, [0]))
        assert np.array_equal(done.tokens[0], alone(inst)[0])


def test_killed_again_and_again():
    """Attempts of a request that are cut at every length leave nothing behind."""
    inst = Instance([2, 3], [5, 4], 14)
    rows = [(0, 0, 1, False), (0, 1, 3, False), (1, 1, 5, True), (0, 5, 9, False), (0, 9, 14, True)]
    schedule = Schedule.from_attempts(inst, np.array(rows, dtype=ATTEMPT_DTYPE))
    done, _, _ = replayed(schedule)
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(done.tokens, alone(inst), strict=True))
    assert done.counts["kills"] == 3


def test_a_wrong_token_is_found():
    """The judge of tokens names the first wrong one and how clear the choice was."""
    inst = batch_instance()
    tampered = [row.copy() for row in alone(inst)]
    tampered[4][2] = (tampered[4][2] + 1) % source().shape.vocabulary
    found = differences(model(), texts(inst, 256), tampered, alone(inst))
    assert [(one.request, one.place) for one in found] == [(4, 2)]
    assert found[0].gap > 0


def test_model_gets_its_attention_back():
    """After an executor is closed the model generates as before."""
    inst = batch_instance()
    before = model().config._attn_implementation
    room = executor(inst)
    assert model().config._attn_implementation != before
    room.close()
    assert model().config._attn_implementation == before
