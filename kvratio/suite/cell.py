"""What a worker does: build instances, and judge policies on one instance, each cell on its own."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from kvratio.problem.bound import Bound, Certificate
from kvratio.problem.checker import check
from kvratio.problem.errors import KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.deadline import TIMEOUT, deadline, hard_limit
from kvratio.suite.identity import instance_identity
from kvratio.suite.naming import canonical
from kvratio.suite.plan import BoundSpec, InstanceSpec, PolicySpec
from kvratio.suite.store import RunFolder


@dataclass(frozen=True)
class Job:
    """One policy run with one seed, and the key of its cell."""

    cell: str
    policy: PolicySpec
    seed: int


@dataclass(frozen=True)
class Unit:
    """One instance with its bound, and the policies that run on it.

    Parameters
    ----------
    instance : Instance
    objective : str
    bound : BoundSpec
    jobs : tuple of Job
    cell_seconds : float
        Time limit of one policy run; the bound may take its own time limit in addition.
    certificates, schedules : bool
        Whether files are kept.
    dead : tuple of str
        Cells that ended their worker before: recorded as failed, not tried again.
    last_words : mapping of str to str
        The tracebacks that their workers left, by cell.
    """

    instance: Instance
    objective: str
    bound: BoundSpec
    jobs: tuple[Job, ...]
    cell_seconds: float
    certificates: bool = False
    schedules: bool = False
    dead: tuple[str, ...] = ()
    last_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Short and unique in a run; names the certificate file."""
        return f"{instance_identity(self.instance)[:12]}-{self.objective}"

    @property
    def bound_mark(self) -> str:
        """What marks the unit while its bound is worked out; no cell is named so."""
        return f"bound-{self.name}"


@dataclass(frozen=True)
class Built:
    """An instance, or why it could not be built; ``notes`` are the warnings that building it gave."""

    spec: InstanceSpec
    instance: Instance | None
    message: str = ""
    traceback: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def identity(self) -> str:
        """What names the instance in results; for one that could not be built, what it was to be."""
        if self.instance is not None:
            return instance_identity(self.instance)
        return f"unbuilt {self.spec.family.id} {canonical(self.spec.parameters)} {self.spec.seed}"


@dataclass
class Denominator:
    """Lower and upper bounds of one instance, as the cells of a unit need them."""

    bound: Bound | None
    message: str = ""
    traceback: str = ""
    closed_form: int | None = None
    seconds: float = 0.0
    upper: int | None = None
    best: Schedule | None = None


@dataclass(frozen=True)
class Judged:
    """What came of one policy on one instance.

    Parameters
    ----------
    row : dict
        The row of the cell.
    schedule : Schedule, optional
        The policy's own, where schedules are kept.
    without_kills : Schedule, optional
        A schedule of the instance itself of the same cost, where there is one: it lowers U.
    """

    row: dict[str, Any]
    schedule: Schedule | None = None
    without_kills: Schedule | None = None


# -- stage 0: machine code ----------------------------------------------------------------------------------------
def warm(kind: str, name: str) -> None:
    """Run a policy or a bound on a small instance; one that cannot is left to fail, and be told, in its own cells."""
    import algos
    import lowerbounds

    online = Instance(prompt=[1, 1, 1, 0] * 3, output=[2, 1, 3, 4] * 3, memory=6, arrival=[0, 0, 1, 2] * 3)
    with contextlib.suppress(Exception):
        if kind == "policy":
            algos.schedule(online, name)
        else:
            for inst in (online, online.replace(arrival=None)):
                lowerbounds.bound(inst, name, time_limit=1e6)


# -- stage 1: instances -------------------------------------------------------------------------------------------
def build_instance(spec: InstanceSpec, seconds: float) -> Built:
    """Build one instance of a suite; never raises."""
    from kvratio.suite.generate import generate

    try:
        within = deadline(seconds, f"building an instance of {spec.family.label}")
        with within, warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", UserWarning)
            if spec.family.kind == "trace":
                import instances

                inst = instances.load_trace(spec.family.id, **spec.parameters)
            else:
                tuned = spec.tuned_to
                inst = generate(
                    spec.family.handle,
                    seed=spec.seed,
                    policy=None if tuned is None else (tuned.handle, tuned.parameters),
                    eviction=None if tuned is None else tuned.eviction,
                    **spec.parameters,
                )
        return Built(spec, inst, notes=tuple(str(w.message) for w in heard if issubclass(w.category, UserWarning)))
    except Exception as fault:  # the boundary of a cell: whatever goes wrong inside belongs to this cell alone
        return Built(spec, None, "instance not built: " + _one_line(fault), traceback.format_exc())


