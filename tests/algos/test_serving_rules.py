"""Serving policies in unit rounds (docs/policies.md, section 8.1): cases by hand, and the serving model beside them."""

import numpy as np
import pytest
from twin_cases import random_instance

from algos import reference, schedule, serving
from algos.registry import card
from algos.serving.cards import Case
from algos.serving.machine import Machine
from kvratio import Instance, check
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, RoundLimit
from kvratio.problem.requests import Requests

ALONE = Clock(1.0, 0.0)


def attempts(inst, policy, **params):
    """Return the attempts as (request, start, stop, completed), which both engines must give and the judge accept."""
    sch = schedule(inst, policy, **params)
    check(inst, sch)
    slow = reference.schedule(inst, policy, **params)
    assert sch.attempts.tolist() == slow.attempts.tolist()
    return sch.attempts.tolist()


# -- by hand --------------------------------------------------------------------------------------------------------
def test_wait_freezes_a_type_until_enough_have_come():
    """Two start in round 2, stand still until the last arrival, and are written as running in rounds 5 and 6."""
    inst = Instance(prompt=[1, 1, 1], output=[2, 2, 2], memory=20, arrival=[0, 1, 5])
    assert attempts(inst, "wait", types=2, thresholds=2) == [(0, 4, 6, True), (1, 4, 6, True), (2, 5, 7, True)]


def test_wait_moves_at_most_the_threshold_a_round():
    """In a batch everything is ready: with threshold 1, equal requests start one a round."""
    inst = Instance(prompt=[0] * 4, output=[3] * 4, memory=20)
    assert [start for _, start, _, _ in attempts(inst, "wait")] == [0, 1, 2, 3]


def test_nested_wait_holds_survivors_at_the_boundary():
    """Of two that start together one ends; the other waits at the first cut until arrivals have ended."""
    inst = Instance(prompt=[0, 0, 0], output=[1, 2, 2], memory=20, arrival=[0, 0, 9])
    found = attempts(inst, "nested_wait", cuts=1, thresholds=2)
    assert found == [(0, 0, 1, True), (1, 8, 10, True), (2, 9, 11, True)]


def test_wait_capped_spreads_entries():
    """A cap of 1 on a segment of two ages lets one enter every other round."""
    inst = Instance(prompt=[0, 0, 0], output=[2, 2, 2], memory=20, arrival=[0, 0, 9])
    assert attempts(inst, "wait_capped", cuts=2, caps=1) == [(0, 0, 2, True), (1, 2, 4, True), (2, 9, 11, True)]


def test_sarathi_cuts_prompts_to_its_budget():
    """A prompt of 3 and the token to come need two rounds of a budget of 2: three rounds for two tokens."""
    assert attempts(Instance(prompt=[3], output=[2], memory=9), "sarathi", token_budget=2) == [(0, 1, 3, True)]


def test_evicted_attempts_are_kept():
    """Two requests outgrow the memory after two rounds; the newer one starts again at once."""
    inst = Instance(prompt=[1, 1], output=[3, 3], memory=6)
    assert attempts(inst, "sarathi", watermark=0.0) == [(0, 0, 3, True), (1, 0, 2, False), (1, 2, 5, True)]
    sch = schedule(inst, "sarathi", watermark=0.0)
    assert (sch.evictions, sch.wasted_rounds, sch.wasted_token_rounds) == (1, 2, 5)
    assert sch.first_start.tolist() == [0, 0]


def test_faster_transformer_waits_for_the_whole_group():
    """Two reservations of 3 fill the memory; the third request starts when the longer of the two has ended."""
    inst = Instance(prompt=[0, 0, 0], output=[1, 3, 2], memory=6)
    assert attempts(inst, "faster_transformer") == [(0, 0, 1, True), (1, 0, 3, True), (2, 3, 5, True)]


def test_lightllm_pauses_the_others_for_a_start():
    """The first request stands still in round 3, in which the second one starts."""
    inst = Instance(prompt=[0, 0], output=[3, 2], memory=20, arrival=[0, 1])
    assert attempts(inst, "lightllm", prefill_every=1) == [(0, 1, 4, True), (1, 2, 4, True)]


def test_thresholds_keep_up_with_the_rates_or_are_one():
    """10 requests in 5 rounds ask for 3 a round; where 3 in each stage do not fit, all thresholds are 1."""
    arrival = np.repeat(np.arange(5), 2)
    inst = Instance(prompt=[0] * 10, output=[2] * 10, memory=9, arrival=arrival)
    assert card("wait").settings(inst, {"types": 2})["thresholds"] == (3, 1)
    assert card("wait").settings(inst.replace(memory=8), {"types": 2})["thresholds"] == (1, 1)
    assert card("wait").settings(inst.replace(arrival=None), {"types": 2})["thresholds"] == (1, 1)


