"""Wrappers: resource augmentation, prediction errors, powers of two."""

import numpy as np
import pytest
from greedy_policies import FCFS, MC_SF, patient
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from instances import generate
from instances.augmented import epoch_of_tick, policy_completion, policy_flow, policy_instance, ticks
from instances.registry import takes_policy
from kvratio.problem import Instance, check
from kvratio.problem.errors import BadParameter

UNIFORM = {"family": "uniform", "count": 60, "memory": 200, "prompt": (0, 20), "output": (1, 60)}


def test_augmentation_keeps_the_instance_and_its_witness():
    """Requests, memory and witness are those of the base; only the policy's memory is recorded."""
    base = generate("sf_trap", memory=64)
    inst = generate("augmentation", base=base, extra=0.25)
    assert inst == base
    assert inst.info["witness_cost"] == base.info["witness_cost"]
    assert inst.info["policy_memory"] == 80
    assert policy_instance(inst).memory == 80
    assert policy_instance(base) is base


def test_augmented_memory_is_not_lost_to_rounding():
    """floor((1 + e) M + 1e-9) keeps exact products that binary fractions miss."""
    assert generate("augmentation", base="blocker", memory=100, extra=0.1).info["policy_memory"] == 110


def test_augmentation_probes_with_the_larger_memory():
    """The base answers the start that the policy has with what it will run with."""

    def shy(inst):
        return patient(7 if inst.memory <= 20 else 2)(inst)

    assert generate("augmentation", base="blocker", memory=20, extra=0, policy=shy).info["start"] == 7
    inst = generate("augmentation", base="blocker", memory=20, extra=0.5, policy=shy)
    assert inst.info["start"] == inst.info["base"]["start"] == 2
    assert inst.info["parameters"]["start"] == 2
    assert generate("augmentation", **inst.info["parameters"]) == inst


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 3))
def test_ticks_and_epochs_are_inverse(tick, extra):
    """What ends at a tick has ended in the first round whose ticks reach it."""
    t = int(epoch_of_tick(tick, extra))
    assert int(ticks(t, extra)) >= tick
    assert t == 0 or int(ticks(t - 1, extra)) < tick


def test_speed_one_changes_nothing_and_speed_two_halves():
    """At e = 0 the policy's flow is its own; at e = 1 a lone request of 9 rounds takes 5."""
    lone = Instance(prompt=[1], output=[9], memory=10, arrival=[4])
    for extra, flow in ((0, 9), (1, 5)):
        inst = generate("augmentation", base=lone, extra=extra, mode="speed")
        schedule = FCFS(policy_instance(inst))
        check(policy_instance(inst), schedule)
        assert policy_flow(inst, schedule) == flow
        assert (policy_completion(inst, schedule) > inst.arrival).all()


def test_speed_reads_the_start_in_rounds_of_the_instance():
    """A start at tick 5 at double speed lies in round 3, so b = 2."""
    inst = generate("augmentation", base="blocker", memory=20, extra=1, mode="speed", policy=patient(5))
    assert inst.info["start"] == 2


def test_wrappers_nest():
    """A wrapper of a wrapper keeps what the inner one recorded for the policy."""
    inner = {"family": "augmentation", "base": "blocker", "memory": 20, "extra": 0.5}
    inst = generate("prediction_error", base=inner, mode="over", level=2)
    assert policy_instance(inst).memory == 30
    assert inst.info["base"]["base"]["family"] == "blocker"


@pytest.mark.parametrize(
    ("mode", "level"),
    [
        ("uniform", 0.2),
        ("uniform", 0.8),
        ("over", 1.5),
        ("over", 4),
        ("swap", None),
        ("outlier", None),
        ("rank_noise", 0.5),
    ],
)
def test_predictions_change_and_lengths_stay(mode, level):
    """True lengths, arrivals, memory and witness are those of the base; predictions lie in [1, M - s]."""
    base = generate("uniform", **{k: v for k, v in UNIFORM.items() if k != "family"}, seed=3)
    inst = generate("prediction_error", base=UNIFORM, mode=mode, level=level, seed=3)
    for name in ("prompt", "output", "arrival", "witness"):
        assert np.array_equal(getattr(inst, name), getattr(base, name))
    assert inst.has_predictions
    assert (inst.predicted >= 1).all()
    assert (inst.predicted <= inst.memory - inst.prompt).all()
    assert not np.array_equal(inst.predicted, inst.output)


def test_uniform_errors_stay_in_their_band():
    """Predictions are within e of the truth, rounded half up."""
    inst = generate("prediction_error", base=UNIFORM, mode="uniform", level=0.5, seed=1)
    assert (np.abs(inst.predicted - inst.output) <= 0.5 * inst.output + 0.5).all()


