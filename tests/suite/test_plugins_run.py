"""Users' files in suites, in Python and on the command line: faults stay in their cells, edits are noticed."""

import json
from pathlib import Path

import pytest
from plugin_files import ENDLESS, GREEDY, RAISES, SETS, TWICE, policy
from typer.testing import CliRunner

import algos
from kvratio import Bound, Certificate, Instance, bound, check, generate, run_suite, schedule
from kvratio.cli import app
from kvratio.problem.errors import BadParameter, PolicyError, SolverError, UnknownName
from kvratio.suite.choose import chosen
from kvratio.suite.naming import parse_name
from kvratio.suite.read import load_suite
from lowerbounds import BoundCard, Claim

EXAMPLES = Path(__file__).parents[2] / "examples"
INST = Instance(prompt=[4, 0, 9, 1, 6, 2, 3], output=[3, 7, 1, 10, 2, 5, 6], memory=16)
ABOUT = {"title": "t", "about": "a", "source": "s"}

SUITE = """
name = "own"
cell_seconds = 5.0
[bound]
method = "{bound}"
[[policy]]
id = "fcfs"
{policies}
[[family]]
id = "{family}"
parameters = {{ memory = 16 }}
"""


def write_suite(folder: Path, *policies: str, bound: str = "latency", family: str = "my family.py") -> Path:
    """Write a suite of users' policies, with the example family beside it."""
    (folder / "my family.py").write_text((EXAMPLES / "my_family.py").read_text())
    tables = "\n".join(f'[[policy]]\nid = "{name}"' for name in policies)
    path = folder / "suite.toml"
    path.write_text(SUITE.format(bound=bound, policies=tables, family=family))
    return path


