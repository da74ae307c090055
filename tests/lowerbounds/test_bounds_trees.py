"""Certificates that hold others or a whole proof: trees, parts, relaxations; altered numbers prove nothing false."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import numpy as np
import pytest

from kvratio.problem import Bound, Certificate, Instance
from lowerbounds import bound, brute_force
from lowerbounds.replayed import tree_certificate
from lowerbounds.verify import CertificateRefused, verify_certificate


def _five() -> Instance:
    rng = np.random.default_rng(7)
    s = rng.integers(0, 5, 5)
    return Instance(s, [int(rng.integers(1, 13 - x)) for x in s], 12, rng.integers(0, 6, 5))


def _bursts() -> Instance:
    one = Instance([1, 2, 0, 3, 2], [4, 3, 5, 2, 6], 8)
    return Instance(np.tile(one.prompt, 2), np.tile(one.output, 2), 8, np.repeat([2, 10**9], 5))


@pytest.fixture(scope="module")
def proofs() -> dict[str, tuple[Instance, Certificate, int]]:
    """Per kind an instance, a certificate of its lower side after a trip through JSON, and the optimum."""
    found = {}
    for name, inst in (("tree", _five()), ("parts", _bursts())):
        answer = bound(inst, "exact")
        assert answer.status == "optimal"
        assert answer.grade == "certified"
        certificate = answer.certificates[1]
        assert certificate.kind == name
        found[name] = (inst, Certificate(name, "lower", json.loads(json.dumps(dict(certificate.data)))), answer.upper)
    small = Instance([0, 7, 0, 2], [3, 1, 2, 4], 8)
    easier = {name: getattr(small, name).tolist() for name in ("arrival", "prompt", "output")}
    inner = next(c for c in bound(small, "lp").certificates if c.side == "lower")
    inside = {"kind": inner.kind, "data": dict(inner.data)}
    harder = small.replace(prompt=small.prompt + [1, 0, 0, 1], predicted=None)
    data = {"objective": "completion", "memory": 8, **easier, "certificate": inside}
    found["relaxed"] = (harder, Certificate("relaxed", "lower", data), brute_force(harder)[0])
    return found


def _numbers(data, path=()):
    """Yield the path of every number in nested data."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _numbers(value, (*path, key))
    elif isinstance(data, list):
        for k, value in enumerate(data):
            yield from _numbers(value, (*path, k))
    elif isinstance(data, int):
        yield path


def _with(data, path, value):
    """Return a copy of nested data with one entry changed."""
    changed = copy.deepcopy(data)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("kind", ["tree", "parts", "relaxed"])
def test_altered_numbers_prove_nothing_false(kind, proofs):
    """Whatever single number is altered, the certificate is refused or what it shows is still true."""
    inst, certificate, optimum = proofs[kind]
    assert verify_certificate(inst, certificate) <= optimum
    paths = list(_numbers(dict(certificate.data)))
    rng = np.random.default_rng(1)
    chosen = [paths[k] for k in rng.permutation(len(paths))[:60]] + [p for p in paths if len(p) <= 2]
    refused = 0
    for path in chosen:
        old = certificate.data
        for step in path:
            old = old[step]
        for new in (old + 1, old - 1, -old - 1, 3 * old + 7, 0.5, None):
            tampered = Certificate(kind, "lower", _with(dict(certificate.data), path, new))
            try:
                assert verify_certificate(inst, tampered) <= optimum
            except CertificateRefused:
                refused += 1
    assert refused > len(chosen)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": 10**6},
        {"labels": -1},
        {"proof": None},
        {"proof": {}},
        {"proof": {"kind": "oracle"}},
        {"more": 1},
    ],
)
def test_malformed_trees_are_refused(change, proofs):
    """Wrong label counts, missing or foreign proofs and unknown fields are refused by the verifier's own error."""
    inst, certificate, _ = proofs["tree"]
    with pytest.raises(CertificateRefused):
        verify_certificate(inst, Certificate("tree", "lower", {**certificate.data, **change}))


