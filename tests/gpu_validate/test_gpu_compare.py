"""The comparison from end to end on a tiny model, its budget, its files, and what it says."""

import json
from dataclasses import replace

import numpy as np
import pytest

import algos
import algos.reference
from gpu_validate import contest
from gpu_validate import results as files
from gpu_validate.budget import Budget
from gpu_validate.calibrate import Grid
from gpu_validate.contest import OFFLINE, Entry, Subject, best_known, hold
from gpu_validate.judgement import agreements, count_pairs, judge, kendall
from gpu_validate.measure import nearest_rank
from gpu_validate.study import FULL, TINY, Study, entries
from kvratio.problem import Bound, Instance, Schedule
from kvratio.problem.errors import BadParameter, UnknownName
from lowerbounds import bound

SMALL = Instance([2, 3, 2, 4, 1, 2], [6, 2, 3, 2, 9, 2], 16)
SOON = SMALL.replace(arrival=[0, 0, 1, 4, 4, 6])
MICRO = Study(
    "tiny",
    ("tiny",),
    (Subject("batch", "", given=SMALL), Subject("online", "", given=SOON)),
    entries(("mc_sf", "vllm_fcfs", "gsa")),
    Subject("overload", "", given=Instance([2] * 24, [3, 5] * 12, 20)),
    Grid((1, 2, 3), (3, 9, 20), ((1, 2), (1, 5), (2, 5), (2, 9)), 1, 3),
    200,
    (2, 8),
    budget=1000.0,
    needs_cuda=False,
)


def without_compiling(patch):
    """Policies by the slow engine, bounds by a closed form."""
    patch.setattr(algos, "schedule", algos.reference.schedule)
    patch.setattr(contest, "bound_of", lambda inst, found: bound(inst, "squashed_area", schedules=found))


