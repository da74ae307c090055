"""What every family owes its users, tested on every family."""

import json

import numpy as np
import pytest
from greedy_policies import FCFS
from hypothesis import given, settings
from hypothesis import strategies as st

from instances import family, family_ids, generate
from instances.card import REQUIRED
from instances.list_greedy import flow_of
from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter

small = st.integers(1, 30)
orders = st.sampled_from(["adversarial", "random", "reversed"])
fitted = st.fixed_dictionaries({"count": small, "rate": st.none() | st.floats(0.1, 50)})
uniform_base = st.just({"family": "uniform", "count": 60, "memory": 90, "prompt": (0, 30), "output": (1, 60)})

STRATEGIES = {
    "burst_trap": st.fixed_dictionaries(
        {"memory": st.integers(9, 80), "c": st.floats(0.1, 2), "start": st.integers(0, 99)}
    ),
    "stream_trap": st.fixed_dictionaries({"memory": st.integers(2, 30), "start": st.integers(0, 60)}),
    "blocker": st.fixed_dictionaries({"memory": st.integers(2, 40), "start": st.integers(0, 60)}),
    "sf_trap": st.fixed_dictionaries(
        {"memory": st.integers(3, 60), "x": st.floats(0.5, 3), "y": st.floats(0.1, 5), "order": orders}
    ),
    "tsf_trap": st.fixed_dictionaries(
        {
            "memory": st.integers(3, 40).map(lambda h: 2 * h),
            "k": st.integers(1, 9),
            "z": st.floats(0.1, 2),
            "order": orders,
        }
    ),
    "svf_trap": st.fixed_dictionaries(
        {
            "memory": st.integers(3, 300).map(lambda h: 2 * h),
            "variant": st.sampled_from([None, "half"]),
            "order": orders,
        }
    ),
    "head_of_line": st.fixed_dictionaries({"memory": st.integers(3, 60), "order": orders}),
    "synchronised": st.fixed_dictionaries(
        {"count": small, "prompt": st.integers(0, 9), "output": small, "memory": st.integers(39, 90)}
    ),
    "long_protection": st.fixed_dictionaries({"long": st.integers(1, 6), "short": small, "order": orders}),
    "eviction_cycle": st.fixed_dictionaries(
        {"prompt": st.integers(0, 5), "output": small, "memory": st.integers(35, 50), "rounds": st.integers(1, 9)}
    ),
    "kill_thrash": st.fixed_dictionaries({"period": small}),
    "regime_mixing": st.fixed_dictionaries(
        {"memory": st.integers(1, 5).map(lambda h: 16 * h), "part": st.integers(1, 4), "order": orders}
    ),
    "interval_trap": st.fixed_dictionaries(
        {"lower": st.integers(1, 8), "stretch": st.integers(1, 8), "count": small, "order": orders}
    ),
    "interval_geometric": st.fixed_dictionaries(
        {"lower": st.integers(1, 5), "scales": st.integers(1, 5), "count": small}
    ),
    "prediction_error": st.one_of(
        st.fixed_dictionaries({"base": uniform_base, "mode": st.just("uniform"), "level": st.floats(0, 1)}),
        st.fixed_dictionaries({"base": uniform_base, "mode": st.just("over"), "level": st.floats(1, 9)}),
        st.fixed_dictionaries({"base": uniform_base, "mode": st.sampled_from(["swap", "outlier"])}),
        st.fixed_dictionaries({"base": uniform_base, "mode": st.just("rank_noise"), "level": st.floats(0.4, 0.9)}),
    ),
    "augmentation": st.fixed_dictionaries(
        {"base": uniform_base, "extra": st.floats(0, 2), "mode": st.sampled_from(["memory", "speed"])}
    ),
    "randomised_start": st.fixed_dictionaries({"memory": st.integers(2, 60)}),
    "jaillet_batch": st.just({}),
    "jaillet_online": st.just({}),
    "lognormal": st.fixed_dictionaries(
        {"count": small, "memory": st.integers(250, 3000), "rate": st.none() | st.floats(0.01, 9)}
    ),
    "worst": st.fixed_dictionaries({"entry": st.sampled_from(["svf.batch", "gsa.guarantee", "fcfs.arrivals"])}),
    "two_point": st.fixed_dictionaries(
        {
            "count": small,
            "memory": st.integers(60, 90),
            "prompt": st.integers(0, 30),
            "short": small,
            "long": small,
            "share": st.floats(0, 1),
        }
    ),
    "geometric": st.fixed_dictionaries(
        {"count": small, "memory": st.integers(40, 90), "prompt": st.integers(0, 30), "mu": st.floats(0.01, 1)}
    ),
    "powers_of_two": st.fixed_dictionaries(
        {"count": small, "memory": st.integers(1100, 2000), "prompt": st.integers(0, 50), "scales": st.integers(0, 12)}
    ),
    "uniform": st.fixed_dictionaries(
        {
            "count": small,
            "memory": st.integers(60, 90),
            "prompt": st.tuples(st.integers(0, 9), st.integers(9, 30)),
            "output": st.tuples(st.integers(1, 9), st.integers(9, 30)),
        }
    ),
}


