"""A serving policy's card: what a reader, the engine and the tables need to know about it, in one place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy.typing as npt

from algos.card import Parameter
from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.compiled import source_hash
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.requests import IntArray, Requests

#: what a policy is told of a request when it arrives, beside its prompt
INFORMATION = ("none", "prediction", "type")

ALL_EVICTIONS = ("restart", "recompute", "swap")


@dataclass(frozen=True)
class Limit(Parameter):
    """A parameter for which None means no limit, whatever its default."""

    def accept(self, policy: str, value: Any) -> Any:
        """Return the value in its type, or raise `BadParameter`."""
        return None if value is None else super().accept(policy, value)


MAX_BATCH = Limit("max_batch", 128, "most residents at a time; none: no limit", low=1, high=2**53, whole=True)
WATERMARK = Parameter("watermark", 0.01, "share of the memory that an admission must leave free", low=0.0, high=1.0)


class Case(NamedTuple):
    """What the parameters of a policy may be computed from."""

    requests: Requests
    clock: Clock | RooflineClock
    memory: int
    block: int
    refused: npt.NDArray[Any]


class Layout(NamedTuple):
    """Queues of a policy that advances stage by stage.

    Attributes
    ----------
    kinds : int64[n]
        Group of queues of each request.
    base : int64[kinds]
        First queue of each kind: that of stage 0.
    entry, group : int64[queues]
        Whether a queue holds survivors at a boundary; the row of ``groups`` it belongs to.
    groups : list of mapping
        Fields of `algos.serving.state.GROUP`.
    grouped : bool
        Whether kinds are groups.
    """

    kinds: IntArray
    base: IntArray
    entry: IntArray
    group: IntArray
    groups: list[dict[str, int]]
    grouped: bool


@dataclass(frozen=True)
class ServingCard:
    """One policy of the serving model.

    Parameters
    ----------
    id, title, about, reference, source
        For people and tables; ``reference`` is an arXiv id or "derived".
    information : {"none", "prediction", "type"}
        What it is told of output lengths: nothing, a prediction, or which type of the mix a request is of.
    eviction, allowed_evictions
        Default rule and those it accepts.
    parameters
    decide : callable
        Plain Python function in the compilable subset: View -> iterations for which the batch stands.
    key : callable, optional
        (predicted, prompt) -> int64[n]: static order of waiting requests, ties by index. Default: arrival.
    resolve : callable, optional
        (`Case`, parameters) -> parameters with all defaults filled in that depend on the case.
    layout : callable, optional
        (`Case`, parameters) -> `Layout`, for policies that advance stage by stage.
    together : callable or None
        Parameters -> whether all requests decode together at every decode. Default: they do, without a layout.
    scratch : callable, optional
        n -> length of ``View.own``.
    tell : bool
        Whether it wants to know who joined the queue.
    """

    id: str
    title: str
    information: str
    about: str
    reference: str
    source: str
    eviction: str
    decide: Callable[..., Any]
    allowed_evictions: tuple[str, ...] = ALL_EVICTIONS
    parameters: tuple[Parameter, ...] = ()
    key: Callable[[IntArray, IntArray], IntArray] | None = None
    resolve: Callable[[Case, dict[str, Any]], dict[str, Any]] | None = None
    layout: Callable[[Case, Mapping[str, Any]], Layout] | None = None
    together: Callable[[Mapping[str, Any]], bool] | None = None
    scratch: Callable[[int], int] | None = None
    tell: bool = False

    def __post_init__(self) -> None:
        if self.information not in INFORMATION:
            raise BadParameter(
                f"{self.id}: information is {self.information!r}: choose one of {', '.join(INFORMATION)}"
            )

    def settings(self, case: Case, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters with their values for one case.

        Raises
        ------
        BadParameter
            For an unknown name or a value outside its range.
        """
        names = {p.name for p in self.parameters}
        for name in given:
            if name not in names:
                known = ", ".join(sorted(names)) or "none"
                raise BadParameter(f"{self.id} has no parameter {name!r}; it has: {known}")
        values = {p.name: p.accept(self.id, given.get(p.name, p.default)) for p in self.parameters}
        return self.resolve(case, values) if self.resolve else values

    def check_eviction(self, eviction: str | None) -> str:
        """Return the eviction rule to use, or raise `UnknownName` or `BadParameter`."""
        chosen = self.eviction if eviction is None else eviction
        if chosen not in ALL_EVICTIONS:
            raise UnknownName(f"eviction {chosen!r} is not known: choose one of {', '.join(ALL_EVICTIONS)}")
        if chosen not in self.allowed_evictions:
            allowed = ", ".join(self.allowed_evictions)
            raise BadParameter(f"{self.id}: eviction {chosen!r} has no meaning for it: choose one of {allowed}")
        return chosen

    @property
    def identity(self) -> str:
        """Hash of the source of the policy, of all it calls, and of the engine; part of every stored result's key."""
        both = source_hash(self.decide.__module__) + source_hash("algos.serving.machine")
        return hashlib.sha256(both.encode()).hexdigest()[:16]
