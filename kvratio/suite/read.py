"""Read a suite from TOML: every mistake is one line that names file, table, key, value and what to do."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kvratio.problem.bound import OBJECTIVES
from kvratio.problem.errors import BadParameter, KvratioError, UnknownName
from kvratio.problem.plugins import Plugin
from kvratio.suite.naming import format_name, nearest
from kvratio.suite.own import broken_policy, is_broken, mark_of, own_bound_id, pinned
from kvratio.suite.plan import BoundSpec, FamilySpec, PolicySpec, Suite
from kvratio.suite.plugin_store import kept_plugins
from kvratio.suite.store import RunFolder

TOP_KEYS = (
    *("name", "title", "objective", "seeds", "policy_seeds", "cell_seconds", "resamples", "confidence"),
    *("certificates", "schedules", "bound", "policy", "family", "trace"),
)
POLICY_KEYS = ("id", "label", "parameters", "eviction", "seeds")
FAMILY_KEYS = ("id", "label", "parameters", "grid", "seeds", "objective", "bound", "policies")
TRACE_KEYS = ("name", "label", "parameters", "grid", "objective", "bound", "policies")
BOUND_KEYS = ("method", "time_limit", "options")


def suite_names() -> list[str]:
    """Names of the built-in suites."""
    folder = importlib.resources.files("kvratio.suite") / "suites"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_suite(source: str | Path) -> Suite:
    """Read a built-in suite by name or a TOML file by path, and check every name and value in it.

    The folder of a run gives the suite of that run, with the users' files that it kept.

    Raises
    ------
    UnknownName
        No such suite, policy, family or bound method.
    BadParameter
        A key that does not exist or a value that means nothing.
    """
    path = Path(source)
    if str(source) in suite_names():
        entry = importlib.resources.files("kvratio.suite") / "suites" / f"{source}.toml"
        text, where, stem, folder = entry.read_text(), f"suite {source}", str(source), None
    elif (path / "manifest.json").is_file():
        return suite_of_run(path)
    elif path.is_file():
        text, where, stem, folder = path.read_text(), str(path), path.stem, path.resolve().parent
    else:
        hint = "there is no such file" if path.suffix == ".toml" else f"built in are {', '.join(suite_names())}"
        raise UnknownName(f"suite {str(source)!r}: {hint}; give a built-in name or the path of a TOML file")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadParameter(f"{where}: not TOML ({fault}): mend the line named") from fault
    return read_suite(data, where, stem, folder)


def suite_of_run(path: Path) -> Suite:
    """Return the suite of a run folder, with policies, families and bounds of users' files as they were then.

    Raises
    ------
    BadParameter
        A file that the run kept was changed or is gone.
    """
    folder = RunFolder(path)
    data = folder.read_manifest()
    return replace(Suite.from_dict(data["suite"], kept_plugins(folder.plugins, data)), source=data["read_from"])


def read_suite(data: Mapping[str, Any], where: str = "suite", stem: str = "suite", folder: Path | None = None) -> Suite:
    """Build a checked suite from parsed TOML.

    ``where`` names it in messages, ``stem`` is its default name, and relative paths of plug-ins start at ``folder``
    (default: the current one).
    """
    _only(data, TOP_KEYS, where)
    objective = _choice(data.get("objective", "completion"), OBJECTIVES, f"{where}: objective")
    seeds = read_seeds(data.get("seeds", 1), f"{where}: seeds")
    bound = read_bound(data.get("bound", {}), BoundSpec(), f"{where}: bound", folder)
    policy_seeds = read_seeds(data.get("policy_seeds", 1), f"{where}: policy_seeds")
    policies = tuple(
        read_policy(entry, policy_seeds, f"{where}: policy {k}", folder)
        for k, entry in enumerate(_tables(data, "policy", where), 1)
    )
    if not policies:
        raise BadParameter(f"{where}: no policy: add at least one [[policy]] table with an id")
    labels = tuple(policy.label for policy in policies)
    families = tuple(
        read_family(entry, kind, seeds, objective, bound, labels, f"{where}: {kind} {k}", folder)
        for kind in ("family", "trace")
        for k, entry in enumerate(_tables(data, kind, where), 1)
    )
    if not families:
        raise BadParameter(f"{where}: no family and no trace: add at least one [[family]] table with an id")
    _unique(labels, "policy", where)
    _unique([family.label for family in families], "family", where)
    confidence = _number(data.get("confidence", 0.95), f"{where}: confidence", 0.0, 1.0)
    return Suite(
        name=_name(data.get("name", stem), f"{where}: name"),
        title=str(data.get("title", "")),
        source=where,
        policies=policies,
        families=families,
        cell_seconds=_number(data.get("cell_seconds", 60.0), f"{where}: cell_seconds", 0.0),
        resamples=int(_number(data.get("resamples", 1000), f"{where}: resamples", 1.0)),
        confidence=confidence,
        certificates=_flag(data.get("certificates", False), f"{where}: certificates"),
        schedules=_flag(data.get("schedules", False), f"{where}: schedules"),
    )


# -- policies -----------------------------------------------------------------------------------------------------
def read_policy(entry: Mapping[str, Any], seeds: tuple[int, ...], where: str, folder: Path | None) -> PolicySpec:
    """Read one [[policy]] table; `read_suite` has the meaning of the rest."""
    from algos import registry

    _only(entry, POLICY_KEYS, where)
    name = _required(entry, "id", where)
    plugin = pinned(name, "policy", registry.is_built_in, where, folder)
    if plugin is not None and is_broken(plugin):
        given = _table(entry.get("parameters", {}), f"{where}: parameters")
        return broken_policy(plugin, str(entry.get("label", "")), given, entry.get("eviction", "restart"))
    if plugin is not None:
        card = registry.card(plugin)
    else:
        card = _lookup(registry.card, name, registry.policy_ids(), f"{where}: id")
    parameters = _table(entry.get("parameters", {}), f"{where}: parameters")
    _check_parameters(parameters, card.parameters, f"{where} ({name})")
    eviction = entry.get("eviction", card.eviction)
    _choice(eviction, card.allowed_evictions, f"{where} ({name}): eviction")
    if "seeds" in entry:
        seeds = read_seeds(entry["seeds"], f"{where} ({name}): seeds")
        if len(seeds) > 1 and not card.randomised:
            raise BadParameter(
                f"{where} ({name}): seeds is {entry['seeds']!r}: it is deterministic, so one is enough; drop the key"
            )
    label = str(entry.get("label") or format_name(card.id, parameters)) + mark_of(card)
    return PolicySpec(card.id, label, parameters, eviction, seeds if card.randomised else (0,), plugin)


# -- families and traces ------------------------------------------------------------------------------------------
def read_family(
    entry: Mapping[str, Any],
    kind: str,
    seeds: tuple[int, ...],
    objective: str,
    bound: BoundSpec,
    policies: tuple[str, ...],
    where: str,
    folder: Path | None,
) -> FamilySpec:
    """Read one [[family]] or [[trace]] table."""
    from instances.registry import is_built_in

    _only(entry, FAMILY_KEYS if kind == "family" else TRACE_KEYS, where)
    name = _required(entry, "id" if kind == "family" else "name", where)
    plugin = pinned(name, "family", is_built_in, where, folder) if kind == "family" else None
    where = f"{where} ({name})"
    fixed = _table(entry.get("parameters", {}), f"{where}: parameters")
    grid = {
        key: tuple(_nonempty_list(value, f"{where}: grid.{key}"))
        for key, value in _table(entry.get("grid", {}), f"{where}: grid").items()
    }
    twice = sorted(set(fixed) & set(grid))
    if twice:
        raise BadParameter(f"{where}: {twice[0]} is in parameters and in grid: keep one of them")
    if kind == "trace":
        called, adaptive = name, _check_trace(fixed, grid, where)
    elif plugin is not None and is_broken(plugin):
        called, adaptive = Path(plugin.sources.path).stem, False
    else:
        called, adaptive = _check_family(plugin or name, fixed, grid, where)
    chosen = tuple(entry.get("policies", ()))
    for label in chosen:
        if label not in policies:
            raise UnknownName(f"{where}: policies: {label!r} is not in this suite{nearest(label, policies)}")
    if "seeds" in entry:
        seeds = read_seeds(entry["seeds"], f"{where}: seeds")
    return FamilySpec(
        id=called,
        label=str(entry.get("label") or Path(called).name),
        kind=kind,
        fixed=fixed,
        grid=grid,
        seeds=seeds if kind == "family" else (0,),
        objective=_choice(entry.get("objective", objective), OBJECTIVES, f"{where}: objective"),
        bound=read_bound(entry.get("bound", {}), bound, f"{where}: bound", folder),
        adaptive=adaptive,
        policies=chosen,
        plugin=plugin,
    )


def _check_family(
    name: str | Plugin, fixed: Mapping[str, Any], grid: Mapping[str, tuple[Any, ...]], where: str
) -> tuple[str, bool]:
    """Check every value of every parameter against the family's card; return its id and whether it is adaptive."""
    from instances import registry as families

    card = (
        _lookup(families.family, name, families.family_ids(), f"{where}: id")
        if isinstance(name, str)
        else families.family(name)
    )
    known = {parameter.name: parameter for parameter in card.parameters}
    for key, values in {**{key: (value,) for key, value in fixed.items()}, **grid}.items():
        if key == "order" and card.orders:
            continue
        if key not in known:
            if card.is_wrapper:
                continue  # handed on to the base family, which refuses what it does not know
            raise BadParameter(f"{where}: {key} is no parameter of {card.id}{nearest(key, known)}")
        for value in values:
            known[key].read(value, where)
            if known[key].kind == "base":
                base = value if isinstance(value, str) else value["family"]
                _lookup(families.family, base, families.family_ids(), f"{where}: base")
    missing = [p.name for p in card.parameters if p.required and p.name not in fixed and p.name not in grid]
    if missing:
        raise BadParameter(f"{where}: {missing[0]} is missing: give it under parameters or grid")
    first = {**fixed, **{key: values[0] for key, values in grid.items()}}
    return card.id, families.takes_policy(name, **first)


