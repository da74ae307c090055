"""How a family is written: a card, and a function that returns a construction.

A whole family, in a file of its own::

    import numpy as np
    from instances.card import REQUIRED, FamilyCard, Parameter
    from instances.construction import Construction, Setting, declare, requests

    @declare(FamilyCard(
        id="pair", title="one long request, one short", target="fcfs", effect="hurts",
        parameters=(Parameter("memory", REQUIRED, "memory M (tokens)", low=4),),
    ))
    def pair(setting: Setting, memory: int) -> Construction:
        inst = requests(memory, (1, 0, 0, memory), (1, 0, 0, 1))
        return Construction(inst, witness=np.array([1, 0]), forced_cost=2 * memory + 1)

and used as ``generate("path/to/pair.py:pair", memory=100)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from instances.card import FamilyCard, Parameter
from instances.list_greedy import flow_of
from kvratio.problem.checker import check
from kvratio.problem.errors import BadInstance, BadParameter
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.schedule import Schedule

ORDER = Parameter(
    "order",
    "adversarial",
    "numbering of the requests: as constructed, shuffled by the seed, or backwards",
    kind="choice",
    choices=("adversarial", "random", "reversed"),
)


@dataclass
class Setting:
    """What a family may use beside its parameters.

    Parameters
    ----------
    family : str
        The family's id; names its stream of random numbers.
    seed : int
    probe : callable Instance -> int, optional
        Runs the policy under attack and returns the epoch at which request 0 first starts.
    base_parameters : mapping
        For wrappers: keyword parameters that go to the base family.
    with_witness : bool
        Whether the caller wants a witness; wrappers hand it on.
    """

    family: str
    seed: int
    probe: Callable[[Instance], int] | None = None
    base_parameters: Mapping[str, Any] = field(default_factory=dict)
    with_witness: bool = True

    def rng(self) -> np.random.Generator:
        """Return the family's generator: one per instance, from the seed and crc32 of the id."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, crc32(self.family.encode())]))

    def start_of_first(self, alone: Instance, given: int) -> int:
        """Return when the policy under attack starts the only request of ``alone``; without a policy, ``given``."""
        return given if self.probe is None else self.probe(alone)


@dataclass(frozen=True)
class Construction:
    """What a family's function returns.

    Parameters
    ----------
    instance : Instance
    witness : int64[n], or callable Instance -> int64[n], optional
        Start times of a feasible schedule without kills. A callable sees the instance in its final order.
    forced_cost : int, or callable Instance -> int, optional
        Total flow that the construction forces on its target, exact.
    start : int, optional
        For adaptive families: the start b of the long request that the instance answers.
    resolved : mapping
        Parameters whose default was None, with the value used.
    notes : mapping
        Further entries of ``instance.info``.
    measure : callable Instance -> mapping, optional
        Further entries that depend on the final order; asked only where a witness is wanted.
    """

    instance: Instance
    witness: IntArray | Callable[[Instance], IntArray] | None = None
    forced_cost: int | Callable[[Instance], int] | None = None
    start: int | None = None
    resolved: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    measure: Callable[[Instance], Mapping[str, Any]] | None = None


