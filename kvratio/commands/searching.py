"""`kvratio search`: look for the instance that hurts a policy most."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kvratio.suite.search.find import Find


def search(
    policy: Annotated[str | None, typer.Argument(help="Policy with parameters, such as svf or gsa:alpha=2.")] = None,
    n: Annotated[int | None, typer.Option(help="Most requests; default 10, of a family 200.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Budget, or least:largest; default 2:64, of a family 2:1024.")
    ] = None,
    arrivals: Annotated[bool, typer.Option("--arrivals", help="Requests may arrive later.")] = False,
    horizon: Annotated[int | None, typer.Option(help="Latest arrival; default: twice the budget.")] = None,
    predictions: Annotated[bool, typer.Option("--predictions", help="Predicted lengths may be wrong.")] = False,
    intervals: Annotated[bool, typer.Option("--intervals", help="Choose intervals that contain the lengths.")] = False,
    error: Annotated[float, typer.Option(help="Largest factor of predictions and of u/l; 0: any.")] = 0.0,
    equal_prompts: Annotated[bool, typer.Option("--equal-prompts", help="All prompts equal.")] = False,
    alpha: Annotated[float, typer.Option(help="Largest peak as a share of memory.")] = 1.0,
    guarantee: Annotated[bool, typer.Option("--guarantee", help="Only where the policy's guarantee holds.")] = False,
    family: Annotated[str | None, typer.Option(help="Search a family's parameters: two_point:short=1.")] = None,
    objective: Annotated[str | None, typer.Option(help="completion or flow; default: flow with arrivals.")] = None,
    eviction: Annotated[str | None, typer.Option(help="restart, recompute or swap; default: the policy's.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds; default 60 without a work limit.")] = None,
    work_limit: Annotated[int | None, typer.Option(help="Candidates; repeats to the byte.")] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    policy_seed: Annotated[int, typer.Option(help="Of a randomised policy.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; default: all cores.")] = None,
    random_start: Annotated[bool, typer.Option("--random-start", help="Do not start from the families.")] = False,
    start: Annotated[list[Path] | None, typer.Option(help="Saved instance to start from; may be repeated.")] = None,
    keep: Annotated[float, typer.Option(help="Share of the ratio that the small witness keeps.")] = 1.0,
    book: Annotated[bool, typer.Option("--book", help="Improve the book of worst instances, or one policy's.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the find and the policy's schedule.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Search for the instance with the largest proven ratio of a policy, and make it small.

    The ratio is the policy's cost over that of a feasible schedule, so it is a lower bound on the policy's ratio.
    q or Ctrl-C ends the search and keeps the best.

    Example: kvratio search svf --n 8 --memory 16 --time-limit 20 --out finds
    """
    from kvratio.commands.output import print_json, say
    from kvratio.problem.bound import OBJECTIVES
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.search.asking import stop_key
    from kvratio.suite.search.hunt import hunt
    from kvratio.suite.search.space import Space
    from kvratio.suite.search.target import Target
    from kvratio.suite.search.telling import Teller
    from kvratio.suite.source import load_instance

    if book:
        _improve_book(policy, out, seed, time_limit, work_limit, workers, json, quiet)
        return
    if policy is None:
        raise BadParameter("search: no policy is named: write kvratio search POLICY, or --book for all of them")
    if objective is not None and objective not in OBJECTIVES:
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")
    target = Target(policy, eviction=eviction, seed=policy_seed)
    seconds = 60.0 if time_limit is None and work_limit is None else time_limit
    space = Space(
        n=n or (10 if family is None else 200),
        memory=_budgets(memory, (2, 64) if family is None else (2, 1024)),
        arrivals=arrivals, horizon=horizon, predictions=predictions, intervals=intervals, error=error,
        equal_prompts=equal_prompts, alpha=alpha,
    )  # fmt: skip
    teller = Teller(f"searching for the worst instance of {target.name}", quiet)
    with stop_key() as asked:
        if family is not None:
            from kvratio.suite.search.families import hunt_family

            found = hunt_family(target, family, space, objective, seed, seconds, work_limit, report=teller, asked=asked)
        else:
            found = hunt(
                target, space, objective, seed, seconds, work_limit, workers, guarantee, not random_start, keep,
                [load_instance(path) for path in start or ()], teller, asked,
            )  # fmt: skip
    teller.close()
    facts = _facts(found.find, found.outcome)
    if out is not None:
        path = found.find.save(out)
        run = path.with_suffix(".schedule.json")
        target.schedule(found.find.instance).save(run)
        facts["files"] = [str(path), str(run)]
    if json:
        print_json(facts)
        return
    show_find(found.find, facts)
    if out is not None:
        say(f"saved: {', '.join(facts['files'])}")


