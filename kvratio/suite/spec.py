"""What a table of a paper asks for: rows, columns, value, aggregate, filter and form, read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.suite.naming import nearest

#: columns of a run that may name the rows or columns of a table, or stand in its filter
KEYS = (
    *("family", "family_id", "policy", "policy_id", "objective", "eviction", "n", "memory", "alpha", "batch"),
    *("instance_name", "instance_seed", "parameters", "bound_grade"),
)
#: what an entry may be; a ratio is an interval, everything else a number
VALUES = ("ratio", "cost", "makespan", "flow_p50", "flow_p99", "ttft_mean", "evictions", "wasted", "utilisation")
AGGREGATES = ("worst", "mean", "median", "best")
SHOWS = ("interval", "upper", "lower")
SWITCHES = ("best", "guarantee", "footnotes")


@dataclass(frozen=True)
class TableSpec:
    """A table of a paper.

    Parameters
    ----------
    title : str
    rows, columns : tuple of str
        Columns of the run (`KEYS`) whose values name the rows and columns; ``param.NAME`` reads a family's parameter.
    value : str
        One of `VALUES`: the ratio as an interval, or a number.
    aggregate : str
        Over the instances behind an entry: worst, mean, median or best.
    show : str
        Of a ratio: the proven interval, or one proven end.
    digits : int
        Digits after the point; proven ends are rounded outwards.
    best : bool
        Set the smallest entry of each column bold (of a ratio: the smallest proven upper end).
    guarantee : bool
        Add the published ratio of each row; the rows must name the policy.
    footnotes : bool
        Mark failed cells, hypotheses that do not hold, and bounds that rest on a solver's word.
    filter : mapping of str to tuple
        Key -> the values to keep.
    labels : mapping of str to str
        What to print instead of a value or a key.
    """

    title: str = ""
    rows: tuple[str, ...] = ("policy",)
    columns: tuple[str, ...] = ("family",)
    value: str = "ratio"
    aggregate: str = "worst"
    show: str = "interval"
    digits: int = 3
    best: bool = True
    guarantee: bool = False
    footnotes: bool = True
    filter: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, value: Any) -> str:
        """The words for a value or a key."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return self.labels.get(text, text)


def load_spec(path: str | Path) -> TableSpec:
    """Read a table's spec from TOML; every mistake is one line that names file, key, value and what to do."""
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text())
    except FileNotFoundError as fault:
        raise BadParameter(f"{path}: there is no such file: give the path of a table spec in TOML") from fault
    except tomllib.TOMLDecodeError as fault:
        raise BadParameter(f"{path}: not TOML ({fault}): mend the line named") from fault
    return read_spec(data, str(path))


def read_spec(data: Mapping[str, Any], where: str = "spec") -> TableSpec:
    """Build a checked spec from parsed TOML."""
    known = tuple(TableSpec.__dataclass_fields__)
    for key in data:
        if key not in known:
            raise BadParameter(f"{where}: unknown key {key!r}{nearest(key, known)}")
    given = dict(data)
    for key in ("rows", "columns"):
        if key in given:
            given[key] = _names(given[key], f"{where}: {key}")
    for key, allowed in (("value", VALUES), ("aggregate", AGGREGATES), ("show", SHOWS)):
        if key in given and given[key] not in allowed:
            raise BadParameter(f"{where}: {key} is {given[key]!r}: choose one of {', '.join(allowed)}")
    for key in SWITCHES:
        if not isinstance(given.get(key, True), bool):
            raise BadParameter(f"{where}: {key} is {given[key]!r}: give true or false")
    digits = given.get("digits", 3)
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 9:
        raise BadParameter(f"{where}: digits is {digits!r}: give an integer from 0 to 9")
    given["filter"] = _filter(given.get("filter", {}), f"{where}: filter")
    labels = given.get("labels", {})
    if not isinstance(labels, Mapping) or not all(isinstance(text, str) for text in labels.values()):
        raise BadParameter(f'{where}: labels is {labels!r}: give a table of name = "text"')
    spec = TableSpec(**given)
    if spec.guarantee and not {"policy", "policy_id"} & set(spec.rows):
        raise BadParameter(f"{where}: guarantee needs rows that name the policy: add 'policy' to rows")
    shared = set(spec.rows) & set(spec.columns)
    if shared or not spec.rows:
        raise BadParameter(f"{where}: rows {list(spec.rows)} and columns {list(spec.columns)}: give different keys")
    return spec


def _names(value: Any, where: str) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise BadParameter(f"{where} is {value!r}: give a name or a list of names")
    for name in names:
        if name not in KEYS and not name.startswith("param."):
            raise BadParameter(f"{where}: {name!r} is no column of a run{nearest(name, KEYS)}, or param.NAME")
    return names


def _filter(value: Any, where: str) -> dict[str, tuple[Any, ...]]:
    if not isinstance(value, Mapping):
        raise BadParameter(f"{where} is {value!r}: give a table of key = value or key = [values]")
    _names(list(value), where)
    return {key: tuple(kept) if isinstance(kept, list) else (kept,) for key, kept in value.items()}
