"""Invariants that no room guards by itself (docs/invariants.md), and that the list of invariants is true."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from kvratio import Bound, Instance, run_suite, schedule
from kvratio.problem.errors import KvratioError
from kvratio.suite.read import read_suite

ROOT = Path(__file__).parents[2]
INVARIANTS = (ROOT / "docs" / "invariants.md").read_text()

#: small, with both objectives, both kinds of eviction, and an adaptive family
TINY = {
    "name": "tiny",
    "seeds": 2,
    "resamples": 20,
    "certificates": True,
    "schedules": True,
    "bound": {"method": "best", "options": {"solver": "none"}},
    "policy": [
        {"id": "svf"},
        {"id": "svf_sps"},
        {"id": "gsa"},
        {"id": "vllm_fcfs", "eviction": "recompute"},
        {"id": "alpha_beta_clearing", "seeds": 2},
    ],
    "family": [
        {
            "id": "uniform",
            "parameters": {"count": 9, "memory": 20, "prompt": [0, 5], "output": [1, 9]},
        },
        {"id": "blocker", "parameters": {"memory": 12}, "objective": "flow", "seeds": 1},
        # A closed form finds no schedules, and svf_sps beats the witness: U comes from a policy.
        {"id": "jaillet_online", "seeds": 4, "objective": "flow", "bound": {"method": "srpt"}},
        {"id": "jaillet_batch", "seeds": 4, "bound": {"method": "srpt"}},
    ],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run with everything kept."""
    return run_suite(read_suite(TINY), out=tmp_path_factory.mktemp("tiny") / "run", workers=1, progress=False)


def test_every_certificate_of_a_run_verifies(finished):
    """What a run keeps as proof is a proof: every bound in its folder, loaded again, passes the verifier."""
    files = sorted(finished.folder.certificates.glob("*.json"))
    assert files
    for path in files:
        Bound.load(path).verify()


def test_ratios_follow_from_the_files(finished):
    """Ratios of a run are cost / U and cost / L of the certificates beside them."""
    bounds = {path.stem: Bound.load(path) for path in finished.folder.certificates.glob("*.json")}
    for row in finished.table().to_dict("records"):
        bound = bounds[f"{row['instance'][:12]}-{row['objective']}"]
        assert row["upper"] == bound.upper
        if row["eviction"] == "restart":
            assert row["lower"] == bound.lower
            assert row["ratio_low"] == row["cost"] / bound.upper
        assert row["ratio_high"] == row["cost"] / row["lower"]


def test_a_tampered_bound_is_refused(finished, tmp_path):
    """A lower side raised by one, or an upper side lowered by one, does not pass."""
    path = next(iter(sorted(finished.folder.certificates.glob("*.json"))))
    for side, step in (("lower", 1), ("upper", -1)):
        data = json.loads(path.read_text())
        data[side] += step
        (tmp_path / "changed.json").write_text(json.dumps(data))
        with pytest.raises(KvratioError):
            Bound.load(tmp_path / "changed.json").verify()


def test_time_is_monotone():
    """Attempts of a schedule are in order of their starts, each has at least one round, and none follows completion."""
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, 10, 50)
    inst = Instance(prompt, rng.integers(1, 30 - prompt), memory=30, arrival=rng.integers(0, 100, 50))
    for policy in ("svf", "gsa", "vllm_fcfs", "ltr"):
        rows = schedule(inst, policy).attempts
        assert (np.diff(rows["start"]) >= 0).all()
        assert (rows["stop"] > rows["start"]).all()


def named_tests() -> list[tuple[str, str]]:
    """Return every (path, test) that the list of invariants names."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", INVARIANTS)


def test_every_invariant_names_a_test_that_exists():
    """Each numbered invariant names at least one test, and every test named is there."""
    numbered = re.findall(r"^\*\*I\d+\.", INVARIANTS, re.MULTILINE)
    parts = re.split(r"^\*\*I\d+\.", INVARIANTS, flags=re.MULTILINE)[1:]
    assert len(numbered) >= 20
    assert all(re.search(r"`tests/", part) for part in parts)
    for path, name in named_tests():
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"
