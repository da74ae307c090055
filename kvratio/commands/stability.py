"""`kvratio stability`: whether a mix of decode lengths is stable under greedy admission, and what to do if not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kvratio.suite.stability.mix import Mix

#: options that go with --cross-check
WITH_CROSS_CHECK = ("cross_check", "replications", "workers", "out", "json", "quiet", "seed")
#: options that go with --pictures alone
WITH_PICTURES = ("pictures", "formats", "json", "quiet", "seed")


def stability(
    context: typer.Context,
    trace: Annotated[str | None, typer.Argument(help="Trace (path or name), or a fitted family.")] = None,
    lengths: Annotated[Path | None, typer.Option(help="CSV: prompt,output[,weight]; a class a row.")] = None,
    class_: Annotated[list[str] | None, typer.Option("--class", help="PROMPT:DECODE[:SHARE]; repeat.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Prompt tokens: one number, or one per class.")] = None,
    decode: Annotated[str | None, typer.Option(help="Decode lengths: 6,10.")] = None,
    shares: Annotated[str | None, typer.Option(help="Shares of the requests, relative; default: equal.")] = None,
    memory: Annotated[int | None, typer.Option(help="KV memory M of one worker, tokens.")] = None,
    replicas: Annotated[int, typer.Option(help="Workers: search a routing that makes each of them stable.")] = 1,
    steps: Annotated[int | None, typer.Option(help="Iterations of whole requests; default: by growth.")] = None,
    count: Annotated[int, typer.Option(help="Requests drawn from a fitted family.")] = 20_000,
    cross_check: Annotated[bool, typer.Option("--cross-check", help="Theory beside simulation, no workload.")] = False,
    replications: Annotated[int, typer.Option(help="Runs of each row of the cross-check.")] = 5,
    workers: Annotated[int | None, typer.Option(help="Processes of the cross-check; default: all cores.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the cross-check: CSV, Markdown, LaTeX.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for figures; without a workload: those of docs/congestion.md.")
    ] = None,
    formats: Annotated[str, typer.Option(help="Of the figures: pdf, svg, png.")] = "pdf,svg",
    seed: Annotated[int, typer.Option(help="Of draws and simulations.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Say whether a mix of decode lengths is stable under greedy admission with restarts, and what to do if not.

    Each request of a trace is a class of its own. Exit code 1: unstable (or a row of the cross-check failed).

    Example: kvratio stability --class 30:6 --class 30:10 --class 30:9 --class 30:15 --memory 6000 --replicas 2
    """
    from kvratio.problem.errors import BadParameter

    if cross_check:
        _nothing_else(context)
        raise typer.Exit(_cross_check(replications, workers, out, seed, json, quiet))
    if out is not None:
        raise BadParameter("--out goes with --cross-check: of a workload, redirect --json")
    if pictures is not None and not _names_workload(context):
        from kvratio.commands.stability_pictures import draw_docs

        draw_docs(pictures, formats, seed, json, quiet)
        raise typer.Exit(0)
    if memory is None:
        raise BadParameter("--memory is missing: give the KV memory of one worker in tokens")
    if pictures is not None:
        from kvratio.commands.stability_pictures import endings_of

        endings_of(formats)  # before the work, not after it
    mix = _mix(trace, lengths, class_ or [], prompt, decode, shares, memory, count, seed)
    from kvratio.commands.output import print_json, say
    from kvratio.commands.stability_page import advice_facts, show_advice
    from kvratio.suite.stability.advice import advise

    if mix.note:
        say(mix.note)
    found = advise(mix, memory, replicas, steps, seed)
    if json:
        print_json(advice_facts(found))
    else:
        show_advice(found)
    if pictures is not None:
        from kvratio.commands.stability_pictures import draw_mix

        draw_mix(mix, memory, pictures, formats, seed, quiet)
    raise typer.Exit(1 if found.diagnosis.verdict == "unstable" else 0)


def _mix(
    trace: str | None,
    lengths: Path | None,
    classes: list[str],
    prompt: str | None,
    decode: str | None,
    shares: str | None,
    memory: int,
    count: int,
    seed: int,
) -> Mix:
    """Return the workload that exactly one of the ways names."""
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.stability.mix import mix_of_classes, mix_of_columns, mix_of_trace

    columns = prompt is not None or decode is not None or shares is not None
    if (trace is not None) + (lengths is not None) + bool(classes) + columns != 1:
        ways = "a trace, --lengths FILE, --class P:D (repeated), or --prompt and --decode"
        raise BadParameter(f"give the workload in one way: {ways}")
    if trace is not None or lengths is not None:
        return mix_of_trace(trace, lengths, memory, count, seed)
    if classes:
        return mix_of_classes(classes)
    if prompt is None or decode is None:
        raise BadParameter("--prompt and --decode go together: give both, such as --prompt 30 --decode 6,10")
    each = None if shares is None else _numbers("--shares", shares)
    return mix_of_columns(_numbers("--prompt", prompt), _numbers("--decode", decode), each)


def _names_workload(context: typer.Context) -> bool:
    """Whether anything but where, how and from which seed to draw was given."""
    given = (name for name in context.params if name not in WITH_PICTURES)
    sources = (context.get_parameter_source(name) for name in given)
    return any(source is not None and source.name == "COMMANDLINE" for source in sources)


def _numbers(option: str, text: str) -> list[float]:
    from kvratio.problem.errors import BadParameter

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise BadParameter(f"{option} {text!r}: give numbers with commas between, such as 6,10") from None


def _nothing_else(context: typer.Context) -> None:
    """Refuse options that describe a workload beside --cross-check."""
    from kvratio.problem.errors import BadParameter

    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in WITH_CROSS_CHECK and source is not None and source.name == "COMMANDLINE":
            option = name.rstrip("_").replace("_", "-")
            raise BadParameter(f"{option} does not go with --cross-check, which has its own cases: drop it")


# -- cross-check --------------------------------------------------------------------------------------------------
def _cross_check(replications: int, workers: int | None, out: Path | None, seed: int, json: bool, quiet: bool) -> int:
    """Run the cross-check, print or write it, and return the exit code."""
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.render import print_table
    from kvratio.suite.stability.cross_check import cross_check, save_cross_check

    found = cross_check(replications, workers, seed, progress=not quiet)
    if out is not None:
        say(f"{len(save_cross_check(found, out))} files in {out}")
    if json:
        print_json({"replications": replications, "seed": seed, "rows": found.frame.to_dict("records")})
    else:
        print_table(found.table(), console())
    return 1 if found.failed else 0
