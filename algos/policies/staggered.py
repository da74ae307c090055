"""Staggered pipelines with slices of geometric length: sps, gba, gsa (arXiv 2601.22996; docs/policies.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

from algos.card import Card, Parameter
from algos.papers import FENG
from algos.timetable.guarantees import GBA_GUARANTEE, GSA_GUARANTEE, SPS_GUARANTEE
from algos.timetable.plans import largest_prompt
from algos.timetable.run import Timetable
from algos.timetable.slices import slices
from algos.timetable.sorting import sort_ascending
from algos.timetable.state import ALONE, PHASE
from kvratio.problem.compiled import inlined
from kvratio.problem.instance import Instance, IntArray

#: growth of the slices that makes the proven ratio least: for any memory, and for memory large against all peaks
GBA_ALPHA = {"general": 4 / 3, "large": 3 / 2}
GSA_ALPHA = {"general": (7 + sqrt(13)) / 6, "large": 2.0}

MOST = 1e18

REGIME = Parameter(
    "regime",
    "general",
    "preset of alpha: for any memory, or for memory large against all peaks",
    choices=("general", "large"),
)
TAU0 = Parameter(
    "tau0", 1, "length of the first slice; the guarantee asks tau0 <= max(1, shortest output)", low=1, high=MOST
)
PADDED = " Prompts of different length are padded to the longest, which voids the guarantee."


def growth(preset: str) -> Parameter:
    """Return the parameter alpha; ``preset`` says what its default is."""
    return Parameter("alpha", None, f"growth of the slices, above 1; default {preset}", low=1, high=MOST, above=True)


# -- sps ------------------------------------------------------------------------------------------------------------
def plan_sps(v):
    """One phase over all that fit its slice, the largest output; then the others alone."""
    s = v.st[0]
    if s.fresh == 0:
        s.lo = s.u
        s.hi = s.v
        return ALONE
    s.prompt = largest_prompt(v)
    longest = 0
    for r in range(s.hi):
        longest = max(longest, v.output[v.jobs[r]])
    s.tau = min(longest, s.memory - s.prompt)
    fitting, others = 0, 0
    for r in range(s.hi):
        i = v.jobs[r]
        if v.output[i] <= s.tau:
            v.jobs[fitting] = i
            fitting += 1
        else:
            v.own[others] = i
            others += 1
    for r in range(others):
        v.jobs[fitting + r] = v.own[r]
    s.u = fitting
    s.v = s.hi
    s.hi = fitting
    return PHASE


# -- gba ------------------------------------------------------------------------------------------------------------
@inlined
def _sort_by_class(v, classes, cap):
    """Put jobs in order of (class, index), those longer than ``cap`` last by (output, index).

    Leaves in own[0 .. classes + 1] where each class begins.
    """
    s = v.st[0]
    size = s.hi
    begins = v.own[: classes + 2]
    kind = v.own[classes + 2 : classes + 2 + size]
    sorted_jobs = v.own[classes + 2 + size : classes + 2 + 2 * size]
    begins[:] = 0
    for r in range(size):
        length = v.output[v.jobs[r]]
        lo, hi = 0, classes
        while lo < hi:
            mid = (lo + hi) >> 1
            if min(v.ladder[mid], cap) < length:
                lo = mid + 1
            else:
                hi = mid
        kind[r] = lo
        begins[lo + 1] += 1
    for c in range(classes + 1):
        begins[c + 1] += begins[c]
    for r in range(size):
        sorted_jobs[begins[kind[r]]] = v.jobs[r]
        begins[kind[r]] += 1
    for c in range(classes, -1, -1):
        begins[c + 1] = begins[c]
    begins[0] = 0
    rest = sorted_jobs[begins[classes] :]
    _order_rest(v, rest, kind[: len(rest)])
    for r in range(size):
        v.jobs[r] = sorted_jobs[r]


@inlined
def _order_rest(v, rest, packed):
    """Sort requests given by index into order of (output, index)."""
    # Packed as output * width + place, which fits: an instance keeps memory * total output below 2^61.
    width = max(1, len(rest))
    for r in range(len(rest)):
        packed[r] = v.output[rest[r]] * width + r
    sort_ascending(packed, len(packed))
    for r in range(len(rest)):
        packed[r] = rest[packed[r] % width]
    for r in range(len(rest)):
        rest[r] = packed[r]


def plan_gba(v):
    """One phase for each class of lengths between two slices, the shortest class first; then the others alone."""
    s = v.st[0]
    if s.fresh == 1:
        s.prompt = largest_prompt(v)
        cap = s.memory - s.prompt
        classes = 1
        while v.ladder[classes - 1] < cap:
            classes += 1
        s.v = s.hi
        _sort_by_class(v, classes, cap)
        s.u = 0
        s.w = classes
        s.x = cap
    while s.u < s.w and v.own[s.u] == v.own[s.u + 1]:
        s.u += 1
    s.lo = v.own[s.u]
    if s.u == s.w:
        s.hi = s.v
        return ALONE
    s.hi = v.own[s.u + 1]
    s.tau = min(v.ladder[s.u], s.x)
    s.u += 1
    return PHASE


# -- gsa ------------------------------------------------------------------------------------------------------------
def plan_gsa(v):
    """One phase over all unfinished for each slice; what outlives its slice starts from nothing in the next."""
    s = v.st[0]
    if s.fresh == 1:
        s.prompt = largest_prompt(v)
        s.u = 0
        s.v = s.memory - s.prompt
        s.tau = 0
    if s.tau == s.v:
        return ALONE
    s.tau = min(v.ladder[s.u], s.v)
    s.u += 1
    return PHASE


def preset_alpha(presets: Mapping[str, float]) -> Any:
    """Return a card's ``resolve`` that fills alpha in from the preset where it was not given."""

    def resolve(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
        alpha = presets[settings["regime"]] if settings["alpha"] is None else settings["alpha"]
        return {**settings, "alpha": float(alpha)}

    return resolve


def gba_ladder(settings: Mapping[str, Any], memory: int) -> IntArray:
    """Return the class boundaries of gba."""
    return slices(settings["alpha"], settings["beta"], memory)


def gsa_ladder(settings: Mapping[str, Any], memory: int) -> IntArray:
    """Return the slices of gsa."""
    return slices(settings["alpha"], settings["tau0"], memory)


def gba_scratch(n: int, boundaries: int) -> int:
    """Return the scratch length of `plan_gba`."""
    return 2 * n + boundaries + 2


GBA_PARAMETERS = (
    growth("4/3 (regime general) or 3/2 (large)"),
    Parameter("beta", 1.0, "the first class boundary", low=0, high=MOST, above=True),
    REGIME,
)

CARDS = (
    Card(
        id="sps",
        title="Staggered pipeline scheduling",
        family="staggered",
        information="clairvoyant",
        arrivals="batch rule",
        about="Starts requests tau/k rounds apart, with tau the largest output and k the most for which the staggered "
        "peaks fit: memory stays full while requests at all ages share it." + PADDED,
        reference="2601.22996",
        source=FENG,
        guarantee=SPS_GUARANTEE,
        run=Timetable(plan_sps, scratch=lambda n, boundaries: n),
    ),
    Card(
        id="gba",
        title="Geometric batching algorithm",
        family="staggered",
        information="clairvoyant",
        arrivals="batch rule",
        about="Sorts requests into classes of geometrically growing output and runs a staggered pipeline for each, the "
        "shortest class first." + PADDED,
        reference="2601.22996",
        source=FENG,
        parameters=GBA_PARAMETERS,
        guarantee=GBA_GUARANTEE,
        resolve=preset_alpha(GBA_ALPHA),
        run=Timetable(plan_gba, gba_ladder, gba_scratch),
    ),
    Card(
        id="gsa",
        title="Geometric slicing algorithm",
        family="staggered",
        information="none",
        arrivals="batch rule",
        evicts="at the end of each slice, by design",
        allowed_evictions=("restart",),
        about="Knows no lengths. Runs all unfinished requests through a staggered pipeline with one slice each, kills "
        "those that outlive it, and repeats with a slice alpha times as long." + PADDED,
        reference="2601.22996",
        source=FENG,
        parameters=(growth("(7 + sqrt 13)/6 (regime general) or 2 (large)"), TAU0, REGIME),
        guarantee=GSA_GUARANTEE,
        resolve=preset_alpha(GSA_ALPHA),
        run=Timetable(plan_gsa, gsa_ladder),
    ),
)
