"""Families that change a base instance: how the base is found, and what of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from instances.augmented import AUGMENTED
from instances.construction import Construction, Setting
from instances.list_greedy import best_list_greedy
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray


def base_instance(
    setting: Setting,
    base: Any,
    probe: Callable[[Instance], int] | None = None,
    given: dict[str, Any] | None = None,
) -> Instance:
    """Return the instance to wrap, with its witness if the caller wants one.

    Parameters
    ----------
    setting : Setting
        Its seed goes to the base family, its base parameters too.
    base : Instance, str or dict
        An instance; a family id; or a mapping with ``family`` and its parameters.
    probe : callable, optional
        In place of the setting's own, for wrappers that change what the policy runs on.
    given : dict, optional
        Further parameters of the base family.
    """
    from instances.registry import build  # the registry imports the families, and so this file

    parameters = {**(given or {}), **setting.base_parameters}
    if isinstance(base, Instance):
        if parameters:
            raise BadParameter(
                f"{setting.family}: base is an instance, it takes no parameter {next(iter(parameters))!r}"
            )
        if setting.probe is not None:
            raise BadParameter(f"{setting.family}: base is an instance, built already: leave policy out")
        return base
    if not isinstance(base, str):
        own = {name: value for name, value in base.items() if name != "family"}
        twice = sorted(set(own) & set(parameters))
        if twice:
            raise BadParameter(f"{setting.family}: {twice[0]!r} is given in base and beside it: give it once")
        base, parameters = base["family"], {**own, **parameters}
    return build(base, setting.seed, probe or setting.probe, setting.with_witness, parameters)


def wrapped(
    setting: Setting,
    inst: Instance,
    base: Instance,
    witness: IntArray | Callable[[Instance], IntArray] | None,
    **notes: Any,
) -> Construction:
    """Return a construction that keeps the base's provenance in ``info["base"]``.

    A start that was read from a policy's run is echoed with the parameters, so that they give the same instance
    again without the policy. A base without a witness gets that of the best list-greedy schedule.
    """
    start = base.info.get("start")
    probed = setting.probe is not None and "start" in base.info.get("parameters", {})
    resolved = {"start": start} if probed else {}
    notes = {name: base.info[name] for name in AUGMENTED if name in base.info} | notes
    witness = best_list_greedy if witness is None else witness
    return Construction(inst, witness, start=start, resolved=resolved, notes={"base": dict(base.info), **notes})


__all__ = ["base_instance", "wrapped"]
