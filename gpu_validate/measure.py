"""One row of the comparison: what a schedule costs in rounds, by the clock, and on the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_validate.contest import Contest, Player
from gpu_validate.predict import predict
from gpu_validate.replay import Replay
from kvratio.problem.clock import Clock


def row_of(model: str, contest: Contest, player: Player, replays: Sequence[Replay], clock: Clock) -> dict[str, Any]:
    """Return one row as plain data.

    Parameters
    ----------
    model : str
    contest : Contest
    player : Player
    replays : sequence of Replay
        Repetitions; times are medians over them, request by request and iteration by iteration.
    clock : Clock
        The calibrated one.
    """
    schedule = player.timeline.schedule
    told = predict(player.timeline, clock)
    latency = np.median([one.latency for one in replays], axis=0)
    ttft = np.median([one.ttft for one in replays], axis=0)
    seconds = np.median([one.seconds for one in replays], axis=0)
    return {
        "model": model,
        "instance": contest.subject.label,
        "policy": player.label,
        "eviction": schedule.eviction,
        "rounds": _figures(schedule.flow.astype(float), schedule.ttft.astype(float))
        | {"total_completion": schedule.total_completion, "makespan": schedule.makespan},
        "predicted": _figures(told.latency, told.ttft) | {"busy": float(told.seconds.sum())},
        "measured": _figures(latency, ttft)
        | {
            "busy": float(seconds.sum()),
            "iteration_median": float(np.median(seconds)),
            "iteration_p99": nearest_rank(seconds, 99),
            "repeats": [float(one.latency.mean()) for one in replays],
            "processor_share": min(one.share for one in replays),
        },
        "counts": dict(replays[0].counts),
        "guarantee": player.guarantee,
        "latency": _short(latency),
        "ttft": _short(ttft),
        "iterations": _short(seconds),
    }


def nearest_rank(values: npt.ArrayLike, percent: float) -> float:
    """Return the percentile by nearest rank, as `Schedule.percentile` does."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return float(ordered[max(0, int(np.ceil(percent * len(ordered) / 100)) - 1)])


def _figures(latency: npt.NDArray[np.float64], ttft: npt.NDArray[np.float64]) -> dict[str, float]:
    return {
        "mean": float(latency.mean()),
        "p50": nearest_rank(latency, 50),
        "p90": nearest_rank(latency, 90),
        "p99": nearest_rank(latency, 99),
        "ttft_mean": float(ttft.mean()),
        "ttft_p99": nearest_rank(ttft, 99),
    }


def _short(values: npt.NDArray[np.float64]) -> list[float]:
    """Six significant digits are more than a clock knows."""
    return [float(f"{value:.6g}") for value in values.tolist()]
