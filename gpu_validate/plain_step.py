"""The yardstick of speed: a decode step of the library's own generation with its static cache, and ours beside it."""

from __future__ import annotations

import time
from typing import Any

from gpu_validate import libraries
from gpu_validate.executor import Executor
from gpu_validate.staging import stage
from gpu_validate.timers import timed

#: how many times as long as the library's step an iteration of the replay may take
TARGET = 1.5


def library_step(
    model: Any, batch: int, context: int, tokens: tuple[int, int] = (8, 40), compiled: bool = False
) -> float:
    """Seconds per decode step of ``model.generate`` with a static cache.

    Two generations of different lengths after the same prompts are timed; the difference is decode steps alone, the
    middle of which attends to about ``context`` tokens.

    Parameters
    ----------
    model
        With its own attention, on its device.
    batch, context : int
    tokens : (int, int)
        New tokens of the two generations.
    compiled : bool
        Let the library compile its step, as it does by default on CUDA; costs up to minutes before the first token.
    """
    torch = libraries.torch()
    device = next(model.parameters()).device
    prompt = max(1, context - sum(tokens) // 2)
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(3, model.config.vocab_size, (batch, prompt), generator=draw).to(device)

    def generate(new: int) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        begun = time.perf_counter()
        with torch.inference_mode():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new,
                min_new_tokens=new,
                do_sample=False,
                cache_implementation="static",
                disable_compile=not compiled,
                pad_token_id=0,
            )
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    # The same cache length for both, as a static cache is laid out for the longest: only the steps differ.
    short, long = tokens
    try:
        generate(short)
        if compiled:
            generate(long)
        best = min(generate(long) for _ in range(2)) - min(generate(short) for _ in range(2))
    finally:
        # Some versions keep the cache on the model, and compiled code keeps the model: tens of GiB that others need.
        vars(model).pop("_cache", None)
        if compiled:
            torch.compiler.reset()
    return best / (long - short)


def replay_step(executor: Executor, batch: int, context: int, repeats: int = 30) -> float:
    """Seconds of an iteration of the replay with ``batch`` decodes that attend to ``context`` tokens each (median)."""
    cell = stage(executor, [context + 1] * batch, [])
    laps = timed(cell, executor.device, repeats, warm_up=5)
    return float(sorted(laps)[len(laps) // 2])
