"""The contract catches what it is for, on a smallest instance, and lets the built-in policies and families pass."""

import pytest
from plugin_files import (
    ENDLESS,
    GREEDY,
    OUTSIDE,
    RAISES,
    REMEMBERS,
    SETS,
    THROUGH_GLOBALS,
    TWICE,
    family,
    policy,
)
from typer.testing import CliRunner

import algos
from algos import registry
from instances.registry import lookup
from kvratio import Instance
from kvratio.cli import app
from kvratio.problem.plugins import find
from kvratio.suite.contract import check_bound, check_family, check_policy
from kvratio.suite.contract import policies as contract
from kvratio.suite.contract.cases import cases
from kvratio.suite.contract.shrink import shrink
from lowerbounds import BoundCard, Claim

#: parameters that are public facts: not to be derived from the requests
PUBLIC = {"orca": {"max_tokens": 40}, "one_bit_svf": {"max_output": 40}, "rate_capped": {"rate": 0.6}}
#: policies of the event engine and two of the timetables; `tests/algos/test_contract.py` draws for every one there is
QUICK = [p for p in algos.policy_ids() if registry.card(p).decide is not None or p in ("gsa", "sps")]
#: families of each kind, with what keeps their instances small
QUICK_FAMILIES = {
    "blocker": {},
    "burst_trap": {},
    "stream_trap": {"memory": 12},
    "head_of_line": {},
    "sf_trap": {},
    "randomised_start": {},
    "uniform": {"count": 9, "memory": 60, "prompt": [0, 20], "output": [1, 30]},
    "prediction_error": {"base": "blocker", "memory": 10, "mode": "swap"},
}


def report_of(tmp_path, text, **given):
    """Write a policy's file and check it."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    return check_policy(registry.card(path), **given)


def broken(report):
    """Names of the rules that do not hold."""
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize("policy_id", QUICK)
def test_built_in_policies_keep_the_contract(policy_id):
    """Every built-in policy passes the contract that users' policies are held to."""
    report = check_policy(registry.card(policy_id), PUBLIC.get(policy_id), 10)
    assert [(f.rule, f.message) for f in report.findings] == []


@pytest.mark.parametrize("family_id", QUICK_FAMILIES)
def test_built_in_families_keep_the_contract(family_id):
    """Families of each kind pass; `tests/instances/test_family_contract.py` draws from the ranges of every one."""
    report = check_family(lookup(family_id), QUICK_FAMILIES[family_id], points=4)
    assert [(f.rule, f.message) for f in report.findings] == []


def test_a_sound_policy_keeps_it(tmp_path):
    """A plain greedy policy breaks nothing, compiled or, where sets keep numba out, interpreted."""
    fast = report_of(tmp_path, policy(GREEDY), count=14)
    assert fast.fine
    assert "compiled equals plain" in fast.rules
    slow = report_of(tmp_path, policy(SETS), count=12)
    assert slow.fine
    assert any("slow" in note for note in slow.notes)


@pytest.mark.parametrize(
    ("text", "rule", "told"),
    [
        (policy(RAISES), "runs to the end", "line 10: "),
        (policy(TWICE), "runs to the end", "starts request 0, which is not waiting"),
        (policy(OUTSIDE), "runs to the end", "which is not waiting"),
        (policy(GREEDY, evicts="never"), "evicts as the card says", "it evicts"),
        (policy(REMEMBERS), "deterministic", "two runs with the same seed differ"),
        (
            policy(THROUGH_GLOBALS + GREEDY, more=', resolve=resolve, key=lambda known, params: SEEN["output"]'),
            "no peeking at lengths",
            "depend on lengths not yet revealed",
        ),
        (policy(GREEDY.replace("return NEVER", "")), "runs to the end", "TypeError"),
        (policy(GREEDY, id="two words"), "card complete", "use letters, digits and _ only"),
    ],
    ids=["raises", "twice", "outside", "evicts", "remembers", "peeks", "returns nothing", "card"],
)
def test_breaches_are_found(tmp_path, text, rule, told):
    """Each kind of breach is found under its rule, and shown on an instance of at most three requests."""
    report = report_of(tmp_path, text, count=24)
    found = [finding for finding in report.findings if finding.rule == rule]
    assert found, report.findings
    assert told in found[0].message
    assert found[0].instance is None or found[0].instance.n <= 3


