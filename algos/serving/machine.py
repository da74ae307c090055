"""One worker in compiled state: it can be advanced to a time, fed with requests, and read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from algos.serving.cards import Case, ServingCard
from algos.serving.tables import make_truth, make_view
from kvratio.problem.clock import seconds
from kvratio.problem.compiled import UNCOUNTED, compiled
from kvratio.problem.errors import BadParameter, PolicyError
from kvratio.problem.service import Run

#: rows of the first iteration log; it is doubled when it is full
FIRST_LOG = 4096


@cache
def compiled_hook(decide: Any) -> Any:
    """Compile a policy's hook, once per process; on disk once per source."""
    from numba import types

    from algos.serving.state import VIEW_TYPE

    return compiled(decide, signature=types.int64(VIEW_TYPE), **UNCOUNTED)


class Machine:
    """One worker with its policy, in compiled state that can be advanced and resumed.

    Parameters
    ----------
    card : ServingCard
    case : Case
        All requests that the worker will ever get.
    settings : mapping
        Resolved parameters.
    eviction : str
    log : bool
    open : bool
        Whether requests become known one by one, by `feed`; else all are known at once.
    track : bool
        Whether evictions are written down (`losses`). Only under ``restart``, where a decision evicts nobody twice.
    gaps : bool
        Whether every gap between tokens is kept, four bytes each.
    """

    def __init__(
        self,
        card: ServingCard,
        case: Case,
        settings: Mapping[str, Any],
        eviction: str,
        log: bool = False,
        *,
        open: bool = False,
        track: bool = False,
        gaps: bool = False,
    ) -> None:
        from algos.serving import advance
        from algos.serving.state import EVICTIONS

        self.card, self.case, self.settings, self.eviction, self.logged = card, case, dict(settings), eviction, log
        if track and eviction != "restart":
            raise BadParameter(f"{card.id}: evictions are tracked under restart only, not under {eviction}")
        n = case.requests.n
        layout = card.layout(case, settings) if card.layout else None
        together = layout is None and (card.together is None or card.together(settings))
        self._view = make_view(card, case, settings, layout)
        self._truth = make_truth(case, together, FIRST_LOG if log else 0, 2 * n if track else 0, gaps)
        s = self._view.st[0]
        s["memory"], s["block"], s["eviction"], s["known"] = (
            case.memory,
            case.block,
            EVICTIONS[eviction],
            0 if open else n,
        )
        s["closed"] = not open
        s["oldest"], s["newest"], s["together"], s["queued"] = -1, -1, together, layout is not None
        s["grouped"], s["tell"], s["logged"] = layout is not None and layout.grouped, card.tell, log
        s["tracked"] = track
        advance.prepare(self._view, self._truth)

    def feed(self, arrival: float | None = None, here: bool = True) -> int:
        """Make the next request of the case known, and return its index.

        Parameters
        ----------
        arrival : float, optional
            Seconds at which it arrives, not before `now` nor before the last one. Default: as in the case.
        here : bool
            False: another worker gets it.
        """
        from algos.serving.state import ELSEWHERE

        s = self._view.st[0]
        i = int(s["known"])
        if arrival is not None:
            self._truth.req[i]["arrival"] = arrival
        if not here:
            self._truth.req[i]["refused"] = ELSEWHERE
        s["known"] = i + 1
        return i

    def close(self) -> None:
        """Say that no further request will come."""
        self._view.st[0]["closed"] = 1

    def watch(self) -> None:
        """Let `advance` return after every iteration in which a request completes."""
        self._view.st[0]["watched"] = 1

    @property
    def used(self) -> int:
        """Footprint of all residents in tokens."""
        return int(self._view.st[0]["used"])

    @property
    def unfinished(self) -> int:
        """Requests that have arrived and are neither refused nor completed."""
        return int(self._view.st[0]["unfinished"])

    @property
    def now(self) -> float:
        """Seconds at which the worker stands."""
        return float(self._truth.clock[0]["now"])

    @property
    def iterations(self) -> int:
        """Iterations run."""
        return int(self._view.st[0]["iterations"])

    @property
    def completion(self) -> npt.NDArray[np.float64]:
        """Seconds at which each request completed, nan of those that have not, float64[n]; a live view, not a copy."""
        return _view_only(self._truth.req["completion"])

    @property
    def admitted(self) -> npt.NDArray[np.float64]:
        """Seconds at which each request was first admitted, nan before, float64[n]; a live view, not a copy."""
        return _view_only(self._truth.req["admitted"])

    @property
    def losses(self) -> npt.NDArray[Any]:
        """Evictions so far, if they are tracked, in time order: rows of `algos.serving.state.LOSS`."""
        return self._truth.lost[: int(self._view.st[0]["losses"])].copy()

    def advance(self, until: float, cut: float = math.inf) -> int:
        """Run every decision before ``until``, in a world that ends at ``cut``; return why it stopped.

        Raises
        ------
        PolicyError
            When the policy fills more than the memory.
        """
        from algos.serving.advance import LOG_FULL, OVER_MEMORY, advance

        hook = compiled_hook(self.card.decide)
        while True:
            code = advance(hook, self._view, self._truth, until, cut)
            if code == OVER_MEMORY:
                raise PolicyError(f"{self.card.id}: its batch at {self.now} s holds more than the memory")
            if code != LOG_FULL:
                return int(code)
            if self.logged and int(self._view.st[0]["rows"]) == len(self._truth.log):
                self._truth = self._truth._replace(log=_doubled(self._truth.log))
            else:
                self._truth = self._truth._replace(lost=_doubled(self._truth.lost))

    def run(self, seed: int = 0) -> Run:
        """Return what has happened so far."""
        secret, s, c = self._truth.req, self._view.st[0], self._truth.clock[0]
        completion = secret["completion"].copy()
        done = ~np.isnan(completion)
        attempt = done & (self.eviction == "restart")
        return Run(
            requests=self.case.requests,
            policy=self.card.id,
            eviction=self.eviction,
            memory=self.case.memory,
            clock=self.case.clock,
            params=self.settings,
            seed=int(seed),
            admitted=secret["admitted"].copy(),
            prefill_done=np.where(attempt, secret["attempt_prefill"], secret["prefill"]),
            first_token=np.where(attempt, secret["attempt_token"], secret["token"]),
            completion=completion,
            evictions=secret["evictions"].copy(),
            refused=self.case.refused,
            max_gap=self._gaps(),
            end=float(c["now"]),
            busy=float(c["busy"]) + seconds(self._truth.rates, self._truth.counts),
            token_seconds=float(c["token_seconds"]),
            counters={
                "iterations": int(s["iterations"]),
                "evictions": int(s["evictions"]),
                "refused": int(self.case.refused.sum()),
                "wasted_prefill_tokens": int(s["wasted_prefill"]),
                "wasted_decode_tokens": int(s["wasted_decode"]),
                "moved_tokens": int(s["moved_total"]),
                "emitted_tokens": int(s["emitted"]),
                "peak_footprint": int(s["peak"]),
                "largest_cached": int(self._truth.most[0]),
                "largest_prompt": int(self._truth.most[1]),
            },
            cut=bool((~done & ~self.case.refused).any()),
            iterations=self._truth.log[: int(s["rows"])].copy(),
            gaps=self._truth.trail.copy(),
        )

    def _gaps(self) -> npt.NDArray[np.float64]:
        """Longest gaps so far; of those that decode with the tick they are still in the stack."""
        from algos.serving.state import DECODING

        s, t = self._view.st[0], self._truth
        gaps = t.req["gap"].copy()
        if s["together"]:
            top = int(s["gap_top"])
            for i in np.flatnonzero(self._view.req["status"] == DECODING):
                first = int(self._view.req["joined"][i]) + 2
                if first <= s["tick"]:
                    at = int(np.searchsorted(t.gap_tick[:top], first))
                    gaps[i] = np.fmax(gaps[i], t.gap_time[at])
        return gaps


def _view_only(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column of the engine's table that cannot be written through."""
    shown = column.view()
    shown.flags.writeable = False
    return shown


def _doubled(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a log with as many empty rows behind it."""
    return np.concatenate([rows, np.zeros_like(rows)])
