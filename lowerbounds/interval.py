"""Collecting evidence: the best schedule seen, the strongest lower bounds and how each is known."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Bound, Certificate, Instance, Schedule, check
from kvratio.problem.errors import BadParameter, InfeasibleSchedule
from lowerbounds.classes import Classes, group
from lowerbounds.closed_form import ClosedForm
from lowerbounds.decode import Incumbent
from lowerbounds.exact_sums import exact_sum

IntArray = npt.NDArray[np.int64]
#: told (lower, upper), in the objective asked for, None where nothing is known yet, whenever one of them improves
Progress = Callable[[int | None, int | None], None]


class Evidence:
    """Everything known so far about one instance's optimum, in total completion."""

    def __init__(self, inst: Instance, seed: int, deadline: float, told: Progress | None = None) -> None:
        self.inst = inst
        self.seed = seed
        self.deadline = deadline
        self.began = time.monotonic()
        self.told = told
        self.incumbent = Incumbent(inst, self.tell)
        self.certified: tuple[int, Certificate] | None = None
        self.words: list[tuple[str, int, Certificate]] = []
        self._classes: Classes | None = None

    @property
    def classes(self) -> Classes:
        """Identical requests, grouped once."""
        if self._classes is None:
            self._classes = group(self.inst)
        return self._classes

    @property
    def lower(self) -> int | None:
        """Largest lower bound, by a certificate or by a solver's word."""
        values = [value for _, value, _ in self.words]
        if self.certified:
            values.append(self.certified[0])
        return max(values, default=None)

    @property
    def upper(self) -> int | None:
        """Least cost of a schedule."""
        return self.incumbent.cost

    @property
    def closed(self) -> bool:
        """Whether both sides meet."""
        return self.upper is not None and self.lower == self.upper

    @property
    def settled(self) -> bool:
        """Whether a certificate meets a schedule, so that nothing is left to find or to prove."""
        return self.certified is not None and self.certified[0] == self.upper

    @property
    def left(self) -> float:
        """Seconds until the deadline, >= 0."""
        return max(0.0, self.deadline - time.monotonic())

    def tell(self) -> None:
        """Tell the caller where the interval stands."""
        if self.told is not None:
            self.told(self.lower, self.upper)

    def prove(self, lower: int, certificate: Certificate) -> None:
        """Keep a certified lower bound if it is the strongest."""
        if self.certified is None or lower > self.certified[0]:
            self.certified = (lower, certificate)
            self.tell()

    def prove_closed_form(self, bound: ClosedForm) -> None:
        """Keep a closed form: its certificate is its name and value."""
        data = {
            "objective": "completion",
            "numerator": bound.value.numerator,
            "denominator": bound.value.denominator,
            "rounding_bits": bound.bits,
        }
        self.prove(bound.integer, Certificate(bound.name, "lower", data))

    def hear(self, lower: int, word: dict[str, Any]) -> None:
        """Keep a lower bound that rests on a solver's word; the seal shows a later change of any field."""
        sealed = {"objective": "completion", "instance": self.inst.key, **word, "lower": lower}
        sealed["seal"] = hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()
        self.words.append((word["solver"], lower, Certificate("solver", "lower", sealed)))
        self.tell()

    def offer(self, schedules: Sequence[Schedule]) -> None:
        """Use schedules that the caller has: each request is taken to run once, up to its completion.

        That only removes void attempts. Under ``recompute`` and ``swap`` it may break the budget; then it is no
        schedule of this model and is left out.

        Raises
        ------
        InfeasibleSchedule
            When a schedule with eviction ``restart`` is not feasible.
        """
        for given in schedules:
            if not isinstance(given, Schedule):
                raise BadParameter(f"schedules holds a {type(given).__name__}: give Schedule objects of this instance")
            if given.completion.shape != (self.inst.n,):
                raise BadParameter(f"schedules holds one with {len(given.completion)} requests, not {self.inst.n}")
            starts = given.completion - self.inst.output
            try:
                check(self.inst, Schedule.from_starts(self.inst, starts))
            except InfeasibleSchedule:
                if given.eviction == "restart":
                    raise
                continue
            self.incumbent.offer(exact_sum(given.completion), starts)

    def bound(self, method: str, objective: str, **about: Any) -> Bound:
        """Return the interval for an objective, its upper side rechecked.

        Raises
        ------
        InfeasibleSchedule
            Should a schedule of ours not be feasible: then the fault is ours and nothing is reported.
        """
        shift = exact_sum(self.inst.arrival) if objective == "flow" else 0
        certificates: list[Certificate] = []
        schedule = None
        upper = None
        if self.incumbent.starts is not None and self.incumbent.cost is not None:
            schedule = Schedule.from_starts(self.inst, self.incumbent.starts, policy=method)
            check(self.inst, schedule)
            upper = self.incumbent.cost - shift
            data = {"objective": "completion", "starts": self.incumbent.starts.tolist(), "cost": self.incumbent.cost}
            certificates.append(Certificate("starts", "upper", data))
        lower = self.lower
        if lower is None:
            raise BadParameter(f"method {method} found no lower bound within its limits: raise them or use 'best'")
        proved = self.certified[0] if self.certified else None
        if self.certified:
            certificates.append(self.certified[1])
        grade = "certified"
        if proved is None or proved < lower:
            who = {solver for solver, value, _ in self.words if value == lower}
            grade = "solver*2" if len(who) > 1 else "solver"
            certificates += [certificate for _, value, certificate in self.words if value == lower]
        return Bound(
            self.inst, method, objective, lower - shift, upper, tuple(certificates), grade,
            time.monotonic() - self.began, schedule, **about,
        )  # fmt: skip
