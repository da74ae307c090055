"""`kvratio check`: does a schedule obey the model?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    schedule: Annotated[Path, typer.Argument(help="Schedule file, as kvratio simulate --save writes it.")],
    instance: Annotated[Path | None, typer.Argument(help="Instance file; default: the one in the schedule.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a saved schedule against an instance: memory in every round, arrivals, lengths, conservation.

    Exit code 1: it is infeasible, with the request and the round.

    Example: kvratio check schedule.json instance.json
    """
    from kvratio.commands.output import print_json
    from kvratio.problem.checker import check as judge
    from kvratio.problem.errors import InfeasibleSchedule, UnknownName
    from kvratio.problem.schedule import Schedule
    from kvratio.suite.source import load_instance

    if not schedule.is_file():
        raise UnknownName(f"{schedule}: there is no such file")
    loaded = Schedule.load(schedule)
    inst = loaded.instance if instance is None else load_instance(instance)
    try:
        judge(inst, loaded)
    except InfeasibleSchedule as fault:
        if json:
            print_json({"feasible": False, "message": str(fault)})
        else:
            print(f"infeasible: {fault}")
        raise typer.Exit(1) from fault
    facts = {"feasible": True, "total_completion": loaded.total_completion, "total_flow": loaded.total_flow}
    facts |= {"makespan": loaded.makespan, "evictions": loaded.evictions}
    if json:
        print_json(facts)
    else:
        told = (f"{key.replace('_', ' ')} {value}" for key, value in facts.items() if key != "feasible")
        print("feasible: " + ", ".join(told))
