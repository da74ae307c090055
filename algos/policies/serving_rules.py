"""WAIT and its relatives in unit rounds (wait, nested_wait, wait_capped).

They are the policies of `algos.serving` under a clock of one round (`algos.serving.rounds`); docs/policies.md 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

import numpy as np

from algos.card import Card, Parameter
from algos.papers import AO
from algos.serving.cards import Case, Layout, ServingCard
from algos.serving.policies import nested_wait, wait, wait_capped
from algos.serving.rounds import Plan, ServedInRounds
from algos.serving.settings import Counts
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.requests import Requests, Type

Settings = Mapping[str, Any]


def served(module: Any, policy: str) -> ServingCard:
    """Return the card of a policy of the serving model from its module."""
    card: ServingCard = next(card for card in module.CARDS if card.id == policy)
    return card


# -- lengths known or unknown: cut points -----------------------------------------------------------------------------
def doubling(memory: int) -> tuple[int, ...]:
    """Return 1, 2, 4, .. below M, and M: cut points that everybody knows."""
    return (*(1 << k for k in range((memory - 1).bit_length())), memory)


def _lengths(policy: str, name: str, given: tuple[int, ...] | None, memory: int) -> tuple[int, ...]:
    """Return rising lengths of which the last is M: those given, or the powers of two."""
    if given is None:
        return doubling(memory)
    if any(after <= before for before, after in pairwise(given)):
        raise BadParameter(f"{policy}: {name} {given} do not rise")
    return (*(length for length in given if length < memory), memory)


def _one_for_each(policy: str, name: str, given: tuple[int, ...], parts: tuple[int, ...], what: str) -> tuple[int, ...]:
    """Return one number for each part: those given, or the only one for all."""
    if len(given) == 1:
        return given * len(parts)
    if len(given) != len(parts):
        raise BadParameter(f"{policy}: {len(given)} {name} for the {len(parts)} {what} {parts}: give one, or one each")
    return given


def _pace(number: int, inst: Instance, margin: float) -> int:
    """Return the least threshold above the rate of ``number`` requests over all rounds with arrivals; 1 in a batch."""
    return 1 if inst.is_batch else floor(number * (1 + margin) / (int(inst.arrival.max()) + 1)) + 1


# -- wait -------------------------------------------------------------------------------------------------------------
def resolve_wait(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in types and thresholds; a type is named by its longest output."""
    types = _lengths("wait", "types", settings["types"], inst.memory)
    given = settings["thresholds"]
    thresholds = least_thresholds(inst, types, settings["margin"]) if given is None else given
    return {**settings, "types": types, "thresholds": _one_for_each("wait", "thresholds", thresholds, types, "types")}


def types_of(inst: Instance, types: tuple[int, ...]) -> IntArray:
    """Return the index of the first type that is at least as long as the prediction, int64[n]."""
    return np.searchsorted(np.array(types, np.int64), inst.clamp(inst.predicted)).astype(np.int64)


def least_thresholds(inst: Instance, types: tuple[int, ...], margin: float) -> tuple[int, ...]:
    """Return the least thresholds of WAIT in unit rounds, or 1 for all where memory has no room for them.

    An iteration takes one round whatever is in it, so the pace D(n) < n_j / r_j asks n_j > r_j alone. Memory asks
    that the sum of n_j A_j be at most M, with A_j the mean predicted volume of the type.
    """
    ones = (1,) * len(types)
    if inst.is_batch:
        return ones
    kinds, length = types_of(inst, types), inst.clamp(inst.predicted)
    count = np.bincount(kinds, minlength=len(types)).tolist()
    thresholds = tuple(_pace(number, inst, margin) for number in count)
    volume = inst.prompt * length + length * (length + 1) // 2
    needed = sum(
        Fraction(n * int(volume[kinds == j].sum()), number)
        for j, (n, number) in enumerate(zip(thresholds, count, strict=True))
        if number
    )
    return thresholds if needed <= inst.memory else ones


def plan_wait(inst: Instance, settings: Settings) -> Plan:
    """Tell WAIT the type of each request."""
    kinds = types_of(inst, settings["types"])[np.argsort(inst.arrival, kind="stable")]
    # The engine lays out as many stages as requests have; what a type is called does not matter to it.
    types = tuple(Type(1.0, 0, 0.0) for _ in settings["types"])
    values = {"thresholds": settings["thresholds"], "margin": settings["margin"], "flush": True, "cuts": None}
    return Plan(Requests.of_rounds(inst, kinds, types), values)


