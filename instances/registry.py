"""Finding a family by its id, and generating an instance of it."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from instances import families
from instances.adaptive import Policy, Probe
from instances.card import FamilyCard
from instances.construction import Family, Setting
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import Plugin, find, is_reference, require


def generate(
    family: str | os.PathLike[str] | Plugin,
    seed: int = 0,
    policy: Policy | None = None,
    witness: bool = True,
    **parameters: Any,
) -> Instance:
    """Return an instance of a family, with a checked witness and its provenance.

    Parameters
    ----------
    family : str
        An id of `family_ids`; for a family of your own ``path/to/file.py``, ``path/to/file.py:name`` or
        ``module:name`` (see `instances.construction`), or the name of an entry point of ``kvratio.families``.
    seed : int
        Seed >= 0 of the family's random numbers; echoed by families that draw none.
    policy : callable Instance -> Schedule, optional
        For adaptive families: the deterministic policy under attack. It is run on the long request alone, and the
        instance answers the start it chose (``info["start"]``).
    witness : bool
        False leaves the witness out, and with it the ratio: for very large random instances.
    **parameters
        Those of the family's card; for wrappers, also those of the base family.

    Returns
    -------
    Instance
        ``witness`` holds the start times of a feasible schedule; ``info`` holds family, letter, kind, seed,
        parameters (defaults resolved), alpha, n, witness_cost and forced_cost (total flow, rounds), ratio (their
        quotient, or None where nothing is forced), effect, target, start and tuned_to.

    Raises
    ------
    UnknownName
        No such family.
    BadParameter
        One line that names family, parameter and value.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadParameter(f"{family}: seed is {seed!r}: give an integer >= 0")
    if policy is not None and not callable(policy):
        raise BadParameter(
            f"{family}: policy is {policy!r}: give a callable Instance -> Schedule (kvratio.generate takes ids)"
        )
    return build(family, int(seed), None if policy is None else Probe(policy), witness, parameters)


def build(
    family_id: str | os.PathLike[str] | Plugin,
    seed: int,
    probe: Callable[[Instance], int] | None,
    with_witness: bool,
    parameters: dict[str, Any],
) -> Instance:
    """`generate` behind its input checks; wrappers call it for their base with a probe of their own."""
    found = lookup(family_id)
    return found.generate(Setting(found.card.id, seed, probe, with_witness=with_witness), parameters)


def family(family_id: str | os.PathLike[str] | Plugin) -> FamilyCard:
    """Return the card of a family."""
    return lookup(family_id).card


def family_ids() -> list[str]:
    """Return the ids of all built-in families, adversarial, random, wrappers and fitted, sorted."""
    return sorted([*_module_ids(), *_fitted()])


def is_built_in(family_id: str) -> bool:
    """Whether an id is that of one of our families."""
    return family_id in _module_ids() or family_id in _fitted()


def takes_policy(family_id: str | os.PathLike[str] | Plugin, **parameters: Any) -> bool:
    """Whether `generate` with these parameters reads a policy: an adaptive family, or a wrapper of one."""
    card = family(family_id)
    if card.adaptive:
        return True
    base = parameters.get("base")
    if not card.is_wrapper or base is None or isinstance(base, Instance):
        return False
    if isinstance(base, str):
        rest = {name: value for name, value in parameters.items() if name != "base"}
        return takes_policy(base, **rest)
    return takes_policy(base["family"], **{name: value for name, value in base.items() if name != "family"})


def lookup(family_id: str | os.PathLike[str] | Plugin) -> Family:
    """Return a family by id, by ``file.py``, ``file.py:name``, ``module:name``, entry point, or pinned plug-in.

    Raises
    ------
    UnknownName
        There is none; with the nearest id.
    BadParameter, PluginError
        The file holds no family, or several, or cannot be loaded.
    """
    if isinstance(family_id, Plugin):
        return _of_plugin(family_id)
    if not isinstance(family_id, (str, os.PathLike)):
        raise UnknownName(f"family is {family_id!r}: give an id (see family_ids) or the path of a file")
    if not is_reference(family_id):
        family_id = str(family_id)
        if family_id in _module_ids():
            return getattr(importlib.import_module(f"instances.families.{family_id}"), family_id)
        if family_id in _fitted():
            return _fitted()[family_id]
    plugin = find(family_id, "family")
    if plugin is not None:
        return _of_plugin(plugin)
    near = difflib.get_close_matches(str(family_id), family_ids(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see instances.family_ids()"
    raise UnknownName(f"no family {family_id!r}: {hint}; a file of your own is given as ./my_family.py")


@lru_cache(maxsize=256)
def _of_plugin(plugin: Plugin) -> Family:
    """Load a plug-in's family, once per content."""
    found: Family = require(plugin, Family, lambda one: one.card.id, is_built_in)
    return found


def _module_ids() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(families.__path__)]


def _fitted() -> dict[str, Family]:
    from instances.fitted_families import FITTED_FAMILIES

    return FITTED_FAMILIES


__all__ = ["build", "family", "family_ids", "generate", "lookup", "takes_policy"]
