"""The command line: what each verb prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kvratio import Instance
from kvratio.cli import main

VERBS = (
    "run",
    "table",
    "plot",
    "report",
    "list",
    "info",
    "simulate",
    "serve",
    "sweep",
    "search",
    "bound",
    "check",
    "doctor",
    "traces",
    "gpu",
)
SUITE = """
resamples = 50
[bound]
method = "squashed_area"
[[policy]]
id = "fcfs"
[[policy]]
id = "mc_sf"
[[family]]
id = "uniform"
parameters = { count = 5, memory = 15, prompt = [0, 4], output = [1, 8] }
seeds = 2
"""


@pytest.fixture
def call(capsys, monkeypatch):
    """Return a function that runs a command line and gives exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out = capsys.readouterr()
        return stopped.value.code or 0, out.out, out.err

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a small finished run."""
    from kvratio.suite.run import run_suite

    home = tmp_path_factory.mktemp("cli")
    (home / "mini.toml").write_text(SUITE)
    return run_suite(home / "mini.toml", out=home / "run", workers=1, progress=False).path


@pytest.fixture
def pair(tmp_path):
    """Return the file of an instance of two requests."""
    return Instance(prompt=[2, 1], output=[3, 2], memory=6, name="pair").save(tmp_path / "pair.json")


# -- help and errors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(call, verb):
    """--help exits with 0 and shows a command line to copy."""
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert f"Example: kvratio {verb}" in out


def test_the_command_starts_without_the_heavy_libraries():
    """Help imports neither numba nor pandas nor matplotlib nor our own packages."""
    code = (
        "import sys\nfrom kvratio.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numba', 'pandas', 'pyarrow', 'matplotlib', 'scipy', 'numpy', 'algos', 'instances', 'lowerbounds'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


MISUSES = [
    (("simulate", "blokcer:memory=20", "fcfs"), "blokcer"),
    (("simulate", "blocker:memory=20", "fcsf"), "fcsf"),
    (("simulate", "blocker", "fcfs"), "memory"),
    (("simulate", "blocker:memory=20", "fcfs:skipp=true"), "skipp"),
    (("simulate", "blocker:memory=20", "gsa", "--eviction", "swap"), "swap"),
    (("bound", "blocker:memory=12", "--method", "magic"), "magic"),
    (("info", "gssa"), "gsa"),
    (("run", "nowhere.toml"), "no such file"),
    (("run", "smoke", "--suite", "default"), "two suites"),
    (("run", "smoke", "--workers", "0"), "workers is 0"),
    (("table", "nowhere"), "nowhere"),
    (("check", "nowhere.json"), "no such file"),
    (("traces", "info", "nothing_of_the_kind"), "nothing_of_the_kind"),
]


@pytest.mark.parametrize(("words", "told"), MISUSES, ids=lambda x: x if isinstance(x, str) else " ".join(x)[:50])
def test_bad_use_is_one_line_on_stderr_and_exit_code_2(call, monkeypatch, words, told):
    """No traceback, nothing on stdout, and the line names what was wrong."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    code, out, err = call(*words)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1
    assert told in lines[0]


def test_an_unknown_verb_is_bad_use(call):
    """The parser's own errors exit with 2 as well."""
    assert call("simulat")[0] == 2


# -- lists and cards ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["policies", "families", "bounds", "suites", "traces"])
def test_everything_can_be_listed(call, kind, monkeypatch):
    """As a table and as JSON, with the same entries."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    code, out, _ = call("list", kind)
    assert code == 0
    entries = json.loads(call("list", kind, "--json")[1])
    names = [next(iter(row.values())) for row in (entries["published"] if kind == "traces" else entries)]
    assert names
    assert all(name in out for name in names)


def test_the_list_of_policies_shows_what_a_reader_asks_for(call):
    """Id, information, guarantee and source of each policy."""
    rows = {row["id"]: row for row in json.loads(call("list", "policies", "--json")[1])}
    assert {"id", "information", "guarantee", "source"} <= set(rows["gsa"])
    assert rows["gsa"]["information"] == "none"
    assert "61.92" in rows["gsa"]["guarantee"]
    assert "2601.22996" in rows["gsa"]["source"]


def test_a_card_is_printed_whole(call):
    """`info gsa` tells information, arrivals, parameters with defaults, guarantee, hypotheses and source."""
    code, out, _ = call("info", "gsa")
    assert code == 0
    for word in ("alpha", "tau0", "regime", "61.92", "equal prompts", "2601.22996", "non-clairvoyant", "batch rule"):
        assert word.lower() in out.lower()


@pytest.mark.parametrize("name", ["sf", "burst_trap", "lagrangian", "smoke", "azure_2023_conv"])
def test_info_knows_aliases_families_bounds_suites_and_traces(call, monkeypatch, name):
    """One verb for everything that has a name."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    code, out, _ = call("info", name)
    assert code == 0
    assert len(out.splitlines()) >= 2
    assert json.loads(call("info", name, "--json")[1])["id"] == name


