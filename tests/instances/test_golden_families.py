"""The golden numbers of every construction: cost of the target, cost of the witness, both exact."""

import pytest
from greedy_policies import MC_SF

from instances import generate
from instances.augmented import policy_flow, policy_instance
from instances.list_greedy import flow_of, list_greedy

# family, parameters, list-greedy keys that suffer, forced cost, witness cost
COSTS = [
    ("burst_trap", {"memory": 100}, ("fcfs", "mc_sf", "tsf", "svf"), 489, 240),
    ("burst_trap", {"memory": 400}, ("fcfs", "mc_sf"), 3304, 980),
    ("burst_trap", {"memory": 1600}, ("fcfs", "svf"), 23909, 3960),
    ("burst_trap", {"memory": 6400}, ("mc_sf",), 181019, 15920),
    ("burst_trap", {"memory": 100, "start": 50}, (), 539, 290),
    ("burst_trap", {"memory": 100, "start": 99}, (), 588, 339),
    ("burst_trap", {"memory": 100, "start": 100}, (), 589, 149),
    ("burst_trap", {"memory": 100, "start": 150}, (), 639, 149),
    ("stream_trap", {"memory": 40}, ("fcfs", "svf"), 5529, 479),
    ("stream_trap", {"memory": 80}, ("mc_sf",), 41759, 1759),
    ("stream_trap", {"memory": 120}, ("fcfs",), 138189, 3839),
    ("blocker", {"memory": 50}, ("fcfs", "mc_sf", "svf"), 2450, 148),
    ("blocker", {"memory": 100}, ("fcfs", "mc_sf", "svf"), 9900, 298),
    ("blocker", {"memory": 200}, ("fcfs", "mc_sf", "svf"), 39800, 598),
    ("blocker", {"memory": 400}, ("fcfs", "mc_sf", "svf"), 159600, 1198),
    ("blocker", {"memory": 50, "start": 10}, (), 2460, 158),
    ("blocker", {"memory": 50, "start": 25}, (), 2475, 173),
    ("blocker", {"memory": 50, "start": 48}, (), 2498, 196),
    ("blocker", {"memory": 50, "start": 49}, (), 2499, 98),
    ("blocker", {"memory": 50, "start": 80}, (), 2530, 98),
    ("sf_trap", {"memory": 64}, ("fcfs", "mc_sf"), 5534, 1886),
    ("sf_trap", {"memory": 256}, ("fcfs", "mc_sf"), 38446, 6574),
    ("sf_trap", {"memory": 1024}, ("fcfs", "mc_sf"), 284750, 24398),
    ("tsf_trap", {"memory": 64}, ("tsf",), 8479, 1898),
    ("tsf_trap", {"memory": 256}, ("tsf",), 62207, 7178),
    ("tsf_trap", {"memory": 1024}, ("tsf",), 435775, 27722),
    ("svf_trap", {"memory": 100}, ("svf",), 87, 32),
    ("svf_trap", {"memory": 1000}, ("svf",), 475, 97),
    ("svf_trap", {"memory": 10**4}, ("svf",), 2655, 309),
    ("svf_trap", {"memory": 10**5}, ("svf",), 14260, 940),
    ("svf_trap", {"memory": 2000, "variant": "half"}, ("svf",), 2013, 1131),
    ("head_of_line", {"memory": 50}, ("fcfs",), 2674, 130),
    ("head_of_line", {"memory": 200}, ("fcfs",), 40699, 505),
    ("head_of_line", {"memory": 800}, ("fcfs",), 642799, 2005),
    ("synchronised", {"count": 400, "prompt": 1, "output": 49, "memory": 500}, ("mc_sf",), 401800, 236645),
    ("synchronised", {"count": 1500, "prompt": 1, "output": 99, "memory": 4000}, ("mc_sf",), 2859120, 1593322),
    ("synchronised", {"count": 400, "prompt": 50, "output": 50, "memory": 1000}, ("mc_sf",), 410000, 352334),
    ("long_protection", {}, ("fcfs",), 185892, 13448),
    ("kill_thrash", {"period": 6}, (), 48, 13),
    ("kill_thrash", {"period": 20}, (), 440, 41),
    ("kill_thrash", {"period": 40}, (), 1680, 81),
    ("kill_thrash", {"period": 80}, (), 6560, 161),
    ("interval_trap", {"stretch": 2}, (), 123060, 49245),
    ("interval_trap", {"stretch": 5}, (), 116590, 18026),
    ("interval_trap", {"stretch": 10}, (), 114840, 9923),
    ("interval_trap", {"stretch": 20}, (), 113310, 6072),
]


