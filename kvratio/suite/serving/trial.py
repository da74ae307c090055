"""One replication at one rate: every policy serves the same draw."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from algos.serving import simulate
from algos.serving.unconditional import OutsideConditions
from kvratio.problem.errors import KvratioError
from kvratio.problem.fitting import FitWarning
from kvratio.problem.requests import Requests
from kvratio.problem.service import Run
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load
from kvratio.suite.serving.measure import measure
from kvratio.suite.serving.verdict import Evidence
from kvratio.suite.serving.warmup import CoolDownTooShort
from stability.conditions import NoThresholds

#: every run of an experiment is cut at so many times the last arrival
CUT = 1.5
#: what a cell says beside "ok"
NO_THRESHOLDS, REFUSED, FAILED = "no thresholds", "refused", "failed"


@dataclass(frozen=True)
class Draw:
    """Which requests: one replication of a load at a rate.

    Parameters
    ----------
    load : Load
    rate : float
        Requests per second.
    n : int
        Requests that arrive.
    seed, replication : int
    backlog : int
        Requests more that wait at time 0.
    """

    load: Load
    rate: float
    n: int
    seed: int
    replication: int
    backlog: int = 0

    def requests(self) -> Requests:
        """Draw them."""
        return self.load.draw(self.rate, self.n, self.seed, self.replication, self.backlog)


@dataclass(frozen=True)
class Measuring:
    """How runs are measured: see `measure`."""

    warmup: float | str = 0.2
    cooldown: float = 0.2
    ttft_target: float | None = None
    tpot_target: float | None = None


def parse_share(text: str) -> float | str:
    """Read a warm-up as it is written: a number, or ``auto``."""
    try:
        return float(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class Cell:
    """One policy on one draw.

    Attributes
    ----------
    status : str
        "ok"; "no thresholds" of a WAIT at this rate; "refused", a cool-down too short for it; "failed".
    note : str
        Why, in one line; where it is ok, what should be known of it.
    metrics : dict
        Of `Measure.row`; empty unless ok.
    evidence : Evidence or None
        For the verdict.
    settings : dict
        Resolved parameters.
    """

    status: str
    note: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def serve(requests: Requests, policy: PolicySpec, hardware: Hardware, gaps: bool = False) -> Run:
    """Run a policy as experiments do: cut at 1.5 times the last arrival. ``gaps``: keep all those between tokens."""
    return simulate(
        requests,
        policy.id,
        hardware.clock,
        hardware.memory,
        policy.eviction,
        cut=CUT * requests.last_arrival,
        block=hardware.block,
        gaps=gaps,
        **policy.parameters,
    )


def trial(draw: Draw, hardware: Hardware, policies: Sequence[PolicySpec], measuring: Measuring) -> list[Cell]:
    """Serve one draw by every policy and measure."""
    requests = draw.requests()
    return [_cell(requests, policy, hardware, measuring) for policy in policies]


def _cell(requests: Requests, policy: PolicySpec, hardware: Hardware, measuring: Measuring) -> Cell:
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", OutsideConditions)
            run = serve(requests, policy, hardware, gaps=True)
    except NoThresholds as fault:
        return Cell(NO_THRESHOLDS, str(fault))
    except KvratioError as fault:
        return Cell(FAILED, str(fault))
    evidence, settings = Evidence.of(run), dict(run.params)
    note = "; ".join(str(warning.message) for warning in told)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)  # told once for all cells
            found = measure(run, **vars(measuring))
    except CoolDownTooShort as fault:
        # The growth of the queue is known all the same.
        return Cell(REFUSED, str(fault), {}, evidence, settings)
    return Cell("ok", note, found.row(), evidence, settings)


def evidences(
    load: Load, rate: float, n: int, seed: int, replication: int, hardware: Hardware, policy: PolicySpec, backlog: int
) -> Evidence | str:
    """Return what the verdict needs of one replication, or why there are no thresholds."""
    requests = load.draw(rate, n, seed, replication, backlog)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutsideConditions)
            return Evidence.of(serve(requests, policy, hardware))
    except NoThresholds as fault:
        return str(fault)


def warm_up(policies: Sequence[PolicySpec]) -> None:
    """Compile what the policies need once, so that worker processes find it on disk."""
    tiny = Requests([2, 2], [2, 2], [0.0, 1.0])
    for policy in {spec.id for spec in policies}:
        simulate(tiny, policy, "a100-llama2-7b", 1000)
