"""Plug-ins in suites: pinned when the suite is read, and never a reason for a suite not to run.

A file that does not exist is bad use. A file that exists and cannot be loaded is a policy (family, bound) whose cells
fail, with the traceback kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kvratio.problem.errors import UnknownName
from kvratio.problem.plugins import Plugin, PluginError, find, is_reference
from kvratio.suite.deadline import CellTimeout, deadline
from kvratio.suite.naming import format_name
from kvratio.suite.plan import SLOW, PolicySpec

#: seconds that loading a user's file may take: it should define things, not compute them
LOAD_SECONDS = 30.0


def pinned(
    name: str, kind: str, built_in: Callable[[str], bool], where: str, folder: Path | None = None
) -> Plugin | None:
    """Return the plug-in that a name in a suite means, sources read; None for the name of a built-in, or of nothing.

    Raises
    ------
    UnknownName
        There is no such file or module.
    """
    if not is_reference(name) and built_in(name):
        return None
    try:
        return find(name, kind, folder)
    except UnknownName as fault:
        near = f" (relative paths start at {folder})" if folder is not None and is_reference(name) else ""
        raise UnknownName(f"{where}: {fault}{near}") from fault


@lru_cache(maxsize=256)
def is_broken(plugin: Plugin) -> bool:
    """Whether a plug-in cannot be loaded (in `LOAD_SECONDS`)."""
    try:
        with deadline(LOAD_SECONDS, f"loading {plugin.short}"):
            plugin.load()
    except (PluginError, CellTimeout):
        return True
    return False


def broken_policy(plugin: Plugin, label: str, parameters: Mapping[str, Any], eviction: str) -> PolicySpec:
    """Return the column of a policy whose cells will all fail."""
    name = plugin.name or Path(plugin.sources.path).stem
    return PolicySpec(name, label or format_name(name, parameters), dict(parameters), eviction, (0,), plugin)


def mark_of(card: Any) -> str:
    """Return what ends the label of a policy that the Python interpreter runs; empty for the others."""
    from algos.run import interpreted

    return SLOW if interpreted(card) else ""


def own_bound_id(plugin: Plugin) -> str:
    """Return the id of a user's bound; of a broken one, what its file is called."""
    from lowerbounds.own import own_bound

    if is_broken(plugin):
        return plugin.name or Path(plugin.sources.path).stem
    card = own_bound(plugin)
    assert card is not None
    return card.id


__all__ = ["broken_policy", "is_broken", "mark_of", "own_bound_id", "pinned"]
