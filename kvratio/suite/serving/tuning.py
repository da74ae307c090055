"""The same tuning budget for every policy: so many candidates of its own parameters, on draws kept for tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.naming import canonical
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load
from kvratio.suite.serving.trial import Cell

Settings = dict[str, Any]

#: candidates of each policy beside the default, and so the largest budget
MOST = 8
_BATCHES = (None, 512, 256, 96, 64, 32, 16)
#: budgets of passes for `wait_capped`, as multiples of the fluid batch
_SPARE = (1.2, 1.5, 2.0, 3.0, 4.5, 7.0, 12.0)
#: more output lengths than that are grouped into segments, by quantiles
MANY, SEGMENTS = 16, 8


def _batches(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    return [{"max_batch": size} for size in _BATCHES]


def _vllm(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    return [
        {"token_budget": 2048},
        {"token_budget": 8192},
        {"token_budget": 16384},
        {"max_batch": None},
        {"max_batch": 256},
        {"max_batch": 64},
        {"max_batch": 32},
    ]


def _sarathi(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    return [
        {"token_budget": 256},
        {"token_budget": 768},
        {"token_budget": 1024},
        {"token_budget": 2048},
        {"token_budget": 4096},
        {"max_batch": None},
        {"max_batch": 256},
    ]


def _lightllm(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    return [{"prefill_every": k} for k in (1, 2, 5, 20, 40)] + [{"max_batch": size} for size in (None, 64)]


def _margins(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    return [{"margin": share} for share in (0.0, 0.02, 0.1, 0.2, 0.4, 0.8, 1.6)]


def _nested(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    """Margins; with spread lengths, where one segment per length has no thresholds, few segments as well."""
    if not _spread(load):
        return _margins(load, rate, hardware)
    few = [{"cuts": quantile_cuts(load, count)} for count in (1, 2, 4, 8)]
    return [*few, *({**few[2], "margin": share} for share in (0.0, 0.2, 0.4))]


def _caps(load: Load, rate: float, hardware: Hardware) -> list[Settings]:
    """Budgets of passes around those of the fluid batch; above the fluid limit, of the batch at the limit."""
    found = load.fluid(hardware, min(rate, 0.98 * load.fluid_limit(hardware)))
    passes = sum(n * (kind.output + 1) for n, kind in zip(found.n, found.types, strict=True))
    cuts = {"cuts": quantile_cuts(load, SEGMENTS)} if _spread(load) else {}
    return [{"tokens": float(f"{share * passes:.4g}"), **cuts} for share in _SPARE]


def _spread(load: Load) -> bool:
    """Whether there are too many output lengths for a segment each."""
    return len({kind.output for kind in load.workload.mix}) > MANY


def quantile_cuts(load: Load, count: int) -> list[int]:
    """Return cuts of at most ``count`` segments that equally many requests end in."""
    mix = sorted(load.workload.mix, key=lambda kind: kind.output)
    output = np.array([kind.output for kind in mix])
    share = np.cumsum([kind.rate for kind in mix])
    at = np.searchsorted(share / share[-1], np.arange(1, count + 1) / count - 1e-9)
    return sorted({int(output[min(k, len(output) - 1)]) for k in at} | {int(output[-1])})


_OF: dict[str, Callable[[Load, float, Hardware], list[Settings]]] = {
    "vllm": _vllm,
    "sarathi": _sarathi,
    "lightllm": _lightllm,
    "wait": _margins,
    "nested_wait": _nested,
    "wait_capped": _caps,
}


def candidates(policy: PolicySpec, budget: int, load: Load, rate: float, hardware: Hardware) -> list[PolicySpec]:
    """Return the policy as given and ``budget - 1`` variants of it.

    Parameters given by name stay as they are, whatever a variant would set.

    Raises
    ------
    BadParameter
        A budget outside 1..8: every policy gets the same, so it ends where the first list ends.
    """
    if isinstance(budget, bool) or not isinstance(budget, int) or not 1 <= budget <= MOST:
        raise BadParameter(f"tuning is {budget!r}: give 1 (defaults only) to {MOST} candidates per policy")
    variants = _OF.get(policy.id, _batches)(load, rate, hardware)[: budget - 1]
    return [policy, *(replace(policy, parameters={**variant, **policy.parameters}) for variant in variants)]


def distinct(policies: Sequence[PolicySpec]) -> list[PolicySpec]:
    """Return the candidates without those whose given parameters make them equal to an earlier one."""
    seen: dict[str, PolicySpec] = {}
    for policy in policies:
        seen.setdefault(canonical(dict(policy.parameters)), policy)
    return list(seen.values())


def best(cells: Sequence[Sequence[Cell]]) -> int:
    """Return the candidate with the least mean latency among those that complete most.

    Parameters
    ----------
    cells : per candidate, one cell per replication

    Returns
    -------
    int
        0, the default, where no candidate could be measured.
    """
    scores = [_score(each) for each in cells]
    return min(range(len(scores)), key=scores.__getitem__)


def _score(cells: Sequence[Cell]) -> tuple[float, float]:
    if any(cell.status != "ok" for cell in cells):
        return 2.0, 0.0
    rate = float(np.mean([cell.metrics["completion_rate"] for cell in cells]))
    latency = float(np.mean([cell.metrics["latency_mean"] for cell in cells]))
    return (1 - rate, latency) if latency == latency else (2.0, 0.0)
