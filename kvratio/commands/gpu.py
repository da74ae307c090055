"""`kvratio gpu`: schedules on a real model: replay, calibrate, compare, and all of it in one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gpu_validate.study import Study

gpu = typer.Typer(
    help="Schedules on a real decoder model: replay, calibrate, compare, all. Example: kvratio gpu compare",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Device = Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; default: cuda where there is one.")]
Dtype = Annotated[str | None, typer.Option(help="bfloat16, float16, float32, float64; default by device.")]
Random = Annotated[str | None, typer.Option(help="Random weights of a shape: tiny, llama-2-7b, llama-3-8b.")]
Model = Annotated[str | None, typer.Option(help="Weights: local folder or hub id, in place of random ones.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@gpu.command("replay")
def replay_command(
    source: Annotated[str, typer.Argument(help="Saved schedule, or instance: file, family or trace.")],
    policy: Annotated[str | None, typer.Argument(help="Policy, where SOURCE is an instance: gsa:alpha=2.")] = None,
    model: Model = None,
    random_weights: Random = None,
    memory: Annotated[int | None, typer.Option(help="Budget in tokens; needed for a trace.")] = None,
    eviction: Annotated[str | None, typer.Option(help="restart, recompute or swap; default: the policy's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of a randomised policy.")] = 0,
    device: Device = None,
    dtype: Dtype = None,
    preset: Annotated[str | None, typer.Option(help="Also predict by this clock: name or file.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Compare tokens with one-by-one generation.")] = False,
    json: Json = False,
) -> None:
    """Run a schedule on a model, iteration by iteration: same batches, admissions, kills and restarts.

    Exit code 1: the replay left its schedule, or --verify found other tokens.

    Example: kvratio gpu replay two_point:count=20,memory=200,prompt=8,short=4,long=24,share=0.2 vllm_fcfs --verify
    """
    from gpu_validate import libraries
    from kvratio.commands.output import print_json
    from kvratio.suite.gpu.single import replay_one

    libraries.require()
    if model is None and random_weights is None:
        random_weights = "tiny"
    facts = replay_one(
        _schedule(source, policy, memory, eviction, seed), model, random_weights, device, dtype, preset, verify
    )
    if json:
        print_json(facts)
    else:
        _grid(facts)
    if facts.get("tokens_differ"):
        raise typer.Exit(1)


@gpu.command("calibrate")
def calibrate_command(
    out: Annotated[Path, typer.Option(help="Folder for the clock file and the measured cells.")] = Path("."),
    model: Model = None,
    random_weights: Random = None,
    grid: Annotated[str | None, typer.Option(help="tiny or full; default: by device.")] = None,
    memory: Annotated[int | None, typer.Option(help="Tokens of the cache; default: the grid's.")] = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Measure iterations over a grid, fit d0 + d1 K + d2 P, and write a clock that --preset FILE reads.

    Example: kvratio gpu calibrate --random-weights tiny --out runs/clock
    """
    from kvratio.commands.output import print_json, say
    from kvratio.suite.gpu.single import calibrate_one

    if model is None and random_weights is None:
        random_weights = "tiny"
    facts = calibrate_one(out, model, random_weights, grid, memory, device, dtype, say)
    if json:
        print_json(facts)
    else:
        _grid({name: value for name, value in facts.items() if name != "cells"})


