"""`kvratio list`: what there is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer


class Kind(StrEnum):
    """Things that can be listed."""

    POLICIES = "policies"
    FAMILIES = "families"
    BOUNDS = "bounds"
    SUITES = "suites"
    TRACES = "traces"
    SERVING = "serving"
    WORKLOADS = "workloads"
    PRESETS = "presets"
    EXPERIMENTS = "experiments"
    WORST = "worst"
    STUDIES = "studies"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List policies, families, bounds, suites, traces or worst instances; of the serving model policies, workloads, ..

    Example: kvratio list policies
    """
    from kvratio.commands.output import console, print_json

    if kind is Kind.TRACES:
        from kvratio.commands.tracing import list_traces

        list_traces(json)
        return
    rows = {
        "policies": _policies,
        "families": _families,
        "bounds": _bounds,
        "suites": _suites,
        "serving": _serving,
        "workloads": _workloads,
        "presets": _presets,
        "experiments": _experiments,
        "worst": _worst,
        "studies": _studies,
    }[kind.value]()
    if json:
        print_json(rows)
        return
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1))
    if kind is Kind.WORST:
        # A line an entry at 80 columns: JSON has the published guarantee in words, and the objective.
        rows = [{name: value for name, value in row.items() if name not in ("published", "objective")} for row in rows]
    for k, name in enumerate(rows[0]):
        # The id must never be cut: it is what the other verbs take.
        grid.add_column(name, no_wrap=k == 0, overflow="fold")
    for row in rows:
        grid.add_row(*(str(value) for value in row.values()))
    console().print(grid)


def _policies() -> list[dict[str, Any]]:
    from algos import registry

    rows = []
    for name in registry.policy_ids():
        card = registry.card(name)
        guarantee = "-" if card.guarantee is None else card.guarantee.text
        about = {"id": card.id, "information": card.information, "evicts": card.evicts, "guarantee": guarantee}
        rows.append({**about, "source": card.reference})
    for name, value, own in _installed("policy", registry.is_built_in, registry.card):
        told = {"information": own.information, "evicts": own.evicts} if own else {"information": "?", "evicts": "?"}
        rows.append({"id": name, **told, "guarantee": "-", "source": f"installed: {value}"})
    return rows


def _installed(kind: str, built_in: Any, find: Any) -> list[tuple[str, str, Any]]:
    """Return (name, where, card) of what installed packages offer; card None, and a line on stderr, for a broken one.

    One with the name of a built-in is left out, and said to be hidden by it.
    """
    from kvratio.commands.output import say
    from kvratio.problem.errors import KvratioError
    from kvratio.problem.plugins import installed

    rows = []
    for name, value in sorted(installed(kind).items()):
        if built_in(name):
            say(f"kvratio: the installed {kind} {name} ({value}) is hidden by the built-in one of that name")
            continue
        try:
            rows.append((name, value, find(name)))
        except KvratioError as fault:
            say(f"kvratio: the installed {kind} {name} is broken: {fault}")
            rows.append((name, value, None))
    return rows


def _families() -> list[dict[str, Any]]:
    from instances import registry as families

    rows = []
    for name in families.family_ids():
        card = families.family(name)
        kind = card.kind + (", tuned to the policy" if card.adaptive else "")
        rows.append(
            {"id": card.id, "letter": card.letter, "kind": kind, "about": card.title, "ratio": card.ratio_text or "-"}
        )
    for name, value, own in _installed("family", families.is_built_in, families.family):
        told = {"kind": own.kind, "about": own.title} if own else {"kind": "?", "about": "broken"}
        rows.append({"id": name, "letter": "", **told, "ratio": f"installed: {value}"})
    return rows


def _bounds() -> list[dict[str, Any]]:
    from kvratio.suite import methods
    from lowerbounds.own import own_bound

    own = _installed("bound", methods.is_built_in, own_bound)
    rows = [{"method": name, "about": text} for name, text in methods.methods().items()]
    for name, value, card in own:
        rows.append({"method": name, "about": f"{card.title if card else 'broken'} (installed: {value})"})
    return rows


def _suites() -> list[dict[str, Any]]:
    from kvratio.suite.read import load_suite, suite_names

    rows = []
    for name in suite_names():
        suite = load_suite(name)
        counts = {"policies": len(suite.policies), "families": len(suite.families), "cells": suite.cell_count}
        rows.append({"suite": name, **counts, "about": suite.title})
    return rows


def _serving() -> list[dict[str, Any]]:
    from algos.serving import registry

    cards = [registry.card(name) for name in registry.policy_ids()]
    return [
        {
            "id": card.id,
            "information": card.information,
            "evicts": card.eviction,
            "parameters": ", ".join(parameter.name for parameter in card.parameters),
            "source": card.reference,
        }
        for card in cards
    ]


def _workloads() -> list[dict[str, Any]]:
    from instances.workloads.catalogue import workload, workload_names

    rows = []
    for name in workload_names():
        mix = workload(name, rate=1.0).mix
        prompt, output = (sum(kind.rate * kind[column] for kind in mix) for column in (0, 1))
        types = len(workload(name, rate=1.0).types)
        rows.append(
            {"id": name, "types": types or "a law", "mean prompt": f"{prompt:.1f}", "mean output": f"{output:.1f}"}
        )
    return rows


def _presets() -> list[dict[str, Any]]:
    from kvratio.problem.presets import presets

    return [{"id": p.name, "clock": repr(p.clock), "memory": p.memory, "from": p.provenance} for p in presets()]


def _experiments() -> list[dict[str, Any]]:
    from kvratio.suite.serving.experiment import experiment_names, load_experiment

    found = [load_experiment(name) for name in experiment_names()]
    return [{"id": one.name, "kind": one.kind, "title": one.title} for one in found]


def _studies() -> list[dict[str, Any]]:
    from kvratio.suite.studies.catalogue import study, study_names

    return [{"study": name, "about": study(name).about} for name in study_names()]


def _worst() -> list[dict[str, Any]]:
    from kvratio.suite.search import book

    shown = []
    for entry in book.entries():
        row = entry.row()
        kept = ("policy", "setting", "ratio", "guarantee", "room", "objective", "n", "memory", "published")
        shown.append({name: "-" if row[name] is None else row[name] for name in kept})
    return shown
