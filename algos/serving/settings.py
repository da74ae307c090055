"""Parameters of the WAIT family that come from the mix of requests: cuts, thresholds, caps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from algos.card import Parameter
from algos.serving.cards import Case
from kvratio.problem.errors import BadParameter

#: numbers of segments tried where the mix has too many output lengths for a segment each
FEWER_SEGMENTS = (8, 4, 2, 1)


@dataclass(frozen=True)
class Counts(Parameter):
    """A parameter that holds several whole numbers >= 1."""

    def accept(self, policy: str, value: Any) -> Any:
        """Return a tuple of int, or raise `BadParameter`."""
        if value is None:
            return None
        where = f"{policy}: {self.name} is {value!r}"
        if isinstance(value, (bool, str)):
            raise BadParameter(f"{where}: give whole numbers >= 1")
        if isinstance(value, (int, np.integer)):
            value = (value,)
        try:
            array = np.asarray(list(value), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BadParameter(f"{where}: give whole numbers >= 1") from error
        if array.ndim != 1 or not len(array) or not (array == np.floor(array)).all() or not (array >= 1).all():
            raise BadParameter(f"{where}: give whole numbers >= 1")
        return _ints(array)


def wait_thresholds(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in the thresholds of WAIT, one for each type."""
    types = case.requests.mix
    if values["thresholds"] is None:
        from stability.thresholds import thresholds_wait

        values["thresholds"] = _ints(thresholds_wait(case.requests, case.clock, case.memory, values["margin"]))
    if len(values["thresholds"]) != len(types):
        raise BadParameter(
            f"wait: {len(values['thresholds'])} thresholds for {len(types)} types of the mix: give one for each"
        )
    return values


def nested_thresholds(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and thresholds of Nested WAIT."""
    if values["thresholds"] is None:
        from stability.thresholds import plan_nested

        plan = _first_that_fits(
            case,
            values["cuts"],
            lambda cuts: plan_nested(case.requests, case.clock, case.memory, cuts, values["margin"], values["delta"]),
        )
        values["cuts"], values["thresholds"] = _ints(plan.segments.cuts), _ints(plan.thresholds)
    values["cuts"] = _cuts("nested_wait", case, values["cuts"])
    _one_for_each("nested_wait", "thresholds", values)
    return values


def segment_caps(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and caps of `wait_capped`: from a budget of requests in a batch, else the least that keep up."""
    if values["caps"] is None:
        from stability.caps import caps_from_tokens

        if values["tokens"] is not None:
            found = caps_from_tokens(case.requests, values["tokens"], values["cuts"], values["eta"])
        else:
            found = _caps_that_keep_up(case, values)
        values["cuts"], values["caps"] = _ints(found.segments.cuts), _ints(found.caps)
    values["cuts"] = _cuts("wait_capped", case, values["cuts"])
    _one_for_each("wait_capped", "caps", values)
    return values


def _caps_that_keep_up(case: Case, values: dict[str, Any]) -> Any:
    """Return the least caps that keep up with the load: with the longest prompts of each segment, else on average.

    The longest prompts leave room for every mix in a segment. Where a few of them are far above the mean nothing would
    fit; then caps are for the mean prompt, and the memory check of the policy does the rest.
    """
    from stability.caps import caps_for_load
    from stability.conditions import NoThresholds

    def choose(mix: Any) -> Any:
        return _first_that_fits(
            case, values["cuts"], lambda cuts: caps_for_load(mix, case.clock, case.memory, cuts, values["eta"])
        )

    try:
        return choose(case.requests)
    except NoThresholds:
        kinds = case.requests.mix
        mean = sum(kind.prompt * kind.rate for kind in kinds) / sum(kind.rate for kind in kinds)
        try:
            return choose([(mean, kind.output, kind.rate) for kind in kinds])
        except NoThresholds:
            pass
        raise


def _first_that_fits(case: Case, cuts: tuple[int, ...] | None, choose: Callable[[Any], Any]) -> Any:
    """Return what ``choose`` finds for the cuts; without cuts for every output length, else for fewer and fewer.

    With hundreds of lengths a threshold of one for each needs far more memory than the fluid: then segments of about
    equal shares of the requests do.
    """
    from stability.conditions import NoThresholds

    try:
        return choose(cuts)
    except NoThresholds:
        if cuts is not None:
            raise
        for segments in FEWER_SEGMENTS:
            with contextlib.suppress(NoThresholds):
                return choose(_quantile_cuts(case, segments))
        raise


def _quantile_cuts(case: Case, segments: int) -> tuple[int, ...]:
    """Return at most so many cuts, each at a quantile of the mix, the last at its largest output."""
    kinds = sorted((kind.output, kind.rate) for kind in case.requests.mix)
    share = np.cumsum([rate for _, rate in kinds]) / sum(rate for _, rate in kinds)
    at = np.searchsorted(share, np.arange(1, segments) / segments, side="left")
    return tuple(sorted({kinds[k][0] for k in at.tolist()} | {kinds[-1][0]}))


def _ints(array: Any) -> tuple[int, ...]:
    return tuple(int(x) for x in array)


def _cuts(policy: str, case: Case, given: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the cuts: as given, or the output lengths of the mix."""
    cuts = tuple(sorted({kind.output for kind in case.requests.mix})) if given is None else given
    if any(after <= before for before, after in pairwise(cuts)):
        raise BadParameter(f"{policy}: cuts {cuts} do not rise")
    largest = max(case.requests.output[~case.refused].tolist(), default=1)
    if cuts[-1] < largest:
        raise BadParameter(
            f"{policy}: the last cut is {cuts[-1]}, below the largest output {largest}: give cuts up to it"
        )
    return cuts


def _one_for_each(policy: str, name: str, values: dict[str, Any]) -> None:
    if len(values[name]) != len(values["cuts"]):
        raise BadParameter(
            f"{policy}: {len(values[name])} {name} for {len(values['cuts'])} segments: give one for each cut"
        )
