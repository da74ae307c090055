"""The book of worst instances: every entry is replayed, and the book is complete."""

from dataclasses import replace

import pytest

from algos import reference
from algos.registry import policy_ids
from kvratio import check
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.suite.search import book
from kvratio.suite.search.find import proven_guarantee

ENTRIES = book.entries()
#: the hand-made traps of the golden table, in the objective of their setting
GOLDEN = {
    ("fcfs", "batch"): 185 / 35, ("svf", "batch"): 45 / 21, ("tsf", "batch"): 45 / 21, ("mc_sf", "batch"): 64 / 48,
    ("fcfs", "arrivals"): 132 / 34, ("mc_sf", "arrivals"): 132 / 34, ("tsf", "arrivals"): 132 / 34,
    ("svf", "arrivals"): 132 / 34,
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.file)
def test_every_entry_is_replayed(entry):
    """Cost by the engine, its schedule and the one that divides it by the checker; small proofs by the verifier too."""
    find = entry.find
    assert find.verify_ratio()
    if find.instance.n < 10:
        assert find.verify()
    assert find.policy == entry.policy
    assert find.instance.is_batch or entry.setting == "arrivals"
    assert find.objective == ("flow" if entry.setting == "arrivals" else "completion")
    if entry.setting == "guarantee":
        number = proven_guarantee(find.target, find.instance)
        assert number is not None
        assert find.ratio < number


TWINS = [e for e in ENTRIES if e.policy in ("fcfs", "svf", "gsa", "gba", "rect", "orca") and e.find.instance.n <= 24]


@pytest.mark.parametrize("entry", TWINS, ids=lambda entry: entry.file)
def test_the_reference_engine_pays_the_same(entry):
    """The slow twin, which shares no code with the engine, pays what the book says."""
    slow = reference.schedule(entry.find.instance, entry.policy)
    check(entry.find.instance, slow)
    assert slow.cost(entry.find.objective) == entry.find.cost


def test_every_policy_is_in_the_book():
    """Each built-in policy stands there in every setting that makes sense for it.

    A new policy enters by `kvratio search POLICY --book`.
    """
    there = {(entry.policy, entry.setting) for entry in ENTRIES}
    assert {*book.policies()} >= {*policy_ids(), "gsa:regime=large", "gba:regime=large"}
    missing = [(p, s) for p in book.policies() for s in book.settings_of(p) if (p, s) not in there]
    assert missing == []


@pytest.mark.parametrize("place", GOLDEN, ids=" ".join)
def test_the_hand_made_traps_are_beaten(place):
    """What the search found is worse for the policy than the constructions by hand of the same kind."""
    ratio = next(entry.find.ratio for entry in ENTRIES if (entry.policy, entry.setting) == place)
    assert float(ratio) > GOLDEN[place]


def test_room_is_guarantee_over_ratio():
    """Printed only where the guarantee's hypotheses hold on the witness."""
    for entry in ENTRIES:
        row = entry.row()
        assert (row["room"] is None) == (entry.setting != "guarantee")
        if row["room"] is not None:
            assert row["room"] == pytest.approx(row["guarantee"] / row["ratio"], abs=0.01)


def test_one_call_improves_the_book(tmp_path, monkeypatch):
    """A new book is filled, the next call starts from what it has and never makes it worse."""
    run = {"where": tmp_path, "time_limit": None, "work_limit": 2048, "workers": 1, "settings": ("batch",)}
    monkeypatch.setattr(book, "N", 6)
    first = list(book.improve(["tsf"], seed=1, **run))
    second = list(book.improve(["tsf"], seed=2, **run))
    assert [entry.file for entry in first] == [entry.file for entry in second] == ["tsf.batch.json"]
    assert second[0].find.ratio >= first[0].find.ratio > 1
    assert book.entries(tmp_path)[0].find.verify()


def test_an_entry_follows_the_policy_it_stands_for(tmp_path, monkeypatch):
    """Where a policy pays less than what is stored, since its code has changed, the next improvement corrects it."""
    stale = replace(book.entry("tsf.batch").find, cost=10**6)
    book.write(book.Entry("tsf", "batch", stale), tmp_path)
    run = {"where": tmp_path, "time_limit": None, "work_limit": 64, "workers": 1, "settings": ("batch",)}
    monkeypatch.setattr(book, "N", 6)
    (entry,) = book.improve(["tsf"], **run)
    assert entry.find.cost < 10**6
    assert book.entries(tmp_path)[0].find.verify()


def test_only_what_is_better_is_admitted(tmp_path):
    """A find enters an empty place, not one that has as much; a wrong setting is refused."""
    find = book.entry("svf.batch").find
    assert book.admit("svf", "batch", find, tmp_path)
    assert not book.admit("svf", "batch", find, tmp_path)
    with pytest.raises(BadParameter, match="choose one of"):
        book.admit("svf", "somewhere", find, tmp_path)


def test_an_unknown_entry_is_named():
    """With what there is."""
    with pytest.raises(UnknownName, match=r"svf\.batch"):
        book.entry("nothing")
