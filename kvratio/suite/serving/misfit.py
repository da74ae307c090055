"""Thresholds that are given and cannot fit into the memory: refused before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load
from stability.conditions import Condition, require
from stability.segments import segments
from stability.thresholds import wait_batch


def refuse_misfits(load: Load, policies: Iterable[PolicySpec], hardware: Hardware) -> None:
    """Refuse WAIT and Nested WAIT with thresholds whose full batch exceeds the memory.

    `simulate` runs them: it drops admissions and evicts. As an experiment they answer a question that nobody asked.

    Raises
    ------
    NoThresholds
        M(n) > C, and by how much.
    """
    for policy in policies:
        given = policy.parameters.get("thresholds")
        if policy.id in ("wait", "nested_wait") and given is not None:
            tokens = _full_batch(load, policy, tuple(int(n) for n in _listed(given)), hardware)
            room = Condition("M(n) <= C", tokens, float(hardware.memory), "tokens")
            require([room], f"{policy.label}: the thresholds do not fit")


def _full_batch(load: Load, policy: PolicySpec, thresholds: tuple[int, ...], hardware: Hardware) -> float:
    """Return M(n); 0 where the thresholds are not one for each type or segment, which the policy says itself."""
    mix, cuts = load.workload.mix, policy.parameters.get("cuts")
    if policy.id == "nested_wait":
        parts = segments(mix, None if cuts is None else _listed(cuts))
        return parts.tokens(thresholds) if len(parts) == len(thresholds) else 0.0
    if cuts is not None or len(mix) != len(thresholds):
        return 0.0
    return wait_batch(mix, thresholds, hardware.clock)[0]


def _listed(value: object) -> list[int]:
    return list(value) if isinstance(value, (list, tuple)) else [value]  # type: ignore[list-item]
