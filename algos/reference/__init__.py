"""The reference engine: slow, plain Python, one round at a time, written from docs/model.md and docs/policies.md.

It exists to be compared with: it shares no code with the compiled engine, and each rule stands in it in the order
in which the documents state it. Use `algos.schedule` for work.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from algos.reference.clairvoyant import Gba, GbaD, Sps
from algos.reference.clearing import AlphaBetaClearing, AlphaProtection
from algos.reference.congestion_rules import Mixed, RateCapped
from algos.reference.engine import Outcome, Problem, run
from algos.reference.engine_style import S3, Orca, VllmFcfs
from algos.reference.intervals import LowerBoundFirst, UpperBoundFirst
from algos.reference.list_policies import (
    FirstComeFirstServed,
    ShortestFirst,
    SmallestVolumeFirst,
    TotalSizeFirst,
    TunedVolumeFirst,
)
from algos.reference.lp_order import LpSwap, SortedLp
from algos.reference.nonclairvoyant import Gsa, GsaSpec
from algos.reference.policy import Policy
from algos.reference.preemptive import FastServeMlfq, LearningToRank, Trail
from algos.reference.relatives import (
    OneBitSmallestVolumeFirst,
    ShortestJobFirst,
    StaggeredSmallestVolumeFirst,
    StaggeredTunedVolumeFirst,
)
from algos.reference.route import Route
from algos.reference.serving_rules import FasterTransformer, LightLlm, NestedWait, Sarathi, Served, Wait, WaitCapped
from algos.reference.sorted_f import SortedF
from algos.reference.unequal import Rect, Response
from kvratio.problem import ATTEMPT_DTYPE, Instance, Schedule
from kvratio.problem.errors import BadParameter, UnknownName

POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        FirstComeFirstServed,
        ShortestFirst,
        ShortestJobFirst,
        TotalSizeFirst,
        SmallestVolumeFirst,
        OneBitSmallestVolumeFirst,
        StaggeredSmallestVolumeFirst,
        TunedVolumeFirst,
        StaggeredTunedVolumeFirst,
        SortedF,
        SortedLp,
        LpSwap,
        UpperBoundFirst,
        LowerBoundFirst,
        AlphaProtection,
        AlphaBetaClearing,
        Sps,
        Gba,
        GbaD,
        Gsa,
        GsaSpec,
        Rect,
        Response,
        Route,
        VllmFcfs,
        Orca,
        S3,
        FastServeMlfq,
        Trail,
        LearningToRank,
        RateCapped,
        Mixed,
        Wait,
        NestedWait,
        WaitCapped,
        Sarathi,
        FasterTransformer,
        LightLlm,
    )
}
ALIASES = {"sf": "mc_sf"}


def schedule(
    inst: Instance,
    policy: str,
    eviction: str | None = None,
    seed: int = 0,
    round_limit: int = 10**8,
    **params: Any,
) -> Schedule:
    """Run a policy on an instance, one round after another.

    Parameters
    ----------
    inst : Instance
    policy : str
        An id of docs/policies.md section 1.
    eviction : {"restart", "recompute", "swap"}, optional
        Default: that of the policy.
    seed : int
        For randomised policies.
    round_limit : int
        Most rounds that may be run; idle time before an arrival does not count.
    **params
        Parameters of the policy, by the names of docs/policies.md.

    Returns
    -------
    Schedule

    Raises
    ------
    UnknownName, BadParameter
        No such policy, eviction or parameter.
    PolicyError
        The policy overfilled the memory or got stuck; names policy, epoch and demand.
    RoundLimit
        Requests were unfinished after ``round_limit`` rounds.
    """
    name = ALIASES.get(policy, policy)
    if name not in POLICIES:
        raise UnknownName(f"policy {policy!r} is not known: choose one of {', '.join(POLICIES)}")
    chosen = POLICIES[name]
    mode = chosen.evictions[0] if eviction is None else eviction
    if mode not in chosen.evictions:
        raise BadParameter(f"{name}: eviction is {eviction!r}, it allows {', '.join(chosen.evictions)}")
    if issubclass(chosen, Served):
        return as_schedule(inst, chosen.serve(as_problem(inst), params, round_limit), name, mode, seed, params)
    outcome = run(as_problem(inst), lambda worker: chosen(worker, params, seed), mode, chosen.clairvoyant, round_limit)
    return as_schedule(inst, outcome, name, mode, seed, params)


def as_problem(inst: Instance) -> Problem:
    """Return the instance as Python integers, predictions clamped into [1, M - s]."""
    room = [inst.memory - s for s in inst.prompt.tolist()]

    def clamped(lengths: list[int]) -> list[int]:
        return [max(1, min(length, most)) for length, most in zip(lengths, room, strict=True)]

    return Problem(
        memory=inst.memory,
        prompt=inst.prompt.tolist(),
        output=inst.output.tolist(),
        arrival=inst.arrival.tolist(),
        predicted=clamped(inst.predicted.tolist()),
        low=clamped(inst.predicted_low.tolist()),
        high=clamped(inst.predicted_high.tolist()),
    )


def as_schedule(
    inst: Instance, outcome: Outcome, policy: str, eviction: str, seed: int, params: dict[str, Any]
) -> Schedule:
    """Return the outcome of a run as a Schedule; the counters are the engine's own."""
    rows = sorted(outcome.attempts, key=lambda attempt: (attempt[1], attempt[0]))
    completion, start, first_start = [0] * inst.n, [0] * inst.n, [-1] * inst.n
    for i, begin, stop, completed in rows:
        if first_start[i] < 0:
            first_start[i] = begin
        if completed:
            completion[i], start[i] = stop, begin
    return Schedule(
        inst,
        np.array(completion, dtype=np.int64),
        np.array(start, dtype=np.int64),
        np.array(rows, dtype=ATTEMPT_DTYPE),
        policy=policy,
        eviction=eviction,
        seed=seed,
        params=params,
        first_start=np.array(first_start, dtype=np.int64),
        evictions=outcome.evictions,
        wasted_rounds=outcome.wasted_rounds,
        wasted_token_rounds=outcome.wasted_token_rounds,
        recomputed_tokens=outcome.recomputed_tokens,
    )


__all__ = ["POLICIES", "schedule"]
