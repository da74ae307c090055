"""The contract of families: valid and repeatable for every seed and size, and true to what the card declares."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import algos
from algos import registry as policies
from instances.construction import Family
from instances.registry import generate
from kvratio.problem.errors import BadInstance, BadParameter, KvratioError
from kvratio.problem.instance import Instance
from kvratio.suite.contract.drawing import draw_parameters, smaller_parameters
from kvratio.suite.contract.finding import Broken, Finding, Report
from kvratio.suite.deadline import CellTimeout, deadline

#: points of the parameter space that a full check tries, and the seeds at each
POINTS, SEEDS = 40, (1, 2, 3, 2**32 + 5)
#: seconds that building one small instance may take
SECONDS = 10.0
#: policies against which a family that adapts to its victim is built where its target names none
VICTIMS = ("fcfs", "svf")


class Refused(Exception):
    """The family does not take these parameters, and says so."""


@dataclass
class Trial:
    """One family under test; counts the instances built."""

    family: Family
    handle: Any
    built: int = 0
    accepted: int = 0
    online: int = 0
    notes: list[str] = field(default_factory=list)

    def build(self, point: Mapping[str, Any], seed: int, witness: bool = True, victim: str | None = None) -> Instance:
        """Build an instance; `Refused` where the family refuses the parameters, `Broken` for every other fault."""
        self.built += 1
        card = self.family.card
        policy = None if victim is None else (lambda inst: algos.schedule(inst, victim))
        try:
            with deadline(SECONDS, f"building an instance of {card.id}"):
                return generate(self.handle, seed=seed, policy=policy, witness=witness, **point)
        except BadParameter as fault:
            if isinstance(fault.__cause__, BadInstance):
                raise Broken(f"parameters in the card's ranges give no valid instance: {fault.__cause__}") from fault
            raise Refused(str(fault)) from fault
        except (KvratioError, CellTimeout) as fault:
            raise Broken(str(fault)) from fault
        except Exception as fault:  # a family is a user's own Python
            raise Broken(f"{type(fault).__name__}: {' '.join(str(fault).split())}") from fault


Rule = Callable[[Trial, Mapping[str, Any]], None]


# -- rules ----------------------------------------------------------------------------------------------------------
def valid_at_every_size(trial: Trial, point: Mapping[str, Any]) -> None:
    """Parameters in the card's ranges give a valid instance with a feasible witness, or are refused in one line."""
    trial.build(point, 0)
    trial.accepted += 1


def valid_for_every_seed(trial: Trial, point: Mapping[str, Any]) -> None:
    """What is accepted with one seed is accepted, and valid, with every seed."""
    _quietly(trial, point, 0)
    for seed in SEEDS:
        try:
            trial.build(point, seed)
        except Refused as fault:
            raise Broken(f"accepted with seed 0 and refused with seed {seed}: {fault}") from fault


def deterministic(trial: Trial, point: Mapping[str, Any]) -> None:
    """The same seed and parameters give the same instance, witness and figures, also after another one."""
    one = _quietly(trial, point, 1)
    trial.build(point, 2)
    two = trial.build(point, 1)
    if one != two:
        raise Broken(f"two instances with seed 1 differ: {_difference(one, two)}")
    if not np.array_equal(_starts(one), _starts(two)) or dict(one.info) != dict(two.info):
        raise Broken("two instances with seed 1 have the same requests and another witness or info")
    if trial.build(point, 1, witness=False) != one:
        raise Broken("without a witness it gives other requests")


def arrives_as_declared(trial: Trial, point: Mapping[str, Any]) -> None:
    """A card of kind "batch" gives batches; one of kind "online" gives arrivals somewhere."""
    inst = _quietly(trial, point, 0)
    trial.online += not inst.is_batch
    if trial.family.card.kind == "batch" and not inst.is_batch:
        late = int(np.flatnonzero(inst.arrival)[0])
        raise Broken(f"the card says batch, and request {late} arrives at {inst.arrival[late]}")


def ratio_is_true(trial: Trial, point: Mapping[str, Any]) -> None:
    """A policy that the card names as target pays at least the cost that is said to be forced on it."""
    card = trial.family.card
    named = [word for word in re.findall(r"\w+", card.target) if policies.is_built_in(word)]
    for victim in named or (VICTIMS if card.adaptive and card.effect == "forces" else ()):
        inst = _quietly(trial, point, 0, victim if card.adaptive else None)
        forced = inst.info["forced_cost"]
        if forced is None:
            continue
        paid = algos.schedule(inst, victim).total_flow
        if paid < forced:
            raise Broken(
                f"it says that {victim} is forced to total flow {forced} (ratio {inst.info['ratio']:.3f}), "
                f"and {victim} pays {paid} (ratio {paid / inst.info['witness_cost']:.3f})"
            )


def travels(trial: Trial, point: Mapping[str, Any]) -> None:
    """Info is plain JSON, and the instance comes back equal from its file's data."""
    inst = _quietly(trial, point, 0)
    try:
        back = Instance.from_dict(json.loads(json.dumps(inst.to_dict())))
    except (TypeError, ValueError) as fault:
        raise Broken(f"the instance cannot be saved: {' '.join(str(fault).split())}") from fault
    if back != inst or dict(back.info) != dict(inst.info):
        raise Broken("saved and loaded, the instance or its info is another")


