"""Runs of the slow simulator whose every number was derived by hand from the rules of the serving model."""

import numpy as np
import pytest

from algos.serving.reference import simulate
from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests, Type

TICK = Clock(1.0, 0.0)


def requests(*rows, arrival=None, **more):
    """Return requests from (prompt, output) pairs, all at time 0 unless said otherwise."""
    prompt, output = zip(*rows, strict=True)
    return Requests(prompt, output, [0.0] * len(rows) if arrival is None else arrival, **more)


def lasted(run):
    """Return how long each iteration took."""
    return (run.iterations["stop"] - run.iterations["start"]).tolist()


@pytest.mark.parametrize(("eviction", "completions"), [("restart", [3, 5]), ("recompute", [3, 4]), ("swap", [3, 4])])
def test_first_worked_example(eviction, completions):
    """Two greedy requests overflow after two iterations; the later one loses what the option says."""
    run = simulate(requests((2, 2), (2, 2)), "fcfs", TICK, 7, eviction)
    assert run.completion.tolist() == completions
    assert run.evictions.tolist() == [0, 1]
    assert not run.cut


@pytest.mark.parametrize(
    ("eviction", "durations", "completions"),
    [
        ("recompute", [3.4, 1.6, 1.8, 1.5, 3.4, 1.5], [8.3, 13.2]),
        ("restart", [3.4, 1.6, 1.8, 2.2, 1.8, 1.4, 1.5], [10.8, 13.7]),
    ],
)
def test_second_worked_example(eviction, durations, completions):
    """Prefills go first, and every iteration lasts what the clock says."""
    run = simulate(requests((2, 3), (2, 3)), "vllm", Clock(1, 0.1, 0.5), 8, eviction, watermark=0.0, log=True)
    assert lasted(run) == pytest.approx(durations, rel=1e-12)
    assert run.completion == pytest.approx(completions, rel=1e-12)
    assert run.evictions.tolist() == [0, 1]


def test_third_worked_example():
    """Four prefills and four decodes fill the memory exactly, and an iteration lasts as long as four arrivals."""
    arrival = np.repeat(np.arange(6.0), 4)
    load = Requests(np.ones(24), np.ones(24), arrival)
    run = simulate(load, "wait", Clock(0.5, 0.5 / 12), 12, log=True, thresholds=[4])
    assert run.counters["peak_footprint"] == 12
    assert run.counters["evictions"] == 0
    assert lasted(run)[1:6] == pytest.approx([1.0] * 5)
    assert run.completion[4:20] == pytest.approx(arrival[4:20] + 2)


def test_greedy_wastes_every_second_iteration_after_a_bad_start():
    """Six prefills and three decodes lead greedy admission into a cycle: 12 prefills, 6 evictions, 6 completions."""
    load = Requests(np.ones(63), np.ones(63), [0.0] * 3 + [0.5] * 60)
    run = simulate(load, "fcfs", TICK, 12, log=True)
    assert run.iterations["prefills"].tolist()[:6] == [3, 6, 0, 12, 0, 12]
    assert run.iterations["decodes"].tolist()[:6] == [0, 3, 6, 0, 6, 0]
    done_by = [int((run.completion <= t).sum()) for t in (2, 3, 4, 5, 6, 7)]
    assert done_by == [3, 9, 9, 15, 15, 21]


def test_swap_is_paid_on_leaving_and_on_returning():
    """Four tokens leave and four return, each token for half a second, in the iteration that follows."""
    run = simulate(requests((2, 2), (2, 2)), "fcfs", Clock(1.0, 0.0, swap=0.5), 7, "swap", log=True)
    assert lasted(run) == [1, 1, 3, 3]
    assert run.completion.tolist() == [5, 8]
    assert run.counters["moved_tokens"] == 8
    assert run.counters["wasted_prefill_tokens"] == run.counters["wasted_decode_tokens"] == 0
    assert run.max_gap.tolist() == [3, 6]


def test_waste_is_counted():
    """A restart loses prompt and tokens; a recomputation has to read prompt and tokens again."""
    restart, recompute = (
        simulate(requests((2, 3), (2, 3)), "vllm", TICK, 8, eviction, watermark=0.0)
        for eviction in ("restart", "recompute")
    )
    assert (restart.counters["wasted_prefill_tokens"], restart.counters["wasted_decode_tokens"]) == (2, 2)
    assert (recompute.counters["wasted_prefill_tokens"], recompute.counters["wasted_decode_tokens"]) == (4, 0)
    assert (restart.counters["emitted_tokens"], recompute.counters["emitted_tokens"]) == (8, 6)
    assert restart.first_token[1] > recompute.first_token[1] == 2


