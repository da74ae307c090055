"""The verdict on a mix: stable or not, how fast it would grow, what it costs, and what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import Classes, classes_of, memory_of
from stability.congestion.rates import equilibrium_of, pulse_of, pulse_weights, worst_of
from stability.congestion.spectrum import MARGIN, e_folding, modes_of, radius_of
from stability.congestion.spread import widening
from stability.congestion.stages import stages_of
from stability.congestion.threshold import min_prompt
from stability.congestion.trajectory import Trajectory, run

#: growth or decay slower than e-fold in so many iterations is too weak to tell: about an hour at 40 ms an iteration
HORIZON = 100_000
#: e-folding times after which a simulation has seen the growth
E_FOLDS = 20
#: longest decode lengths that the simulation covers at least (unstable, stable), and its most iterations
LEAST_TURNS, STABLE_TURNS, MOST_STEPS = 10, 4, 400_000
#: products of the simulation: about half a second
WORK = 10**9
#: widest spread that a diagnosis tries, and the most classes it tries it for
WIDEST, MOST_WIDENED = 64, 9
#: throughput this share below x* is a loss that a run from empty shows
SEEN = 0.005


@dataclass(frozen=True)
class Remedy:
    """One thing to do.

    Attributes
    ----------
    kind : str
        "cap", "reserve", "route", "widen", "prompt" or "drain".
    text : str
        One line.
    value : float or None
        Requests per iteration (cap, drain) or tokens (widen, prompt).
    """

    kind: str
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What the congestion theory says of a mix, per iteration.

    Attributes
    ----------
    verdict : str
        "stable", "unstable" or "too weak to tell".
    rho : float
        Spectral radius.
    unstable_modes : int
        Roots on or outside the unit circle.
    e_folding : float
        Iterations in which a deviation grows e-fold (unstable) or shrinks e-fold (stable); inf at rho = 1.
    gcd, stages, classes : int
        Of the decode lengths; the longest of them; classes with a share.
    equilibrium : float
        x*, completions per iteration without evictions; the admission cap that keeps it.
    pulse : float
        T_pulse; x* where the gcd is 1, T_worst for one decode length.
    pulse_rho : float
        Spectral radius on the pulse cycle: below 1 it is locally stable.
    worst : float
        Floor: no greedy run stays below it. T_worst for one class.
    cycle : str
        What the throughput is that of: "equilibrium", "worst cycle", "pulse cycle", "simulation" or, where only a
        simulation could tell and none was asked for, "floor".
    throughput : float
        Predicted completions per iteration under an endless backlog and greedy admission.
    loss : float
        ``1 - throughput / x*``. May be below 0 in a mix: short requests complete where long ones are evicted.
    evictions : float
        Evicted requests per iteration, second half of the simulation; nan without one.
    wasted_share : float
        Share of memory-iterations whose work was evicted, second half of the simulation; nan without one.
    steps : int
        Iterations simulated, from an empty worker.
    oversized : tuple of int
        Classes with l0 + l1 > M, which never complete as whole requests.
    reasons : tuple of str
        Lines that explain the verdict.
    remedies : tuple of Remedy
        In order of certainty; empty if stable.
    """

    verdict: str
    rho: float
    unstable_modes: int
    e_folding: float
    gcd: int
    stages: int
    classes: int
    equilibrium: float
    pulse: float
    pulse_rho: float
    worst: float
    cycle: str
    throughput: float
    loss: float
    evictions: float
    wasted_share: float
    steps: int
    oversized: tuple[int, ...]
    reasons: tuple[str, ...]
    remedies: tuple[Remedy, ...]

    @property
    def stable(self) -> bool:
        """Whether the verdict is "stable"."""
        return self.verdict == "stable"


def diagnose(
    prompt: Any,
    decode: Any,
    memory: float,
    shares: Any = None,
    *,
    horizon: float = HORIZON,
    steps: int | None = None,
) -> Diagnosis:
    """Return the verdict on a mix of classes, with reasons and remedies.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens. For a trace: one class per request.
    decode : int or int[K]
        Decode lengths, >= 1.
    memory : float
        M, tokens.
    shares : float[K], optional
        Sum 1; default: equal.
    horizon : float
        Iterations: a mix whose e-folding time is longer is "too weak to tell". A root within 1e-12 of the unit circle
        never decays, and counts as unstable.
    steps : int, optional
        Iterations of the simulation from empty; 0: none. Default: 10^9 stage updates, at most 400,000 iterations, and
        at least 10 (stable: 4) times the longest decode length.

    Returns
    -------
    Diagnosis

    Raises
    ------
    BadParameter
        One line: a value without meaning.

    Notes
    -----
    Spectral radius and cycles as in arXiv 2606.15555. The radius decides; the gcd only explains.
    """
    classes, tokens = classes_of(prompt, decode, shares), memory_of(memory)
    if math.isnan(horizon) or horizon <= 0:
        raise BadParameter(f"horizon is {horizon!r}: give iterations > 0")
    V = stages_of(classes).V
    rho, modes = radius_of(V), modes_of(V)
    time = e_folding(rho)
    verdict = "unstable" if modes else "stable"
    if time > horizon and abs(rho - 1) >= MARGIN:
        verdict = "too weak to tell"
    best, pulse = equilibrium_of(classes, tokens), pulse_of(classes, tokens)
    pulse_rho = radius_of(pulse_weights(classes))
    seen = _simulated(classes, tokens, LEAST_TURNS if modes else STABLE_TURNS, steps)
    half = 0 if seen is None else 1 + seen.steps // 2
    cycle, rate = "equilibrium", best
    if modes and classes.gcd > 1 and pulse_rho < 1 - MARGIN:
        cycle, rate = "worst cycle" if classes.gcd == classes.d else "pulse cycle", pulse
    elif modes:
        cycle, rate = ("floor", worst_of(classes, tokens)) if seen is None else ("simulation", seen.throughput(half))
    oversized = tuple(classes.index[classes.prompt + classes.decode > tokens].tolist())
    found = Diagnosis(
        verdict=verdict,
        rho=rho,
        unstable_modes=modes,
        e_folding=time,
        gcd=classes.gcd,
        stages=classes.d,
        classes=len(classes),
        equilibrium=best,
        pulse=pulse,
        pulse_rho=pulse_rho,
        worst=worst_of(classes, tokens),
        cycle=cycle,
        throughput=rate,
        loss=1 - rate / best,
        evictions=math.nan if seen is None else seen.evictions(half),
        wasted_share=math.nan if seen is None else seen.wasted_share(half),
        steps=0 if seen is None else seen.steps,
        oversized=oversized,
        reasons=(),
        remedies=tuple(_remedies(classes, tokens, best)) if modes else (),
    )
    seen_rate = math.nan if seen is None else seen.throughput(half)
    return replace(found, reasons=tuple(_reasons(found, classes, tokens, horizon, seen_rate)))


