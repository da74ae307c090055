"""`kvratio capacity`: the rate that a worker carries, and how many GPUs a workload needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kvratio.suite.capacity_source import Source
    from stability.capacity import Capacity, Fleet, KVMemory

#: clock and memory of a question that names none
PRESET = "a100-llama2-7b-roofline"


def capacity(
    trace: Annotated[
        str | None, typer.Argument(help="Trace (path or name), or a fitted family: azure_conv_like.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="fixed:N, uniform:LOW:HIGH, geometric:MEAN:MAX, ...")] = None,
    output: Annotated[str | None, typer.Option(help="... lognormal:MEDIAN:SIGMA:MAX, quantiles:0=A,1=B.")] = None,
    lengths: Annotated[Path | None, typer.Option(help="CSV: prompt,output[,weight].")] = None,
    mix: Annotated[list[str] | None, typer.Option(help="'SHARE TRACE' or 'SHARE PROMPT OUTPUT'; repeat.")] = None,
    count: Annotated[int, typer.Option(help="Requests drawn from a fitted family.")] = 20_000,
    memory: Annotated[int | None, typer.Option(help="KV memory M of a worker, tokens; default: the preset's.")] = None,
    gpu_memory: Annotated[str | None, typer.Option(help="80GB: M from the GPU, --model and --dtype.")] = None,
    model: Annotated[str | None, typer.Option(help="llama-3-8b, ... or LAYERS:KV_HEADS:HEAD_DIM:PARAMETERS.")] = None,
    dtype: Annotated[str, typer.Option(help="Of weights and keys: fp32, fp16, bf16, fp8, int8, int4.")] = "fp16",
    kv_dtype: Annotated[str | None, typer.Option(help="Of keys and values alone.")] = None,
    usable: Annotated[float, typer.Option(help="Share of the GPU memory that the engine may use.")] = 0.9,
    activations: Annotated[str | None, typer.Option(help="2GB: what the engine needs besides.")] = None,
    slot_seconds: Annotated[float | None, typer.Option(help="Seconds b of a batch under full load.")] = None,
    batch_times: Annotated[Path | None, typer.Option(help="File of measured batch seconds, one a line.")] = None,
    iteration_model: Annotated[str | None, typer.Option(help="d0,d1,d2: seconds, per token, per prompt token.")] = None,
    preset: Annotated[str, typer.Option(help="Clock and memory where not given: kvratio list presets.")] = PRESET,
    chunk: Annotated[int, typer.Option(help="Prompt tokens that a slot reads.")] = 512,
    exact: Annotated[bool, typer.Option("--exact", help="Whole chunks, not the closed form.")] = False,
    rate: Annotated[float | None, typer.Option(help="Requests per second; default: the trace's.")] = None,
    utilisation: Annotated[float, typer.Option(help="Share of mu to plan for.")] = 0.9,
    gpus: Annotated[int | None, typer.Option(help="GPUs that there are: exit code 1 if mu is exceeded.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Unequal replicas, PRESET:COUNT or MU:COUNT, commas.")] = None,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs of one worker.")] = 1,
    parallel: Annotated[str, typer.Option(help="tensor; pipeline and split-prefill are refused.")] = "tensor",
    level: Annotated[float, typer.Option(help="Of the bootstrap interval.")] = 0.95,
    replications: Annotated[int, typer.Option(help="Resamplings of the bootstrap.")] = 1000,
    block: Annotated[int | None, typer.Option(help="Requests resampled together; default sqrt(n) of a trace.")] = None,
    seed: Annotated[int, typer.Option(help="Of draws and resampling.")] = 0,
    picture: Annotated[Path | None, typer.Option(help="Write FILE.pdf, .svg or .png.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write one row of figures.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="The paper's figures beside ours, nothing else.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what rate a worker can carry, and how many GPUs a workload needs.

    mu is the rate above which nothing is stable; the safe rate is proven. Exit code 1: more is asked than the GPUs
    given can carry under any policy.

    Example: kvratio capacity azure_2023_conv --memory 131000 --slot-seconds 0.0372
    """
    from kvratio.commands.capacity_page import show_capacity, show_published
    from kvratio.commands.output import print_json, say
    from kvratio.suite.capacity_source import open_source

    if published:
        show_published(json)
        return
    from stability.capacity import capacity as ask
    from stability.capacity import mu_interval, sensitivity
    from stability.capacity.fleets import check_parallel

    check_parallel(parallel)
    ending = None if picture is None else _ending(picture)
    summed = _memory(gpu_memory, model, dtype, kv_dtype, usable, activations, tensor_parallel, memory)
    tokens, slot = _machine(summed.tokens if summed else memory, slot_seconds, batch_times, iteration_model, preset)
    source = open_source(trace, prompt, output, lengths, mix or (), tokens, count, seed)
    how: dict[str, Any] = {"chunk": chunk, "exact": exact, **slot}
    found = ask(source.lengths, tokens, rate=rate, utilisation=utilisation, **how)
    interval = mu_interval(
        source.lengths, tokens, level=level, replications=replications, block=block, seed=seed, **how
    )
    variants = sensitivity(source.lengths, tokens, rate=found.rate, utilisation=utilisation, **how)
    verdict, code = _verdict(found, gpus, tensor_parallel)
    facts: dict[str, Any] = {"workload": source.name, "note": source.note, "verdict": verdict}
    facts |= {**found.to_dict(), "tensor_parallel": tensor_parallel, "mu_interval": interval and vars(interval)}
    facts |= {"sensitivity": [vars(row) for row in variants], "memory_sum": list(summed.lines) if summed else None}
    together = None if fleet is None else _fleet(fleet, source, found, chunk, exact)
    if together is not None:
        facts["fleet"] = {"mu": together.mu, "safe_rate": together.safe_rate, "load": together.load}
        facts["fleet"] |= {"mus": together.mus.tolist(), "shares": together.shares.tolist()}
        code = max(code, int(together.load is not None and together.load > 1))
    if csv is not None:
        _write_csv(facts, csv)
    if picture is not None:
        from kvratio.suite.stability_figures.capacity import capacity_figure
        from kvratio.suite.stability_figures.saving import save_as

        say("simulating slots for the picture")
        save_as(capacity_figure(found, source.lengths, source.name, seed), picture)
        say(f"{ending} in {picture}")
    if json:
        print_json(facts)
    else:
        show_capacity(source, found, verdict, interval, variants, summed, tensor_parallel, together)
    if code:
        raise typer.Exit(code)


