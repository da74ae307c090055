"""Golden values of docs/policies.md section 9 on the reference engine, and cases small enough to check by hand."""

from typing import Any

import pytest

from algos.reference import POLICIES, schedule
from algos.reference.clearing import SplitMix64
from algos.reference.engine import Problem, Worker
from algos.reference.nonclairvoyant import GENERAL_ALPHA
from algos.reference.policy import Policy
from algos.reference.sorted_f import best_subset, local_search
from algos.reference.timetable import pipeline_width, slices
from algos.reference.unequal import attempt_lengths
from kvratio.problem import Instance, check
from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit, UnknownName

I1 = Instance(prompt=[2] * 8, output=[5, 1, 3, 8, 2, 1, 4, 2], memory=14)
I2 = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16)
I3 = Instance(prompt=[1] * 16, output=[4] * 16, memory=20)
I2A = I2.replace(arrival=[0, 2, 1, 0, 5, 3, 3])
I2_PREDICTED = I2.replace(predicted=[5, 3, 1, 4, 6, 5, 2])
LONG_FIRST = Instance(prompt=[96] * 200, output=[160] * 6 + [1] * 194, memory=256)
SHORT_FIRST = Instance(prompt=[96] * 200, output=[1] * 194 + [160] * 6, memory=256)
IDENTICAL = Instance(prompt=[1] * 400, output=[49] * 400, memory=500)
FOUR = Instance(prompt=[2] * 4, output=[5, 1, 3, 2], memory=12)

# id, parameters, total completion on I1, I2, I3, I2a
TABLE: list[tuple[str, dict[str, Any], int, int, int, int]] = [
    ("fcfs", {}, 53, 69, 160, 77),
    ("mc_sf", {}, 34, 57, 160, 69),
    ("sf", {}, 34, 57, 160, 69),
    ("mc_sf", {"skip": True}, 34, 58, 160, 69),
    ("tsf", {}, 34, 60, 160, 90),
    ("svf", {}, 34, 57, 160, 69),
    ("svf_sps", {}, 34, 57, 151, 69),
    ("one_bit_svf", {}, 58, 83, 160, 109),
    ("sorted_f", {}, 34, 56, 160, 69),
    ("a_max", {}, 126, 100, 544, 107),
    ("a_max", {"upper": 10}, 126, 114, 304, 116),
    ("a_min", {}, 44, 69, 160, 92),
    ("sps", {}, 250, 181, 154, 214),
    ("sjf", {}, 34, 57, 160, 74),
    ("alpha_protection", {}, 59, 114, 804, 139),
    ("alpha_beta_clearing", {}, 59, 83, 164, 98),
    ("gba", {}, 62, 98, 154, 129),
    ("gba", {"alpha": 1.5}, 58, 98, 208, 129),
    ("gba", {"regime": "large"}, 58, 98, 208, 129),
    ("gba_d", {}, 34, 57, 151, 92),
    ("gsa", {}, 87, 264, 400, 301),
    ("gsa", {"alpha": 2}, 100, 287, 282, 300),
    ("gsa", {"regime": "large"}, 100, 287, 282, 300),
    ("gsa_spec", {}, 97, 121, 278, 234),
    ("gsa_spec", {"tau0": 64}, 57, 69, 160, 92),
    ("rect", {}, 86, 263, 276, 264),
    ("response", {}, 95, 300, 282, 324),
    ("route", {}, 123, 239, 303, 325),
    ("vllm_fcfs", {}, 57, 69, 160, 84),
    ("vllm_fcfs", {"admit_after_evict": False}, 53, 70, 160, 88),
    ("orca", {}, 126, 130, 160, 143),
    ("wait", {}, 49, 69, 184, 109),
    ("nested_wait", {}, 71, 77, 184, 105),
    ("wait_capped", {}, 71, 77, 184, 99),
    ("sarathi", {}, 57, 75, 160, 85),
    ("sarathi", {"token_budget": 4}, 71, 109, 200, 118),
    ("faster_transformer", {}, 126, 130, 160, 143),
    ("lightllm", {"prefill_every": 2}, 122, 130, 160, 141),
    ("s3", {}, 68, 146, 160, 146),
    ("rate_capped", {}, 68, 86, 158, 101),
    ("rate_capped", {"share": 0.5}, 93, 107, 241, 108),
    ("mixed", {}, 42, 63, 160, 81),
    ("mixed", {"width": 4}, 35, 66, 160, 93),
]


