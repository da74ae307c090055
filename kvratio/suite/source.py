"""Where an instance comes from, on one line: a file, a family with parameters, or a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kvratio.problem.bound import Bound
from kvratio.problem.errors import BadInstance, BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.plugins import installed, is_reference
from kvratio.problem.schedule import Schedule
from kvratio.suite.naming import parse_name


def open_source(
    text: str, seed: int = 0, memory: int | None = None, policy: str | None = None, eviction: str | None = None
) -> Instance:
    """Return the instance that a word of the command line names.

    Parameters
    ----------
    text : str
        A saved instance, schedule or bound (``.json``, ``.npz``); a family as ``blocker:memory=50``, or one of your own
        as ``./my_family.py:memory=50`` or ``./my_family.py:waves:memory=50``; or a trace by path or name, as
        ``azure_2023_conv:memory=131072,limit=1000``.
    seed : int
        Of a family's random numbers.
    memory : int, optional
        The budget; overrides the one in ``text``, and the one of a saved instance.
    policy, eviction : str, optional
        The policy to which an adaptive family is tuned.

    Raises
    ------
    UnknownName, BadParameter, BadInstance, TraceError
    """
    import instances
    from instances import registry as families

    name, parameters = parse_name(text)
    if memory is not None:
        parameters["memory"] = memory
    path = Path(name)
    if path.is_file() and (path.suffix == ".npz" or (path.suffix == ".json" and _is_saved(path))):
        if set(parameters) - {"memory"}:
            raise BadParameter(f"{text!r}: a saved instance takes no parameters but memory")
        inst = load_instance(path)
        return inst if "memory" not in parameters else inst.replace(memory=parameters["memory"])
    if is_reference(name) or families.is_built_in(name) or name in installed("family"):
        from kvratio.suite.generate import generate

        return generate(name, seed=seed, policy=policy, eviction=eviction, **parameters)
    if not path.exists() and not _is_trace_name(name):
        raise UnknownName(
            f"{name!r} is no file, no family (kvratio list families) and no trace (kvratio list traces): give one"
        )
    if "memory" not in parameters:
        raise BadParameter(f"{name}: a trace has no budget of its own: add --memory TOKENS")
    return instances.load_trace(name, **parameters)


def load_instance(path: str | Path) -> Instance:
    """Load an instance from its own file, or from the file of a schedule or a bound."""
    path = Path(path)
    if path.suffix == ".json" and path.is_file():
        kind = _read_json(path).get("kind")
        if kind == "schedule":
            return Schedule.load(path).instance
        if kind == "bound":
            return Bound.load(path).instance
    if not path.is_file():
        raise UnknownName(f"{path}: there is no such file")
    return Instance.load(path)


def _is_saved(path: Path) -> bool:
    """Whether a JSON file is one of ours (a trace may be JSON too)."""
    data = _read_json(path)
    return "kind" in data or {"prompt", "output", "memory"} <= set(data)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise BadInstance(f"{path}: not JSON ({fault}): give a file that kvratio saved") from fault
    return data if isinstance(data, dict) else {}


def _is_trace_name(name: str) -> bool:
    from instances.traces.locate import find_trace
    from instances.traces.sources import list_sources
    from kvratio.problem.errors import TraceError

    if any(source.name == name for source in list_sources()):
        return True
    try:
        find_trace(name)
    except TraceError:
        return False
    return True
