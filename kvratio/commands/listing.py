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


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List policies, families, bounds, suites or traces.

    Example: kvratio list policies
    """
    from kvratio.commands.output import console, print_json

    if kind is Kind.TRACES:
        from kvratio.commands.tracing import list_traces

        list_traces(json)
        return
    rows = {"policies": _policies, "families": _families, "bounds": _bounds, "suites": _suites}[kind.value]()
    if json:
        print_json(rows)
        return
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1))
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
    return rows


def _bounds() -> list[dict[str, Any]]:
    from kvratio.suite import methods

    return [{"method": name, "about": text} for name, text in methods.methods().items()]


def _suites() -> list[dict[str, Any]]:
    from kvratio.suite.read import load_suite, suite_names

    rows = []
    for name in suite_names():
        suite = load_suite(name)
        counts = {"policies": len(suite.policies), "families": len(suite.families), "cells": suite.cell_count}
        rows.append({"suite": name, **counts, "about": suite.title})
    return rows
