"""Certificates: honest ones hold, and a change in any field is refused."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bounds_cases import instances
from golden_bounds import INSTANCES
from hypothesis import given, settings

import lowerbounds
from kvratio.problem import Bound, Certificate, Instance
from lowerbounds import CLOSED_FORMS, bound
from lowerbounds.closed_form import closed_form
from lowerbounds.verify import CertificateRefused, verify_bound, verify_certificate

ROOM = Path(lowerbounds.__file__).parent


def evidence_of(kind: str) -> tuple[Instance, Certificate, int]:
    """Return an instance, an honest certificate of a kind, and what it shows for total completion."""
    inst = INSTANCES["C"]
    if kind in CLOSED_FORMS:
        value = closed_form(inst, kind)
        data = {"numerator": value.value.numerator, "denominator": value.value.denominator, "rounding_bits": value.bits}
        return inst, Certificate(kind, "lower", {"objective": "completion", **data}), value.integer
    if kind == "relaxed":
        inner = evidence_of("dual")
        easier = {name: getattr(inst, name).tolist() for name in ("arrival", "prompt", "output")}
        harder = inst.replace(prompt=inst.prompt + (inst.output == 2), output=inst.output)
        inside = {"kind": "dual", "data": inner[1].data}
        data = {"objective": "completion", "memory": inst.memory, **easier, "certificate": inside}
        return harder, Certificate("relaxed", "lower", data), inner[2]
    method = {"dual": "lagrangian", "lp": "lp", "starts": "lp", "solver": "milp"}[kind]
    answer = bound(inst, method)
    certificate = next(c for c in answer.certificates if c.kind == kind)
    return inst, certificate, answer.upper if kind == "starts" else answer.lower


KINDS = [*CLOSED_FORMS, "dual", "lp", "starts", "solver", "relaxed"]


@pytest.mark.parametrize("kind", KINDS)
def test_honest_certificates_hold(kind):
    """Each kind shows the value it was made for, for completion and for flow."""
    inst, certificate, value = evidence_of(kind)
    assert verify_certificate(inst, certificate) == value
    assert verify_certificate(inst, certificate, "flow") == value - int(inst.arrival.sum())


def alterations(value):
    """Return values that a field could be tampered to."""
    if isinstance(value, bool):
        return [not value, None, 1]
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1, float(value), str(value), None, True]
    if isinstance(value, float):
        return [value + 1.5, value - 1.5, float("nan"), float("inf"), None]
    if isinstance(value, str):
        return [value + "x", "", None, 3]
    if isinstance(value, dict):
        return [{**value, "more": 1}, {}, None]
    changed = [[], value[:-1], value + value[-1:], None]
    for at in (0, len(value) - 1):
        for other in alterations(value[at])[:3]:
            changed.append([*value[:at], other, *value[at + 1 :]])
    return changed


#: fields that carry no claim, or whose other values state a weaker truth
FREE = {("lp", "solver"), ("relaxed", "memory"), ("relaxed", "arrival"), ("relaxed", "prompt"), ("relaxed", "output")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_altered_field_is_refused(kind):
    """Altering, dropping or adding any field, or the side or kind, is refused."""
    inst, certificate, value = evidence_of(kind)
    for name, old in certificate.data.items():
        for new in alterations(old):
            if (kind, name) in FREE and isinstance(new, type(old)) and new:
                continue
            tampered = copy.deepcopy(dict(certificate.data)) | {name: new}
            if name == "box" and isinstance(new, bool) and not old:
                continue  # a stronger form of the same bound, which may have the same value
            with pytest.raises(CertificateRefused):
                verify_certificate(inst, Certificate(kind, certificate.side, tampered))
        without = {key: item for key, item in certificate.data.items() if key != name}
        with pytest.raises(CertificateRefused):
            verify_certificate(inst, Certificate(kind, certificate.side, without))
    with pytest.raises(CertificateRefused, match="not known"):
        verify_certificate(inst, Certificate(kind, certificate.side, {**certificate.data, "more": 0}))
    other = "upper" if certificate.side == "lower" else "lower"
    with pytest.raises(CertificateRefused, match="side"):
        verify_certificate(inst, Certificate(kind, other, certificate.data))
    with pytest.raises(CertificateRefused):
        verify_certificate(inst, Certificate("LB0" if kind != "LB0" else "LB1*", certificate.side, certificate.data))
    assert verify_certificate(inst, certificate) == value


def test_relaxed_must_be_easier():
    """A relaxed instance with a longer, larger or later request, less memory or an unproved inside is refused."""
    inst, certificate, _ = evidence_of("relaxed")
    data = dict(certificate.data)
    for name in ("arrival", "prompt", "output"):
        for change in (1, 5):
            harder = [*data[name][:-1], int(getattr(inst, name)[-1]) + change]
            with pytest.raises(CertificateRefused):
                verify_certificate(inst, Certificate("relaxed", "lower", {**data, name: harder}))
    for inside in ({"kind": "solver", "data": {}}, {"kind": "starts", "data": {}}, None, {"kind": "dual"}):
        with pytest.raises(CertificateRefused):
            verify_certificate(inst, Certificate("relaxed", "lower", {**data, "certificate": inside}))


def test_unknown_kinds_are_refused_clearly():
    """An unknown kind is refused by name, an unknown objective too."""
    inst = INSTANCES["C"]
    with pytest.raises(CertificateRefused, match="'oracle' is not known"):
        verify_certificate(inst, Certificate("oracle", "lower", {"objective": "completion"}))
    with pytest.raises(CertificateRefused, match="objective"):
        verify_certificate(inst, evidence_of("LB0")[1], "makespan")


def test_certificates_belong_to_their_instance():
    """A certificate does not hold for another instance."""
    other = INSTANCES["D"]
    for kind in ("LB2", "dual", "lp", "starts", "solver"):
        with pytest.raises(CertificateRefused):
            verify_certificate(other, evidence_of(kind)[1])


def test_infeasible_starts_are_refused():
    """Starts that break the budget are refused with round and memory."""
    inst, certificate, _ = evidence_of("starts")
    data = {**certificate.data, "starts": [0] * inst.n, "cost": int(inst.output.sum())}
    with pytest.raises(CertificateRefused, match="memory"):
        verify_certificate(inst, Certificate("starts", "upper", data))


@pytest.mark.parametrize("name", ["C", "F", "B"])
def test_bounds_follow_from_their_certificates(name):
    """A bound whose lower, upper, grade or certificates were changed is refused."""
    honest = bound(INSTANCES[name], objective="flow")
    verify_bound(honest)
    changes = [
        {"lower": honest.lower - 1},
        {"upper": honest.upper + 1},
        {"upper": None},
        {"grade": "none"},
        {"grade": "solver*2"},
        {"certificates": ()},
        {"certificates": honest.certificates[:1]},
        {"certificates": honest.certificates[1:]},
        {"objective": "completion"} if int(INSTANCES[name].arrival.sum()) else {"lower": honest.lower - 2},
    ]
    for change in changes:
        with pytest.raises(CertificateRefused):
            verify_bound(replace(honest, **change))


@settings(max_examples=40)
@given(instances(max_requests=7, max_memory=16))
def test_all_methods_verify(inst):
    """Every method's bound holds for both objectives."""
    for method in ("best", "lp", "lagrangian", "squashed_area", "mean_busy_time", "srpt", "latency"):
        for objective in ("completion", "flow"):
            bound(inst, method, objective=objective).verify()