def parameters_of(family_id):
    """Return the strategy for a family's parameters."""
    return STRATEGIES.get(family_id, fitted)


@pytest.mark.parametrize("family_id", family_ids())
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_every_family_is_valid_feasible_and_repeatable(family_id, data):
    """For any parameters and seed: a feasible witness, true figures in info, and the same bytes from what is echoed."""
    parameters = data.draw(parameters_of(family_id))
    seed = data.draw(st.integers(0, 2**32))
    inst = generate(family_id, seed=seed, **parameters)
    info = inst.info
    check(inst, Schedule.from_starts(inst, inst.witness))
    assert info["witness_cost"] == flow_of(inst, inst.witness)
    assert (info["family"], info["seed"], info["n"], info["alpha"]) == (family_id, seed, inst.n, inst.alpha)
    assert info["alpha"] <= 1
    assert info["kind"] == ("batch" if inst.is_batch else "online")
    assert (info["ratio"] is None) == (info["forced_cost"] is None)
    assert family(family_id).forced(inst) == info["ratio"]
    for name, value in parameters.items():
        assert info["parameters"][name] == (list(value) if isinstance(value, tuple) else value)
    again = generate(family_id, seed=seed, **info["parameters"])
    assert again == inst
    assert again.info == info
    assert np.array_equal(again.witness, inst.witness)


@pytest.mark.parametrize("family_id", family_ids())
def test_instances_survive_a_file(family_id, tmp_path):
    """Info is plain JSON: saved and loaded, an instance keeps its key, witness and provenance."""
    inst = generate(family_id, seed=1, **example(family_id))
    json.dumps(dict(inst.info))
    back = Instance.load(inst.save(tmp_path / "one.json"))
    assert back == inst
    assert dict(back.info) == dict(inst.info)
    assert np.array_equal(back.witness, inst.witness)


EXAMPLES = {
    "burst_trap": {"memory": 25},
    "stream_trap": {"memory": 10},
    "blocker": {"memory": 10},
    "sf_trap": {"memory": 16},
    "tsf_trap": {"memory": 16},
    "svf_trap": {"memory": 100},
    "head_of_line": {"memory": 12},
    "synchronised": {"count": 16, "prompt": 1, "output": 4, "memory": 20},
    "eviction_cycle": {"prompt": 1, "output": 4, "memory": 20, "rounds": 5},
    "kill_thrash": {"period": 6},
    "regime_mixing": {"memory": 16},
    "interval_trap": {"count": 20},
    "interval_geometric": {"lower": 2, "scales": 3, "count": 30},
    "prediction_error": {"base": "blocker", "memory": 10, "mode": "swap"},
    "augmentation": {"base": "blocker", "memory": 10, "extra": 0.5},
    "randomised_start": {"memory": 20},
    "worst": {"entry": "svf.batch"},
    "lognormal": {"count": 20, "memory": 2000},
    "two_point": {"count": 20, "memory": 100, "prompt": 3, "short": 2, "long": 40, "share": 0.2},
    "geometric": {"count": 20, "memory": 100, "prompt": 3, "mu": 0.1},
    "powers_of_two": {"count": 20, "memory": 1100, "prompt": 3, "scales": 8},
    "uniform": {"count": 20, "memory": 100, "prompt": (0, 9), "output": (1, 20)},
}


def example(family_id):
    """Return parameters of a small instance."""
    card = family(family_id)
    return EXAMPLES.get(family_id, {"count": 10} if card.group == "fitted" else {})


