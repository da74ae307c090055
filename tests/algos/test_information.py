"""No policy reads what it may not (docs/model.md, section 5): the information contract, for every policy there is."""

from math import isqrt

import numpy as np
import pytest
from contract_cases import (
    PUBLIC,
    SOLVES_LP,
    WAITS_FOR_ARRIVALS,
    decisions,
    instances,
    least_outputs,
    on_drawn,
    open_ended,
    random_instance,
    run,
)
from hypothesis import assume, given
from hypothesis import strategies as st

import algos
from algos.card import Card
from algos.engine.actions import first_waiting, room, start
from algos.engine.state import DONE, NEVER, UNRELEASED
from algos.registry import card
from kvratio import Instance
from kvratio.problem.errors import PolicyError

ALL = algos.policy_ids()
HIDDEN_LENGTHS = [policy for policy in ALL if card(policy).information != "clairvoyant"]


def of_information(*kinds: str) -> list[str]:
    """Ids of the policies with this information."""
    return [policy for policy in ALL if card(policy).information in kinds]


# -- behaviour ------------------------------------------------------------------------------------------------------
@on_drawn(HIDDEN_LENGTHS, inst=instances(), data=st.data())
def test_unrevealed_lengths_do_not_matter(policy, inst, data):
    """Changing outputs of unfinished requests, within what has been seen, changes no decision made so far."""
    for eviction in card(policy).allowed_evictions:
        sch = run(inst, policy, eviction)
        epoch = data.draw(st.integers(0, sch.makespan))
        least = least_outputs(sch, epoch)
        output = inst.output.copy()
        for i in np.flatnonzero(sch.completion > epoch):
            output[i] = data.draw(st.integers(int(least[i]), int(inst.memory - inst.prompt[i])))
        assert decisions(run(inst.replace(output=output), policy, eviction), epoch) == decisions(sch, epoch)


@pytest.mark.parametrize("policy", sorted(set(HIDDEN_LENGTHS) - SOLVES_LP))
def test_unrevealed_lengths_do_not_matter_at_length(policy):
    """The same on longer runs: at three epochs, every unfinished request is made as long as memory allows."""
    for seed in range(4):
        inst = random_instance(np.random.default_rng(seed))
        sch = run(inst, policy)
        for share in (0.2, 0.5, 0.8):
            epoch = int(share * sch.makespan)
            longest = np.where(sch.completion > epoch, inst.memory - inst.prompt, inst.output)
            assert decisions(run(inst.replace(output=longest), policy), epoch) == decisions(sch, epoch)


@on_drawn(ALL, inst=instances(), late=instances(), epoch=st.integers(0, 12))
def test_the_future_does_not_matter(policy, inst, late, epoch):
    """Replacing everything that arrives after an epoch by something else changes no decision up to it.

    Policies that are told the end of arrivals are compared with a future in which one request comes last.
    """
    present = np.flatnonzero(inst.arrival <= epoch)
    assume(present.size and (late.peak <= inst.memory).all())
    now = inst.subset(present)
    columns = ("prompt", "output", "predicted", "predicted_low", "predicted_high")
    joined = {name: np.concatenate([getattr(now, name), getattr(late, name)]) for name in columns}
    arrival = np.concatenate([now.arrival, late.arrival + epoch + 1])
    extended = Instance(memory=inst.memory, arrival=arrival, **joined)
    other = open_ended(now, epoch, late) if policy in WAITS_FOR_ARRIVALS else now
    assert decisions(run(extended, policy), epoch, now.n) == decisions(run(other, policy), epoch, now.n)


@on_drawn(of_information("none", "interval"), inst=instances(), data=st.data())
def test_point_predictions_are_not_read(policy, inst, data):
    """A policy whose card does not ask for point predictions decides the same whatever they are."""
    other = data.draw(st.lists(st.integers(-1, 30), min_size=inst.n, max_size=inst.n))
    assert run(inst.replace(predicted=other), policy) == _with_predictions(run(inst, policy), other)