@pytest.mark.parametrize("name", ["G", "B", "F"])
def test_saved_bounds_come_back(name, tmp_path):
    """A bound saved and loaded is equal and still verifies."""
    honest = bound(INSTANCES[name], objective="flow")
    loaded = Bound.load(honest.save(tmp_path / "bound.json"))
    assert loaded == honest
    loaded.verify()


def test_random_prices_verify():
    """The verifier's search for minima agrees on long horizons with many prompts and lengths."""
    rng = np.random.default_rng(8)
    for arrivals in (0, 400):
        inst = Instance(
            prompt=rng.integers(0, 300, 500),
            output=rng.integers(1, 60, 500),
            memory=2000,
            arrival=rng.integers(0, arrivals + 1, 500),
        )
        answer = bound(inst, "lagrangian", iterations=3)
        answer.verify()
        assert answer.lower < answer.upper


def test_verifier_stands_alone():
    """The verifier reaches nothing of ours but the ground floor, its own three files and the replay of proofs."""
    own = {"verify.py", "recheck_closed.py", "recheck_dual.py", "recheck_profile.py", "exact/replay.py"}
    for name in own:
        for node in ast.walk(ast.parse((ROOM / name).read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in names:
                top, _, rest = (module or "").partition(".")
                assert top not in ("algos", "instances", "pulp", "scipy", "highspy", "numba")
                assert top != "kvratio" or rest.startswith("problem")
                assert top != "lowerbounds" or f"{rest.replace('.', '/')}.py" in own
