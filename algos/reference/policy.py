"""What a policy of the reference engine is: hooks in the order of docs/model.md section 2, and the batch rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

from algos.reference.engine import Worker
from kvratio.problem.errors import BadParameter

ANY_EVICTION = ("restart", "recompute", "swap")
RESTART_ONLY = ("restart",)


class Policy(ABC):
    """Base of all policies: does nothing at every step.

    Parameters
    ----------
    worker : Worker
        The only thing a policy reads and acts on.
    given : mapping
        Parameters by the names of docs/policies.md; the rest keep their defaults.
    seed : int
        For randomised policies.

    Raises
    ------
    BadParameter
        An unknown parameter, or a value without meaning.
    """

    name: ClassVar[str] = ""
    defaults: ClassVar[Mapping[str, Any]] = {}
    evictions: ClassVar[tuple[str, ...]] = ANY_EVICTION  # the first is the default
    clairvoyant: ClassVar[bool] = False

    def __init__(self, worker: Worker, given: Mapping[str, Any], seed: int = 0) -> None:
        for parameter in given:
            if parameter not in self.defaults:
                known = ", ".join(self.defaults) or "none"
                raise BadParameter(f"{self.name} has no parameter {parameter!r}: its parameters are {known}")
        self.worker = worker
        self.seed = seed
        self.parameters = {**self.defaults, **given}
        self.prepare()

    def prepare(self) -> None:
        """Read parameters and set up state, before epoch 0."""

    def completed(self, i: int) -> None:
        """Step 1: request i has completed."""

    def arrived(self, joined: list[int]) -> None:
        """Step 2: these requests have joined the waiting set (possibly none)."""

    def end_timed(self) -> None:
        """Step 3: stop the attempts whose slice, cap or reservation ends now."""

    def relieve(self) -> None:
        """Step 4: evict while the next round would need more than M."""

    def admit(self) -> None:
        """Step 5: start waiting requests."""

    def after_round(self, ran: list[int]) -> None:
        """Step 6: the round has been run by these requests; ``worker.now`` is the epoch that ends it."""

    def expects_event(self) -> bool:
        """Return whether something will start later although nothing runs and nobody will arrive."""
        return False

    def integer(self, parameter: str, low: int | None = None) -> int:
        """Return a parameter that must be an integer (>= low), or raise BadParameter."""
        rule = "an integer" if low is None else f"an integer >= {low}"
        value = self.parameters[parameter]
        self.require(isinstance(value, Integral) and not isinstance(value, bool), parameter, rule)
        self.require(low is None or value >= low, parameter, rule)
        return int(value)

    def require(self, condition: bool, parameter: str, rule: str) -> None:
        """Raise BadParameter unless the condition on a parameter holds."""
        if not condition:
            raise BadParameter(f"{self.name}: {parameter} is {self.parameters[parameter]!r}, it must be {rule}")


class BatchPolicy(Policy):
    """A policy defined for a batch, with the rule for arrivals of docs/policies.md section 1.

    Whenever the last batch is complete, all that wait form the next one; what arrives meanwhile waits. ``alive``
    are the unfinished requests of the present batch by index.
    """

    def __init__(self, worker: Worker, given: Mapping[str, Any], seed: int = 0) -> None:
        self.alive: list[int] = []
        super().__init__(worker, given, seed)

    @abstractmethod
    def begin(self, batch: list[int]) -> None:
        """Start on a new batch (indices in order) at the present epoch."""

    def completed(self, i: int) -> None:
        """Step 1: request i leaves the batch."""
        self.alive.remove(i)

    def arrived(self, joined: list[int]) -> None:
        """Step 2: form a batch of all that wait if none is in progress."""
        if not self.alive and self.worker.waiting():
            self.alive = self.worker.waiting()
            self.begin(list(self.alive))

    def expects_event(self) -> bool:
        """Return whether a batch is in progress: its timetable goes on."""
        return bool(self.alive)
