"""`kvratio check`: does a policy, a family or a bound keep its contract, does a schedule obey the model?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def check(
    name: Annotated[
        str, typer.Argument(help="./my_policy.py, ./my_family.py:waves:memory=64, an id, or a schedule file (.json).")
    ],
    instance: Annotated[Path | None, typer.Argument(help="Of a schedule: its instance, if not the one in it.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Of a policy: instances to try; default 60.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every policy, family and bound in a file against the contract; or a saved schedule against its instance.

    Policies: legal actions, conservation and memory, determinism, compiled equals plain Python, no peeking at lengths,
    arrivals or predictions that were not revealed, a complete and true card. Families: valid for every seed and size,
    deterministic, arrivals and ratio as declared. Bounds: never above the optimum, certificates that verify. Each
    breach is shown on a smallest instance. Schedules: memory in every round, arrivals, lengths, conservation.

    Exit code 1: something is broken.

    Example: kvratio check ./my_policy.py
    """
    from kvratio.commands.contract import is_checkable
    from kvratio.suite.naming import parse_name

    own, parameters = parse_name(name)
    if is_checkable(own):
        _check_contract(own, parameters, count, json)
    else:
        _check_schedule(Path(name), instance, json)


def _check_contract(name: str, parameters: dict[str, Any], count: int | None, json: bool) -> None:
    from kvratio.commands.contract import reports, show
    from kvratio.commands.output import print_json
    from kvratio.problem.plugins import PluginError

    done: list[Any] = []
    try:
        for report in reports(name, parameters, count):
            if not json:
                if done:
                    print()
                show(report)
            done.append(report)
    except PluginError as fault:
        if json:
            print_json({"fine": False, "message": str(fault), "reports": []})
        else:
            print(f"cannot be loaded: {fault}")
        raise typer.Exit(1) from fault
    fine = all(report.fine for report in done)
    if json:
        print_json({"fine": fine, "reports": [report.to_dict() for report in done]})
    if not fine:
        raise typer.Exit(1)


def _check_schedule(schedule: Path, instance: Path | None, json: bool) -> None:
    from kvratio.commands.output import print_json
    from kvratio.problem.checker import check as judge
    from kvratio.problem.errors import InfeasibleSchedule, UnknownName
    from kvratio.problem.schedule import Schedule
    from kvratio.suite.source import load_instance

    if not schedule.is_file():
        raise UnknownName(
            f"{schedule}: there is no such file, and no policy or family of that name: give ./my_policy.py"
        )
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
