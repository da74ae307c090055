"""WAIT and the rules of serving engines in unit rounds, by the slow simulator of the serving model (policies.md 8.1).

A request (s, o) becomes one of s+1 prompt tokens and o-1 decodes, and every iteration lasts one round. Of what the
simulator wrote down, attempts are made: one that did k passes and ended in round e ran in rounds e-k+1 .. e.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, isnan
from typing import Any, ClassVar, cast

import numpy as np

from algos.reference.engine import Attempt, Outcome, Problem
from algos.reference.policy import RESTART_ONLY, Policy
from algos.serving import reference as serving
from algos.serving.reference.loop import run
from algos.serving.reference.machine import Machine
from algos.serving.reference.record import Record
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, RoundLimit
from kvratio.problem.requests import Requests


@dataclass(frozen=True)
class Passes:
    """What the simulator asks of requests; ``order`` is the instance's number of each."""

    order: list[int]
    prompt: Any
    output: Any
    arrival: Any
    predicted: Any
    type_of: Any
    mix: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.order)


def passes(problem: Problem, kinds: list[int], types: int) -> Passes:
    """Return the requests by (arrival, number), a round turned into a pass."""
    order = sorted(range(problem.n), key=lambda i: (problem.arrival[i], i))

    def column(values: list[int], add: int) -> Any:
        return np.array([values[i] + add for i in order])

    return Passes(
        order,
        column(problem.prompt, 1),
        column(problem.output, -1),
        column(problem.arrival, 0).astype(float),
        column(problem.predicted, -1),
        column(kinds, 0),
        tuple(range(types)),
    )


class Served(Policy):
    """Base: a policy of the serving model in unit rounds. Its hooks are those of the simulator."""

    evictions = RESTART_ONLY

    @classmethod
    def serve(cls, problem: Problem, given: Mapping[str, Any], round_limit: int) -> Outcome:
        """Run on an instance.

        Raises
        ------
        BadParameter
            An unknown parameter.
        RoundLimit
            Somebody has not completed so many rounds after the last arrival.
        """
        for parameter in given:
            if parameter not in cls.defaults:
                raise BadParameter(f"{cls.name} has no parameter {parameter!r}: it has {', '.join(cls.defaults)}")
        settings, kinds, types = cls.resolved(problem, {**cls.defaults, **given})
        found = passes(problem, kinds, types)
        known = cast(Requests, found)
        record = Record(Clock(1.0, 0.0), problem.n)
        machine = Machine(known, problem.memory, 1, "restart", record)
        # In unit rounds a cut or limit may be 0, so what the simulator checks of its parameters is passed over.
        base = serving.POLICIES[cls.name]
        lenient = type(cls.name, (base,), {"integers": _listed, "integer": _number, "must_cover": False})
        run(machine, lenient(machine, known, settings), record, float(round_limit + max(problem.arrival)))
        if any(isnan(end) for end in record.completion):
            raise RoundLimit(f"{cls.name}: not finished at round {record.now:.0f}")
        return _outcome(problem, found.order, record)

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Return parameters of the simulator's policy, the type of each request, and the number of types."""
        return given, [0] * problem.n, 1


def _listed(policy: Any, parameter: str, length: int | None = None) -> list[int]:
    return list(policy.parameters[parameter])


def _number(policy: Any, parameter: str) -> int:
    return int(policy.parameters[parameter])