def test_unknown_lengths_leave_the_rate_of_arrivals():
    """10 requests in 5 rounds: threshold 3 for every segment, and caps of 3 for each age where M allows them."""
    inst = Instance(prompt=[0] * 10, output=[2] * 10, memory=9, arrival=np.repeat(np.arange(5), 2))
    assert card("nested_wait").settings(inst, {"cuts": 4})["thresholds"] == (3, 3)
    assert card("wait_capped").settings(inst.replace(memory=90), {"cuts": (2, 4)})["caps"] == (6, 6, 1)
    assert card("nested_wait").settings(inst, {"cuts": 2**53})["cuts"] == (9,)


# -- the serving model ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("policy", "here", "there"),
    [
        ("sarathi", {"token_budget": 9}, {"token_budget": 9, "max_batch": None}),
        ("lightllm", {"max_tokens": 8, "prefill_every": 2}, {"max_tokens": 7, "prefill_every": 2, "max_batch": None}),
        ("nested_wait", {"cuts": (4, 9)}, {"cuts": (3, 8, 89), "thresholds": (1, 1, 1)}),
        ("wait_capped", {"cuts": 6, "caps": 4}, {"cuts": (5, 89), "caps": (4, 4)}),
    ],
)
def test_completions_are_those_of_the_serving_model(policy, here, there):
    """With l = s + 1, o - 1 output tokens and a clock of one round `simulate` ends every request at the same time."""
    for seed in range(4):
        drawn = random_instance(np.random.default_rng([seed, 7]))
        inst = drawn.replace(output=np.maximum(drawn.output, 2), memory=90, predicted=None)
        order = np.argsort(inst.arrival, kind="stable")
        requests = Requests(inst.prompt[order] + 1, inst.output[order] - 1, inst.arrival[order])
        run = serving.simulate(requests, policy, ALONE, 90, eviction="restart", **there)
        assert schedule(inst, policy, **here).completion[order].tolist() == run.completion.tolist()


def test_requests_of_rounds_may_have_no_output():
    """Requests refuse an output of 0 from users; made of an instance they are sorted, a round turned into a pass."""
    inst = Instance(prompt=[4, 0], output=[1, 3], memory=6, arrival=[5, 2], predicted=[9, 2])
    made = Requests.of_rounds(inst)
    columns = (made.prompt, made.output, made.arrival, made.predicted)
    assert [column.tolist() for column in columns] == [[1, 5], [2, 0], [2.0, 5.0], [1, 1]]
    assert not made.output.flags.writeable


def test_the_log_of_evictions_grows():
    """More evictions than the log has rows at first are all written down, in time order."""
    n = 40
    requests = Requests([1] * n, [30] * n, np.zeros(n))
    case = Case(requests, ALONE, 60, 1, np.zeros(n, bool))
    machine = Machine(serving.card("fcfs"), case, {"max_batch": None}, "restart", track=True)
    machine.advance(np.inf)
    losses = machine.losses
    assert len(losses) == machine.run().evictions.sum() > 4 * n
    assert (np.diff(losses["time"]) >= 0).all()
    with pytest.raises(BadParameter, match="restart"):
        Machine(serving.card("fcfs"), case, {"max_batch": None}, "swap", track=True)


# -- bad use --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("policy", "given", "message"),
    [
        ("wait", {"types": (4, 2)}, "do not rise"),
        ("wait", {"types": 4, "thresholds": (1, 2, 3)}, "3 thresholds for the 2 types"),
        ("nested_wait", {"thresholds": 0}, "whole numbers >= 1"),
        ("wait_capped", {"cuts": (2, 4), "caps": (1, 1)}, "2 caps for the 3 segments"),
        ("sarathi", {"token_budget": 0}, "token_budget"),
    ],
)
def test_bad_parameters_are_one_clear_error(policy, given, message):
    """What does not fit together is refused in one line."""
    with pytest.raises(BadParameter, match=message):
        schedule(Instance(prompt=[1], output=[2], memory=9), policy, **given)


def test_rounds_are_limited_and_must_be_told_apart():
    """A run past the limit is refused, and so are arrivals that a float64 cannot tell apart."""
    inst = Instance(prompt=[1] * 9, output=[3] * 9, memory=4)
    with pytest.raises(RoundLimit, match="nested_wait"):
        schedule(inst, "nested_wait", round_limit=5)
    with pytest.raises(BadParameter, match="2\\^53"):
        schedule(inst.replace(arrival=[2**53] * 9), "nested_wait")