def test_faults_stay_in_their_cells(tmp_path):
    """Broken policies are failed cells with the line at fault kept; the others stand, the slow one marked."""
    files = {
        "sound": policy(GREEDY, id="sound"),
        "slow": policy(SETS, id="sets"),
        "raises": policy(RAISES, id="raises"),
    }
    files |= {"twice": policy(TWICE, id="twice"), "unclosed": "def decide(v\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    suite = write_suite(tmp_path, *(f"./{name}.py" for name in files), bound="my bound.py")
    (tmp_path / "my bound.py").write_text((EXAMPLES / "my_bound.py").read_text())
    run = run_suite(suite, out=tmp_path / "run", workers=2, progress=False)
    status = run.table().set_index("policy")["status"].to_dict()
    good = {"fcfs": "ok", "sound": "ok", "sets (slow)": "ok"}
    assert status == {**good, "raises": "failed", "twice": "failed", "unclosed": "failed"}
    failed = {row["policy"]: row for row in run.folder.failures()}
    assert "in decide" in failed["raises"]["traceback"]
    assert "which is not waiting" in failed["twice"]["message"]
    assert "line 1: SyntaxError" in failed["unclosed"]["message"]
    assert set(run.table()["bound_method"].dropna()) == {"rounded_area"}


def test_edits_are_noticed_and_runs_can_be_repeated(tmp_path):
    """Cells of an edited import are run anew, others reused; the run folder's sources give the first run again."""
    (tmp_path / "wait.py").write_text("ROUNDS = 3\n")
    late = GREEDY.replace("    while need", "    if s.now < ROUNDS:\n        return ROUNDS\n    while need")
    (tmp_path / "late.py").write_text("from wait import ROUNDS\n" + policy(late, id="late"))
    suite = write_suite(tmp_path, "late.py")

    def cost(run):
        return run.table().set_index("policy")["cost"].to_dict()

    first = cost(run_suite(suite, out=tmp_path / "run", workers=1, progress=False))
    (tmp_path / "wait.py").write_text("ROUNDS = 9\n")
    again = run_suite(suite, out=tmp_path / "run", workers=1, progress=False)
    assert again.reused == 1
    assert cost(again)["fcfs"] == first["fcfs"]
    assert cost(again)["late"] != first["late"]
    (tmp_path / "late.py").unlink()
    kept = run_suite(load_suite(tmp_path / "run"), out=tmp_path / "third", workers=1, progress=False)
    assert cost(kept) == cost(again)
    entry = json.loads((tmp_path / "third" / "manifest.json").read_text())["plugins"][0]
    source = tmp_path / "third" / entry["folder"] / "wait.py"
    assert source.read_text() == "ROUNDS = 9\n"
    source.write_text("ROUNDS = 1\n")
    with pytest.raises(BadParameter, match="changed or gone since the run"):
        load_suite(tmp_path / "third")


@pytest.mark.slow
def test_an_endless_loop_ends_its_cell_only(tmp_path):
    """A compiled hook that never returns is ended by the hard limit, with one worker too; the traceback is kept."""
    (tmp_path / "endless.py").write_text(policy(ENDLESS, id="endless"))
    suite = write_suite(tmp_path, "endless.py")
    suite.write_text(suite.read_text().replace("cell_seconds = 5.0", "cell_seconds = 1.0"))
    run = run_suite(suite, out=tmp_path / "run", workers=1, progress=False)
    assert run.table().set_index("policy")["status"].to_dict() == {"fcfs": "ok", "endless": "failed"}
    assert "stuck in compiled code" in run.folder.failures()[0]["message"]
    assert "Timeout" in run.folder.failures()[0]["traceback"]


def test_python_takes_files(tmp_path, monkeypatch):
    """schedule, generate and bound take files, in the current folder or by path, and cards."""
    monkeypatch.chdir(tmp_path)
    for name in ("my_policy.py", "my_family.py", "my_bound.py", "my_plain_policy.py"):
        Path(name).write_text((EXAMPLES / name).read_text())
    for name in ("./my_policy.py", Path("my_policy.py"), "my_policy.py:MINE", tmp_path / "my_plain_policy.py"):
        check(INST, schedule(INST, name))
    inst = generate("./my_family.py", memory=16)
    assert generate("my_family.py:waves", memory=16, policy="./my_policy.py") == inst
    assert bound(INST, "./my_bound.py").verify()
    with pytest.raises(UnknownName, match="there is no file"):
        schedule(INST, "./nowhere.py")


def test_compiled_and_interpreted_runs_agree(tmp_path):
    """The same hook, compiled and with plain=True, gives the same attempts; packed batches take both."""
    from kvratio import InstanceBatch

    for name, more in (("fast", ""), ("slow", ", plain=True")):
        (tmp_path / f"{name}.py").write_text(policy(GREEDY, id=name, more=more))
    fast, slow = (schedule(INST, tmp_path / f"{name}.py").attempts.tolist() for name in ("fast", "slow"))
    assert fast == slow
    packed = [
        algos.schedule_batch(InstanceBatch([INST]), tmp_path / f"{n}.py").completion.tolist() for n in ("fast", "slow")
    ]
    assert packed[0] == packed[1]


def test_what_a_hook_raises_has_its_line(tmp_path):
    """Machine code knows no lines, so a hook that raises is run again in the interpreter, which does."""
    path = tmp_path / "raises.py"
    path.write_text(policy(RAISES))
    line = 1 + path.read_text().splitlines().index("    return NEVER // (s.n_ended * 0)")
    with pytest.raises(PolicyError, match=f"mine: its hook fails: line {line}: "):
        schedule(INST, path)


def test_ids_of_built_in_ones_are_refused(tmp_path):
    """A file's card with the id of a built-in policy is told apart by one clear error."""
    path = tmp_path / "mine.py"
    path.write_text(policy(GREEDY, id="fcfs"))
    with pytest.raises(BadParameter, match="'fcfs' is the id of a built-in policy"):
        schedule(INST, path)


def test_claims_do_not_narrow_the_interval():
    """What no certificate shows is kept as a claim, saved as one, refuted where a schedule costs less."""
    claimed = bound(INST, BoundCard("claims", prove=lambda inst: Claim(50), **ABOUT))
    assert (claimed.lower, claimed.claimed, claimed.upper) == (34, 50, None)
    assert not claimed.refuted
    high = bound(INST, BoundCard("high", prove=lambda inst: 10**6, **ABOUT), schedules=[schedule(INST, "svf")])
    assert high.refuted
    assert high.lower == 34
    assert high.verify()


def test_claims_are_saved(tmp_path):
    """A saved bound comes back with its claim, which verification does not look at."""
    claimed = bound(INST, BoundCard("claims", prove=lambda inst: Claim(50), **ABOUT))
    back = Bound.load(claimed.save(tmp_path / "bound.json"))
    assert back == claimed
    assert (back.claimed, back.verify()) == (50, True)


def test_false_certificates_are_refused():
    """A certificate that does not verify is said to be refused, and a solver's word is none."""
    data = {"objective": "completion", "numerator": 10**6, "denominator": 1, "rounding_bits": 0}
    for kind in ("LB1", "solver", "invented"):
        card = BoundCard(
            "false", prove=lambda inst, kind=kind: Claim(10**6, (Certificate(kind, "lower", data),)), **ABOUT
        )
        found = bound(INST, card)
        assert (found.lower, found.claimed, len(found.refusals)) == (34, 10**6, 1)
    with pytest.raises(SolverError, match="ZeroDivisionError"):
        bound(INST, BoundCard("raises", prove=lambda inst: 1 / 0, **ABOUT))
    with pytest.raises(SolverError, match=r"return a lowerbounds\.Claim"):
        bound(INST, BoundCard("text", prove=lambda inst: "much", **ABOUT))


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("./a.py", "./a.py", {}),
        ("./a.py:x=1,y=2", "./a.py", {"x": 1, "y": 2}),
        ("/b c/a.py:name:x=1", "/b c/a.py:name", {"x": 1}),
        ("kvratio.cli:name:x=[1,2]", "kvratio.cli:name", {"x": [1, 2]}),
        ("kvratio:name", "kvratio:name", {}),
        ("gsa:alpha=2", "gsa", {"alpha": 2}),
    ],
)
def test_names_with_parameters(text, name, parameters):
    """The colon of file.py:name and module:name belongs to the name; what follows is parameters."""
    assert parse_name(text) == (name, parameters)