Block = tuple[int, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


def requests(memory: int, *blocks: Block, **fields: Any) -> Instance:
    """Build an instance from blocks (count, arrival, prompt, output), numbered in the order written.

    Each of arrival, prompt and output is one number for the whole block or an array of ``count`` entries; other
    fields of `Instance` go by keyword. A block of no requests is left out.
    """
    columns = []
    for which in (1, 2, 3):
        parts = [np.broadcast_to(np.asarray(block[which], dtype=np.int64), (block[0],)) for block in blocks]
        columns.append(np.concatenate(parts))
    arrival, prompt, output = columns
    return Instance(prompt=prompt, output=output, memory=memory, arrival=arrival, **fields)


@dataclass(frozen=True)
class Family:
    """A card with the function that builds its instances."""

    card: FamilyCard
    build: Callable[..., Construction]

    def generate(self, setting: Setting, parameters: Mapping[str, Any]) -> Instance:
        """Return the instance, its witness checked, with everything that made it in ``info``."""
        setting, values = self._read(setting, parameters)
        order = values.pop("order", None)
        try:
            construction = self.build(setting, **values)
        except BadInstance as fault:
            raise BadParameter(f"{self.card.id}: these parameters give no valid instance: {fault}") from fault
        if order is not None:
            values["order"] = order
            construction = _reorder(construction, order, setting)
        return self._finish(construction, setting, values)

    def _read(self, setting: Setting, parameters: Mapping[str, Any]) -> tuple[Setting, dict[str, Any]]:
        known = {parameter.name: parameter for parameter in self.card.parameters}
        extra = {name: value for name, value in parameters.items() if name not in known}
        if extra and not self.card.is_wrapper:
            name = next(iter(extra))
            raise BadParameter(f"{self.card.id} has no parameter {name!r}: it has {', '.join(known) or 'none'}")
        missing = [name for name, parameter in known.items() if parameter.required and name not in parameters]
        if missing:
            raise BadParameter(f"{self.card.id} needs {', '.join(missing)}: {known[missing[0]].doc}")
        if setting.probe is not None and not (self.card.adaptive or self.card.is_wrapper):
            raise BadParameter(f"{self.card.id} is not adaptive: leave policy out")
        if setting.probe is not None and "start" in known and "start" in parameters:
            raise BadParameter(f"{self.card.id}: give policy or start, not both (policy: start is read from its run)")
        values = {
            name: parameter.default if name not in parameters else parameter.read(parameters[name], self.card.id)
            for name, parameter in known.items()
        }
        return replace(setting, base_parameters=extra), values

    def _finish(self, construction: Construction, setting: Setting, values: Mapping[str, Any]) -> Instance:
        inst = construction.instance
        parameters = {
            name: _plain(value)
            for name, value in {**values, **setting.base_parameters, **construction.resolved}.items()
        }
        cost: int | None = None
        forced: int | None = None
        starts = construction.witness if setting.with_witness else None
        if callable(starts):
            starts = starts(inst)
        if starts is not None:
            check(inst, Schedule.from_starts(inst, starts))
            cost = flow_of(inst, starts)
            hurt = construction.forced_cost
            forced = hurt(inst) if callable(hurt) else hurt
        info = {
            "family": self.card.id,
            "letter": self.card.letter,
            "kind": "batch" if inst.is_batch else "online",
            "seed": setting.seed,
            "parameters": parameters,
            "alpha": inst.alpha,
            "n": inst.n,
            "witness_cost": cost,
            "forced_cost": forced,
            "ratio": None if forced is None or cost is None else forced / cost,
            "effect": self.card.effect,
            "target": self.card.target,
            "start": construction.start,
            "tuned_to": getattr(setting.probe, "label", None),
            **construction.notes,
        }
        if construction.measure is not None and setting.with_witness:
            info |= construction.measure(inst)
        return inst.replace(witness=starts, info=info, name=self._name(parameters, setting))

    def _name(self, parameters: Mapping[str, Any], setting: Setting) -> str:
        shown = {name: value for name, value in parameters.items() if value is not None}
        if isinstance(shown.get("base"), dict) and "key" in shown["base"]:
            shown["base"] = shown["base"]["name"] or shown["base"]["key"][:12]
        text = ", ".join(f"{name}={value}" for name, value in shown.items())
        return f"{self.card.id}({text})" + (f" seed {setting.seed}" if setting.seed else "")


def declare(card: FamilyCard) -> Callable[[Callable[..., Construction]], Family]:
    """Turn a function (setting, **parameters) -> Construction into a family with this card."""
    if card.orders:
        card = replace(card, parameters=(*card.parameters, ORDER))
    return lambda build: Family(card, build)


def _reorder(construction: Construction, order: str, setting: Setting) -> Construction:
    if order == "adversarial":
        return construction
    n = construction.instance.n
    place = np.arange(n)[::-1] if order == "reversed" else setting.rng().permutation(n)
    witness = construction.witness
    if isinstance(witness, np.ndarray):
        witness = witness[place]
    # A number was derived for the order written; a callable is asked again in the new order.
    forced = construction.forced_cost if callable(construction.forced_cost) else None
    return replace(construction, instance=construction.instance.subset(place), witness=witness, forced_cost=forced)


def _plain(value: Any) -> Any:
    """Make a parameter fit for JSON: an instance is echoed by its key."""
    if isinstance(value, Instance):
        return {"name": value.name, "key": value.key}
    return list(value) if isinstance(value, tuple) else value


__all__ = ["ORDER", "Construction", "Family", "Setting", "declare", "requests"]
