"""Families of the published experiments that need more than a built-in family: lengths are fitted, never traces.

Chats stand for LMSYS-Chat-1M (drawn from the published quantiles of a Chatbot Arena trace), summaries for LongBench and
other long documents (from those of arXiv summarization).
"""

from __future__ import annotations

import numpy as np

from instances import FamilyCard, Parameter, generate
from instances.card import REQUIRED
from instances.construction import Construction, Setting, declare
from instances.drawing import shortest_or_smallest
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

COUNT = Parameter("count", REQUIRED, "number of requests n", low=1)
MEMORY = Parameter("memory", REQUIRED, "memory M (tokens)", low=2)
RATE = Parameter("rate", None, "Poisson arrivals per second; default: a batch", "float", low=0, open_low=True)
ROUND_SECONDS = Parameter("round_seconds", 0.05, "seconds of one round, used with a rate", "float", low=0)
INTERVALS = ("rough", "bins", "relative")


def _poisson(rng: np.random.Generator, count: int, rate: float | None, round_seconds: float) -> IntArray | None:
    """Return the rounds of Poisson arrivals, the first at 0; None for a batch."""
    if rate is None:
        return None
    seconds = np.cumsum(rng.exponential(1.0 / rate, count))
    return np.floor((seconds - seconds[0]) / round_seconds).astype(np.int64)


@declare(
    FamilyCard(
        id="first_replies",
        title="replies of chats behind prompts of one length",
        kind="batch",
        parameters=(
            COUNT,
            MEMORY,
            Parameter("prompt", 79, "prompt s of all requests (tokens)", low=0),
            Parameter(
                "scales", None, "round outputs up to powers of two, at most 2^K; default: as drawn", low=0, high=60
            ),
        ),
        source="Feng, Yang, Zhang, arXiv 2601.22996 (setting); outputs of arena_like",
        about="Outputs of arena_like, all prompts equal.",
    )
)
def first_replies(setting: Setting, count: int, memory: int, prompt: int, scales: int | None) -> Construction:
    """Draw chats and give all of them one prompt."""
    chats = generate("arena_like", seed=setting.seed, count=count, memory=memory)
    if scales is not None:
        chats = generate("powers_of_two", base=chats, scales=scales)
    output = np.minimum(chats.output, memory - prompt)
    inst = Instance(prompt=np.full(count, prompt), output=output, memory=memory)
    return Construction(inst, witness=shortest_or_smallest)


@declare(
    FamilyCard(
        id="chats_with_summaries",
        title="chats among long documents",
        kind="batch",
        parameters=(
            COUNT,
            MEMORY,
            Parameter("share", 0.2, "share of summaries", "float", low=0, high=1),
            RATE,
            ROUND_SECONDS,
        ),
        source="Wang, Ye, Zhou, arXiv 2508.06133, and Kong, Qi, Ye, Zhou, arXiv 2606.22327 (settings); lengths of "
        "arena_like and arxiv_like",
        about="floor(share n + 1/2) summaries of arxiv_like among chats of arena_like, in random order.",
    )
)
def chats_with_summaries(
    setting: Setting, count: int, memory: int, share: float, rate: float | None, round_seconds: float
) -> Construction:
    """Draw both kinds and shuffle them."""
    rng = setting.rng()
    long = int(np.floor(share * count + 0.5))
    parts = [
        generate(family, seed=setting.seed, count=number, memory=memory)
        for family, number in (("arena_like", count - long), ("arxiv_like", long))
        if number
    ]
    order = rng.permutation(count)
    inst = Instance(
        prompt=np.concatenate([part.prompt for part in parts])[order],
        output=np.concatenate([part.output for part in parts])[order],
        memory=memory,
        arrival=_poisson(rng, count, rate, round_seconds),
    )
    return Construction(inst, witness=shortest_or_smallest)


@declare(
    FamilyCard(
        id="chats_with_intervals",
        title="chats whose outputs are known up to an interval",
        kind="batch",
        parameters=(
            COUNT,
            MEMORY,
            Parameter("kind", REQUIRED, "how intervals are made", "choice", choices=INTERVALS),
            Parameter("width", 100, "bins: tokens of a bin; rough: the largest upper end", low=1),
            Parameter("error", 0.5, "relative: x of [(1-x) o, (1+x) o]", "float", low=0, high=1),
        ),
        source="Chen, Ye, Zhou, arXiv 2508.14544 (settings, from secondary accounts); lengths of arena_like",
        about="Predictions are exact, for policies that know the outputs; intervals are for those that do not.",
    )
)
def chats_with_intervals(
    setting: Setting, count: int, memory: int, kind: str, width: int, error: float
) -> Construction:
    """Draw chats and surround each output by its interval."""
    chats = generate("arena_like", seed=setting.seed, count=count, memory=memory)
    output, room = chats.output, memory - chats.prompt
    if kind == "rough":
        low, high = np.ones(count, dtype=np.int64), np.full(count, width)
        if int(output.max()) > width:
            raise BadParameter(f"chats_with_intervals: width is {width}: an output has {int(output.max())} tokens")
    elif kind == "bins":
        low = (output - 1) // width * width + 1
        high = low + width - 1
    else:
        low, high = np.floor((1 - error) * output), np.ceil((1 + error) * output)
    inst = Instance(
        prompt=chats.prompt,
        output=output,
        memory=memory,
        predicted=output,
        predicted_low=np.clip(low, 1, output).astype(np.int64),
        predicted_high=np.clip(high, output, room).astype(np.int64),
    )
    return Construction(inst, witness=shortest_or_smallest)


@declare(
    FamilyCard(
        id="small_jaillet",
        title="the synthetic instances of 2502.07115, scaled down until the optimum can be proved",
        kind="batch",
        parameters=(Parameter("online", 0, "1: Poisson arrivals, 0: a batch", low=0, high=1),),
        source="ours; Jaillet et al., arXiv 2502.07115 has M ~ U{30..50} and n ~ U{40..60}",
        about="M ~ U{15..20}, n ~ U{8..12}, s ~ U{1..5}, o ~ U{1..M-s}; online: rate ~ U[0.5, 1.5] per round.",
    )
)
def small_jaillet(setting: Setting, online: int) -> Construction:
    """Draw M and n, then prompts, outputs and arrivals."""
    rng = setting.rng()
    memory, count = (int(x) for x in rng.integers([15, 8], [20, 12], endpoint=True))
    rate = float(rng.uniform(0.5, 1.5))
    prompt = rng.integers(1, 5, count, endpoint=True)
    output = rng.integers(1, memory - prompt, endpoint=True)
    arrival = _poisson(rng, count, rate, 1.0) if online else None
    return Construction(
        Instance(prompt=prompt, output=output, memory=memory, arrival=arrival), witness=shortest_or_smallest
    )
