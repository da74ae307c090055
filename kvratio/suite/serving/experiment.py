"""Experiments on the serving model from TOML: every mistake is one line that names file, table, key and value."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvratio.problem.errors import BadParameter, KvratioError, UnknownName
from kvratio.suite.plan import PolicySpec
from kvratio.suite.serving.contender import checked
from kvratio.suite.serving.hardware import DEFAULT_PRESET, Hardware
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.reported import CannotFollow, Reported
from kvratio.suite.serving.trial import Measuring

KINDS = ("sweep", "heavy_traffic", "paper")
#: keys that a load may set for itself and the experiment for all
SHARED = (
    *("preset", "memory", "block", "replications", "requests", "seed", "tuning", "largest"),
    *("ttft_target", "tpot_target", "arrivals", "cv", "prediction_error", "swing", "period"),
)
TOP_KEYS = ("name", "title", "kind", "load", "policy", "scale", "reported", "cannot_follow", *SHARED)
LOAD_KEYS = ("workload", "label", "rates", "loads", "policies", *SHARED)
POLICY_KEYS = ("id", "label", "parameters", "eviction")
SCALE_KEYS = ("label", "types", "d0", "d1", "d2", "memory", "horizon", "factors", "replications", "seed", "policies")


@dataclass(frozen=True)
class Block:
    """One sweep of an experiment.

    Attributes
    ----------
    label : str
        Unique in the experiment; names the folder.
    load : Load
    hardware : Hardware
    policies : tuple of PolicySpec
    rates : tuple of float
        Requests per second.
    replications, requests, seed, tuning : int
    largest : tuple of str
        Labels of the policies whose largest stable rate is searched for.
    measuring : Measuring
    """

    label: str
    load: Load
    hardware: Hardware
    policies: tuple[PolicySpec, ...]
    rates: tuple[float, ...]
    replications: int
    requests: int
    seed: int
    tuning: int
    largest: tuple[str, ...]
    measuring: Measuring


@dataclass(frozen=True)
class Scaling:
    """One run of the throughput gap against the scale: see `kvratio.suite.serving.heavy`."""

    label: str
    types: tuple[tuple[int, int, float], ...]
    d0: float
    d1: float
    d2: float
    memory: int
    horizon: float
    factors: tuple[float, ...]
    replications: int
    seed: int
    policies: tuple[PolicySpec, ...]


@dataclass(frozen=True)
class Experiment:
    """A validated experiment.

    Attributes
    ----------
    name, title, kind, source : str
    blocks : tuple of Block
    scalings : tuple of Scaling
        Of kind ``heavy_traffic``.
    reported : tuple of Reported
        Published figures to put beside ours; of kind ``paper``.
    cannot_follow : tuple of CannotFollow
        Published figures that cannot be reproduced, and why.
    """

    name: str
    title: str
    kind: str
    source: str
    blocks: tuple[Block, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    reported: tuple[Reported, ...] = ()
    cannot_follow: tuple[CannotFollow, ...] = field(default=())

    def block(self, label: str) -> Block:
        """Return a block by its label."""
        for block in self.blocks:
            if block.label == label:
                return block
        raise UnknownName(f"{self.source}: no load {label!r}: there are {', '.join(b.label for b in self.blocks)}")


def experiment_names() -> list[str]:
    """Return the names of the built-in experiments."""
    folder = importlib.resources.files("kvratio.suite") / "suites" / "serving"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_experiment(source: str | Path) -> Experiment:
    """Read a built-in experiment by name or a TOML file by path, and check every name and value in it.

    Raises
    ------
    UnknownName, BadParameter
        One line: where, what, and what to do.
    """
    path = Path(source)
    if str(source) in experiment_names():
        entry = importlib.resources.files("kvratio.suite") / "suites" / "serving" / f"{source}.toml"
        text, where, stem = entry.read_text(), f"experiment {source}", str(source)
    elif path.is_file():
        text, where, stem = path.read_text(), str(path), path.stem
    else:
        known = ", ".join(experiment_names())
        raise UnknownName(f"experiment {str(source)!r}: no such file; built in are {known}: give a name or a path")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadParameter(f"{where}: not TOML ({fault}): mend the line named") from fault
    return read_experiment(data, where, stem)


def read_experiment(data: Mapping[str, Any], where: str = "experiment", stem: str = "experiment") -> Experiment:
    """Build a checked experiment from parsed TOML; ``where`` names it in messages, ``stem`` is its default name."""
    _only(data, TOP_KEYS, where)
    kind = data.get("kind", "sweep")
    if kind not in KINDS:
        raise UnknownName(f"{where}: kind {kind!r} is not known: choose one of {', '.join(KINDS)}")
    policies = tuple(
        _policy(entry, f"{where}: policy {k}") for k, entry in enumerate(_tables(data, "policy", where), 1)
    )
    if not policies:
        raise BadParameter(f"{where}: no policy: add at least one [[policy]] table with an id")
    _unique([policy.label for policy in policies], "policy", where)
    shared = {key: data[key] for key in SHARED if key in data}
    blocks = tuple(
        _block({**shared, **entry}, entry, policies, f"{where}: load {k}")
        for k, entry in enumerate(_tables(data, "load", where), 1)
    )
    _unique([block.label for block in blocks], "load", where)
    scalings = tuple(
        _scaling(entry, policies, f"{where}: scale {k}") for k, entry in enumerate(_tables(data, "scale", where), 1)
    )
    needed, name = (scalings, "scale") if kind == "heavy_traffic" else (blocks, "load")
    if not needed:
        raise BadParameter(f"{where}: no {name}: a {kind} experiment needs at least one [[{name}]] table")
    reported = tuple(
        Reported.read(row, f"{where}: reported {k}") for k, row in enumerate(_tables(data, "reported", where), 1)
    )
    for k, figure in enumerate(reported, 1):
        _must_stand_beside(figure, blocks, f"{where}: reported {k}")
    return Experiment(
        name=str(data.get("name", stem)),
        title=str(data.get("title", "")),
        kind=kind,
        source=where,
        blocks=blocks,
        scalings=scalings,
        reported=reported,
        cannot_follow=tuple(
            CannotFollow.read(row, f"{where}: cannot_follow {k}")
            for k, row in enumerate(_tables(data, "cannot_follow", where), 1)
        ),
    )


def _policy(entry: Mapping[str, Any], where: str) -> PolicySpec:
    _only(entry, POLICY_KEYS, where)
    name = _required(entry, "id", where)
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise BadParameter(f"{where}: parameters is {parameters!r}: give a table such as {{ margin = 0.1 }}")
    try:
        return checked(name, parameters, entry.get("eviction"), entry.get("label"))
    except KvratioError as fault:
        raise type(fault)(f"{where}: {fault}") from None


def _block(values: Mapping[str, Any], own: Mapping[str, Any], policies: tuple[PolicySpec, ...], where: str) -> Block:
    _only(own, LOAD_KEYS, where)
    name = _required(own, "workload", where)
    where = f"{where} ({name})"
    try:
        shape = {key: values[key] for key in ("cv", "prediction_error", "swing", "period") if key in values}
        load = open_load(name, values.get("arrivals"), **shape)
        preset = str(values.get("preset", DEFAULT_PRESET))
        hardware = Hardware.preset(preset, values.get("memory"), values.get("block", 1))
    except KvratioError as fault:
        raise type(fault)(f"{where}: {fault}") from None
    chosen = _chosen(own.get("policies"), policies, where)
    largest = values.get("largest", False)
    labels = tuple(policy.label for policy in chosen)
    if isinstance(largest, list):
        searched = tuple(policy.label for policy in _chosen(largest, chosen, f"{where}: largest"))
    elif isinstance(largest, bool):
        searched = labels if largest else ()
    else:
        raise BadParameter(f"{where}: largest is {largest!r}: give true, false or a list of policy labels")
    return Block(
        label=str(own.get("label", name)),
        load=load,
        hardware=hardware,
        policies=chosen,
        rates=_rates(own, load, hardware, where),
        replications=_whole(values, "replications", 10, where),
        requests=_whole(values, "requests", 5000, where),
        seed=_whole(values, "seed", 0, where, 0),
        tuning=_whole(values, "tuning", 1, where),
        largest=searched,
        measuring=Measuring(ttft_target=values.get("ttft_target"), tpot_target=values.get("tpot_target")),
    )


def _rates(own: Mapping[str, Any], load: Load, hardware: Hardware, where: str) -> tuple[float, ...]:
    """Return rates as given, or as shares of the fluid limit to three digits."""
    if ("rates" in own) == ("loads" in own):
        raise BadParameter(f"{where}: give either rates, requests per second, or loads, shares of the fluid limit")
    key = "rates" if "rates" in own else "loads"
    values = own[key]
    fine = isinstance(values, list) and values and all(_is_number(value) and value > 0 for value in values)
    if not fine:
        raise BadParameter(f"{where}: {key} is {values!r}: give a list of numbers above 0")
    if key == "rates":
        return tuple(float(value) for value in values)
    limit = load.fluid_limit(hardware)
    return tuple(float(f"{limit * value:.3g}") for value in values)


def _scaling(entry: Mapping[str, Any], policies: tuple[PolicySpec, ...], where: str) -> Scaling:
    _only(entry, SCALE_KEYS, where)
    rows = entry.get("types")
    if not (isinstance(rows, list) and rows and all(isinstance(row, list) and len(row) == 3 for row in rows)):
        raise BadParameter(f"{where}: types is {rows!r}: give rows [prompt, output, rate]")
    factors = entry.get("factors")
    if not (isinstance(factors, list) and len(factors) >= 3 and all(_is_number(z) and z > 0 for z in factors)):
        raise BadParameter(f"{where}: factors is {factors!r}: give at least three scales above 0")
    numbers = {}
    for key, default in (("d0", None), ("d1", 0.0), ("d2", 0.0), ("horizon", None)):
        value = entry.get(key, default)
        if not _is_number(value) or value < 0:
            raise BadParameter(f"{where}: {key} is {value!r}: give seconds, 0 or more")
        numbers[key] = float(value)
    return Scaling(
        label=str(entry.get("label", "scale")),
        types=tuple((int(row[0]), int(row[1]), float(row[2])) for row in rows),
        **numbers,
        memory=_whole(entry, "memory", 0, where),
        factors=tuple(float(z) for z in factors),
        replications=_whole(entry, "replications", 20, where, 2),
        seed=_whole(entry, "seed", 0, where, 0),
        policies=_chosen(entry.get("policies"), policies, where),
    )


def _must_stand_beside(figure: Reported, blocks: tuple[Block, ...], where: str) -> None:
    """Refuse a published figure to which this experiment measures nothing."""
    block = next((block for block in blocks if block.label == figure.load), None)
    if block is None:
        raise UnknownName(f"{where}: no load {figure.load!r}: choose from {', '.join(b.label for b in blocks)}")
    labels = [policy.label for policy in block.policies]
    for label in figure.policies:
        if label not in labels:
            raise UnknownName(
                f"{where}: policy {label!r} does not run on {block.label}: choose from {', '.join(labels)}"
            )
        if figure.quantity == "largest" and label not in block.largest:
            raise BadParameter(f"{where}: the largest rate of {label!r} is not searched for: add it to largest")
    if figure.quantity != "largest" and figure.rate not in block.rates:
        rates = ", ".join(f"{rate:g}" for rate in block.rates)
        raise BadParameter(f"{where}: rate {figure.rate:g} is not among those of {block.label}: {rates}")


# -- small checks -------------------------------------------------------------------------------------------------
def _only(data: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise BadParameter(f"{where}: unknown key {key!r}: choose from {', '.join(known)}")


def _tables(data: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadParameter(f"{where}: {key} is not a list of tables: write [[{key}]]")
    return value


def _required(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise BadParameter(f"{where}: {key} is {value!r}: give a name")
    return value


def _chosen(labels: Any, policies: tuple[PolicySpec, ...], where: str) -> tuple[PolicySpec, ...]:
    if labels is None:
        return policies
    by_label = {policy.label: policy for policy in policies}
    if not isinstance(labels, list) or not labels:
        raise BadParameter(f"{where}: policies is {labels!r}: give a list of labels, or leave it out for all")
    for label in labels:
        if label not in by_label:
            raise UnknownName(f"{where}: policy {label!r} is not in this experiment: choose from {', '.join(by_label)}")
    return tuple(by_label[label] for label in labels)


def _unique(labels: Sequence[str], what: str, where: str) -> None:
    for label in labels:
        if labels.count(label) > 1:
            raise BadParameter(f"{where}: {what} {label!r} is there twice: give one of them another label")


def _whole(values: Mapping[str, Any], key: str, default: int, where: str, low: int = 1) -> int:
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise BadParameter(f"{where}: {key} is {value!r}: give a whole number, {low} or more")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
