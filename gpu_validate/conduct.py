"""Carrying a study out within its budget: calibrate, then replay in order of importance, saving as results come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gpu_validate import libraries
from gpu_validate import results as files
from gpu_validate.backends import choose
from gpu_validate.budget import Budget
from gpu_validate.calibrate import Calibration, calibrate, measured_on, summary
from gpu_validate.contest import OFFLINE, Contest, Player, hold
from gpu_validate.device import default_dtype, describe, free_bytes
from gpu_validate.executor import Executor, Limits
from gpu_validate.faults import NoDevice
from gpu_validate.measure import row_of
from gpu_validate.need import Need, check_positions
from gpu_validate.overload import held_against
from gpu_validate.plain_step import TARGET, library_step, replay_step
from gpu_validate.predict import predict, seconds_bound
from gpu_validate.replay import limits_of, replay
from gpu_validate.staging import room_for
from gpu_validate.study import Study
from gpu_validate.timeline import Timeline
from gpu_validate.weights import Source
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.presets import Preset

Say = Callable[[str], None]

#: a replay is started if this many times its predicted seconds, and a second, are left
CAUTION = 1.3
#: seconds that the library's compiled step is given; it is measured last, and only where they are left
COMPILED_SECONDS = 180.0


class Task(NamedTuple):
    """One schedule to be replayed, and the seconds it should take."""

    contest: Contest
    player: Player
    seconds: float


def conduct(study: Study, device: Any, out: Path | None, say: Say, dtype: str | None = None) -> dict[str, Any]:
    """Carry a study out and return its results, as `gpu_validate.results` describes them.

    Parameters
    ----------
    study : Study
    device : torch device
    out : Path or None
        Folder for ``results.json`` and the clocks, written as they come.
    say : callable
        Told what is planned and done, one line at a time.
    dtype : str, optional
        Default: bfloat16 on CUDA, float32 on the CPU.

    Raises
    ------
    NoDevice
        A study of large models on the CPU.
    DoesNotFit
        Before anything is loaded.
    """
    if study.needs_cuda and device.type != "cuda":
        raise NoDevice(f"study {study.name} runs models of billions of weights and needs CUDA: add --preset tiny")
    budget = Budget(study.budget)
    number = dtype or default_dtype(device)
    sources = [Source.of(name) for name in study.models]
    for line in plan(study):
        say(line)
    contests, overload = prepare(study, say)
    for source in sources:
        _check_fits(study, source, number, contests, overload, device)
    found = files.blank(describe(device) | {"dtype": number}, study.to_dict())

    def save() -> None:
        if out is not None:
            files.save(found, out / "results.json")

    for place, source in enumerate(sources):
        part = budget.share(len(sources) - place)
        say(f"{source.name}: {part.left:.0f} s of {budget.left:.0f} s left")
        trial = _Trial(study, source, device, number, contests, overload, part, say)
        found["models"][source.shape.name] = trial.found
        try:
            trial.run(save, out)
        except Exception as fault:  # told, saved, and the command ends with 1; the other models are still measured
            if len(sources) == 1:
                raise
            trial.failed("the model", fault)
        finally:
            for kind in ("skipped", "failures"):
                found[kind] += [f"{source.shape.name}: {line}" for line in getattr(trial, kind)]
            save()
    found["seconds"] = budget.spent
    save()
    return found


def plan(study: Study) -> list[str]:
    """Say what a study will do, in which order, within which time."""
    names = ", ".join(entry.label for entry in study.entries)
    places = ", ".join(subject.label for subject in study.subjects)
    return [
        f"plan: {study.budget:.0f} s in all; on {', '.join(study.models)}, in equal shares of what is left:",
        f"  1. the library's decode step ({study.yardstick[0]} requests, {study.yardstick[1]} tokens each)",
        "  2. calibration, the replay's own decode step, the capacity check",
        f"  3. replays, {study.repeats} of each schedule, on {places}: the best schedule known, then {names}; "
        "what no longer fits is left out from the end",
        "  4. on CUDA, with time to spare, the library's compiled step",
    ]


def prepare(study: Study, say: Say) -> tuple[list[Contest], Timeline]:
    """Make all schedules and bounds of a study, and the schedule of its overload; needs no model."""
    contests = []
    for subject in study.subjects:
        contests.append(hold(subject, study.entries, say))
        one = contests[-1]
        say(
            f"{subject.label}: {one.instance.n} requests, M = {one.instance.memory}; optimum in "
            f"[{one.bound.lower}, {one.bound.upper}] rounds; {len(one.policies)} policies"
        )
    import algos

    # Evictions that keep progress, as the theorem has them.
    pressed = algos.schedule(study.overload.build(), "vllm_fcfs", eviction="swap")
    return contests, Timeline(pressed)


def limits_for(study: Study, contests: Sequence[Contest], overload: Timeline) -> Limits:
    """Return the room that all runs of a study need."""
    instances = [*(one.instance for one in contests), overload.schedule.instance]
    batch, context = study.yardstick
    cells = [cell.room for cell in study.grid.cells(study.calibration_memory)]
    return Limits.over([*map(limits_of, instances), room_for([context + 1] * batch, []), *cells])


def _check_fits(
    study: Study, source: Source, dtype: str, contests: Sequence[Contest], overload: Timeline, device: Any
) -> None:
    timelines = [player.timeline for one in contests for player in one.players]
    for one in contests:
        check_positions(one.instance, source.shape)
    tokens = max(int((t.loads.prompt + t.loads.batch).max()) for t in (*timelines, overload))
    memory = limits_for(study, contests, overload).memory
    Need(source.shape, dtype, memory, tokens).check(free_bytes(device), str(device))


class _Trial:
    """A study on one model."""

    def __init__(
        self,
        study: Study,
        source: Source,
        device: Any,
        dtype: str,
        contests: Sequence[Contest],
        overload: Timeline,
        budget: Budget,
        say: Say,
    ) -> None:
        self.study, self.source, self.device, self.dtype = study, source, device, dtype
        self.contests, self.overload, self.budget, self.say = contests, overload, budget, say
        self.skipped: list[str] = []
        self.failures: list[str] = []
        shape = source.shape
        self.found: dict[str, Any] = {
            "name": source.name,
            "token_bytes": shape.token_bytes(dtype),
            "weight_bytes": shape.weight_bytes(dtype),
            "instances": {},
            "rows": [],
        }

    def run(self, save: Callable[[], None], out: Path | None) -> None:
        """Do everything, in order of importance."""
        _release(self.device)  # what the model before this one had
        model = self.source.load(self.device, self.dtype)
        self.found["threads"] = libraries.torch().get_num_threads()
        choice = choose(self.source.shape, self.device, next(model.parameters()).dtype)
        self.found["attention"] = choice.facts()
        self.say(f"decode attention: {choice.name}" + "".join(f"; not {n}: {r}" for n, r in choice.rejected.items()))
        self._library_step(model, compiled=False)
        save()
        limits = limits_for(self.study, self.contests, self.overload)
        executor = Executor(model, self.source.shape, limits, choice.decode)
        try:
            clock = self._calibrate(executor, out)
            save()
            self._own_step(executor)
            self._overload(executor, clock)
            save()
            self._replays(executor, clock, save)
        finally:
            self.found["graphs"] = {"wanted": executor.graphs.wanted, "trouble": executor.graphs.trouble}
            if executor.graphs.trouble:
                self.say(f"no graphs: {executor.graphs.trouble}")
            executor.close()
        save()
        if self.device.type == "cuda":
            if self.budget.affords(COMPILED_SECONDS):
                self._library_step(model, compiled=True)
            else:
                self.skipped.append("the library's compiled step: too little time left")
        save()

    def _library_step(self, model: Any, compiled: bool) -> None:
        batch, context = self.study.yardstick
        step = self.found.setdefault("step", {"batch": batch, "context": context, "target": TARGET})
        name = "library_compiled" if compiled else "library"
        try:
            step[name] = library_step(model, batch, context, compiled=compiled)
        except Exception as fault:  # the library's own generation is a yardstick: without it the study goes on
            line = f"{name} step: {_reason(fault)}"
            self.skipped.append(line)
            self.say(f"  skipped {line}")
        _release(self.device)
        self._ratios()

    def _own_step(self, executor: Executor) -> None:
        try:
            self.found["step"]["replay"] = replay_step(executor, *self.study.yardstick)
        except Exception as fault:  # one figure; the replays do not need it
            self.failed("the replay's step", fault)
        self._ratios()

    def failed(self, what: str, fault: Exception) -> None:
        """Tell and keep what went wrong, so that the other results are not lost with it."""
        line = f"{what}: {_reason(fault)}"
        self.failures.append(line)
        self.say(f"  FAILED {line}")

    def _ratios(self) -> None:
        step = self.found["step"]
        for name in ("library", "library_compiled"):
            if step.get(name, 0) > 0 and "replay" in step:
                step[f"over_{name}"] = step["replay"] / step[name]

    def _calibrate(self, executor: Executor, out: Path | None) -> Clock:
        cells = self.study.grid.cells(self.study.calibration_memory)
        self.say(f"calibration: {len(cells)} kinds of iteration, {self.study.grid.repeats} times each")
        fitted = calibrate(cells, measured_on(executor, self.study.grid))
        self.found["calibration"] = summary(fitted)
        for line in (told(fitted), *fitted.remarks):
            self.say(f"  {line}")
        if out is not None:
            self.found["calibration"]["file"] = save_clock(fitted, self.source, self.dtype, self.device, out).name
        return fitted.clock

    def _replays(self, executor: Executor, clock: Clock, save: Callable[[], None]) -> None:
        for one in self.contests:
            self.found["instances"][one.subject.label] = about(one, clock)
        tasks = self._tasks(clock)
        self.say(f"replays: {len(tasks)}, about {sum(task.seconds for task in tasks):.0f} s by the clock")
        for task in tasks:
            if not self.budget.affords(CAUTION * task.seconds + 1):
                line = (
                    f"{task.player.label} on {task.contest.subject.label}: {task.seconds:.0f} s do not fit the budget"
                )
                self.skipped.append(line)
                self.say(f"  skipped {line}")
                continue
            try:
                done = [replay(task.player.timeline, executor) for _ in range(self.study.repeats)]
            except Exception as fault:  # a finding or a fault of the device: the other replays may still be good
                self.failed(f"{task.player.label} on {task.contest.subject.label}", fault)
                continue
            row = row_of(self.source.shape.name, task.contest, task.player, done, clock)
            self.found["rows"].append(row)
            self.say(
                f"  {row['instance']}, {row['policy']}: mean latency {row['measured']['mean']:.4g} s, "
                f"predicted {row['predicted']['mean']:.4g} s"
            )
            save()

    def _tasks(self, clock: Clock) -> list[Task]:
        """All replays, the most important first: the best schedule known, then policy after policy."""

        def rank(task: Task) -> int:
            if task.player.label == OFFLINE:
                return -1
            return next(k for k, entry in enumerate(self.study.entries) if entry.label == task.player.label)

        tasks = [
            Task(one, player, self.study.repeats * float(predict(player.timeline, clock).seconds.sum()))
            for one in self.contests
            for player in one.players
        ]
        return sorted(tasks, key=rank)

    def _overload(self, executor: Executor, clock: Clock) -> None:
        seconds = float(predict(self.overload, clock).seconds.sum())
        if not self.budget.affords(CAUTION * seconds + 1):
            self.skipped.append(f"capacity check: {seconds:.0f} s do not fit the budget")
            return
        try:
            load = held_against(replay(self.overload, executor), self.overload, clock)
            self.found["capacity"] = load
            self.say(f"capacity: mu = {load['mu_rounds']:.4g}/s by the clock, {load['measured']:.4g}/s under overload")
        except BadParameter as fault:  # no overload
            self.skipped.append(f"capacity check: {fault}")
        except Exception as fault:  # a finding or a fault of the device: the replays may still be good
            self.failed("capacity check", fault)


def _reason(fault: Exception) -> str:
    """Say an error in one line."""
    text = str(fault).strip()
    return f"{type(fault).__name__}: {text.splitlines()[0]}" if text else type(fault).__name__


def about(one: Contest, clock: Clock) -> dict[str, Any]:
    """Return an instance, its bound in rounds and in seconds, as plain data."""
    inst, bound = one.instance, one.bound
    best = next(player for player in one.players if player.label == OFFLINE).timeline.schedule
    assert bound.upper is not None  # schedules of the policies were offered
    return {
        "n": inst.n,
        "memory": inst.memory,
        "key": inst.key,
        "batch": inst.is_batch,
        "arrivals": int(inst.arrival.sum()),
        "lower": bound.lower,
        "upper": min(bound.upper, best.total_completion),
        "method": bound.method,
        "grade": bound.grade,
        "optimal": bound.lower == best.total_completion,
        "bound_seconds": seconds_bound(inst, bound.lower, clock),
        "failed": dict(one.failed),
    }


def told(fitted: Calibration) -> str:
    """Say a fitted clock in one line."""
    parts = []
    for name, unit in (("d0", "s"), ("d1", "s per key-value token"), ("d2", "s per prompt token")):
        low, high = fitted.intervals[name]
        parts.append(f"{name} = {fitted.report.coefficients[name]:.3g} {unit} [{low:.3g}, {high:.3g}]")
    return f"{', '.join(parts)}; largest error {fitted.report.largest_relative_error:.0%}"


def save_clock(fitted: Calibration, source: Source, dtype: str, device: Any, out: Path) -> Path:
    """Write the fitted clock where ``--preset FILE`` finds it, and the measured cells beside it as CSV."""
    import csv

    out.mkdir(parents=True, exist_ok=True)
    facts = describe(device)
    memory = max(cell.room.memory for cell in fitted.cells)
    name = f"{source.shape.name.replace('/', '-')}-{dtype}-{device.type}"
    where = (
        f"measured on {facts['name']} with torch {facts['torch']}, transformers {facts['transformers']}: {told(fitted)}"
    )
    path = Preset(name, fitted.clock, memory, where).save(out / f"clock-{name}.json")
    with (out / f"cells-{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cached", "prompt", "seconds", "decodes"))
        for cell, laps in zip(fitted.cells, fitted.seconds, strict=True):
            writer.writerows((cell.cached, cell.prompt, f"{lap:.6g}", cell.batch) for lap in laps.tolist())
    return path


def _release(device: Any) -> None:
    """Hand memory that nobody uses back to the device."""
    if device.type == "cuda":
        import gc

        gc.collect()
        libraries.torch().cuda.empty_cache()