def test_chunks():
    """Prompts share a budget of four tokens; a chunk costs the tokens present after it."""
    run = simulate(requests((6, 2), (3, 1)), "sarathi", Clock(1, 0.1, 0.5), 20, token_budget=4, watermark=0.0, log=True)
    assert lasted(run) == pytest.approx([3.4, 3.8, 2.5, 2.2])
    assert run.iterations["footprint"].tolist() == [6, 9, 10, 12]
    assert run.iterations["prompt_tokens"].tolist() == [4, 4, 1, 0]
    assert run.admitted == pytest.approx([0, 3.4])
    assert run.prefill_done == pytest.approx([7.2, 9.7])
    assert run.first_token == pytest.approx([9.7, 11.9])
    assert run.completion == pytest.approx([11.9, 11.9])


def test_decodes_beyond_the_budget_pause():
    """With a budget of two tokens, the third and youngest request waits for its turn."""
    run = simulate(requests((1, 2), (1, 2), (1, 2)), "sarathi", TICK, 30, token_budget=2, watermark=0.0, log=True)
    assert run.completion.tolist() == [3, 3, 6]
    assert run.iterations["resident"].tolist() == [2, 2, 2, 1, 1, 1]


@pytest.mark.parametrize(("policy", "completions"), [("orca", [2, 4, 5]), ("faster_transformer", [2, 4, 7])])
def test_reservations(policy, completions):
    """Reservations let two in; the third goes at the first end, or when the whole group has ended."""
    run = simulate(requests((2, 1), (2, 3), (2, 2)), policy, TICK, 12)
    assert run.params["max_tokens"] == 3
    assert run.completion.tolist() == completions


@pytest.mark.parametrize(
    ("prefill_every", "memory", "completions"),
    [(2, 20, [3, 6]), (1, 20, [4, 5]), (1, 7, [4, 5]), (1, 6, [4, 7]), (1, 5, [3, 6])],
)
def test_future_peak(prefill_every, memory, completions):
    """A prefill waits for its turn, and for a peak that fits: 6 tokens after the first decode.

    With a memory of 6 the test passes but the newcomer is evicted: the formula lets all grow together from now on,
    while in the prefill batch the newcomer alone moves on.
    """
    load = requests((2, 2), (2, 2), arrival=[0, 0.5])
    run = simulate(load, "lightllm", TICK, memory, prefill_every=prefill_every)
    assert run.completion.tolist() == completions


def test_look_ahead():
    """Two peaks of five tokens do not fit into eight at once: the second starts when they no longer coincide."""
    run = simulate(requests((2, 3), (2, 3)), "mc_sf", TICK, 8)
    assert run.completion.tolist() == [4, 6]
    assert run.admitted.tolist() == [0, 2]


@pytest.mark.parametrize(("policy", "completions"), [("sjf", [3, 8]), ("mc_sf", [3, 8]), ("svf", [8, 5])])
def test_orders(policy, completions):
    """A long prompt with a short answer is first by length and last by volume."""
    run = simulate(requests((10, 2), (1, 4)), policy, TICK, 100, max_batch=1)
    assert run.completion.tolist() == completions


def test_prediction_below_the_truth_overflows():
    """Predictions of one token let both in; the overflow evicts the younger."""
    run = simulate(requests((2, 3), (2, 3), predicted=[1, 1]), "mc_sf", TICK, 8)
    assert run.evictions.tolist() == [0, 1]
    assert run.counters["peak_footprint"] == 8


def test_blocks():
    """Footprints go up in blocks of four tokens while the clock counts tokens."""
    run = simulate(requests((2, 3), (2, 3)), "fcfs", Clock(0.0, 1.0), 8, "recompute", block=4, log=True)
    assert run.iterations["footprint"].tolist() == [8, 8, 8, 8, 4, 8]
    assert run.iterations["cached"].tolist() == [4, 6, 8, 5, 4, 5]
    assert run.completion.tolist() == [23, 32]
    assert run.token_seconds == 8 * (4 + 6 + 8 + 5 + 5) + 4 * 4


def test_refusal():
    """What can never fit is refused, and the clock goes on to its arrival."""
    run = simulate(requests((2, 2), (2, 6), arrival=[0, 9]), "fcfs", TICK, 7)
    assert run.refused.tolist() == [False, True]
    assert run.counters["refused"] == 1
    assert (run.completion[0], run.end, run.busy, run.cut) == (3, 9, 3, False)


@pytest.mark.parametrize(
    ("prompts", "budget", "padded", "first_batches"),
    [([1, 3, 1], 4, True, [1, 1, 1]), ([1, 3, 1], 4, False, [2, 1]), ([9, 1], 4, True, [1, 1]), ([2, 2], 4, True, [2])],
)
def test_prefill_budget(prompts, budget, padded, first_batches):
    """The product of count and longest prompt (or their sum) is limited; one longer prompt goes alone."""
    load = requests(*((prompt, 1) for prompt in prompts))
    run = simulate(load, "vllm", TICK, 100, token_budget=budget, padded_budget=padded, log=True)
    prefills = [count for count in run.iterations["prefills"].tolist() if count]
    assert prefills == first_batches


