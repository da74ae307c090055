"""Properties that hold on every instance, tested on the reference engine with small random ones."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from contract_cases import PAUSES, WAITS_FOR_ARRIVALS, open_ended
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from algos.reference import POLICIES, schedule
from algos.reference.timetable import pipeline_width, slices
from kvratio.problem import Instance, Schedule, check

PLAIN = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
CLAIRVOYANT = {"sps", "gba", "gba_d"}
LEARNS_BY_KILLING = {"gsa", "gsa_spec", "rect", "response", "route", "orca", "s3"}
LIST_ORDER = {"fcfs", "mc_sf", "tsf", "svf"}
NEEDS_LP = {"sorted_lp", "lp_swap"}
BY_POLICY = pytest.mark.parametrize("policy", sorted(POLICIES))


@st.composite
def instances(draw: st.DrawFn, largest: int = 7, online: bool = True, equal_prompts: bool = False) -> Instance:
    """Draw an instance with wrong predictions and intervals of any value."""
    memory = draw(st.integers(1, 18))
    n = draw(st.integers(1, largest))
    some = {"min_size": n, "max_size": n}
    peak = draw(st.lists(st.integers(1, memory), **some))
    prompt = [draw(st.integers(0, p - 1)) for p in peak]
    output = [p - s for p, s in zip(peak, prompt, strict=True)]
    if equal_prompts:
        prompt = [min(prompt)] * n
        output = [min(o, memory - prompt[0]) for o in output]
    guess = st.lists(st.integers(-1, memory + 2), **some)
    return Instance(
        prompt=prompt,
        output=output,
        memory=memory,
        arrival=draw(st.lists(st.integers(0, 12), **some)) if online else None,
        predicted=draw(guess),
        predicted_low=draw(guess),
        predicted_high=draw(guess),
    )


def parameters(policy: str, inst: Instance) -> dict[str, Any]:
    """Return what a policy must be told, as public facts that do not depend on hidden lengths."""
    public: dict[str, dict[str, Any]] = {
        "orca": {"max_tokens": 3},
        "one_bit_svf": {"max_output": 9},
        "alpha_beta_clearing": {"beta": 0.5},
        "sorted_lp": {"lp_keys": [(7 * i) % 5 for i in range(inst.n)]},
        "lp_swap": {"lp_keys": [(7 * i) % 5 for i in range(inst.n)]},
        "ltr": {"starvation": 5},
        "fastserve_mlfq": {"starvation": 6, "prefill_rate": 2},
        "rate_capped": {"rate": 0.6},
        "wait": {"thresholds": 1},
        "nested_wait": {"thresholds": 1},
        "wait_capped": {"caps": 2},
        "faster_transformer": {"max_tokens": 3},
        "lightllm": {"max_tokens": 3, "prefill_every": 2},
    }
    return public.get(policy, {})


def run(inst: Instance, policy: str, eviction: str | None = None, **params: Any) -> Schedule:
    """Run a policy with its public parameters and a limit that random small instances do not reach."""
    return schedule(inst, policy, eviction, round_limit=10**5, **{**parameters(policy, inst), **params})


@BY_POLICY
@PLAIN
@given(inst=instances())
def test_feasible_under_every_eviction(policy: str, inst: Instance) -> None:
    """The checker accepts the schedule: memory, arrivals, conservation, and the engine's counters."""
    for eviction in POLICIES[policy].evictions:
        check(inst, run(inst, policy, eviction))


@BY_POLICY
@PLAIN
@given(inst=instances())
def test_deterministic(policy: str, inst: Instance) -> None:
    """The same seed gives the same schedule."""
    assert run(inst, policy) == run(inst, policy)


@BY_POLICY
@PLAIN
@given(inst=instances())
def test_no_request_beats_its_own_length(policy: str, inst: Instance) -> None:
    """No request completes before a + o, and none has a first token before its first round."""
    sch = run(inst, policy)
    assert (sch.completion >= inst.arrival + inst.output).all()
    assert (sch.ttft >= 1).all()