def test_proofs_missing_a_piece_are_refused(proofs):
    """Rows, stages or fields left out of a proof, or of another shape, end in refusal or a still true bound."""
    inst, certificate, optimum = proofs["tree"]
    proof = certificate.data["proof"]
    broken = [{key: value for key, value in proof.items() if key != name} for name in proof]
    broken += [{**proof, "stages": proof["stages"][:k]} for k in range(len(proof["stages"]))]
    broken += [{**proof, "stages": x} for x in (None, 3, [None], [{"rows": 3}], [{"rows": [[1, 2]]}], [{}])]
    for bad in broken:
        try:
            shown = verify_certificate(inst, Certificate("tree", "lower", {**certificate.data, "proof": bad}))
        except CertificateRefused:
            continue
        assert shown <= optimum


@pytest.mark.parametrize(
    "parts",
    [None, [], [{"from": 0}], [{"from": 3, "kind": "LB0", "data": {}}], [{"from": 0, "kind": "starts", "data": {}}]],
)
def test_malformed_parts_are_refused(parts, proofs):
    """Parts must cover all requests, ascend, and carry certificates of lower bounds."""
    inst, certificate, _ = proofs["parts"]
    with pytest.raises(CertificateRefused):
        verify_certificate(inst, Certificate("parts", "lower", {"objective": "completion", "parts": parts}))
    twice = {**certificate.data, "parts": [*certificate.data["parts"], certificate.data["parts"][-1]]}
    with pytest.raises(CertificateRefused, match="ascend"):
        verify_certificate(inst, Certificate("parts", "lower", twice))


def test_trees_belong_to_their_instance(proofs):
    """A tree shows nothing false about another instance, and trees of large instances are not replayed."""
    inst, certificate, _ = proofs["tree"]
    easier = inst.replace(memory=3 * inst.memory, predicted=None, predicted_low=None, predicted_high=None)
    with pytest.raises(CertificateRefused):
        verify_certificate(easier, certificate)
    for other in (Instance([0] * 30, [1] * 30, 2), Instance([0], [1], 1, [10**12])):
        with pytest.raises(CertificateRefused, match="not replayed"):
            verify_certificate(other, certificate)


def test_trees_are_saved_with_the_bound(tmp_path):
    """A bound certified by a tree comes back from its file and verifies."""
    answer = bound(_five(), "exact", objective="flow")
    loaded = Bound.load(answer.save(tmp_path / "bound.json"))
    assert loaded == answer
    assert loaded.verify()
    assert loaded.certificates[1].kind == "tree"


def test_tiny_optima_are_certified():
    """The optima of tiny instances rest on a proof, not on a search's word."""
    for seed in range(6):
        rng = np.random.default_rng([4, seed])
        s = rng.integers(0, 5, 5)
        inst = Instance(s, [int(rng.integers(1, 13 - x)) for x in s], 12, (seed % 2) * rng.integers(0, 6, 5))
        for method in ("best", "exact"):
            answer = bound(inst, method)
            assert (answer.status, answer.grade) == ("optimal", "certified")
            assert answer.verify()


def test_long_replays_are_left_out(proofs):
    """A proof beyond the limits on work, or one that does not hold, makes no certificate."""
    inst, certificate, optimum = proofs["tree"]
    proof = certificate.data["proof"]
    assert tree_certificate(inst, proof)[0] == optimum
    assert tree_certificate(inst, proof, effort=0.0) is None
    assert tree_certificate(inst, {**proof, "lower": optimum + 1}) is None


def test_the_replay_needs_no_search():
    """Importing the verifier, replay included, loads no part of the search and no compiled code."""
    code = (
        "import lowerbounds.verify, sys;"
        "print(sorted(m for m in sys.modules if m.startswith('lowerbounds.') or m in ('numba', 'scipy', 'pulp')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    own = {"exact", "exact.replay", "recheck_closed", "recheck_dual", "recheck_profile", "verify"}
    assert set(eval(out)) == {f"lowerbounds.{name}" for name in own}