def total(inst: Instance, policy: str, **params: Any) -> int:
    """Return the total completion of a schedule that passes the checker."""
    sch = schedule(inst, policy, **params)
    check(inst, sch)
    return sch.total_completion


@pytest.mark.parametrize(("policy", "params", "i1", "i2", "i3", "i2a"), TABLE)
def test_table(policy: str, params: dict[str, Any], i1: int, i2: int, i3: int, i2a: int) -> None:
    """Total completion on the four instances is that of the table."""
    assert [total(inst, policy, **params) for inst in (I1, I2, I3, I2A)] == [i1, i2, i3, i2a]


@pytest.mark.parametrize(
    ("policy", "cost"),
    [
        ("fcfs", 72),
        ("mc_sf", 71),
        ("tsf", 96),
        ("svf", 73),
        ("svf_sps", 73),
        ("sorted_f", 71),
        ("sjf", 69),
        ("orca", 172),
        ("s3", 130),
    ],
)
def test_wrong_predictions(policy: str, cost: int) -> None:
    """Total completion on I2 with wrong predictions is that of the row."""
    assert total(I2_PREDICTED, policy) == cost


@pytest.mark.parametrize(
    ("policy", "params", "long_first", "short_first"),
    [
        ("mc_sf", {}, 13448, 13448),
        ("fcfs", {}, 185892, 13448),
        ("gba", {}, 13448, 13448),
        ("gsa", {}, 20708, 20126),
        ("gsa", {"alpha": 2}, 22262, 21680),
        ("vllm_fcfs", {}, 185892, 13448),
        ("a_min", {}, 44192, 13448),
    ],
)
def test_two_point(policy: str, params: dict[str, Any], long_first: int, short_first: int) -> None:
    """Six long and 194 short requests cost what they should in both orders."""
    assert [total(inst, policy, **params) for inst in (LONG_FIRST, SHORT_FIRST)] == [long_first, short_first]


def test_two_point_evictions() -> None:
    """vllm_fcfs evicts 30 times when the long requests come first (docs/families.md, family H)."""
    assert schedule(LONG_FIRST, "vllm_fcfs").evictions == 30


