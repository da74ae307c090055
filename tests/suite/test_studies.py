"""Studies: what their suites ask for, planted facts in their points, the same bytes twice, users' policies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from instances import generate
from kvratio.cli import app
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.suite import plots
from kvratio.suite.run import load_run, run_suite
from kvratio.suite.seal import broken_seal
from kvratio.suite.studies import alpha, gcd, prediction
from kvratio.suite.studies.catalogue import study, study_names
from kvratio.suite.studies.conduct import conduct_study, present
from kvratio.suite.studies.lines import _coinciding
from kvratio.suite.studies.study import Effort
from kvratio.suite.studies.suite import FAMILIES, study_suite
from kvratio.suite.verification.verify import verify_run


def small_run(name, policies, out, families=()):
    """Run the quick suite of a study with one seed, on some of its families, without the tables of a run."""
    found = study(name)
    suite = study_suite(found, Effort(1, quick=True), policies).narrowed(families=families)
    return run_suite(suite, out=out, workers=1, progress=False)


PANELS = ("burst_trap, M = 400", "lognormal, batch")


@pytest.fixture(scope="module")
def augmented(tmp_path_factory):
    """The quick augmentation study of two policies on a trap and on a random batch."""
    run = small_run("augmentation", ("mc_sf", "fcfs"), tmp_path_factory.mktemp("augmentation") / "run", PANELS)
    return present(study("augmentation"), run)


@pytest.mark.parametrize("name", study_names())
def test_suite_of_a_study(name):
    """Each study builds a suite in both sizes, the quick one smaller, certificates kept, references in it."""
    found = study(name)
    full, quick = (study_suite(found, found.effort(quick=quick)) for quick in (False, True))
    assert full.certificates
    assert quick.cell_count < full.cell_count
    assert {p.label for p in full.policies} >= {*found.policies(), *found.references}


def test_every_predicted_policy_is_studied():
    """The prediction study takes every card that reads predictions, one bit of them, or intervals, and no other."""
    from algos import registry

    reads = {n for n in registry.policy_ids() if registry.card(n).information not in ("none", "clairvoyant")}
    assert set(prediction.policies()) == reads
    suite = study_suite(study("prediction_error"), Effort(1, quick=True))
    of = {family.label: {p.label for p in suite.policies_of(family)} for family in suite.families}
    assert reads <= of["uniform"] | of["small: uniform"]
    assert not set(prediction.SMALL_ONLY) & of["uniform"]


def test_small_instances_only_for_those_that_need_them():
    """Without a policy that solves a linear program, its small families are left out; references stay."""
    suite = study_suite(study("prediction_error"), Effort(1, quick=True), ("tsf",))
    assert {p.label for p in suite.policies} == {"tsf", "svf", "vllm_fcfs"}
    assert not [family.label for family in suite.families if family.label.startswith(prediction.SMALL)]


def test_policies_with_parameters_and_unknown_ones():
    """A built-in policy outside the study's own may be named with parameters; a name that means nothing is refused."""
    suite = study_suite(study("gcd"), Effort(1, quick=True), ("gsa:alpha=2",))
    assert [p.label for p in suite.policies] == ["gsa:alpha=2"]
    with pytest.raises(UnknownName):
        study_suite(study("gcd"), Effort(1, quick=True), ("no_such_policy",))
    with pytest.raises(UnknownName, match="did you mean"):
        study("augmentaton")
    with pytest.raises(BadParameter, match="seeds"):
        conduct_study("gcd", seeds=0)


def test_extra_memory_dissolves_the_burst_trap(augmented):
    """Family A is a trap at e = 0 and none at e = 1/2: the ratio of mc_sf falls from above 3 to below 1.1."""
    points = augmented.points
    mine = points[(points["panel"] == "burst_trap, M = 400") & (points["policy"] == "mc_sf")].set_index("x")
    assert mine.loc[0.0, "low"] == pytest.approx(3304 / 980)
    assert mine.loc[0.5, "high"] < 1.1
    every = points[points["policy"] == "mc_sf"].groupby("panel")["low"]
    assert (every.last() < every.first()).all()


def test_files_of_a_study(augmented):
    """Figure and table lie in the run folder in every format, under the seal, and the run is a run like any other."""
    stem = "study_augmentation"
    figures = {path.name for path in augmented.run.folder.figures.glob(f"{stem}.*")}
    assert figures == {f"{stem}.pdf", f"{stem}.svg", f"{stem}.png"}
    tables = augmented.run.folder.tables
    assert all((tables / f"{stem}{end}").stat().st_size for end in (".tex", "_body.tex", ".md", ".csv", "_numbers.csv"))
    assert broken_seal(augmented.run.path) == []
    assert load_run(augmented.run.path).failed == 0


def test_an_augmented_run_verifies(augmented):
    """Verification accepts it, at e = 0 too, where more than a key names an instance, and refuses a wrong proof."""
    # The tables of a suite were not written here.
    assert [fault for fault in verify_run(augmented.run.path, progress=False).faults if "tables" not in fault] == []
    one, other = sorted(augmented.run.folder.certificates.glob("*.json"))[:2]
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    found = verify_run(augmented.run.path, progress=False).faults
    one.write_bytes(kept)
    assert any("another instance" in fault for fault in found)


