"""What every policy must hold, whoever wrote it (docs/policies.md, section 10)."""

import pickle
import re

import numpy as np
import pytest
from contract_cases import (
    LEARNS_BY_KILLING,
    PUBLIC,
    SOLVES_LP,
    WAITS_FOR_ARRIVALS,
    instances,
    on_drawn,
    random_instance,
    run,
)
from hypothesis import assume
from hypothesis import strategies as st

import algos
from algos.card import INFORMATION
from algos.registry import card
from kvratio import Instance, InstanceBatch, Schedule, check
from kvratio.problem.errors import BadParameter, UnknownName

ALL = algos.policy_ids()
QUICK = sorted(set(ALL) - SOLVES_LP)
EVERY = pytest.mark.parametrize("policy", ALL)
#: static order by one number, so that distinct numbers make the numbering of requests irrelevant
LIST_KEYS = {
    "fcfs": lambda inst: inst.arrival,
    "mc_sf": lambda inst: inst.output,
    "sjf": lambda inst: inst.output,
    "tsf": lambda inst: inst.peak,
    "svf": lambda inst: inst.volume,
}


def peak_use(sch: Schedule) -> int:
    """Return the largest memory of any round, added up round by round."""
    inst, kept, use = sch.instance, np.zeros(sch.instance.n, np.int64), {}
    for i, first, stop, _ in sch.attempts.tolist():
        for t in range(first + 1, stop + 1):
            use[t] = use.get(t, 0) + int(inst.prompt[i] + kept[i]) + t - first
        if sch.eviction != "restart":
            kept[i] += stop - first
    return max(use.values())


# -- schedules ------------------------------------------------------------------------------------------------------
@on_drawn(ALL, inst=instances())
def test_feasible_under_every_eviction(policy, inst):
    """The judge accepts the schedule under every semantics the card allows; memory M + 1 is never needed."""
    for eviction in card(policy).allowed_evictions:
        sch = run(inst, policy, eviction)
        check(inst, sch)
        assert peak_use(sch) <= inst.memory


@pytest.mark.parametrize("policy", QUICK)
def test_feasible_at_length(policy):
    """The same on runs of some hundred rounds with more requests than fit."""
    for seed in range(3):
        inst = random_instance(np.random.default_rng([seed, 1]))
        sch = run(inst, policy)
        check(inst, sch)
        assert peak_use(sch) <= inst.memory


@on_drawn(ALL, inst=instances())
def test_requests_are_conserved(policy, inst):
    """Each request completes once, no earlier than a + o, and its first token takes at least one round."""
    sch = run(inst, policy)
    done = sch.attempts["request"][sch.attempts["completed"]]
    assert sorted(done.tolist()) == list(range(inst.n))
    assert (sch.completion >= inst.arrival + inst.output).all()
    assert (sch.ttft >= 1).all()


@on_drawn(ALL, inst=instances())
def test_same_seed_same_bytes(policy, inst):
    """A run and its repetition have the same attempts and completions, byte for byte."""
    one, two = run(inst, policy, seed=5), run(inst, policy, seed=5)
    assert one.attempts.tobytes() == two.attempts.tobytes()
    assert one.completion.tobytes() == two.completion.tobytes()


@on_drawn(ALL, inst=instances(most=1))
def test_alone(policy, inst):
    """A single request completes at a + o, unless the policy learns its length by killing."""
    flow = run(inst, policy).total_flow
    assert flow >= inst.output[0] if policy in LEARNS_BY_KILLING else flow == inst.output[0]


@on_drawn(sorted(set(LIST_KEYS) & set(ALL)), inst=instances(), data=st.data())
def test_numbering_does_not_matter(policy, inst, data):
    """With distinct keys and exact lengths a permutation of the requests permutes the schedule."""
    exact = inst.replace(predicted=None)
    assume(len(set(LIST_KEYS[policy](exact).tolist())) == exact.n)
    order = np.array(data.draw(st.permutations(range(exact.n))))
    assert (run(exact.subset(order), policy).completion == run(exact, policy).completion[order]).all()


@on_drawn([p for p in ALL if {"recompute", "swap"} <= set(card(p).allowed_evictions)], inst=instances())
def test_recompute_and_swap_are_one_schedule(policy, inst):
    """In unit rounds recompute and swap differ only in the tokens processed again."""
    recompute, swap = run(inst, policy, "recompute"), run(inst, policy, "swap")
    assert recompute.attempts.tolist() == swap.attempts.tolist()
    assert swap.recomputed_tokens == 0


@on_drawn(ALL, parts=st.lists(instances(most=5), min_size=1, max_size=4))
def test_packed_equals_alone(policy, parts):
    """Instances run packed get the schedules that they get one by one."""
    packed = algos.schedule_batch(InstanceBatch(parts), policy, **PUBLIC.get(policy, {}))
    alone = [algos.schedule(part.replace(), policy, **PUBLIC.get(policy, {})) for part in parts]
    assert packed.completion.tolist() == [c for sch in alone for c in sch.completion.tolist()]
    assert packed.evictions.tolist() == [sch.evictions for sch in alone]


@EVERY
def test_results_travel(policy, tmp_path):
    """A schedule can be pickled, which parallel workers need, and saved; both come back equal."""
    inst = Instance(prompt=[2, 0, 3, 1], output=[3, 5, 1, 4], memory=9, arrival=[0, 1, 1, 4])
    sch = run(inst, policy)
    assert Schedule.load(sch.save(tmp_path / "schedule.json")) == sch
    assert pickle.loads(pickle.dumps(run(inst, policy))) == sch


