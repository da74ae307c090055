"""Lower bounds <= optimum <= every policy, and no policy beyond its guarantee, on instances small enough to search."""

import numpy as np
from contract_cases import LIVELY, instances, on_drawn, run
from hypothesis import assume, given
from hypothesis import strategies as st

import algos
from algos.registry import card
from kvratio import Instance, Schedule, check
from lowerbounds.brute import brute_force
from lowerbounds.closed_form import CLOSED_FORMS, closed_form

ALL = algos.policy_ids()


def proves_a_number(policy: str) -> bool:
    """Whether the card's guarantee is a number, not an order of growth or a constant that is not stated."""
    proved, inst = card(policy).guarantee, Instance(prompt=[0, 0], output=[1, 1], memory=4)
    return proved is not None and proved.ratio(inst, card(policy).settings(inst, {})) is not None


PROVED = [policy for policy in ALL if proves_a_number(policy)]


@st.composite
def proper_batches(draw: st.DrawFn) -> Instance:
    """Draw batches with exact predictions and true intervals, of the shapes that guarantees speak of."""
    memory = draw(st.integers(4, 26))
    n = draw(st.integers(1, 6))
    shape = draw(st.sampled_from(["identical", "equal_prompts", "large", "prompt_heavy", "response_heavy", "mixed"]))
    low, high = {
        "large": (memory // 4 + 1, memory - 1),
        "prompt_heavy": (1, memory // 4),
        "response_heavy": (0, memory // 4),
    }.get(shape, (0, memory - 1))
    prompt = draw(st.lists(st.integers(low, high), min_size=n, max_size=n))
    if shape in ("identical", "equal_prompts"):
        prompt = [prompt[0]] * n
    most = [min(s, memory - s) if shape == "prompt_heavy" else memory - s for s in prompt]
    least = [min(s + 1, memory - s) if shape == "response_heavy" else 1 for s in prompt]
    output = [draw(st.integers(a, b)) for a, b in zip(least, most, strict=True)]
    if shape == "identical":
        output = [output[0]] * n
    slack = draw(st.integers(0, 5))
    bounds = np.array(output)
    return Instance(prompt, output, memory, predicted_low=np.maximum(1, bounds - slack), predicted_high=bounds + slack)


@given(inst=instances(most=6))
def test_bounds_below_the_optimum(inst):
    """Every closed form is at most the optimum, which a feasible schedule attains."""
    optimum, starts = brute_force(inst)
    best = Schedule.from_starts(inst, starts)
    check(inst, best)
    assert best.total_completion == optimum
    for name in CLOSED_FORMS:
        assert closed_form(inst, name).value <= optimum, name


@on_drawn([p for p in ALL if "restart" in card(p).allowed_evictions], inst=instances(most=6))
def test_optimum_below_every_policy(policy, inst):
    """No policy that restarts costs less than the optimum."""
    assert run(inst, policy, "restart").total_completion >= brute_force(inst)[0]


@on_drawn([p for p in ALL if set(card(p).allowed_evictions) != {"restart"}], inst=instances(most=6))
def test_closed_forms_hold_for_policies_that_keep_tokens(policy, inst):
    """LB0 to LB4 are at most the cost of every policy under recompute and swap."""
    largest = max(closed_form(inst, name).integer for name in CLOSED_FORMS)
    for eviction in set(card(policy).allowed_evictions) - {"restart"}:
        assert run(inst, policy, eviction).total_completion >= largest


@on_drawn(PROVED, inst=proper_batches())
def test_no_policy_beyond_its_guarantee(policy, inst):
    """Where the hypotheses of its card hold, a policy costs at most the proven ratio times the optimum."""
    shown = card(policy)
    values = shown.settings(inst, {})
    assume(shown.guarantee.holds(inst, values))
    ratio = shown.guarantee.ratio(inst, values)
    optimum, _ = brute_force(inst)
    assert algos.schedule(inst, policy, **LIVELY.get(policy, {})).total_completion <= ratio * optimum * (1 + 1e-12)


@on_drawn(["svf", "mc_sf"], inst=proper_batches())
def test_volume_order_stays_below_its_two_bounds(policy, inst):
    """Cost <= LB0 + 2/(1 - alpha) LB1 (docs/policies.md, section 2), which needs no optimum."""
    assume(inst.alpha < 1 and (policy == "svf" or inst.equal_prompts))
    spare = inst.memory - int(inst.peak.max())
    bound = closed_form(inst, "LB0").value + 2 * closed_form(inst, "LB1").value * inst.memory / spare
    assert algos.schedule(inst, policy).total_completion <= bound
