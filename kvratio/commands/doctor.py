"""`kvratio doctor`: versions, machine, traces and caches, for a bug report."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell what kvratio runs on, and whether its parts work.

    Exit code 1: something does not work.

    Example: kvratio doctor
    """
    from kvratio.commands.output import console, print_json
    from kvratio.suite.manifest import machine, versions

    checks = {"compiled engine": _engine, "MILP solver": _solver, "compile cache": _cache, "traces": _traces}
    found = {name: _attempt(test) for name, test in checks.items()}
    told = {name: {"ok": ok, "says": text} for name, (ok, text) in found.items()}
    facts = {"versions": versions(), "machine": machine(), "checks": told}
    if json:
        print_json(facts)
    else:
        from rich.table import Table

        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(style="bold cyan", no_wrap=True)
        grid.add_column(overflow="fold")
        for key, value in {**facts["versions"], **facts["machine"]}.items():
            grid.add_row(str(key), str(value))
        for name, (ok, text) in found.items():
            grid.add_row(name, f"[green]ok[/green]  {text}" if ok else f"[red]no[/red]  {text}")
        console().print(grid)
    if not all(ok for ok, _ in found.values()):
        raise typer.Exit(1)


def _attempt(test: Any) -> tuple[bool, str]:
    try:
        return True, test()
    except Exception as fault:  # a doctor reports every fault and goes on to the next organ
        return False, f"{type(fault).__name__}: {fault}"


def _engine() -> str:
    import algos
    from algos import registry
    from kvratio.problem.checker import check
    from kvratio.problem.instance import Instance

    inst = Instance(prompt=[2, 2, 2, 2], output=[5, 1, 3, 2], memory=12)
    schedule = algos.schedule(inst, "fcfs")
    check(inst, schedule)
    cost = schedule.total_completion
    return f"{len(registry.policy_ids())} policies; fcfs on four requests: total completion {cost}, checked"


def _solver() -> str:
    import pulp

    return ", ".join(pulp.listSolvers(onlyAvailable=True)) or "none"


def _cache() -> str:
    from kvratio.problem.compiled import cache_root

    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    if not os.access(root, os.W_OK):
        raise PermissionError(f"{root} cannot be written: set KVRATIO_CACHE to a folder that can")
    files = [path for path in root.rglob("*") if path.is_file()]
    return f"{root}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


def _traces() -> str:
    from instances.traces.locate import TRACES_VARIABLE, local_traces, traces_folder

    folder = traces_folder()
    if folder is None:
        return f"{TRACES_VARIABLE} is not set (only the suite traces needs it)"
    return f"{folder}: {len(local_traces())} traces"
