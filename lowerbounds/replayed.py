"""Certificates from the proofs that the exact search leaves: kept only if the slow replay accepts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvratio.problem import Certificate, Instance
from lowerbounds.exact.replay import Rejected, replay

#: labels that a replay may visit, and weights that it may look at: about a second each on a slow machine
MOST_LABELS, MOST_WEIGHTS = 10_000, 150_000


def tree_certificate(inst: Instance, proof: Mapping[str, Any], effort: float = 1.0) -> tuple[int, Certificate] | None:
    """Return (lower bound on the total completion time, its certificate), None if the replay refuses or is too long.

    The limits, multiplied by ``effort``, count work and not time, so that the answer does not depend on the machine.
    """
    if _weights(proof) > effort * MOST_WEIGHTS:
        return None
    try:
        labels = replay(inst, proof, int(effort * MOST_LABELS))
    except Rejected:
        return None
    data = {"objective": "completion", "labels": labels, "proof": dict(proof)}
    return int(proof["lower"]), Certificate("tree", "lower", data)


def _weights(proof: Mapping[str, Any]) -> int:
    """Count the weights of all rows; a memory row counts as one."""
    return sum(1 if row[3] == "memory" else len(row[3]) for stage in proof["stages"] for row in stage["rows"])
