"""The search finds planted traps, repeats to the byte, shrinks without losing the ratio, and proves what it says."""

import json
import pickle
import signal
import time

import pytest

from algos import reference
from kvratio import Instance, Schedule, check
from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.suite.search.asking import stop_key
from kvratio.suite.search.conduct import ISLANDS, conduct
from kvratio.suite.search.families import hunt_family
from kvratio.suite.search.find import Find, certify
from kvratio.suite.search.hunt import hunt
from kvratio.suite.search.island import Task
from kvratio.suite.search.known import small_members
from kvratio.suite.search.shrink import _steps, shrink
from kvratio.suite.search.space import Block, Space
from kvratio.suite.search.target import Target
from lowerbounds import brute_force

SMALL = Space(n=6, memory=(12, 12))
#: the hand-made batch trap of fcfs, cut to six requests: (0,1,11), (0,11,1), then four (0,1,1)
TRAP = Instance([1, 11, 1, 1, 1, 1], [11, 1, 1, 1, 1, 1], 12)


@pytest.fixture(scope="module")
def found():
    """Return a small hunt from random starts, limited by work."""
    return hunt(Target("fcfs"), SMALL, time_limit=None, work_limit=16_384, workers=1, known=False)


def test_a_trap_is_found_from_random_starts(found):
    """With few candidates and a fixed seed, the search beats the hand-made trap of the same size."""
    by_hand = certify(Target("fcfs"), TRAP, "completion")
    assert found.find.ratio > by_hand.ratio > 3
    assert found.outcome.screened == 16_384
    assert found.outcome.stopped == "work"


def test_a_find_is_proved_by_others(found):
    """Reference engine, checker and brute force agree with cost, schedule and optimum of the find."""
    find = found.find
    inst = find.instance
    slow = reference.schedule(inst, "fcfs")
    check(inst, slow)
    assert slow.total_completion == find.cost
    assert brute_force(inst)[0] == find.bound.lower == find.bound.upper
    check(inst, find.bound.schedule)
    assert find.verify()


def test_a_small_witness_keeps_the_ratio(found):
    """The small witness has at least the ratio, no more requests, and no step down that keeps it."""
    before, small = found.before, found.find
    assert small.ratio >= before.ratio
    assert small.instance.n <= before.instance.n
    task = Task(Target("fcfs"), SMALL, "completion")
    steps = _steps(task, Block.of([small.instance], SMALL.n))
    for k in range(0, len(steps), 3):
        inst = steps.instance(k, False)
        assert reference.schedule(inst, "fcfs").total_completion < small.ratio * brute_force(inst)[0]


def test_padding_is_taken_off():
    """Requests and tokens that do not matter to the ratio are dropped; with a lower demand more goes."""
    space = Space(n=8, memory=(4, 40))
    task = Task(Target("fcfs"), space, "completion")
    ratio = certify(Target("fcfs"), TRAP, "completion").ratio
    small = shrink(task, TRAP, ratio)
    assert certify(Target("fcfs"), small, "completion").ratio >= ratio
    assert small.n <= TRAP.n
    half = shrink(task, TRAP, ratio / 2)
    assert certify(Target("fcfs"), half, "completion").ratio >= ratio / 2
    assert half.n < small.n
    assert shrink(task, TRAP, ratio / 2, deadline=time.monotonic() - 1) == TRAP


def test_the_number_of_workers_changes_nothing():
    """With a work limit, one process and two find the same instances with the same ratios."""
    task = Task(Target("svf"), Space(n=5, memory=(4, 20)), "completion")
    one, two = (conduct(task, None, 8192, workers) for workers in (1, 2))
    assert [inst.key for inst in one.leaders] == [inst.key for inst in two.leaders]
    assert one.ratios == two.ratios
    assert one.ratios[0] > 1.5
    assert [step[1:] for step in one.history] == [step[1:] for step in two.history]


def test_a_search_ends_when_asked_and_keeps_the_best():
    """After the first epoch, with what was found until then."""
    told = []
    task = Task(Target("svf"), SMALL, "completion")
    out = conduct(task, 60.0, ISLANDS * 1000, 1, report=told.append, asked=lambda: bool(told))
    assert out.stopped == "asked"
    assert len(told) == 1
    assert float(out.ratios[0]) == told[0].ratio > 1


def test_wrong_predictions_and_intervals_are_searched():
    """Bad predictions hurt a policy that reads them, more than any instance with exact ones of the same size."""
    exact, wrong = (
        hunt(Target("sjf"), Space(n=4, memory=(8, 8), predictions=p), None, 0, None, 4096, 1, known=False).find
        for p in (False, True)
    )
    assert wrong.ratio > exact.ratio
    assert wrong.instance.has_predictions
    wide = hunt(Target("a_max"), Space(n=4, memory=(8, 8), intervals=True), None, 0, None, 2048, 1, known=False).find
    assert wide.verify()
    assert (wide.instance.predicted_low <= wide.instance.output).all()
    assert (wide.instance.output <= wide.instance.predicted_high).all()


