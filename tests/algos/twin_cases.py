"""What the twin tests of event policies draw: instances, parameters, and the comparison with the slow engine."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

import algos
from algos import reference
from algos.registry import card
from kvratio import Instance, Schedule, check
from kvratio.problem.errors import RoundLimit

#: parameters of each policy that reach its branches on small instances
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "sjf": [{}],
    "one_bit_svf": [
        {},
        {"skip": True},
        {"max_output": 9},
        {"max_output": 3, "skip": True},
        {"representative": "mean", "mean_short": 2.5, "mean_long": 7.0},
    ],
    "svf_sps": [{}, {"skip": True}],
    "svf_tuned": [{}, {"skip": True}, {"output_weight": 1.5, "peak_weight": 0.0}, {"peak_weight": 3.0}],
    "svf_tuned_sps": [{}, {"skip": True}, {"output_weight": 1.5, "peak_weight": 0.0}, {"peak_weight": 3.0}],
    "sorted_f": [{}, {"skip": True}, {"exact_limit": 0}, {"exact_limit": 4}, {"exact_limit": 0, "skip": True}],
    "sorted_lp": [{}, {"skip": True}],
    "lp_swap": [{}, {"skip": True}, {"exact_limit": 0}],
    "a_max": [{}, {"skip": True}, {"upper": 5}, {"upper": -3}],
    "a_min": [{}, {"lower": 3}, {"lower": -1}, {"lower": 100}],
    "alpha_protection": [{}, {"alpha": 0.0}, {"alpha": 0.5}, {"alpha": 1.0}],
    "alpha_beta_clearing": [{}, {"alpha": 0.1, "beta": 0.1}, {"beta": 1.0}, {"alpha": 0.0, "beta": 0.5}],
    "vllm_fcfs": [{}, {"admit_after_evict": False}],
    "orca": [{}, {"max_tokens": 3}, {"max_batch": 2}, {"max_tokens": 1, "max_batch": 1}, {"max_tokens": 100}],
    "s3": [{}, {"max_batch": 2}, {"max_batch": 1}],
    "fastserve_mlfq": [
        {},
        {"base": 2},
        {"starvation": 1},
        {"starvation": 3},
        {"starvation": 6, "prefill_rate": 2},
        {"prefill_rate": 0.7, "base": 3, "starvation": 4},
    ],
    "trail": [{}, {"C": 0.0}, {"C": 0.5}, {"C": 1.0}, {"C": 2.0}],
    "ltr": [
        {},
        {"starvation": 1},
        {"starvation": 3},
        {"starvation": 2, "quantum": 1},
        {"starvation": 3, "quantum": 2},
        {"starvation": 4, "quantum": 5},
    ],
    "rate_capped": [{}, {"share": 0.4}, {"share": 3.0, "burst": 4.0}, {"rate": 0.07}, {"rate": 1.3, "burst": 2.5}],
    "mixed": [{}, {"width": 2}, {"width": 5}],
    "wait": [{}, {"thresholds": 2}, {"types": (3, 9)}, {"types": (1, 5), "thresholds": 3}, {"margin": 1.0}],
    "nested_wait": [{}, {"margin": 9.0}, {"thresholds": 3}, {"cuts": (2, 6)}, {"cuts": (1, 4, 8), "thresholds": 2}],
    "wait_capped": [{}, {"wait_gate": False}, {"caps": 1}, {"caps": 5}, {"cuts": (1, 3, 9), "caps": 2}],
    "sarathi": [{}, {"token_budget": 1}, {"token_budget": 7}, {"max_batch": 2}, {"watermark": 0.2, "max_batch": 3}],
    "faster_transformer": [{}, {"max_tokens": 3}, {"max_batch": 2}, {"max_tokens": 1, "max_batch": 3}],
    "lightllm": [{}, {"max_tokens": 3}, {"max_tokens": 1, "prefill_every": 1}, {"prefill_every": 2, "max_batch": 3}],
}
COUNTERS = ("evictions", "wasted_rounds", "wasted_token_rounds", "recomputed_tokens")

#: rounds after which a run is taken for endless by both engines; some of these runs are
ROUNDS = 1500


@st.composite
def instances(draw: st.DrawFn, most: int = 9) -> Instance:
    """Draw an instance: batch or online, equal or mixed prompts, exact, wrong or absent predictions and intervals."""
    memory = draw(st.integers(1, 40))
    n = draw(st.integers(1, most))
    some = {"min_size": n, "max_size": n}
    highest = draw(st.sampled_from([memory - 1, (memory - 1) // 4]))
    if draw(st.booleans()):
        prompt = [draw(st.integers(0, highest))] * n
    else:
        prompt = draw(st.lists(st.integers(0, highest), **some))
    longest = draw(st.sampled_from([memory, max(1, memory // 5)]))
    output = [draw(st.integers(1, min(longest, memory - s))) for s in prompt]
    any_length = st.lists(st.integers(-2, memory + 2), **some)
    near = st.lists(st.integers(-4, 4), **some)
    columns: dict[str, Any] = {}
    if draw(st.booleans()):
        columns["arrival"] = draw(st.lists(st.integers(0, draw(st.sampled_from([3, 40]))), **some))
    if draw(st.booleans()):
        columns["predicted"] = draw(any_length | near.map(lambda d: [o + x for o, x in zip(output, d, strict=True)]))
    if draw(st.booleans()):
        columns["predicted_low"] = draw(any_length)
        columns["predicted_high"] = draw(any_length)
    return Instance(prompt, output, memory, **columns)


def random_instance(rng: np.random.Generator) -> Instance:
    """Draw a longer instance, on which queues grow and shrink: some forty requests, five or so at once."""
    n, memory = int(rng.integers(20, 45)), int(rng.choice([30, 60, 90]))
    prompt = rng.integers(0, memory // int(rng.choice([3, 8])), n)
    output = np.minimum(rng.integers(1, int(rng.choice([6, 20, memory])), n), memory - prompt)
    spread = int(rng.choice([0, 3, 20]))
    guess = output + rng.integers(-spread, spread + 1, n)
    return Instance(
        prompt,
        output,
        memory,
        rng.integers(0, int(rng.choice([1, 60, 300])), n),
        predicted=guess if rng.random() < 0.7 else None,
        predicted_low=guess - rng.integers(0, 9, n),
        predicted_high=guess + rng.integers(0, 9, n),
    )


def _outcome(engine: Any, inst: Instance, policy: str, **given: Any) -> Schedule | None:
    """Return the schedule, or None for a run that does not end."""
    try:
        # Arrivals end before round 300: neither engine's way of counting idle rounds matters at this limit.
        sch: Schedule = engine(inst, policy, round_limit=ROUNDS, **given)
    except RoundLimit:
        return None
    return sch


def assert_twins(inst: Instance, policy: str, eviction: str, seed: int = 0, **given: Any) -> None:
    """Assert that both engines give the same attempts and counters, which the judge accepts, or both do not end."""
    fast = _outcome(algos.schedule, inst, policy, eviction=eviction, seed=seed, **given)
    slow = _outcome(reference.schedule, inst, policy, eviction=eviction, seed=seed, **given)
    assert (fast is None) == (slow is None)
    if fast is None or slow is None:
        return
    assert fast.attempts.tolist() == slow.attempts.tolist()
    check(inst, fast)
    for counter in COUNTERS:
        assert getattr(fast, counter) == getattr(slow, counter)
    assert fast.completion.tolist() == slow.completion.tolist()
    assert fast.ttft.tolist() == slow.ttft.tolist()


def evictions_of(policy: str) -> tuple[str, ...]:
    """Eviction semantics that a policy's card allows."""
    return card(policy).allowed_evictions
