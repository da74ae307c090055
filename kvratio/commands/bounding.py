"""`kvratio bound`: enclose the optimum of one instance."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Objective(StrEnum):
    """What is minimised."""

    COMPLETION = "completion"
    FLOW = "flow"


def bound(
    source: Annotated[str, typer.Argument(help="Saved instance, family (blocker:memory=12) or trace (path or name).")],
    method: Annotated[str, typer.Option(help="One of `kvratio list bounds`.")] = "best",
    objective: Annotated[Objective, typer.Option(help="Total completion or total flow.")] = Objective.COMPLETION,
    time_limit: Annotated[float, typer.Option(help="Seconds for solvers.")] = 60.0,
    option: Annotated[list[str] | None, typer.Option(help="key=value for the method; may be repeated.")] = None,
    instance_seed: Annotated[int, typer.Option(help="Seed of a family.")] = 0,
    memory: Annotated[int | None, typer.Option(help="Budget in tokens; needed for a trace.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the bound with its certificates (.json).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Enclose the optimum of an instance and recheck the certificates.

    Exit code 1: a certificate does not hold.

    Example: kvratio bound synchronised:count=16,prompt=1,output=4,memory=20 --method best
    """
    from rich.console import Console

    import lowerbounds
    from kvratio.commands.output import console, print_json
    from kvratio.suite.naming import parse_name
    from kvratio.suite.progress import IntervalBar
    from kvratio.suite.source import open_source

    options = parse_name(f"bound:{','.join(option)}")[1] if option else {}
    inst = open_source(source, seed=instance_seed, memory=memory)
    with IntervalBar(f"{method}, {inst.n} requests", time_limit, Console(stderr=True)) as bar:
        found = lowerbounds.bound(
            inst, method, objective=objective.value, time_limit=time_limit, progress=bar.update, **options
        )
        found.verify()
    if save is not None:
        found.save(save)
    kinds = [f"{c.kind} ({c.side})" for c in found.certificates]
    facts = {
        "instance": inst.name or inst.key[:12],
        "n": inst.n,
        "memory": inst.memory,
        "method": found.method,
        "objective": found.objective,
        "lower": found.lower,
        "upper": found.upper,
        "gap": found.gap,
        "status": found.status,
        "grade": found.grade,
        "certificates": kinds,
        "verified": True,
        "seconds": round(found.seconds, 3),
    }
    if json:
        print_json(facts)
        return
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts.items():
        text = f"{value:.2%}" if key == "gap" else ", ".join(kinds) if key == "certificates" else str(value)
        grid.add_row(key, "yes, from the certificates alone" if key == "verified" else text)
    console().print(grid)
