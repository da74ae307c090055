"""Small members of the families, as one source of starting points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.problem.instance import Instance
from kvratio.suite.search.space import Space
from kvratio.suite.search.target import Target

#: parameters besides memory, in the order in which they are tried, as functions of budget and requests
_SHAPES: dict[str, tuple[dict[str, Any], ...]] = {
    "burst_trap": ({}, {"c": 0.7}),
    "blocker": ({},),
    "sf_trap": ({}, {"x": 0.5, "y": 1.0}),
    "tsf_trap": ({"k": 2, "z": 1}, {"k": 3, "z": 1}),
    "svf_trap": ({}, {"c": 3.0}),
    "head_of_line": ({},),
    "synchronised": ({"prompt": 0}, {"prompt": 1}),
}


def small_members(target: Target, space: Space) -> list[Instance]:
    """Return instances of the families that lie in a space, tuned to the policy where the family adapts.

    Parameters
    ----------
    target : Target
    space : Space
    """
    found: dict[str, Instance] = {}
    low, high = space.memory
    for memory in sorted({low, high, *range(low, min(high, 40) + 1, 3), 12, 16, 36}):
        if low <= memory <= high:
            for inst in _members(target, space, memory):
                if space.holds(inst):
                    found.setdefault(inst.key, inst)
    return list(found.values())


def _members(target: Target, space: Space, memory: int) -> Iterator[Instance]:
    import instances

    for family, shapes in _SHAPES.items():
        card = instances.family(family)
        for shape in shapes:
            given: dict[str, Any] = {"memory": memory, **shape}
            if family == "head_of_line":
                given["count"] = max(1, space.n - 2)
            if family == "synchronised":
                given |= {"count": space.n, "output": max(1, int(space.alpha * memory) // 2 - 1)}
            policy = target.schedule if card.adaptive else None
            try:
                yield instances.generate(family, policy=policy, **given)
            except BadParameter:
                # This budget gives no member of this family.
                continue
            except KvratioError:
                # The policy breaks on the long request alone: there is nothing to adapt to.
                continue
