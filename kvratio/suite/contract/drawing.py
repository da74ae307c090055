"""Points of a family's parameter space: drawn from the ranges of its card, and made smaller while a breach shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from instances.card import FamilyCard, Parameter
from kvratio.problem.seeds import stream

#: a parameter without an upper end is drawn up to so much above its lower end
REACH = 96


def draw_parameters(card: FamilyCard, fixed: Mapping[str, Any], points: int) -> Iterator[dict[str, Any]]:
    """Yield points, the small ones first; parameters with a default are left out in every second one."""
    for k in range(points):
        rng = stream("contract", card.id, k)
        reach = 2 + REACH * k // max(1, points - 1)
        point = {}
        for parameter in card.parameters:
            if parameter.name not in fixed and (parameter.required or rng.random() < 0.5):
                value = draw(parameter, rng, reach)
                if value is not None:
                    point[parameter.name] = value
        yield {**point, **fixed}


def draw(parameter: Parameter, rng: np.random.Generator, reach: int) -> Any:
    """Draw a value in a parameter's range, at most ``reach`` above its lower end; None to leave it out."""
    if parameter.kind == "choice":
        return parameter.choices[int(rng.integers(len(parameter.choices)))]
    if parameter.kind == "base":
        return {"family": "uniform", "count": 6, "memory": 40, "prompt": [0, 9], "output": [1, 20]}
    if parameter.kind not in ("int", "float", "interval"):
        return None
    low = parameter.low if parameter.low is not None else (0.0 if parameter.kind == "float" else 1)
    high = min(low + reach, parameter.high if parameter.high is not None else np.inf)
    if parameter.kind == "float":
        value = float(low + (high - low) * rng.random() ** 3)
        return value if value > low or not parameter.open_low else float(low + (high - low) / 2)
    first = int(np.ceil(low)) + (parameter.open_low and low == np.ceil(low))
    if parameter.kind == "interval":
        ends = sorted(int(x) for x in rng.integers(first, max(first, int(high)) + 1, 2))
        return [ends[0], ends[1]]
    return int(rng.integers(first, max(first, int(high)) + 1))


def smaller_parameters(
    card: FamilyCard, point: Mapping[str, Any], shows: Callable[[Mapping[str, Any]], bool], fixed: set[str]
) -> dict[str, Any]:
    """Return a point at which the breach still shows, with optional parameters left out and numbers low."""
    best = dict(point)
    known = {parameter.name: parameter for parameter in card.parameters}
    changed, trials = True, 300
    while changed and trials > 0:
        changed = False
        for candidate in _smaller(best, known, fixed):
            trials -= 1
            if shows(candidate):
                best, changed = candidate, True
                break
    return best


def _smaller(point: Mapping[str, Any], known: Mapping[str, Parameter], fixed: set[str]) -> Iterator[dict[str, Any]]:
    for name, value in point.items():
        parameter = known.get(name)
        if parameter is None or name in fixed:
            continue
        if not parameter.required:
            yield {key: other for key, other in point.items() if key != name}
        if parameter.kind == "int" and isinstance(value, int):
            low = int(parameter.low) if parameter.low is not None else 0
            for less in dict.fromkeys((low, (low + value) // 2, value - 1)):
                if low <= less < value:
                    yield {**point, name: less}


__all__ = ["draw", "draw_parameters", "smaller_parameters"]