@pytest.mark.parametrize(("prompts", "together"), [([50, 49], 2), ([50, 50], 1)])
def test_watermark(prompts, together):
    """An admission leaves one token in a hundred free."""
    run = simulate(requests(*((p, 1) for p in prompts)), "vllm", TICK, 100, max_batch=None, log=True)
    assert run.iterations["prefills"][0] == together


def test_watermark_is_waived_when_nobody_is_resident():
    """A request above the watermark starts alone."""
    run = simulate(requests((80, 1), (1, 1)), "vllm", TICK, 100, watermark=0.5, log=True)
    assert run.iterations["prefills"].tolist()[0] == 1
    assert run.completed.all()


@pytest.mark.parametrize("flush", [True, False])
def test_wait(flush):
    """Pairs set off at 1 and 3 and push each other on; what remains completes only with a flush."""
    load = requests(*[(1, 1)] * 4, arrival=[0, 1, 2, 3])
    run = simulate(load, "wait", Clock(0.25, 0.0), 100, thresholds=[2], flush=flush)
    assert run.completion[:2].tolist() == [3.25, 3.25]
    assert run.cut is not flush
    if flush:
        assert run.completion[2:].tolist() == [3.5, 3.5]
    else:
        assert np.isnan(run.completion[2:]).all()
        assert run.end == 3.25
    assert run.token_seconds == pytest.approx(2 * 0.25 + 4 * 1.75 + 6 * 0.25 + (4 * 0.25 if flush else 0))


def test_type_that_is_not_ready_is_frozen():
    """Requests of type 1 keep their memory and do not move while only type 0 is ready."""
    types = (Type(1, 1, 1.0), Type(2, 1, 1.0))
    load = requests((2, 1), (1, 1), (1, 1), (2, 1), arrival=[0, 2, 4, 9], kind=[1, 0, 0, 1], types=types)
    run = simulate(load, "wait", TICK, 100, thresholds=[1, 1], log=True)
    assert run.iterations["start"].tolist() == [0, 2, 4, 9, 10]
    assert run.iterations["footprint"].tolist() == [2, 1 + 3, 1 + 2 + 3, 2 + 3 + 2, 3]
    assert run.completion.tolist() == [10, 5, 10, 11]


def test_admissions_that_do_not_fit_are_dropped():
    """Three are ready but two fit: the latest stays first in the queue until the flush has made room."""
    run = simulate(requests((3, 1), (3, 1), (3, 1)), "wait", TICK, 8, thresholds=[3], log=True)
    assert run.iterations["prefills"].tolist() == [2, 0, 1, 0]
    assert run.completion.tolist() == [2, 2, 4]


def test_nested_wait():
    """A survivor holds its tokens without a new slot until the segment behind the boundary is ready."""
    load = requests((1, 2), *[(1, 1)] * 5, arrival=[0, 0, 5, 5, 10, 10])
    run = simulate(load, "nested_wait", TICK, 100, cuts=[1, 2], thresholds=[2, 1], flush=False, log=True)
    assert run.iterations["start"].tolist() == [0, 5, 10]
    assert run.iterations["footprint"].tolist() == [2, 2 + 4, 2 + 4 + 3]
    assert run.completion[:4].tolist() == [11, 6, 11, 11]
    assert run.token_seconds == 2 + 4 * 4 + 6 + (4 + 2) * 4 + 9


def test_segments_behind_a_boundary_pause():
    """The second segment waits for two survivors although its first one could run."""
    load = requests((1, 2), (1, 2), (1, 1), (1, 1), arrival=[0, 4, 8, 12])
    run = simulate(load, "nested_wait", TICK, 100, cuts=[1, 2], thresholds=[1, 2], flush=False, log=True)
    assert run.iterations["start"].tolist() == [0, 4, 8, 12]
    assert run.iterations["decodes"].tolist() == [0, 1, 1, 3]
    assert run.completion[:3].tolist() == [13, 13, 13]


@pytest.mark.parametrize(("cap", "completions"), [(1, [3, 6, 9]), (2, [3, 4, 6]), (3, [3, 4, 5]), (9, [3, 3, 3])])
def test_capped_segment(cap, completions):
    """A cap over three stages lets one in every third, two of three, and every turn."""
    run = simulate(requests((1, 2), (1, 2), (1, 2)), "wait_capped", TICK, 100, cuts=[2], caps=[cap])
    assert run.completion.tolist() == completions