@gpu.command("compare")
def compare_command(
    preset: Annotated[str, typer.Option(help="tiny (any machine) or full (CUDA).")] = "tiny",
    policy: Annotated[str | None, typer.Option(help="Policies, commas between; default: the preset's.")] = None,
    instance: Annotated[list[str] | None, typer.Option(help="Instance, again for more; default: the preset's.")] = None,
    model: Model = None,
    random_weights: Random = None,
    repeats: Annotated[int | None, typer.Option(help="Replays of each schedule; times are medians.")] = None,
    budget: Annotated[float | None, typer.Option(help="Seconds in all; the least important is left out.")] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="Show an earlier results.json, measure nothing.")] = None,
    rerun: Annotated[Path | None, typer.Option(help="Measure again what a results.json was made from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results, tables, figures and clocks.")] = None,
    device: Device = None,
    dtype: Dtype = None,
    json: Json = False,
) -> None:
    """Hold policies against each other on a model: simulated, measured, best known, bound, published ratio.

    Exit code 1: a part failed; what was measured before and after it is kept.

    Example: kvratio gpu compare --preset tiny --out runs/gpu
    """
    from gpu_validate import results as files
    from gpu_validate.study import Study, study
    from kvratio.problem.errors import BadParameter

    if from_ is not None:
        if rerun is not None:
            raise BadParameter("give either --from, which measures nothing, or --rerun")
        _show(files.load(from_), out, json)
        return
    chosen = study(preset) if rerun is None else Study.from_dict(files.load(rerun)["plan"])
    _conduct(_changed(chosen, policy, instance, model, random_weights, repeats, budget), device, dtype, out, json)


@gpu.command("all")
def all_command(
    out: Annotated[Path, typer.Option(help="Folder for results, tables, figures and clocks.")],
    preset: Annotated[str, typer.Option(help="full (CUDA) or tiny (the same on any machine).")] = "full",
    budget: Annotated[float | None, typer.Option(help="Seconds in all; the least important is left out.")] = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Calibrate, replay and compare on Llama-2-7B and Llama-3-8B shapes with random weights in bfloat16.

    Exit code 1: a part failed; what was measured before and after it is kept.

    Example: kvratio gpu all --out runs/gpu
    """
    from gpu_validate.study import study

    _conduct(_changed(study(preset), None, None, None, None, None, budget), device, None, out, json)


def _schedule(source: str, policy: str | None, memory: int | None, eviction: str | None, seed: int) -> Any:
    """Return the schedule of a file, or of a policy on an instance."""
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.gpu.choose import load_schedule, made_schedule

    if policy is not None:
        return made_schedule(source, policy, memory, eviction, seed)
    if memory is not None or eviction is not None:
        raise BadParameter("a saved schedule has its memory and eviction: leave out --memory and --eviction")
    return load_schedule(source)


def _changed(
    chosen: Study,
    policy: str | None,
    instances: list[str] | None,
    model: str | None,
    random_weights: str | None,
    repeats: int | None,
    budget: float | None,
) -> Study:
    from kvratio.suite.gpu.choose import changed

    return changed(chosen, policy, instances, model, random_weights, repeats, budget)


def _conduct(chosen: Study, device: str | None, dtype: str | None, out: Path | None, json: bool) -> None:
    from gpu_validate import libraries
    from gpu_validate.conduct import conduct
    from gpu_validate.device import open_device
    from kvratio.commands.output import say

    libraries.require()
    found = conduct(chosen, open_device(device), out, say, dtype)
    _show(found, out, json)
    if found["failures"]:
        say(f"{len(found['failures'])} parts failed, such as {found['failures'][0]}")
        raise typer.Exit(1)


def _show(results: dict[str, Any], out: Path | None, json: bool) -> None:
    """Print tables or JSON, and write the report where a folder is given."""
    from kvratio.commands.output import console, print_json, say
    from kvratio.suite.gpu.tables import all_tables
    from kvratio.suite.render import print_table

    if out is not None:
        from kvratio.suite.gpu.write import write_report

        say(f"{len(write_report(results, out))} files beside tables in {out}")
    if json:
        print_json(results)
        return
    for table in all_tables(results):
        print_table(table, console())
    if results["skipped"]:
        say(f"{len(results['skipped'])} parts were left out, such as {results['skipped'][0]}; --json names them all")


def _grid(facts: dict[str, Any]) -> None:
    from rich.table import Table

    from kvratio.commands.output import console

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in facts.items():
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        grid.add_row(key.replace("_", " "), text)
    console().print(grid)