@BY_POLICY
@PLAIN
@given(inst=instances(largest=1))
def test_alone(policy: str, inst: Instance) -> None:
    """A single request completes at a + o, unless the policy learns its length by killing."""
    sch = run(inst, policy)
    if policy in LEARNS_BY_KILLING:
        assert sch.total_flow >= inst.output[0]
    else:
        assert sch.total_flow == inst.output[0]


def visible(sch: Schedule, epoch: int, requests: list[int]) -> list[tuple[int, int, int, bool]]:
    """Return the decisions up to and including an epoch: starts, and the stops that have happened.

    Where requests may be paused, the start of an attempt shows only with its stop.
    """
    rows = []
    for i, start, stop, completed in sch.attempts.tolist():
        if i in requests and (stop if sch.policy in PAUSES else start) <= epoch:
            rows.append((i, start, stop, completed) if stop <= epoch else (i, start, -1, False))
    return rows


def revealed(inst: Instance, sch: Schedule, epoch: int) -> np.ndarray:
    """Return the smallest output of each request that agrees with what has been seen up to an epoch."""
    if sch.policy in PAUSES:
        return inst.output
    smallest = np.ones(inst.n, dtype=np.int64)
    kept = np.zeros(inst.n, dtype=np.int64)
    for i, start, stop, completed in sch.attempts.tolist():
        if start <= epoch:
            tokens = kept[i] + min(stop, epoch) - start
            smallest[i] = max(smallest[i], tokens if completed and stop <= epoch else tokens + 1)
            if sch.eviction != "restart":
                kept[i] = tokens
    return smallest


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - CLAIRVOYANT))
@PLAIN
@given(inst=instances(), data=st.data())
def test_unrevealed_lengths_do_not_matter(policy: str, inst: Instance, data: st.DataObject) -> None:
    """Changing outputs of unfinished requests, within what has been seen, leaves all decisions so far as they are."""
    for eviction in POLICIES[policy].evictions:
        sch = run(inst, policy, eviction)
        epoch = data.draw(st.integers(0, sch.makespan))
        smallest = revealed(inst, sch, epoch)
        output = inst.output.copy()
        for i in np.flatnonzero(sch.completion > epoch):
            output[i] = data.draw(st.integers(int(smallest[i]), int(inst.memory - inst.prompt[i])))
        other = inst.replace(output=output)
        everyone = list(range(inst.n))
        assert visible(run(other, policy, eviction), epoch, everyone) == visible(sch, epoch, everyone)


def test_the_contract_has_teeth() -> None:
    """A clairvoyant policy is caught: a longer last request makes sps space all starts wider."""
    inst = Instance(prompt=[0, 0, 0], output=[2, 2, 2], memory=4)
    longer = inst.replace(output=[2, 2, 4])
    assert revealed(inst, run(inst, "sps"), 1).tolist() == [2, 1, 1]
    assert visible(run(longer, "sps"), 1, [0, 1, 2]) != visible(run(inst, "sps"), 1, [0, 1, 2])


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - NEEDS_LP))
@PLAIN
@given(inst=instances(), late=instances(), data=st.data())
def test_the_future_does_not_matter(policy: str, inst: Instance, late: Instance, data: st.DataObject) -> None:
    """Replacing every request that arrives after an epoch by others leaves the decisions up to it as they are."""
    epoch = data.draw(st.integers(0, 10))
    present = np.flatnonzero(inst.arrival <= epoch)
    assume(present.size and (late.peak <= inst.memory).all())
    now = inst.subset(present)
    columns = ("prompt", "output", "predicted", "predicted_low", "predicted_high")
    joined = {name: np.concatenate([getattr(now, name), getattr(late, name)]) for name in columns}
    arrival = np.concatenate([now.arrival, late.arrival + epoch + 1])
    extended = Instance(memory=inst.memory, arrival=arrival, **joined)
    requests = list(range(now.n))
    other = open_ended(now, epoch, late) if policy in WAITS_FOR_ARRIVALS else now
    assert visible(run(extended, policy), epoch, requests) == visible(run(other, policy), epoch, requests)


