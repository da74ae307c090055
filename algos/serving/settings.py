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
    """Fill in the thresholds of WAIT, one for each type or group of types."""
    if values["thresholds"] is None:
        values["cuts"], values["thresholds"] = _wait_plan(case, values)
    cuts, given = values["cuts"], len(values["thresholds"])
    if cuts is None:
        groups, what = len(case.requests.mix), "types of the mix"
    else:
        values["cuts"] = _cuts("wait", case, cuts)
        groups, what = len(cuts), "groups of types"
    if given != groups:
        raise BadParameter(f"wait: {given} thresholds for {groups} {what}: give one for each")
    return values


def _wait_plan(case: Case, values: dict[str, Any]) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Return cuts between groups of types (None: each type its own) and the least thresholds.

    A mix is taken at its word, but that of a recorded trace falls into fewer and fewer groups, and runs in any case.
    """
    from algos.serving.unconditional import group_of_type, is_recorded, one_for_all, quantile_cuts
    from stability.conditions import NoThresholds
    from stability.thresholds import thresholds_wait

    def plan(cuts: tuple[int, ...] | None) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
        groups = None if cuts is None else group_of_type(case.requests, cuts)
        found = thresholds_wait(case.requests, case.clock, case.memory, values["margin"], groups)
        return cuts, _ints(found)

    given = None if values["cuts"] is None else _cuts("wait", case, values["cuts"])
    try:
        return plan(given)
    except NoThresholds as fault:
        if given is not None or not is_recorded(case.requests):
            raise
        for count in FEWER_SEGMENTS:
            with contextlib.suppress(NoThresholds):
                return plan(quantile_cuts(case, count))
        return one_for_all("wait", case, fault)


def nested_thresholds(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and thresholds of Nested WAIT."""
    if values["thresholds"] is None:
        values["cuts"], values["thresholds"] = _nested_plan(case, values)
    values["cuts"] = _cuts("nested_wait", case, values["cuts"])
    _one_for_each("nested_wait", "thresholds", values)
    return values


def _nested_plan(case: Case, values: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    from algos.serving.unconditional import is_recorded, one_for_all
    from stability.conditions import NoThresholds
    from stability.thresholds import plan_nested

    try:
        plan = _first_that_fits(
            case,
            values["cuts"],
            lambda cuts: plan_nested(case.requests, case.clock, case.memory, cuts, values["margin"], values["delta"]),
        )
    except NoThresholds as fault:
        if values["cuts"] is not None or not is_recorded(case.requests):
            raise
        return one_for_all("nested_wait", case, fault)
    return _ints(plan.segments.cuts), _ints(plan.thresholds)


def segment_caps(case: Case, values: dict[str, Any]) -> dict[str, Any]:
    """Fill in cuts and caps of `wait_capped`: from a budget of requests in a batch, else the least that keep up."""
    if values["caps"] is None:
        from stability.caps import caps_from_tokens

        if values["tokens"] is not None:
            found = caps_from_tokens(case.requests, values["tokens"], values["cuts"], values["eta"])
            values["cuts"], values["caps"] = _ints(found.segments.cuts), _ints(found.caps)
        else:
            values["cuts"], values["caps"] = _caps_plan(case, values)
    values["cuts"] = _cuts("wait_capped", case, values["cuts"])
    _one_for_each("wait_capped", "caps", values)
    return values


def _caps_plan(case: Case, values: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    from algos.serving.unconditional import caps_of_memory, is_recorded
    from stability.conditions import NoThresholds

    try:
        found = _caps_that_keep_up(case, values)
    except NoThresholds as fault:
        if values["cuts"] is not None or not is_recorded(case.requests):
            raise NoThresholds(f"{fault}; give tokens or caps") from None
        return caps_of_memory("wait_capped", case, FEWER_SEGMENTS[0], fault)
    return _ints(found.segments.cuts), _ints(found.caps)


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
    from algos.serving.unconditional import quantile_cuts
    from stability.conditions import NoThresholds

    try:
        return choose(cuts)
    except NoThresholds:
        if cuts is not None:
            raise
        for segments in FEWER_SEGMENTS:
            with contextlib.suppress(NoThresholds):
                return choose(quantile_cuts(case, segments))
        raise


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
