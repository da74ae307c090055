"""Finding a family by its id, and generating an instance of it."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from instances import families
from instances.adaptive import Policy, Probe
from instances.card import FamilyCard
from instances.construction import Family, Setting
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance


def generate(
    family: str, seed: int = 0, policy: Policy | None = None, witness: bool = True, **parameters: Any
) -> Instance:
    """Return an instance of a family, with a checked witness and its provenance.

    Parameters
    ----------
    family : str
        An id of `family_ids`, or ``path/to/file.py:name`` for a family of your own (see `instances.construction`).
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
    family_id: str,
    seed: int,
    probe: Callable[[Instance], int] | None,
    with_witness: bool,
    parameters: dict[str, Any],
) -> Instance:
    """`generate` behind its input checks; wrappers call it for their base with a probe of their own."""
    found = lookup(family_id)
    return found.generate(Setting(found.card.id, seed, probe, with_witness=with_witness), parameters)


def family(family_id: str) -> FamilyCard:
    """Return the card of a family."""
    return lookup(family_id).card


def family_ids() -> list[str]:
    """Return the ids of all built-in families, adversarial, random, wrappers and fitted, sorted."""
    return sorted([*_module_ids(), *_fitted()])


def takes_policy(family_id: str, **parameters: Any) -> bool:
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


def lookup(family_id: str) -> Family:
    """Return a family by id or by ``file.py:name``; raise UnknownName with the nearest id."""
    if not isinstance(family_id, str):
        raise UnknownName(f"family is {family_id!r}: give an id (see family_ids) or 'file.py:name'")
    if re.search(r"\.py:\w+$", family_id):
        return _from_file(family_id)
    if family_id in _module_ids():
        return getattr(importlib.import_module(f"instances.families.{family_id}"), family_id)
    if family_id in _fitted():
        return _fitted()[family_id]
    near = difflib.get_close_matches(family_id, family_ids(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see instances.family_ids()"
    raise UnknownName(f"no family {family_id!r}: {hint}")


def _module_ids() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(families.__path__)]


def _fitted() -> dict[str, Family]:
    from instances.fitted_families import FITTED_FAMILIES

    return FITTED_FAMILIES


def _from_file(reference: str) -> Family:
    path, _, name = reference.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise UnknownName(f"no family {reference!r}: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"kvratio_family_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UnknownName(f"no family {reference!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, Family):
        raise UnknownName(
            f"no family {reference!r}: {path} has no family named {name} (see instances.construction.declare)"
        )
    return found


__all__ = ["build", "family", "family_ids", "generate", "lookup", "takes_policy"]