def _improve_book(
    policy: str | None,
    out: Path | None,
    seed: int,
    time_limit: float | None,
    work_limit: int | None,
    workers: int | None,
    json: bool,
    quiet: bool,
) -> None:
    """Search every entry of the book once more and print what became of it."""
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.search import book
    from kvratio.suite.search.asking import stop_key

    def tell(file: str, entry: book.Entry, before: float) -> None:
        if not quiet:
            say(f"{file:<40} {before:8.4f} -> {float(entry.find.ratio):.4f}")

    seconds = 20.0 if time_limit is None and work_limit is None else time_limit
    with stop_key() as asked:
        done = book.improve(
            None if policy is None else [policy], where=out, seed=seed, time_limit=seconds, work_limit=work_limit,
            workers=workers, report=tell, asked=asked,
        )  # fmt: skip
        rows = [entry.row() for entry in done]
    if json:
        print_json(rows)
        return
    for row in rows:
        room = "" if row["room"] is None else f", guarantee {row['guarantee']:.4g}"
        line = f"{row['policy']} ({row['setting']}): ratio >= {row['ratio']:.4f}{room}"
        console().print(line, soft_wrap=True, markup=False)


def _budgets(text: str | None, default: tuple[int, int]) -> tuple[int, int]:
    """Read ``12`` or ``4:64``."""
    from kvratio.problem.errors import BadParameter

    if text is None:
        return default
    low, _, high = text.partition(":")
    try:
        return int(low), int(high or low)
    except ValueError as fault:
        raise BadParameter(f"memory is {text!r}: give tokens, as 12, or least:largest, as 4:64") from fault


def _facts(find: Find, outcome: Any) -> dict[str, Any]:
    """Add what the search did, and what is proved for the policy, to what was found."""
    from kvratio.suite.search.find import proven_guarantee

    rate = outcome.screened / outcome.seconds if outcome.seconds else None
    return {
        **find.facts(),
        "guarantee": proven_guarantee(find.target, find.instance),
        "screened": outcome.screened,
        "seconds": round(outcome.seconds, 2),
        "per_second": None if rate is None else round(rate),
        "stopped": outcome.stopped,
        "history": [{"seconds": round(s, 2), "screened": k, "ratio": r} for s, k, r in outcome.history],
    }


def show_find(find: Find, facts: dict[str, Any]) -> None:
    """Print a find for people: ratio, interval, requests."""
    from rich.table import Table

    from kvratio.commands.output import console

    screen = console()
    lower, upper = facts["optimum"]
    enclosed = f"OPT = {upper}" if lower == upper else f"{lower} <= OPT <= {upper}"
    known = "" if facts["guarantee"] is None else f"; guarantee {facts['guarantee']:.4g}"
    screen.print(
        f"{find.policy} pays total {find.objective} {find.cost}, {enclosed}: ratio >= {facts['ratio']:.4f}{known}",
        soft_wrap=True,
        markup=False,
    )
    screen.print(f"{facts['name']}: M = {facts['memory']}, n = {facts['n']}", soft_wrap=True, markup=False)
    grid = Table(box=None, pad_edge=False)
    for name in facts["requests"][0]:
        grid.add_column(name.replace("_", " "), justify="right")
    for row in facts["requests"]:
        grid.add_row(*(str(value) for value in row.values()))
    screen.print(grid)
    screen.print(
        f"{facts['screened']:,} candidates in {facts['seconds']:.1f} s ({facts['per_second'] or 0:,} a second), "
        f"ended by {facts['stopped']}",
        soft_wrap=True,
        markup=False,
    )