RULES: dict[str, Rule] = {
    "valid at every size": valid_at_every_size,
    "valid for every seed": valid_for_every_seed,
    "deterministic": deterministic,
    "arrives as declared": arrives_as_declared,
    "ratio is true": ratio_is_true,
    "travels": travels,
}


# -- the check ------------------------------------------------------------------------------------------------------
def check_family(
    family: Family,
    parameters: Mapping[str, Any] | None = None,
    handle: Any = None,
    points: int = POINTS,
    skip: Iterable[str] = (),
) -> Report:
    """Check a family against the contract.

    Parameters
    ----------
    family : Family
    parameters : mapping, optional
        Held fixed; the others are drawn from the ranges of the card, small values first.
    handle : object
        What `instances.generate` finds the family by; default: its id.
    points, skip : int, iterable of str
        Parameter points to try, and rules to leave out.
    """
    card = family.card
    trial = Trial(family, handle if handle is not None else card.id)
    report = Report("family", card.id, rules=["card complete"])
    report.findings += [Finding("card complete", text) for text in incomplete(family)]
    drawn = list(draw_parameters(card, parameters or {}, points))
    left_out = set(skip)
    for name, rule in RULES.items():
        if name in left_out:
            report.skipped.append(f"{name}: left out")
            continue
        report.rules.append(name)
        finding = _try(name, rule, trial, drawn, parameters or {})
        if finding is not None:
            report.findings.append(finding)
        if name == "valid at every size" and finding is None and not trial.accepted:
            text = f"it refuses all of {len(drawn)} points in its ranges, the last one: {trial.notes[-1]}"
            report.findings.append(Finding("valid at every size", text, parameters=dict(drawn[-1])))
            break
    if card.kind == "online" and "arrives as declared" in report.rules and trial.accepted and not trial.online:
        report.findings.append(Finding("arrives as declared", "the card says online, and every instance is a batch"))
    report.trials = trial.built
    if trial.notes:
        report.notes.append(f"{len(trial.notes)} of {len(drawn)} points were refused by the family, which is its right")
    return report


def incomplete(family: Family) -> list[str]:
    """Return what is missing on a card, one line each."""
    card = family.card
    missing = [f"{name} is empty" for name in ("id", "title", "source", "about") if not getattr(card, name).strip()]
    if not card.id.isidentifier():
        missing.append(f"id is {card.id!r}: use letters, digits and _ only")
    if card.kind not in ("batch", "online", "as base"):
        missing.append(f"kind is {card.kind!r}: choose batch, online or as base")
    if card.group not in ("adversarial", "random", "fitted", "wrapper"):
        missing.append(f"group is {card.group!r}: choose adversarial, random, fitted or wrapper")
    if card.effect not in ("forces", "hurts", "measured"):
        missing.append(f"effect is {card.effect!r}: choose forces, hurts or measured")
    return missing + [f"parameter {p.name} has no doc" for p in card.parameters if not p.doc.strip()]


def _try(name: str, rule: Rule, trial: Trial, drawn: list[dict[str, Any]], fixed: Mapping[str, Any]) -> Finding | None:
    """Try a rule on every point; return the first breach at the smallest parameters that show it."""

    def breach(point: Mapping[str, Any]) -> Broken | None:
        try:
            rule(trial, point)
        except Broken as fault:
            return fault
        except Refused as fault:
            if name == "valid at every size":
                trial.notes.append(str(fault))
        return None

    for point in drawn:
        if breach(point) is not None:
            smallest = smaller_parameters(trial.family.card, point, lambda one: breach(one) is not None, set(fixed))
            fault = breach(smallest) or Broken("it fails at times")
            cause = fault.__cause__
            trace = "" if cause is None else "".join(traceback.format_exception(cause))
            return Finding(name, str(fault), _instance(trial, smallest), dict(smallest), trace)
    return None


def _instance(trial: Trial, point: Mapping[str, Any]) -> Instance | None:
    try:
        return trial.build(point, 0)
    except (Broken, Refused):
        return None


def _quietly(trial: Trial, point: Mapping[str, Any], seed: int, victim: str | None = None) -> Instance:
    """Build an instance for a rule about something else: a family that cannot build it breaks another rule."""
    try:
        return trial.build(point, seed, victim=victim)
    except Broken as fault:
        raise Refused(str(fault)) from fault


def _starts(inst: Instance) -> Any:
    return [] if inst.witness is None else inst.witness


def _difference(one: Instance, two: Instance) -> str:
    if one.n != two.n or one.memory != two.memory:
        return f"n {one.n} and {two.n}, memory {one.memory} and {two.memory}"
    for column in ("arrival", "prompt", "output", "predicted"):
        differs = np.flatnonzero(getattr(one, column) != getattr(two, column))
        if differs.size:
            i = int(differs[0])
            return f"request {i} has {column} {getattr(one, column)[i]} and {getattr(two, column)[i]}"
    return "in their predictions"


__all__ = ["RULES", "check_family", "incomplete"]
