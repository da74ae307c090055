"""A policy's card: everything a reader, the engine and the tables need to know about it, in one place."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import OUR_PACKAGES, source_hash
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.plugins import Plugin

INFORMATION = ("none", "one_bit", "interval", "prediction", "clairvoyant")

#: rounds after which a run counts as one that does not end, at least
MIN_ROUND_LIMIT = 10**8


@dataclass(frozen=True)
class Parameter:
    """One parameter of a policy.

    Parameters
    ----------
    name : str
    default : number, bool, str or None
        None: computed from public data of the instance; the doc says how.
    doc : str
    low, high : float
        Inclusive range; ``above`` excludes ``low``.
    choices : tuple
        Allowed values, where they are few.
    """

    name: str
    default: Any
    doc: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[Any, ...] = ()
    above: bool = False
    whole: bool = False

    def accept(self, policy: str, value: Any) -> Any:
        """Return the value in its type, or raise `BadParameter`."""
        where = f"{policy}: {self.name} is {value!r}"
        if value is None and self.default is None:
            return None
        if self.choices:
            if value not in self.choices:
                raise BadParameter(f"{where}: choose one of {', '.join(map(str, self.choices))}")
            return value
        if isinstance(self.default, bool):
            if not isinstance(value, (bool, np.bool_)) and value not in (0, 1):
                raise BadParameter(f"{where}: give true or false")
            return bool(value)
        if isinstance(value, (bool, str)) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise BadParameter(f"{where}: give a number")
        if math.isnan(value) or value < self.low or value > self.high or (self.above and value == self.low):
            left = "(" if self.above else "["
            raise BadParameter(f"{where}: outside {left}{self.low}, {self.high}]")
        if self.whole:
            if value != math.floor(value):
                raise BadParameter(f"{where}: give a whole number")
            return int(value)
        return value if isinstance(value, int) else float(value)


@dataclass(frozen=True)
class Guarantee:
    """A proven bound on a policy's ratio, with the hypotheses under which it holds.

    Parameters
    ----------
    text : str
        As printed in tables.
    ratio : callable
        Instance and resolved parameters -> the proven ratio, or None where the proof gives no number.
    holds : callable
        Instance and resolved parameters -> whether the hypotheses hold.
    hypotheses : str
    reference : str
        arXiv id, or "derived in docs/..".
    objective : str
        The objective for which it was proved: "completion" (batch: equals flow).
    """

    text: str
    ratio: Callable[[Instance, Mapping[str, Any]], float | None]
    holds: Callable[[Instance, Mapping[str, Any]], bool]
    hypotheses: str
    reference: str
    objective: str = "completion"


class Known(NamedTuple):
    """What a policy's static order may depend on: public columns, int64[n], blank (-1) where its information ends."""

    prompt: IntArray
    arrival: IntArray
    estimate: IntArray
    low: IntArray
    high: IntArray
    output: IntArray
    memory: int


@dataclass(frozen=True)
class Card:
    """One scheduling policy.

    The first block is for people and tables, the second is the program. A policy has either a ``decide`` hook
    (event engine) or a ``run`` function of its own (timetables).

    Parameters
    ----------
    id, aliases, title, family
    information : {"none", "one_bit", "interval", "prediction", "clairvoyant"}
        What it may know of output lengths (docs/model.md, section 5).
    arrivals : {"any", "batch rule"}
        Whether it handles arrivals itself or is run batch after batch.
    evicts : str
        When it evicts, for people.
    eviction, allowed_evictions
        Default semantics and those it accepts.
    parameters, guarantee, reference, source, about, randomised
    decide : callable, optional
        Plain Python function in the compilable subset: View -> next epoch at which to be asked.
    key : callable, optional
        (Known, resolved parameters) -> int64 or float64 array: the static order of requests, ties by index; each entry
        may depend on its own request only. Default: arrival.
    resolve : callable, optional
        (Instance, parameters) -> parameters with every default that depends on public data filled in.
    scratch : callable, optional
        (n, memory, parameters, Known) -> length of ``View.own``.
    run : callable, optional
        (Instance, parameters, seed, eviction, record, round_limit) -> Outcome, for policies outside the event loop.
    plain : bool
        The hook is run by the Python interpreter (some hundred times slower) and need not be compilable.
    origin : Plugin, optional
        The pinned sources of a card from a user's file; set when it is loaded.
    """

    id: str
    title: str
    family: str
    information: str
    about: str
    reference: str
    source: str
    arrivals: str = "any"
    evicts: str = "never"
    eviction: str = "restart"
    allowed_evictions: tuple[str, ...] = ("restart", "recompute", "swap")
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    guarantee: Guarantee | None = None
    randomised: bool = False

    decide: Callable[..., Any] | None = None
    key: Callable[[Known, Mapping[str, Any]], npt.NDArray[Any]] | None = None
    resolve: Callable[[Instance, dict[str, Any]], dict[str, Any]] | None = None
    scratch: Callable[[int, int, Mapping[str, Any], Known], int] | None = None
    run: Callable[..., Any] | None = field(default=None)
    plain: bool = False
    origin: Plugin | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.information not in INFORMATION:
            raise BadParameter(
                f"{self.id}: information is {self.information!r}: choose one of {', '.join(INFORMATION)}"
            )
        if (self.decide is None) == (self.run is None):
            raise BadParameter(f"{self.id}: a card needs exactly one of decide and run")

    def settings(self, inst: Instance, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters with their values for one instance.

        Raises
        ------
        BadParameter
            For an unknown name or a value outside its range.
        """
        names = {p.name: p for p in self.parameters}
        for name in given:
            if name not in names:
                known = ", ".join(names) or "none"
                raise BadParameter(f"{self.id} has no parameter {name!r}; it has: {known}")
        values = {p.name: p.accept(self.id, given.get(p.name, p.default)) for p in self.parameters}
        return self.resolve(inst, values) if self.resolve else values

    def check_eviction(self, eviction: str | None) -> str:
        """Return the eviction semantics to use, or raise `BadParameter`."""
        chosen = self.eviction if eviction is None else eviction
        if chosen not in self.allowed_evictions:
            allowed = ", ".join(self.allowed_evictions)
            raise BadParameter(f"{self.id}: eviction {chosen!r} has no meaning for it: choose one of {allowed}")
        return chosen

    @property
    def identity(self) -> str:
        """Hash of the policy's source and of all it calls; part of every stored result's key."""
        if self.origin is not None:
            # Every file of a plug-in counts, wherever its hook is from; so does what it imports of ours.
            module = self.origin.load().__name__
            return hashlib.sha256(f"{self.origin.digest} {source_hash(module)}".encode()).hexdigest()[:16]
        functions = (self.decide, self.run, self.key, self.resolve, self.scratch)
        modules = sorted({f.__module__ for f in functions if f is not None})
        if len(modules) == 1:
            return source_hash(modules[0])[:16]
        return hashlib.sha256(" ".join(map(source_hash, modules)).encode()).hexdigest()[:16]

    @property
    def is_plugin(self) -> bool:
        """Whether the policy is a user's, not one of ours."""
        function = self.decide or self.run
        assert function is not None
        return self.origin is not None or function.__module__.partition(".")[0] not in OUR_PACKAGES