@pytest.mark.parametrize(
    ("output", "cap", "count", "prefills"),
    [(1, 3, 4, [1, 2, 1]), (1, 5, 6, [2, 3, 1]), (2, 4, 4, [1, 1, 2]), (2, 5, 5, [1, 2, 2])],
)
def test_turns_spread_the_extra_entries(output, cap, count, prefills):
    """The entries of a round of turns add up to the cap; the extra ones come as late as an even spread allows."""
    load = requests(*[(1, output)] * count)
    run = simulate(load, "wait_capped", TICK, 100, cuts=[output], caps=[cap], log=True)
    assert run.iterations["prefills"].tolist() == prefills + [0] * output


@pytest.mark.parametrize(("gate", "completions"), [(True, [4, 4]), (False, [2, 4])])
def test_gate(gate, completions):
    """With the gate a request waits for company, without it goes alone."""
    load = requests((1, 1), (1, 1), arrival=[0, 2])
    run = simulate(load, "wait_capped", TICK, 100, cuts=[1], caps=[4], wait_gate=gate)
    assert run.completion.tolist() == completions


def test_roofline():
    """Up to the knee tokens are computed under cover of reading the weights; beyond it they are charged."""
    clock = RooflineClock(9.3e-3, 2.3e-3, 6.45e-5, 1.04e-3, 1.6e-5, 2.8e-7)
    decodes = 2 * (10.34e-3 + 1.6e-5)
    few = simulate(requests((100, 2)), "fcfs", clock, 1000)
    many = simulate(requests((200, 2)), "fcfs", clock, 1000)
    assert few.end == pytest.approx(10.34e-3 + decodes + 2.8e-7 * (101 + 102))
    assert many.end == pytest.approx(3.34e-3 + 200 * 6.45e-5 + decodes + 2.8e-7 * (201 + 202))


def test_cut_inside_an_iteration():
    """What would end after the cut does not end; its admissions stay resident."""
    run = simulate(requests((2, 2), (2, 2), arrival=[0, 1.5]), "fcfs", TICK, 100, cut=2.5, log=True)
    assert (run.end, run.busy, run.cut, run.counters["iterations"]) == (2.5, 2.0, True, 2)
    assert run.admitted.tolist() == [0, 2]
    assert np.isnan(run.completion).all()
    assert run.token_seconds == 2 + 3 + 0.5 * (4 + 2)


def test_cut_at_the_end_of_an_iteration():
    """A request that completes exactly at the cut has completed."""
    run = simulate(requests((2, 2)), "fcfs", TICK, 100, cut=3.0)
    assert (run.end, run.cut) == (3, False)


def test_promotion():
    """A long request overtaken by short ones is promoted after two iterations and then goes first."""
    load = Requests([1] * 5, [1, 3, 1, 1, 1], [0, 0.5, 0.6, 0.7, 0.8])
    plain = simulate(load, "sjf", TICK, 100, max_batch=1)
    ranked = simulate(load, "ltr", TICK, 100, max_batch=1, starvation=2)
    assert plain.completion.tolist() == [2, 12, 4, 6, 8]
    assert ranked.completion.tolist() == [2, 8, 4, 10, 12]


def test_preemption():
    """A short newcomer takes the place of a long request, unless that is protected."""
    load = requests((2, 6), (2, 1), arrival=[0, 1.5])
    free = simulate(load, "srpt", TICK, 100, max_batch=1)
    kept = simulate(load, "trail", TICK, 100, max_batch=1, protected=0.1)
    assert free.completion.tolist() == [10, 4]
    assert free.evictions.tolist() == [1, 0]
    assert kept.completion.tolist() == [7, 9]
    assert kept.evictions.tolist() == [0, 0]


def test_instance():
    """An instance counts a round as a second and needs one pass more than its rounds."""
    inst = Instance(prompt=[2, 0], output=[3, 1], memory=9, arrival=[4, 6])
    run = simulate(inst, "fcfs", TICK, inst.memory)
    assert run.requests.prompt.tolist() == [2, 1]
    assert run.completion.tolist() == [4, 4]


def test_bad_input():
    """Names and values without meaning are refused in one line."""
    load = requests((2, 2))
    with pytest.raises(UnknownName, match="choose one of"):
        simulate(load, "lifo", TICK, 10)
    with pytest.raises(UnknownName, match="choose one of"):
        simulate(load, "fcfs", TICK, 10, "burn")
    with pytest.raises(BadParameter, match="no parameter 'speed'"):
        simulate(load, "fcfs", TICK, 10, speed=3)
    with pytest.raises(BadParameter, match="thresholds"):
        simulate(load, "wait", TICK, 10)
    with pytest.raises(BadParameter, match="below the largest output"):
        simulate(load, "wait_capped", TICK, 10, cuts=[1], caps=[1])
    with pytest.raises(BadParameter, match="it allows"):
        simulate(load, "srpt", TICK, 10, "swap")
