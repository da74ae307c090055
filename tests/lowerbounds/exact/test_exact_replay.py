"""Proofs of the exact search: replayed by the slow checker, refused when tampered with."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from exact_tiny import random_tiny

from kvratio.problem import Instance
from lowerbounds.exact import search
from lowerbounds.exact.replay import Rejected, replay


@pytest.fixture(scope="module")
def proved() -> tuple[Instance, dict]:
    """An instance of nine requests whose proof needs labels, and its proof after a trip through JSON."""
    rng = np.random.default_rng(4)
    s = rng.integers(1, 4, 9)
    inst = Instance(s, [int(rng.integers(1, 20 - x)) for x in s], 20)
    result = search(inst, time_limit=60)
    assert result.status == "optimal"
    assert result.proof is not None
    return inst, json.loads(json.dumps(result.proof))


def test_proofs_replay() -> None:
    """Every proof of a tiny instance is accepted, with and without arrivals."""
    for k in range(30):
        inst = random_tiny(k, arrivals=k % 2 == 1)
        result = search(inst, time_limit=60)
        if result.proof is not None:
            assert result.proof["lower"] == result.lower
            replay(inst, result.proof)


def test_a_larger_claim_is_refused(proved: tuple[Instance, dict]) -> None:
    """The same prices do not prove a bound above the optimum."""
    inst, proof = proved
    replay(inst, proof)
    with pytest.raises(Rejected):
        replay(inst, {**proof, "lower": proof["lower"] + 1})


def test_invalid_rows_are_refused(proved: tuple[Instance, dict]) -> None:
    """A row with a smaller right-hand side, a negative price or a negative weight is refused."""
    inst, proof = proved
    place = next(
        (i, k)
        for i, stage in enumerate(proof["stages"])
        for k, row in enumerate(stage["rows"])
        if row[3] != "memory" and row[1] > 0
    )
    for column, value in ((2, 1), (1, -5), (1, 0.5)):
        bad = copy.deepcopy(proof)
        bad["stages"][place[0]]["rows"][place[1]][column] = value
        with pytest.raises(Rejected, match="row"):
            replay(inst, bad)
    bad = copy.deepcopy(proof)
    bad["stages"][place[0]]["rows"][place[1]][3][0][2] = -1
    with pytest.raises(Rejected, match="negative weight"):
        replay(inst, bad)


def test_another_instance_is_refused() -> None:
    """A proof for one instance does not prove its bound for an easier one."""
    hard = Instance([1, 2, 2, 2, 1], [4, 4, 4, 5, 6], 10)
    easy = Instance([1, 2, 2, 2, 1], [4, 4, 4, 5, 6], 30)
    result = search(hard, time_limit=60)
    if result.proof is None:
        pytest.skip("closed by closed forms")
    with pytest.raises(Rejected):
        replay(easy, result.proof)


def test_labels_are_limited(proved: tuple[Instance, dict]) -> None:
    """The replay gives up with a message when the proof has more labels than allowed."""
    inst, proof = proved
    if replay(inst, proof) > 1:
        with pytest.raises(Rejected, match="raise the limit"):
            replay(inst, proof, most_labels=1)
