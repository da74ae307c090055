"""Replaying a schedule on a model: the same batches, admissions, kills and restarts, in the same order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_validate.executor import Executor, Limits
from gpu_validate.faults import ReplayFault
from gpu_validate.timeline import Ending, Round, Timeline
from gpu_validate.timers import Laps, laps_on
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.schedule import Schedule
from kvratio.problem.seeds import stream

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Replay:
    """What a replay did and how long it took.

    Attributes
    ----------
    schedule : Schedule
    rounds : int64[k]
        The busy rounds; idle rounds of the schedule take no time here.
    seconds : float64[k]
        Of each iteration.
    counts : dict
        Iterations, admissions, completions, kills and peak tokens, counted while replaying.
    tokens : tuple of int64 arrays
        What each request wrote, ``output`` tokens each.
    share : float
        Processor time of this process over the time taken. On a CPU that others use too it falls below 1, and the
        times are longer than the model's.
    """

    schedule: Schedule
    rounds: IntArray
    seconds: FloatArray
    counts: dict[str, int]
    tokens: tuple[IntArray, ...] = field(repr=False, default=())
    share: float = 1.0

    def at(self, epochs: npt.ArrayLike) -> FloatArray:
        """Seconds from the start at which epochs (round boundaries) were reached."""
        passed = np.concatenate([[0.0], np.cumsum(self.seconds)])
        return passed[np.searchsorted(self.rounds, np.asarray(epochs), side="right")]

    @property
    def latency(self) -> FloatArray:
        """Seconds from the epoch of arrival to completion, float64[n]."""
        return self.at(self.schedule.completion) - self.at(self.schedule.instance.arrival)

    @property
    def ttft(self) -> FloatArray:
        """Seconds from arrival to the first token that counts, float64[n] (as `Schedule.ttft`)."""
        arrival = self.schedule.instance.arrival
        return self.at(self.schedule.ttft + arrival) - self.at(arrival)


def texts(inst: Instance, vocabulary: int, start_token: int = 1) -> list[list[int]]:
    """Return a prompt for each request: random tokens, equal for equal instances.

    A request with an empty prompt reads ``start_token``: a model needs something to read. Its key and value take the
    slot that the model of memory gives to the first token; each later token is written one slot behind where it would
    stand after a real prompt, so s + j slots are enough in every round.
    """
    draw = stream("gpu_validate", "texts", inst.key)
    low = min(3, vocabulary - 1)
    return [draw.integers(low, vocabulary, size=s).tolist() if s else [start_token] for s in inst.prompt.tolist()]


def limits_of(inst: Instance) -> Limits:
    """Return the room that an instance needs in an executor."""
    longest = int((np.maximum(inst.prompt, 1) + inst.output).max())
    return Limits(inst.memory, inst.n, longest)


def replay(
    timeline: Timeline,
    executor: Executor,
    laps: Laps | None = None,
    watch: Callable[[Round, int], None] | None = None,
) -> Replay:
    """Run a schedule on a model, iteration by iteration.

    Parameters
    ----------
    timeline : Timeline
    executor : Executor
        With limits that hold the instance.
    laps : Laps, optional
        Stopwatch; default: the one of the device.
    watch : callable, optional
        Called with every round and the slots held in it, before it runs.

    Returns
    -------
    Replay

    Raises
    ------
    ReplayFault
        The cache would overflow, or what was done differs from the schedule.
    """
    inst = timeline.schedule.instance
    run = _Run(timeline.schedule, executor, texts(inst, executor.shape.vocabulary))
    steps = list(timeline)
    loads = timeline.loads
    fresh = np.flatnonzero((loads.prompt == 0) & (loads.batch > 0)).tolist()
    executor.graphs.prepare(int(loads.batch[k]) for k in fresh)
    laps = laps or laps_on(executor.device)
    worked = time.process_time()
    laps.begin()
    for step in steps:
        run.advance(step, watch)
        laps.lap()
    seconds = laps.finish()
    share = (time.process_time() - worked) / max(float(seconds.sum()), 1e-9)
    for ending in timeline.last_endings:
        run.end(ending)
    counts = run.counts | {"iterations": len(steps), "peak_tokens": executor.cache.peak}
    result = Replay(timeline.schedule, loads.number, seconds, counts, run.tokens(), share)
    _hold_against(result, timeline, executor)
    return result


class _Run:
    """The state of a replay: what each request has produced."""

    def __init__(self, schedule: Schedule, executor: Executor, prompts: list[list[int]]) -> None:
        self.schedule, self.executor = schedule, executor
        inst = schedule.instance
        self.prompt: list[int] = inst.prompt.tolist()
        self.read = [len(prompt) for prompt in prompts]
        self.produced = [0] * inst.n
        self.kept: dict[int, list[Any]] = {}
        self.counts = {"admissions": 0, "completions": 0, "kills": 0}
        executor.open(inst.memory, prompts)

    def end(self, ending: Ending) -> None:
        """Free the cache of an attempt; under ``swap`` copy it to the host first."""
        request = ending.request
        self.counts["completions" if ending.completed else "kills"] += 1
        if not ending.completed:
            if self.schedule.eviction == "swap":
                written = self.read[request] + self.produced[request] - 1
                self.kept[request] = self.executor.cache.copy_out(request, written)
            elif self.schedule.eviction == "restart":
                self.produced[request] = 0
        self.executor.cache.take_back(request)

    def advance(self, step: Round, watch: Callable[[Round, int], None] | None) -> None:
        """Bring about one round."""
        for ending in step.endings:
            self.end(ending)
        cache, going_on = self.executor.cache, len(step.running) - len(step.admitted)
        for request in step.running[:going_on]:
            cache.give(request, 1)
        decodes = [(r, self.read[r] + self.produced[r] - 1) for r in step.running[:going_on]]
        prefills = []
        for request in step.admitted:
            self.counts["admissions"] += 1
            cache.give(request, self.prompt[request] + self.produced[request] + 1)
            if request in self.kept:
                cache.copy_in(request, self.kept.pop(request))
                self._restore_table(request)
                decodes.append((request, self.read[request] + self.produced[request] - 1))
            else:
                prefills.append((request, self.read[request] + self.produced[request]))
        if watch is not None:
            watch(step, cache.held)
        self.executor.step(decodes, prefills)
        for request in step.running:
            self.produced[request] += 1

    def _restore_table(self, request: int) -> None:
        """Tell the device where the tokens that came back lie now."""
        owned = self.executor.cache.owned[request]
        columns = [(request, at, slot) for at, slot in enumerate(owned)]
        rows, places, slots = self.executor.upload(columns)
        self.executor.table[rows, places] = slots

    def tokens(self) -> tuple[IntArray, ...]:
        """Return what each request wrote."""
        text = self.executor.text.cpu().numpy()
        spans = zip(self.read, self.schedule.instance.output.tolist(), strict=True)
        return tuple(text[k, s : s + o].copy() for k, (s, o) in enumerate(spans))


def _hold_against(result: Replay, timeline: Timeline, executor: Executor) -> None:
    """Raise `ReplayFault` where the replay did something else than its schedule says."""
    told = timeline.counts
    for name, count in told.items():
        if result.counts[name] != count:
            raise ReplayFault(f"replay of {timeline.schedule!r}: {result.counts[name]} {name}, not {count}")
    if executor.cache.held:
        raise ReplayFault(f"replay of {timeline.schedule!r}: {executor.cache.held} tokens are still held at the end")
    if len(result.seconds) != len(result.rounds):
        raise ReplayFault(f"{len(result.seconds)} laps were timed for {len(result.rounds)} iterations")