# -- limits (docs/model.md, section 9) ------------------------------------------------------------------------------
LIMITS = {
    "one": Instance(prompt=[0], output=[1], memory=1),
    "unit_memory": Instance(prompt=[0] * 5, output=[1] * 5, memory=1),
    "no_prompts": Instance(prompt=[0] * 5, output=[3, 1, 2, 5, 4], memory=5),
    "full_peaks": Instance(prompt=[3, 2, 1, 0], output=[1, 2, 3, 4], memory=4),
    "long_prompts": Instance(prompt=[7] * 4, output=[1] * 4, memory=8),
    "one_round_each": Instance(prompt=[0, 3, 1, 2, 2, 0], output=[1] * 6, memory=5),
    "equal": Instance(prompt=[2] * 9, output=[3] * 9, memory=11),
    "far_apart": Instance(prompt=[1, 1, 1], output=[2, 3, 2], arrival=[0, 10**6, 2 * 10**6], memory=5),
    "on_completion": Instance(prompt=[2, 2, 2], output=[3, 3, 3], arrival=[0, 3, 6], memory=5),
    "large_memory": Instance(prompt=[0, 5], output=[7, 1], memory=2**40),
}


@EVERY
@pytest.mark.parametrize("limit", LIMITS)
def test_limits(policy, limit):
    """The limits of the model are feasible and end."""
    inst = LIMITS[limit]
    check(inst, run(inst, policy))


@EVERY
def test_strictly_serial(policy):
    """Requests whose peak is the whole memory complete in different rounds."""
    inst = Instance(prompt=[3, 2, 1, 0, 4], output=[2, 3, 4, 5, 1], memory=5)
    assert len(set(run(inst, policy).completion.tolist())) == inst.n


@EVERY
def test_arrivals_far_apart_do_not_meet(policy):
    """Requests that are alone in the system cost what they cost alone, unless the policy waits for others."""
    inst = Instance(prompt=[1, 2, 0], output=[2, 3, 4], arrival=[0, 10**6, 2 * 10**6], memory=6)
    alone = [run(inst.subset([i]).replace(arrival=None), policy).total_flow for i in range(3)]
    flow = run(inst, policy).flow.tolist()
    if policy in WAITS_FOR_ARRIVALS:
        assert all(long >= short for long, short in zip(flow, alone, strict=True))
    else:
        assert flow == alone


@pytest.mark.parametrize("policy", QUICK)
def test_many_copies(policy):
    """A hundred thousand copies of one request: feasible, and no faster than memory allows."""
    inst = Instance(prompt=[1] * 10**5, output=[4] * 10**5, memory=23)
    sch = algos.schedule(inst, policy)
    check(inst, sch)
    assert sch.makespan * inst.memory >= int(inst.volume.sum())


# -- cards ----------------------------------------------------------------------------------------------------------
@EVERY
def test_card_is_complete(policy):
    """A card says what the policy is, knows, needs and promises, and where it is from."""
    shown = card(policy)
    for text in (shown.title, shown.family, shown.about, shown.reference, shown.source, shown.evicts):
        assert text.strip()
    assert shown.information in INFORMATION
    assert shown.arrivals in ("any", "batch rule")
    assert shown.eviction in shown.allowed_evictions
    assert set(shown.allowed_evictions) <= {"restart", "recompute", "swap"}
    assert all(parameter.doc for parameter in shown.parameters)
    assert all(parameter.accept(policy, parameter.default) == parameter.default for parameter in shown.parameters)
    assert re.search(r"arXiv \d{4}\.\d{5}|OSDI 2022", shown.source)
    assert re.fullmatch(r"[0-9a-f]{16}", shown.identity)
    if shown.guarantee is not None:
        assert shown.guarantee.text
        assert shown.guarantee.hypotheses
        assert shown.guarantee.reference


def test_names_are_unique():
    """No alias is an id, or another policy's alias, and each leads to its policy."""
    aliases = [alias for policy in ALL for alias in card(policy).aliases]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(ALL)
    assert all(card(alias).id == policy for policy in ALL for alias in card(policy).aliases)


@pytest.mark.parametrize("policy", [p for p in QUICK if re.match("never|if a prediction is too low", card(p).evicts)])
def test_eviction_free_policies_never_evict(policy):
    """A card that says "never" is right, and one that says "if a prediction is too low" is right on exact lengths."""
    says = card(policy).evicts
    for seed in range(5):
        inst = random_instance(np.random.default_rng([seed, 2]), n=25, memory=40)
        exact = inst.replace(predicted=None) if says != "never" else inst
        assert algos.schedule(exact, policy).evictions == 0


@EVERY
def test_bad_use_is_one_clear_error(policy):
    """Unknown parameters and eviction semantics are refused in one line that names the policy."""
    inst = LIMITS["equal"]
    with pytest.raises(BadParameter, match=policy):
        algos.schedule(inst, policy, no_such_parameter=1)
    with pytest.raises(BadParameter, match=policy):
        algos.schedule(inst, policy, eviction="forget")
    with pytest.raises(UnknownName, match="did you mean"):
        algos.schedule(inst, policy + "x")