@pytest.mark.parametrize("policy", sorted(LIST_ORDER))
@PLAIN
@given(inst=instances(), data=st.data())
def test_permutation(policy: str, inst: Instance, data: st.DataObject) -> None:
    """With distinct keys (and exact lengths, so nothing is evicted) the numbering of requests does not matter."""
    exact = inst.replace(predicted=None)
    key: dict[str, Callable[[Instance], Any]] = {
        "fcfs": lambda x: x.arrival,
        "mc_sf": lambda x: x.output,
        "tsf": lambda x: x.peak,
        "svf": lambda x: x.volume,
    }
    assume(len(set(key[policy](exact).tolist())) == exact.n)
    order = np.array(data.draw(st.permutations(range(exact.n))))
    assert (run(exact.subset(order), policy).completion == run(exact, policy).completion[order]).all()


@pytest.mark.parametrize("policy", [p for p in sorted(POLICIES) if "recompute" in POLICIES[p].evictions])
@PLAIN
@given(inst=instances())
def test_recompute_and_swap_are_one_schedule(policy: str, inst: Instance) -> None:
    """In unit rounds recompute and swap differ only in the tokens processed again."""
    recompute, swap = run(inst, policy, "recompute"), run(inst, policy, "swap")
    assert (recompute.attempts == swap.attempts).all()
    assert swap.recomputed_tokens == 0


@pytest.mark.parametrize("policy", ["fcfs", "mc_sf", "tsf", "svf", "svf_sps", "sorted_f", "sps", "gba", "gba_d"])
@PLAIN
@given(inst=instances())
def test_exact_lengths_need_no_eviction(policy: str, inst: Instance) -> None:
    """With exact predictions the policies that plan ahead never evict."""
    assert run(inst.replace(predicted=None), policy).evictions == 0


@PLAIN
@given(inst=instances(equal_prompts=True))
def test_sorted_f_with_equal_prompts(inst: Instance) -> None:
    """With equal prompts sorted_f is mc_sf, by enumeration and by local search."""
    exact = inst.replace(predicted=None, arrival=None)
    shortest = run(exact, "mc_sf").completion
    assert (run(exact, "sorted_f").completion == shortest).all()
    assert (run(exact, "sorted_f", exact_limit=0).completion == shortest).all()


@PLAIN
@given(inst=instances())
def test_a_max_with_exact_upper_ends(inst: Instance) -> None:
    """a_max that is told the true lengths as upper ends is mc_sf with exact predictions."""
    told = inst.replace(predicted=None, predicted_high=inst.output)
    assert (run(told, "a_max").attempts == run(told, "mc_sf").attempts).all()


@PLAIN
@given(inst=instances())
def test_gba_d_is_never_later_than_gba(inst: Instance) -> None:
    """In a batch every request starts in gba_d no later than in gba."""
    batch = inst.replace(arrival=None)
    assert (run(batch, "gba_d").completion <= run(batch, "gba").completion).all()


@PLAIN
@given(inst=instances(), alpha=st.sampled_from([1.5, 2.0, 3.0]), tau0=st.integers(1, 5))
def test_gsa_spec_is_never_later_than_gsa(inst: Instance, alpha: float, tau0: int) -> None:
    """In a batch every request completes in gsa_spec no later than in gsa with the same slices."""
    batch = inst.replace(arrival=None)
    plain = run(batch, "gsa", alpha=alpha, tau0=tau0).completion
    assert (run(batch, "gsa_spec", alpha=alpha, tau0=tau0).completion <= plain).all()


@pytest.mark.parametrize("policy", ["svf", "mc_sf"])
@PLAIN
@given(inst=instances(online=False, equal_prompts=True))
def test_volume_order_guarantee(policy: str, inst: Instance) -> None:
    """C_j <= o_j + (2 / (1 - alpha)) (1 / M) sum of earlier volumes (proof in docs/policies.md section 2)."""
    exact = inst.replace(predicted=None)
    M, peak = exact.memory, int(exact.peak.max())
    assume(peak < M)
    completion = run(exact, policy).completion
    before = 0
    for j in np.lexsort((np.arange(exact.n), exact.volume)):
        assert completion[j] - exact.output[j] <= Fraction(2 * before, M - peak)
        before += int(exact.volume[j])