def test_files_join_a_suite_on_the_command_line(tmp_path):
    """--policy, --family and --bound take labels of the suite and files; only what is named is run."""
    path = tmp_path / "mine.py"
    path.write_text(policy(GREEDY, more=', parameters=(Parameter("a", 1, "d"),)'))
    plan = chosen(load_suite("smoke"), [f"{path}:a=3", "fcfs"], [f"{EXAMPLES / 'my_family.py'}:memory=16"], "srpt")
    assert [p.label for p in plan.policies] == ["mine:a=3", "fcfs"]
    assert [f.label for f in plan.families] == ["waves"]
    assert {f.bound.method for f in plan.families} == {"srpt"}
    with pytest.raises(UnknownName, match="has no policy 'nobody'"):
        chosen(load_suite("smoke"), ["nobody"], [])


def test_the_command_line_takes_files(tmp_path, monkeypatch):
    """simulate, bound and info take files; a slow policy and a claim are said to be that."""
    monkeypatch.chdir(tmp_path)
    for name in ("my_family.py", "my_bound.py", "my_plain_policy.py"):
        Path(name).write_text((EXAMPLES / name).read_text())

    def told(*words):
        shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
        assert shown.exit_code == 0, shown.output
        return shown.output

    assert "Python interpreter" in told("simulate", "./my_family.py:memory=16", "./my_plain_policy.py")
    assert "SLOW" in told("info", "my_plain_policy.py")
    drawn = "uniform:count=30,memory=40,prompt=[0,9],output=[1,20]"
    claim = told("bound", drawn, "--bound", "my_bound.py", "--option", "certify=false")
    assert "is claimed, not proven" in claim
    assert "bursts behind" in told("info", "my_family.py:waves")