def _check_trace(fixed: Mapping[str, Any], grid: Mapping[str, tuple[Any, ...]], where: str) -> bool:
    if "memory" not in fixed and "memory" not in grid:
        raise BadParameter(f"{where}: memory is missing: give the budget in tokens under parameters or grid")
    return False


# -- bounds and small values --------------------------------------------------------------------------------------
def read_bound(entry: Mapping[str, Any], default: BoundSpec, where: str, folder: Path | None = None) -> BoundSpec:
    """Read one [bound] table; what it leaves out is taken from ``default``."""
    from kvratio.suite import methods

    _only(_table(entry, where), BOUND_KEYS, where)
    method = entry.get("method", default.method)
    plugin = default.plugin
    if "method" in entry:
        plugin = pinned(str(method), "bound", methods.is_built_in, where, folder)
        method = own_bound_id(plugin) if plugin is not None else method
    if plugin is None:
        _choice(method, methods.methods(), f"{where}.method")
    limit = _number(entry.get("time_limit", default.time_limit), f"{where}.time_limit", 0.0)
    inherited = default.options if (method, plugin) == (default.method, default.plugin) else {}
    options = _table(entry.get("options", {}), f"{where}.options")
    # TOML has no null, and options such as solver take None.
    given = {key: None if value == "none" else value for key, value in options.items()}
    return BoundSpec(method, limit, {**inherited, **given}, plugin)