# -- simulate, bound, check ---------------------------------------------------------------------------------------
def test_simulate_prints_the_golden_cost(call):
    """long_protection under vllm_fcfs: 185892, with 30 evictions."""
    facts = json.loads(call("simulate", "long_protection", "vllm_fcfs", "--json")[1])
    assert (facts["total_completion"], facts["evictions"]) == (185892, 30)


def test_simulate_tunes_an_adaptive_family_and_prints_the_interval(call):
    """Blocker against fcfs at M = 50 costs 2450, and the optimum is at most 148."""
    words = ("simulate", "blocker:memory=50", "fcfs", "--bound", "squashed_area")
    facts = json.loads(call(*words, "--json")[1])
    assert facts["total_flow"] == 2450
    assert facts["flow_ratio"][0] == pytest.approx(2450 / 148)
    assert facts["flow_ratio"][0] <= facts["flow_ratio"][1]
    assert "flow ratio" in call(*words)[1]


def test_a_schedule_saved_by_simulate_is_accepted_by_check(call, pair, tmp_path):
    """Simulate --save, then check, alone and against the instance: exit code 0."""
    saved = tmp_path / "schedule.json"
    assert call("simulate", pair, "mc_sf", "--save", saved)[0] == 0
    assert call("check", saved)[0] == 0
    code, out, _ = call("check", saved, pair)
    assert code == 0
    assert out.startswith("feasible")


def test_an_infeasible_schedule_is_a_finding(call, pair, tmp_path):
    """Check exits with 1 and names round and memory, on stdout, since this is its result."""
    saved = tmp_path / "schedule.json"
    call("simulate", pair, "mc_sf", "--save", saved)
    data = json.loads(saved.read_text())
    data["attempts"] = [[0, 0, 3, 1], [1, 1, 3, 1]]
    data["instance"]["memory"] = 6
    saved.write_text(json.dumps(data))
    code, out, _ = call("check", saved)
    assert code == 1
    assert "infeasible" in out
    assert "memory" in out
    assert json.loads(call("check", saved, "--json")[1])["feasible"] is False


def test_simulate_draws_the_memory_of_the_schedule(call, pair, tmp_path):
    """--plot writes three figures at the stem given, whatever ending it has."""
    assert call("simulate", pair, "mc_sf", "--plot", tmp_path / "figures" / "memory.pdf")[0] == 0
    found = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert found == ["memory.pdf", "memory.png", "memory.svg"]


def test_bound_prints_a_verified_interval(call, tmp_path):
    """The optimum of golden instance G (16 equal requests, M = 20) is 151; the interval contains it."""
    words = ("bound", "synchronised:count=16,prompt=1,output=4,memory=20", "--option", "solver=none")
    facts = json.loads(call(*words, "--save", tmp_path / "bound.json", "--json")[1])
    assert facts["lower"] <= 151 <= facts["upper"]
    assert facts["verified"] is True
    assert (tmp_path / "bound.json").is_file()
    assert "from the certificates alone" in call(*words)[1]


def test_a_bound_file_is_an_instance_too(call, tmp_path):
    """What bound saves can be simulated: the instance is in it."""
    call("bound", "blocker:memory=12", "--method", "squashed_area", "--save", tmp_path / "b.json")
    facts = json.loads(call("simulate", tmp_path / "b.json", "fcfs", "--json")[1])
    assert facts["n"] == 12


