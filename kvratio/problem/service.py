"""A run of the serving model: when each request was served, and what each iteration did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import FloatArray, IntArray, Requests

if TYPE_CHECKING:
    import pandas as pd

#: a row of the iteration log. ``start`` and ``stop`` in seconds; ``decodes`` and ``prefills``: requests of the batch;
#: ``prompt_tokens`` processed; ``cached``: K of the batch; ``footprint`` of all residents, ``resident`` and ``waiting``
#: (with those swapped out) while it runs. ``repeats`` > 1: that many iterations in a row, alike but for one more token
#: per decode and iteration; ``cached`` and ``footprint`` are those of the first.
ITERATION_DTYPE = np.dtype(
    [
        ("start", "f8"), ("stop", "f8"), ("repeats", "i8"), ("decodes", "i8"), ("prefills", "i8"),
        ("prompt_tokens", "i8"), ("cached", "i8"), ("footprint", "i8"), ("resident", "i8"), ("waiting", "i8"),
    ]
)  # fmt: skip

#: what a run counts; the last three are the most at a time: tokens of all residents, of a batch, of its prompts
COUNTERS = (
    "iterations", "evictions", "refused", "wasted_prefill_tokens", "wasted_decode_tokens", "moved_tokens",
    "emitted_tokens", "peak_footprint", "largest_cached", "largest_prompt",
)  # fmt: skip


def gap_offsets(output: IntArray) -> IntArray:
    """Return where the gaps between tokens of each request begin when they stand one after another, int64[n + 1]."""
    return np.concatenate(([0], np.cumsum(np.maximum(output - 1, 0)))).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Run:
    """What happened to every request.

    Attributes
    ----------
    requests : Requests
    policy, eviction : str
    memory : int
        C in tokens.
    clock
        `Clock` or `RooflineClock`.
    params : dict
    seed : int
    admitted : float64[n]
        Seconds at which the request first became resident; nan if never.
    prefill_done : float64[n]
        End of the pass of stage 0: of the attempt that completed under ``restart``, else the first; nan if never.
    first_token : float64[n]
        End of the pass of stage 1, of the attempt that completed under ``restart``, else the first; nan if never.
    completion : float64[n]
        nan for requests that are refused or unfinished.
    evictions : int64[n]
    refused : bool[n]
        l + o > C.
    max_gap : float64[n]
        Longest time between two successive tokens (of the completing attempt under ``restart``); nan with one token.
    end : float
        Seconds at which the run ended.
    busy : float
        Seconds in iterations.
    token_seconds : float
        Integral over time of the footprint of all residents, tokens x seconds (during an iteration: its footprint).
    counters : dict
        `COUNTERS`.
    cut : bool
        Whether the run was stopped with requests unfinished.
    iterations : structured array of `ITERATION_DTYPE`
        Empty unless it was asked for with ``log=True``.
    gaps : float32[sum(max(o - 1, 0))]
        Every gap between successive tokens (of the completing attempt under ``restart``), seconds, request after
        request; nan where a token is missing. Empty unless it was asked for with ``gaps=True``. See `token_gaps`.
    """

    requests: Requests
    policy: str
    eviction: str
    memory: int
    clock: Any
    params: Mapping[str, Any]
    seed: int
    admitted: FloatArray
    prefill_done: FloatArray
    first_token: FloatArray
    completion: FloatArray
    evictions: IntArray
    refused: npt.NDArray[np.bool_]
    max_gap: FloatArray
    end: float
    busy: float
    token_seconds: float
    counters: Mapping[str, int]
    cut: bool = False
    iterations: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, ITERATION_DTYPE))
    gaps: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def latency(self) -> FloatArray:
        """Completion minus arrival, float64[n] seconds; nan where unfinished."""
        return self.completion - self.requests.arrival

    @property
    def ttft(self) -> FloatArray:
        """First token minus arrival, float64[n] seconds."""
        return self.first_token - self.requests.arrival

    @property
    def tpot(self) -> FloatArray:
        """Seconds per token after the first, float64[n]; nan where fewer than two tokens were produced."""
        gaps = np.where(self.requests.output >= 2, self.requests.output - 1, np.nan)
        return (self.completion - self.first_token) / gaps

    @property
    def completed(self) -> npt.NDArray[np.bool_]:
        """Which requests completed, bool[n]."""
        return ~np.isnan(self.completion)

    @property
    def utilisation(self) -> float:
        """Time-averaged footprint over C."""
        return self.token_seconds / (self.memory * self.end) if self.end > 0 else 0.0

    def token_gaps(self, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
        """Return every gap between successive tokens of completed requests, float32[..] seconds.

        Parameters
        ----------
        chosen : bool[n], optional
            Only of these.

        Raises
        ------
        BadParameter
            When the run was made without ``gaps=True``.
        """
        each = np.maximum(self.requests.output - 1, 0)
        if len(self.gaps) != each.sum():
            raise BadParameter("this run has kept no gaps between tokens: call simulate(..., gaps=True)")
        done = self.completed if chosen is None else self.completed & chosen
        return self.gaps[np.repeat(done, each)]

    def request_log(self) -> pd.DataFrame:
        """One row per request: lengths, times in seconds, evictions."""
        import pandas as pd

        r = self.requests
        return pd.DataFrame(
            {
                "prompt": r.prompt, "output": r.output, "kind": r.kind, "tenant": r.tenant, "arrival": r.arrival,
                "admitted": self.admitted, "prefill_done": self.prefill_done, "first_token": self.first_token,
                "completion": self.completion, "latency": self.latency, "ttft": self.ttft, "tpot": self.tpot,
                "max_gap": self.max_gap, "evictions": self.evictions, "refused": self.refused,
            }
        )  # fmt: skip

    def iteration_log(self) -> pd.DataFrame:
        """One row per entry of the iteration log.

        Raises
        ------
        BadParameter
            When the run was made without ``log=True``.
        """
        import pandas as pd

        if not len(self.iterations) and self.counters["iterations"]:
            raise BadParameter("this run has no iteration log: call simulate(..., log=True)")
        return pd.DataFrame({name: self.iterations[name] for name in ITERATION_DTYPE.names or ()})

    def save_logs(self, folder: str | Path, form: str = "parquet") -> list[Path]:
        """Write ``requests`` and, where it was recorded, ``iterations`` into a folder as CSV or Parquet."""
        if form not in ("parquet", "csv"):
            raise BadParameter(f"log format {form!r} is not known: choose parquet or csv")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"requests": self.request_log()}
        if len(self.iterations):
            tables["iterations"] = self.iteration_log()
        written = []
        for name, table in tables.items():
            path = folder / f"{name}.{form}"
            if form == "csv":
                table.to_csv(path, index=False)
            else:
                table.to_parquet(path, index=False)
            written.append(path)
        return written
