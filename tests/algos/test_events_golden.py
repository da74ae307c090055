"""Golden values of docs/policies.md section 9 for the compiled event policies, and cases checked by hand."""

import numpy as np
import pytest
from hypothesis import given
from twin_cases import instances

from algos import schedule
from kvratio import Instance, check
from kvratio.problem.errors import BadParameter, RoundLimit

I1 = Instance(prompt=[2] * 8, output=[5, 1, 3, 8, 2, 1, 4, 2], memory=14)
I2 = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16)
I3 = Instance(prompt=[1] * 16, output=[4] * 16, memory=20)
I2A = I2.replace(arrival=[0, 2, 1, 0, 5, 3, 3])
I2_PREDICTED = I2.replace(predicted=[5, 3, 1, 4, 6, 5, 2])
LONG_FIRST = Instance(prompt=[96] * 200, output=[160] * 6 + [1] * 194, memory=256)
SHORT_FIRST = Instance(prompt=[96] * 200, output=[1] * 194 + [160] * 6, memory=256)
IDENTICAL = Instance(prompt=[1] * 400, output=[49] * 400, memory=500)

TABLE = [
    ("sjf", {}, [34, 57, 160, 74]),
    ("svf_sps", {}, [34, 57, 151, 69]),
    ("one_bit_svf", {}, [58, 83, 160, 109]),
    ("sorted_f", {}, [34, 56, 160, 69]),
    ("a_max", {}, [126, 100, 544, 107]),
    ("a_max", {"upper": 10}, [126, 114, 304, 116]),
    ("a_min", {}, [44, 69, 160, 92]),
    ("alpha_protection", {}, [59, 114, 804, 139]),
    ("alpha_beta_clearing", {}, [59, 83, 164, 98]),
    ("vllm_fcfs", {}, [57, 69, 160, 84]),
    ("vllm_fcfs", {"admit_after_evict": False}, [53, 70, 160, 88]),
    ("orca", {}, [126, 130, 160, 143]),
    ("s3", {}, [68, 146, 160, 146]),
    ("rate_capped", {}, [68, 86, 158, 101]),
    ("rate_capped", {"share": 0.5}, [93, 107, 241, 108]),
    ("mixed", {}, [42, 63, 160, 81]),
    ("mixed", {"width": 4}, [35, 66, 160, 93]),
]


def total(inst, policy, **params):
    """Total completion of a schedule that the judge accepts."""
    sch = schedule(inst, policy, **params)
    check(inst, sch)
    return sch.total_completion


@pytest.mark.parametrize(("policy", "params", "costs"), TABLE)
def test_table(policy, params, costs):
    """Total completion on the four instances is that of the table."""
    assert [total(inst, policy, **params) for inst in (I1, I2, I3, I2A)] == costs


@pytest.mark.parametrize(
    ("policy", "cost"), [("svf_sps", 73), ("sorted_f", 71), ("sjf", 69), ("orca", 172), ("s3", 130)]
)
def test_wrong_predictions(policy, cost):
    """Total completion on I2 with wrong predictions is that of the row."""
    assert total(I2_PREDICTED, policy) == cost


@pytest.mark.parametrize(("policy", "costs"), [("vllm_fcfs", [185892, 13448]), ("a_min", [44192, 13448])])
def test_two_point(policy, costs):
    """Six long and 194 short requests cost what they should in both orders."""
    assert [total(inst, policy) for inst in (LONG_FIRST, SHORT_FIRST)] == costs


def test_two_point_evictions():
    """vllm_fcfs evicts 30 times when the long requests come first."""
    assert schedule(LONG_FIRST, "vllm_fcfs").evictions == 30


def test_identical():
    """Staggering 400 equal requests costs what it should."""
    assert total(IDENTICAL, "svf_sps") == 262300


# -- relations between policies -------------------------------------------------------------------------------------
@given(inst=instances())
def test_sorted_f_is_shortest_first_for_equal_prompts(inst):
    """In a batch with equal prompts, sorted_f gives mc_sf's schedule, by the exact and by the local search."""
    same = Instance([int(inst.prompt.min())] * inst.n, inst.output, inst.memory)
    expected = schedule(same, "mc_sf").attempts.tolist()
    for exact_limit in (0, 12):
        assert schedule(same, "sorted_f", exact_limit=exact_limit).attempts.tolist() == expected