# -- stage 2: policies and bounds ---------------------------------------------------------------------------------
def run_unit(unit: Unit, folder: str, isolated: bool) -> list[tuple[str, bool]]:
    """Judge every policy of a unit, write the rows as shards, and return (cell, whether it failed).

    Parameters
    ----------
    unit : Unit
    folder : str
        The run folder.
    isolated : bool
        Whether this is a worker process of its own, which may be ended by its hard limit.
    """
    store = RunFolder(folder)
    outcome: list[tuple[str, bool]] = []
    with _log(store, unit, isolated) as log, store.journal() as journal:
        # Where every cell killed its worker there is nothing to divide, and it was the bound that killed.
        alive = any(job.cell not in unit.dead for job in unit.jobs)
        with _mark(store, unit.bound_mark, log):
            known = denominator(unit, log) if alive else Denominator(None)
        best = known.best
        for job in unit.jobs:
            with _mark(store, job.cell, log):
                judged = judge(job, unit, known, log)
            best = cheapest(best, judged.without_kills, unit.objective)
            if judged.schedule is not None:
                store.keep_schedule(job.cell, judged.schedule)
            if job is unit.jobs[-1]:
                # Before the last row: a run that is killed here does the unit, and the certificate, again.
                keep_certificate(store, unit, known, best)
            journal.add(judged.row)
            outcome.append((job.cell, judged.row["status"] != "ok"))
    return outcome


def keep_certificate(store: RunFolder, unit: Unit, known: Denominator, best: Schedule | None) -> None:
    """Keep the bound of a unit, with the cheapest schedule that was seen, where certificates are kept."""
    if unit.certificates and known.bound is not None:
        store.keep_certificate(unit.name, _sharpened(known.bound, best, unit.objective))


@contextmanager
def _mark(store: RunFolder, name: str, log: IO[str] | None) -> Iterator[None]:
    """Leave a mark in the folder while a cell, or the bound of a unit, is in flight in a worker of its own."""
    if log is None:
        yield
        return
    mark = store.in_flight / name
    mark.touch()
    yield
    mark.unlink(missing_ok=True)


def denominator(unit: Unit, log: IO[str] | None) -> Denominator:
    """Bound the optimum of a unit's instance from both sides; never raises."""
    import lowerbounds
    from kvratio.suite.ratio import closed_form_lower

    limit = unit.bound.time_limit + unit.cell_seconds
    inst = unit.instance
    begun = time.perf_counter()
    try:
        with hard_limit(2 * limit + 10, log), deadline(limit, f"bound {unit.bound.method}"):
            given = {"time_limit": unit.bound.time_limit, **unit.bound.options}
            bound = lowerbounds.bound(inst, unit.bound.handle, objective=unit.objective, **given)
            closed = None
            if any(job.policy.eviction != "restart" for job in unit.jobs):
                closed = closed_form_lower(inst, unit.objective)
        best = bound.schedule
        if inst.witness is not None:
            witness = Schedule.from_starts(inst, inst.witness)
            check(inst, witness)
            best = cheapest(best, witness, unit.objective)
        upper = None if best is None else best.cost(unit.objective)
        return Denominator(bound, closed_form=closed, seconds=time.perf_counter() - begun, upper=upper, best=best)
    except Exception as fault:  # the boundary of a cell
        return Denominator(None, f"no bound ({unit.bound.method}): " + _one_line(fault), traceback.format_exc())


def judge(job: Job, unit: Unit, known: Denominator, log: IO[str] | None) -> Judged:
    """Run one policy and check its schedule; never raises."""
    row: dict[str, Any] = {"cell": job.cell, "status": "failed", "bound_seconds": known.seconds}
    if job.cell in unit.dead:
        why = "out of memory, a crash, or stuck in compiled code"
        words = unit.last_words.get(job.cell, "")
        if words.startswith(TIMEOUT):
            why = f"stuck in compiled code for {2 * unit.cell_seconds + 10:g} s"
        message = f"{job.policy.call} ended its worker process ({why})"
        return Judged({**row, "message": message, "traceback": words or None})
    if known.bound is None:
        return Judged({**row, "message": known.message, "traceback": known.traceback})
    try:
        with hard_limit(2 * unit.cell_seconds + 10, log), deadline(unit.cell_seconds, f"policy {job.policy.call}"):
            judged = _measure(job, unit, known)
    except Exception as fault:  # the boundary of a cell
        return Judged({**row, "message": _one_line(fault), "traceback": traceback.format_exc()})
    return replace(judged, row=row | judged.row | {"status": "ok"})


