"""`verify_run`: an altered byte is found by the seal, and an altered meaning is found without it."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import tiny

from kvratio.problem.errors import UnknownName
from kvratio.suite.report_files import write_report_files
from kvratio.suite.run import run_suite
from kvratio.suite.seal import added, broken_seal, seal
from kvratio.suite.store import RESULTS
from kvratio.suite.verification.verify import verify_run


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the folder of a tiny run with schedules, certificates, tables and figures."""
    out = tmp_path_factory.mktemp("verify") / "sound"
    suite = tiny(certificates=True, schedules=True, bound={"method": "best"})
    write_report_files(run_suite(suite, out=out, workers=1, progress=False))
    return out


@pytest.fixture
def copy(sound, tmp_path):
    """Return a copy that a test may spoil."""
    return shutil.copytree(sound, tmp_path / "copy")


def _faults(folder, **options):
    return verify_run(folder, progress=False, **options).faults


def _kinds(folder, **options):
    return {fault.partition(":")[0] for fault in _faults(folder, **options)}


def test_a_sound_run_verifies(sound):
    """Nothing is found, and every kind of thing was looked at; running the policies again agrees."""
    found = verify_run(sound, rerun=True, progress=False)
    assert found.fine, found.faults
    looked = {check.name: check.checked for check in found.checks}
    assert looked["schedules"] == looked["policies"] == looked["ratios"] == 15
    assert looked["certificates"] == looked["instances"] == 5
    assert min(looked[name] for name in ("files", "sources", "tables")) > 0


ONE_OF_EACH = (
    *("manifest.json", "results/results.parquet", "results/timings.parquet", "results/failures.json", "seal.json"),
    *("tables/ratios.tex", "tables/summary.csv", "figures/ratio_by_policy.svg", "figures/ratio_by_policy.png"),
    *("instances/*.json", "schedules/*.json", "certificates/*.json"),
)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_any_altered_byte_is_found(copy, name):
    """One bit of one byte in the middle of any file breaks the seal."""
    path = sorted(copy.glob(name))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert any(path.name in fault for fault in _faults(copy))


def test_blanks_in_the_seal_are_found(copy):
    """The seal has one spelling."""
    path = copy / "seal.json"
    path.write_text(path.read_text() + " ")
    assert broken_seal(copy) == ["seal.json was altered"]


def test_a_missing_file_is_found_and_an_added_one_is_noted(copy):
    """Taking away breaks the seal; adding a figure later does not."""
    (copy / "figures" / "later.svg").write_text("<svg/>")
    assert added(copy) == ["figures/later.svg"]
    assert _faults(copy) == []
    sorted((copy / "instances").glob("*.json"))[0].unlink()
    assert {"files", "instances"} <= _kinds(copy)


def test_a_folder_without_a_run_is_told(tmp_path):
    """Not a run: one line."""
    with pytest.raises(UnknownName, match="no manifest"):
        verify_run(tmp_path, progress=False)


def _respell(folder, change):
    """Change the rows of the results and seal the folder again, as a careful forger would."""
    path = folder / "results" / "results.parquet"
    rows = pq.read_table(path).to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, RESULTS), path, compression="zstd")
    seal(folder)


def test_a_forged_cost_is_found(copy):
    """A smaller cost contradicts the ratio, the kept schedule, the tables, and the policy run again."""
    _respell(copy, lambda rows: rows[0].update(cost=rows[0]["cost"] - 1, total_completion=rows[0]["cost"] - 1))
    assert {"schedules", "ratios", "tables", "policies"} <= _kinds(copy, rerun=True)


def test_a_forged_bound_is_found(copy):
    """A larger L with a ratio to match contradicts the certificate."""

    def raise_lower(rows):
        rows[0]["lower"] += 1
        rows[0]["ratio_high"] = rows[0]["cost"] / rows[0]["lower"]

    _respell(copy, raise_lower)
    assert {"certificates", "tables"} <= _kinds(copy)
    assert "ratios" not in _kinds(copy)


def test_a_forged_ratio_is_found(copy):
    """A ratio that is not the quotient is found by fractions; so is an upper bound that no schedule has."""
    _respell(copy, lambda rows: rows[1].update(ratio_high=rows[1]["ratio_high"] * (1 + 1e-15)))
    assert "ratios" in _kinds(copy)
    _respell(copy, lambda rows: rows[2].update(upper=rows[2]["upper"] + 1))
    assert any("the least schedule of the run costs" in fault for fault in _faults(copy))


def _edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_a_forged_schedule_is_found(copy):
    """An attempt moved by one round breaks the model or the costs."""
    path = sorted((copy / "schedules").glob("*.json"))[0]

    def later(data):
        data["attempts"][-1][1] += 1
        data["attempts"][-1][2] += 1

    _edit(path, later)
    seal(copy)
    assert _kinds(copy) == {"schedules"}


def test_a_forged_instance_is_found(copy):
    """An instance with one prompt changed is not the instance of the rows."""
    path = sorted((copy / "instances").glob("*.json"))[0]
    _edit(path, lambda data: data["prompt"].__setitem__(0, data["prompt"][0] + 1))
    seal(copy)
    assert "instances" in _kinds(copy)


def test_a_forged_certificate_is_found(copy):
    """A bound raised by one no longer follows from its certificates."""
    path = sorted((copy / "certificates").glob("*.json"))[0]
    _edit(path, lambda data: data.__setitem__("lower", data["lower"] + 1))
    seal(copy)
    assert _kinds(copy) == {"certificates"}


def test_other_sources_are_found(copy):
    """The manifest names the sources by hash."""
    _edit(copy / "manifest.json", lambda data: data["sources_sha256"].__setitem__("algos", "0" * 64))
    seal(copy)
    assert _faults(copy) == ["sources: algos is not the source that made this run"]
