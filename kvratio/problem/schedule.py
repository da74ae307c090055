"""A schedule: who ran when. Totals are stored, the list of attempts may be rebuilt on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

#: one row per attempt: it ran in rounds start+1 .. stop
ATTEMPT_DTYPE = np.dtype([("request", "<i8"), ("start", "<i8"), ("stop", "<i8"), ("completed", "?")])

Attempts = npt.NDArray[Any]
EVICTIONS = ("restart", "recompute", "swap")


@dataclass(frozen=True, eq=False)
class Schedule:
    """The outcome of one policy on one instance, in unit rounds.

    Parameters
    ----------
    instance : Instance
    completion : int64[n]
        The round at whose end each request finishes.
    start : int64[n]
        Start of the completing attempt.
    first_start : int64[n], optional
        Start of the first attempt; default ``start``.
    attempts_source : array or callable
        Structured array of `ATTEMPT_DTYPE`, sorted by (start, request), or a function that rebuilds it.
    policy, eviction, seed, params
        What produced it.
    evictions : int
        Attempts that did not complete (kills at slice ends count).
    wasted_rounds, wasted_token_rounds : int
        Rounds and token-rounds of void attempts; 0 unless eviction is ``restart``.
    recomputed_tokens : int
        Tokens processed again at resumptions; 0 unless eviction is ``recompute``.
    """

    instance: Instance
    completion: IntArray
    start: IntArray
    attempts_source: Attempts | Callable[[], Attempts]
    policy: str = ""
    eviction: str = "restart"
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    first_start: IntArray = None  # type: ignore[assignment]
    evictions: int = 0
    wasted_rounds: int = 0
    wasted_token_rounds: int = 0
    recomputed_tokens: int = 0

    def __post_init__(self) -> None:
        if self.eviction not in EVICTIONS:
            raise BadParameter(f"eviction is {self.eviction!r}: choose one of {', '.join(EVICTIONS)}")
        if self.first_start is None:
            object.__setattr__(self, "first_start", self.start)
        for array in (self.completion, self.start, self.first_start):
            array.flags.writeable = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "attempts_source": self.attempts}

    @classmethod
    def from_starts(cls, instance: Instance, starts: npt.ArrayLike, policy: str = "witness") -> Schedule:
        """Build the schedule without kills that starts request i at ``starts[i]``; feasibility is not checked here."""
        start = np.array(starts, dtype=np.int64)
        if start.shape != (instance.n,):
            raise BadParameter(f"starts has shape {start.shape}: give {instance.n} integers, one per request")
        completion = start + instance.output
        rows = np.zeros(instance.n, dtype=ATTEMPT_DTYPE)
        rows["request"], rows["start"], rows["stop"], rows["completed"] = np.arange(instance.n), start, completion, True
        return cls(instance, completion, start, rows[np.lexsort((rows["request"], rows["start"]))], policy=policy)

    @classmethod
    def from_attempts(cls, instance: Instance, rows: Attempts, eviction: str = "restart", **about: Any) -> Schedule:
        """Build a schedule from its attempts and compute every total from them (used by the reference engine)."""
        rows = np.asarray(rows, dtype=ATTEMPT_DTYPE)
        rows = rows[np.lexsort((rows["request"], rows["start"]))]
        n = instance.n
        stray = np.flatnonzero((rows["request"] < 0) | (rows["request"] >= n))
        if stray.size:
            raise BadParameter(f"attempt {stray[0]} names request {rows['request'][stray[0]]}; there are {n}")
        completion, start, first = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        done = rows[rows["completed"]]
        completion[done["request"]], start[done["request"]] = done["stop"], done["start"]
        first[rows["request"][::-1]] = rows["start"][::-1]
        lost = rows[~rows["completed"]]
        length = lost["stop"] - lost["start"]
        totals = {"evictions": len(lost)}
        if eviction == "restart":
            area = instance.prompt[lost["request"]] * length + length * (length + 1) // 2
            totals |= {"wasted_rounds": int(length.sum()), "wasted_token_rounds": int(area.sum())}
        if eviction == "recompute":
            kept = np.zeros(n, np.int64)
            again = 0
            for row in rows:
                i = int(row["request"])
                again += int(instance.prompt[i] + kept[i]) if kept[i] else 0
                kept[i] += row["stop"] - row["start"]
            totals["recomputed_tokens"] = again
        return cls(instance, completion, start, rows, eviction=eviction, first_start=first, **{**totals, **about})

    # -- objectives -----------------------------------------------------------------------------------------------
    @property
    def attempts(self) -> Attempts:
        """Attempts as a structured array (request, start, stop, completed), sorted by (start, request)."""
        if callable(self.attempts_source):
            object.__setattr__(self, "attempts_source", self.attempts_source())
        return self.attempts_source  # type: ignore[return-value]

    @property
    def total_completion(self) -> int:
        """Sum of completion rounds."""
        return int(self.completion.sum())

    @property
    def flow(self) -> IntArray:
        """End-to-end latency C - a of each request, in rounds, int64[n]."""
        return self.completion - self.instance.arrival

    @property
    def total_flow(self) -> int:
        """Sum of (completion - arrival)."""
        return int(self.flow.sum())

    @property
    def makespan(self) -> int:
        """Last completion round."""
        return int(self.completion.max())

    @property
    def ttft(self) -> IntArray:
        """Rounds until the first token that counts, int64[n] (docs/model.md, objectives)."""
        first = self.start if self.eviction == "restart" else self.first_start
        return first + 1 - self.instance.arrival

    @property
    def utilisation(self) -> float:
        """Token-rounds of completing attempts over memory x makespan."""
        return int(self.instance.volume.sum()) / (self.instance.memory * self.makespan)

    def cost(self, objective: str = "completion") -> int:
        """Total of an objective, ``"completion"`` or ``"flow"``."""
        if objective == "completion":
            return self.total_completion
        if objective == "flow":
            return self.total_flow
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")

    def percentile(self, p: float, of: str = "flow") -> int:
        """Nearest-rank p-th percentile of ``"flow"``, ``"completion"`` or ``"ttft"``, 0 < p <= 100."""
        if not 0 < p <= 100:
            raise BadParameter(f"percentile is {p}: choose a number in (0, 100]")
        values = np.sort(getattr(self, of))
        return int(values[max(0, int(np.ceil(p * len(values) / 100)) - 1)])

    def memory_curve(self) -> tuple[IntArray, IntArray, IntArray]:
        """Memory over time as (round, demand in it, demand in the round before the next point - ends).

        Returns
        -------
        epoch : int64[k]
            Epochs at which something starts or ends, ascending; between two of them memory is linear.
        first, last : int64[k]
            Demand of round ``epoch + 1`` and of the last round before the next epoch of the list.
        """
        rows = self.attempts
        offset = self.instance.prompt[rows["request"]] - rows["start"]
        if self.eviction != "restart":
            offset = offset + self._kept_before(rows)
        times = np.concatenate([rows["start"], rows["stop"]])
        slope = np.concatenate([np.ones(len(rows), np.int64), -np.ones(len(rows), np.int64)])
        level = np.concatenate([offset, -offset])
        order = np.argsort(times, kind="stable")
        epoch, at = np.unique(times[order], return_index=True)
        m = np.add.reduceat(slope[order], at).cumsum()
        b = np.add.reduceat(level[order], at).cumsum()
        following = np.append(epoch[1:], epoch[-1] + 1)
        return epoch, b + m * (epoch + 1), b + m * following

    def _kept_before(self, rows: Attempts) -> IntArray:
        """Tokens that each attempt starts with under recompute or swap."""
        order = np.lexsort((rows["start"], rows["request"]))
        length = (rows["stop"] - rows["start"])[order]
        total = np.cumsum(length) - length
        request = rows["request"][order]
        first = np.searchsorted(request, request, side="left")
        kept = np.empty(len(rows), np.int64)
        kept[order] = total - total[first]
        return kept

    # -- files ----------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Schedule)
            and self.instance == other.instance
            and self.eviction == other.eviction
            and np.array_equal(self.attempts, other.attempts)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Schedule({self.policy} on {self.instance.name or 'unnamed'}: n={self.instance.n}, "
            f"total_completion={self.total_completion}, makespan={self.makespan}, evictions={self.evictions})"
        )

    def save(self, path: str | Path) -> Path:
        """Write one ``.json`` file with the instance, the attempts and what produced them."""
        path = Path(path)
        rows = self.attempts
        data = {
            "kind": "schedule",
            "policy": self.policy,
            "eviction": self.eviction,
            "seed": self.seed,
            "params": dict(self.params),
            "instance": self.instance.to_dict(),
            "attempts": [[int(r["request"]), int(r["start"]), int(r["stop"]), int(r["completed"])] for r in rows],
        }
        path.write_text(json.dumps(data) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Schedule:
        """Read a file written by `save`; totals are computed again from the attempts."""
        try:
            data = json.loads(Path(path).read_text())
            rows = np.array([(a, b, c, bool(d)) for a, b, c, d in data["attempts"]], dtype=ATTEMPT_DTYPE)
            instance = Instance.from_dict(data["instance"])
            about = {k: data[k] for k in ("policy", "seed", "params")}
            return cls.from_attempts(instance, rows, data["eviction"], **about)
        except (KeyError, TypeError, json.JSONDecodeError) as fault:
            raise BadParameter(f"{path} is not a saved schedule ({type(fault).__name__}: {fault})") from fault
