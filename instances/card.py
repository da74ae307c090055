"""What a family says of itself, and how a parameter is read from the user."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance


class _Required:
    """The default of a parameter that must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a family.

    Parameters
    ----------
    name : str
    default : object
        `REQUIRED` if it must be given; None if the family resolves it (``doc`` says to what).
    doc : str
        One line, with the letter the papers use and the unit.
    kind : {"int", "float", "choice", "interval", "base", "any"}
        ``interval`` is a pair (lo, hi) of integers, both ends included; ``base`` is what a wrapper wraps: an
        instance, a family id, or a mapping with the key ``family`` and that family's parameters; ``any`` is read by the
        family itself.
    low, high : float, optional
        Smallest and largest value allowed (of both ends for an interval).
    open_low : bool
        Whether ``low`` itself is refused.
    choices : tuple
        Values allowed for ``choice``.
    """

    name: str
    default: Any
    doc: str
    kind: str = "int"
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    def read(self, value: Any, family: str) -> Any:
        """Return the value as plain Python, or raise BadParameter with one line."""
        if value is None and self.default is None:
            return None
        where = f"{family}: {self.name}"
        if self.kind == "any":
            return value
        if self.kind == "base":
            return _read_base(value, where)
        if self.kind == "choice":
            if value not in self.choices:
                raise BadParameter(f"{where} is {value!r}: choose one of {', '.join(map(repr, self.choices))}")
            return value
        if self.kind == "interval":
            if isinstance(value, (str, Mapping)) or not np.iterable(value) or len(pair := list(value)) != 2:
                raise BadParameter(f"{where} is {value!r}: give two integers (lo, hi), both ends included")
            lo, hi = (self._in_range(_read_int(end, where), where) for end in pair)
            if lo > hi:
                raise BadParameter(f"{where} is ({lo}, {hi}): the first must not exceed the second")
            return lo, hi
        return self._in_range(_read_int(value, where) if self.kind == "int" else _read_float(value, where), where)

    def _in_range(self, value: Any, where: str) -> Any:
        if self.low is not None and (value < self.low or (self.open_low and value == self.low)):
            raise BadParameter(f"{where} is {value}: give a number {'>' if self.open_low else '>='} {self.low}")
        if self.high is not None and value > self.high:
            raise BadParameter(f"{where} is {value}: give a number <= {self.high}")
        return value


def _read_int(value: Any, where: str) -> int:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if isinstance(value, (float, np.floating)) and math.isfinite(value) and value == math.floor(value):
        whole = True
    if not whole:
        raise BadParameter(f"{where} is {value!r}: give an integer")
    if abs(int(value)) >= 2**62:
        raise BadParameter(f"{where} is {value}: beyond int64, use coarser units")
    return int(value)


def _read_float(value: Any, where: str) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise BadParameter(f"{where} is {value!r}: give a finite number")
    return float(value)


def _read_base(value: Any, where: str) -> Any:
    if isinstance(value, (Instance, str)):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("family"), str):
        return dict(value)
    raise BadParameter(f"{where} is {value!r}: give an instance, a family id, or {{'family': id, parameter: value}}")


@dataclass(frozen=True)
class FamilyCard:
    """What a family of instances is, what it is aimed at, and what it proves.

    Parameters
    ----------
    id : str
        Stable name, used in suites and results.
    title : str
        One line.
    letter : str
        The construction's letter in the documentation; empty for random families.
    kind : {"batch", "online", "as base"}
        Whether all requests are there at epoch 0.
    group : {"adversarial", "random", "fitted", "wrapper"}
    adaptive : bool
        Whether `generate` takes ``policy`` and reads the start of the long request from its run.
    oblivious : bool
        Adaptive in form only: ``policy`` is probed and its start recorded, the requests do not depend on it.
    target : str
        The policy id, or the class of policies, that it is built against.
    effect : {"forces", "hurts", "measured"}
        ``forces``: the ratio holds for every policy of the class; ``hurts``: for the policy named.
    parameters : tuple of Parameter
    orders : bool
        Whether it takes ``order`` = adversarial, random or reversed.
    ratio_text : str
        Leading term of the ratio.
    source : str
        Where it is from: authors, title, arXiv id; or that it is derived here.
    about : str
        A few sentences for people.
    """

    id: str
    title: str
    letter: str = ""
    kind: str = "batch"
    group: str = "adversarial"
    adaptive: bool = False
    oblivious: bool = False
    target: str = ""
    effect: str = "measured"
    parameters: tuple[Parameter, ...] = ()
    orders: bool = False
    ratio_text: str = ""
    source: str = ""
    about: str = ""

    @property
    def is_wrapper(self) -> bool:
        """Whether it changes a base instance; parameters it does not know then go to the base family."""
        return any(parameter.kind == "base" for parameter in self.parameters)

    def forced(self, inst: Instance) -> float | None:
        """Return the ratio of total flow to the witness that the construction forces on its target, or None."""
        return inst.info.get("ratio")


__all__ = ["REQUIRED", "FamilyCard", "Parameter"]
