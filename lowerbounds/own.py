"""Bounds of users' files: found, run, and believed only as far as their certificates verify.

What is certified goes into the interval. A claim beyond it is kept beside the interval, as a claim (`Bound.claimed`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kvratio.problem import Bound, Certificate, Schedule
from kvratio.problem.errors import SolverError
from kvratio.problem.plugins import Plugin, describe, find, place, require
from lowerbounds.card import BoundCard, Claim
from lowerbounds.closed_form import latency
from lowerbounds.exact_sums import exact_sum
from lowerbounds.interval import Evidence
from lowerbounds.verify import CertificateRefused, verify_certificate

#: what a bound is named by, beside the methods
OwnBound = str | os.PathLike[str] | Plugin | BoundCard


def own_bound(method: OwnBound) -> BoundCard | None:
    """Return the card of a bound in a user's file; None for a name that means none.

    Raises
    ------
    UnknownName
        There is no such file.
    BadParameter, PluginError
        The file holds no bound, or several, or cannot be loaded.
    """
    if isinstance(method, BoundCard):
        return method
    plugin = method if isinstance(method, Plugin) else find(method, "bound")
    return None if plugin is None else _of_plugin(plugin)


@lru_cache(maxsize=256)
def _of_plugin(plugin: Plugin) -> BoundCard:
    from lowerbounds.best import METHODS

    found: BoundCard = require(plugin, BoundCard, lambda one: one.id, lambda name: name in METHODS)
    return replace(found, origin=plugin)


def run_own(card: BoundCard, evidence: Evidence, objective: str, options: Mapping[str, Any]) -> Bound:
    """Ask a bound of a user's file and return the interval that its certificates show.

    LB0 is in it in any case, so that there always is a proven lower side.

    Raises
    ------
    SolverError
        The bound raised, or returned something that is no `Claim`.
    """
    claim = _ask(card, evidence, card.settings(options))
    inst = evidence.inst
    evidence.prove_closed_form(latency(inst))
    refusals = []
    for certificate in claim.certificates:
        try:
            value = _verified(card, evidence, certificate)
        except CertificateRefused as fault:
            refusals.append(" ".join(str(fault).split()))
            continue
        if certificate.side == "lower":
            evidence.prove(value, certificate)
    if claim.schedule is not None:
        evidence.offer([claim.schedule])
    found = evidence.bound(card.id, objective)
    shift = exact_sum(inst.arrival) if objective == "flow" else 0
    claimed = None if claim.lower is None else int(claim.lower) - shift
    beyond = claimed if claimed is not None and claimed > found.lower else None
    return replace(found, claimed=beyond, refusals=tuple(refusals))


def _ask(card: BoundCard, evidence: Evidence, options: Mapping[str, Any]) -> Claim:
    try:
        claim = card.prove(evidence.inst, **options)
    except (Exception, SystemExit) as fault:  # whatever a user's code raises
        at = "" if card.origin is None else place(fault, card.origin.sources)
        raise SolverError(f"bound {card.id}: {at}{describe(fault)}") from fault
    if isinstance(claim, int) and not isinstance(claim, bool):
        claim = Claim(lower=claim)
    if not isinstance(claim, Claim):
        raise SolverError(f"bound {card.id} returns a {type(claim).__name__}: return a lowerbounds.Claim")
    if claim.lower is not None and int(claim.lower) != claim.lower:
        raise SolverError(f"bound {card.id} claims {claim.lower!r}: give a whole number")
    if not isinstance(claim.schedule, (Schedule, type(None))):
        raise SolverError(f"bound {card.id} gives a {type(claim.schedule).__name__} as schedule: give a Schedule")
    return claim


def _verified(card: BoundCard, evidence: Evidence, certificate: Certificate) -> int:
    """Return what a certificate proves of the total completion time; a solver's word is no certificate here."""
    if not isinstance(certificate, Certificate):
        kind = type(certificate).__name__
        raise SolverError(f"bound {card.id}: {kind} among its certificates: give Certificate objects")
    if certificate.kind == "solver":
        raise CertificateRefused("a certificate of kind 'solver' is a word, no proof (docs/certificates.md)")
    return verify_certificate(evidence.inst, certificate)


__all__ = ["OwnBound", "own_bound", "run_own"]