@on_drawn(of_information("none", "one_bit", "prediction", "clairvoyant"), inst=instances(), data=st.data())
def test_intervals_are_not_read(policy, inst, data):
    """A policy whose card does not ask for intervals decides the same whatever they are."""
    low, high = (data.draw(st.lists(st.integers(-1, 30), min_size=inst.n, max_size=inst.n)) for _ in range(2))
    other = inst.replace(predicted_low=low, predicted_high=high)
    assert run(other, policy).attempts.tolist() == run(inst, policy).attempts.tolist()


@on_drawn(of_information("one_bit"), inst=instances())
def test_one_bit_is_one_bit(policy, inst):
    """Only whether a prediction exceeds theta counts."""
    longest = PUBLIC[policy]["max_output"]
    bit = np.where(inst.clamp(inst.predicted) > isqrt(longest), inst.memory, 1)
    assume((inst.clamp(bit) > isqrt(longest)).tolist() == (inst.clamp(inst.predicted) > isqrt(longest)).tolist())
    assert run(inst.replace(predicted=bit), policy).attempts.tolist() == run(inst, policy).attempts.tolist()


def test_the_contract_has_teeth():
    """A clairvoyant policy is caught by the test above: one longer request makes sps space all starts wider."""
    inst = Instance(prompt=[0, 0, 0], output=[2, 2, 2], memory=4)
    sch = run(inst, "sps")
    assert least_outputs(sch, 1).tolist() == [2, 1, 1]
    assert decisions(run(inst.replace(output=[2, 2, 4]), "sps"), 1) != decisions(sch, 1)


def _with_predictions(sch, predicted):
    """The same attempts, of the instance with these predictions."""
    return type(sch).from_attempts(sch.instance.replace(predicted=predicted), sch.attempts, sch.eviction)


# -- the view itself ------------------------------------------------------------------------------------------------
def spy(v):
    """Start what fits next round; ask to be woken in the past, an error, on seeing what the card does not allow."""
    s = v.st[0]
    for i in range(s.n):
        r = v.req[i]
        if r.status == UNRELEASED and (r.prompt != -1 or r.arrival != -1 or r.estimate != -1 or r.high != -1):
            return s.now - 1
        if r.status != DONE and (r.output != -1 or r.start > s.now):
            return s.now - 1
        if v.param[0] != 1.0 and r.estimate != -1:
            return s.now - 1
        if v.param[0] != 2.0 and (r.low != -1 or r.high != -1):
            return s.now - 1
        if r.status == DONE and r.output < 1:
            return s.now - 1
    i = first_waiting(v)
    while i >= 0 and room(v, i) and s.running == 0:
        start(v, i)
        i = first_waiting(v)
    return NEVER


def spying(information: str, expects: float) -> Card:
    """Return a card whose hook fails when it sees more than its information."""
    return Card(
        id=f"spy_{information}",
        title="spy",
        family="tests",
        information=information,
        about="looks at everything in its view",
        reference="tests",
        source="tests",
        resolve=lambda inst, settings: {"expects": expects},  # 0 no prediction, 1 a point, 2 an interval
        decide=spy,
    )


@pytest.mark.parametrize(("information", "expects"), [("none", 0.0), ("prediction", 1.0), ("interval", 2.0)])
@given(inst=instances())
def test_the_view_is_blank_where_information_ends(information, expects, inst):
    """A hook finds -1 for requests to come, for unfinished outputs, and for predictions its card does not name."""
    assert algos.schedule(inst, spying(information, expects)).completion.min() >= 1


def test_the_spy_has_teeth():
    """The spy reports a card that promises less than it takes, and a clairvoyant one."""
    inst = Instance(prompt=[0, 0], output=[2, 3], memory=4)
    for information in ("prediction", "clairvoyant"):
        with pytest.raises(PolicyError, match="has passed"):
            algos.schedule(inst, spying(information, 0.0))