def test_two_point_bounds() -> None:
    """max(LB0, LB1) of the two-point instance is 9925."""
    volumes = sorted(96 * o + o * (o + 1) // 2 for o in LONG_FIRST.output.tolist())
    prefix_sums = sum(volume * (len(volumes) - place) for place, volume in enumerate(volumes))
    assert max(int(LONG_FIRST.output.sum()), -(-prefix_sums // 256)) == 9925


@pytest.mark.parametrize(
    ("policy", "cost"), [("mc_sf", 401800), ("sps", 236645), ("svf_sps", 262300), ("gba", 298800), ("gba_d", 295484)]
)
def test_identical(policy: str, cost: int) -> None:
    """400 requests (1, 49) with M = 500 cost what they should."""
    assert total(IDENTICAL, policy) == cost


@pytest.mark.parametrize(
    ("S", "tau", "M", "k"), [(2, 5, 14, 2), (1, 4, 20, 5), (96, 1, 256, 2), (96, 160, 256, 1), (79, 64, 4096, 36)]
)
def test_pipeline_width(S: int, tau: int, M: int, k: int) -> None:
    """The closed form of k gives the golden values."""
    assert pipeline_width(tau, S, M) == k


@pytest.mark.parametrize(
    ("alpha", "cap", "lengths"),
    [
        (GENERAL_ALPHA, 200, [1, 3, 5, 9, 17, 30, 53, 95, 168, 200]),
        (4 / 3, 60, [1, 2, 3, 4, 5, 7, 9, 13, 17, 23, 31, 42, 56, 60]),
        (3 / 2, 60, [1, 2, 3, 5, 7, 11, 17, 25, 38, 57, 60]),
    ],
)
def test_slices(alpha: float, cap: int, lengths: list[int]) -> None:
    """Slice lengths are floors of the geometric sequence, without repeats, up to the cap."""
    assert list(slices(alpha, 1, cap)) == lengths


def test_gsa_alpha() -> None:
    """The default factor of gsa is (7 + sqrt 13) / 6."""
    assert GENERAL_ALPHA == 1.7675918792439982


def attempts(inst: Instance, policy: str, **params: Any) -> list[tuple[int, int, int, bool]]:
    """Return the attempts as tuples, sorted by (start, request)."""
    return [tuple(row) for row in schedule(inst, policy, **params).attempts.tolist()]


def test_gsa_attempts() -> None:
    """With factor 2 gsa makes the ten attempts of the golden list."""
    assert attempts(FOUR, "gsa", alpha=2) == [
        (0, 0, 1, False),
        (1, 0, 1, True),
        (2, 0, 1, False),
        (3, 0, 1, False),
        (0, 1, 3, False),
        (2, 1, 3, False),
        (3, 2, 4, True),
        (0, 4, 8, False),
        (2, 6, 9, True),
        (0, 10, 15, True),
    ]


def test_gba_attempts() -> None:
    """With factor 1.5 gba makes the four attempts of the golden list."""
    assert attempts(FOUR, "gba", alpha=1.5) == [(1, 0, 1, True), (3, 1, 3, True), (2, 3, 6, True), (0, 6, 11, True)]


# -- cases to check by hand -------------------------------------------------------------------------------------------


def test_gsa_spec_by_hand() -> None:
    """gsa_spec fills the memory that gsa leaves free and kills speculative runs when a base slot opens.

    M = 12, slices 1 2 4 8 10. Epoch 0: k = 4, all four base runs of one round (need 12). Epoch 1: 1 is done; slice 2,
    k = 3, slots at 1, 1, 2; 0 and 2 start (need 6) and 3 runs speculatively (need 9). Epoch 2: 3's slot opens, its
    speculative run is killed (need 4 + 4 + 3). Epoch 3: 0 and 2 have had two rounds and are killed; next to 3 (4) both
    fit speculatively (4 + 3 + 3). Epoch 4: 3 is done, the phase over; slice 4, k = 2, slots at 4 and 6; 0 is restarted
    as base (3) beside 2's speculative run (4). Epoch 6: 2 would be restarted as base, but it completes at epoch 6.
    Epoch 8: 0 has had four rounds and is killed; the phase's timetable ends at 10, so until then it runs speculatively
    and is restarted at 10 with slice 8.
    """
    assert attempts(FOUR, "gsa_spec") == [
        (0, 0, 1, False),
        (1, 0, 1, True),
        (2, 0, 1, False),
        (3, 0, 1, False),
        (0, 1, 3, False),
        (2, 1, 3, False),
        (3, 1, 2, False),
        (3, 2, 4, True),
        (0, 3, 4, False),
        (2, 3, 6, True),
        (0, 4, 8, False),
        (0, 8, 10, False),
        (0, 10, 15, True),
    ]


def test_list_policy_evicts_the_latest_start() -> None:
    """An under-predicted pair overflows, the later of equal starts is evicted and waits with a longer estimate.

    M = 6, two requests (0, 5) predicted 1: they need 2, 4, 6, and 8 at epoch 3, so request 1 goes. Request 0 is past
    its estimate, so it is believed to end at 4, where both fit (4 + 1): request 1 starts again at once. At epoch 4
    they need 5 + 2: it goes again, and starts again, since 5 + 1 fit at 5, where request 0 really ends.
    """
    inst = Instance(prompt=[0, 0], output=[5, 5], predicted=[1, 1], memory=6)
    assert attempts(inst, "mc_sf") == [(0, 0, 5, True), (1, 0, 3, False), (1, 3, 4, False), (1, 4, 9, True)]


@pytest.mark.parametrize("eviction", ["recompute", "swap"])
def test_kept_tokens_shorten_the_resumption(eviction: str) -> None:
    """Under recompute and swap the evicted request needs only its missing tokens; recompute counts s + g again."""
    inst = Instance(prompt=[0, 0], output=[5, 5], predicted=[1, 1], memory=6)
    sch = schedule(inst, "mc_sf", eviction=eviction)
    check(inst, sch)
    assert [tuple(row) for row in sch.attempts.tolist()] == [(0, 0, 5, True), (1, 0, 3, False), (1, 5, 7, True)]
    assert sch.recomputed_tokens == (3 if eviction == "recompute" else 0)
    assert sch.wasted_rounds == 0


def test_sjf_by_hand() -> None:
    """Only the next round counts: the longer is evicted at epoch 2 (need 6 of 4) and starts again (need 3 + 1)."""
    inst = Instance(prompt=[0, 0], output=[4, 3], memory=4)
    assert attempts(inst, "sjf") == [(0, 0, 2, False), (1, 0, 3, True), (0, 2, 6, True)]


def test_alpha_protection_runs_alone_after_two_clearings() -> None:
    """Two identical requests that always clash are cleared twice and then run one after the other.

    M = 4, R = 3, two requests (0, 4): both start at 0 (need 2), need 6 at epoch 2: cleared, both restart; cleared again
    at 4; then alone.
    """
    inst = Instance(prompt=[0, 0], output=[4, 4], memory=4)
    assert attempts(inst, "alpha_protection") == [
        (0, 0, 2, False),
        (1, 0, 2, False),
        (0, 2, 4, False),
        (1, 2, 4, False),
        (0, 4, 8, True),
        (1, 8, 12, True),
    ]


def test_splitmix64() -> None:
    """The coin gives the published first outputs of SplitMix64 for seed 0."""
    coin = SplitMix64(0)
    assert coin.uniform() == (0xE220A8397B1DCDAF >> 11) * 2.0**-53
    assert coin.uniform() == (0x6E789E6AA1B965F4 >> 11) * 2.0**-53


def test_rect_caps() -> None:
    """Caps are powers of two cut at M - s; a small prompt stands in for the power between it and its double."""
    assert attempt_lengths(3, 16) == [1, 2, 3, 8, 13]
    assert attempt_lengths(4, 16) == [1, 2, 4, 8, 12]
    assert attempt_lengths(5, 16) == [1, 2, 4, 8, 11]
    assert attempt_lengths(0, 5) == [1, 2, 4, 5]
    assert attempt_lengths(15, 16) == [1]


def test_sorted_f_subsets() -> None:
    """F(X) = sum of lengths / |X|^2 prefers many short requests; local search repairs a set that does not fit."""
    prompt, estimate = [0, 0, 7, 0], [3, 3, 1, 3]
    # M = 10: all but one of the long ones fit, F = 7/9. M = 9: F = 1 for {2}, {0, 2} and {0, 1, 3}; the largest wins.
    # M = 8: {2} has F = 1; no pair with 2 fits (8 + 1); local search turns {2, 0} into {0, 1}, F = 6/4, and gives up
    # at {0, 1, 3}, which needs 9 and has no outsider with a smaller peak than 3.
    assert best_subset([0, 1, 2, 3], prompt, estimate, 10) == (0, 1, 2)
    assert local_search([0, 1, 2, 3], prompt, estimate, 10) == (0, 1, 2)
    assert best_subset([0, 1, 2, 3], prompt, estimate, 9) == (0, 1, 3)
    assert local_search([0, 1, 2, 3], prompt, estimate, 9) == (0, 1, 3)
    assert best_subset([0, 1, 2, 3], prompt, estimate, 8) == (2,)
    assert local_search([0, 1, 2, 3], prompt, estimate, 8) == (2,)


def test_orca_doubles_a_reservation() -> None:
    """A request that outlives the public limit is stopped and starts again with twice the reservation."""
    inst = Instance(prompt=[1], output=[5], memory=8)
    assert attempts(inst, "orca", max_tokens=2) == [(0, 0, 2, False), (0, 2, 6, False), (0, 6, 11, True)]


def test_fastserve_by_hand() -> None:
    """Two requests take turns by quantum when only one fits; the cache is swapped, nothing is lost.

    M = 4, two requests (0, 3), quantum 2^level. Epoch 0: both fit (2 of 4) and fall to level 1. Epoch 1: both fit (4).
    Epoch 2: need 6; only request 0 fits and completes at 3; request 1 resumes for its last token.
    """
    inst = Instance(prompt=[0, 0], output=[3, 3], memory=4)
    sch = schedule(inst, "fastserve_mlfq")
    check(inst, sch)
    assert sch.eviction == "swap"
    assert attempts(inst, "fastserve_mlfq") == [(0, 0, 3, True), (1, 0, 2, False), (1, 3, 4, True)]


def test_fastserve_preempts_for_a_newcomer() -> None:
    """A newcomer at level 0 displaces a request that has used its quantum."""
    inst = Instance(prompt=[0, 3], output=[4, 1], arrival=[0, 1], memory=4)
    assert attempts(inst, "fastserve_mlfq") == [(0, 0, 1, False), (1, 1, 2, True), (0, 2, 5, True)]


def test_trail_by_hand() -> None:
    """A shorter newcomer preempts a request before the share C of its prediction, not after.

    Epoch 2: remaining 4 against 3, they need 3 + 4 of 6, so request 0 goes. At epoch 3 it fits for one round (5 + 1).
    """
    inst = Instance(prompt=[0, 3], output=[6, 3], arrival=[0, 2], memory=6)
    assert attempts(inst, "trail") == [(0, 0, 2, False), (1, 2, 5, True), (0, 3, 4, False), (0, 5, 11, True)]
    assert attempts(inst, "trail", C=0.2) == [(0, 0, 6, True), (1, 6, 9, True)]


def test_ltr_promotes_the_starving() -> None:
    """A long request that has waited for ``starvation`` rounds goes before shorter ones that came later."""
    inst = Instance(prompt=[3, 3, 3, 3, 2], output=[1, 1, 1, 1, 2], arrival=[0, 0, 1, 2, 0], memory=4)
    assert [row[0] for row in attempts(inst, "ltr")] == [0, 1, 2, 3, 4]
    assert [row[0] for row in attempts(inst, "ltr", starvation=2)] == [0, 1, 4, 2, 3]


def test_ltr_quantum_ends_a_promotion() -> None:
    """After ``quantum`` rounds a promoted request is last in the order again, and overflow evicts it.

    M = 5, request 1 = (1, 3) waits two rounds and starts at 2; at epoch 3 request 2 = (0, 2) joins it (need 3 + 1);
    at epoch 4 they need 4 + 2. Promoted, request 1 stays; after a promotion of one round it goes.
    """
    inst = Instance(prompt=[3, 1, 0], output=[2, 3, 2], arrival=[0, 0, 3], memory=5)
    assert attempts(inst, "ltr", starvation=2)[1:3] == [(1, 2, 5, True), (2, 3, 4, False)]
    assert attempts(inst, "ltr", starvation=2, quantum=1)[1:3] == [(1, 2, 4, False), (2, 3, 5, True)]


def test_one_bit_uses_only_the_bit() -> None:
    """Predictions on the same side of theta give the same schedule."""
    inst = Instance(prompt=[1, 1, 1], output=[2, 9, 3], predicted=[1, 9, 3], memory=20)
    other = inst.replace(predicted=[3, 7, 2])
    assert attempts(inst, "one_bit_svf", max_output=16) == attempts(other, "one_bit_svf", max_output=16)


def test_one_bit_means() -> None:
    """With the class means as representatives the key is that of the means."""
    inst = Instance(prompt=[9, 0], output=[1, 9], memory=10)
    params = {"max_output": 16, "representative": "mean", "mean_short": 1.0}
    assert attempts(inst, "one_bit_svf", mean_long=5.0, **params)[0][:2] == (0, 0)  # 9 + 1 before 15
    assert attempts(inst, "one_bit_svf", mean_long=2.0, **params)[0][:2] == (1, 0)  # 3 before 9 + 1
    with pytest.raises(BadParameter, match="mean_long"):
        schedule(inst, "one_bit_svf", **params)


# -- LP orders with given keys ----------------------------------------------------------------------------------------


def test_sorted_lp_follows_given_keys() -> None:
    """sorted_lp starts in the order of the keys it is given."""
    inst = Instance(prompt=[3, 3, 3], output=[1, 1, 1], memory=4)
    assert attempts(inst, "sorted_lp", lp_keys=[2.0, 0.5, 1.0]) == [(1, 0, 1, True), (2, 1, 2, True), (0, 2, 3, True)]


def test_lp_swap_keeps_sorted_f_unless_it_costs_no_more() -> None:
    """lp_swap refuses a swap that costs more and makes one that costs the same."""
    inst = Instance(prompt=[2, 3, 3], output=[2, 1, 1], memory=4)
    assert [row[0] for row in attempts(inst, "sorted_f")] == [1, 2, 0]
    assert [row[0] for row in attempts(inst, "lp_swap", lp_keys=[0.0, 2.0, 1.0])] == [2, 1, 0]


# -- errors -----------------------------------------------------------------------------------------------------------


def test_unknown_names() -> None:
    """Unknown policies, parameters and evictions are refused with the known ones."""
    with pytest.raises(UnknownName, match="mc_sf"):
        schedule(I1, "nonsense")
    with pytest.raises(BadParameter, match="skip"):
        schedule(I1, "svf", alpha=2)
    with pytest.raises(BadParameter, match="swap, recompute"):
        schedule(I1, "fastserve_mlfq", eviction="restart")
    with pytest.raises(BadParameter, match="integer"):
        schedule(I1, "a_max", upper=2.5)


@pytest.mark.parametrize("policy", ["gsa", "gsa_spec", "rect", "response", "route", "s3"])
def test_kills_that_belong_to_the_algorithm_void_tokens(policy: str) -> None:
    """Policies that learn by killing accept only restart."""
    with pytest.raises(BadParameter, match="restart"):
        schedule(I1, policy, eviction="recompute")


def test_round_limit() -> None:
    """A run that reaches the limit unfinished raises; one that ends with it does not; idle time does not count."""
    inst = Instance(prompt=[0, 0], output=[2, 3], arrival=[0, 10**9], memory=4)
    assert schedule(inst, "fcfs", round_limit=5).makespan == 10**9 + 3
    with pytest.raises(RoundLimit, match="4 rounds"):
        schedule(inst, "fcfs", round_limit=4)


class _NeverStarts(Policy):
    """A policy that leaves everybody waiting."""

    name = "never_starts"


def test_stuck_policy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing runs and nothing will start, the error names policy, epoch and the first that waits."""
    monkeypatch.setitem(POLICIES, "never_starts", _NeverStarts)
    inst = Instance(prompt=[0, 0], output=[1, 1], arrival=[4, 6], memory=2)
    with pytest.raises(PolicyError, match=r"never_starts at epoch 6: nothing runs, 2 requests wait \(the first is 0\)"):
        schedule(inst, "never_starts")


def test_outputs_are_hidden() -> None:
    """A policy that is not clairvoyant cannot ask for an output."""
    problem = Problem(4, [0], [2], [0], [2], [1], [4])
    with pytest.raises(PolicyError, match="not clairvoyant"):
        Worker(problem, "restart", clairvoyant=False).output(0)
    assert Worker(problem, "restart", clairvoyant=True).output(0) == 2


def test_overfull_policy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that starts too much is stopped with its name, the epoch and the demand."""
    monkeypatch.setattr("algos.reference.list_policies.fits", lambda worker, estimate, i: True)
    with pytest.raises(PolicyError, match=r"mc_sf at epoch 0: the next round needs 24 of 14 memory"):
        schedule(I1, "mc_sf")