# -- nested_wait, wait_capped -----------------------------------------------------------------------------------------
def resolve_nested(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and thresholds: the rate of arrivals, for every segment."""
    cuts = _lengths("nested_wait", "cuts", settings["cuts"], inst.memory)
    found = settings["thresholds"] or (_pace(inst.n, inst, settings["margin"]),)
    thresholds = _one_for_each("nested_wait", "thresholds", found, cuts, "segments up to")
    return {**settings, "cuts": cuts, "thresholds": thresholds}


def resolve_capped(inst: Instance, settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and caps: by default what has room at the end of the segment, at most the rate for each age."""
    cuts = _lengths("wait_capped", "cuts", settings["cuts"], inst.memory)
    widths = np.diff(cuts, prepend=0).tolist()
    pace = _pace(inst.n, inst, settings["margin"])
    room = [max(1, min(pace * width, inst.memory // cut)) for width, cut in zip(widths, cuts, strict=True)]
    caps = _one_for_each("wait_capped", "caps", settings["caps"] or tuple(room), cuts, "segments up to")
    return {**settings, "cuts": cuts, "caps": caps}


def plan_nested(inst: Instance, settings: Settings) -> Plan:
    """Give Nested WAIT its segments."""
    values = {"cuts": None, "thresholds": None, "margin": 0.0, "delta": 0.0, "flush": True}
    return Plan(Requests.of_rounds(inst), values, lambda case: reached(case, settings["cuts"], settings["thresholds"]))


def plan_capped(inst: Instance, settings: Settings) -> Plan:
    """Give the capped segments."""
    values = {"cuts": None, "caps": None, "tokens": None, "eta": 0.0, "wait_gate": settings["wait_gate"], "flush": True}
    return Plan(Requests.of_rounds(inst), values, lambda case: reached(case, settings["cuts"], settings["caps"]))


def reached(case: Case, cuts: tuple[int, ...], bounds: tuple[int, ...]) -> Layout:
    """Lay out the stages of segments that some request reaches; a cut after c outputs is one after stage c-1.

    Queues beyond the longest output stay empty for ever, so no decision can tell that they are left out.
    """
    longest = int(case.requests.output.max())
    used = 1 + sum(cut <= longest for cut in cuts)
    first = cuts[used - 2] if used > 1 else 0
    stages = (*(cut - 1 for cut in cuts[: used - 1]), longest)
    layout = nested_wait.segments(case, stages, bounds[:used])
    layout.groups[-1]["width"] = cuts[used - 1] - first
    return layout


CUTS = Counts("cuts", None, "longest output of each segment, rising, M is added; none: powers of two up to M")
MARGIN = Parameter("margin", 0.05, "share by which thresholds exceed the rates", low=0.0, high=1e9)
RESTART: dict[str, Any] = {"eviction": "restart", "allowed_evictions": ("restart",), "family": "serving"}
PAUSED = " A paused request is written as if it had run its rounds at the end."
TOLD = " It is told when arrivals have ended; then everything counts as ready." + PAUSED

CARDS = (
    Card(
        id="wait",
        title="WAIT in unit rounds",
        information="prediction",
        evicts="on overflow, the newest",
        about="Types by predicted length, each with a threshold n: a type moves only when n fresh requests of it wait, "
        "and then every age by at most n; other types stand still with their memory." + TOLD,
        reference="2504.11320",
        source=AO,
        parameters=(
            Counts("types", None, "longest output of each type, rising, M is added; none: powers of two up to M"),
            Counts(
                "thresholds", None, "n of each type, or one for all; none: the least for the observed rates, else 1"
            ),
            MARGIN,
        ),
        resolve=resolve_wait,
        run=ServedInRounds(served(wait, "wait"), plan_wait),
        **RESTART,
    ),
    Card(
        id="nested_wait",
        title="Nested WAIT in unit rounds",
        information="none",
        evicts="on overflow, the newest",
        about="Ages form segments. A segment moves only if its entry, and that of each one before it, holds its "
        "threshold; who outlives a segment queues at the next with its memory." + TOLD,
        reference="2504.11320",
        source=AO,
        parameters=(
            CUTS,
            Counts("thresholds", None, "n of each segment, or one for all; none: the least for the observed rate"),
            MARGIN,
        ),
        resolve=resolve_nested,
        run=ServedInRounds(served(nested_wait, "nested_wait"), plan_nested),
        **RESTART,
    ),
    Card(
        id="wait_capped",
        title="WAIT with capped segments in unit rounds",
        information="none",
        evicts="on overflow, the newest",
        about="Segments as in Nested WAIT, each with a cap on its requests; entries are spread evenly over turns, and "
        "a segment takes a turn when it would be full." + TOLD,
        reference="2504.11320",
        source=AO,
        parameters=(
            CUTS,
            Counts("caps", None, "most requests in each segment; none: M / its longest output, at most n an age"),
            Parameter("wait_gate", True, "wait until a turn would fill the segment; false: never wait"),
            MARGIN,
        ),
        resolve=resolve_capped,
        run=ServedInRounds(served(wait_capped, "wait_capped"), plan_capped),
        **RESTART,
    ),
)