def _ending(picture: Path) -> str:
    """Return the kind of a picture, before anything is computed for it."""
    from kvratio.problem.errors import BadParameter
    from kvratio.suite.plots import FORMATS

    ending = picture.suffix.lstrip(".").lower()
    if ending not in FORMATS:
        raise BadParameter(f"--picture {picture}: end it in {', '.join('.' + name for name in FORMATS)}")
    return ending


def _memory(
    gpu: str | None,
    model: str | None,
    dtype: str,
    kv_dtype: str | None,
    usable: float,
    activations: str | None,
    tensor_parallel: int,
    memory: int | None,
) -> KVMemory | None:
    """Return the sum that gives M, where it is asked for."""
    from kvratio.problem.errors import BadParameter

    if tensor_parallel < 1:
        raise BadParameter(f"--tensor-parallel is {tensor_parallel}: give the GPUs of one worker, 1 or more")
    if gpu is None and model is None:
        return None
    if gpu is None or model is None:
        raise BadParameter("--gpu-memory and --model go together: M follows from both")
    if memory is not None:
        raise BadParameter("--memory is given, and --gpu-memory would compute it: drop one of them")
    from stability.capacity import kv_memory

    return kv_memory(
        gpu, model, dtype, kv_dtype=kv_dtype, share=usable, activations=activations, tensor_parallel=tensor_parallel
    )