@pytest.mark.parametrize(("family", "parameters", "keys", "forced", "witness"), COSTS)
def test_costs_are_those_published(family, parameters, keys, forced, witness):
    """Forced cost and witness cost are the published integers, and list-greedy in the named orders pays that cost."""
    inst = generate(family, **parameters)
    assert (inst.info["forced_cost"], inst.info["witness_cost"]) == (forced, witness)
    assert inst.info["ratio"] == forced / witness
    assert flow_of(inst, inst.witness) == witness
    for key in keys:
        assert flow_of(inst, list_greedy(inst, key)) == forced


@pytest.mark.parametrize(("memory", "ratio"), [(100, 2.042), (400, 3.258), (1600, 5.645)])
def test_burst_trap_with_a_wider_gap(memory, ratio):
    """At c = 1.25 the ratios are the published ones, to their three digits."""
    inst = generate("burst_trap", memory=memory, c=1.25)
    assert inst.info["ratio"] == pytest.approx(ratio, abs=5e-4)
    assert flow_of(inst, list_greedy(inst, "fcfs")) == inst.info["forced_cost"]


def test_svf_trap_at_36_has_the_published_lengths():
    """At M = 36 the long request has 7 tokens, and the half variant at M = 2000 has 43."""
    assert generate("svf_trap", memory=36).output[0] == 7
    half = generate("svf_trap", memory=2000, variant="half")
    assert (half.output[0], half.n, half.alpha) == (43, 65, 0.5)


def test_head_of_line_is_harmless_with_skip():
    """Going on past the misfit brings the ratio below 1.4."""
    inst = generate("head_of_line", memory=200)
    assert flow_of(inst, list_greedy(inst, "fcfs", skip=True)) < 1.4 * inst.info["witness_cost"]


def test_long_protection_is_harmless_in_reverse():
    """With the short ones first, fcfs pays what shortest first pays."""
    inst = generate("long_protection", order="reversed")
    assert inst.info["forced_cost"] == inst.info["witness_cost"] == 13448


def test_kill_thrash_is_harmless_without_kills():
    """Non-preemptive shortest first attains the witness."""
    inst = generate("kill_thrash", period=20)
    assert flow_of(inst, list_greedy(inst, "mc_sf")) == inst.info["witness_cost"] == 41


def test_interval_trap_is_milder_at_every_epoch():
    """A policy that plans with u but looks at every epoch pays less than one that looks at completions."""
    inst = generate("interval_trap", stretch=2)
    assert inst.info["a_max_cost"] == flow_of(inst, list_greedy(inst, "fcfs", planned=inst.predicted_high)) == 116190


AUGMENTED = [
    ("blocker", 200, {0: 66.555, 0.1: 55.147, 0.25: 38.542, 0.5: 17.555, 0.75: 4.930, 1: 0.666}),
    ("burst_trap", 1600, {0: 6.038, 0.1: 1.335, 0.25: 0.881, 0.5: 0.702}),
    ("stream_trap", 80, {0: 23.740, 0.1: 18.682, 0.25: 12.605, 0.5: 5.186, 1: 0.955}),
]


@pytest.mark.parametrize(
    ("base", "memory", "extra", "ratio"), [(b, M, e, x) for b, M, row in AUGMENTED for e, x in row.items()]
)
def test_augmented_ratios_are_those_published(base, memory, extra, ratio):
    """mc_sf with a factor 1 + e more memory has the published ratio against the witness for M."""
    inst = generate("augmentation", base=base, memory=memory, extra=extra, policy=MC_SF)
    flow = policy_flow(inst, MC_SF(policy_instance(inst)))
    assert flow / inst.info["witness_cost"] == pytest.approx(ratio, abs=5.1e-4)