def two_bounds(inst: Instance) -> tuple[int, Fraction]:
    """Return LB0 = sum o and LB1 = (1/M) sum of prefix sums of ascending volumes."""
    volumes = sorted(inst.volume.tolist())
    return int(inst.output.sum()), Fraction(sum(v * (inst.n - k) for k, v in enumerate(volumes)), inst.memory)


@pytest.mark.parametrize("alpha", [4 / 3, 1.5])
@PLAIN
@given(inst=instances(online=False, equal_prompts=True))
def test_gba_two_term_bound(alpha: float, inst: Instance) -> None:
    """The cost of gba is at most (alpha^2 / (alpha - 1)) LB0 + 3 alpha^2 LB1 (docs/policies.md section 6.6)."""
    lb0, lb1 = two_bounds(inst)
    bound = alpha**2 / (alpha - 1) * lb0 + 3 * alpha**2 * float(lb1)
    assert run(inst, "gba", alpha=alpha).total_completion <= bound + 1e-6


@pytest.mark.parametrize("alpha", [1.7675918792439982, 2.0])
@PLAIN
@given(inst=instances(online=False, equal_prompts=True))
def test_gsa_two_term_bound(alpha: float, inst: Instance) -> None:
    """The cost of gsa is at most (alpha^2 / (alpha - 1)) LB0 + (6 alpha^3 / (alpha - 1)) LB1."""
    lb0, lb1 = two_bounds(inst)
    bound = alpha**2 / (alpha - 1) * lb0 + 6 * alpha**3 / (alpha - 1) * float(lb1)
    assert run(inst, "gsa", alpha=alpha).total_completion <= bound + 1e-6


@PLAIN
@given(S=st.integers(0, 60), tau=st.integers(1, 60), slack=st.integers(0, 60))
def test_pipeline_fits_and_keeps_pace(S: int, tau: int, slack: int) -> None:
    """K slots tau / k apart never hold more than M, and M tau / k <= 3 area(S, tau)."""
    M = S + tau + slack
    k = pipeline_width(tau, S, M)
    assert k >= 1
    starts = [(r * tau) // k for r in range(3 * k)]
    for r in range(1, 2 * tau + 1):
        assert sum(S + r - x for x in starts if x < r <= x + tau) <= M
    assert 2 * M * tau <= 3 * k * tau * (2 * S + tau + 1)


@PLAIN
@given(alpha=st.floats(1.05, 4), first=st.floats(0.1, 50), cap=st.integers(1, 500))
def test_slices_grow_to_the_cap(alpha: float, first: float, cap: int) -> None:
    """Slice lengths rise strictly from at least 1 and end with the cap."""
    lengths = list(slices(alpha, first, cap))
    assert lengths[0] >= 1
    assert lengths[-1] == cap
    assert all(a < b for a, b in pairwise(lengths))


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize(
    "inst",
    [
        Instance(prompt=[0], output=[1], memory=1),
        Instance(prompt=[0] * 5, output=[1] * 5, memory=1),
        Instance(prompt=[0] * 5, output=[3, 1, 2, 5, 4], memory=5),
        Instance(prompt=[3, 2, 1, 0], output=[1, 2, 3, 4], memory=4),
        Instance(prompt=[7] * 4, output=[1] * 4, memory=8),
        Instance(prompt=[2] * 9, output=[3] * 9, memory=11),
        Instance(prompt=[1, 1, 1], output=[2, 3, 2], arrival=[0, 10**4, 2 * 10**4], memory=5),
        Instance(prompt=[2, 2, 2], output=[3, 3, 3], arrival=[0, 3, 6], memory=5),
    ],
    ids=["one", "unit_memory", "no_prompts", "full_peaks", "long_prompts", "equal", "far_apart", "on_completion"],
)
def test_limits(policy: str, inst: Instance) -> None:
    """The limits of docs/model.md section 9 are feasible and end."""
    check(inst, run(inst, policy))
