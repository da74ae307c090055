"""The fluid equilibrium: what a worker settles to when everything is deterministic and divisible.

Type j has prompt l, output o and rate r; in every iteration of dT seconds n = r dT of its requests stand in each of the
o + 1 stages. Then a batch holds M = dT sum r A tokens, and dT must be the time that this batch takes.
Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320), with a prefill term added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Type
from stability.batch_time import AnyClock, per_type, pieces
from stability.mix import FloatArray, Mix, columns, tokens_of_memory, types_of

#: M* may exceed C by this share and still count as C: rounding of the sums
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The fluid equilibrium of a mix on a clock.

    Attributes
    ----------
    types : tuple of Type
        Prompt, output (tokens) and rate (requests per second) of each of the m types.
    clock : Clock or RooflineClock
    memory : float or None
        C in tokens, as given.
    A : float64[m]
        Token-iterations of a request, ``(o+1)(l + o/2)``.
    R, S : float
        ``sum r A`` and ``sum r l``, tokens per second.
    slack : float
        Share of the time left when all per-token work is done, ``1 - d1 R - d2 S``; <= 0: unstable at any memory.
    dT : float
        Seconds of one iteration, ``d0 / slack``; inf without slack.
    n : float64[m]
        Requests of each type in each of its stages, ``r dT``.
    M : float
        Tokens in memory, ``dT R``.
    throughput : float
        Output tokens per second that arrive, ``sum r o``: what is served if stable, and what no online policy beats.
    latency : float64[m]
        Seconds from arrival to completion, ``(o+1) dT``.
    scale : float
        Largest factor on all rates that keeps M <= C; without memory, the factor at which the slack is used up.
    r_c : float
        ``scale * sum r``: the largest stable rate of this mix, requests per second.
    stable : bool
        Whether slack > 0 and M <= C.
    reason : str
        One line that says why.
    """

    types: tuple[Type, ...]
    clock: AnyClock
    memory: float | None
    A: FloatArray
    R: float
    S: float
    slack: float
    dT: float  # noqa: N815 - the symbol of the theory
    n: FloatArray
    M: float
    throughput: float
    latency: FloatArray
    scale: float
    r_c: float
    stable: bool
    reason: str

    @property
    def rate(self) -> float:
        """Requests per second of all types."""
        return float(sum(kind.rate for kind in self.types))


@overload
def equilibrium(types: Mix, clock: AnyClock, memory: float | None = None) -> Equilibrium: ...
@overload
def equilibrium(types: Mix, d0: float, d1: float, d2: float = 0.0, memory: float | None = None) -> Equilibrium: ...
def equilibrium(types: Mix, *machine: Any, **named: Any) -> Equilibrium:
    """Return the fluid equilibrium of a mix.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
        Tokens, tokens, requests per second.
    clock : Clock or RooflineClock
        In its place, the seconds ``d0, d1, d2`` of a linear clock may be given.
    memory : float, optional
        C in tokens. Without it, memory does not limit.

    Returns
    -------
    Equilibrium

    Raises
    ------
    BadParameter
        One line: a rate, length, clock or memory without meaning, or a type that does not fit into memory.

    Notes
    -----
    Linear clock: ``dT = d0 / (1 - d1 R - d2 S)``. The roofline clock is the larger of two linear pieces, so its dT,
    the least solution of dT = time of the fluid batch at dT, is the larger of their two.
    """
    clock, memory = _machine(machine, named)
    mix = types_of(types)
    prompt, output, rate = columns(mix)
    limit = None if memory is None else tokens_of_memory(memory)
    if limit is not None:
        _must_fit(mix, limit)
    batch = per_type(prompt, output)
    work = pieces(clock)
    R, S, decodes = (float(value) for value in rate @ batch)
    load = work[:, 1:] @ np.array([R, S, decodes])
    slack = float(1 - load.max())
    dT = float((work[:, 0] / (1 - load)).max()) if slack > 0 else math.inf
    use = load if limit is None else load + work[:, 0] * R / limit
    M, worst = dT * R, float(use.max())
    scale = math.inf if worst <= 0 else 1 / worst
    stable = slack > 0 and (limit is None or limit * (1 + ROUNDING) >= M)
    total = float(rate.sum())
    return Equilibrium(
        types=mix,
        clock=clock,
        memory=limit,
        A=batch[:, 0],
        R=R,
        S=S,
        slack=slack,
        dT=dT,
        n=rate * dT,
        M=M,
        throughput=decodes,
        latency=(output + 1) * dT,
        scale=scale,
        r_c=scale * total,
        stable=stable,
        reason=_reason(slack, M, limit, total, scale * total),
    )


def region(types: Mix, clock: AnyClock, memory: float) -> FloatArray:
    """Return the stability region as loads per unit rate: rates r are stable iff ``(loads @ r <= 1).all()``.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
        The rates are not used.
    clock : Clock or RooflineClock
    memory : float
        C in tokens.

    Returns
    -------
    float64[p, m]
        One row per linear piece of the clock: ``d0 A / C + d1 A + d2 l`` for a linear clock (derived: put M* = C).
    """
    mix = types_of(types)
    limit = tokens_of_memory(memory)
    _must_fit(mix, limit)
    prompt, output, _ = columns(mix)
    batch = per_type(prompt, output)
    work = pieces(clock)
    return work[:, 1:] @ batch.T + work[:, :1] * batch[:, 0] / limit


def _machine(given: tuple[Any, ...], named: dict[str, Any]) -> tuple[AnyClock, float | None]:
    """Tell ``clock, memory`` from ``d0, d1, d2, memory``."""
    by_clock = "clock" in named or (given and isinstance(given[0], (Clock, RooflineClock)))
    names = ("clock", "memory") if by_clock else ("d0", "d1", "d2", "memory")
    found = dict(zip(names, given, strict=False))
    extra = [name for name in named if name not in names or name in found]
    found |= named
    missing = [name for name in names[: 1 if by_clock else 2] if name not in found]
    if len(given) > len(names) or extra or missing:
        raise BadParameter("equilibrium: give (types, clock, memory=None) or (types, d0, d1, d2=0, memory=None)")
    memory = found.pop("memory", None)
    clock = found["clock"] if by_clock else Clock(**found)
    pieces(clock)
    return clock, memory


def _must_fit(types: tuple[Type, ...], memory: float) -> None:
    for j, kind in enumerate(types):
        if kind.prompt + kind.output > memory:
            raise BadParameter(
                f"type {j}: prompt {kind.prompt:g} + output {kind.output} = {kind.prompt + kind.output:g} > memory "
                f"{memory:g}: such requests are refused on arrival, leave the type out or take memory larger"
            )


def _reason(slack: float, M: float, memory: float | None, rate: float, r_c: float) -> str:
    if slack <= 0:
        return f"unstable: per-token work takes {1 - slack:.6g} s per second at {rate:.6g} requests/s (limit {r_c:.6g})"
    if memory is None:
        return f"stable with enough memory: M* = {M:.6g} tokens, slack {slack:.6g}"
    if memory * (1 + ROUNDING) < M:
        return (
            f"overloaded: M* = {M:.6g} tokens > memory {memory:.6g} by {M - memory:.6g}; "
            f"largest stable rate {r_c:.6g} requests/s, given {rate:.6g}"
        )
    return f"stable: M* = {M:.6g} <= memory {memory:.6g} tokens; {rate:.6g} of {r_c:.6g} requests/s"