def read_seeds(value: Any, where: str) -> tuple[int, ...]:
    """Read a count (5 means 0, 1, 2, 3, 4) or a list of seeds."""
    if isinstance(value, bool) or not isinstance(value, (int, list)):
        raise BadParameter(f"{where} is {value!r}: give a count such as 5, or a list such as [0, 1, 2]")
    seeds = tuple(range(value)) if isinstance(value, int) else tuple(value)
    if not seeds or any(isinstance(s, bool) or not isinstance(s, int) or s < 0 for s in seeds):
        raise BadParameter(f"{where} is {value!r}: give at least one seed, each an integer >= 0")
    if len(set(seeds)) < len(seeds):
        raise BadParameter(f"{where} is {value!r}: a seed is given twice, which would count one instance twice")
    return seeds


def _check_parameters(given: Mapping[str, Any], known: Iterable[Any], where: str) -> None:
    """Names first, then range and choices, so that a typing error is told before the run."""
    cards = {parameter.name: parameter for parameter in known}
    for key, value in given.items():
        if key not in cards:
            raise BadParameter(f"{where}: {key} is no parameter{nearest(key, cards)}")
        card = cards[key]
        if card.choices and value not in card.choices:
            raise BadParameter(f"{where}: {key} is {value!r}: choose one of {', '.join(map(repr, card.choices))}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if card.low is not None and value < card.low:
                raise BadParameter(f"{where}: {key} is {value}: give a number >= {card.low}")
            if card.high is not None and value > card.high:
                raise BadParameter(f"{where}: {key} is {value}: give a number <= {card.high}")


def _lookup(find: Any, name: str, known: Iterable[str], where: str) -> Any:
    try:
        return find(name)
    except KvratioError as fault:
        raise UnknownName(f"{where}: {name!r} is not known{nearest(name, known)}") from fault


def _only(entry: Any, keys: Iterable[str], where: str) -> None:
    unknown = sorted(set(_table(entry, where)) - set(keys))
    if unknown:
        raise BadParameter(f"{where}: unknown key {unknown[0]!r}{nearest(unknown[0], keys)}")


def _tables(data: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise BadParameter(f"{where}: {key} is {value!r}: write each one as a [[{key}]] table")
    return value


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadParameter(f"{where} is {value!r}: give a table of key = value")
    return dict(value)


def _nonempty_list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise BadParameter(f"{where} is {value!r}: give a list of at least one value; single values go to parameters")
    return value


def _required(entry: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(entry.get(key), str) or not entry[key]:
        raise BadParameter(f"{where}: {key} is {entry.get(key)!r}: give it as text")
    return entry[key]


def _name(value: Any, where: str) -> str:
    text = str(value)
    if not text or any(not (char.isalnum() or char in "-_.") for char in text):
        raise BadParameter(f"{where} is {text!r}: it becomes a folder, so use letters, digits, - _ . only")
    return text


def _choice(value: Any, allowed: Iterable[str], where: str) -> Any:
    if value not in (choices := tuple(allowed)):
        raise BadParameter(f"{where} is {value!r}: choose one of {', '.join(choices)}")
    return value


def _number(value: Any, where: str, low: float, high: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < float(value) < high:
        limit = f" and below {high:g}" if high < 1e300 else ""
        raise BadParameter(f"{where} is {value!r}: give a number above {low:g}{limit}")
    return float(value)


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadParameter(f"{where} is {value!r}: give true or false")
    return value


def _unique(labels: Iterable[str], what: str, where: str) -> None:
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise BadParameter(f"{where}: two {what} entries are called {label!r}: give one of them another label")
        seen.add(label)