def test_only_instances_on_which_the_guarantee_holds():
    """With the guarantee asked for, the witness satisfies its hypotheses and stays below it."""
    space = Space(n=5, memory=(4, 24), equal_prompts=True)
    find = hunt(Target("gsa"), space, None, 0, None, 4096, 1, only_guaranteed=True).find
    card = find.target.card
    values = card.settings(find.instance, {})
    assert card.guarantee.holds(find.instance, values)
    assert 1 < find.ratio < card.guarantee.ratio(find.instance, values)
    with pytest.raises(BadParameter, match="has no guarantee"):
        hunt(Target("fcfs"), space, work_limit=100, only_guaranteed=True)


def test_family_parameters_are_searched_against_the_policys_own_decisions():
    """A family that adapts reads the policy's start; fixed parameters stay; larger members are worse for fcfs."""
    space = Space(n=40, memory=(2, 60), arrivals=True)
    found = hunt_family(Target("fcfs"), "blocker", space, None, 0, None, 60)
    inst = found.find.instance
    assert found.find.objective == "flow"
    assert inst.info["start"] == 0
    assert inst.n <= 40
    assert found.find.ratio > 8
    fixed = hunt_family(Target("mc_sf"), "two_point:prompt=2,short=1", space, None, 0, None, 30)
    assert (fixed.find.instance.prompt == 2).all()
    assert fixed.find.verify()
    with pytest.raises(BadParameter, match="give it as"):
        hunt_family(Target("fcfs"), "prediction_error", space, None, 0, None, 5)


def test_small_members_of_the_families_are_one_source():
    """They lie in the space, and those that adapt are there with arrivals only."""
    batch, online = (Space(n=8, memory=(6, 16), arrivals=arrivals) for arrivals in (False, True))
    some, more = small_members(Target("fcfs"), batch), small_members(Target("fcfs"), online)
    assert some
    assert all(batch.holds(inst) for inst in some)
    assert {inst.info["family"] for inst in more} - {inst.info["family"] for inst in some} >= {"blocker"}


def test_saved_finds_are_verified_again(found, tmp_path):
    """What was saved loads, verifies and is an instance; a find that claims more than it has is refused."""
    path = found.find.save(tmp_path)
    again = Find.load(path)
    assert again.verify()
    assert again.facts() == found.find.facts()
    assert again.instance.name == path.stem
    data = json.loads(path.read_text())
    for change in ({"cost": again.cost + 1}, {"policy": "svf"}):
        data["instance"]["info"]["found"] |= change
        path.write_text(json.dumps(data))
        with pytest.raises(KvratioError):
            Find.load(path).verify()
    data["instance"]["info"] = {}
    path.write_text(json.dumps(data))
    with pytest.raises(BadParameter, match="not a find"):
        Find.load(path)


def test_a_schedule_that_is_cheaper_than_stated_is_refused(found):
    """The upper side of a find must be the cost of the schedule beside it."""
    find = found.find
    other = Schedule.from_starts(find.instance, find.bound.schedule.start + 1)
    bound = type(find.bound)(find.instance, "exact", "completion", find.bound.lower, find.bound.upper, schedule=other)
    with pytest.raises(KvratioError, match="stored is"):
        Find("fcfs", "restart", 0, "completion", find.cost, bound).verify()


def test_a_policy_given_as_a_card_is_searched():
    """A card of one's own goes the same way as a name, here in this process."""
    card = Target("mc_sf").card
    by_card, by_name = (conduct(Task(Target(p), SMALL, "completion"), None, 4096, 1) for p in (card, "mc_sf"))
    assert by_card.ratios == by_name.ratios
    assert by_card.leaders == by_name.leaders


def test_ctrl_c_asks_once_and_then_interrupts():
    """The first Ctrl-C ends the search at the next epoch, the second at once; the old handler comes back."""
    before = signal.getsignal(signal.SIGINT)
    with stop_key() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


OWN = '''
from algos.card import Card
from algos.engine.actions import start_in_order


def decide(v):
    """Start in order while all future rounds fit."""
    return start_in_order(v, 0)


CARDS = (
    Card(id="longest_first", title="Longest first", family="mine", information="prediction", about="Bad.",
         reference="none", source="mine", decide=decide, key=lambda known, params: -known.estimate, plain=PLAIN),
)
'''


@pytest.mark.parametrize("plain", [False, True])
def test_a_policy_of_ones_own_is_searched(plain, tmp_path):
    """From a file: compiled at engine speed, or by the interpreter on the slow path; both find a bad instance."""
    file = tmp_path / "mine.py"
    file.write_text(OWN.replace("PLAIN", str(plain)))
    target = Target(str(file))
    assert target.pace == ("slow" if plain else "packed")
    again = pickle.loads(pickle.dumps(Target(target.card)))
    assert again.card.id == "longest_first"
    found = hunt(target, Space(n=4, memory=(8, 8)), None, 0, None, 256 if plain else 2048, 1, known=False).find
    assert found.ratio > 1.2
    assert found.verify()
    assert Find.load(found.save(tmp_path)).verify()