@pytest.mark.parametrize("family_id", family_ids())
def test_every_card_says_what_it_is(family_id):
    """Id, title, source and prose are there, parameters are documented, and kind and group are known words."""
    card = family(family_id)
    assert card.id == family_id
    assert all((card.title, card.source, card.about))
    assert card.kind in ("batch", "online", "as base")
    assert card.group in ("adversarial", "random", "fitted", "wrapper")
    assert card.effect in ("forces", "hurts", "measured")
    assert all(parameter.doc for parameter in card.parameters)
    assert (card.letter and card.ratio_text and card.target) or card.group in ("random", "fitted")
    assert ("order" in [parameter.name for parameter in card.parameters]) == card.orders
    if card.kind != "as base" and card.id != "powers_of_two":
        assert generate(family_id, **example(family_id)).info["kind"] == card.kind


@pytest.mark.parametrize("family_id", family_ids())
def test_bad_parameters_are_one_clear_line(family_id):
    """Unknown, missing and mistyped parameters and bad seeds name the family and fit on a line."""
    good = example(family_id)
    wrong = [{**good, "bogus": 1, "seed": 0}, {**good, "seed": -1}, {**good, "seed": True}, {**good, "seed": 0.5}]
    for parameter in family(family_id).parameters:
        if parameter.default is REQUIRED:
            wrong.append({k: v for k, v in good.items() if k != parameter.name})
        if parameter.kind in ("int", "float"):
            wrong += [{**good, parameter.name: bad} for bad in ("7", float("nan"), True, [3], -1e30)]
    for parameters in wrong:
        with pytest.raises(BadParameter) as caught:
            generate(family_id, **parameters)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family_id", family_ids())
def test_without_a_witness_nothing_else_changes(family_id):
    """witness=False leaves out the witness and the ratio, and gives the same requests."""
    inst = generate(family_id, seed=2, witness=False, **example(family_id))
    assert inst.witness is None
    assert inst.info["witness_cost"] is None
    assert inst.info["ratio"] is None
    assert inst == generate(family_id, seed=2, **example(family_id))


@pytest.mark.parametrize("family_id", [i for i in family_ids() if family(i).orders])
def test_orders_only_renumber(family_id):
    """Random and reversed order hold the same requests; random order depends on the seed alone."""
    rows = {}
    for order, seed in (("adversarial", 0), ("reversed", 0), ("random", 0), ("random", 1)):
        inst = generate(family_id, seed=seed, order=order, **example(family_id))
        rows[order, seed] = list(
            zip(inst.prompt.tolist(), inst.output.tolist(), inst.predicted_high.tolist(), strict=True)
        )
    written = rows["adversarial", 0]
    assert rows["reversed", 0] == written[::-1] != written
    assert sorted(rows["random", 0]) == sorted(written)
    assert rows["random", 0] != rows["random", 1]


@pytest.mark.parametrize("family_id", [i for i in family_ids() if family(i).adaptive])
def test_adaptive_families_take_a_policy(family_id):
    """Every adaptive family is built against a policy and says which."""
    inst = generate(family_id, policy=FCFS, **example(family_id))
    assert (inst.info["tuned_to"], inst.info["start"]) == ("fcfs", 0)


@pytest.mark.parametrize(
    ("family_id", "parameters", "word"),
    [
        ("burst_trap", {"memory": 4, "c": 5}, "w = 10 > memory - 1 = 3"),
        ("stream_trap", {"memory": 10, "w": 10}, "w = 10 > memory - 1 = 9"),
        ("tsf_trap", {"memory": 9}, "even"),
        ("svf_trap", {"memory": 9, "variant": "half"}, "even"),
        ("svf_trap", {"memory": 9, "variant": "third"}, "choose one of"),
        ("long_protection", {"memory": 100}, "must be in"),
        ("regime_mixing", {"memory": 40}, "multiple of 16"),
        ("regime_mixing", {"memory": 32, "part": 5}, "part is 5"),
        ("synchronised", {"count": 3, "prompt": 5, "output": 6, "memory": 10}, "no valid instance"),
        ("head_of_line", {"memory": 9, "order": "worst"}, "choose one of"),
    ],
)
def test_constructions_refuse_what_they_cannot_build(family_id, parameters, word):
    """Parameters outside a construction's range, and those that give p > M, are refused."""
    with pytest.raises(BadParameter, match=word):
        generate(family_id, **parameters)