def test_an_endless_loop_is_a_breach(tmp_path, monkeypatch):
    """A hook that never returns is stopped by the clock, in the interpreter, before it is ever run compiled."""
    monkeypatch.setattr(contract, "SECONDS", 0.3)
    report = report_of(tmp_path, policy(ENDLESS))
    assert broken(report) == {"runs to the end"}
    assert "does not end" in report.findings[0].message


def test_reading_outputs_in_key_through_predictions_is_allowed(tmp_path):
    """What the card asks for may be read: a policy with predictions orders by them and passes."""
    more = ", key=lambda known, params: known.estimate"
    assert report_of(tmp_path, policy(GREEDY, information="prediction", more=more), count=12).fine


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("return Construction(requests(memory, (2, 0, 0, memory)), np.array([0, 0]))", "valid at every size"),
        ("return Construction(requests(memory, (1, 0, memory, 1)))", "valid at every size"),
        ("return Construction(requests(memory, (1, 0, 0, 1 + setting.seed)))", "valid for every seed"),
        ("return Construction(requests(memory, (1, 0, 0, int(DRAWN.integers(1, memory)))))", "deterministic"),
        ("return Construction(requests(memory, (1, 0, 0, 1), (1, memory, 0, 1)))", "arrives as declared"),
        ("return Construction(requests(memory, (1, 0, 0, 1)), np.array([0]), forced_cost=9)", "ratio is true"),
        ("return Construction(requests(memory, (1, 0, 0, 1)), notes={'a': {1, 2}})", "travels"),
        ("return 1 / 0", "valid at every size"),
    ],
)
def test_breaches_of_families_are_found(tmp_path, body, rule):
    """Each kind of breach of a family is found under its rule, at the smallest memory of its range."""
    path = tmp_path / "made.py"
    path.write_text(family(body))
    plugin = find(path, "family")
    report = check_family(lookup(plugin), handle=plugin, points=6)
    found = [finding for finding in report.findings if finding.rule == rule]
    assert found, report.findings
    assert found[0].parameters["memory"] == 4


def test_bounds_are_compared_with_the_optimum():
    """A bound that claims too much is caught on one request; a sound claim without a certificate is noted."""
    about = {"title": "t", "about": "a", "source": "s"}
    high = check_bound(BoundCard("high", prove=lambda inst: Claim(int(inst.output.sum()) + 1), **about), count=8)
    assert broken(high) == {"never above the optimum"}
    assert high.findings[0].instance.n == 1
    sound = check_bound(
        BoundCard("sound", prove=lambda inst: Claim(int((inst.arrival + inst.output).sum())), **about), count=8
    )
    assert sound.fine


def test_cases_begin_small_and_are_always_the_same():
    """The instances to try are equal at every call, and the first has one request of one token."""
    one, two = list(cases(30)), list(cases(30))
    assert one == two
    assert (one[0].n, int(one[0].output[0])) == (1, 1)
    assert {inst.is_batch for inst in one} == {True, False}


def test_shrinking_ends_at_a_smallest_instance():
    """Shrinking keeps the property and drops all that it does not need."""
    inst = Instance(prompt=[3, 4, 5, 1], output=[5, 9, 2, 7], memory=20, arrival=[0, 3, 4, 9])
    small = shrink(inst, lambda one: int(one.output.max()) >= 4)
    assert (small.n, small.prompt.tolist(), small.output.tolist(), small.memory) == (1, [0], [4], 4)


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (policy(GREEDY), 0, "keeps the contract"),
        (policy(TWICE), 1, "smallest instance: Instance(prompt=[0], output=[1], memory=1)"),
        ("def decide(v)\n", 1, "line 1: SyntaxError"),
        ("x = 1\n", 2, "no policy, family or bound"),
    ],
)
def test_the_command_says_it_by_its_exit_code(tmp_path, monkeypatch, text, code, told):
    """The exit code of check FILE: 0 fine, 1 a breach or a file that does not load, 2 a file that holds nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file.py").write_text(text)
    shown = CliRunner().invoke(app, ["check", "./a file.py", "--count", "9"])
    assert told in shown.output + str(shown.exception)
    assert (shown.exit_code if code < 2 else 2) == code