@pytest.fixture
def quick(monkeypatch):
    """Nothing is compiled."""
    without_compiling(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The results of the micro study and the folder they were written to."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate.conduct import conduct

    out = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        without_compiling(patch)
        told: list[str] = []
        return conduct(MICRO, torch.device("cpu"), out, told.append), out, told


def test_every_policy_is_measured(made):
    """There is a row per instance and policy, and one of the best schedule known; nothing was left out."""
    model = made[0]["models"]["tiny"]
    wanted = {(i, p) for i in ("batch", "online") for p in ("mc_sf", "vllm_fcfs", "gsa", OFFLINE)}
    assert {(row["instance"], row["policy"]) for row in model["rows"]} == wanted
    assert made[0]["skipped"] == []
    assert all(len(row["latency"]) == SMALL.n for row in model["rows"])
    assert {"device", "torch", "transformers", "python", "dtype"} <= set(made[0]["about"])


def test_ratios(made):
    """Ratios follow from what was measured; the bound in seconds stands for batches only."""
    model = made[0]["models"]["tiny"]
    rows = {(row["instance"], row["policy"]): row for row in judge(model)}
    best = min(rows["batch", p]["measured_mean"] for p in ("mc_sf", "vllm_fcfs", "gsa"))
    assert rows["batch", "gsa"]["to_best"] == pytest.approx(rows["batch", "gsa"]["measured_mean"] / best)
    assert rows["batch", OFFLINE]["to_offline"] == 1
    assert rows["batch", "gsa"]["to_bound"] > 0
    assert rows["online", "gsa"]["to_bound"] is None
    assert 1 <= rows["online", "gsa"]["rounds_low"] <= rows["online", "gsa"]["rounds_high"]
    assert rows["batch", "gsa"]["guarantee"]["reference"] == "2601.22996"


def test_capacity_check(made):
    """Promise and measurement of the overload stand side by side, with the events that were counted."""
    found = made[0]["models"]["tiny"]["capacity"]
    assert found["completed"] > 0
    assert found["measured"] == pytest.approx(found["completed"] / found["seconds"])
    assert found["measured_over_mu"] == pytest.approx(found["measured"] / found["mu"])
    assert 0 < found["mean_fill"] <= 1


def test_results_file(made):
    """What was returned was written as it came, and reads back equal."""
    results, out, _ = made
    assert files.load(out / "results.json") == json.loads(json.dumps(files.plain(results)))
    assert (out / results["models"]["tiny"]["calibration"]["file"]).is_file()
    assert Study.from_dict(files.load(out / "results.json")["plan"]).subjects == MICRO.subjects


def test_report_and_command_line(made, capsys, tmp_path):
    """--from shows an earlier run without measuring, and writes tables in three forms and figures."""
    from kvratio.cli import main

    with pytest.raises(SystemExit) as done:
        main(["gpu", "compare", "--from", str(made[1] / "results.json"), "--out", str(tmp_path)])
    assert done.value.code == 0
    text = capsys.readouterr().out
    assert "Calibrated clocks" in text
    assert "Does the simulated order hold" in text
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {f"tables/latency_tiny.{end}" for end in ("tex", "md", "csv")} <= names
    assert {"comparison.csv", "figures/latency_tiny.pdf", "figures/clock_tiny.svg"} <= names
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 3e6


def test_rerun(made, quick, capsys):
    """--rerun measures the plan of a results file again."""
    from gpu_validate import study
    from kvratio.cli import main

    study.STUDIES["tiny"], kept = MICRO, study.STUDIES["tiny"]
    try:
        with pytest.raises(SystemExit) as done:
            main(["gpu", "compare", "--rerun", str(made[1] / "results.json"), "--json"])
    finally:
        study.STUDIES["tiny"] = kept
    assert done.value.code == 0
    again = json.loads(capsys.readouterr().out)
    assert again["plan"] == files.plain(made[0]["plan"])
    assert len(again["models"]["tiny"]["rows"]) == len(made[0]["models"]["tiny"]["rows"])


def test_a_budget_leaves_out_the_least_important(quick, monkeypatch):
    """With no time left nothing is replayed, each line says so, and the results are still whole."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate import conduct

    monkeypatch.setattr(conduct, "CAUTION", 1e9)
    found = conduct.conduct(MICRO, torch.device("cpu"), None, lambda line: None)
    assert found["models"]["tiny"]["rows"] == []
    assert found["skipped"][0].startswith("tiny: capacity check")
    assert found["skipped"][1].startswith("tiny: offline on batch")
    assert len(found["skipped"]) == 9


def test_what_fails_does_not_take_the_rest_along(quick, monkeypatch, tmp_path):
    """A model that cannot be made and a replay that fails are told and kept; all else is measured and saved."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate import conduct

    load, play, loads = conduct.Source.load, conduct.replay, []

    def second_only(self, device, dtype):
        loads.append(dtype)
        if len(loads) == 1:
            raise RuntimeError("out of memory\nsecond line")
        return load(self, device, dtype)

    def not_gsa(timeline, executor):
        if timeline.schedule.policy == "gsa":
            raise RuntimeError("illegal access")
        return play(timeline, executor)

    monkeypatch.setattr(conduct.Source, "load", second_only)
    monkeypatch.setattr(conduct, "replay", not_gsa)
    few = replace(MICRO, models=("tiny", "tiny"), subjects=MICRO.subjects[:1], entries=entries(("mc_sf", "gsa")))
    found = conduct.conduct(few, torch.device("cpu"), tmp_path, lambda line: None)
    lines = ["tiny: the model: RuntimeError: out of memory", "tiny: gsa on batch: RuntimeError: illegal access"]
    assert [line for line in lines if line in found["failures"]] == lines
    assert "mc_sf" in {row["policy"] for row in files.load(tmp_path / "results.json")["models"]["tiny"]["rows"]}


def test_order_of_importance(quick):
    """The best schedule known comes first, then policy after policy over all instances."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from gpu_validate.conduct import _Trial, prepare
    from gpu_validate.weights import Source
    from kvratio.problem import Clock

    contests, overload = prepare(MICRO, lambda line: None)
    source = Source(random_weights="tiny")
    trial = _Trial(MICRO, source, None, "float32", contests, overload, Budget(10), print)
    order = [(task.player.label, task.contest.subject.label) for task in trial._tasks(Clock(1.0, 0.0))]
    labels = [OFFLINE, "mc_sf", "vllm_fcfs", "gsa"]
    assert order == [(policy, instance) for policy in labels for instance in ("batch", "online")]


def test_budget():
    """A budget knows what is left, and shares it."""
    now = [0.0]
    budget = Budget(10, lambda: now[0])
    now[0] = 4.0
    assert (budget.spent, budget.left) == (4, 6)
    assert budget.share(3).left == 2
    assert budget.affords(6)
    assert not budget.affords(6.1)


def test_kendall_by_hand():
    """Tau of three policies with one pair the other way is 1/3; ties have no order."""
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall([1, 1], [1, 2]) is None
    assert kendall([1], [1]) is None
    assert count_pairs([1, 2, 3, 3], [1, 3, 2, 2]) == (3, 2, 1)


def test_agreement_leaves_the_offline_schedule_out():
    """Only policies are ranked."""
    rows = [
        {"instance": "x", "policy": name, "rounds": {"mean": r}, "predicted": {"mean": p}, "measured": {"mean": m}}
        for name, r, p, m in (("a", 1, 2, 1), ("b", 2, 1, 2), ("c", 3, 3, 3), (OFFLINE, 9, 9, 0))
    ]
    found = agreements({"instances": {"x": {}}, "rows": rows})
    assert [one["tau"] for one in found] == pytest.approx([1.0, 1 / 3])
    assert [one["policies"] for one in found] == [3, 3]


def test_offline_schedule_is_the_best_seen(quick):
    """The best known schedule costs no more than any policy, the witness, or the bound's own schedule."""
    held = hold(Subject("x", "", given=SMALL), entries(("fcfs", "gsa", "svf")))
    offline = next(player for player in held.players if player.label == OFFLINE).timeline.schedule
    costs = [player.timeline.schedule.total_completion for player in held.policies]
    assert held.bound.lower <= offline.total_completion <= min(costs)
    loose = Bound(SMALL, "made up", "completion", 1, None)
    serial = np.concatenate([[0], np.cumsum(SMALL.output)[:-1]])
    given = best_known(SMALL.replace(witness=serial), loose, [])
    assert given.total_completion == Schedule.from_starts(SMALL, serial).total_completion


def test_a_policy_that_fails_is_told(quick):
    """A policy that cannot run is left out with its reason; with none left there is nothing to compare."""
    told = []
    held = hold(Subject("x", "", given=SMALL), (Entry("a", "fcfs"), Entry("b", "nonesuch")), told.append)
    assert list(held.failed) == ["b"]
    assert "left out" in told[0]
    with pytest.raises(BadParameter, match="no policy gave a schedule"):
        hold(Subject("x", "", given=SMALL), (Entry("b", "nonesuch"),))


def test_studies_are_what_was_asked_for():
    """The large study has two models and at least six policies on four kinds of instance; both survive plain data."""
    assert FULL.models == ("llama-2-7b", "llama-3-8b")
    assert len(FULL.entries) >= 6
    assert [one.label for one in FULL.subjects] == ["two_point", "azure_batch", "burst", "long_protection"]
    for one in (FULL, TINY):
        assert Study.from_dict(json.loads(json.dumps(one.to_dict()))) == one
        assert all(int(subject.build().peak.max()) <= 4096 for subject in one.subjects)


def test_words_of_the_command_line():
    """Policies with parameters are split where a new policy begins; what cannot be is refused."""
    from kvratio.suite.gpu.choose import changed

    found = changed(TINY, "gsa:alpha=2,regime=large,fcfs", ["long_protection"], random_weights="tiny", budget=5.0)
    assert [entry.label for entry in found.entries] == ["gsa:alpha=2,regime=large", "fcfs"]
    assert found.entries[0].parameters == {"alpha": 2, "regime": "large"}
    assert found.subjects[0].build().n == 200
    assert changed(TINY) == TINY
    for wrong in ({"repeats": 0}, {"budget": 0.0}, {"policies": ","}, {"model": "x", "random_weights": "tiny"}):
        with pytest.raises(BadParameter):
            changed(TINY, **wrong)


def test_requests_that_are_too_long_are_left_out():
    """A subject keeps the requests a model can read, and their witness; none left is an error."""
    whole = Subject("x", "azure_conv_like", {"count": 30, "memory": 8192})
    kept = replace(whole, longest=1500).build()
    assert 0 < kept.n < whole.build().n
    assert int(kept.peak.max()) <= 1500
    with pytest.raises(BadParameter, match="no request has at most 3 tokens"):
        replace(whole, longest=3).build()


def test_wrong_results_files(tmp_path):
    """A missing file and a file of something else are told in one line."""
    with pytest.raises(UnknownName, match="there is no such file"):
        files.load(tmp_path / "none.json")
    (tmp_path / "x.json").write_text('{"kind": "schedule", "version": 1}')
    with pytest.raises(BadParameter, match="is not a results file of this version"):
        files.load(tmp_path / "x.json")


def test_plain_numbers():
    """Numbers that JSON lacks become null, NumPy's become Python's."""
    assert files.plain({"a": [np.float64(1.5), np.int64(2), float("nan")], 3: (True, None)}) == {
        "a": [1.5, 2, None],
        "3": [True, None],
    }


def test_nearest_rank():
    """Percentiles are those of schedules."""
    assert [nearest_rank([3, 1, 2, 4], p) for p in (1, 50, 51, 99, 100)] == [1, 2, 3, 4, 4]