def _outcome(problem: Problem, order: list[int], record: Record) -> Outcome:
    """Return the attempts that end as the run says, each without its pauses."""
    attempts: list[Attempt] = []
    for place, done, when in record.losses:
        if done:
            attempts.append((order[place], int(when) - done, int(when), False))
    lost = [(problem.prompt[i], stop - start) for i, start, stop, _ in attempts]
    for place, when in enumerate(record.completion):
        i = order[place]
        attempts.append((i, int(when) - problem.output[i], int(when), True))
    return Outcome(
        attempts,
        evictions=len(lost),
        wasted_rounds=sum(k for _, k in lost),
        wasted_token_rounds=sum(s * k + k * (k + 1) // 2 for s, k in lost),
    )


def _rising(given: Any, memory: int) -> list[int]:
    """Return the lengths given, or the powers of two, below M, and M."""
    lengths = [2**k for k in range(64)] if given is None else _many(given)
    return [length for length in lengths if length < memory] + [memory]


def _many(given: Any) -> list[int]:
    return [int(given)] if isinstance(given, int) else [int(x) for x in given]


def _each(given: Any, count: int) -> list[int]:
    """Return one number for each of ``count`` parts."""
    numbers = _many(given)
    return numbers * count if len(numbers) == 1 else numbers


def _least(members: int, problem: Problem, margin: float) -> int:
    """Return the least threshold above the rate of so many members; all are there at once in a batch."""
    if not any(problem.arrival):
        return 1
    return floor(members * (1 + margin) / (max(problem.arrival) + 1)) + 1


class Wait(Served):
    """`wait`: types by predicted length."""

    name = "wait"
    defaults: ClassVar[Mapping[str, Any]] = {"types": None, "thresholds": None, "margin": 0.05}

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Put each request into the first type that is long enough, and choose thresholds."""
        types = _rising(given["types"], problem.memory)
        kinds = [min(j for j, longest in enumerate(types) if p <= longest) for p in problem.predicted]
        thresholds = [1] * len(types)
        if given["thresholds"] is not None:
            thresholds = _each(given["thresholds"], len(types))
        elif any(problem.arrival):
            wanted, needed = [], Fraction(0)
            for j in range(len(types)):
                members = [i for i in range(problem.n) if kinds[i] == j]
                n = _least(len(members), problem, given["margin"])
                wanted.append(n)
                for i in members:
                    s, p = problem.prompt[i], problem.predicted[i]
                    needed += Fraction(n * (s * p + p * (p + 1) // 2), len(members))
            thresholds = wanted if needed <= problem.memory else thresholds
        return {"thresholds": thresholds, "flush": True}, kinds, len(types)


class NestedWait(Served):
    """`nested_wait`: segments of ages."""

    name = "nested_wait"
    defaults: ClassVar[Mapping[str, Any]] = {"cuts": None, "thresholds": None, "margin": 0.05}

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Turn lengths into last stages."""
        cuts = _rising(given["cuts"], problem.memory)
        wanted = given["thresholds"]
        if wanted is None:
            wanted = _least(problem.n, problem, given["margin"])
        thresholds = _each(wanted, len(cuts))
        return {"cuts": [cut - 1 for cut in cuts], "thresholds": thresholds}, [0] * problem.n, 1


class WaitCapped(Served):
    """`wait_capped`: segments with caps."""

    name = "wait_capped"
    defaults: ClassVar[Mapping[str, Any]] = {"cuts": None, "caps": None, "wait_gate": True, "margin": 0.05}

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Turn lengths into last stages; by default those that have room at its end, at most n an age."""
        cuts = _rising(given["cuts"], problem.memory)
        n = _least(problem.n, problem, given["margin"])
        caps = []
        for before, cut in zip([0, *cuts], cuts, strict=False):
            caps.append(max(min(problem.memory // cut, n * (cut - before)), 1))
        if given["caps"] is not None:
            caps = _each(given["caps"], len(cuts))
        settings = {"cuts": [cut - 1 for cut in cuts], "caps": caps, "wait_gate": given["wait_gate"]}
        return settings, [0] * problem.n, 1


class Sarathi(Served):
    """`sarathi`: a token budget, by default all of M."""

    name = "sarathi"
    defaults: ClassVar[Mapping[str, Any]] = {"max_batch": None, "watermark": 0.01, "token_budget": None}

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Choose the budget."""
        budget = problem.memory if given["token_budget"] is None else given["token_budget"]
        return {**given, "token_budget": budget}, [0] * problem.n, 1


class FasterTransformer(Served):
    """`faster_transformer`: one group after another."""

    name = "faster_transformer"
    defaults: ClassVar[Mapping[str, Any]] = {"max_batch": None, "max_tokens": None}

    @classmethod
    def resolved(cls, problem: Problem, given: dict[str, Any]) -> tuple[dict[str, Any], list[int], int]:
        """Choose the limit; the first token comes with the prefill."""
        limit = max(problem.predicted) if given["max_tokens"] is None else given["max_tokens"]
        return {**given, "max_tokens": limit - 1}, [0] * problem.n, 1


class LightLlm(FasterTransformer):
    """`lightllm`: starts in rounds of their own, if the peak would fit."""

    name = "lightllm"
    defaults: ClassVar[Mapping[str, Any]] = {"max_batch": None, "max_tokens": None, "prefill_every": 10}
