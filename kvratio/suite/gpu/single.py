"""One replay and one calibration, as facts to print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpu_validate import libraries
from gpu_validate.backends import choose
from gpu_validate.calibrate import calibrate, measured_on, summary
from gpu_validate.conduct import save_clock, told
from gpu_validate.device import default_dtype, describe, free_bytes, open_device
from gpu_validate.executor import Executor, Limits
from gpu_validate.measure import nearest_rank
from gpu_validate.need import Need, need_of
from gpu_validate.one_by_one import differences, generate
from gpu_validate.predict import predict
from gpu_validate.replay import limits_of, replay, texts
from gpu_validate.shapes import width
from gpu_validate.study import study
from gpu_validate.timeline import Timeline
from gpu_validate.weights import Source
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.presets import find_preset
from kvratio.problem.schedule import Schedule


def replay_one(
    schedule: Schedule,
    model: str | None = None,
    random_weights: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    preset: str | None = None,
    verify: bool = False,
) -> dict[str, Any]:
    """Replay one schedule, twice, and return what happened the second time.

    Parameters
    ----------
    schedule : Schedule
    model, random_weights : str
        One of them; see `gpu_validate.weights.Source`.
    device, dtype : str, optional
    preset : str, optional
        A linear clock to predict by.
    verify : bool
        Also generate every request alone, and compare the tokens.

    Raises
    ------
    DoesNotFit
        Before the weights are loaded.
    """
    libraries.require()
    clock = None if preset is None else _linear(preset)
    source, place = Source(model, random_weights), open_device(device)
    number = dtype or default_dtype(place)
    timeline = Timeline(schedule)
    wanted_room = need_of(timeline, source.shape, number)
    wanted_room.check(free_bytes(place), str(place))
    net = source.load(place, number)
    inst = schedule.instance
    prompts = texts(inst, source.shape.vocabulary)
    alone = generate(net, prompts, inst.output.tolist()) if verify else []
    choice = choose(source.shape, place, next(net.parameters()).dtype)
    executor = Executor(net, source.shape, limits_of(inst), choice.decode)
    try:
        replay(timeline, executor)  # warms up
        done = replay(timeline, executor)
        trouble = executor.graphs.trouble
    finally:
        executor.close()
    facts: dict[str, Any] = {
        "schedule": repr(schedule),
        "model": source.name,
        "device": describe(place)["name"],
        "dtype": number,
        "needs": wanted_room.arithmetic(),
        "decode_attention": choice.name,
        **({"graphs": trouble} if trouble else {}),
        **done.counts,
        "seconds": float(done.seconds.sum()),
        "iteration_median_s": float(np.median(done.seconds)),
        "iteration_p99_s": nearest_rank(done.seconds, 99),
        "latency_mean_s": float(done.latency.mean()),
        "latency_p99_s": nearest_rank(done.latency, 99),
        "ttft_mean_s": float(done.ttft.mean()),
        "processor_share": done.share,
    }
    if clock is not None:
        facts["predicted_latency_mean_s"] = float(predict(timeline, clock).latency.mean())
    if verify:
        found = differences(net, prompts, done.tokens, alone)
        facts["tokens"] = f"{int(inst.output.sum())} of {inst.n} requests, compared with one-by-one generation"
        facts["tokens_differ"] = len(found)
        if found:
            facts["first_difference"] = found[0]._asdict()
    return facts


def calibrate_one(
    out: Path,
    model: str | None,
    random_weights: str | None,
    grid: str | None,
    memory: int | None,
    device: str | None,
    dtype: str | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Calibrate one model, write its clock, and return the fit."""
    libraries.require()
    source, place = Source(model, random_weights), open_device(device)
    number = dtype or default_dtype(place)
    width(number)
    chosen = study(grid or ("full" if place.type == "cuda" else "tiny"))
    cells = chosen.grid.cells(memory or chosen.calibration_memory)
    limits = Limits.over(cell.room for cell in cells)
    tokens = max(cell.prompt + cell.batch for cell in cells)
    Need(source.shape, number, limits.memory, tokens).check(free_bytes(place), str(place))
    net = source.load(place, number)
    choice = choose(source.shape, place, next(net.parameters()).dtype)
    executor = Executor(net, source.shape, limits, choice.decode)

    def progress(done: int, count: int) -> None:
        if done == count or done % 10 == 0:
            say(f"{done} of {count} kinds of iteration measured")

    try:
        fitted = calibrate(cells, measured_on(executor, chosen.grid), progress)
    finally:
        executor.close()
    path = save_clock(fitted, source, number, place, out)
    return {"clock": told(fitted), "file": str(path), "use": f"--preset {path}", **summary(fitted)}


def _linear(preset: str) -> Clock:
    clock = find_preset(preset).clock
    if not isinstance(clock, Clock):
        raise BadParameter(f"preset {preset} is a roofline clock: a replay is predicted by a linear one")
    return clock