# -- run, table, plot ---------------------------------------------------------------------------------------------
def test_run_prints_the_table_and_keeps_progress_on_stderr(call, tmp_path):
    """Stdout holds results only; the run folder has table and figure files; a replay command works as printed."""
    suite = tmp_path / "mini.toml"
    suite.write_text(SUITE)
    code, out, err = call("run", suite, "--out", tmp_path / "run", "--workers", "1")
    assert code == 0
    assert "running cells" in err
    assert "running cells" not in out
    for word in ("certified ratios", "worst ratio", "guarantee", "Replay:"):
        assert word in out
    assert (tmp_path / "run" / "tables" / "ratios.tex").is_file()
    assert (tmp_path / "run" / "figures" / "ratio_by_policy.pdf").is_file()
    command = next(line for line in out.splitlines() if line.startswith("  kvratio simulate")).split()[1:]
    assert call(*command)[0] == 0


def test_a_failed_cell_is_a_finding(call, tmp_path):
    """Run exits with 1 when a cell failed, and still prints the rest."""
    suite = tmp_path / "bad.toml"
    broken = (
        '[[family]]\nid = "augmentation"\nlabel = "broken"\nparameters = { base = { family = "blocker" }, extra = 1 }\n'
    )
    suite.write_text(SUITE + broken)
    code, out, _ = call("run", suite, "--out", tmp_path / "run", "--workers", "1", "--quiet")
    assert code == 1
    assert "failed" in out
    assert "uniform" in out


def test_table_writes_every_format(call, finished, tmp_path):
    """On stdout one at a time, or all into a folder."""
    assert "\\begin{tabular}" in call("table", finished, "--view", "ratios", "--format", "latex")[1]
    assert call("table", finished, "--view", "ratios", "--format", "markdown")[1].startswith("# Suite mini")
    assert call("table", finished, "--view", "ratios", "--format", "csv")[1].startswith("section,policy")
    code, out, _ = call("table", finished, "--out", tmp_path / "tables")
    assert code == 0
    assert len(out.split()) == len(list((tmp_path / "tables").iterdir())) == 20


def test_table_as_json_has_numbers(call, finished):
    """A row per policy and family, with the ends of every interval."""
    data = json.loads(call("table", finished, "--json")[1])
    assert len(data["rows"]) == 2
    assert all(row["worst_low"] <= row["worst_high"] for row in data["rows"])


def test_table_can_be_narrowed(call, finished):
    """--policy and --family choose rows; a name that is not there is bad use."""
    out = call("table", finished, "--view", "ratios", "--policy", "mc_sf")[1]
    assert "mc_sf" in out
    assert "fcfs" not in out
    assert call("table", finished, "--policy", "gsa")[0] == 2


def test_plot_writes_figures(call, finished, tmp_path):
    """The paths of PDF, SVG and PNG are printed, one a line."""
    code, out, _ = call("plot", finished, "--which", "mean", "--out", tmp_path)
    assert code == 0
    assert [line.rpartition(".")[2] for line in out.split()] == ["pdf", "svg", "png"]


# -- traces and doctor --------------------------------------------------------------------------------------------
def test_a_trace_is_found_simulated_and_told(call, tmp_path, monkeypatch):
    """A plain CSV below KVRATIO_TRACES is listed, described and run; without a budget it is bad use."""
    (tmp_path / "mine.csv").write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,3,2\n0.1,1,4\n")
    monkeypatch.setenv("KVRATIO_TRACES", str(tmp_path))
    assert "mine" in call("traces", "list")[1]
    assert "sha256" in call("traces", "info", "mine")[1]
    facts = json.loads(call("simulate", "mine", "fcfs", "--memory", "10", "--json")[1])
    assert facts["n"] == 2
    code, _, err = call("simulate", "mine", "fcfs")
    assert code == 2
    assert "--memory" in err


def test_doctor_says_what_works(call, monkeypatch):
    """Versions, machine and the checks; exit code 0 when all is well."""
    monkeypatch.delenv("KVRATIO_TRACES", raising=False)
    code, out, _ = call("doctor", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["checks"]["compiled engine"]["ok"]
    assert "numba" in data["versions"]


def test_a_closed_pipe_is_no_error():
    """`kvratio list policies | head -1` ends quietly."""
    command = f"{sys.executable} -m kvratio.cli list policies | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=dict(os.environ), check=True)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_folder_that_cannot_be_written_is_bad_use(call, pair, tmp_path):
    """Faults of the file system are one line with the path, too."""
    code, _, err = call("simulate", pair, "mc_sf", "--save", tmp_path / "no" / "such" / "folder.json")
    assert code == 2
    assert "folder.json" in err
    assert len(err.splitlines()) == 1