def test_same_bytes_twice(augmented, tmp_path):
    """The study again, elsewhere: equal results, numbers and figure; a finished run has the same points."""
    again = present(augmented.study, small_run("augmentation", ("mc_sf", "fcfs"), tmp_path / "again", PANELS))
    names = ["results/results.parquet", "tables/study_augmentation_numbers.csv", "figures/study_augmentation.svg"]
    before = {name: (augmented.run.path / name).read_bytes() for name in names}
    assert {name: (again.run.path / name).read_bytes() for name in names} == before
    reopened = augmented.study.points(load_run(augmented.run.path).table())
    assert reopened.equals(augmented.points)


def test_intervals_contain_the_output():
    """The interval that prediction and level leave contains the true output, and is the prediction without error."""
    base = {"family": "uniform", "count": 60, "memory": 60, "prompt": [0, 20], "output": [1, 40]}
    for mode, level in (("uniform", 0.0), ("uniform", 0.3), ("uniform", 1.0), ("over", 1.0), ("over", 2.5)):
        for seed in range(5):
            inst = generate(f"{FAMILIES / 'families.py'}:guesses", base=base, mode=mode, level=level, seed=seed)
            assert (inst.predicted_low <= inst.output).all()
            assert (inst.output <= inst.predicted_high).all()
            if level == (0.0 if mode == "uniform" else 1.0):
                assert (inst.predicted_low == inst.predicted_high).all()


def test_alpha_is_the_one_asked_for():
    """The wrapper and both traps have the alpha that they are given, up to the rounding of M."""
    base = {"family": "uniform", "count": 30, "memory": 900, "prompt": [0, 400], "output": [1, 400]}
    source = FAMILIES / "families.py"
    for wanted in (0.1, 0.5, 0.9):
        assert generate(f"{source}:at_alpha", base=base, alpha=wanted).alpha == pytest.approx(wanted, abs=0.01)
        for trap in ("huge_first", "long_first"):
            assert generate(f"{source}:{trap}", memory=400, alpha=wanted).alpha == pytest.approx(wanted, abs=0.01)
    with pytest.raises(BadParameter, match="alpha"):
        generate(f"{source}:huge_first", memory=16, alpha=0.1)


def test_points_of_the_other_studies(tmp_path):
    """The guarantee of svf holds, coprime lengths are calmer in count and theory, a_max is consistent, not robust."""
    found = study("alpha").points(
        small_run("alpha", ("svf", "mc_sf"), tmp_path / "a", ("huge prompts first, M = 64",)).table()
    )
    held = found.dropna(subset=["guarantee"])
    assert (held["worst_low"] <= held["guarantee"]).all()
    svf = found[(found["policy"] == "svf") & (found["x"] == 0.5)]
    assert np.allclose(svf["guarantee"], 5, atol=0.1)
    found = study("gcd").points(small_run("gcd", ("vllm_fcfs",), tmp_path / "g", ("prompt 100",)).table())
    by_pair = found.set_index("short")
    assert by_pair.loc[8, "evictions"] > 2 * by_pair.loc[7, "evictions"] > 0
    assert by_pair.loc[7, "rho"] < by_pair.loc[[8, 10, 12], "rho"].min()
    points = study("prediction_error").points(
        small_run("prediction_error", ("a_max",), tmp_path / "p", ("uniform", "outlier")).table()
    )
    exact = points[(points["x"] == 0) & (points["panel"] == "uniform")].set_index("policy")["low"]
    assert exact["a_max"] < exact["vllm_fcfs"] < points[points["policy"] == "a_max"]["low"].max()
    # The point without error is one of `over`, too.
    assert set(points[points["policy"] == "a_max"]["panel"]) == {"uniform", "over"}


def test_equal_lines_are_grouped():
    """Curves that differ by less than a line's width share their way; others do not."""
    x = np.array([0.0, 1.0])
    groups = _coinciding([("a", x, x + 1), ("b", x, x + 1.001), ("c", x, x + 2)])
    assert [[name for name, *_ in group] for group in groups] == [["a", "b"], ["c"]]


def test_command_takes_a_policy_of_ones_own(tmp_path, monkeypatch):
    """`kvratio study` judges a user's file, prints points as JSON, and refuses an unknown study with exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "FORMATS", ("svg",))
    mine = Path(__file__).parents[2] / "examples" / "my_policy.py"
    (tmp_path / "my_policy.py").write_text(mine.read_text())
    words = ["study", "gcd", "--policy", "./my_policy.py", "--quick", "--workers", "1", "--json", "--quiet"]
    told = CliRunner().invoke(app, [*words, "--seeds", "1"])
    assert told.exit_code == 0, told.output
    points = json.loads(told.stdout)["points"]
    assert len(points) == len(gcd.QUICK_SHORT) * len(gcd.PROMPTS)
    assert (tmp_path / "runs" / "study_gcd_quick" / "figures" / "study_gcd.svg").is_file()
    assert CliRunner().invoke(app, ["study", "nothing"]).exit_code != 0
    assert alpha.STUDY.name in CliRunner().invoke(app, ["list", "studies", "--json"]).stdout


def test_summary_of_prediction_errors():
    """Consistency is the ratio without error, robustness the largest of all; the references have their row."""
    rows = [
        {"panel": panel, "policy": policy, "x": x, "low": low, "high": low}
        for panel, policy, x, low in (
            ("uniform", "mine", 0.0, 1.25),
            ("uniform", "mine", 1.0, 1.5),
            ("over", "mine", 1.0, 3.0),
            ("uniform", "vllm_fcfs", 0.0, 2.0),
        )
    ]
    table = prediction.summary(pd.DataFrame(rows))
    assert table.rows[0] == ("mine", "=1.25", "=1.50", "=3.00", "-", "-", "-", "=3.00")
    assert table.rows[1][1] == table.rows[1][-1] == "=2.00"
