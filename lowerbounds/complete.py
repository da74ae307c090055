"""Complete searches: brute force for tiny instances, the backward search for small ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from kvratio.problem import Certificate
from lowerbounds.brute import LIMIT, MAX_TOTAL_OUTPUT, brute_force
from lowerbounds.exact.course import MOST_PRICED
from lowerbounds.exact.driver import search
from lowerbounds.interval import Evidence
from lowerbounds.recheck_profile import profile_numerator
from lowerbounds.replayed import tree_certificate

#: states x requests x memory up to which the backward search is tried
SEARCH_STEPS = 5_000_000_000
#: seconds that a unit of the replay's effort may take
REPLAY_SLOW = 3.0
#: share of the time that the search leaves for its certificate at most
CERTIFYING = 0.2
#: cells of its recursion that the verifier of a `profile` fills in a second (a slow estimate)
CELLS_PER_SECOND = 1.5e8
#: memory of the backward search's labels, in MB
LABEL_MEMORY_MB = 4000
#: how much longer than elsewhere (about two seconds) `exact` lets the replay of a proof take
PATIENT_REPLAY = 8.0


def brute(evidence: Evidence, limit: int = LIMIT) -> None:
    """Enumerate everything; what it finds is the optimum, by its word."""
    cost, starts = brute_force(evidence.inst, limit, evidence.left)
    evidence.incumbent.offer(cost, starts)
    word = {
        "solver": "brute force",
        "version": "1",
        "options": {"limit": limit},
        "program": "",
        "status": "optimal",
        "bound": cost,
        "cost": cost,
    }
    evidence.hear(cost, word)


def brute_can(evidence: Evidence, limit: int) -> bool:
    """Whether an instance is small enough to enumerate."""
    return evidence.inst.n <= limit and int(evidence.inst.output.sum()) <= MAX_TOTAL_OUTPUT


def search_labels(
    evidence: Evidence,
    work_limit: int | None = None,
    memory_mb: int = LABEL_MEMORY_MB,
    effort: float = 1.0,
    plan: float | None = None,
    workers: int = 2,
) -> None:
    """Backward search over labels; its lower bound is a search's word, as brute force's is."""
    known = evidence.incumbent.starts
    reserve = _certifying(evidence)
    worth = reserve <= CERTIFYING * evidence.left
    seconds = evidence.left - (reserve if worth else 0.0)
    found = search(
        evidence.inst,
        "completion",
        seconds,
        work_limit,
        memory_mb,
        evidence.seed,
        upper=known,
        workers=workers,
        plan=plan,
    )
    evidence.incumbent.offer(found.upper, found.starts)
    word = {
        "solver": "backward search",
        "version": "1",
        "options": {"work_limit": work_limit, "memory_mb": memory_mb},
        "program": "",
        "status": "optimal" if found.status == "optimal" else "feasible",
        "bound": found.lower,
        "cost": found.upper,
    }
    evidence.hear(found.lower, word)
    if worth:
        _prove_profile(evidence, found.weights)
    _prove_tree(evidence, found.proof, effort)


def _certifying(evidence: Evidence) -> float:
    """Estimate the seconds that it takes to evaluate prices per state and round."""
    inst = evidence.inst
    assert evidence.incumbent.starts is not None
    rounds = 1.2 * float((evidence.incumbent.starts + inst.output).max())
    members = np.searchsorted(np.cumsum(np.sort(inst.prompt + 1)), inst.memory, side="right")
    # Memory grows while fewer and fewer fit: about half of the cells can be reached.
    return rounds * float(inst.output.sum()) * float(members + 1) * (inst.memory + 1) / 2 / CELLS_PER_SECOND


def _prove_profile(evidence: Evidence, weights: dict[str, Any] | None) -> None:
    """Turn the final prices of the search into a certificate: their value is the verifier's."""
    if weights is None or evidence.settled or evidence.left <= 0:
        return
    numerator = profile_numerator(evidence.inst, **weights)
    data = {"objective": "completion", **weights, "numerator": numerator}
    evidence.prove(-(-numerator // weights["denominator"]), Certificate("profile", "lower", data))


def search_can(evidence: Evidence) -> bool:
    """Whether the tables of the backward search, over numbers of requests and memory, are of a size to try."""
    inst = evidence.inst
    return inst.n <= MOST_PRICED and int(inst.output.sum()) * (inst.n + 1) * inst.memory <= SEARCH_STEPS


def _prove_tree(evidence: Evidence, proof: dict[str, Any] | None, effort: float) -> None:
    """Turn what the search leaves into a certificate, if it shows more than the others and the replay accepts it."""
    if proof is None or evidence.left <= 0:
        return
    if evidence.certified is None or proof["lower"] > evidence.certified[0]:
        found = tree_certificate(evidence.inst, proof, min(effort, evidence.left / REPLAY_SLOW))
        if found is not None:
            evidence.prove(*found)