def _measure(job: Job, unit: Unit, known: Denominator) -> Judged:
    import algos
    from algos import registry
    from instances.augmented import policy_completion, policy_instance

    inst, policy = unit.instance, job.policy
    played = policy_instance(inst)
    begun = time.perf_counter()
    schedule = algos.schedule(played, policy.handle, eviction=policy.eviction, seed=job.seed, **policy.parameters)
    ran = time.perf_counter()
    check(played, schedule)
    checked = time.perf_counter()
    completion = policy_completion(inst, schedule)
    totals = {"completion": int(completion.sum()), "flow": int((completion - inst.arrival).sum())}
    restart = policy.eviction == "restart"
    without_kills = None
    if restart and played is inst:
        # Deleting the void attempts leaves a schedule without kills of the same cost (docs/model.md, section 4).
        without_kills = Schedule.from_starts(inst, schedule.start, policy.id)
    bound = known.bound
    assert bound is not None
    lower = bound.lower if restart else known.closed_form
    guarantee, holds = None, None
    if played is inst:
        guarantee, holds = _guarantee(registry.card(policy.handle), policy, inst, unit.objective)
    row = {
        "cost": totals[unit.objective],
        "total_completion": totals["completion"],
        "total_flow": totals["flow"],
        "makespan": int(completion.max()),
        "flow_p50": schedule.percentile(50),
        "flow_p99": schedule.percentile(99),
        "ttft_mean": float(schedule.ttft.mean()),
        "evictions": schedule.evictions,
        "wasted_rounds": schedule.wasted_rounds,
        "wasted_token_rounds": schedule.wasted_token_rounds,
        "recomputed_tokens": schedule.recomputed_tokens,
        "volume": int(inst.volume.sum()),
        "utilisation": schedule.utilisation,
        "bound_method": bound.method if restart else "LB0-LB4",
        "bound_grade": bound.grade if restart else "certified",
        "lower": lower,
        "bound_upper": known.upper,
        "own_upper": totals[unit.objective] if restart and played is inst else None,
        "guarantee": guarantee,
        "guarantee_holds": holds,
        "policy_seconds": ran - begun,
        "check_seconds": checked - ran,
    }
    return Judged(row, schedule if unit.schedules else None, without_kills)


def _guarantee(card: Any, policy: PolicySpec, inst: Instance, objective: str) -> tuple[float | None, bool | None]:
    """Return the published ratio and whether its hypotheses hold; (None, None) where nothing is proved.

    In a batch the objectives agree. With arrivals the guarantee speaks only of the objective it was proved for.
    """
    proved = card.guarantee
    if proved is None or policy.eviction != "restart":
        return None, None
    if not inst.is_batch and proved.objective != objective:
        return None, None
    settings = card.settings(inst, policy.parameters)
    ratio = proved.ratio(inst, settings)
    return (None if ratio is None else float(ratio)), bool(proved.holds(inst, settings))


def cheapest(known: Schedule | None, other: Schedule | None, objective: str) -> Schedule | None:
    """Return the cheaper of two schedules, the first where they tie; either may be missing."""
    if known is None or other is None:
        return other if known is None else known
    return other if other.cost(objective) < known.cost(objective) else known


def _sharpened(bound: Bound, best: Schedule | None, objective: str) -> Bound:
    """Return the bound with its upper side replaced by the cheapest schedule that the unit saw."""
    if best is None or (bound.upper is not None and best.cost(objective) >= bound.upper):
        return bound
    cost = best.cost(objective)
    lower_side = tuple(c for c in bound.certificates if c.side == "lower")
    # Certificates are for completion, whatever the objective (docs/certificates.md).
    proof = {"objective": "completion", "starts": best.start.tolist(), "cost": best.total_completion}
    starts = Certificate("starts", "upper", proof)
    return replace(bound, upper=cost, certificates=(*lower_side, starts), schedule=best)


@contextmanager
def _log(store: RunFolder, unit: Unit, isolated: bool) -> Iterator[IO[str] | None]:
    """Open the log of a unit where a worker of its own may have to be ended."""
    if not isolated:
        yield None
        return
    with keep_log(store.in_flight, unit.name) as log:
        yield log


@contextmanager
def keep_log(folder: Path, name: str) -> Iterator[IO[str]]:
    """Open the file into which a worker that must be ended writes its last traceback; it goes when all went well."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{os.getpid()}.log"
    with path.open("w") as log:
        yield log
    path.unlink(missing_ok=True)


def last_words(folder: Path, name: str) -> str:
    """Return what the workers that died over something wrote at the last; empty where they had no time to."""
    texts = [path.read_text() for path in sorted(folder.glob(f"{name}-*.log"))]
    return next((text for text in reversed(texts) if text), "")


def _one_line(fault: BaseException) -> str:
    """The message of a fault on one line, with its type unless it is one of ours."""
    text = " ".join(str(fault).split()) or "no message"
    return text if isinstance(fault, KvratioError) else f"{type(fault).__name__}: {text}"


def in_flight(folder: Path) -> list[str]:
    """Cells, and bounds of units, that had begun and not ended when their worker died."""
    return sorted(p.name for p in folder.glob("*") if not p.suffix) if folder.is_dir() else []
