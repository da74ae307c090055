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
    source: Annotated[
        str | None, typer.Argument(help="Saved instance, family (blocker:memory=12, ./my_family.py) or trace.")
    ] = None,
    family: Annotated[str | None, typer.Option(help="The family, as an option.")] = None,
    method: Annotated[
        str, typer.Option("--method", "--bound", help="One of `kvratio list bounds`, or ./my_bound.py.")
    ] = "best",
    objective: Annotated[Objective, typer.Option(help="Total completion or total flow.")] = Objective.COMPLETION,
    time_limit: Annotated[float, typer.Option(help="Seconds for solvers.")] = 60.0,
    option: Annotated[list[str] | None, typer.Option(help="key=value for the method; may be repeated.")] = None,
    instance_seed: Annotated[int, typer.Option(help="Seed of a family.")] = 0,
    memory: Annotated[int | None, typer.Option(help="Budget in tokens; needed for a trace.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the bound with its certificates (.json).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Enclose the optimum of an instance and recheck the certificates.

    Exit code 1: a certificate does not hold, or a claim is refuted by a schedule.

    Example: kvratio bound synchronised:count=16,prompt=1,output=4,memory=20 --method best
    """
    from rich.console import Console

    import lowerbounds
    from kvratio.commands.output import console, print_json
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.naming import parse_name
    from kvratio.suite.progress import IntervalBar
    from kvratio.suite.source import open_source

    options = parse_name(f"bound:{','.join(option)}")[1] if option else {}
    if (source is None) == (family is None):
        raise BadParameter("bound: give one instance, as an argument or as --family")
    inst = open_source(source or family or "", seed=instance_seed, memory=memory)
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
        **({} if found.claimed is None else {"claimed": found.claimed, "claim_refuted": found.refuted}),
        **({"refused": list(found.refusals)} if found.refusals else {}),
        "seconds": round(found.seconds, 3),
    }
    if json:
        print_json(facts)
        raise typer.Exit(1 if found.refuted or found.refusals else 0)
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts.items():
        text = f"{value:.2%}" if key == "gap" else ", ".join(kinds) if key == "certificates" else str(value)
        if key == "claimed":
            verdict = "FALSE: a schedule costs less" if found.refuted else "not proven: it is not part of the interval"
            text = f"lower bound {found.claimed} is claimed, {verdict}"
        if key == "refused":
            text = "; ".join(found.refusals)
        if key != "claim_refuted":
            grid.add_row(key, "yes, from the certificates alone" if key == "verified" else text)
    console().print(grid)
    if found.refuted or found.refusals:
        raise typer.Exit(1)