@given(inst=instances())
def test_unlimited_credit_is_svf(inst):
    """With all predicted lengths different svf_sps is svf: a class of one request is never held back."""
    output = np.arange(1, inst.n + 1)
    distinct = Instance(inst.prompt, output, inst.memory + inst.n, inst.arrival)
    assert schedule(distinct, "svf_sps").attempts.tolist() == schedule(distinct, "svf").attempts.tolist()


@given(inst=instances())
def test_exact_upper_ends_are_shortest_first(inst):
    """With u = o, a_max is mc_sf."""
    told = inst.replace(predicted=None, predicted_low=inst.output, predicted_high=inst.output)
    assert schedule(told, "a_max").attempts.tolist() == schedule(told, "mc_sf").attempts.tolist()


# -- ends and errors ------------------------------------------------------------------------------------------------
LIVELOCK = Instance(prompt=[2, 1, 1], output=[3, 3, 3], memory=6)


def test_livelock_is_reported():
    """With a finite quantum requests evict each other for ever under ltr; the round limit says so."""
    with pytest.raises(RoundLimit, match="ltr: not finished at round"):
        schedule(LIVELOCK, "ltr", starvation=1, quantum=2, round_limit=400)


def test_promotion_for_good_ends():
    """The same instance ends when a promotion lasts until completion."""
    assert schedule(LIVELOCK, "ltr", starvation=1, round_limit=400).makespan < 400


def test_livelock_of_equal_requests_is_broken():
    """After two clearings without a completion, alpha_protection runs one request alone."""
    inst = Instance(prompt=[0] * 6, output=[10] * 6, memory=10)
    assert schedule(inst, "alpha_protection", round_limit=1000).evictions > 0


def test_coin_depends_on_all_bits_of_the_seed():
    """Seeds that differ above bit 63 are one seed, others differ."""
    inst = Instance(prompt=[0] * 30, output=[9] * 30, memory=40)
    runs = [schedule(inst, "alpha_beta_clearing", seed=seed).attempts.tolist() for seed in (3, 3 + 2**64, 3 + 2**63)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("policy", ["sorted_lp", "lp_swap"])
def test_lp_orders_refuse_large_batches(policy):
    """A batch of more than 200 requests is refused in one line that says what to do."""
    with pytest.raises(BadParameter, match=f"{policy}: 201 requests form a batch at epoch 0.*sorted_f"):
        schedule(Instance([0] * 201, [1] * 201, 5), policy)


def test_lp_orders_name_their_solver():
    """The schedule records which solver chose the vertex."""
    assert schedule(I1, "sorted_lp").params["solver"]


@pytest.mark.parametrize(
    ("policy", "given", "message"),
    [
        ("fastserve_mlfq", {"eviction": "restart"}, "has no meaning"),
        ("s3", {"eviction": "recompute"}, "has no meaning"),
        ("one_bit_svf", {"representative": "mean"}, "mean_short is missing"),
        ("alpha_beta_clearing", {"beta": 0}, "outside"),
        ("orca", {"max_tokens": 0}, "outside"),
        ("trail", {"C": -1}, "outside"),
        ("ltr", {"starvation": 1.5}, "whole"),
    ],
)
def test_bad_parameters(policy, given, message):
    """What has no meaning is refused, naming policy and parameter."""
    with pytest.raises(BadParameter, match=f"{policy}.*{message}"):
        schedule(I1, policy, **given)


def test_public_limits_are_the_largest_prediction():
    """Orca's limit and the one-bit policy's longest output default to the largest clamped prediction."""
    longest = int(I2_PREDICTED.clamp(I2_PREDICTED.predicted).max())
    assert schedule(I2_PREDICTED, "orca").params["max_tokens"] == longest
    assert schedule(I2_PREDICTED, "one_bit_svf").params["max_output"] == longest
    assert schedule(I2_PREDICTED, "one_bit_svf").params["theta"] == 2