def test_over_prediction_is_a_factor_cut_at_memory():
    """Predictions are beta o, rounded half up, and never more than could be admitted."""
    inst = generate("prediction_error", base=UNIFORM, mode="over", level=1.5)
    expected = np.minimum((inst.output * 3 + 1) // 2, inst.memory - inst.prompt)
    assert np.array_equal(inst.predicted, expected)


def test_swap_reverses_the_order():
    """The i-th smallest gets the i-th largest length: shortest first becomes longest first."""
    base = Instance(prompt=[0, 0, 0, 0], output=[5, 1, 9, 1], memory=20)
    assert generate("prediction_error", base=base, mode="swap").predicted.tolist() == [1, 9, 1, 5]


def test_outlier_hides_the_longest_request():
    """One request, the longest, is predicted 1; at level 1 it is first lengthened to M - s."""
    base = Instance(prompt=[0, 3, 0], output=[5, 9, 9], memory=20)
    inst = generate("prediction_error", base=base, mode="outlier")
    assert inst.predicted.tolist() == [5, 1, 9]
    longer = generate("prediction_error", base=base, mode="outlier", level=1)
    assert (longer.output.tolist(), longer.predicted.tolist()) == ([5, 17, 9], [5, 1, 9])
    assert longer.witness is not None


@pytest.mark.parametrize("tau", [0.4, 0.5, 0.62])
def test_rank_noise_meets_its_kendall_tau(tau):
    """The rank correlation of predictions and lengths is the one asked for."""
    base = {"family": "lognormal", "count": 400, "memory": 4000}
    inst = generate("prediction_error", base=base, mode="rank_noise", level=tau, seed=2)
    assert kendalltau(inst.output, inst.predicted).statistic == pytest.approx(tau, abs=0.005)
    assert inst.info["kendall_tau"] == pytest.approx(tau, abs=0.005)


@pytest.mark.parametrize(
    ("mode", "level"),
    [("uniform", None), ("uniform", 1.5), ("over", 0.5), ("swap", 1), ("outlier", 3), ("rank_noise", 1)],
)
def test_levels_without_meaning_are_refused(mode, level):
    """Each mode says which level it takes."""
    with pytest.raises(BadParameter, match=f"mode '{mode}' takes"):
        generate("prediction_error", base="blocker", memory=9, mode=mode, level=level)


def test_rank_noise_needs_lengths_that_differ():
    """Equal outputs have no rank correlation."""
    base = {"family": "synchronised", "count": 5, "prompt": 0, "output": 3, "memory": 9}
    with pytest.raises(BadParameter, match="different outputs"):
        generate("prediction_error", base=base, mode="rank_noise", level=0.5)


def test_powers_of_two_wraps_any_base():
    """Outputs are rounded up, at most 2^K, and base parameters may stand beside the wrapper's."""
    base = Instance(prompt=[0, 1, 2, 3], output=[1, 3, 8, 9], memory=40)
    assert generate("powers_of_two", base=base, scales=4).output.tolist() == [1, 4, 8, 16]
    assert generate("powers_of_two", base=base, scales=3).output.tolist() == [1, 4, 8, 8]
    inst = generate(
        "powers_of_two", base="two_point", scales=5, count=9, memory=50, prompt=3, short=3, long=17, share=0.5
    )
    assert set(inst.output.tolist()) <= {4, 32}
    with pytest.raises(BadParameter, match="no valid instance"):
        generate("powers_of_two", base=Instance(prompt=[5], output=[3], memory=8), scales=3)


def test_takes_policy_sees_through_wrappers():
    """Only adaptive families, and wrappers of them, take a policy."""
    assert takes_policy("blocker")
    assert takes_policy("augmentation", base="blocker", memory=9, extra=1)
    assert takes_policy("prediction_error", base={"family": "augmentation", "base": "blocker"}, mode="swap")
    assert not takes_policy("augmentation", base="sf_trap", memory=9, extra=1)
    assert not takes_policy("augmentation", base=generate("blocker", memory=9), extra=1)
    assert not takes_policy("powers_of_two", count=3)


def test_a_base_is_refused_with_what_it_cannot_take():
    """Parameters or a policy beside a finished instance, and a parameter given twice, are one clear line."""
    base = generate("blocker", memory=9)
    with pytest.raises(BadParameter, match="takes no parameter 'memory'"):
        generate("augmentation", base=base, extra=1, memory=9)
    with pytest.raises(BadParameter, match="built already"):
        generate("augmentation", base=base, extra=1, policy=MC_SF)
    with pytest.raises(BadParameter, match="'memory' is given in base and beside it"):
        generate("augmentation", base={"family": "blocker", "memory": 9}, extra=1, memory=9)
    with pytest.raises(BadParameter, match="base is 3"):
        generate("augmentation", base=3, extra=1)
