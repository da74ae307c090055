"""`rate_capped` and `mixed`: cases checked by hand, what they remove, and the same rule in both models."""

import numpy as np
import pytest

from algos import schedule, serving
from algos.registry import card
from kvratio import Instance, check, generate
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from stability import integer

EQUAL = Instance(prompt=[1] * 6, output=[3] * 6, memory=100)


def attempts(inst, policy, **given):
    """Attempts of a schedule that the judge accepts."""
    sch = schedule(inst, policy, **given)
    check(inst, sch)
    return sch.attempts.tolist()


# -- rate_capped ----------------------------------------------------------------------------------------------------
def test_starts_are_spread_by_the_bucket():
    """At half a start a round the first goes at once since nothing runs, the others every second round."""
    starts = [a for _, a, _, _ in attempts(EQUAL, "rate_capped", rate=0.5)]
    assert starts == [0, 2, 4, 6, 8, 10]


def test_unused_starts_are_kept_up_to_the_burst():
    """After ten idle rounds at one start a round, burst + 1 requests may start together."""
    inst = EQUAL.replace(arrival=[10] * 6)
    assert [a for _, a, _, _ in attempts(inst, "rate_capped", rate=1.0)] == [10, 10, 11, 12, 13, 14]
    assert [a for _, a, _, _ in attempts(inst, "rate_capped", rate=1.0, burst=3.0)] == [10, 10, 10, 10, 11, 12]


def test_an_empty_worker_starts_one():
    """However small the rate, whoever is alone runs: the bucket never leaves memory empty."""
    assert [a for _, a, _, _ in attempts(EQUAL, "rate_capped", rate=1e-9)] == [0, 3, 6, 9, 12, 15]


def test_the_default_rate_is_that_of_full_memory():
    """x* = M / (mean predicted volume), times the share; predictions are clamped first."""
    inst = Instance(prompt=[2, 4], output=[3, 2], memory=30, predicted=[3, 99])
    volumes = [2 * 3 + 6, 4 * 26 + 26 * 27 // 2]
    assert card("rate_capped").settings(inst, {})["rate"] == pytest.approx(30 * 2 / sum(volumes))
    assert card("rate_capped").settings(inst, {"share": 0.5})["rate"] == pytest.approx(30 / sum(volumes))


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("synchronised", {"count": 200, "prompt": 1, "output": 49, "memory": 500}),
        ("eviction_cycle", {"prompt": 1, "output": 9, "memory": 60, "rounds": 5}),
    ],
)
def test_the_cap_removes_evictions_and_shortens_the_run(family, parameters):
    """At .9 x* equal requests are never evicted, and everything is done sooner than under vllm_fcfs."""
    inst = generate(family, **parameters)
    greedy, capped = schedule(inst, "vllm_fcfs"), schedule(inst, "rate_capped", share=0.9)
    assert greedy.evictions > 4 * inst.n
    assert capped.evictions == 0
    assert capped.total_completion < 0.7 * greedy.total_completion


@pytest.mark.parametrize(("policy", "given", "cap"), [("vllm_fcfs", {}, np.inf), ("rate_capped", {"rate": 1.5}, 1.5)])
def test_unit_rounds_are_the_congestion_model(policy, given, cap):
    """A batch that does not run dry completes, round by round, what the model of whole requests does."""
    inst = Instance([10] * 900, [40] * 900, 2000)
    sch = schedule(inst, policy, **given)
    model = integer.simulate(10, 40, 2000, 400, cap=cap)
    done = np.bincount(sch.completion, minlength=401)[:401]
    assert done.tolist() == model.completed.tolist()
    assert done.sum() > 350


def test_both_models_cap_alike():
    """With l = s + 1, o - 1 outputs and a clock of one round the serving policy ends every request at the same time."""
    rng = np.random.default_rng(3)
    prompt, output = rng.integers(0, 30, 200), rng.integers(2, 30, 200)
    inst = Instance(prompt, output, 300)
    requests = Requests(prompt + 1, output - 1, np.zeros(200))
    for rate in (0.3, 0.75, 2.0):
        run = serving.simulate(requests, "rate_capped", Clock(1.0, 0.0), 300, rate=rate, max_batch=None)
        assert schedule(inst, "rate_capped", rate=rate).completion.tolist() == run.completion.tolist()


def test_default_rates_of_both_models_agree():
    """x* of the serving model is that of the same requests in unit rounds."""
    rng = np.random.default_rng(4)
    prompt, output = rng.integers(0, 30, 50), rng.integers(2, 30, 50)
    there = serving.simulate(
        Requests(prompt + 1, output - 1, np.zeros(50)), "rate_capped", Clock(1.0, 0.0), 300, eviction="restart"
    )
    assert there.params["rate"] == card("rate_capped").settings(Instance(prompt, output, 300), {})["rate"]


@pytest.mark.parametrize("given", [{"rate": 0}, {"burst": 0.5}, {"share": -1}, {"rate": float("nan")}])
def test_bad_caps(given):
    """A bucket that could never fill is refused."""
    with pytest.raises(BadParameter, match=r"rate_capped: .* outside"):
        schedule(EQUAL, "rate_capped", **given)


# -- mixed ----------------------------------------------------------------------------------------------------------
def test_classes_take_turns_in_their_shares():
    """Four of length 2 and two of length 5, one at a time: 2 5 2 2 5 2, by (taken + 1/2) / arrived."""
    inst = Instance(prompt=[4] * 6, output=[2, 2, 2, 2, 5, 5], memory=9)
    order = [i for i, _, _, completed in attempts(inst, "mixed") if completed]
    assert [int(inst.output[i]) for i in order] == [2, 5, 2, 2, 5, 2]


def test_width_makes_classes():
    """With classes wide enough there is one class, in order of (est, number): shortest first."""
    inst = Instance(prompt=[4] * 4, output=[5, 2, 4, 3], memory=9)
    assert [i for i, *_ in attempts(inst, "mixed", width=5)] == [1, 3, 2, 0]


def test_mixing_runs_of_lengths_removes_evictions():
    """A thousand of length 4 and then a thousand of length 7: mixed, they hardly evict; alone each falls into step."""
    inst = Instance([40] * 2000, [4] * 1000 + [7] * 1000, 2000)
    apart, together = schedule(inst, "vllm_fcfs"), schedule(inst, "mixed")
    assert apart.evictions > 150
    assert together.evictions < 0.1 * apart.evictions
    assert together.makespan < apart.makespan


def test_mixing_does_not_help_one_length():
    """With one class it is vllm_fcfs."""
    assert attempts(EQUAL.replace(memory=9), "mixed") == attempts(EQUAL.replace(memory=9), "vllm_fcfs")


def test_both_models_mix_alike():
    """The serving policy starts the same requests in the same rounds."""
    rng = np.random.default_rng(8)
    prompt, output = rng.integers(0, 30, 200), rng.integers(2, 9, 200)
    requests = Requests(prompt + 1, output - 1, np.zeros(200))
    run = serving.simulate(requests, "mixed", Clock(1.0, 0.0), 300, max_batch=None)
    assert schedule(Instance(prompt, output, 300), "mixed").completion.tolist() == run.completion.tolist()
