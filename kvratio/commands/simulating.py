"""`kvratio simulate`: one policy on one instance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kvratio.problem.instance import Instance
    from kvratio.problem.schedule import Schedule


def simulate(
    source: Annotated[
        str | None, typer.Argument(help="Saved instance, family (blocker:memory=50, ./my_family.py) or trace.")
    ] = None,
    policy: Annotated[
        str | None, typer.Argument(help="Policy with parameters, such as gsa:alpha=2 or ./my_policy.py.")
    ] = None,
    family_option: Annotated[str | None, typer.Option("--family", help="The family, as an option.")] = None,
    policy_option: Annotated[str | None, typer.Option("--policy", help="The policy, as an option.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of a randomised policy.")] = 0,
    instance_seed: Annotated[int, typer.Option(help="Seed of a family.")] = 0,
    memory: Annotated[int | None, typer.Option(help="Budget in tokens; needed for a trace.")] = None,
    eviction: Annotated[str | None, typer.Option(help="restart, recompute or swap; default: the policy's.")] = None,
    bound: Annotated[
        str | None, typer.Option(help="Also enclose the optimum (method or ./my_bound.py); print ratios.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw memory over time: file stem for PDF, SVG, PNG.")] = None,
    gantt: Annotated[Path | None, typer.Option(help="Draw the schedule as a Gantt chart: file stem.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the schedule (.json); kvratio check reads it.")] = None,
    save_instance: Annotated[Path | None, typer.Option(help="Save the instance (.json or .npz).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run one policy on one instance, check the schedule, and print what it cost.

    A family that adapts to the policy (burst_trap, stream_trap, blocker) is tuned to the policy given.

    Example: kvratio simulate blocker:memory=50 fcfs --bound best --plot figures/blocker
    """
    import algos
    from algos import registry
    from algos.run import why_interpreted
    from instances.augmented import policy_instance
    from kvratio.commands.output import print_json
    from kvratio.problem.checker import check
    from kvratio.suite.naming import parse_name
    from kvratio.suite.source import open_source

    source, policy = named(source, policy, family_option, policy_option)
    name, parameters = parse_name(policy)
    card = registry.card(name)  # a mistyped policy is told before the instance is built
    inst = open_source(source, seed=instance_seed, memory=memory, policy=policy, eviction=eviction)
    played = policy_instance(inst)
    schedule = algos.schedule(played, card, eviction=eviction, seed=seed, **parameters)
    check(played, schedule)
    facts = _facts(inst, schedule, policy)
    if why := why_interpreted(card):
        facts["slow"] = f"run by the Python interpreter: {why}"
    if bound is not None:
        facts |= _ratios(inst, schedule, bound)
    if save_instance is not None:
        inst.save(save_instance)
    if save is not None:
        schedule.save(save)
    figures: list[Path] = []
    if plot is not None or gantt is not None:
        from kvratio.suite.gantt import gantt_figure
        from kvratio.suite.plots import memory_figure, save_figure

        for stem, draw in ((plot, memory_figure), (gantt, gantt_figure)):
            if stem is not None:
                stem = stem.with_suffix("") if stem.suffix in (".pdf", ".svg", ".png") else stem
                figures += save_figure(draw(schedule, f"{policy} on {inst.name or source}"), stem)
        facts["figures"] = [str(path) for path in figures]
    if json:
        print_json(facts)
    else:
        _print(facts)


def named(
    source: str | None, policy: str | None, family_option: str | None, policy_option: str | None
) -> tuple[str, str]:
    """Return source and policy, each given as an argument or as an option."""
    from kvratio.problem.errors import BadParameter

    words = [word for word in (source, policy) if word is not None]
    given = [family_option or (words.pop(0) if words else None), policy_option or (words.pop(0) if words else None)]
    if words or None in given:
        problem = f"{words[0]!r} is one too many" if words else "an instance and a policy are needed"
        raise BadParameter(f"simulate: {problem}: write kvratio simulate SOURCE POLICY, or --family and --policy")
    return str(given[0]), str(given[1])


def _facts(inst: Instance, schedule: Schedule, policy: str) -> dict[str, Any]:
    from instances.augmented import policy_completion

    completion = policy_completion(inst, schedule)
    return {
        "instance": inst.name or inst.key[:12],
        "key": inst.key,
        "n": inst.n,
        "memory": inst.memory,
        **({"policy_memory": schedule.instance.memory} if schedule.instance.memory != inst.memory else {}),
        "alpha": inst.alpha,
        "policy": policy,
        "eviction": schedule.eviction,
        "seed": schedule.seed,
        "total_completion": int(completion.sum()),
        "total_flow": int((completion - inst.arrival).sum()),
        "makespan": int(completion.max()),
        "mean_flow": float((completion - inst.arrival).mean()),
        "flow_p50": schedule.percentile(50),
        "flow_p99": schedule.percentile(99),
        "mean_ttft": float(schedule.ttft.mean()),
        "evictions": schedule.evictions,
        "wasted_rounds": schedule.wasted_rounds,
        "wasted_token_rounds": schedule.wasted_token_rounds,
        "recomputed_tokens": schedule.recomputed_tokens,
        "utilisation": schedule.utilisation,
    }


def _ratios(inst: Instance, schedule: Schedule, method: str) -> dict[str, Any]:
    """Enclose the optimum for both objectives and divide, as a suite does."""
    from kvratio.suite.plan import BoundSpec, PolicySpec
    from kvratio.suite.ratio import enclose
    from kvratio.suite.read import read_bound

    policy = PolicySpec(schedule.policy, schedule.policy, eviction=schedule.eviction)
    found: dict[str, Any] = {}
    for objective in ("completion",) if inst.is_batch else ("completion", "flow"):
        lower, upper, low, high = enclose(
            inst, schedule, policy, read_bound({"method": method}, BoundSpec(), "bound"), objective
        )
        found |= {f"{objective}_optimum": [lower, upper], f"{objective}_ratio": [low, high]}
    return found


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table

    from kvratio.commands.output import console
    from kvratio.suite import numerals
    from kvratio.suite.interval import Interval

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts.items():
        if key == "key":
            continue
        if key.endswith("_ratio"):
            text = numerals.interval(Interval(*value))
        elif key.endswith("_optimum"):
            text = f"{value[0]} <= OPT" + ("" if value[1] is None else f" <= {value[1]}")
        elif isinstance(value, float):
            text = numerals.plain(value)
        elif isinstance(value, list):
            text = "  ".join(map(str, value))
        else:
            text = str(value)
        grid.add_row(key.replace("_", " "), text)
    console().print(grid)