def _machine(
    memory: int | None, slot_seconds: float | None, batch_times: Path | None, model: str | None, preset: str
) -> tuple[int, dict[str, Any]]:
    """Return M and what tells the seconds per slot; the preset fills in what is not given."""
    import numpy as np

    from kvratio.problem.errors import BadParameter
    from kvratio.problem.presets import find_preset
    from stability.capacity import measured_slot

    tokens = find_preset(preset).memory if memory is None else memory
    if tokens < 1:
        raise BadParameter(f"--memory is {tokens}: give the KV memory of one worker, 1 token or more")
    ways = {"--slot-seconds": slot_seconds, "--batch-times": batch_times, "--iteration-model": model}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise BadParameter(f"{' and '.join(given)} are given: the seconds per slot come from one of them")
    if slot_seconds is not None:
        return tokens, {"slot_seconds": slot_seconds}
    if batch_times is not None:
        try:
            times = np.loadtxt(batch_times, ndmin=1)
        except ValueError as fault:
            raise BadParameter(f"{batch_times}: not one number of seconds per line ({fault})") from None
        return tokens, {"slot_seconds": measured_slot(times)}
    if model is None:
        return tokens, {"iteration_model": preset}
    try:
        return tokens, {"iteration_model": tuple(float(word) for word in model.split(","))}
    except ValueError:
        raise BadParameter(f"--iteration-model {model!r}: write d0,d1,d2 in seconds") from None


def _verdict(found: Capacity, gpus: int | None, tensor_parallel: int) -> tuple[str, int]:
    """Return one line and the exit code."""
    from kvratio.problem.errors import BadParameter
    from stability.capacity.cautions import counted

    def machines(workers: int) -> str:
        total = workers * tensor_parallel
        return f"{total} GPU{'' if total == 1 else 's'}"

    if gpus is None:
        if found.rate is None or found.gpus is None:
            return f"one worker carries up to {found.mu:.4g} requests/s; proven stable up to {found.safe_rate:.4g}", 0
        share = found.rate / (found.gpus * found.mu)
        return (
            f"{machines(found.gpus)} for {found.rate:.4g} requests/s: {share:.1%} of mu, planned for at most "
            f"{found.utilisation:.0%}"
        ), 0
    if gpus < tensor_parallel:
        raise BadParameter(f"--gpus is {gpus}: one worker takes {tensor_parallel}")
    workers = gpus // tensor_parallel
    carried = workers * found.mu
    if found.rate is None or found.least_gpus is None or found.gpus is None:
        return f"{machines(workers)} ({counted(workers)}) carry up to {carried:.4g} requests/s", 0
    if found.rate > carried:
        return (
            f"not enough: {machines(workers)} carry at most {carried:.4g} requests/s under any policy, and "
            f"{found.rate:.4g} are asked; {machines(found.least_gpus)} are the least, {machines(found.gpus)} the plan"
        ), 1
    share = found.rate / carried
    if workers < found.gpus:
        return (
            f"enough, but full: {machines(workers)} are at {share:.1%} of mu, above the {found.utilisation:.0%} "
            f"planned for; {machines(found.gpus)} would keep it"
        ), 0
    return f"enough: {machines(workers)} are at {share:.1%} of mu", 0


def _fleet(text: str, source: Source, found: Capacity, chunk: int, exact: bool) -> Fleet:
    """Return unequal replicas from ``KIND:COUNT,...``; a kind is a preset or a mu in requests per second."""
    from kvratio.problem.errors import BadParameter
    from kvratio.problem.presets import PRESETS
    from stability.capacity import capacity as ask
    from stability.capacity import fleet

    mus, counts, deltas = [], [], []
    for word in text.split(","):
        kind, _, number = word.strip().rpartition(":")
        if not number.isdigit():
            raise BadParameter(f"--fleet {word!r}: write PRESET:COUNT or MU:COUNT, such as a100-llama3-8b:4")
        if kind in PRESETS:
            memory = PRESETS[kind].memory
            one = ask(source.lengths, memory, iteration_model=kind, chunk=chunk, exact=exact)
            mus.append(one.mu)
            deltas.append(one.delta)
        else:
            try:
                mus.append(float(kind))
            except ValueError:
                known = ", ".join(PRESETS)
                raise BadParameter(f"--fleet: {kind!r} is no mu and no preset: choose one of {known}") from None
            deltas.append(found.delta)
        counts.append(int(number))
    return fleet(mus, counts, deltas=deltas, rate=found.rate)


def _write_csv(facts: dict[str, Any], path: Path) -> None:
    import pandas as pd

    row = {key: value for key, value in facts.items() if value is None or isinstance(value, (str, int, float))}
    for end in ("low", "high"):
        row[f"mu_{end}"] = facts["mu_interval"] and facts["mu_interval"][end]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([row]).to_csv(path, index=False)
