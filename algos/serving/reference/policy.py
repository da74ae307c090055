"""What a policy of the slow simulator is: it forms the batch of one iteration."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

from algos.serving.reference.machine import Batch, Machine
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests


class Policy(ABC):
    """Base of all policies.

    Parameters
    ----------
    machine : Machine
        What a policy reads and admits on.
    requests : Requests
        Only for what a policy is told beforehand (types, largest output): outputs of single requests are not read.
    given : mapping
        Parameters; the rest keep their defaults.

    Raises
    ------
    BadParameter
        An unknown parameter, or a value without meaning.
    """

    name: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}
    default_eviction: ClassVar[str] = "restart"
    evictions: ClassVar[tuple[str, ...]] = ("restart", "recompute", "swap")

    def __init__(self, machine: Machine, requests: Requests, given: Mapping[str, Any]) -> None:
        for parameter in given:
            if parameter not in self.defaults:
                known = ", ".join(self.defaults) or "none"
                raise BadParameter(f"{self.name} has no parameter {parameter!r}: its parameters are {known}")
        self.machine = machine
        self.parameters: dict[str, Any] = {**self.defaults, **given}
        self.prepare(requests)

    def prepare(self, requests: Requests) -> None:
        """Read the parameters and set up state, before time 0."""

    @abstractmethod
    def form(self) -> Batch | None:
        """Admit who is to be admitted and return the batch: empty to wait for an arrival, None to decide again."""

    def ran(self, batch: Batch) -> None:
        """The batch has run; called before its requests move."""

    def integer(self, parameter: str) -> int:
        """Return a parameter that must be an integer >= 1."""
        value = self.parameters[parameter]
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        self.require(whole and int(value) >= 1, parameter, "an integer >= 1")
        return int(value)

    def integers(self, parameter: str, length: int | None = None) -> list[int]:
        """Return a parameter that must be a sequence of integers >= 1."""
        values = self.parameters[parameter]
        rule = "a sequence of integers >= 1" + ("" if length is None else f", {length} of them")
        self.require(values is not None and not isinstance(values, (str, Real)), parameter, rule)
        values = list(values)
        fine = all(isinstance(v, Integral) and not isinstance(v, bool) and int(v) >= 1 for v in values)
        self.require(fine and bool(values) and length in (None, len(values)), parameter, rule)
        return [int(v) for v in values]

    def require(self, condition: bool, parameter: str, rule: str) -> None:
        """Raise BadParameter unless the condition on a parameter holds."""
        if not condition:
            raise BadParameter(f"{self.name}: {parameter} is {self.parameters[parameter]!r}, it must be {rule}")


class AdmittingPolicy(Policy):
    """A policy of section 8: admits from the head of its queue until the first request that fails."""

    defaults: ClassVar[Mapping[str, Any]] = {"max_batch": 128}

    def prepare(self, requests: Requests) -> None:
        """Read `max_batch` and, where there is one, the watermark."""
        self.max_batch = math.inf if self.parameters["max_batch"] is None else self.integer("max_batch")
        self.watermark = self.parameters.get("watermark", 0.0)
        real = isinstance(self.watermark, Real) and not isinstance(self.watermark, bool)
        self.require(not self.watermark or (real and 0 <= self.watermark < 1), "watermark", "in [0, 1)")

    def queue(self) -> list[int]:
        """Return the waiting requests in the order in which they are considered."""
        return self.machine.waiting()

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Return whether i may join the residents, after those already admitted in this decision."""
        return self.has_room(i)

    def has_room(self, i: int) -> bool:
        """Return whether used + need leaves the watermark free; while nobody is resident there is none."""
        m = self.machine
        limit = math.floor((1 - self.watermark) * m.memory + 1e-9) if m.residents() else m.memory
        return m.used() + m.need(i) <= limit

    def admit(self) -> list[int]:
        """Admit while the test passes; nobody while someone is swapped out."""
        m = self.machine
        admitted: list[int] = []
        if m.swapped():
            return admitted
        for i in self.queue():
            if len(m.residents()) + 1 > self.max_batch or not self.passes_test(i, admitted):
                break
            m.admit(i)
            admitted.append(i)
        return admitted

    def everyone(self) -> Batch:
        """Return all residents, prefills and decodes mixed."""
        m = self.machine
        return {i: m.prefill(i) if m.stage[i] == 0 else 0 for i in m.residents()}
