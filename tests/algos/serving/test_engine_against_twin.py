"""The compiled engine and the slow twin agree on longer runs, where leaps, turning rings and crowded memory matter."""

import numpy as np
import pytest
from serving_cases import differences

from algos import serving
from algos.serving import reference
from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.requests import Requests, Type

CLOCKS = (
    Clock(0.5, 0.125, 0.25, swap=0.0625),
    Clock(0.0, 0.01),
    RooflineClock(1.0, 0.25, 0.125, 0.25, 0.0625, 0.03125, 0.125),
    Clock.preset("a100-llama2-7b"),
    Clock.preset("a100-llama2-7b-roofline"),
)
#: runs per policy
CASES = 24


def draw(rng: np.random.Generator) -> tuple[Requests, Clock | RooflineClock, int, int]:
    """Draw requests, a clock, a memory and a block size; arrivals may be rare, crowded, on a grid, or all at once."""
    n, longest = int(rng.integers(1, 25)), int(rng.integers(1, 100))
    clock, block = CLOCKS[rng.integers(len(CLOCKS))], int(rng.choice([1, 1, 4, 16]))
    prompt, output = rng.integers(1, longest + 1, (2, n))
    tick = clock.iteration(1, 0)
    arrival = np.sort(rng.random(n)) * n * rng.choice([0.0, 1.0, longest / 8, longest]) * tick
    if rng.integers(3) == 0:
        arrival = np.floor(arrival / tick) * tick
    peak = -(-(prompt + output) // block) * block
    memory = int(rng.integers(peak.max() * rng.choice([0.5, 1.0]), peak.max() * rng.integers(2, 8))) + 1
    predicted = np.maximum(1, np.rint(output * rng.uniform(0.5, 1.5, n))) if rng.integers(2) else None
    types = [Type(float(prompt.mean()), int(output.max()), 1.0)] * int(rng.integers(1, 4)) if rng.integers(2) else []
    kind = rng.integers(0, len(types), n) if types else None
    return Requests(prompt, output, arrival, kind, types, predicted), clock, memory, block


def parameters(policy: str, rng: np.random.Generator, load: Requests) -> dict:
    """Draw parameters under which every rule of the policy has something to do."""
    longest = int(load.output.max())
    if policy == "wait":
        return {"flush": bool(rng.integers(2)), "thresholds": rng.integers(1, 4, len(load.mix)).tolist()}
    if policy in ("nested_wait", "wait_capped"):
        cuts = sorted({*rng.integers(1, longest + 1, rng.integers(0, 4)).tolist(), longest})
        each: dict = {"flush": bool(rng.integers(2)), "cuts": cuts}
        if policy == "nested_wait":
            return each | {"thresholds": rng.integers(1, 5, len(cuts)).tolist()}
        return each | {"caps": rng.integers(1, 3 * longest + 1, len(cuts)).tolist(), "wait_gate": bool(rng.integers(2))}
    chosen: dict = {"max_batch": (None, 128, 5, 2)[rng.integers(4)]}
    if policy in ("vllm", "sarathi"):
        chosen |= {"watermark": float(rng.choice([0.0, 0.01, 0.2])), "token_budget": int(rng.integers(1, 200))}
    if policy == "lightllm":
        chosen |= {"max_tokens": max(1, longest // int(rng.integers(1, 3))), "prefill_every": int(rng.integers(1, 12))}
    if policy == "rate_capped":
        chosen |= {"rate": (None, 0.04, 0.7)[rng.integers(3)], "share": float(rng.choice([1.0, 4.0]))}
    if policy == "mixed":
        chosen["width"] = int(rng.integers(1, 20))
    if policy == "ltr":
        chosen["starvation"] = int(rng.integers(1, 60))
    return chosen


@pytest.mark.parametrize("policy", serving.policy_ids())
def test_same_bits(policy):
    """All times, counters and iterations of a run are the same, jumped or walked."""
    rules = serving.card(policy).allowed_evictions
    evicted = 0
    for number in range(CASES):
        rng = np.random.default_rng([number, len(policy)])
        load, clock, memory, block = draw(rng)
        cut = None if rng.integers(3) else max(load.last_arrival, 1.0) * float(rng.uniform(0.1, 2.0))
        given = parameters(policy, rng, load) | {"cut": cut, "block": block, "log": True, "gaps": True}
        eviction = rules[number % len(rules)]
        fast, slow = (
            simulate(load, policy, clock, memory, eviction, **given)
            for simulate in (serving.simulate, reference.simulate)
        )
        assert differences(fast, slow) == [], f"case {number}"
        evicted += fast.counters["evictions"]
    assert evicted > 0 or policy in ("orca", "faster_transformer", "lightllm")