def _simulated(classes: Classes, memory: float, turns: int, steps: int | None) -> Trajectory | None:
    """Run from an empty worker; without ``steps``, as long as the work allows, but some longest decode lengths."""
    if steps is None:
        steps = max(turns * classes.d, min(MOST_STEPS, WORK // classes.d))
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise BadParameter(f"steps is {steps!r}: give a whole number of iterations >= 0")
    return run(classes, memory, int(steps), record="totals") if steps else None


def _reasons(found: Diagnosis, classes: Classes, memory: float, horizon: float, seen_rate: float) -> list[str]:
    """Return the lines that explain a diagnosis; ``seen_rate`` are the completions of its simulation, if any."""
    lines = [_growth(found, horizon)]
    time, best = found.e_folding, found.equilibrium
    if len(np.unique(classes.decode)) == 1 and classes.d > 1:
        lines.append("one decode length alone is unstable at any input")
    elif found.gcd > 1:
        lines.append(f"all decode lengths are multiples of {found.gcd}: unstable for long inputs at any shares")
    elif found.unstable_modes:
        lines.append("the gcd of the decode lengths is 1: longer inputs would be stable, these are too short")
    lost = found.verdict == "stable" and seen_rate < best * (1 - SEEN)
    if found.steps and lost and found.steps >= E_FOLDS * time:
        lines.append(
            f"small deviations die out, but a run from empty stays at {seen_rate:.6g} of x* = {best:.6g} completions "
            f"and {found.evictions:.3g} evictions per iteration after {found.steps:,} iterations"
        )
    if found.steps and found.unstable_modes and found.steps < E_FOLDS * time:
        lines.append(f"the simulation covers {found.steps / time:.2g} e-folding times only: the loss may yet grow")
    if found.oversized:
        lines.append(
            f"{len(found.oversized)} of the classes, first class {found.oversized[0]}, need prompt + decode > memory "
            f"{memory:g}: as whole requests they never complete, refuse them; the figures here are for divisible "
            "requests"
        )
    if best < 1:
        lines.append(f"x* = {best:.3g} < 1 request per iteration: whole requests follow these figures roughly only")
    return lines


def _growth(found: Diagnosis, horizon: float) -> str:
    modes, time = found.unstable_modes, found.e_folding
    if modes == 0:
        pace = f"a deviation shrinks e-fold in {time:.4g} iterations"
    elif math.isinf(time) or abs(found.rho - 1) < MARGIN:
        pace = f"{modes} roots on the unit circle: deviations neither grow nor die out"
    else:
        pace = f"{modes} unstable mode{'' if modes == 1 else 's'}, a deviation grows e-fold in {time:.4g} iterations"
    if found.verdict == "too weak to tell":
        pace += f", longer than the horizon of {horizon:g}"
    return f"spectral radius {found.rho:.9g}: {pace}"


def _remedies(classes: Classes, memory: float, best: float) -> list[Remedy]:
    """Return what helps, in order of certainty."""
    found = [
        Remedy("cap", f"admit at most x* = {best:.6g} requests per iteration: works for every mix", best),
        Remedy("reserve", "reserve memory up to completion (or a predicted length) before admitting"),
    ]
    distinct = len(np.unique(classes.decode))
    if distinct > 1:
        found.append(Remedy("route", "route the lengths over replicas so that the mix of each is stable"))
    else:
        found.append(Remedy("route", "mix in requests of other lengths: one length alone cannot be stable"))
    if len(classes) <= MOST_WIDENED:
        width = widening(classes.prompt, classes.decode, classes.share, limit=WIDEST)
        if width is not None:
            found.append(Remedy("widen", f"spread each decode length by +-{width} tokens", width))
    if distinct == 2 and len(classes) == 2 and classes.gcd == 1 and len(np.unique(classes.prompt)) == 1:
        order = np.argsort(classes.decode)
        a, b = classes.decode[order].tolist()
        need = min_prompt(a, b, float(classes.share[order[0]]))
        found.append(Remedy("prompt", f"inputs of {need:,.0f} tokens or more would be stable", need))
    floor = worst_of(classes, memory)
    found.append(
        Remedy("drain", f"once congested, a backlog surely drains only below {floor:.6g} per iteration", floor)
    )
    return found
