"""The contract of policies: rules as functions of a card and an instance, tried on many, shrunk on failure."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from algos.card import Card
from algos.run import compiled_hook, interpreted, run_schedule, why_interpreted
from kvratio.problem.checker import check
from kvratio.problem.errors import InfeasibleSchedule, KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import place
from kvratio.problem.schedule import Schedule
from kvratio.suite.contract import peeking
from kvratio.suite.contract.cases import FULL, cases
from kvratio.suite.contract.finding import Broken, Finding, Report
from kvratio.suite.contract.shrink import shrink
from kvratio.suite.deadline import CellTimeout, deadline

#: rounds after which a run on a small instance is taken for endless
ROUNDS = 10**5
#: seconds that one run on a small instance may take
SECONDS = 5.0


@dataclass
class Trial:
    """One policy under test: runs it and counts the runs.

    Parameters
    ----------
    card : Card
    parameters : mapping
    waits : bool
        Requests may stand still until others arrive, and the policy is told when arrivals have ended.
    pauses : bool
        A request may stand still with its memory, so that of an attempt only its end shows.
    """

    card: Card
    parameters: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False
    pauses: bool = False
    runs: int = 0

    def run(self, inst: Instance, eviction: str | None = None, seed: int = 0, plain: bool = False) -> Schedule:
        """Run the policy, in the interpreter if asked; the attempts are written down with the run."""
        self.runs += 1
        card = replace(self.card, plain=True) if plain and self.card.decide is not None else self.card
        # The first run of a policy without a hook may have to compile its engine.
        patience = SECONDS if card.decide is not None or self.runs > 1 else 60 * SECONDS
        with deadline(patience, f"{card.id} on an instance of {inst.n} requests"):
            sch = run_schedule(card, inst, eviction, seed, ROUNDS, self.parameters)
            _ = sch.attempts
        return sch


Rule = Callable[[Trial, Instance], None]


# -- rules --------------------------------------------------------------------------------------------------------
def runs_to_the_end(trial: Trial, inst: Instance) -> None:
    """Every request completes, within the rounds, without an exception and without an illegal action."""
    for eviction in trial.card.allowed_evictions:
        _run(trial, inst, eviction, plain=True)


def feasible(trial: Trial, inst: Instance) -> None:
    """The independent checker accepts the schedule: memory, arrivals, conservation, totals."""
    for eviction in trial.card.allowed_evictions:
        sch = _run(trial, inst, eviction)
        try:
            check(inst, sch)
        except InfeasibleSchedule as fault:
            raise Broken(f"under {eviction}: {fault}") from fault


def deterministic(trial: Trial, inst: Instance) -> None:
    """The same instance and seed give the same attempts, also after a run on another instance."""
    first = _attempts(_run(trial, inst, seed=5))
    other = inst.replace(output=inst.output[::-1].clip(1, inst.memory - inst.prompt), predicted=None)
    _run(trial, other, seed=6)
    again = _attempts(_run(trial, inst, seed=5))
    if first != again:
        raise Broken(f"two runs with the same seed differ: {_first_difference(first, again)}")


def compiled_equals_plain(trial: Trial, inst: Instance) -> None:
    """Machine code and the Python interpreter take the same decisions."""
    for eviction in trial.card.allowed_evictions:
        fast, slow = (_attempts(_run(trial, inst, eviction, plain=plain)) for plain in (False, True))
        if fast != slow:
            raise Broken(f"under {eviction} compiled and plain runs differ: {_first_difference(fast, slow)}")


def travels(trial: Trial, inst: Instance) -> None:
    """The schedule can be pickled, and its parameters are plain JSON."""
    sch = _run(trial, inst)
    try:
        equal = pickle.loads(pickle.dumps(sch)) == sch
        json.dumps(dict(sch.params))
    except (TypeError, ValueError, AttributeError, pickle.PicklingError) as fault:
        raise Broken(f"its schedule or its parameters cannot travel: {fault}") from fault
    if not equal:
        raise Broken("its schedule is another after pickling")


def evicts_as_the_card_says(trial: Trial, inst: Instance) -> None:
    """A card that says "never" is right; one that says "if .. too low" is right on exact predictions."""
    says = trial.card.evicts
    if says == "never" or "too low" in says:
        exact = inst if says == "never" else inst.replace(predicted=None, predicted_low=None, predicted_high=None)
        sch = _run(trial, exact)
        if sch.evictions:
            raise Broken(f"the card says it evicts {says!r}, and it evicts {sch.evictions} times")


def no_peeking_at_lengths(trial: Trial, inst: Instance) -> None:
    """Changing outputs of unfinished requests, within what has been seen, changes no decision made so far."""
    _peek(peeking.lengths, trial, inst)


def no_peeking_at_arrivals(trial: Trial, inst: Instance) -> None:
    """What arrives later changes no decision made before."""
    _peek(peeking.arrivals, trial, inst)


def no_peeking_at_predictions(trial: Trial, inst: Instance) -> None:
    """Predictions of a kind that the card does not ask for change nothing."""
    _peek(peeking.predictions, trial, inst)


#: in the order in which they are tried: interpreted runs first, which can be stopped and name the line at fault
RULES: dict[str, Rule] = {
    "runs to the end": runs_to_the_end,
    "feasible": feasible,
    "deterministic": deterministic,
    "compiled equals plain": compiled_equals_plain,
    "no peeking at lengths": no_peeking_at_lengths,
    "no peeking at arrivals": no_peeking_at_arrivals,
    "no peeking at predictions": no_peeking_at_predictions,
    "evicts as the card says": evicts_as_the_card_says,
    "travels": travels,
}


# -- the check ----------------------------------------------------------------------------------------------------
def check_policy(
    card: Card,
    parameters: Mapping[str, Any] | None = None,
    count: int = FULL,
    waits: bool = False,
    pauses: bool = False,
    skip: Iterable[str] = (),
) -> Report:
    """Check a policy against the contract.

    Parameters
    ----------
    card : Card
    parameters : mapping, optional
        Where the card's defaults will not do.
    count : int
        Instances to try; the smallest come first.
    waits, pauses : bool
        See `Trial`.
    skip : iterable of str
        Names of rules to leave out.

    Returns
    -------
    Report
        A finding for each broken rule, on a smallest instance. When the policy does not run to the end the rules after
        that are skipped: they would say the same.
    """
    trial = Trial(card, parameters or {}, waits, pauses)
    report = Report("policy", card.id, rules=["card complete"])
    report.findings += [Finding("card complete", text) for text in incomplete(card)]
    if why := why_interpreted(card):
        report.notes.append(f"slow: the Python interpreter runs it ({why})")
    elif card.decide is not None:
        compiled_hook(card.decide)  # before the clock of a run ticks
    left_out = dict.fromkeys(skip, "left out")
    if card.information == "clairvoyant":
        left_out["no peeking at lengths"] = "the card says clairvoyant"
    if card.decide is None or interpreted(card):
        left_out["compiled equals plain"] = "the policy has no compiled hook"
    for name, rule in RULES.items():
        if name in left_out:
            report.skipped.append(f"{name}: {left_out[name]}")
            continue
        report.rules.append(name)
        finding = _try(name, rule, trial, count)
        if finding is not None:
            report.findings.append(finding)
            if name == "runs to the end":
                report.skipped += [f"{other}: it does not run" for other in RULES if other != name]
                break
    report.trials = trial.runs
    return report


def incomplete(card: Card) -> list[str]:
    """Return what is missing on a card, one line each."""
    missing = [
        f"{name} is empty"
        for name in ("id", "title", "family", "about", "reference", "source", "evicts")
        if not str(getattr(card, name)).strip()
    ]
    if not card.id.isidentifier():
        missing.append(f"id is {card.id!r}: use letters, digits and _ only")
    if card.arrivals not in ("any", "batch rule"):
        missing.append(f"arrivals is {card.arrivals!r}: choose any or batch rule")
    if card.eviction not in card.allowed_evictions:
        missing.append(f"eviction {card.eviction!r} is not among allowed_evictions")
    missing += [f"parameter {p.name} has no doc" for p in card.parameters if not p.doc.strip()]
    for parameter in card.parameters:
        try:
            parameter.accept(card.id, parameter.default)
        except KvratioError as fault:
            missing.append(f"its own default is refused: {fault}")
    proved = card.guarantee
    if proved is not None and not (proved.text and proved.hypotheses and proved.reference):
        missing.append("the guarantee lacks text, hypotheses or reference")
    return missing


def _try(name: str, rule: Rule, trial: Trial, count: int) -> Finding | None:
    """Try a rule on every instance; on the first failure return it on the smallest instance that shows it."""
    for inst in cases(count):
        if _breach(rule, trial, inst) is not None:
            smallest = shrink(inst, lambda smaller: _breach(rule, trial, smaller) is not None)
            message, trace = _breach(rule, trial, smallest) or _breach(rule, trial, inst) or ("it fails at times", "")
            return Finding(name, message, smallest, traceback=trace)
    return None


def _breach(rule: Rule, trial: Trial, inst: Instance) -> tuple[str, str] | None:
    """Return (message, traceback) where a rule does not hold on an instance."""
    try:
        rule(trial, inst)
    except Broken as fault:
        cause = fault.__cause__
        return str(fault), "".join(traceback.format_exception(cause)) if cause is not None else ""
    return None


def _run(trial: Trial, inst: Instance, eviction: str | None = None, seed: int = 0, plain: bool = False) -> Schedule:
    """Run the policy; what it raises is a breach of whatever rule asked."""
    try:
        return trial.run(inst, eviction, seed, plain)
    except CellTimeout as fault:
        at = "" if trial.card.origin is None else place(fault, trial.card.origin.sources)
        raise Broken(f"{at}it does not end: {SECONDS:g} s on an instance of {inst.n} requests") from fault
    except KvratioError as fault:
        raise Broken(str(fault)) from fault
    except Exception as fault:  # key, resolve, scratch and run are a user's own Python
        raise Broken(f"{type(fault).__name__}: {' '.join(str(fault).split())}") from fault


def _peek(look: Callable[..., str], trial: Trial, inst: Instance) -> None:
    said = look(lambda one: _run(trial, one), inst, trial.card.information, trial.waits, trial.pauses)
    if said:
        raise Broken(said)


def _attempts(sch: Schedule) -> list[tuple[int, int, int, bool]]:
    return sch.attempts.tolist()


def _first_difference(one: list[Any], two: list[Any]) -> str:
    for a, b in zip(one, two, strict=False):
        if a != b:
            return f"attempt (request, start, stop, completed) {a} against {b}"
    return f"{len(one)} attempts against {len(two)}"


__all__ = ["RULES", "Trial", "check_policy", "incomplete"]
