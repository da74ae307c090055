"""What the contract tests draw: small instances of every kind, and what a policy must be told from outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algos
from kvratio import Instance, Schedule
from kvratio.suite.contract.peeking import seen_lengths

#: policies that find out lengths by stopping what outlives a guess, so that one request alone may start twice
LEARNS_BY_KILLING = {"gsa", "gsa_spec", "rect", "response", "route", "orca", "s3"}

#: policies under which a request may stand still until others arrive, and which are told when arrivals have ended
WAITS_FOR_ARRIVALS = {"wait", "nested_wait", "wait_capped"}

#: policies that may pause a request with its memory: its attempt is written as if it had run at the end, so of the
#: decisions up to an epoch the schedule shows only the attempts that have ended
PAUSES = {*WAITS_FOR_ARRIVALS, "lightllm"}

#: policies that solve a linear program for each batch, a thousand times slower than the others
SOLVES_LP = {"sorted_lp", "lp_swap"}

#: parameters whose default is computed from predictions or outputs of all requests: public facts, given here
PUBLIC: dict[str, dict[str, Any]] = {
    "orca": {"max_tokens": 3},
    "one_bit_svf": {"max_output": 9},
    "rate_capped": {"rate": 0.6},
    "wait": {"thresholds": 1},
    "nested_wait": {"thresholds": 1},
    "wait_capped": {"caps": 2},
    "faster_transformer": {"max_tokens": 3},
    "lightllm": {"max_tokens": 3},
}

#: values at which rare branches are reached on small instances
LIVELY: dict[str, dict[str, Any]] = {
    "alpha_beta_clearing": {"beta": 0.5},
    "fastserve_mlfq": {"starvation": 6, "prefill_rate": 2},
    "ltr": {"starvation": 5},
    "lightllm": {"prefill_every": 2},
}


def on_drawn(policies: list[str] | tuple[str, ...], **strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """Turn ``body(policy, **drawn)`` into a test of each policy on drawn values, fewer where each run solves an LP."""

    def decorate(body: Callable[..., None]) -> Any:
        def test(policy: str) -> None:
            usual = settings().max_examples // 2

            @settings(max_examples=max(3, usual // 10) if policy in SOLVES_LP else usual)
            @given(**strategies)
            def holds(**drawn: Any) -> None:
                body(policy, **drawn)

            holds()

        test.__name__, test.__doc__ = body.__name__, body.__doc__
        return pytest.mark.parametrize("policy", policies)(test)

    return decorate


@st.composite
def instances(draw: st.DrawFn, most: int = 8, online: bool = True) -> Instance:
    """Draw an instance: equal or mixed prompts, predictions and intervals of any value, given explicitly."""
    memory = draw(st.integers(1, 24))
    n = draw(st.integers(1, most))
    some = {"min_size": n, "max_size": n}
    if draw(st.booleans()):
        prompt = [draw(st.integers(0, memory - 1))] * n
    else:
        prompt = draw(st.lists(st.integers(0, memory - 1), **some))
    output = [draw(st.integers(1, memory - s)) for s in prompt]
    guess = st.lists(st.integers(-1, memory + 2), **some)
    arrival = draw(st.lists(st.integers(0, 15), **some)) if online and draw(st.booleans()) else None
    return Instance(
        prompt, output, memory, arrival, predicted=draw(guess), predicted_low=draw(guess), predicted_high=draw(guess)
    )


def random_instance(rng: np.random.Generator, n: int = 60, memory: int = 90) -> Instance:
    """Draw an instance on which queues grow and shrink: more requests than fit, over some hundred rounds."""
    prompt = rng.integers(0, memory // 3, n)
    output = rng.integers(1, memory - prompt + 1)
    guess = np.maximum(1, output + rng.integers(-9, 10, n))
    return Instance(
        prompt,
        output,
        memory,
        rng.integers(0, 200, n),
        predicted=guess,
        predicted_low=np.maximum(1, guess - 9),
        predicted_high=guess + 9,
    )


def run(inst: Instance, policy: str, eviction: str | None = None, **params: Any) -> Schedule:
    """Run a policy with its public parameters, and a limit that these instances do not reach."""
    given = {**PUBLIC.get(policy, {}), **LIVELY.get(policy, {}), **params}
    return algos.schedule(inst, policy, eviction, round_limit=10**7, **given)


def decisions(sch: Schedule, epoch: int, requests: int | None = None) -> list[tuple[int, int, int, bool]]:
    """Return what was decided up to and including an epoch, for the first so many requests (default: all).

    Rows are (request, start, stop, completed) by (start, request); an attempt that has not stopped by then has stop -1,
    or no row where its start says nothing (`PAUSES`).
    """
    n = sch.instance.n if requests is None else requests
    last = sch.attempts["stop" if sch.policy in PAUSES else "start"]
    rows = sch.attempts[(last <= epoch) & (sch.attempts["request"] < n)]
    return [(i, a, b, done) if b <= epoch else (i, a, -1, False) for i, a, b, done in rows.tolist()]


def open_ended(inst: Instance, epoch: int, late: Instance) -> Instance:
    """Return what has arrived by an epoch, and one more request after all that come late."""
    columns = ("prompt", "output", "predicted", "predicted_low", "predicted_high")
    joined = {name: np.append(getattr(inst, name), 1) for name in columns}
    joined["prompt"][-1] = 0
    return Instance(memory=inst.memory, arrival=np.append(inst.arrival, late.arrival.max() + epoch + 1), **joined)


def least_outputs(sch: Schedule, epoch: int) -> np.ndarray:
    """Return the smallest output of each request that agrees with what was seen up to an epoch, int64[n].

    Where the schedule does not show how far a request was (`PAUSES`), the true output surely agrees.
    """
    return seen_lengths(sch, epoch, sch.policy in PAUSES)
