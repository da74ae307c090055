"""Recheck bounds from their certificates alone. Imports the ground floor and no solver; shares no code with them.

Kinds: ``starts`` (a schedule), ``LB0`` .. ``LB4r`` (recomputed), ``dual`` and ``lp`` (prices, recomputed),
``profile`` (prices per state and round, recomputed), ``tree`` (the proof of an exact search, replayed by a slow program
of its own), ``parts`` (requests that arrive in different
stretches of time, each with a certificate), ``relaxed`` (an instance that is easier request by request, with its own
certificate), ``solver`` (a solver's word: only its fields are compared, which is NOT a proof).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from kvratio.problem import Bound, Certificate, Instance, Schedule, check
from kvratio.problem.bound import OBJECTIVES
from kvratio.problem.errors import InfeasibleSchedule, KvratioError
from lowerbounds.exact.replay import replay
from lowerbounds.recheck_closed import closed_form_value
from lowerbounds.recheck_dual import MAX_ROUNDS, TooLarge, dual_numerator
from lowerbounds.recheck_profile import BadPrices, profile_numerator

CLOSED_FORMS = ("LB0", "LB1", "LB1r", "LB1*", "LB2", "LB2r", "LB3", "LB3r", "LB4", "LB4r")
#: a solver's bound may exceed the truth by this much through rounding, or by this share of it
TOLERANCE, RELATIVE = 1e-6, 1e-9
#: proofs of at most this size are replayed: the replay is slow
REPLAY_REQUESTS, REPLAY_ROUNDS = 20, 1_000_000


class CertificateRefused(KvratioError):
    """A certificate does not prove what it claims."""


def verify_bound(bound: Bound) -> None:
    """Recheck every certificate of a bound, and that lower, upper and grade follow from them.

    Raises
    ------
    CertificateRefused
        Names the certificate or the field that does not hold.
    """
    inst, objective = bound.instance, bound.objective
    proved: list[int] = []
    words: dict[str, int] = {}
    costs: list[int] = []
    for certificate in bound.certificates:
        value = verify_certificate(inst, certificate, objective)
        if certificate.side == "upper":
            costs.append(value)
        elif certificate.kind == "solver":
            words[certificate.data["solver"]] = value
        else:
            proved.append(value)
    if min(costs, default=None) != bound.upper:
        raise CertificateRefused(f"upper is {bound.upper}, the certificates show {min(costs, default=None)}")
    if bound.schedule is not None and bound.schedule.cost(objective) != bound.upper:
        raise CertificateRefused(f"the schedule costs {bound.schedule.cost(objective)}, upper is {bound.upper}")
    lower = max([*proved, *words.values()], default=None)
    if lower != bound.lower:
        raise CertificateRefused(f"lower is {bound.lower}, the certificates show {lower}")
    sayers = sum(value == lower for value in words.values())
    grade = "certified" if lower in proved else ("solver*2" if sayers > 1 else "solver")
    if grade != bound.grade:
        raise CertificateRefused(f"grade is {bound.grade!r}, the certificates show {grade!r}")


def verify_certificate(inst: Instance, certificate: Certificate, objective: str = "completion") -> int:
    """Recheck one certificate and return the bound it shows, for an objective.

    Parameters
    ----------
    inst : Instance
    certificate : Certificate
        Its data are for total completion; for flow the sum of arrivals is taken off.
    objective : {"completion", "flow"}

    Raises
    ------
    CertificateRefused
        When it does not hold, misses a field or has one too many, or is of a kind that cannot be rechecked.
    """
    if objective not in OBJECTIVES:
        raise CertificateRefused(f"objective is {objective!r}: choose completion or flow")
    shift = sum(int(a) for a in inst.arrival) if objective == "flow" else 0
    side, value = _value(inst, certificate.kind, certificate.data)
    if certificate.side != side:
        raise CertificateRefused(f"a {certificate.kind} certificate is for the {side} side, not {certificate.side}")
    return value - shift


def _value(inst: Instance, kind: str, data: Mapping[str, Any]) -> tuple[str, int]:
    """Return (side, bound on the total completion time)."""
    if data.get("objective") != "completion":
        raise CertificateRefused(f"{kind}: objective is {data.get('objective')!r}, certificates are for completion")
    if kind == "starts":
        return "upper", _starts(inst, data)
    if kind in CLOSED_FORMS:
        return "lower", _closed_form(inst, kind, data)
    if kind in ("dual", "lp"):
        return "lower", _dual(inst, kind, data)
    if kind == "relaxed":
        return "lower", _relaxed(inst, data)
    if kind == "parts":
        return "lower", _parts(inst, data)
    if kind == "solver":
        return "lower", _solver(inst, data)
    if kind == "tree":
        return "lower", _tree(inst, data)
    if kind == "profile":
        return "lower", _profile(inst, data)
    raise CertificateRefused(f"certificate kind {kind!r} is not known")


def _fields(kind: str, data: Mapping[str, Any], *names: str) -> list[Any]:
    """Return the named fields; refuse when one is missing or another is there."""
    expected = {"objective", *names}
    if set(data) != expected:
        odd = sorted(expected ^ set(data))[0]
        raise CertificateRefused(f"{kind}: field {odd!r} is {'missing' if odd in expected else 'not known'}")
    return [data[name] for name in names]


def _integer(kind: str, name: str, value: Any, low: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CertificateRefused(f"{kind}: {name} is {value!r}, not an integer")
    if low is not None and value < low:
        raise CertificateRefused(f"{kind}: {name} is {value}, less than {low}")
    return value


def _starts(inst: Instance, data: Mapping[str, Any]) -> int:
    starts, cost = _fields("starts", data, "starts", "cost")
    if not isinstance(starts, list) or len(starts) != inst.n:
        raise CertificateRefused(f"starts: needs {inst.n} start times")
    for value in starts:
        _integer("starts", "a start", value, 0)
    try:
        check(inst, Schedule.from_starts(inst, starts))
    except (InfeasibleSchedule, OverflowError) as fault:
        raise CertificateRefused(f"starts: {fault}") from fault
    total = sum(starts) + sum(int(o) for o in inst.output)
    if _integer("starts", "cost", cost) != total:
        raise CertificateRefused(f"starts: cost is {cost}, the starts give {total}")
    return total


def _closed_form(inst: Instance, kind: str, data: Mapping[str, Any]) -> int:
    numerator, denominator, bits = _fields(kind, data, "numerator", "denominator", "rounding_bits")
    _integer(kind, "numerator", numerator)
    _integer(kind, "denominator", denominator, 1)
    _integer(kind, "rounding_bits", bits, 0)
    found = closed_form_value(inst, kind)
    assert found is not None  # kind is in CLOSED_FORMS
    value, rounding = found
    if (numerator, denominator) != (value.numerator, value.denominator):
        claimed = Fraction(numerator, denominator)
        raise CertificateRefused(f"{kind}: value is {float(claimed)}, recomputed {float(value)}")
    if bits != rounding:
        raise CertificateRefused(f"{kind}: rounding_bits is {bits}, recomputed {rounding}")
    return math.ceil(value)


def _dual(inst: Instance, kind: str, data: Mapping[str, Any]) -> int:
    names = ["denominator", "runs", "numerator", "box"] + (["solver"] if kind == "lp" else [])
    denominator, runs, numerator, box, *solver = _fields(kind, data, *names)
    Q = _integer(kind, "denominator", denominator, 1)
    _integer(kind, "numerator", numerator)
    if not isinstance(box, bool):
        raise CertificateRefused(f"{kind}: box is {box!r}, not true or false")
    if solver and not (isinstance(solver[0], str) and solver[0]):
        raise CertificateRefused(f"{kind}: solver is {solver[0]!r}, not a name")
    if not isinstance(runs, list):
        raise CertificateRefused(f"{kind}: runs is not a list of [rounds, price]")
    lengths, prices = [], []
    for run in runs:
        if not isinstance(run, (list, tuple)) or len(run) != 2:
            raise CertificateRefused(f"{kind}: a run is {run!r}, not [rounds, price]")
        lengths.append(_integer(kind, "a run's length", run[0], 1))
        prices.append(_integer(kind, "a price", run[1], 0))
    if any(x == y for x, y in itertools.pairwise(prices)) or prices[-1:] == [0]:
        raise CertificateRefused(f"{kind}: runs are not the shortest list: neighbours differ and the last price is > 0")
    if sum(lengths) > MAX_ROUNDS or max(prices, default=0) >= 2**62:
        raise CertificateRefused(f"{kind}: more than {MAX_ROUNDS} rounds, or a price beyond int64")
    numerators = np.repeat(np.array(prices, np.int64), np.array(lengths, np.int64))
    try:
        value = dual_numerator(inst, numerators, Q, box)
    except TooLarge as fault:
        raise CertificateRefused(f"{kind}: {fault}") from fault
    if numerator != value:
        raise CertificateRefused(f"{kind}: the value claimed is {numerator} / {Q}, recomputed {value} / {Q}")
    return -(-value // Q)


def _relaxed(inst: Instance, data: Mapping[str, Any]) -> int:
    memory, arrival, prompt, output, inner = _fields(
        "relaxed", data, "memory", "arrival", "prompt", "output", "certificate"
    )
    _integer("relaxed", "memory", memory, 1)
    for name, values in (("arrival", arrival), ("prompt", prompt), ("output", output)):
        if not isinstance(values, list):
            raise CertificateRefused(f"relaxed: {name} is {type(values).__name__}, not a list of integers")
    try:
        easier = Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)
    except KvratioError as fault:
        raise CertificateRefused(f"relaxed: {fault}") from fault
    if easier.n != inst.n or easier.memory < inst.memory:
        raise CertificateRefused("relaxed: needs the same number of requests and no less memory")
    for name in ("arrival", "prompt", "output"):
        harder = np.flatnonzero(getattr(easier, name) > getattr(inst, name))
        if harder.size:
            raise CertificateRefused(f"relaxed: request {harder[0]} has a larger {name} than the original")
    if not isinstance(inner, Mapping) or set(inner) != {"kind", "data"} or inner["kind"] in ("starts", "solver"):
        raise CertificateRefused("relaxed: certificate needs a kind that proves a lower bound, and data")
    return _value(easier, inner["kind"], inner["data"])[1]


def _tree(inst: Instance, data: Mapping[str, Any]) -> int:
    labels, proof = _fields("tree", data, "labels", "proof")
    _integer("tree", "labels", labels, 0)
    if not isinstance(proof, Mapping):
        raise CertificateRefused(f"tree: proof is {type(proof).__name__}, not a mapping")
    rounds = int(inst.arrival.max()) + int(inst.output.sum())
    if inst.n > REPLAY_REQUESTS or rounds > REPLAY_ROUNDS:
        raise CertificateRefused(f"tree: proofs of {inst.n} requests over {rounds} rounds are not replayed")
    try:
        visited = replay(inst, proof, labels)
    except (KvratioError, LookupError, TypeError, ValueError, AttributeError) as fault:
        raise CertificateRefused(f"tree: {fault}") from fault
    if visited != labels:
        raise CertificateRefused(f"tree: labels is {labels}, the replay visits {visited}")
    return _integer("tree", "lower", proof["lower"])


def _profile(inst: Instance, data: Mapping[str, Any]) -> int:
    denominator, states, prices, numerator = _fields("profile", data, "denominator", "states", "prices", "numerator")
    try:
        value = profile_numerator(inst, denominator, states, prices)
    except BadPrices as fault:
        raise CertificateRefused(f"profile: {fault}") from fault
    if _integer("profile", "numerator", numerator) != value:
        raise CertificateRefused(f"profile: the value claimed is {numerator} / {denominator}, recomputed {value}")
    return -(-value // denominator)


def _parts(inst: Instance, data: Mapping[str, Any]) -> int:
    (parts,) = _fields("parts", data, "parts")
    if not isinstance(parts, list) or not all(
        isinstance(p, Mapping) and set(p) == {"from", "kind", "data"} for p in parts
    ):
        raise CertificateRefused("parts: parts is not a list of {from, kind, data}")
    cuts = [_integer("parts", "from", part["from"], 0) for part in parts]
    if any(x >= y for x, y in itertools.pairwise(cuts)) or not cuts or cuts[0] > int(inst.arrival.min()):
        raise CertificateRefused("parts: from does not ascend, or leaves the first request out")
    total = 0
    for part, cut, stop in zip(parts, cuts, [*cuts[1:], int(inst.arrival.max()) + 1], strict=True):
        # A part alone is easier than as a part of everything, so the bounds add up whatever the cuts are.
        index = np.flatnonzero((inst.arrival >= cut) & (inst.arrival < stop))
        if (
            len(index) == 0
            or not isinstance(part["data"], Mapping)
            or part["kind"] not in ("dual", "lp", "tree", "profile", *CLOSED_FORMS)
        ):
            raise CertificateRefused(f"parts: the part from {cut} has no requests, or no certificate of a lower bound")
        alone = Instance(inst.prompt[index], inst.output[index], inst.memory, inst.arrival[index] - cut)
        total += _value(alone, part["kind"], part["data"])[1] + cut * len(index)
    return total


def seal(data: Mapping[str, Any]) -> str:
    """Return the sha256 over all other fields of a solver's word, so that a change of one shows."""
    rest = {key: value for key, value in data.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _solver(inst: Instance, data: Mapping[str, Any]) -> int:
    names = "solver", "version", "options", "instance", "program", "status", "bound", "lower", "cost", "seal"
    solver, _, _, key, _, status, value, lower, cost, mark = _fields("solver", data, *names)
    if not isinstance(solver, str) or not solver:
        raise CertificateRefused(f"solver: solver is {solver!r}, not a name")
    if mark != seal(data):
        raise CertificateRefused("solver: the fields do not match their seal")
    if key != inst.key:
        raise CertificateRefused("solver: the word is about another instance")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CertificateRefused(f"solver: bound is {value!r}, not a number")
    least = math.ceil(value if isinstance(value, int) else value - max(TOLERANCE, RELATIVE * abs(value)))
    if _integer("solver", "lower", lower) != least:
        raise CertificateRefused(f"solver: lower is {lower}, the bound {value} gives {least}")
    if cost is not None and lower > _integer("solver", "cost", cost):
        raise CertificateRefused(f"solver: lower {lower} is above the cost {cost} of its own schedule")
    if status not in ("optimal", "feasible", "stopped") or (status == "optimal" and lower != cost):
        raise CertificateRefused(f"solver: status {status!r} does not fit lower {lower} and cost {cost}")
    return lower
